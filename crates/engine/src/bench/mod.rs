//! How fast the networks run on this machine: what a user asks before a plate, and what other engines are timed beside.
//!
//! [`bench`] times one network alone (a bundle's, or one of the two reference networks that are easy to build in any other
//! engine), or, where no network is named, a whole field of a real image from pixels to classes, and reckons what a plate
//! will cost. Nothing here reaches a result of a screen; it is the one place that looks at the clock.

mod clock;
mod field;
mod network;

use std::path::PathBuf;

use serde::Serialize;

pub use field::{EnsembleUse, FieldTiming, PlateCost};
pub use network::{NetworkTiming, RealWork};

use crate::screen::plan::half_of_memory;
use crate::threads::pool;
use crate::{Context, EngineError, NetworkParams};

/// What to time.
#[derive(Clone, Debug, PartialEq)]
pub struct BenchParams {
    /// `unet`, `resnet`, or a bundle by name or folder; `None` = a field with the shipped bundles.
    pub network: Option<String>,
    /// Side of the images in pixels; `None` = what the network is made for.
    pub size: Option<usize>,
    /// Images a call; `None` = what the network is made for.
    pub batch: Option<usize>,
    /// Timed calls after the warm-up.
    pub iterations: usize,
    /// Whether steps of training are timed instead of forward passes.
    pub train: bool,
    /// Members and draws of a bundle, and the device of a field. A network alone runs on the processor, one member and no
    /// dropout unless more is asked for.
    pub networks: NetworkParams,
    /// Instruction set to pin: `auto`, `avx512`, `avx2` or `portable`.
    pub isa: String,
    /// Threads; `None` = all.
    pub threads: Option<usize>,
    /// Sites a well that the cost of a plate is reckoned with.
    pub sites: usize,
    /// File for the weights, images and outputs of a network, so that another engine can be held against it.
    pub export: Option<PathBuf>,
}

impl BenchParams {
    /// Timed calls unless another number is asked for.
    pub const ITERATIONS: usize = 5;
    /// Sites a well unless another number is asked for.
    pub const SITES: usize = 4;
}

impl Default for BenchParams {
    fn default() -> Self {
        Self {
            network: None,
            size: None,
            batch: None,
            iterations: Self::ITERATIONS,
            train: false,
            networks: NetworkParams::default(),
            isa: "auto".to_owned(),
            threads: None,
            sites: Self::SITES,
            export: None,
        }
    }
}

/// What was timed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum BenchOutcome {
    /// One network alone.
    Network(NetworkTiming),
    /// A field from pixels to classes.
    Field(FieldTiming),
}

/// Times what is asked for.
///
/// Errors: options that do not go together or that the network cannot take; an instruction set that this machine lacks; an
/// unknown or damaged bundle; a file that cannot be written.
pub fn bench(params: &BenchParams, context: &Context<'_>) -> Result<BenchOutcome, EngineError> {
    within("--iters", Some(params.iterations), 1_000_000)?;
    within("--size", params.size, 1 << 16)?;
    within("--batch", params.batch, 1 << 16)?;
    within("--sites", Some(params.sites), 1_000_000)?;
    within("--threads", params.threads, 4096)?;
    if params.networks.draws.is_some_and(|draws| draws > 1000) {
        return Err(option(
            "--draws",
            params.networks.draws.unwrap_or_default(),
            "must be 1000 or less",
        ));
    }
    pin(&params.isa)?;
    let pool = pool(params.threads)?;
    let threads = pool.current_num_threads();
    pool.install(|| match &params.network {
        Some(name) => network::time_network(name, params, threads, context).map(BenchOutcome::Network),
        None => field::time_field(params, threads, context).map(BenchOutcome::Field),
    })
}

/// Makes all kernels of this process use one instruction set.
fn pin(isa: &str) -> Result<(), EngineError> {
    let wanted = match isa {
        "auto" => return Ok(()),
        "avx512" => model::Isa::Avx512,
        "avx2" => model::Isa::Avx2,
        "portable" => model::Isa::Portable,
        _ => {
            let known = "not an instruction set; say auto, avx512, avx2 or portable";
            return Err(option("--isa", isa, known));
        }
    };
    model::Isa::select(wanted).map_err(|error| option("--isa", isa, error.to_string()))
}

fn within(name: &'static str, value: Option<usize>, most: usize) -> Result<(), EngineError> {
    match value {
        Some(0) => Err(option(name, 0, "must be 1 or more")),
        Some(value) if value > most => Err(option(name, value, format!("must be {most} or less"))),
        _ => Ok(()),
    }
}

/// Refuses what would need more than half of the machine's memory.
fn check_memory(size: usize, bytes: u64) -> Result<(), EngineError> {
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    match half_of_memory() {
        Some(half) if bytes > half => {
            let what = format!(
                "needs {:.1} GiB, more than half of this machine's memory ({:.1} GiB); make --size or --batch smaller",
                gib(bytes),
                gib(half)
            );
            Err(option("--size", size, what))
        }
        _ => Ok(()),
    }
}

fn option(name: &'static str, value: impl ToString, what: impl Into<String>) -> EngineError {
    EngineError::Option {
        option: name,
        value: value.to_string(),
        what: what.into(),
    }
}
