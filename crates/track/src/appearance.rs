//! How alike an object looks one frame later, and mother and daughters: log likelihood ratios learned from the movie.
//!
//! For every feature the difference between two objects of one cell is compared with the difference between two cells of one frame.
//! Differences are sorted into bins by their rank among differences of different cells, so the ratio needs no scale and no
//! shape. Features that say the same are not counted twice: the sum is shrunk by the effective number of features.

use crate::Detections;
use crate::scene::Scene;

/// Ranks, among differences of different cells, that separate the bins.
const RANKS: [f64; 15] = [
    0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95,
];
const BINS: usize = RANKS.len() + 1;
/// Worth of the prior, in links.
const PRIOR_LINKS: f64 = 20.0;
/// Worth of the prior, in divisions.
const PRIOR_DIVISIONS: f64 = 4.0;

/// One feature and its laws.
#[derive(Debug, Clone, PartialEq)]
struct Feature {
    values: Vec<f64>,
    /// Absolute differences of different cells at [`RANKS`].
    edges: [f64; BINS - 1],
    link: [f64; BINS],
    /// Mean and variance of (daughters' mean - mother) and variance of (daughter - daughter), in divisions.
    change: (f64, f64),
    unlike: f64,
    /// The same between unrelated cells.
    population: f64,
}

/// What was seen of one feature.
#[derive(Debug, Clone, Default)]
pub(crate) struct FeatureData {
    bins: Vec<f64>,
    change: [f64; 3],
    unlike: f64,
}

/// Laws of looks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Appearance {
    features: Vec<Feature>,
    /// Factor on the sum over features.
    shrink: f64,
    mitosis: Vec<f64>,
    /// Mean probability of mitosis over all objects, and over mothers.
    mitotic: (f64, f64),
}

impl Appearance {
    /// Collects the features that the detections have.
    pub fn new(detections: &Detections, scene: &Scene) -> Self {
        let column = |pick: &dyn Fn(&crate::Frame) -> Option<&[f64]>, log: bool| -> Vec<f64> {
            let mut all = Vec::with_capacity(detections.len());
            for frame in &detections.frames {
                match pick(frame) {
                    Some(c) if !c.is_empty() => all.extend(c.iter().map(|&v| if log { v.ln() } else { v })),
                    _ => all.extend(std::iter::repeat_n(f64::NAN, frame.len())),
                }
            }
            all
        };
        let mut columns = vec![
            column(&|f| Some(&f.area), true),
            column(&|f| Some(&f.intensity), true),
        ];
        for k in 0..detections.feature_names.len() {
            columns.push(column(&|f| f.features.get(k).map(Vec::as_slice), false));
        }
        let features: Vec<Feature> = columns
            .into_iter()
            .filter_map(|c| Feature::new(c, scene))
            .collect();
        let shrink = effective_share(&features);
        let mitosis = column(&|f| Some(&f.mitosis), false);
        let known: Vec<f64> = mitosis.iter().copied().filter(|v| !v.is_nan()).collect();
        let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
        let mean = mean.clamp(1e-3, 0.5);
        Self {
            features,
            shrink,
            mitosis: if known.is_empty() { vec![] } else { mitosis },
            mitotic: (mean, (mean * 20.0).clamp(0.3, 0.8)),
        }
    }

    /// Number of features in use.
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Log likelihood ratio of one cell against two.
    #[inline]
    pub fn log_link(&self, from: usize, to: usize) -> f64 {
        if self.features.is_empty() {
            return 0.0;
        }
        let sum: f64 = self
            .features
            .iter()
            .filter_map(|f| f.bin(from, to).map(|b| f.link[b]))
            .sum();
        self.shrink * sum
    }

    /// Log likelihood ratio of mother and daughters against three unrelated cells.
    pub fn log_division(&self, mother: usize, daughters: [usize; 2]) -> f64 {
        let sum: f64 = self
            .features
            .iter()
            .filter_map(|f| f.log_division(mother, daughters))
            .sum();
        self.shrink * sum + self.log_mitotic(mother)
    }

    fn log_mitotic(&self, mother: usize) -> f64 {
        let Some(&m) = self.mitosis.get(mother) else {
            return 0.0;
        };
        if m.is_nan() {
            return 0.0;
        }
        let (all, mothers) = self.mitotic;
        (m * mothers / all + (1.0 - m) * (1.0 - mothers) / (1.0 - all)).ln()
    }

    /// Log factor of not dividing, given the mitotic probability: the counterpart is in `log_division`, so none.
    pub fn data(&self) -> Vec<FeatureData> {
        vec![
            FeatureData {
                bins: vec![0.0; BINS],
                ..FeatureData::default()
            };
            self.features.len()
        ]
    }

    /// Notes a link.
    pub fn add_link(&self, data: &mut [FeatureData], from: usize, to: usize, weight: f64) {
        for (f, d) in self.features.iter().zip(data) {
            if let Some(b) = f.bin(from, to) {
                d.bins[b] += weight;
            }
        }
    }

    /// Notes a division.
    pub fn add_division(&self, data: &mut [FeatureData], mother: usize, daughters: [usize; 2], weight: f64) {
        for (f, d) in self.features.iter().zip(data) {
            if let Some((change, unlike)) = f.of_division(mother, daughters) {
                d.change[0] += weight;
                d.change[1] += weight * change;
                d.change[2] += weight * change * change;
                d.unlike += weight * unlike * unlike;
            }
        }
    }

    /// Adds what another part of the movie has taught.
    pub fn merge(data: &mut [FeatureData], other: &[FeatureData]) {
        for (a, b) in data.iter_mut().zip(other) {
            a.bins.iter_mut().zip(&b.bins).for_each(|(x, y)| *x += y);
            a.change.iter_mut().zip(&b.change).for_each(|(x, y)| *x += y);
            a.unlike += b.unlike;
        }
    }

