//! Cells per well against control wells: negative-binomial ratio, interval and p-value.

use statrs::function::beta::beta_reg;
use statrs::function::erf::erfc;
use statrs::function::gamma::ln_gamma;

/// Control wells from which on the dispersion is estimated rather than assumed.
const ENOUGH_CONTROLS: usize = 8;
/// Level of the interval.
const LEVEL: f64 = 0.95;
/// Largest dispersion that the maximum-likelihood fit tries.
const MAX_DISPERSION: f64 = 100.0;

/// The dispersion `a` of the negative binomial law NB2: variance = mean + a·mean².
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Dispersion {
    /// From the control wells' own variance: a = max(0, (s² - m)/m²).
    Estimated,
    /// Given, ≥ 0; say so beside the result.
    Assumed(f64),
}

impl Dispersion {
    /// Estimated from 8 control wells on, else the stated default.
    pub fn for_controls(control_wells: usize, default: f64) -> Self {
        if control_wells >= ENOUGH_CONTROLS {
            Self::Estimated
        } else {
            Self::Assumed(default)
        }
    }
}

/// Count of treated wells relative to control wells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountTest {
    /// Mean of the treated wells divided by the mean of the controls.
    pub ratio: f64,
    /// Lower end of the 95 % interval of the ratio; 0 when no treated well has a cell.
    pub lower: f64,
    /// Upper end of the 95 % interval of the ratio.
    pub upper: f64,
    /// Two-sided p of ratio 1; below 0.05 exactly when the interval leaves 1 out.
    pub p: f64,
    /// Mean count of the control wells.
    pub control_mean: f64,
    /// The dispersion that was used.
    pub dispersion: f64,
}

/// Tests one well's count against the control wells'.
///
/// `None` ("not estimable") with fewer than two control wells, when no control well has a cell, or for an assumed
/// dispersion that is negative or not finite. Method: see [`count_test_wells`].
pub fn count_test(count: u64, controls: &[u64], dispersion: Dispersion) -> Option<CountTest> {
    count_test_wells(&[count], controls, dispersion)
}

/// Tests the counts of a treatment's wells against the control wells'.
///
/// Likelihood ratio of the negative binomial with one dispersion for all, the control mean profiled out; the statistic is
/// compared with χ²(1) for an assumed dispersion and with F(1, J-1) for one estimated from J control wells.
/// The interval holds the ratios that this test does not reject at 5 %. `None` as in [`count_test`], and without treated wells.
/// Source: Hilbe 2011 (NB2); METHODS.md section 9.
pub fn count_test_wells(treated: &[u64], controls: &[u64], dispersion: Dispersion) -> Option<CountTest> {
    let control_mean = mean(controls)?;
    if controls.len() < 2 || treated.is_empty() || control_mean == 0.0 {
        return None;
    }
    let (a, denominator_df) = match dispersion {
        Dispersion::Estimated => (
            moment_dispersion(controls, control_mean),
            Some(controls.len() as f64 - 1.0),
        ),
        Dispersion::Assumed(a) if a.is_finite() && a >= 0.0 => (a, None),
        Dispersion::Assumed(_) => return None,
    };
    let profile = RatioProfile {
        treated_wells: treated.len() as f64,
        treated_sum: treated.iter().sum::<u64>() as f64,
        control_wells: controls.len() as f64,
        control_sum: controls.iter().sum::<u64>() as f64,
        dispersion: a,
    };
    let p_of = |ratio: f64| match denominator_df {
        None => erfc((profile.likelihood_ratio(ratio) / 2.0).sqrt()),
        Some(df) => f_upper_tail(profile.likelihood_ratio(ratio), df),
    };
    let ratio = mean(treated)? / control_mean;
    let lower = if ratio == 0.0 {
        0.0
    } else {
        crossing(ratio, 0.5, &p_of)
    };
    let upper = crossing(
        if ratio == 0.0 {
            0.5 / profile.control_sum
        } else {
            ratio
        },
        2.0,
        &p_of,
    );
    Some(CountTest {
        ratio,
        lower,
        upper,
        p: p_of(1.0),
        control_mean,
        dispersion: a,
    })
}

