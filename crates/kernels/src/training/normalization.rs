//! Batch normalisation of NHWC maps in training mode, with an optional ReLU, and the sums that both passes need.
//!
//! Sums run over 64 rows in f32, then in f64, in parts whose size does not depend on the number of threads.
//! Source: Ioffe and Szegedy 2015 (arXiv 1502.03167), algorithm 1 and the gradients after it.

use rayon::prelude::*;

use super::normalization_gradient::Backward;
use super::vectors::{Kernel, LANES, Vector, launch};
use crate::simd::Isa;

/// Rows summed in f32: long f32 sums lose digits.
pub(super) const ROWS: usize = 64;
/// Rows of one task.
pub(super) const PART: usize = 4096;

/// Mean and biased variance per channel.
pub(crate) struct Moments {
    pub mean: Vec<f32>,
    pub variance: Vec<f32>,
}

/// Two sums per channel over a range of rows.
struct Sums<'a> {
    terms: Terms<'a>,
    rows: std::ops::Range<usize>,
}

/// What is summed.
#[derive(Clone, Copy)]
pub(super) enum Terms<'a> {
    /// x - shift and its square.
    Moments { x: &'a [f32], shift: &'a [f32] },
    /// The gradient that passes the ReLU, and its product with the standardised x.
    Gradients(&'a Backward<'a>),
}

impl Kernel for Sums<'_> {
    type Output = [Vec<f64>; 2];

    #[inline(always)]
    unsafe fn run<V: Vector, const TILE: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(
        self,
    ) -> [Vec<f64>; 2] {
        let (channels, length) = match self.terms {
            Terms::Moments { x, shift } => (shift.len(), x.len()),
            Terms::Gradients(pass) => (pass.check(), pass.y.len()),
        };
        assert!(self.rows.end * channels <= length);
        let mut totals = [vec![0.0f64; channels], vec![0.0f64; channels]];
        for start in self.rows.clone().step_by(ROWS) {
            let rows = start..self.rows.end.min(start + ROWS);
            for first in (0..channels).step_by(LANES) {
                let width = LANES.min(channels - first);
                // SAFETY: rows and channels are inside of the maps, asserted above and in `check`.
                let sums = unsafe {
                    match self.terms {
                        Terms::Moments { x, shift } => {
                            moment_sums::<V>(x, shift, rows.clone(), (first, width))
                        }
                        Terms::Gradients(pass) => pass.sums::<V>(rows.clone(), (first, width)),
                    }
                };
                for (totals, sums) in totals.iter_mut().zip(sums) {
                    for (total, sum) in totals[first..first + width].iter_mut().zip(sums) {
                        *total += f64::from(sum);
                    }
                }
            }
        }
        totals
    }
}

/// Sums of x - shift and of its square.
///
/// # Safety
/// `rows` rows of `shift.len()` values must lie in `x`, the channels in `shift`; the machine must have the instruction
/// set of `V`.
#[inline(always)]
unsafe fn moment_sums<V: Vector>(
    x: &[f32],
    shift: &[f32],
    rows: std::ops::Range<usize>,
    (first, width): (usize, usize),
) -> [[f32; LANES]; 2] {
    let channels = shift.len();
    // SAFETY: as the caller promises.
    unsafe {
        let shift = V::load_first(shift.as_ptr().add(first), width);
        let (mut sum, mut square) = (V::splat(0.0), V::splat(0.0));
        for row in rows {
            let value = V::load_first(x.as_ptr().add(row * channels + first), width).sub(shift);
            sum = sum.add(value);
            square = square.add_product(value, value);
        }
        lanes([sum, square])
    }
}

/// # Safety
/// The machine must have the instruction set of `V`.
#[inline(always)]
pub(super) unsafe fn lanes<V: Vector>(sums: [V; 2]) -> [[f32; LANES]; 2] {
    let mut out = [[0.0; LANES]; 2];
    for (out, sum) in out.iter_mut().zip(sums) {
        // SAFETY: `out` holds sixteen floats.
        unsafe { sum.store(out.as_mut_ptr()) };
    }
    out
}

/// The two sums of all rows, part after part.
pub(super) fn total(isa: Isa, terms: Terms, rows: usize, channels: usize) -> [Vec<f64>; 2] {
    let parts: Vec<[Vec<f64>; 2]> = (0..rows.div_ceil(PART))
        .into_par_iter()
        .map(|part| {
            let rows = part * PART..rows.min((part + 1) * PART);
            launch(isa, Sums { terms, rows })
        })
        .collect();
    let mut totals = [vec![0.0; channels], vec![0.0; channels]];
    for part in parts {
        for (totals, part) in totals.iter_mut().zip(part) {
            for (total, value) in totals.iter_mut().zip(part) {
                *total += value;
            }
        }
    }
    totals
}

