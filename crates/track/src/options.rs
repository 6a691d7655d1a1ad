//! What a user may say but need not.

use crate::TrackError;

/// Options of [`crate::track`]. The default asks for nothing: all is estimated from the movie.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackOptions {
    /// Largest distance a cell can move from one frame to the next, pixels. Estimated if `None`; only makes it faster, or helps where cells of a
    /// sparse movie are few.
    pub max_speed: Option<f64>,
    /// Frames a cell may be missed in a row and still be the same cell, 0 to 8.
    pub max_missed: usize,
    /// Rounds of estimation before the final solution, 1 to 20.
    pub rounds: usize,
    /// Whether cells can divide at all.
    pub divisions: bool,
}

impl Default for TrackOptions {
    fn default() -> Self {
        Self {
            max_speed: None,
            max_missed: 3,
            rounds: 4,
            divisions: true,
        }
    }
}

impl TrackOptions {
    /// Checks ranges.
    ///
    /// # Errors
    /// The first option out of range.
    pub fn check(&self) -> Result<(), TrackError> {
        let refuse = |option, value, range| Err(TrackError::OptionOutOfRange { option, value, range });
        match self.max_speed {
            Some(v) if !(v.is_finite() && v > 0.0) => {
                return refuse("largest speed", v, "a number of pixels a frame above 0");
            }
            _ => {}
        }
        if self.max_missed > 8 {
            return refuse("frames a cell may be missed", self.max_missed as f64, "0 to 8");
        }
        if !(1..=20).contains(&self.rounds) {
            return refuse("rounds of estimation", self.rounds as f64, "1 to 20");
        }
        Ok(())
    }
}
