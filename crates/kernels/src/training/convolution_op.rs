//! The convolutions as candle operations, with gradients.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::tensors::{contiguous, with_values};
use crate::convolution::{Activation, ConvolutionShape, forward, gradient_input, gradient_weights};
use crate::simd::Isa;

struct Conv2d {
    stride: usize,
    padding: usize,
}

pub(super) fn convolution_shape(
    x: &[usize],
    w: &[usize],
    stride: usize,
    padding: usize,
) -> Result<ConvolutionShape> {
    let (&[batch, height, width, channels_in], &[kernel, kernel_width, weights_in, channels_out]) = (x, w)
    else {
        candle_core::bail!("conv2d: input {x:?} and weights {w:?} must both have four dimensions")
    };
    if kernel != kernel_width || weights_in != channels_in {
        candle_core::bail!("conv2d: weights {w:?} do not fit an NHWC input {x:?}")
    }
    let empty = batch == 0 || channels_in == 0 || channels_out == 0 || stride == 0;
    if height + 2 * padding < kernel || width + 2 * padding < kernel || empty {
        candle_core::bail!("conv2d: input {x:?} is smaller than the kernel {w:?}")
    }
    Ok(ConvolutionShape {
        batch,
        height,
        width,
        channels_in,
        channels_out,
        kernel,
        stride,
        padding,
    })
}

pub(super) fn out_shape(shape: &ConvolutionShape) -> Shape {
    Shape::from((
        shape.batch,
        shape.out_height(),
        shape.out_width(),
        shape.channels_out,
    ))
}

impl CustomOp2 for Conv2d {
    fn name(&self) -> &'static str {
        "phenosure-conv2d"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = convolution_shape(l1.dims(), l2.dims(), self.stride, self.padding)?;
        let (x, w) = (contiguous(s1, l1, self.name())?, contiguous(s2, l2, self.name())?);
        let out = forward(Isa::detect(), &shape, x, w, None, Activation::Identity);
        Ok((CpuStorage::F32(out), out_shape(&shape)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (by_x, by_w) = gradients(self.name(), (self.stride, self.padding), (x, w), g)?;
        Ok((by_x, Some(by_w)))
    }
}

/// Convolution of NHWC maps, differentiable.
///
/// Shapes: `x` (batch, rows, columns, channels in), `weights` (kernel, kernel, channels in, channels out); the result is
/// (batch, out rows, out columns, channels out) with out = (in + 2 padding - kernel) / stride + 1.
/// On a GPU the same is composed of candle's own operations.
///
/// Errors: shapes that do not fit, values that are not `f32`.
pub fn conv2d(x: &Tensor, weights: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    if x.device().is_cpu() {
        return x
            .contiguous()?
            .apply_op2(&weights.contiguous()?, Conv2d { stride, padding });
    }
    let shape = convolution_shape(x.dims(), weights.dims(), stride, padding)?;
    // candle takes the padding of the transposed convolution from the height alone, so that its backward pass fails where
    // height and width leave different rests: the rests are cut off first.
    let rows = (shape.out_height() - 1) * stride + shape.kernel;
    let columns = (shape.out_width() - 1) * stride + shape.kernel;
    let x = x
        .pad_with_zeros(1, padding, padding)?
        .pad_with_zeros(2, padding, padding)?
        .narrow(1, 0, rows)?
        .narrow(2, 0, columns)?;
    let x = x.permute((0, 3, 1, 2))?.contiguous()?;
    let weights = weights.permute((3, 2, 0, 1))?.contiguous()?;
    x.conv2d(&weights, 0, stride, 1, 1)?
        .permute((0, 2, 3, 1))?
        .contiguous()
}

struct Conv2dBias {
    stride: usize,
    padding: usize,
    activation: Activation,
}

impl CustomOp3 for Conv2dBias {
    fn name(&self) -> &'static str {
        "phenosure-conv2d-bias"
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
        let shape = convolution_shape(l1.dims(), l2.dims(), self.stride, self.padding)?;
        let (x, w) = (contiguous(s1, l1, self.name())?, contiguous(s2, l2, self.name())?);
        let bias = contiguous(s3, l3, self.name())?;
        if bias.len() != shape.channels_out {
            candle_core::bail!(
                "conv2d: {} biases for {} channels",
                bias.len(),
                shape.channels_out
            )
        }
        let out = forward(Isa::detect(), &shape, x, w, Some(bias), self.activation);
        Ok((CpuStorage::F32(out), out_shape(&shape)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        if self.activation != Activation::Identity {
            candle_core::bail!("{}: only the linear convolution has a gradient", self.name())
        }
        let (by_x, by_w) = gradients(self.name(), (self.stride, self.padding), (x, w), g)?;
        let by_bias = with_values(&g.contiguous()?, self.name(), |g| {
            Ok(column_sums(g, bias.elem_count()))
        })?;
        let by_bias = Tensor::from_vec(by_bias, bias.shape(), bias.device())?;
        Ok((by_x, Some(by_w), Some(by_bias)))
    }
}

/// Sum of each column of (rows × columns), in f64.
fn column_sums(values: &[f32], columns: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; columns];
    for row in values.chunks_exact(columns) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += f64::from(*value);
        }
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}

/// Gradients of a convolution by its input, where that is asked for, and by its weights.
fn gradients(
    name: &str,
    (stride, padding): (usize, usize),
    (x, w): (&Tensor, &Tensor),
    g: &Tensor,
) -> Result<(Option<Tensor>, Tensor)> {
    let shape = convolution_shape(x.dims(), w.dims(), stride, padding)?;
    let (isa, g) = (Isa::detect(), g.contiguous()?);
    with_values(&g, name, |g| {
        let by_weights = with_values(x, name, |x| Ok(gradient_weights(isa, &shape, x, g)))?;
        // The first layer's input is data: its gradient is never asked for.
        let by_input = if x.track_op() {
            let by_input = with_values(w, name, |w| Ok(gradient_input(isa, &shape, w, g)))?;
            Some(Tensor::from_vec(by_input, x.shape(), x.device())?)
        } else {
            None
        };
        Ok((by_input, Tensor::from_vec(by_weights, w.shape(), w.device())?))
    })
}

/// Convolution with bias, differentiable by all three: the last layer of a network.
///
/// Shapes and errors as [`conv2d`]; `bias` has one value per output channel.
pub fn conv2d_linear(
    x: &Tensor,
    weights: &Tensor,
    bias: &Tensor,
    (stride, padding): (usize, usize),
) -> Result<Tensor> {
    if x.device().is_cpu() {
        let op = Conv2dBias {
            stride,
            padding,
            activation: Activation::Identity,
        };
        return x
            .contiguous()?
            .apply_op3(&weights.contiguous()?, &bias.contiguous()?, op);
    }
    conv2d(x, weights, stride, padding)?.broadcast_add(bias)
}

/// Convolution with bias and activation for inference: no gradient.
///
/// Shapes and errors as [`conv2d`]; `bias` has one value per output channel.
pub fn conv2d_bias(
    x: &Tensor,
    weights: &Tensor,
    bias: &Tensor,
    (stride, padding): (usize, usize),
    activation: Activation,
) -> Result<Tensor> {
    if x.device().is_cpu() {
        let op = Conv2dBias {
            stride,
            padding,
            activation,
        };
        return x
            .contiguous()?
            .apply_op3_no_bwd(&weights.contiguous()?, &bias.contiguous()?, &op);
    }
    let out = conv2d(x, weights, stride, padding)?.broadcast_add(bias)?;
    match activation {
        Activation::Identity => Ok(out),
        Activation::Relu => out.relu(),
    }
}
