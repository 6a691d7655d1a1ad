//! The room's functions against reference values of known libraries (tests/fixtures/uq at the root of the repository).
// clippy's leave to unwrap in tests does not reach the helpers of an integration test.
#![allow(clippy::unwrap_used)]

mod calibration;
mod conformal;
mod entropy;
mod novelty;
mod plate;
mod quantification;
mod reference;
mod scores;
mod testing;
