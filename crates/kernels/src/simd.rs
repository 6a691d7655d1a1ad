//! Blocks of sixteen `f32`, for each instruction set that the kernels are compiled for.

use std::fmt;
use std::sync::OnceLock;

/// Instruction set that the kernels run with on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// 512-bit vectors, 32 registers.
    Avx512,
    /// 256-bit vectors with fused multiply-add.
    Avx2,
    /// Plain Rust, any machine.
    Portable,
}

/// The instruction set that this process uses, once it is known.
static SELECTED: OnceLock<Isa> = OnceLock::new();

impl Isa {
    /// The instruction set that [`Isa::select`] pinned, or else the best of this machine; looked up once.
    pub fn detect() -> Self {
        *SELECTED.get_or_init(|| {
            let best = [Self::Avx512, Self::Avx2].into_iter().find(|isa| isa.available());
            best.unwrap_or(Self::Portable)
        })
    }

    /// Whether this machine (and its operating system) can run it.
    pub fn available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f") && Self::Avx2.available(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
        }
    }

    /// Pins the instruction set of this process, for [`Isa::detect`]. Must come before any kernel runs.
    pub fn select(isa: Self) -> Result<(), IsaError> {
        if !isa.available() {
            return Err(IsaError::Missing(isa));
        }
        match *SELECTED.get_or_init(|| isa) {
            used if used == isa => Ok(()),
            used => Err(IsaError::InUse { wanted: isa, used }),
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2 with FMA",
            Self::Portable => "portable",
        })
    }
}

/// Why an instruction set could not be pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsaError {
    /// This machine has no such instructions.
    Missing(Isa),
    /// Kernels of this process already use another.
    InUse {
        /// What was asked for.
        wanted: Isa,
        /// What is in use.
        used: Isa,
    },
}

impl fmt::Display for IsaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(isa) => write!(
                f,
                "this machine has no {isa}: choose another instruction set or let it be detected"
            ),
            Self::InUse { wanted, used } => {
                write!(
                    f,
                    "{wanted} was asked for after kernels had started with {used}: choose it before the first use"
                )
            }
        }
    }
}

impl std::error::Error for IsaError {}

/// Sixteen lanes and the few operations that the kernels need.
///
/// # Safety
/// The pointer of `load` and `store` must be valid for sixteen `f32`, and the machine must have the
/// instruction set of the implementing type.
pub(crate) trait Lanes16: Copy {
    unsafe fn zero() -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// `self + scalar * other`, lane by lane.
    unsafe fn add_scaled(self, scalar: f32, other: Self) -> Self;
}

#[derive(Clone, Copy)]
pub(crate) struct Portable16([f32; 16]);

impl Lanes16 for Portable16 {
    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; 16])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises sixteen readable floats; `[f32; 16]` has the alignment of f32.
        Self(unsafe { from.cast::<[f32; 16]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises sixteen writable floats.
        unsafe { to.cast::<[f32; 16]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn add_scaled(mut self, scalar: f32, other: Self) -> Self {
        for (sum, value) in self.0.iter_mut().zip(other.0) {
            *sum += scalar * value;
        }
        self
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod x86 {
    use super::Lanes16;
    use std::arch::x86_64::{
        __m256, __m512, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps,
        _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_storeu_ps,
    };

    #[derive(Clone, Copy)]
    pub(crate) struct Avx512(__m512);

    impl Lanes16 for Avx512 {
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller promises AVX-512.
            Self(unsafe { _mm512_setzero_ps() })
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
        unsafe fn add_scaled(self, scalar: f32, other: Self) -> Self {
            // SAFETY: the caller promises AVX-512.
            Self(unsafe { _mm512_fmadd_ps(_mm512_set1_ps(scalar), other.0, self.0) })
        }
    }

    #[derive(Clone, Copy)]
    pub(crate) struct Avx2(__m256, __m256);

    impl Lanes16 for Avx2 {
        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller promises AVX2.
            unsafe { Self(_mm256_setzero_ps(), _mm256_setzero_ps()) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller promises AVX2 and sixteen readable floats: two vectors of eight.
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
        unsafe fn add_scaled(self, scalar: f32, other: Self) -> Self {
            // SAFETY: the caller promises AVX2 and FMA.
            unsafe {
                let scalar = _mm256_set1_ps(scalar);
                Self(
                    _mm256_fmadd_ps(scalar, other.0, self.0),
                    _mm256_fmadd_ps(scalar, other.1, self.1),
                )
            }
        }
    }
}
