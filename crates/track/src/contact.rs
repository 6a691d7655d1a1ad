//! Cells that are missed because they touch a neighbour: a segmentation takes the two for one.
//!
//! A cell that emerges beside another after such a merge looks like a daughter, and a merge at the beginning of a movie like a mother. The probability to be
//! missed therefore rises towards close neighbours, as steeply as the misses of the movie itself (links over missed frames) show.

use crate::divisions::closest_neighbours;
use crate::scene::Scene;

/// Worth of the prior of the distance, in events.
const PRIOR_EVENTS: f64 = 3.0;
/// Spread of the logarithm of the distance expected beforehand.
const PRIOR_SPREAD: f64 = 0.4;
/// Prior of the rate: events over cells in contact.
const RATE: (f64, f64) = (0.05, 100.0);

/// How much likelier a cell is missed when it has a close neighbour.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Contact {
    /// Probability that a cell is missed because of a neighbour, when that is close.
    pub rate: f64,
    log_distance: f64,
    spread: f64,
}

/// Expected counts of misses by contact.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ContactData {
    events: f64,
    log_sum: f64,
    log_square: f64,
    close: f64,
}

impl Contact {
    /// Before a movie is seen: one in two thousand close cells.
    pub fn prior(scene: &Scene) -> Self {
        let near = closest_neighbours(scene).max(1e-3 * scene.area_per_object.sqrt());
        Self {
            rate: RATE.0 / RATE.1,
            log_distance: near.ln(),
            spread: 0.6,
        }
    }

    fn score(&self, nearest: f64) -> f64 {
        (nearest.max(1e-6).ln() - self.log_distance) / self.spread
    }

    /// How close a neighbour at this distance is, 0 to 1.
    fn closeness(&self, nearest: f64) -> f64 {
        if !nearest.is_finite() {
            return 0.0;
        }
        (-0.5 * self.score(nearest).max(0.0).powi(2)).exp()
    }

    /// Probability that a cell with a neighbour at this distance is missed because of it.
    pub fn missed(&self, nearest: f64) -> f64 {
        self.rate * self.closeness(nearest)
    }

    /// Estimates the rate anew.
    pub fn fit(&self, data: &ContactData, prior: &Self) -> Self {
        let n = data.events;
        let log_distance = (prior.log_distance + data.log_sum) / (1.0 + n);
        let about = data.log_square - 2.0 * log_distance * data.log_sum + n * log_distance * log_distance;
        let variance = (PRIOR_EVENTS * PRIOR_SPREAD.powi(2) + about.max(0.0)) / (PRIOR_EVENTS + n);
        Self {
            rate: ((RATE.0 + n) / (RATE.1 + data.close)).min(0.5),
            log_distance,
            spread: variance.sqrt(),
        }
    }
}

impl ContactData {
    /// Notes a real object that could have been missed.
    pub fn expose(&mut self, law: &Contact, nearest: f64, real: f64) {
        self.close += real * law.closeness(nearest);
    }

    /// Notes `misses` because of a neighbour at this distance.
    pub fn add(&mut self, nearest: f64, misses: f64) {
        if misses > 0.0 && nearest.is_finite() {
            let log = nearest.max(1e-6).ln();
            self.events += misses;
            self.log_sum += misses * log;
            self.log_square += misses * log * log;
        }
    }

    /// Adds the counts of another stretch.
    pub fn merge(&mut self, o: &Self) {
        self.events += o.events;
        self.log_sum += o.log_sum;
        self.log_square += o.log_square;
        self.close += o.close;
    }
}
