//! A 3 × 3 convolution of step 1 by Winograd's F(4 × 4, 3 × 3): a quarter of the multiplications.
//!
//! Tiles are handled in blocks that fit the L2 cache: transform, 36 products, transform back. No sum crosses a tile, so
//! neither the block's size nor the number of threads changes a bit of the result.

use rayon::prelude::*;

use super::memory::{Buffer, Disjoint};
use super::products::{panel, product_tile};
use super::vectors::{Kernel, LANES, Vector, launch, tile_rows};
use super::winograd_transforms::{FREQUENCIES, Map, filter_tile, input_tile, output_tile};
use crate::convolution::{Activation, ConvolutionShape};
use crate::simd::Isa;

/// Rows and columns of an output tile.
pub(crate) const TILE: usize = 4;
/// Floats of transformed input and products of one block of tiles.
const BLOCK_FLOATS: usize = 288 * 1024;
/// Floats between two frequencies beyond what they hold: without them, all 36 fall on one set of the cache.
pub(crate) const SKEW: usize = LANES;

/// Whether this convolution, its gradients included, can be done by Winograd's method.
pub(crate) fn fits(shape: &ConvolutionShape) -> bool {
    (shape.kernel, shape.stride, shape.padding) == (3, 1, 1)
        && shape.channels_in.is_multiple_of(LANES)
        && shape.channels_out.is_multiple_of(LANES)
}

/// The output tiles of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Tiles {
    rows: usize,
    columns: usize,
    count: usize,
}

impl Tiles {
    pub(crate) fn new(batch: usize, height: usize, width: usize) -> Self {
        let (rows, columns) = (height.div_ceil(TILE), width.div_ceil(TILE));
        Self {
            rows,
            columns,
            count: batch * rows * columns,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Image, first row and first column of a tile.
    #[inline(always)]
    pub(crate) fn place(&self, tile: usize) -> (usize, usize, usize) {
        assert!(tile < self.count);
        let (image, inside) = (
            tile / (self.rows * self.columns),
            tile % (self.rows * self.columns),
        );
        (image, inside / self.columns * TILE, inside % self.columns * TILE)
    }
}

/// Transformed kernels: [frequency][panel][channel in][block in panel][16], frequencies `step` floats apart.
pub(crate) struct Filter {
    values: Buffer,
    step: usize,
}

struct FilterTransform<'a> {
    weights: &'a [f32],
    channels: (usize, usize),
    to: &'a mut [f32],
    step: usize,
}

impl Kernel for FilterTransform<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(self) {
        let (channels_in, channels_out) = self.channels;
        assert_eq!(self.weights.len(), 9 * channels_in * channels_out);
        assert!(channels_out.is_multiple_of(LANES) && self.step >= channels_in * channels_out);
        assert!(self.to.len() >= FREQUENCIES * self.step);
        let blocks = channels_out / LANES;
        for row in 0..channels_in {
            for block in 0..blocks {
                let (start, width) = panel(block, blocks, BLOCKS, channels_in);
                let to = start + (row * width + block % BLOCKS) * LANES;
                // SAFETY: `row` and `block` are inside of the asserted sizes; the panels of one frequency take
                // channels_in × channels_out floats.
                unsafe {
                    filter_tile::<V>(
                        self.weights.as_ptr().add(row * channels_out + block * LANES),
                        channels_in * channels_out,
                        self.to.as_mut_ptr().add(to),
                        self.step,
                    );
                }
            }
        }
    }
}

impl Filter {
    /// From weights (3, 3, channels in, channels out).
    pub(crate) fn new(isa: Isa, weights: &[f32], channels_in: usize, channels_out: usize) -> Self {
        let step = channels_in * channels_out + SKEW;
        let mut values = Buffer::stale(FREQUENCIES * step);
        let transform = FilterTransform {
            weights,
            channels: (channels_in, channels_out),
            to: &mut values,
            step,
        };
        launch(isa, transform);
        Self { values, step }
    }
}

struct Block<'a> {
    map: Map<'a>,
    tiles: Tiles,
    range: std::ops::Range<usize>,
    filter: &'a Filter,
    channels_out: usize,
    bias: Option<&'a [f32]>,
    activation: Activation,
    out: Disjoint<'a>,
}

