//! The gradient of a 3 × 3 convolution of step 1 by its weights, summed among Winograd's frequencies.

use rayon::prelude::*;

use super::memory::Buffer;
use super::products::{Strided, add_outer_products};
use super::vectors::{Kernel, LANES, Vector, launch};
use super::winograd::{SKEW, Tiles};
use super::winograd_transforms::{FREQUENCIES, Map, gradient_tile, input_tile, kernel_tile};
use crate::simd::Isa;

/// Tiles transformed together.
const BLOCK: usize = 28;
/// Kernels whose sums stay in the L2 cache.
const KERNELS: usize = 4096;
/// Channels of a side where not all kernels fit.
const SIDE: usize = 64;
/// Parts of the batch that are summed apart where one block of kernels is all there is.
const PARTS: usize = 4;

/// Sums one block of kernels over a range of tiles.
struct Sum<'a> {
    input: Map<'a>,
    gradient: Map<'a>,
    tiles: Tiles,
    range: std::ops::Range<usize>,
    /// First channel and channels, in and out.
    channels_in: (usize, usize),
    channels_out: (usize, usize),
    /// (3, 3, channels in, channels out) of the block.
    out: &'a mut [f32],
}

impl Kernel for Sum<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(self) {
        let ((first_in, count_in), (first_out, count_out)) = (self.channels_in, self.channels_out);
        assert!(first_in + count_in <= self.input.channels && count_in.is_multiple_of(LANES));
        assert!(first_out + count_out <= self.gradient.channels && count_out.is_multiple_of(LANES));
        assert!((self.gradient.height, self.gradient.width) == (self.input.height, self.input.width));
        assert_eq!(self.out.len(), 9 * count_in * count_out);
        let pixels = self.input.height * self.input.width;
        let (left_step, right_step) = (BLOCK * count_in + SKEW, BLOCK * count_out + SKEW);
        let sum_step = count_in * count_out + SKEW;
        let mut left = Buffer::stale(FREQUENCIES * left_step);
        let mut right = Buffer::stale(FREQUENCIES * right_step);
        let mut sums = Buffer::zeros(FREQUENCIES * sum_step);
        for start in self.range.clone().step_by(BLOCK) {
            let count = BLOCK.min(self.range.end - start);
            for slot in 0..count {
                let (image, row, column) = self.tiles.place(start + slot);
                let x = &self.input.values[image * pixels * self.input.channels..]
                    [..pixels * self.input.channels];
                let g = &self.gradient.values[image * pixels * self.gradient.channels..]
                    [..pixels * self.gradient.channels];
                let (row, column) = (row as isize, column as isize);
                for block in 0..count_in / LANES {
                    // SAFETY: `x` is one image; the block is inside its channels and the buffer's blocks.
                    unsafe {
                        let to = left.as_mut_ptr().add((block * BLOCK + slot) * LANES);
                        let channel = first_in + block * LANES;
                        input_tile::<V>(
                            &self.input,
                            x.as_ptr(),
                            (row - 1, column - 1),
                            channel,
                            to,
                            left_step,
                        );
                    }
                }
                for block in 0..count_out / LANES {
                    // SAFETY: as above, with `g`.
                    unsafe {
                        let to = right.as_mut_ptr().add((block * BLOCK + slot) * LANES);
                        let channel = first_out + block * LANES;
                        gradient_tile::<V>(
                            &self.gradient,
                            g.as_ptr(),
                            (row, column),
                            channel,
                            to,
                            right_step,
                        );
                    }
                }
            }
            for frequency in 0..FREQUENCIES {
                // SAFETY: every frequency has `count` rows of all blocks on both sides and its own sums.
                unsafe {
                    let at = |start: *const f32| Strided {
                        start,
                        row: LANES,
                        block: BLOCK * LANES,
                    };
                    add_outer_products::<V, BLOCKS, GRADIENT_ROWS>(
                        (at(left.as_ptr().add(frequency * left_step)), count_in / LANES),
                        (at(right.as_ptr().add(frequency * right_step)), count_out / LANES),
                        count,
                        sums.as_mut_ptr().add(frequency * sum_step),
                        count_out,
                    );
                }
            }
        }
        for at in (0..count_in * count_out).step_by(LANES) {
            // SAFETY: `at + 16` is at most count_in × count_out, the size of a frequency and of a tap.
            unsafe {
                kernel_tile::<V>(
                    sums.as_ptr().add(at),
                    sum_step,
                    self.out.as_mut_ptr().add(at),
                    count_in * count_out,
                );
            }
        }
    }
}

/// First channel and channels of each block.
fn blocks(channels: usize, size: usize) -> Vec<(usize, usize)> {
    (0..channels)
        .step_by(size)
        .map(|first| (first, size.min(channels - first)))
        .collect()
}

/// Gradient (3, 3, channels in, channels out) by the weights for the gradient by the output, both maps NHWC.
///
/// The order of all sums depends on the shapes alone. Panics if a length does not fit.
pub(crate) fn weight_gradient(isa: Isa, batch: usize, input: Map, gradient: Map) -> Vec<f32> {
    let (channels_in, channels_out) = (input.channels, gradient.channels);
    let whole = channels_in * channels_out <= KERNELS;
    let rows = blocks(channels_in, if whole { channels_in } else { SIDE });
    let columns = blocks(channels_out, if whole { channels_out } else { SIDE });
    let tiles = Tiles::new(batch, input.height, input.width);
    let parts = (PARTS / (rows.len() * columns.len())).max(1);
    let part = tiles.count().div_ceil(parts).next_multiple_of(BLOCK);
    let mut units = Vec::new();
    for &channels_in in &rows {
        for &channels_out in &columns {
            for start in (0..tiles.count()).step_by(part) {
                units.push((channels_in, channels_out, start..tiles.count().min(start + part)));
            }
        }
    }
    let sums: Vec<Buffer> = units
        .par_iter()
        .map(|(channels_in, channels_out, range)| {
            let mut out = Buffer::stale(9 * channels_in.1 * channels_out.1);
            let sum = Sum {
                input,
                gradient,
                tiles,
                range: range.clone(),
                channels_in: *channels_in,
                channels_out: *channels_out,
                out: &mut out,
            };
            launch(isa, sum);
            out
        })
        .collect();
    let mut total = vec![0.0; 9 * channels_in * channels_out];
    for ((rows, columns, _), sum) in units.iter().zip(&sums) {
        for (line, from) in sum.chunks_exact(columns.1).enumerate() {
            let (tap, row) = (line / rows.1, line % rows.1);
            let start = (tap * channels_in + rows.0 + row) * channels_out + columns.0;
            for (to, value) in total[start..start + columns.1].iter_mut().zip(from) {
                *to += value;
            }
        }
    }
    total
}
