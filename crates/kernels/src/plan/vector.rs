//! Vectors of `f32` behind one trait, so that each kernel is written once for all instruction sets.
//!
//! A value of a type that implements [`Simd`] is the proof that the machine has the instruction set: it is made in
//! [`dispatch`] and in the entries of the multiplication alone, after the check. Arithmetic is therefore safe; only memory is not.

use crate::simd::Isa;

/// Channels in one block of a blocked map, on every machine.
pub(crate) const BLOCK: usize = 16;

/// The vectors of an instruction set.
pub(crate) trait Simd: Copy {
    /// One register.
    type V: Copy;
    /// Values in a register: a divisor of [`BLOCK`].
    const LANES: usize;

    fn splat(self, value: f32) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// 1 / `a` to about a unit in the last place, for `a` in [1, 2 to the power of 126].
    fn reciprocal(self, a: Self::V) -> Self::V;
    /// `a * b + c`
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c - a * b`
    fn fnma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger; the second where the first is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller; the second where the first is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// 2 to the power of a whole number in [-126, 127].
    fn power_of_two(self, exponent: Self::V) -> Self::V;
    /// # Safety
    /// `from` must be readable for [`Simd::LANES`] values.
    unsafe fn load(self, from: *const f32) -> Self::V;
    /// # Safety
    /// `to` must be writable for [`Simd::LANES`] values.
    unsafe fn store(self, to: *mut f32, value: Self::V);
    /// Asks for the line at this address, which may be any, in the first-level cache.
    fn prefetch(self, from: *const f32);
    /// The same in the second-level cache.
    fn prefetch_later(self, from: *const f32);
    /// Asks for the line at this address, which may be any, to be written.
    fn prefetch_write(self, to: *const f32);
}

/// A piece of work written for any instruction set.
pub(crate) trait Kernel {
    /// What it returns.
    type Output;
    /// # Safety
    /// The pointers held by the work must be valid for what it does. Must be `#[inline(always)]` in every implementation.
    unsafe fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs a piece of work, compiled for `isa`.
///
/// # Safety
/// As [`Kernel::run`]; panics if the machine lacks `isa`.
pub(crate) unsafe fn dispatch<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx2,fma")]
        unsafe fn avx512<K: Kernel>(kernel: K) -> K::Output {
            // SAFETY: this function runs with AVX-512 only; the rest is the caller's promise.
            unsafe { kernel.run(x86::Avx512::new()) }
        }
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2<K: Kernel>(kernel: K) -> K::Output {
            // SAFETY: this function runs with AVX2 and FMA only; the rest is the caller's promise.
            unsafe { kernel.run(x86::Avx2::new()) }
        }
        match isa {
            Isa::Avx512 => {
                assert!(isa.available(), "no AVX-512");
                // SAFETY: the machine has AVX-512, as just checked.
                return unsafe { avx512(kernel) };
            }
            Isa::Avx2 => {
                assert!(isa.available(), "no AVX2");
                // SAFETY: the machine has AVX2 and FMA, as just checked.
                return unsafe { avx2(kernel) };
            }
            Isa::Portable => {}
        }
    }
    assert!(isa == Isa::Portable, "instruction set of another machine");
    // SAFETY: the caller's promise.
    unsafe { kernel.run(Portable) }
}

/// Four lanes of plain Rust, which compilers turn into 128-bit vectors.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

