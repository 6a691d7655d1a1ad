//! The transforms of Winograd's minimal filtering F(4 × 4, 3 × 3) and their adjoints, sixteen channels at a time.
//!
//! Source: Lavin and Gray 2016, arXiv 1509.09308, section 4.3, at the points 0, ±1, ±2 and infinity. An output tile is
//! Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A, so the gradient by the kernel g is Gᵀ [(A y Aᵀ) ⊙ (Bᵀ d B)] G for the gradient y of the tile.

use super::vectors::{LANES, Vector};

/// Values of a transformed tile.
pub(crate) const FREQUENCIES: usize = 36;

/// An NHWC map.
#[derive(Clone, Copy)]
pub(crate) struct Map<'a> {
    pub values: &'a [f32],
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

/// Bᵀ d.
///
/// # Safety
/// The machine must have the instruction set of `V`.
#[inline(always)]
unsafe fn input6<V: Vector>(d: [V; 6]) -> [V; 6] {
    // SAFETY: the caller promises the instruction set.
    unsafe {
        let even = d[4].add_scaled(-4.0, d[2]);
        let odd = d[3].add_scaled(-4.0, d[1]);
        let (outer, inner) = (d[4].sub(d[2]), d[3].sub(d[1]));
        [
            d[4].add_scaled(4.0, d[0]).add_scaled(-5.0, d[2]),
            even.add(odd),
            even.sub(odd),
            outer.add_scaled(2.0, inner),
            outer.add_scaled(-2.0, inner),
            d[5].add_scaled(4.0, d[1]).add_scaled(-5.0, d[3]),
        ]
    }
}

/// Aᵀ m.
///
/// # Safety
/// The machine must have the instruction set of `V`.
#[inline(always)]
unsafe fn output4<V: Vector>(m: [V; 6]) -> [V; 4] {
    // SAFETY: the caller promises the instruction set.
    unsafe {
        let (sum, difference) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (sum2, difference2) = (m[3].add(m[4]), m[3].sub(m[4]));
        [
            m[0].add(sum).add(sum2),
            difference.add_scaled(2.0, difference2),
            sum.add_scaled(4.0, sum2),
            m[5].add(difference).add_scaled(8.0, difference2),
        ]
    }
}

/// A y, the adjoint of [`output4`].
///
/// # Safety
/// The machine must have the instruction set of `V`.
#[inline(always)]
unsafe fn spread6<V: Vector>(y: [V; 4]) -> [V; 6] {
    // SAFETY: the caller promises the instruction set.
    unsafe {
        let (even, odd) = (y[0].add(y[2]), y[1].add(y[3]));
        let even2 = y[0].add_scaled(4.0, y[2]);
        let odd2 = y[1].scaled(2.0).add_scaled(8.0, y[3]);
        [
            y[0],
            even.add(odd),
            even.sub(odd),
            even2.add(odd2),
            even2.sub(odd2),
            y[3],
        ]
    }
}

/// G g.
///
/// # Safety
/// The machine must have the instruction set of `V`.
#[inline(always)]
unsafe fn filter6<V: Vector>(g: [V; 3]) -> [V; 6] {
    // SAFETY: the caller promises the instruction set.
    unsafe {
        let near = g[0].add(g[2]).scaled(-1.0 / 6.0);
        let far = g[0].scaled(1.0 / 24.0).add_scaled(1.0 / 6.0, g[2]);
        [
            g[0].scaled(0.25),
            near.add_scaled(-1.0 / 6.0, g[1]),
            near.add_scaled(1.0 / 6.0, g[1]),
            far.add_scaled(1.0 / 12.0, g[1]),
            far.add_scaled(-1.0 / 12.0, g[1]),
            g[2],
        ]
    }
}

/// Gᵀ u, the adjoint of [`filter6`].
///
/// # Safety
/// The machine must have the instruction set of `V`.
#[inline(always)]
unsafe fn gather3<V: Vector>(u: [V; 6]) -> [V; 3] {
    // SAFETY: the caller promises the instruction set.
    unsafe {
        let near = u[1].add(u[2]).scaled(-1.0 / 6.0);
        let far = u[3].add(u[4]);
        [
            near.add_scaled(0.25, u[0]).add_scaled(1.0 / 24.0, far),
            u[2].sub(u[1])
                .scaled(1.0 / 6.0)
                .add_scaled(1.0 / 12.0, u[3].sub(u[4])),
            near.add_scaled(1.0 / 6.0, far).add(u[5]),
        ]
    }
}

/// Sixteen channels of `N` × `N` pixels at (row, column), zeros outside of the map.
///
/// # Safety
/// `image` must point at the map's image, `channel + 16` must be at most its channels, and the machine must have the
/// instruction set of `V`.
#[inline(always)]
unsafe fn window<V: Vector, const N: usize>(
    map: &Map,
    image: *const f32,
    (row, column): (isize, isize),
    channel: usize,
) -> [[V; N]; N] {
    // SAFETY: only pixels inside the map are read.
    unsafe {
        let (height, width) = (map.height as isize, map.width as isize);
        let mut tile = [[V::splat(0.0); N]; N];
        let size = N as isize;
        if row >= 0 && column >= 0 && row + size <= height && column + size <= width {
            let mut from = image.add((row as usize * map.width + column as usize) * map.channels + channel);
            for line in &mut tile {
                for (j, value) in line.iter_mut().enumerate() {
                    *value = V::load(from.add(j * map.channels));
                }
                from = from.wrapping_add(map.width * map.channels);
            }
        } else {
            for (i, line) in tile.iter_mut().enumerate() {
                for (j, value) in line.iter_mut().enumerate() {
                    let (y, x) = (row + i as isize, column + j as isize);
                    if (0..height).contains(&y) && (0..width).contains(&x) {
                        let pixel = y as usize * map.width + x as usize;
                        *value = V::load(image.add(pixel * map.channels + channel));
                    }
                }
            }
        }
        tile
    }
}

