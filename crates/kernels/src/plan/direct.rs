//! Direct convolution: pixels gathered tap by tap into rows, then the same product as everywhere.
//!
//! Output pixels of all images are one list, so small maps and ragged edges leave no row of registers empty.

use super::multiply::{Multiply, Product, cut};
use super::packing::DirectWeights;
use super::vector::{BLOCK, Kernel, Simd};
use super::winograd_output::{Target, Tile};
use super::workspace::Place;
use crate::simd::Isa;

/// Output pixels of one task.
pub(crate) const PIXELS: usize = 56;
/// Blocks of inputs whose weights stay in the first-level cache between rows.
const DEPTH: usize = 8;

/// Kernel calls for each group of outputs.
pub(crate) struct Calls(Vec<Vec<(usize, Multiply)>>);

impl Calls {
    pub fn new(isa: Isa, weights: &DirectWeights, pixels: usize) -> Self {
        Self(
            weights
                .groups
                .iter()
                .map(|group| cut(isa, group.blocks, pixels))
                .collect(),
        )
    }
}

/// Values of scratch that a task needs: the rows, then the sums of all output blocks.
pub(crate) fn scratch(kernel: usize, input_blocks: usize, output_blocks: usize) -> usize {
    (kernel * kernel * input_blocks + output_blocks) * PIXELS * BLOCK
}

/// One task.
pub(crate) struct DirectBlock<'a> {
    /// Maps and their blocks, one per block of inputs.
    pub reads: &'a [(Place, usize)],
    pub weights: &'a DirectWeights,
    pub calls: &'a Calls,
    pub target: Target,
    pub kernel: usize,
    pub stride: usize,
    /// Rows and columns of the output.
    pub size: (usize, usize),
    pub first: usize,
    pub pixels: usize,
    /// [`scratch`] values of this task's own.
    pub scratch: *mut f32,
}

impl Kernel for DirectBlock<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        let mut list = [Tile::default(); PIXELS];
        let list = &mut list[..self.pixels];
        for (index, pixel) in list.iter_mut().enumerate() {
            *pixel = self.pixel(self.first + index);
        }
        let inputs = self.reads.len();
        let depth = self.kernel * self.kernel * inputs;
        let row_block = self.pixels * BLOCK;
        let sums = self.scratch.wrapping_add(depth * row_block);
        let half = self.kernel / 2;
        let mut from = [std::ptr::null_mut::<f32>(); PIXELS];
        for (input, (place, block)) in self.reads.iter().enumerate() {
            for (index, pixel) in list.iter().enumerate() {
                let start = pixel.row * self.stride * place.row + pixel.column * self.stride * BLOCK;
                from[index] = place
                    .block(pixel.image, *block)
                    .wrapping_add(start)
                    .wrapping_sub(half * (place.row + BLOCK));
            }
            for tap in 0..self.kernel * self.kernel {
                let to = self.scratch.wrapping_add((tap * inputs + input) * row_block);
                let (i, j) = (tap / self.kernel, tap % self.kernel);
                let offset = i * place.row + j * BLOCK;
                if self.kernel <= 3 {
                    // A window of 3 × 3 stays within the border of zeros.
                    for (index, from) in from.iter().enumerate().take(list.len()) {
                        for lane in (0..BLOCK).step_by(S::LANES) {
                            // SAFETY: the pixel lies in the map or its border; `to` has room for the pixels of each tap and block.
                            unsafe {
                                let value = s.load(from.add(offset + lane));
                                s.store(to.add(index * BLOCK + lane), value);
                            }
                        }
                    }
                    continue;
                }
                for (index, pixel) in list.iter().enumerate() {
                    let (row, column) = (pixel.row * self.stride + i, pixel.column * self.stride + j);
                    let inside = row >= half
                        && column >= half
                        && row - half < place.rows
                        && column - half < place.columns;
                    for lane in (0..BLOCK).step_by(S::LANES) {
                        // SAFETY: the pixel lies in the map; `to` has room for the pixels of each tap and block.
                        unsafe {
                            let value = if inside {
                                s.load(from[index].wrapping_add(offset + lane))
                            } else {
                                s.splat(0.0)
                            };
                            s.store(to.add(index * BLOCK + lane), value);
                        }
                    }
                }
            }
        }
        let calls: usize = self.calls.0.iter().map(Vec::len).sum();
        let slots = calls * depth.div_ceil(DEPTH);
        let mut slot = 0;
        for first in (0..depth).step_by(DEPTH) {
            let blocks = DEPTH.min(depth - first);
            for (index, group) in self.weights.groups.iter().enumerate() {
                let width = group.blocks * BLOCK;
                let b = self.weights.values.pointer();
                let b = b.wrapping_add(self.weights.starts[index] + first * BLOCK * width);
                for &(row, multiply) in &self.calls.0[index] {
                    self.ask(s, list, slot, slots);
                    slot += 1;
                    let product = Product {
                        a: self.scratch.wrapping_add(first * row_block + row * BLOCK),
                        a_block: row_block,
                        blocks,
                        b,
                        c: sums.wrapping_add(group.first * row_block + row * BLOCK),
                        c_block: row_block,
                        accumulate: first > 0,
                        ahead: b.wrapping_add(blocks * BLOCK * width),
                    };
                    // SAFETY: the calls were cut for this many pixels and this group's width; the instruction set is
                    // the one that this function was compiled for.
                    unsafe { multiply(&product) };
                }
            }
        }
        let blocks: usize = self.weights.groups.iter().map(|group| group.blocks).sum();
        for block in 0..blocks {
            for (index, &pixel) in list.iter().enumerate() {
                for lane in (0..BLOCK).step_by(S::LANES) {
                    // SAFETY: the sums of all pixels were just written; the target is the caller's promise.
                    unsafe {
                        let sum = s.load(sums.add(block * row_block + index * BLOCK + lane));
                        self.target.finish_pixel(s, sum, pixel, (block, lane));
                    }
                }
            }
        }
    }
}

impl DirectBlock<'_> {
    #[inline(always)]
    fn pixel(&self, index: usize) -> Tile {
        let (rows, columns) = self.size;
        Tile {
            image: index / (rows * columns),
            row: index / columns % rows,
            column: index % columns,
        }
    }

    /// Asks for a share of the lines that will be written by this block and read by the next.
    #[inline(always)]
    fn ask<S: Simd>(&self, s: S, pixels: &[Tile], slot: usize, slots: usize) {
        let share = slot * pixels.len() / slots..(slot + 1) * pixels.len() / slots;
        for index in share {
            if let Some(place) = &self.target.full {
                for group in &self.weights.groups {
                    for block in group.first..group.first + group.blocks {
                        s.prefetch_write(place.at(pixels[index], block, 0));
                    }
                }
            }
            let next = self.pixel(self.first + self.pixels + index);
            for (place, block) in self.reads {
                let start = next.image * place.image + block * place.plane;
                let start = start + next.row * self.stride * place.row + next.column * self.stride * BLOCK;
                for i in 0..self.stride.min(self.kernel) {
                    for j in 0..self.stride.min(self.kernel) {
                        // Past the last pixel this asks for lines that nobody needs.
                        s.prefetch_later(place.origin.wrapping_add(start + i * place.row + j * BLOCK));
                    }
                }
            }
        }
    }
}
