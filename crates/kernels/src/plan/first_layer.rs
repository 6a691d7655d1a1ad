//! The first layer: few planar channels, so that values are broadcast straight from the image.

use super::vector::{BLOCK, Kernel, Simd};
use super::winograd_output::{Target, Tile};

/// Pixels whose sums are held in registers.
const PIXELS: usize = 12;

/// One task: some rows of one image.
pub(crate) struct FirstRows {
    /// The image's planes with their border.
    pub image: *const f32,
    /// Values from a row of a plane to the next, and from a plane to the next.
    pub row: usize,
    pub plane: usize,
    pub channels: usize,
    pub kernel: usize,
    pub stride: usize,
    /// (block of outputs, channel in, kernel row, kernel column, 16)
    pub weights: *const f32,
    pub blocks: usize,
    pub target: Target,
    /// Rows and columns of the output.
    pub size: (usize, usize),
    pub image_index: usize,
    /// First row and end.
    pub rows: (usize, usize),
}

impl Kernel for FirstRows {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        for row in self.rows.0..self.rows.1 {
            for block in 0..self.blocks {
                for lane in (0..BLOCK).step_by(S::LANES) {
                    for column in (0..self.size.1).step_by(PIXELS) {
                        // SAFETY: the image has its border and some values after the last row; weights and target
                        // are the caller's promise.
                        unsafe {
                            match self.stride {
                                1 => self.pixels::<S, 1>(s, row, column, block, lane),
                                _ => self.pixels::<S, 2>(s, row, column, block, lane),
                            }
                        }
                    }
                }
            }
        }
    }
}

impl FirstRows {
    #[inline(always)]
    unsafe fn pixels<S: Simd, const STRIDE: usize>(
        &self,
        s: S,
        row: usize,
        column: usize,
        block: usize,
        lane: usize,
    ) {
        let taps = self.kernel * self.kernel;
        let mut sums = [s.splat(0.0); PIXELS];
        // SAFETY: the caller's promise.
        unsafe {
            let mut weights = self.weights.add(block * self.channels * taps * BLOCK + lane);
            for channel in 0..self.channels {
                for i in 0..self.kernel {
                    let from = self
                        .image
                        .add(channel * self.plane + (row * STRIDE + i) * self.row + column * STRIDE);
                    for j in 0..self.kernel {
                        let weight = s.load(weights);
                        weights = weights.add(BLOCK);
                        for (index, sum) in sums.iter_mut().enumerate() {
                            *sum = s.fma(s.splat(*from.add(index * STRIDE + j)), weight, *sum);
                        }
                    }
                }
            }
            for (index, &sum) in sums.iter().enumerate().take(self.size.1 - column) {
                let pixel = Tile {
                    image: self.image_index,
                    row,
                    column: column + index,
                };
                self.target.finish_pixel(s, sum, pixel, (block, lane));
            }
        }
    }
}
