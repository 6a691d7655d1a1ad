//! The use cases: what a user can ask for, put together from the rooms below.
//!
//! A run has two stages. [`screen`] sees pixels and bundles and writes one file a site (the journal of the run);
//! [`gather`] sees those files and the plate map alone and makes every table, error rate and figure. Changing a
//! cutoff or a plate map therefore costs seconds and reads no pixel.
//!
//! Invariants: what is fatal for a site and what for a run is decided here and nowhere else; nothing a run writes
//! depends on the clock, on the number of threads or on where the folders lie; every file appears whole or not at all.
#![forbid(unsafe_code)]

mod bench;
pub mod bundles;
mod classify;
mod config;
pub mod demo;
mod error;
pub mod evaluate;
mod files;
mod gather;
mod inspect;
mod models;
mod outcome;
mod params;
mod progress;
mod screen;
mod segment;
mod threads;
mod track;
pub mod train;

pub use self::track::{TrackParams, TrackSummary, parse_frame_interval, parse_speed, track};
pub use bench::{
    BenchOutcome, BenchParams, EnsembleUse, FieldTiming, NetworkTiming, PlateCost, RealWork, bench,
};
pub use classify::{ClassifyParams, Objects, classify};
pub use config::{Settings, parse_memory, parse_pixel_size};
pub use error::{EngineError, ExitCode};
pub use gather::{GatherRequest, earlier_settings, gather};
pub use inspect::{
    ImageInspection, InspectParams, Inspection, PlateInspection, RunInspection, inspect, write_settings,
};
pub use models::{BundleCard, builtin_models, model_card};
pub use outcome::{HitLine, RunSummary, SkippedSite};
pub use params::{
    DataCredit, Device, GatherParams, InstructionSet, NetworkParams, Novelty, PlantedTruth, PlantedValue,
    ScreenParams, Shard,
};
pub use progress::{Context, Progress, Silent};
pub use screen::screen;
pub use segment::{SegmentParams, segment};
pub use threads::with_threads;
