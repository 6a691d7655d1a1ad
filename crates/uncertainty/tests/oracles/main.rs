//! The room's functions against reference values of known libraries (tests/fixtures/uq at the root of the repository).

mod calibration;
mod conformal;
mod entropy;
mod novelty;
mod plate;
mod quantification;
mod reference;
mod scores;
mod testing;
