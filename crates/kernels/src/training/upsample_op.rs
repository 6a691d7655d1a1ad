//! Doubling of NHWC maps as candle operations: nearest neighbour and bilinear.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::tensors::{contiguous, filled, with_values};
use super::vectors::{Kernel, Vector, launch};
use crate::simd::Isa;

/// How a doubled pixel follows from its neighbours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Nearest,
    Bilinear,
}

struct Upsample2(Method);

/// Pixel indices and weights that add up to one output.
type Taps = [(usize, f32); 4];

/// Input pixels that output pixel `at` is between, of `size` input pixels: the adjoint of [`Method::outputs`].
fn between(at: usize, size: usize) -> Taps {
    let near = at / 2;
    let far = if at.is_multiple_of(2) {
        near.saturating_sub(1)
    } else {
        (near + 1).min(size - 1)
    };
    [(near, 0.75), (far, 0.25), (near, 0.0), (near, 0.0)]
}

impl Method {
    /// Output pixels that input pixel `at` of `size` goes to.
    fn outputs(self, at: usize, size: usize) -> Taps {
        let (even, odd) = (2 * at, 2 * at + 1);
        if self == Self::Nearest {
            return [(even, 1.0), (odd, 1.0), (even, 0.0), (even, 0.0)];
        }
        let own = |edge: bool| if edge { 1.0 } else { 0.75 };
        [
            (even, own(at == 0)),
            (odd, own(at + 1 == size)),
            if at > 0 { (even - 1, 0.25) } else { (even, 0.0) },
            if at + 1 < size {
                (odd + 1, 0.25)
            } else {
                (odd, 0.0)
            },
        ]
    }
}

/// One row of the result: sums of weighted pixels of some rows.
struct Row<'a> {
    /// Rows and their weights.
    rows: &'a [(&'a [f32], f32)],
    columns: &'a [Taps],
    channels: usize,
    out: &'a mut [f32],
}

impl Kernel for Row<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(self) {
        let channels = self.channels;
        for (out, taps) in self.out.chunks_exact_mut(channels).zip(self.columns) {
            let mut first = true;
            for (row, row_weight) in self.rows {
                for (column, weight) in taps.iter().filter(|(_, weight)| *weight != 0.0) {
                    let weight = row_weight * weight;
                    let pixel = &row[column * channels..(column + 1) * channels];
                    for (to, value) in out.iter_mut().zip(pixel) {
                        *to = if first {
                            weight * value
                        } else {
                            *to + weight * value
                        };
                    }
                    first = false;
                }
            }
        }
    }
}

/// Resamples (images × rows × columns × channels) to rows and columns given by the taps of each.
fn resample(
    x: &[f32],
    channels: usize,
    rows: &[Taps],
    columns: &[Taps],
    width: usize,
    height: usize,
) -> Vec<f32> {
    let (line, out_line) = (width * channels, columns.len() * channels);
    let images = x.len() / (height * line);
    let mut out = vec![0.0; images * rows.len() * out_line];
    out.par_chunks_mut(out_line).enumerate().for_each(|(index, out)| {
        let image = &x[index / rows.len() * height * line..][..height * line];
        let taps: Vec<(&[f32], f32)> = rows[index % rows.len()]
            .iter()
            .filter(|(_, weight)| *weight != 0.0)
            .map(|&(row, weight)| (&image[row * line..(row + 1) * line], weight))
            .collect();
        let row = Row {
            rows: &taps,
            columns,
            channels,
            out,
        };
        launch(Isa::detect(), row);
    });
    out
}

fn sizes(dims: &[usize]) -> Result<[usize; 4]> {
    match *dims {
        [batch, height, width, channels] if batch * height * width * channels > 0 => {
            Ok([batch, height, width, channels])
        }
        _ => candle_core::bail!("upsample: input {dims:?} must be NHWC and not empty"),
    }
}

