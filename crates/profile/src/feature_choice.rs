//! Which features go into distances, and their scaling on a plate's negative controls.

use ndarray::{Array2, ArrayView2, Axis};
use uncertainty::{MAD_TO_SD, median};

/// A feature with more missing values than this share is left out.
const MAX_MISSING: f64 = 0.05;
/// Scaled values are cut at this many robust deviations before a covariance or a cluster is fitted, so that one bright speck
/// does not make it.
pub(crate) const FIT_CUT: f64 = 4.0;
/// What makes a feature few and steady enough.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeatureLimits {
    /// A feature is left out when more than this share of its variance over control cells lies between control wells:
    /// it then tells wells apart that were treated alike.
    pub well_share: f64,
    /// Of two features that correlate more than this over control cells, the one that is steadier between wells stays.
    pub correlation: f64,
    /// At most this many features, the steadiest first: the fewer near copies, the more a real shift stands out.
    pub features: usize,
}

impl Default for FeatureLimits {
    fn default() -> Self {
        Self {
            well_share: 0.2,
            correlation: 0.8,
            features: 24,
        }
    }
}

/// Center and spread of every feature on reference cells.
#[derive(Clone, Debug)]
pub(crate) struct RobustScale {
    center: Vec<f64>,
    spread: Vec<f64>,
}

impl RobustScale {
    /// Median and 1.4826 MAD of each column over `rows`; a column without spread or values gets spread 0.
    pub(crate) fn fit(values: ArrayView2<f32>, rows: &[usize]) -> Self {
        let (mut center, mut spread) = (Vec::new(), Vec::new());
        for column in values.axis_iter(Axis(1)) {
            let here: Vec<f64> = rows
                .iter()
                .map(|&r| f64::from(column[r]))
                .filter(|v| v.is_finite())
                .collect();
            let middle = median(&here).unwrap_or(0.0);
            let deviations: Vec<f64> = here.iter().map(|v| (v - middle).abs()).collect();
            center.push(middle);
            spread.push(MAD_TO_SD * median(&deviations).unwrap_or(0.0));
        }
        Self { center, spread }
    }

    /// Robust z of `rows`, cut at ±`cut`; a missing value is 0 (the reference median), as is a column without spread.
    pub(crate) fn apply(&self, values: ArrayView2<f32>, rows: &[usize], cut: f64) -> Array2<f64> {
        Array2::from_shape_fn((rows.len(), values.ncols()), |(i, j)| {
            let x = f64::from(values[[rows[i], j]]);
            if x.is_finite() && self.spread[j] > 0.0 {
                ((x - self.center[j]) / self.spread[j]).clamp(-cut, cut)
            } else {
                0.0
            }
        })
    }

    /// One robust z, not cut.
    pub(crate) fn z(&self, column: usize, x: f64) -> Option<f64> {
        (x.is_finite() && self.spread[column] > 0.0).then(|| (x - self.center[column]) / self.spread[column])
    }

    /// Whether the column has a spread.
    pub(crate) fn has_spread(&self, column: usize) -> bool {
        self.spread[column] > 0.0
    }
}

/// The reference cells of one plate: rows, and the group (well) of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReferenceCells {
    pub rows: Vec<usize>,
    pub group: Vec<usize>,
}

