//! Class shares of a plate from calibrated probabilities (label shift), by maximum likelihood.

use crate::bootstrap::{percentile, resample_groups};
use ndarray::{Array2, ArrayView2};
use rand_chacha::ChaCha8Rng;

/// Largest change of a share at which the iteration has arrived.
const TOLERANCE: f64 = 1e-13;
/// The same for resamples, whose spread is far larger.
const RESAMPLE_TOLERANCE: f64 = 1e-7;
/// Steps at most: near the boundary the iteration is slow.
const MAX_STEPS: usize = 100_000;

/// Estimated class shares.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelShift {
    /// Share of each class, ≥ 0, sums to 1.
    pub share: Vec<f64>,
    /// Steps taken.
    pub iterations: usize,
    /// Whether the shares stopped changing.
    pub converged: bool,
}

/// Maximum-likelihood class shares under label shift (the EM of Saerens, Latinne, Decaestecker).
///
/// Shapes: `probability` is object × class, **calibrated** for the shares `prior` (each > 0) it was trained at. Rows with a NaN are left out.
/// `None` without usable rows or classes, when `prior` has another length or a share that is not positive.
/// A novel phenotype breaks the assumption: leave flagged cells out first and report their share apart.
/// Source: Saerens et al. 2002; METHODS.md section 11.
pub fn label_shift_em(probability: ArrayView2<f64>, prior: &[f64]) -> Option<LabelShift> {
    let density = Density::new(probability, prior)?;
    let weight: Vec<f64> = density
        .used
        .iter()
        .map(|&used| f64::from(u8::from(used)))
        .collect();
    density.maximize(&weight, density.prior.clone(), TOLERANCE)
}

/// Percentile interval (low, high) of each class's share, whole groups (wells) resampled.
///
/// `level` in (0, 1), `rounds` about 2000, `rng` from [`crate::stream`]. `None` as [`label_shift_em`], and with fewer than two groups.
/// The interval holds the cells' variation, not the doubt about the calibration. Panics: when `groups` has another length.
pub fn label_shift_interval(
    probability: ArrayView2<f64>,
    prior: &[f64],
    groups: &[u32],
    level: f64,
    rounds: usize,
    rng: &mut ChaCha8Rng,
) -> Option<Vec<(f64, f64)>> {
    assert_eq!(groups.len(), probability.nrows(), "one group per row");
    let density = Density::new(probability, prior)?;
    // Starting from the answer saves most of the steps; every class starts above 0, or it could never come back.
    let start = label_shift_em(probability, prior)?.share;
    let floor = 1e-3 / prior.len() as f64;
    let start: Vec<f64> = start.iter().map(|s| s.max(floor)).collect();
    let mut drawn: Vec<Vec<f64>> = vec![Vec::with_capacity(rounds); prior.len()];
    let mut weight = vec![0.0; groups.len()];
    resample_groups(groups, rounds, rng, |rows| {
        weight.fill(0.0);
        rows.iter()
            .filter(|&&r| density.used[r])
            .for_each(|&r| weight[r] += 1.0);
        if let Some(shift) = density.maximize(&weight, start.clone(), RESAMPLE_TOLERANCE) {
            drawn
                .iter_mut()
                .zip(shift.share)
                .for_each(|(all, share)| all.push(share));
        }
    })?;
    let ends = |all: &Vec<f64>| {
        Some((
            percentile(all, (1.0 - level) / 2.0)?,
            percentile(all, (1.0 + level) / 2.0)?,
        ))
    };
    drawn.iter().map(ends).collect()
}

/// Probabilities re-adjusted from the shares `prior` to the shares `share`: p_k share_k/prior_k, renormalised.
///
/// Shapes: object × class in and out. A row with a NaN, or one whose adjusted sum is 0, becomes NaN. Panics: when lengths differ.
pub fn adjust_to_shares(probability: ArrayView2<f64>, prior: &[f64], share: &[f64]) -> Array2<f64> {
    assert_eq!(
        (probability.ncols(), prior.len()),
        (share.len(), share.len()),
        "one share per class"
    );
    let mut adjusted = probability.to_owned();
    for mut row in adjusted.outer_iter_mut() {
        row.iter_mut()
            .zip(prior.iter().zip(share))
            .for_each(|(p, (old, new))| *p *= new / old);
        let sum = row.sum();
        row.mapv_inplace(|p| if sum > 0.0 { p / sum } else { f64::NAN });
    }
    adjusted
}

