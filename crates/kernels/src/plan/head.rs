//! The last layer: a 1 × 1 convolution of tiles that are still in the cache, stored as planes.

use super::multiply::{Multiply, Product};
use super::packing::DirectWeights;
use super::pointwise::sigmoid;
use super::vector::{BLOCK, Simd};
use super::winograd_output::Tile;

/// Tiles that are taken at once.
pub(crate) const TILES: usize = 7;
/// Pixels of a tile.
pub(crate) const TILE_PIXELS: usize = 16;
/// Pixels that are taken at once: rows of one product.
pub(crate) const PIXELS: usize = TILES * TILE_PIXELS;

/// Values of scratch for some blocks of inputs: the pixels' channels, then the results.
pub(crate) fn scratch(input_blocks: usize) -> usize {
    (input_blocks + 1) * PIXELS * BLOCK
}

/// A 1 × 1 convolution to at most sixteen channels, and how its results are stored.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub weights: &'a DirectWeights,
    /// Kernel calls for [`PIXELS`] rows and one block of outputs.
    pub calls: &'a [(usize, Multiply)],
    pub input_blocks: usize,
    pub channels: usize,
    pub relu: bool,
    pub sigmoid: bool,
    /// Whether four channels become 2 × 2 pixels.
    pub shuffle: bool,
    /// Planes of the first image.
    pub planes: *mut f32,
    /// Rows and columns of the map that it reads.
    pub size: (usize, usize),
}

// SAFETY: an address; tasks write to different pixels.
unsafe impl Send for Head<'_> {}
// SAFETY: as above.
unsafe impl Sync for Head<'_> {}

impl Head<'_> {
    /// Computes and stores some tiles, whose channels lie in `from` as (block, tile, pixel, 16).
    ///
    /// # Safety
    /// `from` must be [`scratch`] values; the tiles must lie in the map; the instruction set must be the one of `calls`.
    #[inline(always)]
    pub unsafe fn finish<S: Simd>(&self, s: S, from: *mut f32, tiles: &[Tile]) {
        let results = from.wrapping_add(self.input_blocks * PIXELS * BLOCK);
        if self.shuffle {
            for &tile in tiles {
                self.ask(s, tile);
            }
        }
        for &(row, multiply) in self.calls {
            let product = Product {
                a: from.wrapping_add(row * BLOCK),
                a_block: PIXELS * BLOCK,
                blocks: self.input_blocks,
                b: self.weights.values.pointer(),
                c: results.wrapping_add(row * BLOCK),
                c_block: PIXELS * BLOCK,
                accumulate: false,
                ahead: self.weights.values.pointer(),
            };
            // SAFETY: scratch holds all rows and the results; the calls fit the instruction set.
            unsafe { multiply(&product) };
        }
        for lane in (0..BLOCK).step_by(S::LANES) {
            // SAFETY: sixteen values of bias; results of all pixels.
            unsafe {
                let bias = s.load(self.weights.bias.pointer().add(lane));
                for pixel in 0..tiles.len() * TILE_PIXELS {
                    let at = results.add(pixel * BLOCK + lane);
                    let mut value = s.add(s.load(at), bias);
                    if self.relu {
                        value = s.max(value, s.splat(0.0));
                    }
                    if self.sigmoid {
                        value = sigmoid(s, value);
                    }
                    s.store(at, value);
                }
            }
        }
        for (index, &tile) in tiles.iter().enumerate() {
            let values = results.wrapping_add(index * TILE_PIXELS * BLOCK);
            // SAFETY: the tile lies in the map, its results in scratch.
            unsafe {
                if self.shuffle {
                    self.store_shuffled(values, tile);
                } else {
                    self.store(values, tile);
                }
            }
        }
    }

    /// Asks for the lines that a shuffled tile is stored to.
    #[inline(always)]
    fn ask<S: Simd>(&self, s: S, tile: Tile) {
        let (rows, columns) = self.size;
        let channels = self.channels / 4;
        for channel in 0..channels {
            for i in 0..8 {
                let row = (tile.image * channels + channel) * 2 * rows + 2 * tile.row + i;
                s.prefetch_write(self.planes.wrapping_add(row * 2 * columns + 2 * tile.column));
            }
        }
    }

    /// # Safety
    /// As [`Head::finish`].
    #[inline(always)]
    unsafe fn store(&self, values: *const f32, tile: Tile) {
        let (rows, columns) = self.size;
        let (tile_rows, tile_columns) = ((rows - tile.row).min(4), (columns - tile.column).min(4));
        for channel in 0..self.channels {
            for i in 0..tile_rows {
                let start =
                    ((tile.image * self.channels + channel) * rows + tile.row + i) * columns + tile.column;
                for j in 0..tile_columns {
                    // SAFETY: a pixel of the tile that lies in the map.
                    unsafe { *self.planes.add(start + j) = *values.add((4 * i + j) * BLOCK + channel) };
                }
            }
        }
    }

    /// # Safety
    /// As [`Head::finish`].
    #[inline(always)]
    unsafe fn store_shuffled(&self, values: *const f32, tile: Tile) {
        let (rows, columns) = self.size;
        let (tile_rows, tile_columns) = ((rows - tile.row).min(4), (columns - tile.column).min(4));
        let channels = self.channels / 4;
        for channel in 0..channels {
            for i in 0..2 * tile_rows {
                let row = (tile.image * channels + channel) * 2 * rows + 2 * tile.row + i;
                let to = self.planes.wrapping_add(row * 2 * columns + 2 * tile.column);
                let from = values.wrapping_add(i / 2 * 4 * BLOCK + 4 * channel + i % 2 * 2);
                if tile_columns == 4 {
                    for j in 0..4 {
                        // SAFETY: as below.
                        unsafe {
                            let pair = from.add(j * BLOCK).cast::<u64>().read_unaligned();
                            to.add(2 * j).cast::<u64>().write_unaligned(pair);
                        }
                    }
                    continue;
                }
                for j in 0..tile_columns {
                    // SAFETY: two neighbouring channels are two neighbouring pixels, in the planes.
                    unsafe {
                        let pair = from.add(j * BLOCK).cast::<[f32; 2]>().read();
                        to.add(2 * j).cast::<[f32; 2]>().write(pair);
                    }
                }
            }
        }
    }
}
