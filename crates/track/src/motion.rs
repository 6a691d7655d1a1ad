//! How far cells move: step densities as scale mixtures, learned from the movie.
//!
//! A step's density is a mixture of round normal densities whose scales lie on a fixed geometric grid; only the weights are
//! estimated. The maximum of the likelihood in the weights is unique (Kiefer and Wolfowitz 1956, doi:10.1214/aoms/1177728066;
//! Laird 1978, doi:10.1080/01621459.1978.10480103), so heavy tails need no parameter. A Dirichlet prior keeps mass in every scale.
//!
//! Steps depend on the step before: fast cells stay fast and keep their direction. The density is therefore kept by
//! *class* of the step before (unknown, newborn, slow … fast), about a mean of `persistence × velocity × frames`.

/// Scales of a mixture.
const SCALES: usize = 22;
/// Ratio of neighbouring scales.
const RATIO: f64 = std::f64::consts::SQRT_2;
/// Bins of squared distance, in which data are kept and densities tabulated.
const BINS: usize = 256;
/// Classes of the step before: unknown, newborn, then by speed.
pub(crate) const CLASSES: usize = 6;
/// Class of an object whose origin is not a step.
pub(crate) const UNKNOWN: usize = 0;
/// Class of a daughter in her first frame.
pub(crate) const NEWBORN: usize = 1;
/// Upper limits of the speed classes in typical steps.
const SPEEDS: [f64; 3] = [1.5, 3.0, 6.0];

/// Squared distances on a logarithmic axis, from far below the smallest scale to far above the largest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Axis {
    smallest_scale: f64,
    low: f64,
    per_bin: f64,
}

impl Axis {
    /// An axis for steps of about `typical` pixels.
    pub fn new(typical: f64) -> Self {
        let smallest_scale = typical / 4.0;
        let low = (smallest_scale * 0.1).powi(2).ln();
        let high = (smallest_scale * RATIO.powi(SCALES as i32) * 8.0).powi(2).ln();
        Self {
            smallest_scale,
            low,
            per_bin: (high - low) / BINS as f64,
        }
    }

    fn scale(&self, k: usize) -> f64 {
        self.smallest_scale * RATIO.powi(k as i32)
    }

    /// Position on the axis in bins.
    fn place(&self, r2: f64) -> f64 {
        ((r2.max(1e-300).ln() - self.low) / self.per_bin).clamp(0.0, (BINS - 1) as f64)
    }

    fn r2(&self, bin: usize) -> f64 {
        (self.low + (bin as f64 + 0.5) * self.per_bin).exp()
    }
}

/// Weighted squared distances, counted in bins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Distances {
    axis: Axis,
    count: Vec<f64>,
}

impl Distances {
    pub fn new(axis: Axis) -> Self {
        Self {
            axis,
            count: vec![0.0; BINS],
        }
    }

    pub fn add(&mut self, r2: f64, weight: f64) {
        self.count[self.axis.place(r2) as usize] += weight;
    }

    pub fn total(&self) -> f64 {
        self.count.iter().sum()
    }

    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.count.iter_mut().zip(&other.count) {
            *a += b;
        }
    }

    /// Distance below which a share `q` of the weight lies; `None` without data.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.total();
        let mut sum = 0.0;
        for (bin, c) in self.count.iter().enumerate() {
            sum += c;
            if total > 0.0 && sum >= q * total {
                return Some(self.axis.r2(bin).sqrt());
            }
        }
        None
    }
}

/// Density of a two-dimensional step by its distance from the expected place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StepLaw {
    axis: Axis,
    weights: [f64; SCALES],
    /// Log density at the left edge of each bin, for interpolation.
    table: Vec<f64>,
}

impl StepLaw {
    /// What is known before a movie is seen: most steps of about the typical size, every further doubling of the scale four times
    /// as rare.
    pub fn prior(axis: Axis, typical: f64) -> Self {
        let weights = std::array::from_fn(|k| {
            let octaves = (axis.scale(k) / (typical / 1.1774)).log2();
            if octaves <= 0.0 {
                4f64.powf(octaves)
            } else {
                4f64.powf(-octaves)
            }
        });
        Self::with_weights(axis, weights)
    }

    fn with_weights(axis: Axis, mut weights: [f64; SCALES]) -> Self {
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= sum);
        let density = |r2: f64| -> f64 {
            (0..SCALES)
                .map(|k| {
                    let v = axis.scale(k).powi(2);
                    weights[k] * (-r2 / (2.0 * v)).exp() / (std::f64::consts::TAU * v)
                })
                .sum()
        };
        let table = (0..=BINS)
            .map(|bin| {
                density((axis.low + bin as f64 * axis.per_bin).exp())
                    .max(1e-290)
                    .ln()
            })
            .collect();
        Self { axis, weights, table }
    }

    /// Estimates the weights from distances, with a Dirichlet prior worth `strength` steps about `prior`.
    pub fn fit(distances: &Distances, prior: &Self, strength: f64) -> Self {
        let axis = prior.axis;
        let data: Vec<(f64, f64)> = (0..BINS)
            .filter(|&b| distances.count[b] > 0.0)
            .map(|b| (axis.r2(b), distances.count[b]))
            .collect();
        let kernel: Vec<[f64; SCALES]> = data
            .iter()
            .map(|&(r2, _)| {
                std::array::from_fn(|k| {
                    let v = axis.scale(k).powi(2);
                    (-r2 / (2.0 * v)).exp() / v
                })
            })
            .collect();
        let mut weights = prior.weights;
        for _ in 0..60 {
            let mut next: [f64; SCALES] = std::array::from_fn(|k| strength * prior.weights[k]);
            for (row, &(_, count)) in kernel.iter().zip(&data) {
                let terms: [f64; SCALES] = std::array::from_fn(|k| weights[k] * row[k]);
                let sum: f64 = terms.iter().sum();
                if sum > 0.0 {
                    for k in 0..SCALES {
                        next[k] += count * terms[k] / sum;
                    }
                }
            }
            let total: f64 = next.iter().sum();
            weights = next.map(|w| w / total);
        }
        Self::with_weights(axis, weights)
    }

    /// Log density per square pixel at a squared distance.
    #[inline]
    pub fn log_density(&self, r2: f64) -> f64 {
        let place = self.axis.place(r2);
        let bin = place as usize;
        let part = place - bin as f64;
        self.table[bin] + part * (self.table[bin + 1] - self.table[bin])
    }

    /// Largest distance at which the log density is still `floor`; 0 if it is nowhere.
    pub fn reach(&self, floor: f64) -> f64 {
        // Mixtures of round normal densities fall with distance.
        let above = self.table.partition_point(|&v| v >= floor);
        if above == 0 {
            0.0
        } else {
            (self.axis.low + (above - 1) as f64 * self.axis.per_bin)
                .exp()
                .sqrt()
        }
    }
}