/// Class densities up to a factor per row: p_k / prior_k.
struct Density {
    ratio: Array2<f64>,
    prior: Vec<f64>,
    used: Vec<bool>,
}

impl Density {
    fn new(probability: ArrayView2<f64>, prior: &[f64]) -> Option<Self> {
        let positive = prior.iter().all(|&s| s > 0.0 && s.is_finite());
        if prior.is_empty() || probability.ncols() != prior.len() || !positive {
            return None;
        }
        let total: f64 = prior.iter().sum();
        let prior: Vec<f64> = prior.iter().map(|s| s / total).collect();
        let mut ratio = probability.to_owned();
        ratio
            .outer_iter_mut()
            .for_each(|mut row| row.iter_mut().zip(&prior).for_each(|(p, s)| *p /= s));
        let used: Vec<bool> = ratio.outer_iter().map(|row| row.sum() > 0.0).collect();
        used.contains(&true).then_some(Self { ratio, prior, used })
    }

    fn maximize(&self, weight: &[f64], start: Vec<f64>, tolerance: f64) -> Option<LabelShift> {
        let total: f64 = weight.iter().sum();
        if total <= 0.0 {
            return None;
        }
        let mut share = start;
        for step in 1..=MAX_STEPS {
            let mut next = vec![0.0; share.len()];
            for (row, &w) in self.ratio.outer_iter().zip(weight).filter(|(_, w)| **w > 0.0) {
                let sum: f64 = row.iter().zip(&share).map(|(r, s)| r * s).sum();
                let scale = w / (sum * total);
                next.iter_mut()
                    .zip(row.iter().zip(&share))
                    .for_each(|(n, (r, s))| *n += r * s * scale);
            }
            let change = next
                .iter()
                .zip(&share)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f64::max);
            share = next;
            if change < tolerance {
                return Some(LabelShift {
                    share,
                    iterations: step,
                    converged: true,
                });
            }
        }
        Some(LabelShift {
            share,
            iterations: MAX_STEPS,
            converged: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::stream;
    use ndarray::array;

    #[test]
    fn certain_probabilities_are_counted() {
        let p = array![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [f64::NAN, 0.0]];
        let shift = label_shift_em(p.view(), &[0.5, 0.5]).unwrap();
        assert!(shift.converged && (shift.share[0] - 0.75).abs() < 1e-12);
        assert!(label_shift_em(p.view(), &[1.0, 0.0]).is_none());
        let at_home = adjust_to_shares(p.view(), &[0.5, 0.5], &[0.75, 0.25]);
        assert_eq!(at_home.row(2).to_vec(), [0.0, 1.0]);
    }

    #[test]
    fn the_interval_holds_the_estimate() {
        // 10 wells of 10 cells, the share of class 0 varies between wells.
        let rows: Vec<[f64; 2]> = (0..100)
            .map(|i| {
                if i % 10 < 3 + (i / 10) % 3 {
                    [0.9, 0.1]
                } else {
                    [0.2, 0.8]
                }
            })
            .collect();
        let p = Array2::from(rows);
        let wells: Vec<u32> = (0..100).map(|i| i / 10).collect();
        let share = label_shift_em(p.view(), &[0.4, 0.6]).unwrap().share;
        let mut rng = stream(1, "shares");
        let ends = label_shift_interval(p.view(), &[0.4, 0.6], &wells, 0.9, 200, &mut rng).unwrap();
        assert!(ends[0].0 < share[0] && share[0] < ends[0].1, "{ends:?} {share:?}");
        assert!(label_shift_interval(p.view(), &[0.4, 0.6], &[0; 100], 0.9, 200, &mut rng).is_none());
    }
}
