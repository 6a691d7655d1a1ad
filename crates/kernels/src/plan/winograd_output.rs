//! Output transform of Winograd's F(4 × 4, 3 × 3), and what follows a convolution's sums.

// Indices as in the formulas; iterators would hide them and may not be inlined with the vectors in registers.
#![allow(clippy::needless_range_loop)]

use super::vector::{BLOCK, Simd};
use super::workspace::Place;

/// Sums along one direction: A' m.
#[inline(always)]
pub(crate) fn backward<S: Simd>(s: S, m: [S::V; 6]) -> [S::V; 4] {
    let (plus1, minus1) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (plus2, minus2) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [
        s.add(s.add(m[0], plus1), plus2),
        s.fma(s.splat(2.0), minus2, minus1),
        s.fma(s.splat(4.0), plus2, plus1),
        s.add(s.fma(s.splat(8.0), minus2, minus1), m[5]),
    ]
}

/// Both directions: 36 products, `stride` apart from `from` on, to 4 × 4 pixels.
///
/// # Safety
/// `from` must be readable at 36 places.
#[inline(always)]
pub(crate) unsafe fn pixels<S: Simd>(s: S, from: *const f32, stride: usize) -> [[S::V; 4]; 4] {
    let mut rows = [[s.splat(0.0); 4]; 6];
    for i in 0..6 {
        let mut m = [s.splat(0.0); 6];
        for j in 0..6 {
            // SAFETY: the caller's promise.
            m[j] = unsafe { s.load(from.add((6 * i + j) * stride)) };
        }
        rows[i] = backward(s, m);
    }
    let mut out = [[s.splat(0.0); 4]; 4];
    for j in 0..4 {
        let column = [
            rows[0][j], rows[1][j], rows[2][j], rows[3][j], rows[4][j], rows[5][j],
        ];
        let column = backward(s, column);
        for i in 0..4 {
            out[i][j] = column[i];
        }
    }
    out
}

/// What follows a convolution's sums, with addresses.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    /// (block, 16)
    pub bias: *const f32,
    pub residual: Option<Place>,
    pub relu: bool,
    pub full: Option<Place>,
    pub pooled: Option<Place>,
}

// SAFETY: addresses; see `Place`.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

/// A tile of 4 × 4 output pixels.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tile {
    pub image: usize,
    pub row: usize,
    pub column: usize,
}

impl Tile {
    #[inline(always)]
    fn halved(self) -> Self {
        Self {
            image: self.image,
            row: self.row / 2,
            column: self.column / 2,
        }
    }
}

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

    /// First tile and end for a first image and an end.
    pub fn range(&self, (first, end): (usize, usize)) -> (usize, usize) {
        let (down, across) = self.across();
        (first * down * across, end * down * across)
    }

    pub fn tile(&self, index: usize) -> Tile {
        let (down, across) = self.across();
        Tile {
            image: index / (down * across),
            row: index / across % down * 4,
            column: index % across * 4,
        }
    }
}

impl Place {
    /// Address of a pixel's lane.
    #[inline(always)]
    pub fn at(&self, pixel: Tile, block: usize, lane: usize) -> *mut f32 {
        self.block(pixel.image, block)
            .wrapping_add(pixel.row * self.row + pixel.column * BLOCK + lane)
    }
}

impl Target {
    /// Bias, residual, activation and stores of one tile and vector of channels.
    ///
    /// # Safety
    /// `block` and `tile` must lie in the maps, `lane` + lanes in the block.
    #[inline(always)]
    pub unsafe fn finish<S: Simd>(
        &self,
        s: S,
        mut y: [[S::V; 4]; 4],
        tile: Tile,
        (block, lane): (usize, usize),
        (rows, columns): (usize, usize),
    ) {
        let (tile_rows, tile_columns) = ((rows - tile.row).min(4), (columns - tile.column).min(4));
        // SAFETY: pixels inside the map only, of a block and lane that the caller vouches for.
        unsafe {
            let bias = s.load(self.bias.add(block * BLOCK + lane));
            for row in &mut y {
                for value in row {
                    *value = s.add(*value, bias);
                }
            }
            if let Some(place) = &self.residual {
                let from = place.at(tile, block, lane);
                for (i, row) in y.iter_mut().enumerate() {
                    for (j, value) in row.iter_mut().enumerate() {
                        // Beyond a ragged edge this reads the border of the map, which is there.
                        *value = s.add(*value, s.load(from.add(i * place.row + j * BLOCK)));
                    }
                }
            }
            if self.relu {
                let zero = s.splat(0.0);
                for row in &mut y {
                    for value in row {
                        *value = s.max(*value, zero);
                    }
                }
            }
            if let Some(place) = &self.full {
                let to = place.at(tile, block, lane);
                if tile_rows == 4 && tile_columns == 4 {
                    for (i, row) in y.iter().enumerate() {
                        for (j, &value) in row.iter().enumerate() {
                            s.store(to.add(i * place.row + j * BLOCK), value);
                        }
                    }
                } else {
                    for (i, row) in y.iter().enumerate().take(tile_rows) {
                        for (j, &value) in row.iter().enumerate().take(tile_columns) {
                            s.store(to.add(i * place.row + j * BLOCK), value);
                        }
                    }
                }
            }
            if let Some(place) = &self.pooled {
                let to = place.at(tile.halved(), block, lane);
                for i in 0..2 {
                    for j in 0..2 {
                        let upper = s.max(y[2 * i][2 * j], y[2 * i][2 * j + 1]);
                        let lower = s.max(y[2 * i + 1][2 * j], y[2 * i + 1][2 * j + 1]);
                        if 2 * i + 1 < tile_rows && 2 * j + 1 < tile_columns {
                            s.store(to.add(i * place.row + j * BLOCK), s.max(upper, lower));
                        }
                    }
                }
            }
        }
    }

    /// The same for one pixel of a direct convolution.
    ///
    /// # Safety
    /// As [`Target::finish`].
    #[inline(always)]
    pub unsafe fn finish_pixel<S: Simd>(&self, s: S, sum: S::V, tile: Tile, (block, lane): (usize, usize)) {
        // SAFETY: a pixel inside the maps, of a block and lane that the caller vouches for.
        unsafe {
            let mut value = s.add(sum, s.load(self.bias.add(block * BLOCK + lane)));
            if let Some(place) = &self.residual {
                value = s.add(value, s.load(place.at(tile, block, lane)));
            }
            if self.relu {
                value = s.max(value, s.splat(0.0));
            }
            if let Some(place) = &self.full {
                s.store(place.at(tile, block, lane), value);
            }
        }
    }
}
