//! The beta-binomial law of flagged cells per well, and its maximum-likelihood fit.

use statrs::function::beta::ln_beta;
use statrs::function::factorial::ln_binomial;
use statrs::function::gamma::ln_gamma;

/// Smallest and largest correlation that the fit tries; at the smallest the binomial law takes over.
const RHO_RANGE: (f64, f64) = (1e-6, 0.999);
/// Golden-section rounds: 0.618^70 is below 1e-14 of the bracket.
const GOLDEN_ROUNDS: usize = 70;

/// Number of flagged cells among n when the share itself varies between wells as Beta(alpha, beta).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaBinomial {
    /// First shape parameter, > 0.
    pub alpha: f64,
    /// Second shape parameter, > 0.
    pub beta: f64,
}

impl BetaBinomial {
    /// The law with mean share `mean` in (0, 1) and correlation `rho` = 1/(alpha+beta+1) in (0, 1) between cells of a well.
    pub fn with_mean(mean: f64, rho: f64) -> Self {
        let size = 1.0 / rho - 1.0;
        Self {
            alpha: mean * size,
            beta: (1.0 - mean) * size,
        }
    }

    /// ln P(K = k) among n cells; -∞ when k > n. Source: Skellam 1948.
    pub fn ln_pmf(&self, k: u64, n: u64) -> f64 {
        if k > n {
            return f64::NEG_INFINITY;
        }
        let (hits, misses) = (k as f64, (n - k) as f64);
        ln_binomial(n, k) + ln_beta(hits + self.alpha, misses + self.beta) - ln_beta(self.alpha, self.beta)
    }

    /// ln of the probability of all wells (flagged cells, cells), without the binomial coefficients, which no parameter moves.
    pub(crate) fn ln_likelihood(&self, wells: &[(u64, u64)]) -> f64 {
        let size = self.alpha + self.beta;
        let well = |&(k, n): &(u64, u64)| {
            ln_gamma(k as f64 + self.alpha) + ln_gamma((n - k) as f64 + self.beta) - ln_gamma(n as f64 + size)
        };
        let one = ln_gamma(size) - ln_gamma(self.alpha) - ln_gamma(self.beta);
        wells.iter().map(well).sum::<f64>() + wells.len() as f64 * one
    }

    /// P(K ≤ k) among n cells, with the digits of [`Self::upper_tail`].
    pub fn lower_tail(&self, k: u64, n: u64) -> f64 {
        Self {
            alpha: self.beta,
            beta: self.alpha,
        }
        .upper_tail(n.saturating_sub(k), n)
    }

    /// P(K ≥ k) among n cells, summed from the shorter side, so that small tails keep their digits.
    pub fn upper_tail(&self, k: u64, n: u64) -> f64 {
        upper_tail(
            k,
            n,
            (
                self.alpha / (self.alpha + self.beta),
                self.alpha >= 1.0 && self.beta >= 1.0,
            ),
            |j| self.ln_pmf(j, n),
            |j| {
                let (up, left) = (j as f64, (n - j) as f64);
                // P(j+1)/P(j)
                left * (up + self.alpha) / ((up + 1.0) * (left - 1.0 + self.beta))
            },
        )
    }
}

/// P(K ≥ k) from one probability and the ratios of neighbours; `one_peak` when those ratios fall with k.
fn upper_tail(
    k: u64,
    n: u64,
    (mean, one_peak): (f64, bool),
    ln_pmf: impl Fn(u64) -> f64,
    ratio: impl Fn(u64) -> f64,
) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k > n {
        return 0.0;
    }
    if k as f64 > mean * n as f64 {
        let mut term = ln_pmf(k).exp();
        let mut sum = term;
        for j in k..n {
            let ratio = ratio(j);
            term *= ratio;
            sum += term;
            if has_vanished(term, ratio, sum, one_peak) {
                break;
            }
        }
        sum.min(1.0)
    } else {
        let mut term = ln_pmf(k - 1).exp();
        let mut sum = term;
        for j in (0..k - 1).rev() {
            let ratio = 1.0 / ratio(j);
            term *= ratio;
            sum += term;
            if has_vanished(term, ratio, sum, one_peak) {
                break;
            }
        }
        (1.0 - sum).max(0.0)
    }
}

/// Past the peak of a law with one peak the ratios keep falling: what is left is below a geometric series.
fn has_vanished(term: f64, ratio: f64, sum: f64, one_peak: bool) -> bool {
    one_peak && ratio < 1.0 && term * ratio < 1e-17 * sum * (1.0 - ratio)
}

/// P(K ≥ k) of the plain binomial law.
fn binomial_upper_tail(k: u64, n: u64, share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return if share >= 1.0 || k == 0 { 1.0 } else { 0.0 };
    }
    let odds = share / (1.0 - share);
    let ln_pmf = |j: u64| ln_binomial(n, j) + j as f64 * share.ln() + (n - j) as f64 * (-share).ln_1p();
    upper_tail(k, n, (share, true), ln_pmf, |j| {
        (n - j) as f64 / (j + 1) as f64 * odds
    })
}

/// Maximum-likelihood beta-binomial of control wells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaBinomialFit {
    /// Mean share.
    pub mean: f64,
    /// Correlation between cells of a well, 1/(alpha+beta+1); 0 when the wells differ no more than by chance.
    pub rho: f64,
    /// Log-likelihood at the fit (with the binomial coefficients).
    pub log_likelihood: f64,
    /// The fitted law; `None` at the boundary rho = 0, where it is the binomial law with share `mean`.
    pub law: Option<BetaBinomial>,
}