    /// Estimates the laws anew.
    pub fn fit(&mut self, data: &[FeatureData], mother_mitosis: Option<f64>) {
        for (f, d) in self.features.iter_mut().zip(data) {
            f.fit(d);
        }
        if let Some(m) = mother_mitosis {
            self.mitotic.1 = m.clamp(self.mitotic.0, 0.98);
        }
    }

    /// The probability of mitosis of an object, where known.
    pub fn mitosis_of(&self, object: usize) -> Option<f64> {
        self.mitosis.get(object).copied().filter(|m| !m.is_nan())
    }
}

impl Feature {
    /// `None` if fewer than 30 differences between cells can be had, or all are equal.
    fn new(values: Vec<f64>, scene: &Scene) -> Option<Self> {
        let mut unlike = differences(&values, scene);
        if unlike.len() < 30 {
            return None;
        }
        unlike.sort_by(f64::total_cmp);
        let at = |q: f64| unlike[((q * unlike.len() as f64) as usize).min(unlike.len() - 1)];
        if at(0.95) <= 0.0 {
            return None;
        }
        let edges = RANKS.map(at);
        // A robust variance of one value: differences of two have twice that; the median absolute difference is 0.6745 sd.
        let population = (at(0.5) / 0.6745).max(at(0.95) / 4.0).powi(2) / 2.0;
        let mut feature = Self {
            values,
            edges,
            link: [0.0; BINS],
            change: (0.0, population),
            unlike: population,
            population,
        };
        feature.fit(&FeatureData {
            bins: vec![0.0; BINS],
            ..FeatureData::default()
        });
        Some(feature)
    }

    fn bin(&self, from: usize, to: usize) -> Option<usize> {
        let d = (self.values[to] - self.values[from]).abs();
        (!d.is_nan()).then(|| self.edges.partition_point(|&e| e < d))
    }

    fn of_division(&self, mother: usize, daughters: [usize; 2]) -> Option<(f64, f64)> {
        let (m, a, b) = (
            self.values[mother],
            self.values[daughters[0]],
            self.values[daughters[1]],
        );
        let change = (a + b) / 2.0 - m;
        (!change.is_nan()).then_some((change, a - b))
    }

    fn log_division(&self, mother: usize, daughters: [usize; 2]) -> Option<f64> {
        let (change, unlike) = self.of_division(mother, daughters)?;
        let normal = |x: f64, v: f64| -0.5 * (x * x / v + v.ln());
        // Heavier tails than the normal: at most e^-6 against the population.
        let ratio = normal(change - self.change.0, self.change.1) - normal(change, 1.5 * self.population)
            + normal(unlike, self.unlike)
            - normal(unlike, 2.0 * self.population);
        Some(ratio.clamp(-6.0, 6.0))
    }

    fn fit(&mut self, data: &FeatureData) {
        let mut low = 0.0;
        let total: f64 = data.bins.iter().sum();
        for (b, &high) in RANKS.iter().chain([&1.0]).enumerate() {
            let share = high - low;
            // Beforehand: somewhat more alike than different cells, densities falling as 2 (1 - rank).
            let prior = share * 2.0 * (1.0 - (low + high) / 2.0);
            let p = (PRIOR_LINKS * prior + data.bins[b]) / (PRIOR_LINKS + total);
            self.link[b] = (p / share).ln();
            low = high;
        }
        let [n, sum, square] = data.change;
        let mean = sum / (n + 1.0);
        let about = (square - 2.0 * mean * sum + n * mean * mean).max(0.0);
        let prior = 1.5 * self.population;
        self.change = (mean, (PRIOR_DIVISIONS * prior + about) / (PRIOR_DIVISIONS + n));
        self.unlike = (PRIOR_DIVISIONS * self.population + data.unlike) / (PRIOR_DIVISIONS + n);
    }
}

/// Absolute differences between cells of one frame: each with the one half the frame's list further on.
fn differences(values: &[f64], scene: &Scene) -> Vec<f64> {
    let mut all = vec![];
    let every = (scene.frames() / 50).max(1);
    for t in (0..scene.frames()).step_by(every) {
        let objects = scene.objects(t);
        let n = objects.len();
        for i in 0..n {
            let j = (i + n / 2) % n;
            let d = (values[objects.start + i] - values[objects.start + j]).abs();
            if i != j && !d.is_nan() {
                all.push(d);
            }
        }
    }
    all
}

/// Effective number of features divided by their number: m / sum of squared correlations of all pairs.
fn effective_share(features: &[Feature]) -> f64 {
    let m = features.len();
    if m < 2 {
        return 1.0;
    }
    let every = (features[0].values.len() / 4000).max(1);
    let mut squares = 0.0;
    for a in features {
        for b in features {
            let r = correlation(
                a.values
                    .iter()
                    .zip(&b.values)
                    .step_by(every)
                    .map(|(&x, &y)| (x, y)),
            );
            squares += r * r;
        }
    }
    (m as f64 / squares).clamp(1.0 / m as f64, 1.0)
}

fn correlation(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut n, mut sx, mut sy, mut sxx, mut syy, mut sxy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (x, y) in pairs.filter(|p| !(p.0.is_nan() || p.1.is_nan())) {
        n += 1.0;
        sx += x;
        sy += y;
        sxx += x * x;
        syy += y * y;
        sxy += x * y;
    }
    let v = (n * sxx - sx * sx) * (n * syy - sy * sy);
    if v > 0.0 {
        (n * sxy - sx * sy) / v.sqrt()
    } else {
        0.0
    }
}
