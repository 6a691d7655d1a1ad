//! Winograd convolution of one block of tiles: input transform, 36 products, output transform, without leaving the cache.

// Indices as in the formulas; iterators would hide them and may not be inlined with the vectors in registers.
#![allow(clippy::needless_range_loop)]

use super::draws::{self, Draw};
use super::head::{self, Head};
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
    ((blocks * tiles) | 1) * BLOCK
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
    /// Takes the pixels instead of the target's map.
    pub head: Option<Head<'a>>,
    /// Draws that share the products; without any, the head's results are stored as they are.
    pub draws: &'a [Draw],
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
        // The next block, whose inputs are asked for meanwhile.
        let mut next = [Tile::default(); MOST_TILES];
        let next_count = self.tiles.min(self.grid.tiles() - self.first - self.tiles);
        let next = &mut next[..next_count];
        for (index, tile) in next.iter_mut().enumerate() {
            *tile = self.grid.tile(self.first + self.tiles + index);
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
                    if first == 0 {
                        self.ask(
                            s,
                            position,
                            tiles,
                            out_groups[0].first,
                            blocks,
                            if outputs == 0 { next } else { &[] },
                        );
                    }
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
            if let Some(head) = &self.head {
                let pixels_at = m.wrapping_add(36 * m_stride);
                for draw in self
                    .draws
                    .iter()
                    .map(Some)
                    .chain(self.draws.is_empty().then_some(None))
                {
                    let head = Head {
                        planes: draw.map_or(head.planes, |draw| draw.planes),
                        ..*head
                    };
                    for (part, part_tiles) in tiles.chunks(head::TILES).enumerate() {
                        let first = part * head::TILES;
                        // SAFETY: the products were just written; behind them lies the head's scratch.
                        unsafe {
                            let (m, v) = ((m.cast_const(), m_stride), (v.cast_const(), v_stride));
                            self.to_scratch(s, m, v, draw, (first, part_tiles.len()), pixels_at);
                            head.finish(s, pixels_at, part_tiles);
                        }
                    }
                }
                continue;
            }
            for block in 0..blocks {
                let from = m.wrapping_add(block * self.tiles * BLOCK);
                let out = out_groups[0].first + block;
                for (index, &tile) in tiles.iter().enumerate() {
                    for lane in (0..BLOCK).step_by(S::LANES) {
                        let at = from.wrapping_add(index * BLOCK + lane);
                        // SAFETY: the products of all tiles at 36 positions were just written; the target is the caller's promise.
                        unsafe {
                            let y = pixels(s, at, m_stride);
                            let size = (self.grid.rows, self.grid.columns);
                            self.target.finish(s, y, tile, (out, lane), size);
                        }
                    }
                }
            }
        }
    }
}

impl WinogradBlock<'_> {
    /// Output transform, bias and activation of some tiles into (block, tile, pixel, 16), for one draw.
    ///
    /// # Safety
    /// `m` and `v` must hold the products and transforms of all tiles, `to` have room for [`head::TILES`] tiles of all blocks.
    #[inline(always)]
    unsafe fn to_scratch<S: Simd>(
        &self,
        s: S,
        (m, m_stride): (*const f32, usize),
        (v, v_stride): (*const f32, usize),
        draw: Option<&Draw>,
        (first, count): (usize, usize),
        to: *mut f32,
    ) {
        let mut kept = [0.0f32; 36 * BLOCK];
        for (group, blocks) in self.weights.groups.iter().enumerate() {
            let starts = if draw.is_some() {
                draws::starts(self.weights, group)
            } else {
                [(0, 0); 25]
            };
            for block in 0..blocks.blocks {
                let out = blocks.first + block;
                for index in 0..count {
                    let mut target = self.target;
                    target.full = Some(Place {
                        origin: to.wrapping_add(index * head::TILE_PIXELS * BLOCK),
                        image: 0,
                        plane: head::PIXELS * BLOCK,
                        row: 4 * BLOCK,
                        rows: 4,
                        columns: 4,
                    });
                    let tile = (first + index) * BLOCK;
                    let products = m.wrapping_add(out * self.tiles * BLOCK + tile);
                    // SAFETY: the caller's promise.
                    unsafe {
                        if let Some(draw) = draw {
                            let (values, place) = (
                                (v.add(tile), self.tiles * BLOCK, v_stride),
                                (group, block, &starts),
                            );
                            let products = (products, m_stride);
                            draws::without(
                                s,
                                self.weights,
                                &draw.dropped,
                                products,
                                values,
                                place,
                                kept.as_mut_ptr(),
                            );
                        }
                        for lane in (0..BLOCK).step_by(S::LANES) {
                            let y = match draw {
                                Some(_) => pixels(s, kept.as_ptr().add(lane), BLOCK),
                                None => pixels(s, products.add(lane), m_stride),
                            };
                            target.finish(s, y, Tile::default(), (out, lane), (4, 4));
                        }
                    }
                }
            }
        }
    }

    /// Asks for a 36th of the lines that will be written by this block and read by the next.
    #[inline(always)]
    fn ask<S: Simd>(
        &self,
        s: S,
        position: usize,
        tiles: &[Tile],
        first: usize,
        blocks: usize,
        next: &[Tile],
    ) {
        if let Some(place) = &self.target.full {
            for &tile in &tiles[position * tiles.len() / 36..(position + 1) * tiles.len() / 36] {
                for block in first..first + blocks {
                    let to = place.at(tile, block, 0);
                    for i in 0..4 {
                        for j in 0..4 {
                            s.prefetch_write(to.wrapping_add(i * place.row + j * BLOCK));
                        }
                    }
                }
            }
        }
        for &tile in &next[position * next.len() / 36..(position + 1) * next.len() / 36] {
            for read in self.reads {
                if let Some((place, block, _)) = &read.plain {
                    let from = place.at(tile, *block, 0).wrapping_add(BLOCK);
                    // Rows and columns before these belong to the tiles before.
                    for i in 1..5 {
                        for j in 0..4 {
                            s.prefetch_later(from.wrapping_add(i * place.row + j * BLOCK));
                        }
                    }
                }
                if let Some((place, block, _)) = &read.upsampled {
                    let half = Tile {
                        image: tile.image,
                        row: tile.row / 2,
                        column: tile.column / 2,
                    };
                    let from = place.at(half, *block, 0).wrapping_add(BLOCK);
                    for i in 1..3 {
                        for j in 0..2 {
                            s.prefetch_later(from.wrapping_add(i * place.row + j * BLOCK));
                        }
                    }
                }
            }
        }
    }
}

