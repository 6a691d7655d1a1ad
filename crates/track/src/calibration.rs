//! From belief to probability: marginals corrected by what they were found to be worth.
//!
//! A marginal is right if the model is. Real movies hold what the model does not know (nuclei taken for one, nuclei cut in two, debris that stays), so the
//! logarithm of the odds is shrunk and shifted by a logistic regression (Platt 1999; Guo et al. 2017, arXiv:1706.04599). It was fitted to 48
//! virtual movies of the calibration family (`testkit`; seed 1, half of them with looks, half points alone) with a ridge
//! penalty of 0.5; no annotated movie was used.

use crate::model::Model;

/// Log odds beyond which a marginal says no more.
const LOG_ODDS: (f64, f64) = (-6.0, 14.0);

/// What the worth of a division's marginal depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DivisionContext {
    /// The mother was not seen before the frame she divides after.
    pub without_past: bool,
    /// A daughter is first seen two frames after the mother.
    pub late_daughter: bool,
    /// See [`faults`].
    pub faults: f64,
}

/// Share of objects that are missed, merged, cut or false, as estimated from the movie.
pub(crate) fn faults(model: &Model) -> f64 {
    1.0 - model.detected + model.contact.rate + model.false_objects.fragments + model.false_objects.noise
}

/// The probability of a link whose marginal is `p`.
pub(crate) fn link_probability(p: f64, over_gap: bool) -> f64 {
    let z = log_odds(p, LOG_ODDS);
    logistic(if over_gap {
        LINK_GAP.0 + LINK_GAP.1 * z
    } else {
        LINK.0 + LINK.1 * z
    })
}

/// The probability of a division in the tracks whose marginal is `p`.
pub(crate) fn division_probability(p: f64, context: DivisionContext) -> f64 {
    let z = log_odds(p, LOG_ODDS);
    // 1 in a movie without faults, one half at 2 % of them.
    let clean = 1.0 / (1.0 + (context.faults / 0.02).powi(2));
    let [one, odds, level, slope, past, late] = DIVISION;
    let flag = |on: bool, weight: f64| if on { weight } else { 0.0 };
    let shift = flag(context.without_past, past) + flag(context.late_daughter, late);
    logistic(one + odds * z + level * clean + slope * clean * z + shift)
}

/// The probability of a division that is not in the tracks.
pub(crate) fn other_division_probability(p: f64) -> f64 {
    logistic(OTHER_DIVISION.0 + OTHER_DIVISION.1 * log_odds(p, LOG_ODDS))
}

fn log_odds(p: f64, (low, high): (f64, f64)) -> f64 {
    let p = p.clamp(1e-12, 1.0);
    (p.ln() - (1.0 - p).max(1e-12).ln()).clamp(low, high)
}

fn logistic(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Intercept and slope of links to the next frame, and over missed frames.
const LINK: (f64, f64) = (0.828, 0.531);
const LINK_GAP: (f64, f64) = (1.163, 0.421);
/// Intercept, log odds, clean movie, log odds in a clean movie, mother without past, late daughter.
const DIVISION: [f64; 6] = [-1.682, 0.258, -0.323, 0.076, -0.424, 0.300];
/// Intercept and slope of divisions that are not in the tracks.
const OTHER_DIVISION: (f64, f64) = (-1.717, 0.268);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_rise_with_the_marginal_and_fall_with_faults() {
        let context = DivisionContext {
            without_past: false,
            late_daughter: false,
            faults: 0.001,
        };
        let mut last = (0.0, 0.0);
        for k in 1..20 {
            let p = f64::from(k) / 20.0;
            let now = (link_probability(p, false), division_probability(p, context));
            assert!(now.0 > last.0 && now.1 > last.1, "at {p}: {now:?} after {last:?}");
            last = now;
        }
        let faulty = DivisionContext {
            faults: 0.2,
            ..context
        };
        assert!(division_probability(0.99999, faulty) < division_probability(0.99999, context));
    }

    #[test]
    fn certainty_stays_a_probability() {
        for p in [0.0, 1.0] {
            let q = [
                link_probability(p, false),
                link_probability(p, true),
                other_division_probability(p),
            ];
            assert!(q.iter().all(|q| (0.0..=1.0).contains(q)), "{q:?}");
        }
    }
}
