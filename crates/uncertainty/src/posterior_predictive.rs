//! Share of flagged cells in a new well, given control wells, with mean and correlation integrated out.

use crate::beta_binomial::BetaBinomial;
use std::f64::consts::FRAC_PI_2;

/// Grid points of the mean share, even in arcsin √mean: with equal weights that is Jeffreys' prior Beta(1/2, 1/2).
const MEANS: usize = 400;
/// Grid points of the correlation.
const RHOS: usize = 32;
/// Range of the correlation; its prior is even in √rho: it leans towards wells that are alike, but does not rule out wells that are not.
const RHO_RANGE: (f64, f64) = (1e-4, 0.8);
/// Grid points whose posterior weight is below this share of the largest are left out.
const NEGLIGIBLE: f64 = 1e-10;
/// Fewest control wells that say anything about differences between wells.
const FEWEST_CONTROLS: usize = 2;

/// Posterior of the beta-binomial law of control wells on a fixed grid: prepared once a plate, asked for every well.
///
/// Prior: mean ~ Beta(1/2, 1/2), √rho even on 0.01..0.894, independent.
/// Simulated level of p ≤ 0.01 for new wells like the controls (60 cells, 6 % flagged): 8 control wells 0.002 (rho 0.02),
/// 0.009 (0.15), 0.002 (0.3); 16 wells 0.005 (0.15); 25 wells 0.010 (0.1). A prior even in ln rho reached 0.020 with 8 wells.
#[derive(Debug, Clone, PartialEq)]
pub struct PosteriorPredictive {
    laws: Vec<(f64, BetaBinomial)>,
}

impl PosteriorPredictive {
    /// Weighs every grid point by the likelihood of the control wells (flagged cells, cells).
    ///
    /// `None` with fewer than two control wells that have cells. Panics: when more cells are flagged than there are.
    /// Cost: a few thousand × control wells evaluations of the beta-binomial law (some milliseconds); keep the result for all wells of a plate.
    pub fn fit(controls: &[(u64, u64)]) -> Option<Self> {
        let wells: Vec<(u64, u64)> = controls.iter().copied().filter(|&(_, n)| n > 0).collect();
        assert!(
            wells.iter().all(|(k, n)| k <= n),
            "more flagged cells than cells in a well"
        );
        if wells.len() < FEWEST_CONTROLS {
            return None;
        }
        let (hits, cells) = wells
            .iter()
            .fold((0, 0), |sum, well| (sum.0 + well.0, sum.1 + well.1));
        let pooled = (hits as f64 / cells as f64).sqrt().asin() / FRAC_PI_2;
        let start = ((pooled * MEANS as f64) as usize).min(MEANS - 1);
        let mut laws: Vec<(f64, BetaBinomial)> = Vec::new();
        let mut best = f64::NEG_INFINITY;
        for j in 0..RHOS {
            let (low, high) = (RHO_RANGE.0.sqrt(), RHO_RANGE.1.sqrt());
            let rho = (low + (high - low) * (j as f64 + 0.5) / RHOS as f64).powi(2);
            let at = |i: usize| {
                let mean = (FRAC_PI_2 * (i as f64 + 0.5) / MEANS as f64).sin().powi(2);
                let law = BetaBinomial::with_mean(mean, rho);
                (law.ln_likelihood(&wells), law)
            };
            // For a given rho the log-likelihood is concave in the mean (a sum of logarithms of linear terms): walk from the
            // pooled share to the top, then down both sides until nothing that counts is left.
            let mut top = (start, at(start));
            for step in [-1_isize, 1] {
                while let Some(next) = top.0.checked_add_signed(step).filter(|&i| i < MEANS) {
                    let value = at(next);
                    if value.0 <= top.1.0 {
                        break;
                    }
                    top = (next, value);
                }
            }
            best = best.max(top.1.0);
            laws.push(top.1);
            for step in [-1_isize, 1] {
                let mut i = top.0;
                while let Some(next) = i.checked_add_signed(step).filter(|&i| i < MEANS) {
                    let value = at(next);
                    if value.0 < best + NEGLIGIBLE.ln() {
                        break;
                    }
                    laws.push(value);
                    i = next;
                }
            }
        }
        let largest = laws.iter().map(|(l, _)| *l).fold(f64::NEG_INFINITY, f64::max);
        laws.iter_mut().for_each(|(l, _)| *l = (*l - largest).exp());
        laws.retain(|(weight, _)| *weight > NEGLIGIBLE);
        let total: f64 = laws.iter().map(|(weight, _)| weight).sum();
        laws.iter_mut().for_each(|(weight, _)| *weight /= total);
        Some(Self { laws })
    }

