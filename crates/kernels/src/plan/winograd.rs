//! Winograd convolution of one block of tiles: input transform, 36 products, output transform, without leaving the cache.

use super::multiply::{Multiply, Product, cut};
use super::packing::WinogradWeights;
use super::vector::{BLOCK, Kernel, Simd};
use super::winograd_input::{UPSAMPLED, window, window_upsampled};
use super::winograd_output::{Target, Tile, pixels};
use super::workspace::Place;
use crate::simd::Isa;

/// Most tiles of one task.
pub(crate) const MOST_TILES: usize = 256;

/// A block of sixteen input channels, as the input transform reads it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Read {
    /// The block's plane and the factors of its channels, if it is masked.
    pub plain: Option<(Place, usize, Option<*const f32>)>,
    /// The same of a map that is upsampled.
    pub upsampled: Option<(Place, usize, Option<*const f32>)>,
}

// SAFETY: addresses; see `Place`. Factors are only read.
unsafe impl Send for Read {}
// SAFETY: as above.
unsafe impl Sync for Read {}

/// Tiles of all images of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Grid {
    pub images: usize,
    pub rows: usize,
    pub columns: usize,
}

impl Grid {
    fn across(&self) -> (usize, usize) {
        (self.rows.div_ceil(4), self.columns.div_ceil(4))
    }

    pub fn tiles(&self) -> usize {
        let (down, across) = self.across();
        self.images * down * across
    }

    fn tile(&self, index: usize) -> Tile {
        let (down, across) = self.across();
        Tile {
            image: index / (down * across),
            row: index / across % down * 4,
            column: index % across * 4,
        }
    }
}

/// Kernel calls for each group of outputs, for blocks of a number of tiles.
pub(crate) struct Calls(Vec<Vec<(usize, Multiply)>>);

impl Calls {
    pub fn new(isa: Isa, weights: &WinogradWeights, tiles: usize) -> Self {
        Self(
            weights
                .groups
                .iter()
                .map(|group| cut(isa, group.blocks, tiles))
                .collect(),
        )
    }
}

/// Values between transform positions: an odd number of lines, so that the 36 stores of a tile fall into different cache sets.
fn position_stride(blocks: usize, tiles: usize) -> usize {
    (blocks * tiles | 1) * BLOCK
}

fn output_blocks(weights: &WinogradWeights) -> usize {
    let chunks = weights.groups.chunks(weights.cut.output_groups);
    chunks
        .map(|chunk| chunk.iter().map(|group| group.blocks).sum())
        .max()
        .unwrap_or(0)
}

/// Values of scratch that a task needs.
pub(crate) fn scratch(weights: &WinogradWeights, tiles: usize) -> usize {
    let inputs = weights.cut.input_blocks.min(weights.inputs);
    36 * (position_stride(inputs, tiles) + position_stride(output_blocks(weights), tiles)) + 2 * BLOCK
}

/// Additions and multiplications of the transforms of one tile, per lane: 20 in each of the 12 directions of a window (14 in
/// 9 for an upsampled one), 13 in each of the 10 directions of the output transform.
pub(crate) fn transform_operations(weights: &WinogradWeights) -> usize {
    let outputs: usize = weights.groups.iter().map(|group| group.blocks).sum();
    weights.plain * 12 * 20 + (weights.inputs - weights.plain) * 9 * 14 + outputs * 10 * 13
}

/// One task.
pub(crate) struct WinogradBlock<'a> {
    pub reads: &'a [Read],
    pub weights: &'a WinogradWeights,
    pub calls: &'a Calls,
    pub target: Target,
    pub grid: Grid,
    pub first: usize,
    pub tiles: usize,
    /// [`scratch`] values of this task's own.
    pub scratch: *mut f32,
}

