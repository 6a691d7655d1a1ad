//! Room `measure`: one row of CellProfiler-named features per object.
//!
//! [`measure`] takes a label image of nuclei and any number of channels and gives shape and intensity of the nucleus,
//! intensity of a ring around it (CellProfiler's `Cytoplasm`), and how the two and the channels relate. Names and
//! definitions are CellProfiler's, checked against its own code in `tests/oracle.rs`.
//!
//! **Invariants.** Rows are in label order. A value that is not defined is NaN, and only in [`Features::values`].
//!
//! **Not here:** scaling, selection or statistics of features (`profile`).
#![forbid(unsafe_code)]

mod error;
mod features;
mod hull;
mod intensity;
mod object;
mod ring;
mod shape;

pub use error::MeasureError;
pub use features::{Features, MeasureParams, ObjectGeometry, feature_names, measure};
