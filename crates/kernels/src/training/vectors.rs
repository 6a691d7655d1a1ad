//! Sixteen channels at a time, and the one place where a kernel is compiled for each instruction set.

use crate::simd::Isa;

/// Channels in one vector and in one block of a blocked map.
pub(crate) const LANES: usize = 16;

/// Sixteen lanes of `f32` and the operations that the training kernels need.
///
/// # Safety
/// The pointer of `load` and `store` must be valid for sixteen `f32`, and the machine must have the
/// instruction set of the implementing type.
pub(crate) trait Vector: Copy {
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self + a * b`.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// max(0, x); NaN stays NaN.
    unsafe fn relu(self) -> Self;
    /// Zero where `gate` is zero or negative, else unchanged.
    unsafe fn where_open(self, gate: Self) -> Self;

    /// `self + scalar * other`.
    #[inline(always)]
    unsafe fn add_scaled(self, scalar: f32, other: Self) -> Self {
        // SAFETY: the caller promises the instruction set.
        unsafe { self.add_product(Self::splat(scalar), other) }
    }

    /// The first `count` of sixteen floats, zeros in the other lanes.
    ///
    /// # Safety
    /// The machine must have the instruction set; only `count` floats are read.
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        // SAFETY: sixteen floats are read only where there are as many; else `count` are copied.
        unsafe {
            if count >= LANES {
                return Self::load(from);
            }
            let mut lanes = [0.0f32; LANES];
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
            Self::load(lanes.as_ptr())
        }
    }

    /// Writes the first `count` lanes.
    ///
    /// # Safety
    /// The machine must have the instruction set; only `count` floats are written.
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        // SAFETY: sixteen floats are written only where there are as many; else `count` are copied.
        unsafe {
            if count >= LANES {
                return self.store(to);
            }
            let mut lanes = [0.0f32; LANES];
            self.store(lanes.as_mut_ptr());
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, count);
        }
    }

    /// `scalar * self`.
    #[inline(always)]
    unsafe fn scaled(self, scalar: f32) -> Self {
        // SAFETY: the caller promises the instruction set.
        unsafe { self.mul(Self::splat(scalar)) }
    }
}

/// A piece of work written once and compiled for every instruction set.
pub(crate) trait Kernel {
    /// What the work gives back.
    type Output;
    /// `ROWS` × `BLOCKS` vectors of a product and `GRADIENT_ROWS` × `BLOCKS` vectors of a sum of outer products fit the
    /// registers of `V`.
    ///
    /// # Safety
    /// The machine must have the instruction set of `V`. Implementations must be `#[inline(always)]`.
    unsafe fn run<V: Vector, const ROWS: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(
        self,
    ) -> Self::Output;
}

/// Rows of a product that one register tile holds on this instruction set.
pub(crate) fn tile_rows(isa: Isa) -> usize {
    match isa {
        Isa::Avx512 => 14,
        Isa::Avx2 => 6,
        Isa::Portable => 4,
    }
}

/// Runs a kernel compiled for `isa`. Panics if this machine lacks it.
pub(crate) fn launch<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => {
            assert!(isa.available());
            // SAFETY: AVX-512 was just seen.
            unsafe { x86::on_avx512(kernel) }
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => {
            assert!(isa.available());
            // SAFETY: AVX2 and FMA were just seen.
            unsafe { x86::on_avx2(kernel) }
        }
        // SAFETY: plain Rust needs no instruction set.
        _ => unsafe { kernel.run::<Portable, 4, 1, 4>() },
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; LANES]);

impl Portable {
    #[inline(always)]
    fn zip(mut self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        self
    }
}