impl Kernel for Block<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(self) {
        let (depth, blocks) = (self.map.channels, self.channels_out / LANES);
        let groups = self.range.len().div_ceil(ROWS);
        let group = ROWS * depth;
        let (input_step, product_step) = (groups * group + SKEW, groups * ROWS * self.channels_out + SKEW);
        let mut inputs = Buffer::stale(FREQUENCIES * input_step);
        let mut products = Buffer::stale(FREQUENCIES * product_step);
        let image_length = self.map.height * self.map.width * depth;
        assert!(depth.is_multiple_of(LANES) && self.channels_out.is_multiple_of(LANES));
        assert!(self.filter.step >= depth * self.channels_out);
        assert!(self.filter.values.len() >= FREQUENCIES * self.filter.step);
        // The rows beyond the last tile repeat it; their products are not stored.
        for slot in 0..groups * ROWS {
            let tile = (self.range.start + slot).min(self.range.end - 1);
            let (image, row, column) = self.tiles.place(tile);
            let image = &self.map.values[image * image_length..(image + 1) * image_length];
            let corner = (row as isize - 1, column as isize - 1);
            for block in 0..depth / LANES {
                let to = slot / ROWS * group + (block * ROWS + slot % ROWS) * LANES;
                // SAFETY: `image` is one whole image, `block` one of its blocks, and `to + 16` is at most `input_step`.
                unsafe {
                    let to = inputs.as_mut_ptr().add(to);
                    input_tile::<V>(&self.map, image.as_ptr(), corner, block * LANES, to, input_step);
                }
            }
        }
        for frequency in 0..FREQUENCIES {
            let mut block = 0;
            while block < blocks {
                let (start, width) = panel(block, blocks, BLOCKS, depth);
                for index in 0..groups {
                    // SAFETY: group, panel and the place of the products are inside of the buffers: their lengths
                    // are computed above, the filter's is asserted.
                    unsafe {
                        let rows = inputs.as_ptr().add(frequency * input_step + index * group);
                        let panel = self
                            .filter
                            .values
                            .as_ptr()
                            .add(frequency * self.filter.step + start);
                        let to = products
                            .as_mut_ptr()
                            .add(frequency * product_step + (block * groups + index) * ROWS * LANES);
                        if width == BLOCKS {
                            put::<V, ROWS, BLOCKS>(product_tile(rows, depth, panel), to, groups);
                        } else {
                            put::<V, ROWS, 1>(product_tile(rows, depth, panel), to, groups);
                        }
                    }
                }
                block += if width == BLOCKS { BLOCKS } else { 1 };
            }
        }
        for (slot, tile) in self.range.clone().enumerate() {
            for block in 0..blocks {
                // SAFETY: the products of every tile and block were stored above.
                unsafe {
                    let from = products.as_ptr().add((block * groups * ROWS + slot) * LANES);
                    let pixels = output_tile::<V>(from, product_step);
                    self.store(tile, block * LANES, pixels);
                }
            }
        }
    }
}

/// Stores a register tile: blocks lie `groups` groups apart.
///
/// # Safety
/// `to` must hold `R` rows of sixteen floats in each of the `B` blocks; the machine must have the instruction set of `V`.
#[inline(always)]
unsafe fn put<V: Vector, const R: usize, const B: usize>(sums: [[V; B]; R], to: *mut f32, groups: usize) {
    for (r, sums) in sums.into_iter().enumerate() {
        for (b, sum) in sums.into_iter().enumerate() {
            // SAFETY: as the caller promises.
            unsafe { sum.store(to.add((b * groups * R + r) * LANES)) };
        }
    }
}

impl Block<'_> {
    /// Writes the pixels of a tile that lie inside the map.
    ///
    /// # Safety
    /// The machine must have the instruction set of `V`; nobody else may write this tile and block.
    #[inline(always)]
    unsafe fn store<V: Vector>(&self, tile: usize, channel: usize, pixels: [[V; TILE]; TILE]) {
        let (image, row, column) = self.tiles.place(tile);
        let (height, width) = (self.map.height, self.map.width);
        for (i, line) in pixels.into_iter().enumerate().take(height - row) {
            let first = (image * height + row + i) * width + column;
            for (j, mut pixel) in line.into_iter().enumerate().take(width - column) {
                // SAFETY: tiles do not meet, so nobody else has this pixel's channels; the slices hold sixteen floats.
                unsafe {
                    if let Some(bias) = self.bias {
                        pixel = pixel.add(V::load(bias[channel..channel + LANES].as_ptr()));
                    }
                    let to = self.out.slice((first + j) * self.channels_out + channel, LANES);
                    pixel.store(to.as_mut_ptr());
                    if self.activation == Activation::Relu {
                        to.iter_mut().for_each(|value| *value = value.max(0.0));
                    }
                }
            }
        }
    }
}

/// Convolves a batch of NHWC images with a transformed filter; writes (batch, height, width, channels out).
///
/// Panics if a length does not fit.
pub(crate) fn convolve(
    isa: Isa,
    (batch, map): (usize, Map),
    filter: &Filter,
    (bias, activation): (Option<&[f32]>, Activation),
    out: &mut [f32],
) {
    let pixels = batch * map.height * map.width;
    let channels_out = out.len() / pixels;
    assert_eq!(map.values.len(), pixels * map.channels);
    assert_eq!(out.len(), pixels * channels_out);
    assert_eq!(filter.step, map.channels * channels_out + SKEW);
    let tiles = Tiles::new(batch, map.height, map.width);
    let rows = tile_rows(isa);
    let most = BLOCK_FLOATS / (FREQUENCIES * (map.channels + channels_out));
    let size = (most / rows * rows).clamp(2 * rows, 8 * rows);
    let out = Disjoint::new(out);
    (0..tiles.count().div_ceil(size))
        .into_par_iter()
        .for_each(|index| {
            let block = Block {
                map,
                tiles,
                range: index * size..tiles.count().min((index + 1) * size),
                filter,
                channels_out,
                bias,
                activation,
                out,
            };
            launch(isa, block);
        });
}
