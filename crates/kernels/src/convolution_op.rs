//! The convolutions as candle operations, with gradients.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor};

use crate::convolution::{Activation, ConvolutionShape, forward, gradient_input, gradient_weights};
use crate::simd::Isa;

/// The contiguous `f32` values behind a CPU storage.
pub(crate) fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout, op: &str) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("{op}: the input is not contiguous; call contiguous() first")
    };
    match storage {
        CpuStorage::F32(values) => Ok(&values[start..end]),
        other => candle_core::bail!("{op}: values are {:?}, only f32 is supported", dtype(other)),
    }
}

fn dtype(storage: &CpuStorage) -> DType {
    use candle_core::backend::BackendStorage;
    storage.dtype()
}

/// Calls `f` with the values of a contiguous CPU tensor.
pub(crate) fn with_values<T>(tensor: &Tensor, op: &str, f: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(storage) => f(contiguous(storage, layout, op)?),
        _ => candle_core::bail!("{op}: the tensor is not on the CPU"),
    }
}

struct Conv2d {
    stride: usize,
    padding: usize,
}

fn convolution_shape(x: &[usize], w: &[usize], stride: usize, padding: usize) -> Result<ConvolutionShape> {
    let (&[batch, height, width, channels_in], &[kernel, kernel_width, weights_in, channels_out]) = (x, w)
    else {
        candle_core::bail!("conv2d: input {x:?} and weights {w:?} must both have four dimensions")
    };
    if kernel != kernel_width || weights_in != channels_in {
        candle_core::bail!("conv2d: weights {w:?} do not fit an NHWC input {x:?}")
    }
    if height + 2 * padding < kernel || width + 2 * padding < kernel || batch == 0 {
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

fn out_shape(shape: &ConvolutionShape) -> Shape {
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
        let shape = convolution_shape(x.dims(), w.dims(), self.stride, self.padding)?;
        let (isa, name) = (Isa::detect(), self.name());
        let g = g.contiguous()?;
        with_values(&g, name, |g| {
            let by_weights = with_values(x, name, |x| Ok(gradient_weights(isa, &shape, x, g)))?;
            // The first layer's input is data: its gradient is never asked for.
            let by_input = if x.track_op() {
                let by_input = with_values(w, name, |w| Ok(gradient_input(isa, &shape, w, g)))?;
                Some(Tensor::from_vec(by_input, x.shape(), x.device())?)
            } else {
                None
            };
            Ok((
                by_input,
                Some(Tensor::from_vec(by_weights, w.shape(), w.device())?),
            ))
        })
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
    let x = x.permute((0, 3, 1, 2))?.contiguous()?;
    let weights = weights.permute((3, 2, 0, 1))?.contiguous()?;
    x.conv2d(&weights, padding, stride, 1, 1)?
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
        let out = forward(Isa::detect(), &shape, x, w, Some(bias), self.activation);
        Ok((CpuStorage::F32(out), out_shape(&shape)))
    }
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