/// Sums from which persistence is estimated: velocity · displacement and velocity · velocity.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Regression {
    pub xy: f64,
    pub xx: f64,
}

/// Steps over 1 … n frames by class of the step before.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Motion {
    /// Typical step over one frame, pixels.
    pub typical: f64,
    /// `laws[class][gap - 1]`.
    pub laws: Vec<Vec<StepLaw>>,
    /// `persistence[class][gap - 1]`: expected displacement over the gap, in velocities (pixels a frame) before.
    pub persistence: Vec<Vec<f64>>,
}

impl Motion {
    /// Before anything is learned: typical steps of `typical` pixels a frame, growing as a random walk, no persistence.
    pub fn prior(typical: f64, gaps: usize) -> Self {
        let axis = Axis::new(typical);
        let law = |gap: usize| StepLaw::prior(axis, typical * (gap as f64).sqrt());
        Self {
            typical,
            laws: vec![(1..=gaps).map(law).collect(); CLASSES],
            persistence: vec![vec![0.0; gaps]; CLASSES],
        }
    }

    /// The axis its laws are tabulated on.
    pub fn axis(&self) -> Axis {
        self.laws[0][0].axis
    }

    /// Class of an object that came by a step of `velocity` pixels a frame.
    #[inline]
    pub fn class(&self, velocity: [f64; 2]) -> usize {
        let speed2 = (velocity[0].powi(2) + velocity[1].powi(2)) / self.typical.powi(2);
        2 + SPEEDS.iter().take_while(|s| speed2 > s.powi(2)).count()
    }

    /// Squared distance of a displacement over `gap` frames from the expected one.
    #[inline]
    pub fn residual(&self, class: usize, velocity: [f64; 2], gap: usize, step: [f64; 2]) -> f64 {
        let p = self.persistence[class][gap - 1];
        (step[0] - p * velocity[0]).powi(2) + (step[1] - p * velocity[1]).powi(2)
    }

    /// Log density per square pixel of a displacement over `gap` frames.
    #[inline]
    pub fn log_density(&self, class: usize, velocity: [f64; 2], gap: usize, step: [f64; 2]) -> f64 {
        self.laws[class][gap - 1].log_density(self.residual(class, velocity, gap, step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_law_is_a_density() {
        let law = StepLaw::prior(Axis::new(3.0), 3.0);
        let ring = |k: i32| {
            let r = f64::from(k) * 0.05;
            law.log_density(r * r).exp() * std::f64::consts::TAU * r * 0.05
        };
        let total: f64 = (1..200_000).map(ring).sum();
        assert!((total - 1.0).abs() < 0.01, "{total}");
    }

    #[test]
    fn the_fit_finds_two_kinds_of_steps() {
        let axis = Axis::new(2.0);
        let mut seen = Distances::new(axis);
        // Quantiles of squared distances of round normal steps with scales 2 (nine of ten) and 16.
        for k in 0..1000 {
            let q = (f64::from(k) + 0.5) / 1000.0;
            let unit = -2.0 * (1.0 - q).ln();
            seen.add(unit * 4.0, 0.9);
            seen.add(unit * 256.0, 0.1);
        }
        let law = StepLaw::fit(&seen, &StepLaw::prior(axis, 2.0), 5.0);
        for r2 in [1.0, 16.0, 100.0, 900.0] {
            let part = |share: f64, v: f64| share * (-r2 / (2.0 * v)).exp() / (std::f64::consts::TAU * v);
            let true_log = f64::ln(part(0.9, 4.0) + part(0.1, 256.0));
            assert!(
                (law.log_density(r2) - true_log).abs() < 0.35,
                "at {r2}: {} {true_log}",
                law.log_density(r2)
            );
        }
        assert!(law.reach(law.log_density(100.0)) > 9.0 && law.reach(law.log_density(100.0)) < 11.0);
    }

    #[test]
    fn nothing_seen_leaves_the_prior() {
        let axis = Axis::new(2.0);
        let prior = StepLaw::prior(axis, 2.0);
        let law = StepLaw::fit(&Distances::new(axis), &prior, 5.0);
        assert!((law.log_density(9.0) - prior.log_density(9.0)).abs() < 1e-9);
        assert_eq!(Distances::new(axis).quantile(0.5), None);
    }
}
