//! Where daughters lie: about the mother's expected place, at a distance from each other that is typical of the movie.

use crate::motion::{Axis, Distances, StepLaw};
use crate::scene::Scene;

/// Worth of the prior of the sisters' distance, in divisions.
const PRIOR_DIVISIONS: f64 = 3.0;
/// Spread of the logarithm of the sisters' distance that is expected beforehand.
const PRIOR_SPREAD: f64 = 0.35;
/// Worth of the prior of the midpoint's law, in divisions.
const PRIOR_MIDPOINTS: f64 = 6.0;
/// How much less likely a cell divides in the very frame in which it was born.
const BORN_JUST_NOW: f64 = 1e-4;

/// Law of a pair of daughters: the distance between them is log-normal, its direction uniform, their midpoint lies
/// about the mother's expected place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DivisionLaw {
    /// Mean of the natural logarithm of the sisters' distance in pixels.
    pub log_distance: f64,
    /// Its standard deviation.
    pub spread: f64,
    /// Density of the midpoint about the mother's expected place, by frames since the mother (1 …).
    middle: Vec<StepLaw>,
    typical: f64,
}

/// What divisions have taught, weighted by their probability.
#[derive(Debug, Clone)]
pub(crate) struct DivisionData {
    pub weight: f64,
    log_sum: f64,
    log_square: f64,
    middle: Distances,
}

impl DivisionData {
    pub fn new(axis: Axis) -> Self {
        Self {
            weight: 0.0,
            log_sum: 0.0,
            log_square: 0.0,
            middle: Distances::new(axis),
        }
    }

    /// Adds a pair of daughters at distance `apart`, whose midpoint missed the expected place by the root of `r2`.
    pub fn add(&mut self, apart: f64, r2: f64, weight: f64) {
        let log = apart.max(1e-6).ln();
        self.weight += weight;
        self.log_sum += weight * log;
        self.log_square += weight * log * log;
        self.middle.add(r2, weight);
    }

    pub fn merge(&mut self, other: &Self) {
        self.weight += other.weight;
        self.log_sum += other.log_sum;
        self.log_square += other.log_square;
        self.middle.merge(&other.middle);
    }
}

impl DivisionLaw {
    /// Sisters are expected about as far apart as the closest neighbours of the movie, within a factor of two.
    pub fn prior(scene: &Scene, typical: f64) -> Self {
        let close = closest_neighbours(scene).max(typical);
        let axis = Axis::new(typical);
        let mut law = Self {
            log_distance: close.ln(),
            spread: 0.6,
            middle: vec![],
            typical,
        };
        law.middle = vec![law.prior_middle(axis, 1), law.prior_middle(axis, 2)];
        law
    }

    fn prior_middle(&self, axis: Axis, gap: usize) -> StepLaw {
        let apart = 0.2 * self.log_distance.exp();
        StepLaw::prior(axis, (self.typical.powi(2) * gap as f64 + apart * apart).sqrt())
    }

    /// Estimates the law anew; `before` is the law before anything was seen.
    pub fn fit(data: &DivisionData, before: &Self, axis: Axis) -> Self {
        let n = data.weight;
        let log_distance = (before.log_distance + data.log_sum) / (1.0 + n);
        let about = data.log_square - 2.0 * log_distance * data.log_sum + n * log_distance * log_distance;
        let spread =
            ((PRIOR_DIVISIONS * PRIOR_SPREAD.powi(2) + about.max(0.0)) / (PRIOR_DIVISIONS + n)).sqrt();
        let mut law = Self {
            log_distance,
            spread,
            middle: vec![],
            typical: before.typical,
        };
        let one = StepLaw::fit(&data.middle, &law.prior_middle(axis, 1), PRIOR_MIDPOINTS);
        let two = StepLaw::fit(&data.middle, &law.prior_middle(axis, 2), PRIOR_MIDPOINTS);
        law.middle = vec![one, two];
        law
    }

    /// Log density per square pixel twice (once for each daughter) of a pair whose midpoint misses the expected place
    /// by the root of `r2`; `gap`: frames to the later daughter, `uneven`: frames between the two.
    pub fn log_density(&self, apart: f64, r2: f64, gap: usize, uneven: usize) -> f64 {
        let apart = apart.max(1e-6);
        let wander = self.typical * (uneven as f64 * 2.0).sqrt() / self.log_distance.exp();
        let sd = (self.spread.powi(2) + wander.powi(2)).sqrt();
        let z = (apart.ln() - self.log_distance) / sd;
        // Log-normal density of the distance, spread evenly over the circle: 1 / (2 pi d); two orders of the pair: factor 2.
        let sisters = -0.5 * z * z
            - (sd * (std::f64::consts::TAU).sqrt() * apart).ln()
            - (std::f64::consts::TAU * apart).ln();
        std::f64::consts::LN_2 + sisters + self.middle[gap.clamp(1, 2) - 1].log_density(r2)
    }

    /// Distance of sisters beyond which a division is out of the question.
    pub fn reach(&self) -> f64 {
        (self.log_distance + 4.5 * self.spread).exp()
    }

    /// Log factor for a mother who was herself born in this frame.
    pub fn log_newborn_mother() -> f64 {
        BORN_JUST_NOW.ln()
    }
}

/// The distance that five in a hundred objects have to their nearest neighbour in the frame, or less.
pub(crate) fn closest_neighbours(scene: &Scene) -> f64 {
    let every = scene.nearest.len().div_ceil(100_000).max(1);
    let mut distances: Vec<f64> = scene
        .nearest
        .iter()
        .copied()
        .step_by(every)
        .filter(|d| d.is_finite())
        .collect();
    if distances.is_empty() {
        return 0.0;
    }
    let rank = distances.len() / 20;
    *distances.select_nth_unstable_by(rank, f64::total_cmp).1
}
