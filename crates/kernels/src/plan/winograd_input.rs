//! Input transform of Winograd's F(4 × 4, 3 × 3) (Lavin and Gray 2016, arXiv 1509.09308): windows of 6 × 6 pixels to 36 values.

// Indices as in the formulas; iterators would hide them and may not be inlined with the vectors in registers.
#![allow(clippy::needless_range_loop)]

use super::vector::Simd;

/// Values along one direction: B' d, with the interpolation points 0, ±1, ±2.
#[inline(always)]
pub(crate) fn forward<S: Simd>(s: S, d: [S::V; 6]) -> [S::V; 6] {
    let (two, four, five) = (s.splat(2.0), s.splat(4.0), s.splat(5.0));
    let (a, b) = (s.fnma(four, d[2], d[4]), s.fnma(four, d[1], d[3]));
    let (c, e) = (s.sub(d[4], d[2]), s.sub(d[3], d[1]));
    [
        s.fma(four, d[0], s.fnma(five, d[2], d[4])),
        s.add(a, b),
        s.sub(a, b),
        s.fma(two, e, c),
        s.fnma(two, e, c),
        s.fma(four, d[1], s.fnma(five, d[3], d[5])),
    ]
}

/// Both directions: a window's 36 values, `stride` apart from `to` on.
///
/// # Safety
/// `to` must be writable at 36 places.
#[inline(always)]
pub(crate) unsafe fn window<S: Simd>(s: S, pixels: [[S::V; 6]; 6], to: *mut f32, stride: usize) {
    let mut rows = pixels;
    for row in &mut rows {
        *row = forward(s, *row);
    }
    for j in 0..6 {
        let column = [
            rows[0][j], rows[1][j], rows[2][j], rows[3][j], rows[4][j], rows[5][j],
        ];
        let column = forward(s, column);
        for i in 0..6 {
            // SAFETY: the caller's promise.
            unsafe { s.store(to.add((i * 6 + j) * stride), column[i]) };
        }
    }
}

/// The six rows or columns of an upsampled window in terms of the four of the map below it.
pub(crate) const UPSAMPLED: [usize; 6] = [0, 1, 1, 2, 2, 3];

/// Whether the transform of an upsampled window is zero at this position: pixels in pairs have no part there.
pub(crate) fn vanishes_upsampled(position: usize) -> bool {
    position / 6 == 2 || position % 6 == 2
}

/// One direction of an upsampled window, from its four distinct values; the third result is zero and left out.
#[inline(always)]
fn forward_upsampled<S: Simd>(s: S, d: [S::V; 4]) -> [S::V; 5] {
    let (four, five) = (s.splat(4.0), s.splat(5.0));
    let step = s.sub(d[2], d[1]);
    [
        s.fma(four, d[0], s.fnma(five, d[1], d[2])),
        s.mul(s.splat(2.0), s.fnma(four, d[1], d[2])),
        s.mul(s.splat(3.0), step),
        s.sub(d[1], d[2]),
        s.fma(four, d[1], s.fnma(five, d[2], d[3])),
    ]
}

/// Positions along one direction of what [`forward_upsampled`] returns.
const KEPT: [usize; 5] = [0, 1, 3, 4, 5];

/// Both directions of an upsampled window, from its 4 × 4 distinct pixels.
///
/// # Safety
/// `to` must be writable at 36 places.
#[inline(always)]
pub(crate) unsafe fn window_upsampled<S: Simd>(s: S, pixels: [[S::V; 4]; 4], to: *mut f32, stride: usize) {
    let mut rows = [[pixels[0][0]; 5]; 4];
    for i in 0..4 {
        rows[i] = forward_upsampled(s, pixels[i]);
    }
    for j in 0..5 {
        let column = forward_upsampled(s, [rows[0][j], rows[1][j], rows[2][j], rows[3][j]]);
        for i in 0..5 {
            // SAFETY: the caller's promise.
            unsafe { s.store(to.add((KEPT[i] * 6 + KEPT[j]) * stride), column[i]) };
        }
    }
}