/// Factors of a vector of channels; ones where there is no mask.
///
/// # Safety
/// A mask must have sixteen factors.
#[inline(always)]
unsafe fn factors<S: Simd>(s: S, mask: Option<*const f32>, lane: usize) -> S::V {
    match mask {
        // SAFETY: the caller's promise.
        Some(factors) => unsafe { s.load(factors.add(lane)) },
        None => s.splat(1.0),
    }
}

/// Pixels of a square, row by row.
///
/// # Safety
/// They must lie in the map or its border.
#[inline(always)]
unsafe fn square<S: Simd, const N: usize>(s: S, from: *const f32, row: usize) -> [[S::V; N]; N] {
    let mut pixels = [[s.splat(0.0); N]; N];
    for i in 0..N {
        for j in 0..N {
            // SAFETY: the caller's promise.
            pixels[i][j] = unsafe { s.load(from.add(i * row + j * BLOCK)) };
        }
    }
    pixels
}

/// Input transform of one block of channels for all tiles.
///
/// # Safety
/// The planes must hold the tiles' windows with their borders; `to` must have room for the tiles at 36 positions.
#[inline(always)]
unsafe fn transform<S: Simd>(s: S, read: &Read, tiles: &[Tile], to: *mut f32, stride: usize) {
    for (index, &tile) in tiles.iter().enumerate() {
        let half = Tile {
            image: tile.image,
            row: tile.row / 2,
            column: tile.column / 2,
        };
        for lane in (0..BLOCK).step_by(S::LANES) {
            let to = to.wrapping_add(index * BLOCK + lane);
            // SAFETY: windows (from one pixel before the tile on) inside the maps, with their borders; room at 36
            // positions: the caller's promise.
            unsafe {
                match (&read.plain, &read.upsampled) {
                    (Some((place, block, mask)), None) => {
                        let from = place.at(tile, *block, lane).sub(place.row + BLOCK);
                        let mut pixels = square::<S, 6>(s, from, place.row);
                        if mask.is_some() {
                            let factor = factors(s, *mask, lane);
                            for row in &mut pixels {
                                for pixel in row {
                                    *pixel = s.mul(*pixel, factor);
                                }
                            }
                        }
                        window(s, pixels, to, stride);
                    }
                    (None, Some((place, block, mask))) => {
                        let from = place.at(half, *block, lane).sub(place.row + BLOCK);
                        let mut pixels = square::<S, 4>(s, from, place.row);
                        if mask.is_some() {
                            let factor = factors(s, *mask, lane);
                            for row in &mut pixels {
                                for pixel in row {
                                    *pixel = s.mul(*pixel, factor);
                                }
                            }
                        }
                        window_upsampled(s, pixels, to, stride);
                    }
                    (Some((place, block, mask)), Some((small, small_block, small_mask))) => {
                        let from = place.at(tile, *block, lane).sub(place.row + BLOCK);
                        let below = small.at(half, *small_block, lane).sub(small.row + BLOCK);
                        let mut pixels = square::<S, 6>(s, from, place.row);
                        let coarse = square::<S, 4>(s, below, small.row);
                        let (factor, small_factor) = (factors(s, *mask, lane), factors(s, *small_mask, lane));
                        for i in 0..6 {
                            for j in 0..6 {
                                let up = s.mul(small_factor, coarse[UPSAMPLED[i]][UPSAMPLED[j]]);
                                pixels[i][j] = s.fma(factor, pixels[i][j], up);
                            }
                        }
                        window(s, pixels, to, stride);
                    }
                    (None, None) => unreachable!("a block that is read from nowhere"),
                }
            }
        }
    }
}
