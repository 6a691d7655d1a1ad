//! Binned calibration errors, always to be read beside what chance gives.

use crate::bootstrap::percentile;
use crate::stream::{below, uniform};
use ndarray::{ArrayView2, Axis};
use rand_chacha::ChaCha8Rng;

/// The calibration error that a perfectly calibrated model would show at this sample size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NullBand {
    /// 5th percentile.
    pub low: f64,
    /// Median: never 0, because the error of a finite sample is biased up.
    pub median: f64,
    /// 95th percentile.
    pub high: f64,
    /// (1 + rounds at or above the observed error) / (rounds + 1). Groups are ignored: dependent cells make it too small.
    pub p: f64,
}

/// Rows of one bin.
pub(crate) struct Bin {
    pub(crate) n: usize,
    pub(crate) mean_confidence: f64,
    pub(crate) hits: usize,
}

impl Bin {
    pub(crate) fn share(&self) -> f64 {
        self.hits as f64 / self.n as f64
    }

    fn gap(&self) -> f64 {
        (self.mean_confidence - self.share()).abs()
    }
}

/// Bins of equal mass by rank of confidence: as numpy's `array_split` of a stable sort, the first bins one row larger.
pub(crate) fn equal_mass_bins(confidence: &[f64], hit: &[bool], bins: usize) -> Vec<Bin> {
    let n = confidence.len();
    let bins = bins.min(n);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| confidence[a].total_cmp(&confidence[b]));
    let mut rest = order.as_slice();
    let mut made = Vec::with_capacity(bins);
    for bin in 0..bins {
        let (rows, after) = rest.split_at(n / bins + usize::from(bin < n % bins));
        rest = after;
        let mean_confidence = rows.iter().map(|&r| confidence[r]).sum::<f64>() / rows.len() as f64;
        made.push(Bin {
            n: rows.len(),
            mean_confidence,
            hits: rows.iter().filter(|&&r| hit[r]).count(),
        });
    }
    made
}

fn usable(confidence: &[f64], hit: &[bool], bins: usize) -> bool {
    assert_eq!(confidence.len(), hit.len(), "one hit or miss per confidence");
    !confidence.is_empty() && bins > 0 && !confidence.iter().any(|c| c.is_nan())
}

/// Expected calibration error of the top class with bins of equal mass, Σ_b n_b/n |mean confidence - share of hits|.
///
/// Biased up: about 0.066 for perfect forecasts at n = 200 and 15 bins; print [`ece_null_band`] beside it.
/// `None` without rows, without bins or with a NaN. Panics: when the lengths differ. Source: Naeini 2015, Guo 2017.
pub fn ece_equal_mass(confidence: &[f64], hit: &[bool], bins: usize) -> Option<f64> {
    usable(confidence, hit, bins).then(|| {
        let made = equal_mass_bins(confidence, hit, bins);
        made.iter().map(|b| b.n as f64 * b.gap()).sum::<f64>() / confidence.len() as f64
    })
}

/// [`ece_equal_mass`] with bins of equal width [a, b); the last one includes 1. Empty bins weigh nothing.
pub fn ece_equal_width(confidence: &[f64], hit: &[bool], bins: usize) -> Option<f64> {
    usable(confidence, hit, bins).then(|| {
        let mut gap = vec![0.0; bins];
        for (&c, &h) in confidence.iter().zip(hit) {
            let bin = ((c * bins as f64).max(0.0) as usize).min(bins - 1);
            gap[bin] += f64::from(u8::from(h)) - c;
        }
        gap.iter().map(|g| g.abs()).sum::<f64>() / confidence.len() as f64
    })
}

/// The band of [`ece_equal_mass`] under perfect calibration: each round resamples the rows with replacement and draws
/// every row's hit as a coin with the row's own confidence.
///
/// `rounds` ≥ 200, `rng` from [`crate::stream`]. `None` as [`ece_equal_mass`], or without rounds.
/// Source: Broecker, Smith 2007; Vaicenavicius 2019; METHODS.md section 3.
pub fn ece_null_band(
    confidence: &[f64],
    hit: &[bool],
    bins: usize,
    rounds: usize,
    rng: &mut ChaCha8Rng,
) -> Option<NullBand> {
    let observed = ece_equal_mass(confidence, hit, bins)?;
    let n = confidence.len();
    let mut drawn = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let sample: Vec<f64> = (0..n).map(|_| confidence[below(rng, n)]).collect();
        let coins: Vec<bool> = sample.iter().map(|&c| uniform(rng) < c).collect();
        drawn.push(ece_equal_mass(&sample, &coins, bins)?);
    }
    let at_or_above = drawn.iter().filter(|&&e| e >= observed).count();
    Some(NullBand {
        low: percentile(&drawn, 0.05)?,
        median: percentile(&drawn, 0.5)?,
        high: percentile(&drawn, 0.95)?,
        p: (1 + at_or_above) as f64 / (rounds + 1) as f64,
    })
}

