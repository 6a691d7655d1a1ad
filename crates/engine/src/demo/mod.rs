//! The demonstrations: plates whose answer is known before the program looks.
//!
//! [`real_plate`] screens 48 wells of BBBC013 that are in the binary; the program is told which wells are untreated and
//! nothing else that a test uses. [`planted`] screens 96 wells that are arranged, deterministically, from real MitoCheck
//! nuclei which no member of the shipped bundle has seen; the composition of every well is known and printed beside the estimate.
//!
//! Invariants: the screen itself is the ordinary [`crate::screen`] on an ordinary folder with an ordinary plate map, left in
//! the output folder for anyone to run again; what is known is printed beside the result and used for nothing else.

mod archive;
mod doses;
mod outcome;
mod planted;
mod real_plate;
mod translocation;

pub use outcome::{Check, DemoOutcome, DemoParams};
pub use planted::{Development, planted, planted_for_development};
pub(crate) use real_plate::nuclear_planes;
pub use real_plate::real_plate;
