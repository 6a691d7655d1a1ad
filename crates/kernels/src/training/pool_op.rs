//! The maximum of 2 × 2 windows of NHWC maps as a candle operation.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::tensors::{contiguous, filled, taken, with_values};
use super::vectors::{Kernel, Vector, launch};
use crate::simd::Isa;

struct MaxPool2 {
    /// Which of the four pixels of a window each output came from, row by row.
    chosen: Mutex<Vec<u8>>,
}

/// One row of windows: the larger of four pixels, the first of equal ones; a NaN is larger than all.
struct Row<'a> {
    upper: &'a [f32],
    lower: &'a [f32],
    channels: usize,
    out: &'a mut [f32],
    chosen: &'a mut [u8],
}

impl Kernel for Row<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(self) {
        let channels = self.channels;
        let windows = self
            .upper
            .chunks_exact(2 * channels)
            .zip(self.lower.chunks_exact(2 * channels));
        let outs = self
            .out
            .chunks_exact_mut(channels)
            .zip(self.chosen.chunks_exact_mut(channels));
        for ((upper, lower), (out, chosen)) in windows.zip(outs) {
            let ((a, b), (c, d)) = (upper.split_at(channels), lower.split_at(channels));
            out.copy_from_slice(a);
            chosen.fill(0);
            for (index, pixel) in [(1, b), (2, c), (3, d)] {
                for ((best, which), value) in out.iter_mut().zip(chosen.iter_mut()).zip(pixel) {
                    let larger = (*value > *best) | (value.is_nan() & !best.is_nan());
                    *which = if larger { index } else { *which };
                    *best = if larger { *value } else { *best };
                }
            }
        }
    }
}

/// One row of windows: the gradient goes to the chosen pixel.
struct RowGradient<'a> {
    gradient: &'a [f32],
    chosen: &'a [u8],
    channels: usize,
    upper: &'a mut [f32],
    lower: &'a mut [f32],
}

impl Kernel for RowGradient<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(self) {
        let channels = self.channels;
        let windows = self
            .upper
            .chunks_exact_mut(2 * channels)
            .zip(self.lower.chunks_exact_mut(2 * channels));
        let gradients = self
            .gradient
            .chunks_exact(channels)
            .zip(self.chosen.chunks_exact(channels));
        for ((upper, lower), (gradient, chosen)) in windows.zip(gradients) {
            let ((a, b), (c, d)) = (upper.split_at_mut(channels), lower.split_at_mut(channels));
            for (index, pixel) in [(0, a), (1, b), (2, c), (3, d)] {
                for ((to, value), which) in pixel.iter_mut().zip(gradient).zip(chosen) {
                    *to = if *which == index { *value } else { 0.0 };
                }
            }
        }
    }
}

/// Rows of all images, output rows of an image, columns, channels.
fn sizes(dims: &[usize]) -> Result<[usize; 4]> {
    match *dims {
        [batch, height, width, channels] if height >= 2 && width >= 2 && channels > 0 => {
            Ok([batch, height, width, channels])
        }
        _ => candle_core::bail!("max pool: input {dims:?} must be NHWC with at least 2 rows and 2 columns"),
    }
}

impl CustomOp1 for MaxPool2 {
    fn name(&self) -> &'static str {
        "phenosure-max-pool2"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(storage, layout, self.name())?;
        let [batch, height, width, channels] = sizes(layout.dims())?;
        let (rows, columns) = (height / 2, width / 2);
        let (line, out_line) = (width * channels, columns * channels);
        let length = batch * rows * out_line;
        let mut chosen = vec![0u8; length];
        let (out, ()) = filled(length, |out| {
            let lines = out.par_chunks_mut(out_line).zip(chosen.par_chunks_mut(out_line));
            lines.enumerate().for_each(|(index, (out, chosen))| {
                let first = index / rows * height + index % rows * 2;
                let row = Row {
                    upper: &x[first * line..(first + 1) * line],
                    lower: &x[(first + 1) * line..(first + 2) * line],
                    channels,
                    out,
                    chosen,
                };
                launch(Isa::detect(), row);
            });
            Ok(())
        })?;
        *taken(&self.chosen) = chosen;
        Ok((
            CpuStorage::F32(out),
            Shape::from((batch, rows, columns, channels)),
        ))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let [_, height, width, channels] = sizes(x.dims())?;
        let (rows, line, out_line) = (height / 2, width * channels, width / 2 * channels);
        let gradient = gradient.contiguous()?;
        let chosen = taken(&self.chosen);
        let (out, ()) = with_values(&gradient, self.name(), |gradient| {
            filled(x.elem_count(), |out| {
                // An odd last row stays zero.
                out.par_chunks_mut(height * line)
                    .enumerate()
                    .for_each(|(image, out)| {
                        for (row, lines) in out.chunks_exact_mut(2 * line).enumerate() {
                            let at = (image * rows + row) * out_line;
                            let (upper, lower) = lines.split_at_mut(line);
                            let row = RowGradient {
                                gradient: &gradient[at..at + out_line],
                                chosen: &chosen[at..at + out_line],
                                channels,
                                upper,
                                lower,
                            };
                            launch(Isa::detect(), row);
                        }
                    });
                Ok(())
            })
        })?;
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

/// Maximum of each 2 × 2 window of an NHWC map, differentiable; an odd last row or column is left out.
///
/// The gradient goes to the largest pixel, of equal ones to the first. A NaN in a window makes its maximum NaN.
/// candle's own `max_pool2d` scales the gradient by a quarter and loses NaNs.
///
/// Errors: an input that is not NHWC or has fewer than two rows or columns; values that are not `f32`.
pub fn max_pool2(x: &Tensor) -> Result<Tensor> {
    sizes(x.dims())?;
    if x.device().is_cpu() {
        let chosen = Mutex::default();
        return x.contiguous()?.apply_op1(MaxPool2 { chosen });
    }
    composed(x)
}

/// The same of candle's operations, whose gradients are right.
fn composed(x: &Tensor) -> Result<Tensor> {
    let [batch, height, width, channels] = sizes(x.dims())?;
    let (rows, columns) = (height / 2, width / 2);
    let windows = x
        .narrow(1, 0, 2 * rows)?
        .narrow(2, 0, 2 * columns)?
        .contiguous()?
        .reshape((batch, rows, 2, columns, 2, channels))?
        .permute((0, 1, 3, 5, 2, 4))?
        .contiguous()?
        .reshape((batch, rows, columns, channels, 4))?;
    let first = windows.detach().argmax_keepdim(D::Minus1)?;
    windows.gather(&first, D::Minus1)?.squeeze(D::Minus1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Philox;
    use candle_core::{Device, Var};

    /// What a GPU runs equals the operation, gradient included, ties and odd sizes too.
    #[test]
    fn composition_equals_the_operation() {
        let mut random = Philox::new(1, [0; 3]);
        let values: Vec<f32> = (0..2 * 5 * 7 * 3).map(|_| random.below(4) as f32).collect();
        let x = Var::from_tensor(&Tensor::from_vec(values, (2, 5, 7, 3), &Device::Cpu).unwrap()).unwrap();
        let both = [max_pool2(&x).unwrap(), composed(&x).unwrap()].map(|out| {
            let gradients = (&out * &out).unwrap().sum_all().unwrap().backward().unwrap();
            let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            (flat(&out), flat(gradients.get(&x).unwrap()))
        });
        assert_eq!(both[0], both[1]);
    }
}
