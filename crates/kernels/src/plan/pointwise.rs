//! Steps that no convolution absorbed: sums and copies of maps, maxima, means, shuffles, and the planar ends of a network.

use super::vector::{BLOCK, Kernel, Simd};
use super::workspace::Place;

/// 1 / (1 + exp(-x)), within a few units in the last place of f32.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(s: S, x: S::V) -> S::V {
    let one = s.splat(1.0);
    // exp(-x) = 2^n exp(r), r in [-ln 2 / 2, ln 2 / 2], by its Taylor polynomial; ln 2 in two parts (Cody and Waite 1980).
    let x = s.sub(s.splat(0.0), s.max(s.min(x, s.splat(86.0)), s.splat(-86.0)));
    let round = s.splat(12_582_912.0);
    let n = s.sub(s.fma(x, s.splat(std::f32::consts::LOG2_E), round), round);
    let r = s.fnma(n, s.splat(-2.121_944_4e-4), s.fnma(n, s.splat(0.693_359_4), x));
    let mut p = s.splat(1.0 / 5040.0);
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = s.fma(p, r, s.splat(coefficient));
    }
    s.reciprocal(s.fma(p, s.power_of_two(n), one))
}

/// A pixel of a term: its map's address, stride and factors.
#[derive(Clone)]
pub(crate) struct TermRead {
    pub place: Place,
    pub upsampled: bool,
    /// Factors of all lanes.
    pub factors: Option<Vec<f32>>,
}

impl TermRead {
    /// # Safety
    /// The pixel and lane must lie in the map.
    #[inline(always)]
    unsafe fn at(&self, image: usize, row: usize, column: usize, lane: usize) -> (*const f32, *const f32) {
        let half = |n: usize| if self.upsampled { n / 2 } else { n };
        let start = image * self.place.image + lane / BLOCK * self.place.plane + lane % BLOCK;
        let start = start + half(row) * self.place.row + half(column) * BLOCK;
        let factor = self
            .factors
            .as_ref()
            .map_or(std::ptr::null(), |f| f[lane..].as_ptr());
        (self.place.origin.wrapping_add(start), factor)
    }
}

/// What is applied to a sum of terms.
pub(crate) use super::step::Pointwise;

/// A view stored as a map: one image and one block of channels.
pub(crate) struct StoreBlock<'a> {
    /// For each lane of the block: the source and its lane; none for an empty lane.
    pub from: &'a [Option<(usize, usize)>],
    pub sources: &'a [Vec<TermRead>],
    pub function: Pointwise,
    pub to: Place,
    pub image: usize,
    pub block: usize,
}

impl Kernel for StoreBlock<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        // Lanes that lie side by side in one source's block are read as vectors.
        let aligned = match self.from[0] {
            Some((source, lane)) if lane % BLOCK == 0 => self
                .from
                .iter()
                .enumerate()
                .all(|(index, from)| from.is_none_or(|(other, at)| other == source && at == lane + index)),
            _ => false,
        };
        for row in 0..self.to.rows {
            for column in 0..self.to.columns {
                let to = self.to.block(self.image, self.block);
                let to = to.wrapping_add(row * self.to.row + column * BLOCK);
                let mut values = [0.0f32; BLOCK];
                for lane in 0..BLOCK {
                    let Some((source, at)) = self.from[lane] else {
                        continue;
                    };
                    if aligned && lane % S::LANES > 0 {
                        continue;
                    }
                    let mut sum = s.splat(0.0);
                    let mut scalar = 0.0;
                    for term in &self.sources[source] {
                        // SAFETY: the pixel and lane lie in the term's map; a block's lanes are all there.
                        unsafe {
                            let (value, factor) = term.at(self.image, row, column, at);
                            if aligned {
                                let value = s.load(value);
                                sum = match factor.is_null() {
                                    true => s.add(sum, value),
                                    false => s.fma(s.load(factor), value, sum),
                                };
                            } else {
                                scalar += *value * if factor.is_null() { 1.0 } else { *factor };
                            }
                        }
                    }
                    if aligned {
                        // SAFETY: sixteen values, at a multiple of the vector's lanes.
                        unsafe { s.store(values[lane..].as_mut_ptr(), sum) };
                    } else {
                        values[lane] = scalar;
                    }
                }
                for lane in (0..BLOCK).step_by(S::LANES) {
                    // SAFETY: sixteen values at both places, the pixel lies in the map.
                    unsafe {
                        let value = s.load(values[lane..].as_ptr());
                        let value = match self.function {
                            Pointwise::Copy => value,
                            Pointwise::Relu => s.max(value, s.splat(0.0)),
                            Pointwise::Sigmoid => sigmoid(s, value),
                        };
                        s.store(to.add(lane), value);
                    }
                }
            }
        }
    }
}

/// Maxima of the 2 × 2 windows of one image and block.
pub(crate) struct PoolBlock {
    pub from: Place,
    pub to: Place,
    pub image: usize,
    pub block: usize,
}

impl Kernel for PoolBlock {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        let from = self.from.block(self.image, self.block);
        let to = self.to.block(self.image, self.block);
        for row in 0..self.to.rows {
            for column in 0..self.to.columns {
                for lane in (0..BLOCK).step_by(S::LANES) {
                    // SAFETY: the window lies in the map that is read, the pixel in the map that is written.
                    unsafe {
                        let at = from.add(2 * row * self.from.row + 2 * column * BLOCK + lane);
                        let upper = s.max(s.load(at), s.load(at.add(BLOCK)));
                        let at = at.add(self.from.row);
                        let lower = s.max(s.load(at), s.load(at.add(BLOCK)));
                        s.store(
                            to.add(row * self.to.row + column * BLOCK + lane),
                            s.max(upper, lower),
                        );
                    }
                }
            }
        }
    }
}

