//! The one matrix product that Winograd and direct convolution come down to.
//!
//! Rows are pixels or tiles, the inner dimension is input channels in blocks of sixteen, columns are output channels.
//! `ROWS` × `VECTORS` sums stay in registers; each step reads one row of weights and broadcasts one value per row. The
//! sums of one output value are taken in one order whatever the number of rows, so results do not depend on the cut.

#[cfg(target_arch = "x86_64")]
use super::vector::x86::{Avx2, Avx512};
use super::vector::{BLOCK, Portable, Simd};
use crate::simd::Isa;

/// Operands of one call.
#[derive(Clone, Copy)]
pub(crate) struct Product {
    /// Values: (block of inputs, row, 16); the first row.
    pub a: *const f32,
    /// Values between blocks of inputs in `a`.
    pub a_block: usize,
    /// Blocks of inputs.
    pub blocks: usize,
    /// Weights: (block of inputs × 16, columns).
    pub b: *const f32,
    /// Sums: (block of outputs, row, 16); the first row.
    pub c: *mut f32,
    /// Values between blocks of outputs in `c`.
    pub c_block: usize,
    /// Whether the sums go on from what `c` holds.
    pub accumulate: bool,
    /// Weights that will be read soon: one line a step is asked for from here on.
    pub ahead: *const f32,
}

/// The kernel for some number of rows.
pub(crate) type Multiply = unsafe fn(&Product);

/// Where the sums of a row and vector lie in `c`.
#[inline(always)]
fn place<S: Simd>(row: usize, vector: usize, block: usize) -> usize {
    (vector * S::LANES / BLOCK) * block + row * BLOCK + vector * S::LANES % BLOCK
}

#[inline(always)]
unsafe fn multiply<S: Simd, const ROWS: usize, const VECTORS: usize>(simd: S, p: &Product) {
    let lanes = S::LANES;
    let mut sums = [[simd.splat(0.0); VECTORS]; ROWS];
    // SAFETY: the caller promises that `a`, `b` and `c` hold the rows, blocks and columns that the loops run over.
    unsafe {
        if p.accumulate {
            for (row, sums) in sums.iter_mut().enumerate() {
                for (vector, sum) in sums.iter_mut().enumerate() {
                    *sum = simd.load(p.c.add(place::<S>(row, vector, p.c_block)));
                }
            }
        }
        let (mut a, mut b, mut ahead) = (p.a, p.b, p.ahead);
        for _ in 0..p.blocks {
            for k in 0..BLOCK {
                let mut weights = [simd.splat(0.0); VECTORS];
                for (vector, weight) in weights.iter_mut().enumerate() {
                    *weight = simd.load(b.add((k * VECTORS + vector) * lanes));
                }
                simd.prefetch(ahead.wrapping_add(k * BLOCK));
                for (row, sums) in sums.iter_mut().enumerate() {
                    let value = simd.splat(*a.add(row * BLOCK + k));
                    for (sum, &weight) in sums.iter_mut().zip(&weights) {
                        *sum = simd.fma(value, weight, *sum);
                    }
                }
            }
            a = a.add(p.a_block);
            b = b.add(BLOCK * VECTORS * lanes);
            ahead = ahead.wrapping_add(BLOCK * BLOCK);
        }
        for (row, sums) in sums.iter().enumerate() {
            for (vector, &sum) in sums.iter().enumerate() {
                simd.store(p.c.add(place::<S>(row, vector, p.c_block)), sum);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn avx512<const ROWS: usize, const VECTORS: usize>(p: &Product) {
    // SAFETY: this function runs with AVX-512 only; the operands are the caller's promise.
    unsafe { multiply::<_, ROWS, VECTORS>(Avx512::new(), p) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const ROWS: usize, const VECTORS: usize>(p: &Product) {
    // SAFETY: this function runs with AVX2 and FMA only; the operands are the caller's promise.
    unsafe { multiply::<_, ROWS, VECTORS>(Avx2::new(), p) }
}

unsafe fn portable<const ROWS: usize, const VECTORS: usize>(p: &Product) {
    // SAFETY: the operands are the caller's promise.
    unsafe { multiply::<_, ROWS, VECTORS>(Portable, p) }
}

macro_rules! table {
    ($entry:ident, $vectors:literal, $($rows:literal)*) => {
        &[$(($rows, $entry::<$rows, $vectors> as Multiply)),*]
    };
}

/// The kernels of an instruction set for a number of output blocks, by falling number of rows.
///
/// # Safety of the kernels
/// The machine must have `isa`; the operands must hold the rows, blocks and columns.
fn kernels(isa: Isa, output_blocks: usize) -> &'static [(usize, Multiply)] {
    match (isa, output_blocks) {
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512, 1) => table!(avx512, 1, 28 26 24 22 20 18 16 14 12 10 8 6 4 3 2 1),
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512, 2) => table!(avx512, 2, 14 13 12 11 10 9 8 7 6 5 4 3 2 1),
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512, 3) => table!(avx512, 3, 9 8 7 6 5 4 3 2 1),
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2, 1) => table!(avx2, 2, 6 5 4 3 2 1),
        (Isa::Portable, 1) => table!(portable, 4, 3 2 1),
        _ => unreachable!("a width that `widths` never gives"),
    }
}

/// Cuts output blocks into the widths (in blocks) that the kernels take at once.
pub(crate) fn widths(isa: Isa, mut blocks: usize) -> Vec<usize> {
    if isa != Isa::Avx512 {
        return vec![1; blocks];
    }
    let mut widths = Vec::new();
    while blocks > 0 {
        let width = match blocks {
            1 | 3 => blocks,
            _ => 2,
        };
        widths.push(width);
        blocks -= width;
    }
    widths
}

/// Cuts rows into near-equal calls: (first row, rows, kernel). Together they cover `rows` exactly.
pub(crate) fn cut(isa: Isa, output_blocks: usize, rows: usize) -> Vec<(usize, Multiply)> {
    let kernels = kernels(isa, output_blocks);
    let largest = kernels[0].0;
    let mut calls = Vec::new();
    let mut first = 0;
    while first < rows {
        let left = rows - first;
        let wanted = left.div_ceil(left.div_ceil(largest));
        // The smallest kernel that takes at least the equal share, if it does not overrun; else the largest that fits.
        let kernel = kernels
            .iter()
            .rev()
            .find(|(size, _)| *size >= wanted && *size <= left)
            .or_else(|| kernels.iter().find(|(size, _)| *size <= left))
            .expect("there is a kernel for one row");
        calls.push((first, kernel.1));
        first += kernel.0;
    }
    calls
}