/// Debiased l2 calibration error: root of the positive part of Σ_b n_b/n [gap² - ȳ(1-ȳ)/(n_b-1)], bins of equal mass.
///
/// About 0 for a calibrated model. Bins with fewer than two rows count 0. `None` as [`ece_equal_mass`].
/// Source: Broecker 2012; Kumar, Liang, Ma 2019; METHODS.md section 3.
pub fn debiased_l2(confidence: &[f64], hit: &[bool], bins: usize) -> Option<f64> {
    debiased_square(confidence, hit, bins).map(f64::sqrt)
}

fn debiased_square(confidence: &[f64], hit: &[bool], bins: usize) -> Option<f64> {
    usable(confidence, hit, bins).then(|| {
        let square = |b: &Bin| {
            let share = b.share();
            b.n as f64 * (b.gap().powi(2) - share * (1.0 - share) / (b.n as f64 - 1.0))
        };
        let made = equal_mass_bins(confidence, hit, bins);
        let sum: f64 = made.iter().filter(|b| b.n > 1).map(square).sum();
        (sum / confidence.len() as f64).max(0.0)
    })
}

/// One binary problem per class: its probability and whether the row is of the class.
fn per_class(
    probability: ArrayView2<f64>,
    label: &[usize],
    mut measure: impl FnMut(&[f64], &[bool]) -> Option<f64>,
) -> Option<Vec<f64>> {
    assert_eq!(probability.nrows(), label.len(), "one label per row");
    let columns = probability.axis_iter(Axis(1)).enumerate();
    let class = |(class, p): (usize, ndarray::ArrayView1<f64>)| {
        let is_class: Vec<bool> = label.iter().map(|&y| y == class).collect();
        measure(&p.to_vec(), &is_class)
    };
    columns.map(class).collect()
}

/// Equal-width calibration error of every class's probability (one against rest); their mean is the class-wise ECE.
///
/// Shapes: `probability` is object × class, `label` one class per object. `None` as [`ece_equal_mass`].
/// Source: Kull 2019; Nixon 2019.
pub fn classwise_ece(probability: ArrayView2<f64>, label: &[usize], bins: usize) -> Option<Vec<f64>> {
    per_class(probability, label, |p, is_class| {
        ece_equal_width(p, is_class, bins)
    })
}

/// Class-wise debiased l2 calibration error: root mean square of the classes' [`debiased_l2`] (the project's default beside smECE).
///
/// Shapes as [`classwise_ece`]. `None` as [`ece_equal_mass`]. Source: Kumar, Liang, Ma 2019 ("marginal").
pub fn classwise_debiased_l2(probability: ArrayView2<f64>, label: &[usize], bins: usize) -> Option<f64> {
    let squares = per_class(probability, label, |p, is_class| {
        debiased_square(p, is_class, bins)
    })?;
    Some((squares.iter().sum::<f64>() / squares.len() as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_split_as_numpy_does() {
        let sizes = |n: usize| {
            let c: Vec<f64> = (0..n).map(|i| i as f64 / n as f64).collect();
            equal_mass_bins(&c, &vec![true; n], 3)
                .iter()
                .map(|b| b.n)
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(8), [3, 3, 2]);
        assert_eq!(sizes(2), [1, 1]);
        assert!(sizes(0).is_empty());
    }

    #[test]
    fn a_sure_and_right_model_has_no_error_and_nothing_gives_nothing() {
        assert_eq!(ece_equal_mass(&[1.0, 1.0], &[true, true], 15), Some(0.0));
        assert_eq!(ece_equal_width(&[1.0, 1.0], &[true, false], 15), Some(0.5));
        assert_eq!(ece_equal_mass(&[], &[], 15), None);
        assert_eq!(ece_equal_mass(&[f64::NAN], &[true], 15), None);
    }
}