/// Walks from `start` by `factor` until p falls below 5 %, then halves the last step.
fn crossing(start: f64, factor: f64, p_of: &impl Fn(f64) -> f64) -> f64 {
    let cut = 1.0 - LEVEL;
    let mut inside = start;
    let mut outside = start * factor;
    // 200 doublings reach every ratio that an f64 count can give; past them the interval has no end.
    for _ in 0..200 {
        if p_of(outside) < cut {
            for _ in 0..60 {
                let middle = (inside * outside).sqrt();
                if p_of(middle) < cut {
                    outside = middle
                } else {
                    inside = middle
                }
            }
            return (inside * outside).sqrt();
        }
        inside = outside;
        outside *= factor;
    }
    if factor > 1.0 { f64::INFINITY } else { 0.0 }
}

/// P(F(1, df) ≥ x), from the incomplete beta function so that small tails keep their digits.
fn f_upper_tail(x: f64, df: f64) -> f64 {
    beta_reg(df / 2.0, 0.5, df / (df + x.max(0.0)))
}

fn mean(counts: &[u64]) -> Option<f64> {
    (!counts.is_empty()).then(|| counts.iter().sum::<u64>() as f64 / counts.len() as f64)
}

fn moment_dispersion(counts: &[u64], mean: f64) -> f64 {
    let squares: f64 = counts.iter().map(|&c| (c as f64 - mean).powi(2)).sum();
    let variance = squares / (counts.len() as f64 - 1.0);
    ((variance - mean) / (mean * mean)).max(0.0)
}

/// Likelihood of a ratio of means, the control mean profiled out, at a fixed dispersion.
struct RatioProfile {
    treated_wells: f64,
    treated_sum: f64,
    control_wells: f64,
    control_sum: f64,
    dispersion: f64,
}

impl RatioProfile {
    /// 2 [max ln L - ln L(ratio)] ≥ 0.
    fn likelihood_ratio(&self, ratio: f64) -> f64 {
        let free_treated = self.treated_sum / self.treated_wells;
        let free_control = self.control_sum / self.control_wells;
        let control = self.control_mean_at(ratio);
        let free = self.log_likelihood(free_treated, free_control);
        (2.0 * (free - self.log_likelihood(ratio * control, control))).max(0.0)
    }

    /// The part of ln L that depends on the means.
    fn log_likelihood(&self, treated: f64, control: f64) -> f64 {
        let side = |sum: f64, wells: f64, mean: f64| {
            // At dispersion 0 this is the Poisson law.
            let per_well = if self.dispersion == 0.0 {
                mean
            } else {
                (self.dispersion * mean).ln_1p() / self.dispersion
            };
            let hits = if sum == 0.0 {
                0.0
            } else {
                sum * (mean / (1.0 + self.dispersion * mean)).ln()
            };
            hits - wells * per_well
        };
        side(self.treated_sum, self.treated_wells, treated)
            + side(self.control_sum, self.control_wells, control)
    }

    /// Control mean that maximises the likelihood at this ratio: the positive root of the score equation
    /// (C - J m)(1 + a r m) + (T - t r m)(1 + a m) = 0 (C, T sums; J, t wells; r ratio; a dispersion).
    fn control_mean_at(&self, ratio: f64) -> f64 {
        let (j, t, c, s, a) = (
            self.control_wells,
            self.treated_wells,
            self.control_sum,
            self.treated_sum,
            self.dispersion,
        );
        let square = a * ratio * (j + t);
        let linear = j + t * ratio - a * (c * ratio + s);
        let constant = c + s;
        // square m² + linear m - constant = 0, in the form that does not cancel.
        let root = (linear * linear + 4.0 * square * constant).sqrt();
        if linear >= 0.0 {
            2.0 * constant / (linear + root)
        } else {
            (root - linear) / (2.0 * square)
        }
    }
}

/// Maximum-likelihood NB2 with a mean per group and one dispersion.
#[derive(Debug, Clone, PartialEq)]
pub struct NegativeBinomialFit {
    /// Mean of each group (its sample mean).
    pub means: Vec<f64>,
    /// Dispersion a ≥ 0; 0 is the Poisson law.
    pub dispersion: f64,
    /// Log-likelihood at the fit.
    pub log_likelihood: f64,
}

