//! Room `profile`: from the object tables of a run to wells, hits, clusters and a verdict.
//!
//! This is the gather stage as values: tables (polars) go in, tables come out, and no pixel is read.
//! [`gather`] is the whole stage; [`estimable`] says before a run which of its answers the plate map
//! cannot give, and what it would take. All statistics come from `uncertainty`; the rules that join
//! them are METHODS.md sections 8, 9, 11 and 14.
//!
//! Invariants: same tables, same parameters, same bytes, for any number of threads; control wells are
//! never scored by a reference that holds them; a number that the data cannot support is null and
//! named in [`Verdict::not_estimable`]; NaN never leaves this room.
#![forbid(unsafe_code)]

mod cell_flags;
mod class_mix;
mod clusters;
mod columns;
mod control_novelty;
mod control_null;
mod count_tests;
mod error;
mod estimable;
mod feature_choice;
mod gather;
mod gathered;
mod hit_table;
mod kmeans;
mod known_gate;
mod novel_table;
mod novelty_tests;
mod plate_layout;
mod separation;
mod share_tests;
mod site_focus;
mod tables;
mod test_rows;
mod verdict;
mod well_table;
mod wells;

pub use error::ProfileError;
pub use estimable::estimable;
pub use gather::gather;
pub use gathered::{Gate, GateOutcome, Gathered, PlateFocus, Scatter, ScatterPoint, Separation, Verdict};
pub use separation::z_prime_interval;
pub use tables::{read_parquet, write_csv, write_parquet};
pub use wells::{GatherParams, NovelAgainst, Role, WellInfo};