/// What was kept and why the rest was not.
#[derive(Clone, Debug, Default)]
pub(crate) struct FeatureChoice {
    /// Columns of the feature matrix that stay, ascending.
    pub kept: Vec<usize>,
    /// Left out: (column, reason).
    pub dropped: Vec<(usize, &'static str)>,
}

/// Chooses few and steady features: enough values, a spread on every reference, little variance between reference
/// wells, no near copies.
///
/// `references`: per plate the control cells (all cells of a plate without controls).
pub(crate) fn choose_features(
    values: ArrayView2<f32>,
    references: &[ReferenceCells],
    limits: FeatureLimits,
) -> FeatureChoice {
    let mut choice = FeatureChoice::default();
    let n = values.nrows().max(1) as f64;
    let scales: Vec<RobustScale> = references
        .iter()
        .map(|r| RobustScale::fit(values, &r.rows))
        .collect();
    let mut candidates = Vec::new();
    for (j, column) in values.axis_iter(Axis(1)).enumerate() {
        let missing = column.iter().filter(|v| !v.is_finite()).count() as f64 / n;
        if missing > MAX_MISSING {
            choice.dropped.push((j, "too many missing values"));
        } else if scales.iter().any(|s| !s.has_spread(j)) {
            choice.dropped.push((j, "no spread on the reference cells"));
        } else {
            candidates.push(j);
        }
    }

    // All reference cells on one scale, plate by plate.
    let n_reference: usize = references.iter().map(|r| r.rows.len()).sum();
    let mut scaled = Array2::<f64>::zeros((n_reference, values.ncols()));
    let mut group = Vec::with_capacity(n_reference);
    let mut at = 0;
    for (reference, scale) in references.iter().zip(&scales) {
        let z = scale.apply(values, &reference.rows, FIT_CUT);
        scaled
            .slice_axis_mut(Axis(0), (at..at + z.nrows()).into())
            .assign(&z);
        group.extend(&reference.group);
        at += z.nrows();
    }
    let shares: Vec<f64> = (0..values.ncols())
        .map(|j| well_share(scaled.column(j), &group))
        .collect();
    candidates.sort_by(|&a, &b| shares[a].total_cmp(&shares[b]).then(a.cmp(&b)));
    let standard = standardized(&scaled);
    let mut kept: Vec<usize> = Vec::new();
    for j in candidates {
        // The two steadiest stay in any case: a plate whose wells all differ still has a distance.
        if shares[j] > limits.well_share && kept.len() >= 2 {
            choice.dropped.push((j, "differs between control wells"));
        } else if kept
            .iter()
            .any(|&k| (standard.column(j).dot(&standard.column(k))).abs() > limits.correlation)
        {
            choice.dropped.push((j, "nearly a copy of a steadier feature"));
        } else if kept.len() >= limits.features {
            choice.dropped.push((j, "less steady than the features kept"));
        } else {
            kept.push(j);
        }
    }
    kept.sort_unstable();
    choice.dropped.sort_unstable();
    choice.kept = kept;
    choice
}

/// Columns with mean 0 and length 1 (a constant column becomes 0), so that a dot product is a correlation.
fn standardized(values: &Array2<f64>) -> Array2<f64> {
    let mut out = values.clone();
    for mut column in out.axis_iter_mut(Axis(1)) {
        let mean = column.mean().unwrap_or(0.0);
        column -= mean;
        let length = column.dot(&column).sqrt();
        if length > 0.0 {
            column /= length;
        }
    }
    out
}

/// Share of variance between groups (one-way random effects, method of moments), in 0..=1; 0 with fewer than two groups.
fn well_share(values: ndarray::ArrayView1<f64>, group: &[usize]) -> f64 {
    let mut sums = std::collections::BTreeMap::<usize, (f64, f64, f64)>::new();
    for (&v, &g) in values.iter().zip(group) {
        let entry = sums.entry(g).or_insert((0.0, 0.0, 0.0));
        entry.0 += 1.0;
        entry.1 += v;
        entry.2 += v * v;
    }
    let groups = sums.len() as f64;
    let n: f64 = sums.values().map(|s| s.0).sum();
    if groups < 2.0 || n <= groups {
        return 0.0;
    }
    let mean = sums.values().map(|s| s.1).sum::<f64>() / n;
    let between = sums
        .values()
        .map(|s| s.0 * (s.1 / s.0 - mean).powi(2))
        .sum::<f64>()
        / (groups - 1.0);
    let within = sums.values().map(|s| s.2 - s.1 * s.1 / s.0).sum::<f64>() / (n - groups);
    let size = (n - sums.values().map(|s| s.0 * s.0).sum::<f64>() / n) / (groups - 1.0);
    let variance = ((between - within) / size).max(0.0);
    if variance + within > 0.0 {
        variance / (variance + within)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uncertainty::{stream, uniform};

    #[test]
    fn unsteady_doubled_constant_and_missing_features_go_and_the_steady_one_stays() {
        let mut rng = stream(1, "feature choice");
        let n = 400;
        let group: Vec<usize> = (0..n).map(|i| i / 50).collect();
        let mut values = Array2::<f32>::zeros((n, 6));
        for i in 0..n {
            let u = uniform(&mut rng) as f32;
            values[[i, 0]] = u;
            values[[i, 1]] = 3.0 * u + 0.01 * uniform(&mut rng) as f32;
            values[[i, 2]] = uniform(&mut rng) as f32 + group[i] as f32;
            values[[i, 3]] = 7.0;
            values[[i, 4]] = if i % 10 == 0 {
                f32::NAN
            } else {
                uniform(&mut rng) as f32
            };
            values[[i, 5]] = uniform(&mut rng) as f32;
        }
        let reference = ReferenceCells {
            rows: (0..n).collect(),
            group,
        };
        let choice = choose_features(values.view(), &[reference], FeatureLimits::default());
        assert!(choice.kept.contains(&5) && choice.kept.len() == 2, "{choice:?}");
        assert!(choice.kept.contains(&0) ^ choice.kept.contains(&1), "{choice:?}");
        let reasons: std::collections::BTreeMap<_, _> = choice.dropped.iter().copied().collect();
        assert_eq!(reasons[&2], "differs between control wells");
        assert_eq!(reasons[&3], "no spread on the reference cells");
        assert_eq!(reasons[&4], "too many missing values");
    }
}
