//! The use cases: what a user can ask for, put together from the rooms below.
//!
//! A run has two stages. [`screen`] sees pixels and bundles and writes one file a site (the journal of the run);
//! [`gather`] sees those files and the plate map alone and makes every table, error rate and figure. Changing a
//! cutoff or a plate map therefore costs seconds and reads no pixel.
//!
//! Invariants: what is fatal for a site and what for a run is decided here and nowhere else; nothing a run writes
//! depends on the clock, on the number of threads or on where the folders lie; every file appears whole or not at all.
#![forbid(unsafe_code)]

mod error;
mod outcome;
mod params;
mod progress;

pub use error::{EngineError, ExitCode};
pub use outcome::{HitLine, RunSummary, SkippedSite};
pub use params::{Device, GatherParams, NetworkParams, Novelty, ScreenParams, Shard};
pub use progress::{Context, Progress, Silent};
