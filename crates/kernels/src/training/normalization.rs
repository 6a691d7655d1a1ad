//! Batch normalisation of NHWC maps in training mode, forward and backward, with an optional ReLU.
//!
//! Sums run over 64 rows in f32, then in f64, in parts whose size does not depend on the number of threads.
//! Source: Ioffe and Szegedy 2015 (arXiv 1502.03167), algorithm 1 and the gradients after it.

use rayon::prelude::*;

use super::memory::Disjoint;
use super::vectors::{Kernel, LANES, Vector, launch};
use crate::simd::Isa;

/// Rows summed in f32: long f32 sums lose digits.
const ROWS: usize = 64;
/// Rows of one task.
const PART: usize = 4096;

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
enum Terms<'a> {
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
unsafe fn lanes<V: Vector>(sums: [V; 2]) -> [[f32; LANES]; 2] {
    let mut out = [[0.0; LANES]; 2];
    for (out, sum) in out.iter_mut().zip(sums) {
        // SAFETY: `out` holds sixteen floats.
        unsafe { sum.store(out.as_mut_ptr()) };
    }
    out
}

/// The two sums of all rows, part after part.
fn total(isa: Isa, terms: Terms, rows: usize, channels: usize) -> [Vec<f64>; 2] {
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

/// What the backward pass reads.
#[derive(Clone, Copy)]
pub(crate) struct Backward<'a> {
    /// What was normalised.
    pub y: &'a [f32],
    pub gradient: &'a [f32],
    pub mean: &'a [f32],
    /// 1 / sqrt(variance + epsilon).
    pub inverse: &'a [f32],
    /// Scale and shift of the forward pass: where they give 0 or less, the ReLU was closed.
    pub scale: &'a [f32],
    pub shift: &'a [f32],
    pub relu: bool,
}

impl Backward<'_> {
    /// Channels. Panics if a length does not fit.
    fn check(&self) -> usize {
        let channels = self.scale.len();
        assert!(
            [self.mean, self.inverse, self.shift]
                .iter()
                .all(|values| values.len() == channels)
        );
        assert!(self.y.len() == self.gradient.len() && self.y.len().is_multiple_of(channels));
        channels
    }

    /// The gradient before the ReLU, and the standardised value.
    ///
    /// # Safety
    /// `at + width` must lie in the maps; the machine must have the instruction set of `V`.
    #[inline(always)]
    unsafe fn values<V: Vector>(&self, at: usize, width: usize, channel: &Channel<V>) -> (V, V) {
        // SAFETY: as the caller promises.
        unsafe {
            let y = V::load_first(self.y.as_ptr().add(at), width);
            let mut gradient = V::load_first(self.gradient.as_ptr().add(at), width);
            if self.relu {
                gradient = gradient.where_open(channel.shift.add_product(channel.scale, y));
            }
            (gradient, y.sub(channel.mean).mul(channel.inverse))
        }
    }

    /// # Safety
    /// `first + width` must be at most the channels; the machine must have the instruction set of `V`.
    #[inline(always)]
    unsafe fn channel<V: Vector>(&self, first: usize, width: usize) -> Channel<V> {
        // SAFETY: as the caller promises.
        unsafe {
            Channel {
                mean: V::load_first(self.mean.as_ptr().add(first), width),
                inverse: V::load_first(self.inverse.as_ptr().add(first), width),
                scale: V::load_first(self.scale.as_ptr().add(first), width),
                shift: V::load_first(self.shift.as_ptr().add(first), width),
            }
        }
    }

    /// # Safety
    /// Rows and channels must lie in the maps; the machine must have the instruction set of `V`.
    #[inline(always)]
    unsafe fn sums<V: Vector>(
        &self,
        rows: std::ops::Range<usize>,
        (first, width): (usize, usize),
    ) -> [[f32; LANES]; 2] {
        // SAFETY: as the caller promises.
        unsafe {
            let channel = self.channel::<V>(first, width);
            let (mut sum, mut product) = (V::splat(0.0), V::splat(0.0));
            for row in rows {
                let (gradient, standard) = self.values(row * self.scale.len() + first, width, &channel);
                sum = sum.add(gradient);
                product = product.add_product(gradient, standard);
            }
            lanes([sum, product])
        }
    }
}

/// Sixteen channels' numbers.
struct Channel<V> {
    mean: V,
    inverse: V,
    scale: V,
    shift: V,
}

/// scale × (gradient - mean gradient - standardised × mean product) over a range of rows.
struct InputGradient<'a> {
    pass: &'a Backward<'a>,
    by_sum: &'a [f32],
    by_product: &'a [f32],
    rows: std::ops::Range<usize>,
    out: Disjoint<'a>,
}

impl Kernel for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const TILE: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(self) {
        let channels = self.pass.check();
        assert!(self.rows.end * channels <= self.pass.y.len());
        assert!(self.by_sum.len() == channels && self.by_product.len() == channels);
        for start in self.rows.clone().step_by(ROWS) {
            let rows = start..self.rows.end.min(start + ROWS);
            for first in (0..channels).step_by(LANES) {
                let width = LANES.min(channels - first);
                // SAFETY: rows and channels are inside of the maps, asserted above; parts do not share rows.
                unsafe {
                    let channel = self.pass.channel::<V>(first, width);
                    let by_sum = V::load_first(self.by_sum.as_ptr().add(first), width);
                    let by_product = V::load_first(self.by_product.as_ptr().add(first), width);
                    for row in rows.clone() {
                        let at = row * channels + first;
                        let (gradient, standard) = self.pass.values(at, width, &channel);
                        let rest = gradient.sub(by_sum).sub(standard.mul(by_product));
                        let to = self.out.slice(at, width).as_mut_ptr();
                        channel.scale.mul(rest).store_first(to, width);
                    }
                }
            }
        }
    }
}

/// Writes the gradient by what was normalised (whose moments depend on it) and returns those by gamma and beta.
///
/// Panics if a length does not fit.
pub(crate) fn backward(isa: Isa, pass: &Backward, out: &mut [f32]) -> [Vec<f32>; 2] {
    let channels = pass.check();
    assert_eq!(out.len(), pass.y.len());
    let rows = pass.y.len() / channels;
    let [sum, product] = total(isa, Terms::Gradients(pass), rows, channels);
    let mean = |sums: &[f64]| -> Vec<f32> { sums.iter().map(|sum| (sum / rows as f64) as f32).collect() };
    let (by_sum, by_product) = (mean(&sum), mean(&product));
    let out = Disjoint::new(out);
    (0..rows.div_ceil(PART)).into_par_iter().for_each(|part| {
        let part = InputGradient {
            pass,
            by_sum: &by_sum,
            by_product: &by_product,
            rows: part * PART..rows.min((part + 1) * PART),
            out,
        };
        launch(isa, part);
    });
    let narrow = |sums: Vec<f64>| sums.into_iter().map(|sum| sum as f32).collect();
    [narrow(product), narrow(sum)]
}
