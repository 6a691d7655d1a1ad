//! What one core can do at most: the figure that a speed is a share of.

use std::hint::black_box;
use std::time::Instant;

use crate::simd::Isa;

/// Sums that do not wait for each other: enough to fill two units whose result takes four or five cycles.
const CHAINS: usize = 12;
/// Multiply-adds of each chain in one run: some milliseconds.
const STEPS: usize = 1 << 20;
/// Runs of which the fastest counts; the first ones bring the core to its clock.
const RUNS: usize = 12;
/// Factor and summand of every step; the sums stay near `SUMMAND / (1 - FACTOR)`, far from the slow denormal numbers.
const FACTOR: f32 = 0.999;
const SUMMAND: f32 = 0.001;

/// Floating-point operations a second (a multiply-add counts as two) of one core with vectors of `isa`, all operands in
/// registers: the fastest of a dozen runs of a few milliseconds.
///
/// [`Isa::Portable`] measures separate multiplications and additions with the vectors that every processor of the architecture has.
/// Where the machine lacks `isa`, the best one that it has is measured. Takes some hundredths of a second.
pub fn fused_multiply_add_peak(isa: Isa) -> f64 {
    let (lanes, run) = chains(isa);
    let operations = (2 * CHAINS * STEPS * lanes) as f64;
    let fastest = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            black_box(run(black_box(STEPS)));
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    operations / fastest
}

/// Lanes of a vector, and the loop that runs `CHAINS` chains of so many steps.
fn chains(isa: Isa) -> (usize, fn(usize) -> f32) {
    #[cfg(target_arch = "x86_64")]
    {
        let fma = is_x86_feature_detected!("fma");
        if isa == Isa::Avx512 && fma && is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor was just asked for AVX-512 and FMA, which is all that the loop needs.
            return (16, |steps| unsafe { x86::avx512(steps) });
        }
        if isa != Isa::Portable && fma && is_x86_feature_detected!("avx2") {
            // SAFETY: the processor was just asked for AVX2 and FMA, which is all that the loop needs.
            return (8, |steps| unsafe { x86::avx2(steps) });
        }
        // SAFETY: every x86-64 processor has SSE2.
        (4, |steps| unsafe { x86::baseline(steps) })
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = isa;
        (4, plain)
    }
}

/// Plain arrays, which the compiler may turn into vectors.
#[cfg(not(target_arch = "x86_64"))]
fn plain(steps: usize) -> f32 {
    let (factor, summand) = (black_box(FACTOR), black_box(SUMMAND));
    let mut sums = [[1.0f32; 4]; CHAINS];
    for _ in 0..steps {
        sums = sums.map(|sum| sum.map(|lane| lane * factor + summand));
    }
    sums.iter().flatten().sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm_add_ps, _mm_mul_ps, _mm_set1_ps, _mm_storeu_ps, _mm256_fmadd_ps, _mm256_set1_ps,
        _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_reduce_add_ps, _mm512_set1_ps,
    };
    use std::hint::black_box;

    use super::{CHAINS, FACTOR, SUMMAND};

    /// Vectors that every x86-64 processor has; multiplication and addition apart.
    #[target_feature(enable = "sse2")]
    pub(super) fn baseline(steps: usize) -> f32 {
        let (factor, summand) = (_mm_set1_ps(black_box(FACTOR)), _mm_set1_ps(black_box(SUMMAND)));
        let mut sums = [_mm_set1_ps(1.0); CHAINS];
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = _mm_add_ps(_mm_mul_ps(*sum, factor), summand);
            }
        }
        let mut lanes = [0.0f32; 4];
        let mut total = 0.0;
        for sum in sums {
            // SAFETY: `lanes` holds four floats, as many as a vector, and the store needs no alignment.
            unsafe { _mm_storeu_ps(lanes.as_mut_ptr(), sum) };
            total += lanes.iter().sum::<f32>();
        }
        total
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512(steps: usize) -> f32 {
        let (factor, summand) = (
            _mm512_set1_ps(black_box(FACTOR)),
            _mm512_set1_ps(black_box(SUMMAND)),
        );
        let mut sums = [_mm512_set1_ps(1.0); CHAINS];
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, summand);
            }
        }
        sums.into_iter().map(|sum| _mm512_reduce_add_ps(sum)).sum()
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2(steps: usize) -> f32 {
        let (factor, summand) = (
            _mm256_set1_ps(black_box(FACTOR)),
            _mm256_set1_ps(black_box(SUMMAND)),
        );
        let mut sums = [_mm256_set1_ps(1.0); CHAINS];
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, summand);
            }
        }
        let mut lanes = [0.0f32; 8];
        let mut total = 0.0;
        for sum in sums {
            // SAFETY: `lanes` holds eight floats, as many as a vector, and the store needs no alignment.
            unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
            total += lanes.iter().sum::<f32>();
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loop_computes_its_chains() {
        // After n steps a chain is a fixed point's neighbour: 1 + (1 - 1) f^n = 1, since SUMMAND = 1 - FACTOR up to rounding.
        for isa in [Isa::Avx512, Isa::Avx2, Isa::Portable] {
            let (lanes, run) = chains(isa);
            let expected = (lanes * CHAINS) as f32;
            assert!((run(1000) - expected).abs() < 1e-2 * expected, "{isa:?}");
        }
    }

    #[test]
    fn a_peak_is_a_positive_number() {
        assert!(fused_multiply_add_peak(Isa::detect()).is_normal());
    }
}