/// Mean and biased variance of each channel over all rows of `x` (rows × channels).
pub(crate) fn moments(isa: Isa, x: &[f32], channels: usize) -> Moments {
    let rows = x.len() / channels;
    // Shifted by the first row: the variance of values far from 0 keeps its digits.
    let shift = &x[..channels];
    let [sum, square] = total(isa, Terms::Moments { x, shift }, rows, channels);
    let n = rows as f64;
    let mean = sum
        .iter()
        .zip(shift)
        .map(|(s, shift)| (s / n + f64::from(*shift)) as f32);
    let variance = sum.iter().zip(&square).map(|(sum, square)| {
        let variance = square / n - (sum / n) * (sum / n);
        // Rounding may go below 0; a NaN stays one.
        if variance < 0.0 { 0.0 } else { variance as f32 }
    });
    Moments {
        mean: mean.collect(),
        variance: variance.collect(),
    }
}

/// A linear map of each channel with ReLU if asked, over a part of the rows.
struct Apply<'a> {
    y: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    relu: bool,
    out: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const TILE: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(self) {
        let channels = self.scale.len();
        assert!(self.shift.len() == channels && self.y.len() == self.out.len());
        let rows = self
            .y
            .chunks_exact(channels)
            .zip(self.out.chunks_exact_mut(channels));
        for (y, out) in rows {
            for first in (0..channels).step_by(LANES) {
                let width = LANES.min(channels - first);
                // SAFETY: `first + width` is at most the channels, the length of all four slices.
                unsafe {
                    let scale = V::load_first(self.scale.as_ptr().add(first), width);
                    let shift = V::load_first(self.shift.as_ptr().add(first), width);
                    let value = shift.add_product(scale, V::load_first(y.as_ptr().add(first), width));
                    let value = if self.relu { value.relu() } else { value };
                    value.store_first(out.as_mut_ptr().add(first), width);
                }
            }
        }
    }
}

/// Scale and shift of each channel that normalise, then weigh by gamma and add beta.
pub(crate) fn affine(moments: &Moments, gamma: &[f32], beta: &[f32], epsilon: f32) -> [Vec<f32>; 2] {
    let scale: Vec<f32> = gamma
        .iter()
        .zip(&moments.variance)
        .map(|(g, v)| g / (v + epsilon).sqrt())
        .collect();
    let shift = beta
        .iter()
        .zip(&moments.mean)
        .zip(&scale)
        .map(|((b, m), s)| b - m * s)
        .collect();
    [scale, shift]
}

/// `y * scale + shift` per channel, with ReLU if asked; NaN stays NaN.
pub(crate) fn apply(isa: Isa, y: &[f32], [scale, shift]: [&[f32]; 2], relu: bool, out: &mut [f32]) {
    let part = PART * scale.len();
    out.par_chunks_mut(part)
        .zip(y.par_chunks(part))
        .for_each(|(out, y)| {
            launch(
                isa,
                Apply {
                    y,
                    scale,
                    shift,
                    relu,
                    out,
                },
            );
        });
}

#[cfg(test)]
mod tests {
    use super::super::normalization_gradient::backward;
    use super::*;
    use crate::Philox;

    /// Every instruction set gives what the portable one gives, whole vectors or not.
    #[test]
    fn instruction_sets_agree() {
        for (rows, channels) in [(4200, 16), (70, 37), (3, 5)] {
            let mut random = Philox::new(1, [channels as u32, 0, 0]);
            let mut values = |n: usize| -> Vec<f32> { (0..n).map(|_| random.normal()).collect() };
            let (y, gradient) = (values(rows * channels), values(rows * channels));
            let (gamma, beta) = (values(channels), values(channels));
            let run = |isa: Isa| -> Vec<Vec<f32>> {
                let batch = moments(isa, &y, channels);
                let [scale, shift] = affine(&batch, &gamma, &beta, 1e-5);
                let mut out = vec![0.0; y.len()];
                apply(isa, &y, [&scale, &shift], true, &mut out);
                let inverse: Vec<f32> = batch.variance.iter().map(|v| 1.0 / (v + 1e-5).sqrt()).collect();
                let pass = Backward {
                    y: &y,
                    gradient: &gradient,
                    mean: &batch.mean,
                    inverse: &inverse,
                    scale: &scale,
                    shift: &shift,
                    relu: true,
                };
                let mut by_y = vec![0.0; y.len()];
                let [by_gamma, by_beta] = backward(isa, &pass, &mut by_y);
                vec![batch.mean, batch.variance, out, by_y, by_gamma, by_beta]
            };
            let portable = run(Isa::Portable);
            for isa in [Isa::Avx2, Isa::Avx512].into_iter().filter(|isa| isa.available()) {
                for (values, truth) in run(isa).iter().zip(&portable) {
                    let scale = truth.iter().fold(1e-3f32, |largest, v| largest.max(v.abs()));
                    for (value, truth) in values.iter().zip(truth) {
                        assert!(
                            (value - truth).abs() < 1e-5 * scale,
                            "{isa:?} {rows} × {channels}"
                        );
                    }
                }
            }
        }
    }
}