/// Transforms the 6 × 6 window of `map` at `corner` into 36 vectors, `step` floats apart.
///
/// # Safety
/// As [`window`]; `to` must hold sixteen floats at each of the 36 places.
#[inline(always)]
pub(crate) unsafe fn input_tile<V: Vector>(
    map: &Map,
    image: *const f32,
    corner: (isize, isize),
    channel: usize,
    to: *mut f32,
    step: usize,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut tile = window::<V, 6>(map, image, corner, channel);
        for j in 0..6 {
            let column = input6([
                tile[0][j], tile[1][j], tile[2][j], tile[3][j], tile[4][j], tile[5][j],
            ]);
            for (line, value) in tile.iter_mut().zip(column) {
                line[j] = value;
            }
        }
        for (i, line) in tile.into_iter().enumerate() {
            for (j, value) in input6(line).into_iter().enumerate() {
                value.store(to.add((i * 6 + j) * step));
            }
        }
    }
}

/// Spreads the 4 × 4 tile of a gradient at `corner` to 36 vectors, `step` floats apart.
///
/// # Safety
/// As [`input_tile`].
#[inline(always)]
pub(crate) unsafe fn gradient_tile<V: Vector>(
    map: &Map,
    image: *const f32,
    corner: (isize, isize),
    channel: usize,
    to: *mut f32,
    step: usize,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let tile = window::<V, 4>(map, image, corner, channel);
        let mut tall = [[V::splat(0.0); 4]; 6];
        for j in 0..4 {
            let column = spread6([tile[0][j], tile[1][j], tile[2][j], tile[3][j]]);
            for (line, value) in tall.iter_mut().zip(column) {
                line[j] = value;
            }
        }
        for (i, line) in tall.into_iter().enumerate() {
            for (j, value) in spread6(line).into_iter().enumerate() {
                value.store(to.add((i * 6 + j) * step));
            }
        }
    }
}

/// The 4 × 4 pixels of sixteen channels whose 36 products lie `step` floats apart.
///
/// # Safety
/// `from` must hold sixteen floats at each of the 36 places, and the machine must have the instruction set of `V`.
#[inline(always)]
pub(crate) unsafe fn output_tile<V: Vector>(from: *const f32, step: usize) -> [[V; 4]; 4] {
    // SAFETY: as the caller promises.
    unsafe {
        let mut wide = [[V::splat(0.0); 6]; 4];
        for j in 0..6 {
            let mut column = [V::splat(0.0); 6];
            for (i, value) in column.iter_mut().enumerate() {
                *value = V::load(from.add((i * 6 + j) * step));
            }
            for (line, value) in wide.iter_mut().zip(output4(column)) {
                line[j] = value;
            }
        }
        [
            output4(wide[0]),
            output4(wide[1]),
            output4(wide[2]),
            output4(wide[3]),
        ]
    }
}

/// Transforms a 3 × 3 kernel, whose values lie `from_step` floats apart, into 36 vectors, `step` floats apart.
///
/// # Safety
/// `from` and `to` must hold sixteen floats at each place; the machine must have the instruction set of `V`.
#[inline(always)]
pub(crate) unsafe fn filter_tile<V: Vector>(from: *const f32, from_step: usize, to: *mut f32, step: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut tall = [[V::splat(0.0); 3]; 6];
        for j in 0..3 {
            let mut column = [V::splat(0.0); 3];
            for (i, value) in column.iter_mut().enumerate() {
                *value = V::load(from.add((i * 3 + j) * from_step));
            }
            for (line, value) in tall.iter_mut().zip(filter6(column)) {
                line[j] = value;
            }
        }
        for (i, line) in tall.into_iter().enumerate() {
            for (j, value) in filter6(line).into_iter().enumerate() {
                value.store(to.add((i * 6 + j) * step));
            }
        }
    }
}

/// The 3 × 3 kernel gradient, stored `to_step` floats apart, of 36 sums that lie `step` floats apart.
///
/// # Safety
/// As [`filter_tile`].
#[inline(always)]
pub(crate) unsafe fn kernel_tile<V: Vector>(from: *const f32, step: usize, to: *mut f32, to_step: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut wide = [[V::splat(0.0); 6]; 3];
        for j in 0..6 {
            let mut column = [V::splat(0.0); 6];
            for (i, value) in column.iter_mut().enumerate() {
                *value = V::load(from.add((i * 6 + j) * step));
            }
            for (line, value) in wide.iter_mut().zip(gather3(column)) {
                line[j] = value;
            }
        }
        for (i, line) in wide.into_iter().enumerate() {
            for (j, value) in gather3(line).into_iter().enumerate() {
                value.store(to.add((i * 3 + j) * to_step));
            }
        }
    }
}

// Blocks of sixteen channels are read whole.
const _: () = assert!(LANES == 16);