impl Kernel for WinogradBlock<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        let mut tiles = [Tile::default(); MOST_TILES];
        let tiles = &mut tiles[..self.tiles];
        for (index, tile) in tiles.iter_mut().enumerate() {
            *tile = self.grid.tile(self.first + index);
        }
        let (weights, chunk) = (self.weights, self.weights.cut.input_blocks);
        let inputs = chunk.min(weights.inputs);
        let v_stride = position_stride(inputs, self.tiles);
        let v = self.scratch;
        let m = self.scratch.wrapping_add(36 * v_stride);
        let mut start = 0;
        let mut transformed = false;
        for (outputs, out_groups) in weights.groups.chunks(weights.cut.output_groups).enumerate() {
            let blocks: usize = out_groups.iter().map(|group| group.blocks).sum();
            let m_stride = position_stride(blocks, self.tiles);
            for first in (0..weights.inputs).step_by(chunk) {
                let last = (first + chunk).min(weights.inputs);
                if !transformed {
                    for block in first..last {
                        let to = v.wrapping_add((block - first) * self.tiles * BLOCK);
                        // SAFETY: the planes are the caller's promise; `to` has room for all tiles at 36 positions.
                        unsafe { transform(s, &self.reads[block], tiles, to, v_stride) };
                    }
                    transformed = weights.input_chunks() == 1;
                }
                for position in 0..36 {
                    let count = weights.kept(first, position) - first;
                    let mut out = 0;
                    for (index, group) in out_groups.iter().enumerate() {
                        let c = m.wrapping_add(position * m_stride + out * self.tiles * BLOCK);
                        out += group.blocks;
                        let b = weights.values.pointer().wrapping_add(weights.starts[start]);
                        let ahead = weights.values.pointer().wrapping_add(weights.starts[start + 1]);
                        start += 1;
                        if count == 0 {
                            if first == 0 {
                                // SAFETY: the group's products of all tiles lie in scratch.
                                unsafe { c.write_bytes(0, group.blocks * self.tiles * BLOCK) };
                            }
                            continue;
                        }
                        let group_index = outputs * weights.cut.output_groups + index;
                        let mut line = 0;
                        for &(row, multiply) in &self.calls.0[group_index] {
                            let product = Product {
                                a: v.wrapping_add(position * v_stride + row * BLOCK),
                                a_block: self.tiles * BLOCK,
                                blocks: count,
                                b,
                                c: c.wrapping_add(row * BLOCK),
                                c_block: self.tiles * BLOCK,
                                accumulate: first > 0,
                                ahead: ahead.wrapping_add(line),
                            };
                            line += count * BLOCK * BLOCK;
                            // SAFETY: the calls were cut for this many tiles and this group's width; the
                            // instruction set is the one that this function was compiled for.
                            unsafe { multiply(&product) };
                        }
                    }
                }
            }
            for block in 0..blocks {
                let from = m.wrapping_add(block * self.tiles * BLOCK);
                let out = out_groups[0].first + block;
                for (index, &tile) in tiles.iter().enumerate() {
                    for lane in (0..BLOCK).step_by(S::LANES) {
                        let at = from.wrapping_add(index * BLOCK + lane);
                        // SAFETY: the products of all tiles at 36 positions were just written; the target is the caller's promise.
                        unsafe {
                            let y = pixels(s, |position| s.load(at.add(position * m_stride)));
                            let size = (self.grid.rows, self.grid.columns);
                            self.target.finish(s, y, tile, (out, lane), size);
                        }
                    }
                }
            }
        }
    }
}

/// Input transform of one block of channels for all tiles.
///
/// # Safety
/// The planes must hold the tiles' windows with their borders; `to` must have room for the tiles at 36 positions.
#[inline(always)]
unsafe fn transform<S: Simd>(s: S, read: &Read, tiles: &[Tile], to: *mut f32, stride: usize) {
    let factors = |mask: Option<*const f32>, lane: usize| match mask {
        // SAFETY: a mask has sixteen factors per block.
        Some(factors) => unsafe { s.load(factors.add(lane)) },
        None => s.splat(1.0),
    };
    // Addresses of the windows' first pixels; windows start one pixel before the tile.
    let plain_at = |place: &Place, block: usize, tile: &Tile| {
        let start =
            tile.image * place.image + block * place.plane + tile.row * place.row + tile.column * BLOCK;
        place.origin.wrapping_add(start).wrapping_sub(place.row + BLOCK)
    };
    let upsampled_at = |place: &Place, block: usize, tile: &Tile| {
        let start = tile.row / 2 * place.row + tile.column / 2 * BLOCK;
        let start = tile.image * place.image + block * place.plane + start;
        place.origin.wrapping_add(start).wrapping_sub(place.row + BLOCK)
    };
    for (index, tile) in tiles.iter().enumerate() {
        for lane in (0..BLOCK).step_by(S::LANES) {
            let to = to.wrapping_add(index * BLOCK + lane);
            // SAFETY: windows of tiles inside the maps, with their borders; room at 36 positions: the caller's promise.
            unsafe {
                let store = |position: usize, value: S::V| s.store(to.add(position * stride), value);
                match (&read.plain, &read.upsampled) {
                    (Some((place, block, None)), None) => {
                        let from = plain_at(place, *block, tile).add(lane);
                        let row =
                            |i: usize| std::array::from_fn(|j| s.load(from.add(i * place.row + j * BLOCK)));
                        window(s, row, store);
                    }
                    (Some((place, block, Some(mask))), None) => {
                        let from = plain_at(place, *block, tile).add(lane);
                        let factor = factors(Some(*mask), lane);
                        let row = |i: usize| {
                            std::array::from_fn(|j| {
                                s.mul(factor, s.load(from.add(i * place.row + j * BLOCK)))
                            })
                        };
                        window(s, row, store);
                    }
                    (None, Some((place, block, mask))) => {
                        let from = upsampled_at(place, *block, tile).add(lane);
                        let factor = factors(*mask, lane);
                        let row = |i: usize| {
                            std::array::from_fn(|j| {
                                s.mul(factor, s.load(from.add(i * place.row + j * BLOCK)))
                            })
                        };
                        window_upsampled(s, row, store);
                    }
                    (Some((place, block, mask)), Some((small, small_block, small_mask))) => {
                        let from = plain_at(place, *block, tile).add(lane);
                        let below = upsampled_at(small, *small_block, tile).add(lane);
                        let (factor, small_factor) = (factors(*mask, lane), factors(*small_mask, lane));
                        let row = |i: usize| {
                            let up: [S::V; 4] = std::array::from_fn(|j| {
                                let value = s.load(below.add(UPSAMPLED[i] * small.row + j * BLOCK));
                                s.mul(small_factor, value)
                            });
                            std::array::from_fn(|j| {
                                let value = s.load(from.add(i * place.row + j * BLOCK));
                                s.fma(factor, value, up[UPSAMPLED[j]])
                            })
                        };
                        window(s, row, store);
                    }
                    (None, None) => unreachable!("a block that is read from nowhere"),
                }
            }
        }
    }
}
