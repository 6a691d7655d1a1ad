//! The instruction sets that the kernels are compiled for, and which of them this process uses.

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
