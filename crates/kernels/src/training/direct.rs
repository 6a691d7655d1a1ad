//! Convolution as it is defined: windows times weights, for any kernel, step and channel count.

use rayon::prelude::*;

use super::memory::{Buffer, Disjoint};
use super::patches::Grid;
use super::products::{panel, product_tile};
use super::vectors::{Kernel, LANES, Vector, launch};
use super::winograd_transforms::Map;
use crate::convolution::Activation;
use crate::simd::Isa;

/// Grid points of one task.
const CHUNK: usize = 504;

/// Where the grid points lie in the output map.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub height: usize,
    pub width: usize,
    /// Pixels between two grid points.
    pub step: usize,
    /// Pixel of the first grid point.
    pub row: usize,
    pub column: usize,
    pub channels: usize,
}

/// One multiplication of windows with weights.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a> {
    pub map: Map<'a>,
    pub batch: usize,
    pub grid: &'a Grid,
    /// (tap × channel in, channel out), row-major.
    pub weights: &'a [f32],
    pub target: Target,
    pub bias: Option<&'a [f32]>,
    pub activation: Activation,
}

struct Pack<'a> {
    weights: &'a [f32],
    channels: usize,
    depth: usize,
    to: &'a mut [f32],
}

impl Kernel for Pack<'_> {
    type Output = ();

    /// Weights regrouped to panels, zeros where rows or channels are filled up.
    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(self) {
        let blocks = self.channels.div_ceil(LANES);
        self.to.fill(0.0);
        for (row, from) in self.weights.chunks_exact(self.channels).enumerate() {
            for (block, from) in from.chunks(LANES).enumerate() {
                let (start, width) = panel(block, blocks, BLOCKS, self.depth);
                let at = start + (row * width + block % BLOCKS) * LANES;
                self.to[at..at + from.len()].copy_from_slice(from);
            }
        }
    }
}

struct Chunk<'a> {
    product: Product<'a>,
    panels: &'a [f32],
    points: std::ops::Range<usize>,
    out: Disjoint<'a>,
}

impl Kernel for Chunk<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(self) {
        let Product {
            map, grid, target, ..
        } = self.product;
        let depth = grid.depth(map.channels);
        let blocks = target.channels.div_ceil(LANES);
        assert_eq!(self.panels.len(), depth * blocks * LANES);
        let mut rows = Buffer::stale(depth * ROWS);
        for first in self.points.clone().step_by(ROWS) {
            let here = ROWS.min(self.points.end - first);
            // The rows beyond the last point repeat it; their products are not stored.
            for row in 0..ROWS {
                grid.copy(&map, first + row.min(here - 1), &mut rows, (row, ROWS));
            }
            let mut block = 0;
            while block < blocks {
                let (start, width) = panel(block, blocks, BLOCKS, depth);
                // SAFETY: `rows` holds depth × ROWS floats, and the panel its `width` blocks: the length is asserted.
                unsafe {
                    let panel = self.panels.as_ptr().add(start);
                    if width == BLOCKS {
                        let sums = product_tile::<V, ROWS, BLOCKS>(rows.as_ptr(), depth, panel);
                        self.store(sums, block, first..first + here);
                        block += BLOCKS;
                    } else {
                        let sums = product_tile::<V, ROWS, 1>(rows.as_ptr(), depth, panel);
                        self.store(sums, block, first..first + here);
                        block += 1;
                    }
                }
            }
        }
    }
}

impl Chunk<'_> {
    /// Writes a register tile, with bias and activation.
    ///
    /// # Safety
    /// The machine must have the instruction set of `V`; nobody else may write these points.
    #[inline(always)]
    unsafe fn store<V: Vector, const R: usize, const B: usize>(
        &self,
        sums: [[V; B]; R],
        block: usize,
        points: std::ops::Range<usize>,
    ) {
        let Product {
            grid,
            target,
            bias,
            activation,
            ..
        } = self.product;
        for (sums, point) in sums.into_iter().zip(points) {
            let (image, row, column) = grid.place(point);
            let (y, x) = (
                target.row + row * target.step,
                target.column + column * target.step,
            );
            let pixel = ((image * target.height + y) * target.width + x) * target.channels;
            for (b, sum) in sums.into_iter().enumerate() {
                let channel = (block + b) * LANES;
                let width = LANES.min(target.channels - channel);
                let mut lane = [0.0f32; LANES];
                // SAFETY: `lane` holds sixteen floats; grid points do not share pixels of the output.
                let to = unsafe {
                    sum.store(lane.as_mut_ptr());
                    self.out.slice(pixel + channel, width)
                };
                if let Some(bias) = bias {
                    for (value, add) in lane.iter_mut().zip(&bias[channel..channel + width]) {
                        *value += add;
                    }
                }
                if activation == Activation::Relu {
                    lane.iter_mut().for_each(|value| *value = value.max(0.0));
                }
                to.copy_from_slice(&lane[..width]);
            }
        }
    }
}

/// Writes the grid's pixels of `out`: windows times weights, bias, activation.
///
/// Panics if a length does not fit. The same bits for any number of threads.
pub(crate) fn multiply(isa: Isa, product: &Product, out: &mut [f32]) {
    let Product {
        map,
        batch,
        grid,
        weights,
        target,
        bias,
        ..
    } = *product;
    assert_eq!(map.values.len(), batch * map.height * map.width * map.channels);
    assert_eq!(out.len(), batch * target.height * target.width * target.channels);
    assert_eq!(weights.len(), grid.taps.len() * map.channels * target.channels);
    assert!(bias.is_none_or(|bias| bias.len() == target.channels));
    let last = |first: usize, count: usize| first + count.saturating_sub(1) * target.step;
    assert!(last(target.row, grid.rows) < target.height && last(target.column, grid.columns) < target.width);
    let depth = grid.depth(map.channels);
    let mut panels = Buffer::stale(depth * target.channels.next_multiple_of(LANES));
    let pack = Pack {
        weights,
        channels: target.channels,
        depth,
        to: &mut panels,
    };
    launch(isa, pack);
    let points = batch * grid.rows * grid.columns;
    let out = Disjoint::new(out);
    (0..points.div_ceil(CHUNK)).into_par_iter().for_each(|index| {
        let chunk = Chunk {
            product: *product,
            panels: &panels,
            points: index * CHUNK..points.min((index + 1) * CHUNK),
            out,
        };
        launch(isa, chunk);
    });
}
