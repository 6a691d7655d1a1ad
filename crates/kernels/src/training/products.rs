//! The two register tiles that every convolution of a training step is made of.
//!
//! A *blocked* matrix holds sixteen consecutive columns of a row together: [column / 16][row][column % 16]. The left
//! factor of a product comes in groups of as many rows as a register tile has, so that all strides in the inner loop
//! are constants.

use super::vectors::{LANES, Vector};

/// Where the panel of a block of sixteen output channels starts, and how many blocks share it.
///
/// Panels hold up to `together` blocks side by side: [panel][depth][block in panel][16].
#[inline(always)]
pub(crate) fn panel(block: usize, blocks: usize, together: usize, depth: usize) -> (usize, usize) {
    let first = block / together * together;
    (first * depth * LANES, together.min(blocks - first))
}

/// `R` rows (blocked, groups of `R`) times a panel of `B` blocks.
///
/// # Safety
/// `rows` must hold `depth * R` and `panel` `depth * B * 16` floats, `depth` must be a multiple of sixteen, and the
/// machine must have the instruction set of `V`.
#[inline(always)]
pub(crate) unsafe fn product_tile<V: Vector, const R: usize, const B: usize>(
    mut rows: *const f32,
    depth: usize,
    mut panel: *const f32,
) -> [[V; B]; R] {
    // SAFETY: all reads stay inside the ranges that the caller promises.
    unsafe {
        let mut sums = [[V::splat(0.0); B]; R];
        for _ in 0..depth / LANES {
            for lane in 0..LANES {
                let mut weights = [V::splat(0.0); B];
                for (b, weight) in weights.iter_mut().enumerate() {
                    *weight = V::load(panel.add((lane * B + b) * LANES));
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let value = V::splat(*rows.add(r * LANES + lane));
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = sum.add_product(value, weight);
                    }
                }
            }
            rows = rows.add(R * LANES);
            panel = panel.add(B * LANES * LANES);
        }
        sums
    }
}

/// A matrix of vectors: where it starts and the steps to the next row and the next block of sixteen columns.
#[derive(Clone, Copy)]
pub(crate) struct Strided {
    pub start: *const f32,
    pub row: usize,
    pub block: usize,
}

/// Adds the outer products of `count` rows of `left` (`R` columns) and `right` (`B` blocks) to `sums` (rows of `step`).
///
/// # Safety
/// `left` must hold `R` floats and `right` `B` blocks in each of `count` rows, `sums` `R` rows of `B * 16` floats, and
/// the machine must have the instruction set of `V`.
#[inline(always)]
pub(crate) unsafe fn outer_tile<V: Vector, const R: usize, const B: usize>(
    left: Strided,
    right: Strided,
    count: usize,
    sums: *mut f32,
    step: usize,
) {
    // SAFETY: all accesses stay inside the ranges that the caller promises.
    unsafe {
        let mut totals = [[V::splat(0.0); B]; R];
        let (mut a, mut b) = (left.start, right.start);
        for _ in 0..count {
            let mut vectors = [V::splat(0.0); B];
            for (index, vector) in vectors.iter_mut().enumerate() {
                *vector = V::load(b.add(index * right.block));
            }
            for (r, totals) in totals.iter_mut().enumerate() {
                let value = V::splat(*a.add(r));
                for (total, vector) in totals.iter_mut().zip(vectors) {
                    *total = total.add_product(value, vector);
                }
            }
            (a, b) = (a.wrapping_add(left.row), b.wrapping_add(right.row));
        }
        for (r, totals) in totals.iter().enumerate() {
            for (index, total) in totals.iter().enumerate() {
                let to = sums.add(r * step + index * LANES);
                V::load(to).add(*total).store(to);
            }
        }
    }
}

/// `sums += leftᵀ right` for `left_blocks` and `right_blocks` blocks of sixteen columns.
///
/// # Safety
/// `left` and `right` must hold their blocks in each of `count` rows, `sums` `left_blocks * 16` rows of `step` floats
/// with `step >= right_blocks * 16`, and the machine must have the instruction set of `V`. `R` divides sixteen.
#[inline(always)]
pub(crate) unsafe fn add_outer_products<V: Vector, const B: usize, const R: usize>(
    (left, left_blocks): (Strided, usize),
    (right, right_blocks): (Strided, usize),
    count: usize,
    sums: *mut f32,
    step: usize,
) {
    // SAFETY: blocks and rows stay inside the ranges that the caller promises.
    unsafe {
        for left_block in 0..left_blocks {
            let mut block = 0;
            while block < right_blocks {
                let from = Strided {
                    start: right.start.add(block * right.block),
                    ..right
                };
                for first in (0..LANES).step_by(R) {
                    let rows = Strided {
                        start: left.start.add(left_block * left.block + first),
                        ..left
                    };
                    let to = sums.add((left_block * LANES + first) * step + block * LANES);
                    if right_blocks - block >= B {
                        outer_tile::<V, R, B>(rows, from, count, to, step);
                    } else {
                        outer_tile::<V, R, 1>(rows, from, count, to, step);
                    }
                }
                block += if right_blocks - block >= B { B } else { 1 };
            }
        }
    }
}
