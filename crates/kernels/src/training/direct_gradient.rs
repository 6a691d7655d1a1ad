//! The gradient of any convolution by its weights: outer products of windows and output gradients.

use rayon::prelude::*;

use super::memory::Buffer;
use super::patches::Grid;
use super::products::{Strided, add_outer_products};
use super::vectors::{Kernel, LANES, Vector, launch};
use super::winograd_transforms::Map;
use crate::simd::Isa;

/// Grid points whose windows are copied together.
const BLOCK: usize = 64;
/// Output channels summed together: their sums stay in the L2 cache.
const SIDE: usize = 64;
/// Parts of the batch that are summed apart.
const PARTS: usize = 4;

/// Sums some output channels over a range of grid points.
struct Sum<'a> {
    map: Map<'a>,
    grid: &'a Grid,
    gradient: &'a [f32],
    channels_out: usize,
    /// First output channel and output channels of this sum.
    channels: (usize, usize),
    range: std::ops::Range<usize>,
    /// (depth, channels filled up to whole blocks).
    out: &'a mut [f32],
}

impl Kernel for Sum<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(self) {
        let depth = self.grid.depth(self.map.channels);
        let (first, count) = self.channels;
        let wide = count.next_multiple_of(LANES);
        assert!(
            first + count <= self.channels_out && self.range.end * self.channels_out <= self.gradient.len()
        );
        assert_eq!(self.out.len(), depth * wide);
        self.out.fill(0.0);
        let mut left = Buffer::stale(depth * BLOCK);
        let mut right = Buffer::zeros(BLOCK * wide);
        for start in self.range.clone().step_by(BLOCK) {
            let here = BLOCK.min(self.range.end - start);
            for slot in 0..here {
                self.grid.copy(&self.map, start + slot, &mut left, (slot, BLOCK));
                let from = (start + slot) * self.channels_out + first;
                right[slot * wide..slot * wide + count].copy_from_slice(&self.gradient[from..from + count]);
            }
            let windows = Strided {
                start: left.as_ptr(),
                row: LANES,
                block: BLOCK * LANES,
            };
            let gradients = Strided {
                start: right.as_ptr(),
                row: wide,
                block: LANES,
            };
            // SAFETY: `left` holds depth / 16 blocks of BLOCK rows, `right` BLOCK rows of `wide` floats, and `out` depth
            // rows of `wide` floats; `here` is at most BLOCK.
            unsafe {
                add_outer_products::<V, BLOCKS, GRADIENT_ROWS>(
                    (windows, depth / LANES),
                    (gradients, wide / LANES),
                    here,
                    self.out.as_mut_ptr(),
                    wide,
                );
            }
        }
    }
}

/// Gradient (tap × channel in, channels out) by the weights; `gradient` holds `channels_out` values a grid point.
///
/// The order of all sums depends on the shapes alone. Panics if a length does not fit.
pub(crate) fn weight_gradient(
    isa: Isa,
    (batch, map): (usize, Map),
    grid: &Grid,
    gradient: &[f32],
    channels_out: usize,
) -> Vec<f32> {
    let points = batch * grid.rows * grid.columns;
    assert_eq!(gradient.len(), points * channels_out);
    assert_eq!(map.values.len(), batch * map.height * map.width * map.channels);
    let depth = grid.depth(map.channels);
    let part = points.div_ceil(PARTS).next_multiple_of(BLOCK);
    let mut units = Vec::new();
    for first in (0..channels_out).step_by(SIDE) {
        for start in (0..points).step_by(part) {
            units.push((
                (first, SIDE.min(channels_out - first)),
                start..points.min(start + part),
            ));
        }
    }
    let sums: Vec<Buffer> = units
        .par_iter()
        .map(|(channels, range)| {
            let mut out = Buffer::stale(depth * channels.1.next_multiple_of(LANES));
            let sum = Sum {
                map,
                grid,
                gradient,
                channels_out,
                channels: *channels,
                range: range.clone(),
                out: &mut out,
            };
            launch(isa, sum);
            out
        })
        .collect();
    let rows = grid.taps.len() * map.channels;
    let mut total = vec![0.0; rows * channels_out];
    for (((first, count), _), sum) in units.iter().zip(&sums) {
        let wide = count.next_multiple_of(LANES);
        for (to, from) in total.chunks_exact_mut(channels_out).zip(sum.chunks_exact(wide)) {
            for (to, value) in to[*first..first + count].iter_mut().zip(from) {
                *to += value;
            }
        }
    }
    total
}