impl CustomOp1 for Upsample2 {
    fn name(&self) -> &'static str {
        "phenosure-upsample2"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(storage, layout, self.name())?;
        let [batch, height, width, channels] = sizes(layout.dims())?;
        let shape = Shape::from((batch, 2 * height, 2 * width, channels));
        let out = if self.0 == Method::Nearest {
            repeat(x, width * channels, channels)?
        } else {
            let taps = |size: usize| -> Vec<Taps> { (0..2 * size).map(|at| between(at, size)).collect() };
            resample(x, channels, &taps(height), &taps(width), width, height)
        };
        Ok((CpuStorage::F32(out), shape))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let [_, height, width, channels] = sizes(x.dims())?;
        let gradient = gradient.contiguous()?;
        let taps = |size: usize| -> Vec<Taps> { (0..size).map(|at| self.0.outputs(at, size)).collect() };
        let out = with_values(&gradient, self.name(), |gradient| {
            Ok(resample(
                gradient,
                channels,
                &taps(height),
                &taps(width),
                2 * width,
                2 * height,
            ))
        })?;
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

/// Each pixel twice, each line twice.
fn repeat(x: &[f32], line: usize, channels: usize) -> Result<Vec<f32>> {
    let (out, ()) = filled(4 * x.len(), |out| {
        out.par_chunks_mut(4 * line)
            .zip(x.par_chunks(line))
            .for_each(|(out, x)| {
                let (upper, lower) = out.split_at_mut(2 * line);
                for (pair, pixel) in upper.chunks_exact_mut(2 * channels).zip(x.chunks_exact(channels)) {
                    pair[..channels].copy_from_slice(pixel);
                    pair[channels..].copy_from_slice(pixel);
                }
                lower.copy_from_slice(upper);
            });
        Ok(())
    })?;
    Ok(out)
}

/// Doubles rows and columns of an NHWC map by repeating each pixel; differentiable.
///
/// candle's own `upsample_nearest2d` overwrites the gradient that other users of its input left.
/// Errors: an input that is not NHWC or is empty; values that are not `f32`.
pub fn upsample_nearest2(x: &Tensor) -> Result<Tensor> {
    sizes(x.dims())?;
    if x.device().is_cpu() {
        return x.contiguous()?.apply_op1(Upsample2(Method::Nearest));
    }
    nearest_composed(x)
}

/// Doubles rows and columns of an NHWC map, linear between pixel centres, edges repeated (`align_corners = false`);
/// differentiable, which candle's own `upsample_bilinear2d` is not.
///
/// Errors: an input that is not NHWC or is empty; values that are not `f32`.
pub fn upsample_bilinear2(x: &Tensor) -> Result<Tensor> {
    sizes(x.dims())?;
    if x.device().is_cpu() {
        return x.contiguous()?.apply_op1(Upsample2(Method::Bilinear));
    }
    bilinear_composed(x)
}

/// The same of candle's operations, whose gradients are right.
fn nearest_composed(x: &Tensor) -> Result<Tensor> {
    let (n, h, w, c) = x.dims4()?;
    x.reshape((n, h, 1, w, 1, c))?
        .broadcast_as((n, h, 2, w, 2, c))?
        .contiguous()?
        .reshape((n, h * 2, w * 2, c))
}

/// The same of candle's operations, whose gradients are right.
fn bilinear_composed(x: &Tensor) -> Result<Tensor> {
    let mut map = x.clone();
    for axis in [1, 2] {
        let size = map.dim(axis)?;
        let (start, end) = (map.narrow(axis, 0, 1)?, map.narrow(axis, size - 1, 1)?);
        let (before, after) = if size == 1 {
            (map.clone(), map.clone())
        } else {
            (
                Tensor::cat(&[&start, &map.narrow(axis, 0, size - 1)?], axis)?,
                Tensor::cat(&[&map.narrow(axis, 1, size - 1)?, &end], axis)?,
            )
        };
        let own = map.affine(0.75, 0.0)?;
        let even = (&own + before.affine(0.25, 0.0)?)?;
        let odd = (&own + after.affine(0.25, 0.0)?)?;
        let mut shape = map.dims().to_vec();
        shape[axis] *= 2;
        map = Tensor::stack(&[even, odd], axis + 1)?.reshape(shape)?;
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Philox;
    use candle_core::{Device, Var};

    /// What a GPU runs equals the operations, gradients included.
    #[test]
    fn compositions_equal_the_operations() {
        for (height, width, channels) in [(3, 5, 17), (1, 2, 3), (4, 1, 16)] {
            let mut random = Philox::new(1, [0; 3]);
            let values: Vec<f32> = (0..2 * height * width * channels)
                .map(|_| random.normal())
                .collect();
            let x = Tensor::from_vec(values, (2, height, width, channels), &Device::Cpu).unwrap();
            let x = Var::from_tensor(&x).unwrap();
            for [ours, theirs] in [
                [upsample_nearest2(&x).unwrap(), nearest_composed(&x).unwrap()],
                [upsample_bilinear2(&x).unwrap(), bilinear_composed(&x).unwrap()],
            ] {
                let largest = |a: &Tensor, b: &Tensor| {
                    let difference = (a - b).unwrap().abs().unwrap();
                    difference.max_all().unwrap().to_scalar::<f32>().unwrap()
                };
                assert!(largest(&ours, &theirs) < 1e-5);
                let gradient = |out: &Tensor| {
                    let loss = (out * out).unwrap().sum_all().unwrap();
                    loss.backward().unwrap().get(&x).unwrap().clone()
                };
                assert!(largest(&gradient(&ours), &gradient(&theirs)) < 1e-4);
            }
        }
    }
}