    /// P(K ≥ k) among the n cells of a new well like the controls: the p-value of an enriched well, in (0, 1].
    ///
    /// A well without cells has p = 1. Panics: when k > n.
    pub fn upper_tail(&self, k: u64, n: u64) -> f64 {
        assert!(k <= n, "{k} flagged cells of {n}");
        self.laws
            .iter()
            .map(|(weight, law)| weight * law.upper_tail(k, n))
            .sum::<f64>()
            .min(1.0)
    }

    /// P(K ≤ k) among the n cells of a new well like the controls: the p-value of a depleted well. Otherwise as [`Self::upper_tail`].
    pub fn lower_tail(&self, k: u64, n: u64) -> f64 {
        assert!(k <= n, "{k} flagged cells of {n}");
        let tail = |(weight, law): &(f64, BetaBinomial)| weight * law.lower_tail(k, n);
        self.laws.iter().map(tail).sum::<f64>().min(1.0)
    }
}

/// P(K ≥ k) of a new well with n cells, given control wells (flagged, cells): [`PosteriorPredictive`] for a single question.
///
/// `None` with fewer than two control wells that have cells. Cell-level binomial p-values are wrong by orders of
/// magnitude when wells differ, and the plugged-in fit is too liberal with few control wells; this one is not.
/// Source: METHODS.md sections 8 and 9.
pub fn posterior_predictive_p(k: u64, n: u64, controls: &[(u64, u64)]) -> Option<f64> {
    PosteriorPredictive::fit(controls).map(|posterior| posterior.upper_tail(k, n))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The walk over the grid leaves out nothing that counts.
    #[test]
    fn the_walk_finds_what_the_whole_grid_has() {
        for wells in [
            vec![(5, 100), (7, 120), (30, 90)],
            vec![(0, 50); 6],
            vec![(60, 60), (58, 60)],
        ] {
            let (mut weights, mut tails) = (Vec::new(), Vec::new());
            for i in 0..MEANS {
                let mean = (FRAC_PI_2 * (i as f64 + 0.5) / MEANS as f64).sin().powi(2);
                for j in 0..RHOS {
                    let (low, high) = (RHO_RANGE.0.sqrt(), RHO_RANGE.1.sqrt());
                    let rho = (low + (high - low) * (j as f64 + 0.5) / RHOS as f64).powi(2);
                    let law = BetaBinomial::with_mean(mean, rho);
                    weights.push(wells.iter().map(|&(k, n)| law.ln_pmf(k, n)).sum::<f64>().exp());
                    tails.push(law.upper_tail(9, 40));
                }
            }
            let whole: f64 = weights.iter().zip(&tails).map(|(w, t)| w * t).sum();
            let expected = whole / weights.iter().sum::<f64>();
            let posterior = PosteriorPredictive::fit(&wells).unwrap();
            let walked = posterior.upper_tail(9, 40);
            assert!(
                (walked / expected - 1.0).abs() < 1e-6,
                "{wells:?}: {walked} {expected}"
            );
            let both = posterior.lower_tail(8, 40) + walked;
            assert!((both - 1.0).abs() < 1e-12, "{both}");
            let mirrored: Vec<(u64, u64)> = wells.iter().map(|&(k, n)| (n - k, n)).collect();
            let other = posterior_predictive_p(40 - 8, 40, &mirrored).unwrap();
            assert!((posterior.lower_tail(8, 40) - other).abs() < 1e-9);
        }
    }

    #[test]
    fn more_flagged_cells_are_less_likely_and_more_controls_are_surer() {
        let few = [(5, 100), (7, 100)];
        let many = [few; 10].concat();
        let p = |k, controls: &[(u64, u64)]| posterior_predictive_p(k, 100, controls).unwrap();
        assert_eq!(p(0, &few), 1.0);
        assert!(p(5, &many) > p(15, &many) && p(15, &many) > p(30, &many));
        assert!(
            p(30, &few) > 10.0 * p(30, &many),
            "{} {}",
            p(30, &few),
            p(30, &many)
        );
        assert!(posterior_predictive_p(3, 10, &few[..1]).is_none());
        assert!(posterior_predictive_p(3, 10, &[(0, 100), (0, 0)]).is_none());
        // Controls without a single flagged cell still give a cautious answer.
        let clean = posterior_predictive_p(3, 100, &[(0, 100); 8]).unwrap();
        assert!(clean > 1e-4 && clean < 0.05, "{clean}");
    }
}
