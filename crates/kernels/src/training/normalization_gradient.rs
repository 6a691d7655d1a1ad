//! The backward pass of batch normalisation, whose moments depend on what is normalised, through an optional ReLU.
//!
//! Source: Ioffe and Szegedy 2015 (arXiv 1502.03167), the gradients after algorithm 1.

use rayon::prelude::*;

use super::memory::Disjoint;
use super::normalization::{PART, ROWS, Terms, lanes, total};
use super::vectors::{Kernel, LANES, Vector, launch};
use crate::simd::Isa;

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
    pub(super) fn check(&self) -> usize {
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
    pub(super) unsafe fn sums<V: Vector>(
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
