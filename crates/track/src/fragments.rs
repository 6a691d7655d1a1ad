//! False objects: noise anywhere in the field, and fragments of cells that a segmentation cut in two.
//!
//! A fragment lies beside the rest of its cell, just where a daughter would lie. Both kinds of false object are therefore weighed
//! at every object, by how far its nearest neighbour is; how frequent they are and how far fragments lie is estimated from the movie.

use crate::divisions::closest_neighbours;
use crate::scene::Scene;

/// Worth of the prior of the fragments' distance, in fragments.
const PRIOR_FRAGMENTS: f64 = 3.0;
/// Spread of the logarithm of that distance expected beforehand.
const PRIOR_SPREAD: f64 = 0.4;
/// Prior of the two rates: events over cells.
const NOISE: (f64, f64) = (0.3, 30.0);
const FRAGMENTS: (f64, f64) = (0.2, 100.0);

/// How often objects are false.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FalseObjects {
    /// Noise per cell and frame, spread evenly over the field.
    pub noise: f64,
    /// Fragments per cell and frame.
    pub fragments: f64,
    log_distance: f64,
    spread: f64,
    area: f64,
}

/// Expected counts of false objects.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FalseData {
    noise: f64,
    fragments: f64,
    log_sum: f64,
    log_square: f64,
}

impl FalseObjects {
    /// Before a movie is seen: one object in a hundred is noise, one in five hundred a fragment as near as the closest neighbours.
    pub fn prior(scene: &Scene) -> Self {
        let near = closest_neighbours(scene).max(1e-3 * scene.area_per_object.sqrt());
        Self {
            noise: NOISE.0 / NOISE.1,
            fragments: FRAGMENTS.0 / FRAGMENTS.1,
            log_distance: near.ln(),
            spread: 0.6,
            area: scene.area_per_object,
        }
    }

    /// Weight of being a fragment, at a distance from the nearest other object.
    fn fragment_weight(&self, nearest: f64) -> f64 {
        if !nearest.is_finite() {
            return 0.0;
        }
        let d = nearest.max(1e-6);
        let z = (d.ln() - self.log_distance) / self.spread;
        // Log-normal density of the distance, spread evenly over the circle.
        let norm = self.spread * std::f64::consts::TAU.sqrt() * d * std::f64::consts::TAU * d;
        self.fragments * self.area * (-0.5 * z * z).exp() / norm
    }

    /// Weight of an object's being false.
    pub fn weight(&self, nearest: f64) -> f64 {
        self.noise + self.fragment_weight(nearest)
    }

    /// Estimates the rates anew for `cells` real objects.
    pub fn fit(&self, data: &FalseData, cells: f64, prior: &Self) -> Self {
        let n = data.fragments;
        let log_distance = (prior.log_distance + data.log_sum) / (1.0 + n);
        let about = data.log_square - 2.0 * log_distance * data.log_sum + n * log_distance * log_distance;
        let variance = (PRIOR_FRAGMENTS * PRIOR_SPREAD.powi(2) + about.max(0.0)) / (PRIOR_FRAGMENTS + n);
        Self {
            noise: ((NOISE.0 + data.noise) / (NOISE.1 + cells)).clamp(1e-5, 2.0),
            fragments: ((FRAGMENTS.0 + n) / (FRAGMENTS.1 + cells)).min(1.0),
            log_distance,
            spread: variance.sqrt(),
            area: self.area,
        }
    }
}

impl FalseData {
    /// Notes an object that is false with probability `p`.
    pub fn add(&mut self, law: &FalseObjects, nearest: f64, p: f64) {
        let fragment = law.fragment_weight(nearest);
        let share = fragment / (fragment + law.noise);
        self.noise += p * (1.0 - share);
        if share > 0.0 {
            let log = nearest.max(1e-6).ln();
            self.fragments += p * share;
            self.log_sum += p * share * log;
            self.log_square += p * share * log * log;
        }
    }

    /// Adds the counts of another stretch.
    pub fn merge(&mut self, o: &Self) {
        self.noise += o.noise;
        self.fragments += o.fragments;
        self.log_sum += o.log_sum;
        self.log_square += o.log_square;
    }
}