impl BetaBinomialFit {
    /// P(K ≥ k) among n cells of a new well, taking the fit for the truth: too liberal with few control wells,
    /// use [`crate::posterior_predictive_p`] for tests.
    pub fn upper_tail(&self, k: u64, n: u64) -> f64 {
        match self.law {
            Some(law) => law.upper_tail(k, n),
            None => binomial_upper_tail(k, n, self.mean),
        }
    }
}

/// Fits mean and correlation to control wells (flagged cells, cells) by maximum likelihood.
///
/// Wells without cells say nothing. `None` when fewer than two wells have cells, or when no cell or every cell is flagged
/// (the correlation cannot be told). Panics: when more cells are flagged than there are.
/// Source: Williams 1982; METHODS.md section 9.
pub fn beta_binomial_fit(controls: &[(u64, u64)]) -> Option<BetaBinomialFit> {
    let wells: Vec<(u64, u64)> = controls.iter().copied().filter(|&(_, n)| n > 0).collect();
    assert!(
        wells.iter().all(|(k, n)| k <= n),
        "more flagged cells than cells in a well"
    );
    let (hits, cells) = wells
        .iter()
        .fold((0, 0), |sum, well| (sum.0 + well.0, sum.1 + well.1));
    if wells.len() < 2 || hits == 0 || hits == cells {
        return None;
    }
    let log_likelihood = |mean: f64, rho: f64| {
        let law = BetaBinomial::with_mean(mean, rho);
        wells.iter().map(|&(k, n)| law.ln_pmf(k, n)).sum::<f64>()
    };
    let logit = |p: f64| (p / (1.0 - p)).ln();
    let center = logit(hits as f64 / cells as f64);
    // Unequal wells move the optimal mean a little off the pooled share: three units of logit cover it.
    let best_mean = |rho: f64| {
        let mean_of = |z: f64| 1.0 / (1.0 + (-z).exp());
        let z = maximum(center - 3.0, center + 3.0, |z| log_likelihood(mean_of(z), rho));
        (mean_of(z), log_likelihood(mean_of(z), rho))
    };
    let (low, high) = (RHO_RANGE.0.ln(), RHO_RANGE.1.ln());
    // The profile over rho can have a flat shoulder: look at a grid first, then refine beside its best point.
    const GRID: usize = 28;
    let at = |i: usize| low + (high - low) * i as f64 / GRID as f64;
    let coarse = (0..=GRID)
        .map(|i| (i, best_mean(at(i).exp()).1))
        .max_by(|a, b| a.1.total_cmp(&b.1))?
        .0;
    let ln_rho = maximum(at(coarse.saturating_sub(1)), at((coarse + 1).min(GRID)), |z| {
        best_mean(z.exp()).1
    });
    let (mean, value) = best_mean(ln_rho.exp());
    let binomial_share = hits as f64 / cells as f64;
    let ln_pmf = |&(k, n): &(u64, u64)| {
        ln_binomial(n, k) + k as f64 * binomial_share.ln() + (n - k) as f64 * (-binomial_share).ln_1p()
    };
    let binomial: f64 = wells.iter().map(ln_pmf).sum();
    // Below a gain of 1e-6 the correlation is not distinguishable from 0.
    if value <= binomial + 1e-6 {
        return Some(BetaBinomialFit {
            mean: binomial_share,
            rho: 0.0,
            log_likelihood: binomial,
            law: None,
        });
    }
    let rho = ln_rho.exp();
    Some(BetaBinomialFit {
        mean,
        rho,
        log_likelihood: value,
        law: Some(BetaBinomial::with_mean(mean, rho)),
    })
}

/// Place of the maximum of a function with one peak, by golden section.
fn maximum(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut a, mut b) = (high - golden * (high - low), low + golden * (high - low));
    let (mut at_a, mut at_b) = (f(a), f(b));
    for _ in 0..GOLDEN_ROUNDS {
        // Past this width the function is flat in f64.
        if high - low < 1e-9 {
            break;
        }
        if at_a >= at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - golden * (high - low);
            at_a = f(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + golden * (high - low);
            at_b = f(b);
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probabilities_of_all_counts_sum_to_one_and_tails_agree() {
        let law = BetaBinomial {
            alpha: 0.7,
            beta: 3.1,
        };
        let total: f64 = (0..=40).map(|k| law.ln_pmf(k, 40).exp()).sum();
        assert!((total - 1.0).abs() < 1e-12);
        for k in 0..=41 {
            let direct: f64 = (k..=40).map(|j| law.ln_pmf(j, 40).exp()).sum();
            assert!((law.upper_tail(k, 40) - direct).abs() < 1e-12, "at {k}");
        }
    }

    #[test]
    fn wells_that_differ_by_chance_only_are_binomial() {
        let fit = beta_binomial_fit(&[(10, 100), (10, 100), (11, 100), (9, 100)]).unwrap();
        assert!(fit.law.is_none() && fit.rho == 0.0 && (fit.mean - 0.1).abs() < 1e-15);
        let direct: f64 = (15..=100).map(|k| statrs_binomial(k, 100, 0.1)).sum();
        assert!((fit.upper_tail(15, 100) - direct).abs() < 1e-12);
        assert!(
            beta_binomial_fit(&[(0, 100), (0, 50)]).is_none() && beta_binomial_fit(&[(3, 100)]).is_none()
        );
    }

    fn statrs_binomial(k: u64, n: u64, p: f64) -> f64 {
        use statrs::distribution::Discrete;
        statrs::distribution::Binomial::new(p, n).unwrap().pmf(k)
    }
}