impl Vector for Portable {
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; LANES])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises sixteen readable floats; the read needs no alignment.
        Self(unsafe { from.cast::<[f32; LANES]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises sixteen writable floats; the write needs no alignment.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        self.zip(a.zip(b, |a, b| a * b), |sum, product| sum + product)
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        self.zip(self, |a, _| if a <= 0.0 { 0.0 } else { a })
    }
    #[inline(always)]
    unsafe fn where_open(self, gate: Self) -> Self {
        self.zip(gate, |a, gate| if gate <= 0.0 { 0.0 } else { a })
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Kernel, Vector};
    use std::arch::x86_64::{
        __m256, __m512, _CMP_NLE_UQ, _mm256_add_ps, _mm256_and_ps, _mm256_cmp_ps, _mm256_fmadd_ps,
        _mm256_loadu_ps, _mm256_max_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
        _mm256_sub_ps, _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_fmadd_ps, _mm512_loadu_ps,
        _mm512_maskz_mov_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_storeu_ps, _mm512_sub_ps,
    };

    #[target_feature(enable = "avx512f,fma")]
    pub(super) unsafe fn on_avx512<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: the caller promises AVX-512.
        unsafe { kernel.run::<Avx512, 14, 2, 8>() }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn on_avx2<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: the caller promises AVX2 and FMA.
        unsafe { kernel.run::<Avx2, 6, 1, 4>() }
    }

    #[derive(Clone, Copy)]
    struct Avx512(__m512);

    impl Vector for Avx512 {
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller promises AVX-512.
            Self(unsafe { _mm512_set1_ps(value) })
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller promises AVX-512 and sixteen readable floats.
            Self(unsafe { _mm512_loadu_ps(from) })
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller promises AVX-512 and sixteen writable floats.
            unsafe { _mm512_storeu_ps(to, self.0) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: the caller promises AVX-512.
            Self(unsafe { _mm512_add_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: the caller promises AVX-512.
            Self(unsafe { _mm512_sub_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            // SAFETY: the caller promises AVX-512.
            Self(unsafe { _mm512_mul_ps(self.0, other.0) })
        }
        #[inline(always)]
        unsafe fn add_product(self, a: Self, b: Self) -> Self {
            // SAFETY: the caller promises AVX-512.
            Self(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
        }
        #[inline(always)]
        unsafe fn relu(self) -> Self {
            // SAFETY: the caller promises AVX-512. The maximum gives its second operand where one is NaN.
            Self(unsafe { _mm512_max_ps(_mm512_setzero_ps(), self.0) })
        }
        #[inline(always)]
        unsafe fn where_open(self, gate: Self) -> Self {
            // SAFETY: the caller promises AVX-512.
            Self(unsafe {
                let open = _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(gate.0, _mm512_setzero_ps());
                _mm512_maskz_mov_ps(open, self.0)
            })
        }
    }

    /// Two vectors of eight.
    #[derive(Clone, Copy)]
    struct Avx2(__m256, __m256);

    impl Vector for Avx2 {
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller promises AVX2.
            let value = unsafe { _mm256_set1_ps(value) };
            Self(value, value)
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller promises AVX2 and sixteen readable floats.
            unsafe { Self(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller promises AVX2 and sixteen writable floats.
            unsafe {
                _mm256_storeu_ps(to, self.0);
                _mm256_storeu_ps(to.add(8), self.1);
            }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: the caller promises AVX2.
            unsafe { Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: the caller promises AVX2.
            unsafe { Self(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)) }
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            // SAFETY: the caller promises AVX2.
            unsafe { Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
        }
        #[inline(always)]
        unsafe fn add_product(self, a: Self, b: Self) -> Self {
            // SAFETY: the caller promises AVX2 and FMA.
            unsafe {
                Self(
                    _mm256_fmadd_ps(a.0, b.0, self.0),
                    _mm256_fmadd_ps(a.1, b.1, self.1),
                )
            }
        }
        #[inline(always)]
        unsafe fn relu(self) -> Self {
            // SAFETY: the caller promises AVX2. The maximum gives its second operand where one is NaN.
            unsafe {
                let zero = _mm256_setzero_ps();
                Self(_mm256_max_ps(zero, self.0), _mm256_max_ps(zero, self.1))
            }
        }
        #[inline(always)]
        unsafe fn where_open(self, gate: Self) -> Self {
            // SAFETY: the caller promises AVX2.
            unsafe {
                let zero = _mm256_setzero_ps();
                Self(
                    _mm256_and_ps(self.0, _mm256_cmp_ps::<_CMP_NLE_UQ>(gate.0, zero)),
                    _mm256_and_ps(self.1, _mm256_cmp_ps::<_CMP_NLE_UQ>(gate.1, zero)),
                )
            }
        }
    }
}
