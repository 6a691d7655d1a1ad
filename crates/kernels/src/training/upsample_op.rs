//! Nearest-neighbour doubling of NHWC maps as a candle operation.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::tensors::{contiguous, with_values};

struct UpsampleNearest2;

fn sizes(dims: &[usize]) -> Result<(usize, usize, usize)> {
    match *dims {
        [batch, height, width, channels] => Ok((batch * height, width, channels)),
        _ => candle_core::bail!("upsample: input {dims:?} must be NHWC"),
    }
}

impl CustomOp1 for UpsampleNearest2 {
    fn name(&self) -> &'static str {
        "phenosure-upsample-nearest2"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(storage, layout, self.name())?;
        let (_, width, channels) = sizes(layout.dims())?;
        let mut out = Vec::with_capacity(x.len() * 4);
        for row in x.chunks_exact(width * channels) {
            let start = out.len();
            for pixel in row.chunks_exact(channels) {
                out.extend_from_slice(pixel);
                out.extend_from_slice(pixel);
            }
            out.extend_from_within(start..);
        }
        let dims = layout.dims();
        Ok((
            CpuStorage::F32(out),
            Shape::from((dims[0], dims[1] * 2, dims[2] * 2, dims[3])),
        ))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (rows, width, channels) = sizes(x.dims())?;
        let gradient = gradient.contiguous()?;
        let mut out = vec![0.0f32; rows * width * channels];
        with_values(&gradient, self.name(), |gradient| {
            let line = 2 * width * channels;
            for (to, lines) in out
                .chunks_exact_mut(width * channels)
                .zip(gradient.chunks_exact(2 * line))
            {
                let (upper, lower) = lines.split_at(line);
                let pairs = upper
                    .chunks_exact(2 * channels)
                    .zip(lower.chunks_exact(2 * channels));
                for (to, (upper, lower)) in to.chunks_exact_mut(channels).zip(pairs) {
                    for (c, total) in to.iter_mut().enumerate() {
                        *total = upper[c] + upper[c + channels] + lower[c] + lower[c + channels];
                    }
                }
            }
            Ok(())
        })?;
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

/// Doubles rows and columns of an NHWC map by repeating each pixel; differentiable.
///
/// candle's own `upsample_nearest2d` overwrites the gradient that other users of its input left.
/// Errors: an input that is not NHWC.
pub fn upsample_nearest2(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        return x.contiguous()?.apply_op1(UpsampleNearest2);
    }
    let (n, h, w, c) = x.dims4()?;
    x.reshape((n, h, 1, w, 1, c))?
        .broadcast_as((n, h, 2, w, 2, c))?
        .contiguous()?
        .reshape((n, h * 2, w * 2, c))
}