#[inline(always)]
fn each(a: [f32; 4], b: [f32; 4], f: impl Fn(f32, f32) -> f32) -> [f32; 4] {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

impl Simd for Portable {
    type V = [f32; 4];
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 4] {
        [value; 4]
    }
    #[inline(always)]
    fn add(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        each(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        each(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        each(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn reciprocal(self, a: [f32; 4]) -> [f32; 4] {
        a.map(|a| 1.0 / a)
    }
    #[inline(always)]
    fn fma(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        self.add(self.mul(a, b), c)
    }
    #[inline(always)]
    fn fnma(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        self.sub(c, self.mul(a, b))
    }
    #[inline(always)]
    fn max(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        each(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        each(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn power_of_two(self, exponent: [f32; 4]) -> [f32; 4] {
        exponent.map(|e| f32::from_bits(((e as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; 4] {
        // SAFETY: the caller promises four readable values; an array has the alignment of its values.
        unsafe { from.cast::<[f32; 4]>().read() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: [f32; 4]) {
        // SAFETY: the caller promises four writable values.
        unsafe { to.cast::<[f32; 4]>().write(value) }
    }
    #[inline(always)]
    fn prefetch(self, _: *const f32) {}
    #[inline(always)]
    fn prefetch_later(self, _: *const f32) {}
    #[inline(always)]
    fn prefetch_write(self, _: *const f32) {}
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod x86 {
    use super::Simd;
    use std::arch::x86_64::*;

    macro_rules! simd {
        ($name:ident, $isa:literal, $v:ty, $lanes:literal, $splat:ident, $add:ident, $sub:ident, $mul:ident, $reciprocal:ident, $newton:literal,
         $fma:ident, $fnma:ident, $max:ident, $min:ident, $load:ident, $store:ident, $power:expr) => {
            #[doc = concat!("Proof that the machine has ", $isa, ".")]
            #[derive(Clone, Copy)]
            pub(crate) struct $name(());

            impl $name {
                /// # Safety
                /// The machine must have the instruction set, and the caller be compiled for it.
                #[inline(always)]
                pub(crate) unsafe fn new() -> Self {
                    Self(())
                }
            }

            impl Simd for $name {
                type V = $v;
                const LANES: usize = $lanes;

                #[inline(always)]
                fn splat(self, value: f32) -> $v {
                    // SAFETY: `self` proves the instruction set.
                    unsafe { $splat(value) }
                }
                #[inline(always)]
                fn add(self, a: $v, b: $v) -> $v {
                    // SAFETY: `self` proves the instruction set.
                    unsafe { $add(a, b) }
                }
                #[inline(always)]
                fn sub(self, a: $v, b: $v) -> $v {
                    // SAFETY: `self` proves the instruction set.
                    unsafe { $sub(a, b) }
                }
                #[inline(always)]
                fn mul(self, a: $v, b: $v) -> $v {
                    // SAFETY: `self` proves the instruction set.
                    unsafe { $mul(a, b) }
                }
                #[inline(always)]
                fn reciprocal(self, a: $v) -> $v {
                    // SAFETY: `self` proves the instruction set.
                    let mut x = unsafe { $reciprocal(a) };
                    // Newton's steps double the digits of the estimate.
                    for _ in 0..$newton {
                        x = self.fma(x, self.fnma(a, x, self.splat(1.0)), x);
                    }
                    x
                }
                #[inline(always)]
                fn fma(self, a: $v, b: $v, c: $v) -> $v {
                    // SAFETY: `self` proves the instruction set.
                    unsafe { $fma(a, b, c) }
                }
                #[inline(always)]
                fn fnma(self, a: $v, b: $v, c: $v) -> $v {
                    // SAFETY: `self` proves the instruction set.
                    unsafe { $fnma(a, b, c) }
                }
                #[inline(always)]
                fn max(self, a: $v, b: $v) -> $v {
                    // SAFETY: `self` proves the instruction set.
                    unsafe { $max(a, b) }
                }
                #[inline(always)]
                fn min(self, a: $v, b: $v) -> $v {
                    // SAFETY: `self` proves the instruction set.
                    unsafe { $min(a, b) }
                }
                #[inline(always)]
                fn power_of_two(self, exponent: $v) -> $v {
                    // SAFETY: `self` proves the instruction set.
                    unsafe { $power(exponent) }
                }
                #[inline(always)]
                unsafe fn load(self, from: *const f32) -> $v {
                    // SAFETY: `self` proves the instruction set; the caller promises readable memory.
                    unsafe { $load(from) }
                }
                #[inline(always)]
                unsafe fn store(self, to: *mut f32, value: $v) {
                    // SAFETY: `self` proves the instruction set; the caller promises writable memory.
                    unsafe { $store(to, value) }
                }
                #[inline(always)]
                fn prefetch(self, from: *const f32) {
                    // SAFETY: a prefetch never faults, whatever the address.
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
                }
                #[inline(always)]
                fn prefetch_later(self, from: *const f32) {
                    // SAFETY: a prefetch never faults, whatever the address.
                    unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
                }
                #[inline(always)]
                fn prefetch_write(self, to: *const f32) {
                    // SAFETY: a prefetch never faults, whatever the address.
                    unsafe { _mm_prefetch::<_MM_HINT_ET0>(to.cast()) }
                }
            }
        };
    }

    simd!(
        Avx512,
        "AVX-512",
        __m512,
        16,
        _mm512_set1_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_rcp14_ps,
        1,
        _mm512_fmadd_ps,
        _mm512_fnmadd_ps,
        _mm512_max_ps,
        _mm512_min_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        |e| _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_add_epi32(
            _mm512_cvtps_epi32(e),
            _mm512_set1_epi32(127)
        )))
    );
    simd!(
        Avx2,
        "AVX2 and FMA",
        __m256,
        8,
        _mm256_set1_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_rcp_ps,
        2,
        _mm256_fmadd_ps,
        _mm256_fnmadd_ps,
        _mm256_max_ps,
        _mm256_min_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        |e| _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(
            _mm256_cvtps_epi32(e),
            _mm256_set1_epi32(127)
        )))
    );
}
