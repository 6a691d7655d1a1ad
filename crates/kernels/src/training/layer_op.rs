//! Convolution, batch normalisation and ReLU as one candle operation: one map kept and one gradient passed on instead of
//! two of each.

use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::batch_norm_op::{BatchMoments, Normalization, Statistics, batch_norm};
use super::convolution_op::{conv2d, convolution_shape, out_shape};
use super::memory::Buffer;
use super::tensors::{contiguous, filled, taken, with_values};
use crate::convolution::{Activation, forward_into, gradient_input, gradient_weights};
use crate::simd::Isa;

/// Numbers of a convolution layer.
#[derive(Clone, Copy, Debug)]
pub struct LayerOptions {
    /// Step in pixels, both ways.
    pub stride: usize,
    /// Zeros around the input, in pixels.
    pub padding: usize,
    /// Added to the variance.
    pub epsilon: f32,
    /// ReLU after the normalisation.
    pub relu: bool,
}

struct Layer {
    options: LayerOptions,
    normalization: Normalization,
    /// What was normalised, and how.
    seen: Arc<Mutex<Option<(Buffer, Statistics)>>>,
}

impl CustomOp3 for Layer {
    fn name(&self) -> &'static str {
        "phenosure-convolution-layer"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let name = self.name();
        let shape = convolution_shape(l1.dims(), l2.dims(), self.options.stride, self.options.padding)?;
        let (x, w) = (contiguous(s1, l1, name)?, contiguous(s2, l2, name)?);
        let affine = contiguous(s3, l3, name)?;
        if affine.len() != 2 * shape.channels_out {
            candle_core::bail!(
                "{name}: {} gammas and betas for {} channels",
                affine.len(),
                shape.channels_out
            )
        }
        let out_shape = out_shape(&shape);
        let mut y = Buffer::stale(out_shape.elem_count());
        let plain = (None, Activation::Identity);
        forward_into(Isa::detect(), &shape, (x, w), plain, &mut y);
        let affine = affine.split_at(shape.channels_out);
        let (out, statistics) = filled(y.len(), |out| self.normalization.forward(&y, affine, out))?;
        *taken(&self.seen) = Some((y, statistics));
        Ok((CpuStorage::F32(out), out_shape))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        affine: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (isa, name) = (Isa::detect(), self.name());
        let shape = convolution_shape(x.dims(), w.dims(), self.options.stride, self.options.padding)?;
        let seen = taken(&self.seen);
        let Some((y, statistics)) = &*seen else {
            candle_core::bail!("{name}: backward before forward")
        };
        let mut by_y = Buffer::stale(y.len());
        let gradient = gradient.contiguous()?;
        let [mut by_gamma, by_beta] = with_values(&gradient, name, |gradient| {
            Ok(self.normalization.backward(y, statistics, gradient, &mut by_y))
        })?;
        by_gamma.extend(by_beta);
        let by_w = with_values(x, name, |x| Ok(gradient_weights(isa, &shape, x, &by_y)))?;
        // The first layer's input is data: its gradient is never asked for.
        let by_x = if x.track_op() {
            let by_x = with_values(w, name, |w| Ok(gradient_input(isa, &shape, w, &by_y)))?;
            Some(Tensor::from_vec(by_x, x.shape(), x.device())?)
        } else {
            None
        };
        Ok((
            by_x,
            Some(Tensor::from_vec(by_w, w.shape(), w.device())?),
            Some(Tensor::from_vec(by_gamma, affine.shape(), affine.device())?),
        ))
    }
}

/// A convolution without bias, batch normalisation by the batch's own moments, and ReLU if asked: the values of
/// [`conv2d`] followed by [`batch_norm`](crate::batch_norm), in fewer passes over memory. Differentiable by all four.
///
/// Shapes: `x` (batch, rows, columns, channels in), `weights` (kernel, kernel, channels in, channels out), `gamma` and
/// `beta` (channels out). On a GPU the same is composed of candle's own operations.
///
/// Errors: shapes that do not fit, fewer than two values a channel, values that are not `f32`.
pub fn convolution_layer(
    x: &Tensor,
    weights: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    options: LayerOptions,
) -> Result<(Tensor, BatchMoments)> {
    let LayerOptions {
        stride,
        padding,
        epsilon,
        relu,
    } = options;
    if !x.device().is_cpu() {
        let y = conv2d(x, weights, stride, padding)?;
        return batch_norm(&y, gamma, beta, epsilon, relu);
    }
    let seen = Arc::new(Mutex::new(None));
    let op = Layer {
        options,
        normalization: Normalization { epsilon, relu },
        seen: Arc::clone(&seen),
    };
    let affine = Tensor::stack(&[gamma, beta], 0)?;
    let out = x
        .contiguous()?
        .apply_op3(&weights.contiguous()?, &affine.contiguous()?, op)?;
    let moments = taken(&seen)
        .as_ref()
        .map(|(_, statistics)| statistics.moments.clone());
    Ok((out, moments.unwrap_or_default()))
}
