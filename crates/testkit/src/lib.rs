//! Virtual movies with known truth, for tests and calibration alone: real nuclei, published laws of motion, drawn faults.
//!
//! [`Movie::draw`] makes the movie of a number in a family; the same seed, family and number give the same bytes everywhere. The two
//! families share no nucleus's experiment and no law of motion.

pub mod chance;
pub mod crops;
pub mod design;
pub mod film;
pub mod judge;
pub mod lives;
pub mod motion;
pub mod movie;
pub mod nuclei;
pub mod observe;

pub use design::{Design, Family, Faults};
pub use film::Film;
pub use motion::Law;
pub use movie::{Movie, TruthPoint};
pub use observe::Detection;