/// Mean over the pixels of one image and block: rows in f32, their sum in f64.
pub(crate) struct MeanBlock {
    pub from: Place,
    pub to: Place,
    pub image: usize,
    pub block: usize,
}

impl Kernel for MeanBlock {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        let from = self.from.block(self.image, self.block);
        let to = self.to.block(self.image, self.block);
        let mut total = [0.0f64; BLOCK];
        for row in 0..self.from.rows {
            let mut sums = [0.0f32; BLOCK];
            for lane in (0..BLOCK).step_by(S::LANES) {
                let mut sum = s.splat(0.0);
                for column in 0..self.from.columns {
                    // SAFETY: the pixel lies in the map.
                    unsafe {
                        sum = s.add(sum, s.load(from.add(row * self.from.row + column * BLOCK + lane)));
                    }
                }
                // SAFETY: sixteen values, at a multiple of the vector's lanes.
                unsafe { s.store(sums[lane..].as_mut_ptr(), sum) };
            }
            for (total, sum) in total.iter_mut().zip(sums) {
                *total += f64::from(sum);
            }
        }
        let area = (self.from.rows * self.from.columns) as f64;
        for (lane, total) in total.into_iter().enumerate() {
            // SAFETY: the map has one pixel of sixteen lanes.
            unsafe { *to.add(lane) = (total / area) as f32 };
        }
    }
}

/// Planar values of one image, from or to a blocked map.
pub(crate) struct Planar<'a> {
    pub place: Place,
    /// Lane of each channel in the blocked map.
    pub lanes: &'a [usize],
    pub image: usize,
    /// The image's planes.
    pub planes: *mut f32,
}

impl Planar<'_> {
    #[inline(always)]
    fn at(&self, channel: usize, row: usize, column: usize) -> *mut f32 {
        let lane = self.lanes[channel];
        let start = self.image * self.place.image + lane / BLOCK * self.place.plane + lane % BLOCK;
        self.place
            .origin
            .wrapping_add(start + row * self.place.row + column * BLOCK)
    }

    /// Copies an image into a blocked map.
    ///
    /// # Safety
    /// `planes` must hold (channels, rows, columns), the map be writable.
    pub unsafe fn pack(&self) {
        let (rows, columns) = (self.place.rows, self.place.columns);
        for channel in 0..self.lanes.len() {
            for row in 0..rows {
                for column in 0..columns {
                    // SAFETY: both lie in their maps.
                    unsafe {
                        *self.at(channel, row, column) =
                            *self.planes.add((channel * rows + row) * columns + column);
                    }
                }
            }
        }
    }

    /// Shuffles channels into pixels of a blocked map that has `to_lanes`.
    ///
    /// # Safety
    /// Both maps must be there, the second twice as large and with a quarter of the channels.
    pub unsafe fn shuffle(&self, to: Place, to_lanes: &[usize]) {
        let to = Planar {
            place: to,
            lanes: to_lanes,
            image: self.image,
            planes: std::ptr::null_mut(),
        };
        for channel in 0..to_lanes.len() {
            for row in 0..to.place.rows {
                for column in 0..to.place.columns {
                    let from = self.at(4 * channel + 2 * (row % 2) + column % 2, row / 2, column / 2);
                    // SAFETY: both lie in their maps.
                    unsafe { *to.at(channel, row, column) = *from };
                }
            }
        }
    }
}

/// A result as planes.
pub(crate) struct EmitImage<'a> {
    pub from: Planar<'a>,
    pub sigmoid: bool,
    pub shuffle: bool,
}

impl Kernel for EmitImage<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        let factor = if self.shuffle { 2 } else { 1 };
        let (rows, columns) = (self.from.place.rows * factor, self.from.place.columns * factor);
        let channels = self.from.lanes.len() / (factor * factor);
        for channel in 0..channels {
            for row in 0..rows {
                let start = (channel * rows + row) * columns;
                for column in 0..columns {
                    let from = if self.shuffle {
                        self.from
                            .at(4 * channel + 2 * (row % 2) + column % 2, row / 2, column / 2)
                    } else {
                        self.from.at(channel, row, column)
                    };
                    // SAFETY: the pixel lies in the map, the value in the planes.
                    unsafe { *self.from.planes.add(start + column) = *from };
                }
            }
        }
        if self.sigmoid {
            let count = channels * rows * columns;
            let mut at = 0;
            while at < count {
                let mut values = [0.0f32; BLOCK];
                let part = BLOCK.min(count - at);
                // SAFETY: `part` values are left in the planes; sixteen in the array.
                unsafe {
                    values
                        .as_mut_ptr()
                        .copy_from_nonoverlapping(self.from.planes.add(at), part);
                    for lane in (0..BLOCK).step_by(S::LANES) {
                        let to = values[lane..].as_mut_ptr();
                        s.store(to, sigmoid(s, s.load(to)));
                    }
                    self.from
                        .planes
                        .add(at)
                        .copy_from_nonoverlapping(values.as_ptr(), part);
                }
                at += part;
            }
        }
    }
}