/// Fits one dispersion to several groups of wells by maximum likelihood. Too small with few wells: for description, not for tests.
///
/// `None` when a group is empty or has mean 0. Source: Hilbe 2011; METHODS.md section 9.
pub fn negative_binomial_fit(groups: &[&[u64]]) -> Option<NegativeBinomialFit> {
    let means: Vec<f64> = groups.iter().map(|g| mean(g)).collect::<Option<_>>()?;
    if means.is_empty() || means.contains(&0.0) {
        return None;
    }
    let log_likelihood = |a: f64| {
        let group = |(counts, &m): (&&[u64], &f64)| counts.iter().map(|&y| ln_pmf(y, m, a)).sum::<f64>();
        groups.iter().zip(&means).map(group).sum::<f64>()
    };
    // A coarse look in ln a, then golden section beside the best point.
    const GRID: usize = 60;
    let (low, high) = (1e-8_f64.ln(), MAX_DISPERSION.ln());
    let at = |i: usize| low + (high - low) * i as f64 / GRID as f64;
    let best =
        (0..=GRID).max_by(|&i, &j| log_likelihood(at(i).exp()).total_cmp(&log_likelihood(at(j).exp())))?;
    let (mut left, mut right) = (at(best.saturating_sub(1)), at((best + 1).min(GRID)));
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    while right - left > 1e-9 {
        let (a, b) = (right - golden * (right - left), left + golden * (right - left));
        if log_likelihood(a.exp()) >= log_likelihood(b.exp()) {
            right = b
        } else {
            left = a
        }
    }
    let dispersion = (0.5 * (left + right)).exp();
    let (fitted, poisson) = (log_likelihood(dispersion), log_likelihood(0.0));
    Some(match fitted > poisson {
        true => NegativeBinomialFit {
            means,
            dispersion,
            log_likelihood: fitted,
        },
        false => NegativeBinomialFit {
            means,
            dispersion: 0.0,
            log_likelihood: poisson,
        },
    })
}

fn ln_pmf(count: u64, mean: f64, dispersion: f64) -> f64 {
    let y = count as f64;
    let ln_factorial = ln_gamma(y + 1.0);
    if dispersion == 0.0 {
        return y * mean.ln() - mean - ln_factorial;
    }
    let size = 1.0 / dispersion;
    let hits = if count == 0 {
        0.0
    } else {
        y * (mean / (size + mean)).ln()
    };
    ln_gamma(y + size) - ln_gamma(size) - ln_factorial - size * (mean / size).ln_1p() + hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_what_the_test_does_not_reject() {
        let controls = [150, 140, 170, 160, 130, 155, 145, 165];
        for dispersion in [
            Dispersion::Estimated,
            Dispersion::Assumed(0.1),
            Dispersion::Assumed(0.0),
        ] {
            for count in [0, 20, 75, 110, 150, 220, 600] {
                let test = count_test(count, &controls, dispersion).unwrap();
                assert!(
                    test.lower <= test.ratio && test.ratio <= test.upper,
                    "{count} {test:?}"
                );
                assert_eq!(
                    test.p < 0.05,
                    test.lower > 1.0 || test.upper < 1.0,
                    "{count} {test:?}"
                );
            }
        }
    }

    #[test]
    fn not_estimable_is_none() {
        assert!(count_test(10, &[100], Dispersion::Assumed(0.1)).is_none());
        assert!(count_test(10, &[0, 0], Dispersion::Estimated).is_none());
        assert!(count_test(10, &[90, 100], Dispersion::Assumed(-1.0)).is_none());
        assert_eq!(Dispersion::for_controls(7, 0.1), Dispersion::Assumed(0.1));
        assert_eq!(Dispersion::for_controls(8, 0.1), Dispersion::Estimated);
    }

    #[test]
    fn an_empty_well_has_ratio_zero_and_an_upper_end() {
        let test = count_test(0, &[100, 120, 90], Dispersion::Assumed(0.1)).unwrap();
        assert!(
            test.ratio == 0.0 && test.lower == 0.0 && test.upper > 0.0 && test.upper < 0.1,
            "{test:?}"
        );
        assert!(test.p < 1e-4);
    }
}
