//! The words of the verdict: one place for every phrase that a check can end in.

use crate::{BundleFit, Check, CheckStatus, Estimable, Estimate, Usability, Verdict};

impl Verdict {
    /// Builds the verdict from its checks: not usable if one failed, with limits if one limits or could not be
    /// estimated, else usable. The sentence names first what is wrong, then what holds.
    pub fn from_checks(checks: Vec<Check>) -> Self {
        let has = |status| checks.iter().any(|check| check.status == status);
        let usability = if has(CheckStatus::Fail) {
            Usability::NotUsable
        } else if has(CheckStatus::Limit) || has(CheckStatus::NotEstimable) {
            Usability::WithLimits
        } else {
            Usability::Usable
        };
        let of = |status| checks.iter().filter(move |check| check.status == status);
        let clauses: Vec<&str> = of(CheckStatus::Fail)
            .chain(of(CheckStatus::Limit))
            .chain(of(CheckStatus::NotEstimable))
            .chain(of(CheckStatus::Pass))
            .map(|check| check.finding.as_str())
            .collect();
        Self {
            usability,
            sentence: clauses.join("; "),
            checks,
        }
    }
}

impl Check {
    /// Skipped sites: passes with none, limits with some, fails with all.
    pub fn skipped_sites(skipped: u64, sites: u64) -> Self {
        let (status, finding) = match skipped {
            0 => (CheckStatus::Pass, format!("all {sites} sites were read")),
            n if n >= sites => (CheckStatus::Fail, format!("none of {sites} sites could be read")),
            1 => (CheckStatus::Limit, format!("1 of {sites} sites was skipped")),
            n => (CheckStatus::Limit, format!("{n} of {sites} sites were skipped")),
        };
        Self {
            label: "Sites".into(),
            status,
            finding,
            hint: None,
        }
    }

    /// Separation of positive from negative controls by Z′: passes at ≥ 0.5 with an interval that stays above 0 (the
    /// bands of the controls do not touch), limits otherwise.
    ///
    /// `measure` says in which feature; the interval's level is that of the caller's tables (90 %).
    pub fn control_separation(measure: &str, z_prime: &Estimable<Estimate>) -> Self {
        let label = "Control separation".into();
        match z_prime {
            Estimable::NotEstimable(reason) => Self {
                label,
                status: CheckStatus::NotEstimable,
                finding: format!("control separation is not estimable ({reason})"),
                hint: None,
            },
            Estimable::Value(z) => {
                let is_sure = z.interval.is_some_and(|(lower, _)| lower >= 0.0);
                let (status, how) = match z.value {
                    v if v >= 0.5 && is_sure => (CheckStatus::Pass, "controls separate well"),
                    v if v >= 0.5 => (
                        CheckStatus::Limit,
                        "controls seem to separate, with too few wells to be sure",
                    ),
                    v if v > 0.0 => (CheckStatus::Limit, "controls separate weakly"),
                    _ => (CheckStatus::Limit, "positive and negative controls overlap"),
                };
                let interval = match z.interval {
                    Some((lower, upper)) => format!(
                        ", 90 % interval {} to {}",
                        crate::number::plain(lower, 2),
                        crate::number::plain(upper, 2)
                    ),
                    None => ", no interval".into(),
                };
                let z = crate::number::plain(z.value, 2);
                Self {
                    label,
                    status,
                    finding: format!("{how} (Z′ {z} in {measure}{interval})"),
                    hint: None,
                }
            }
        }
    }

    /// Focus: passes when no well is out of focus, limits when some are, fails when more than half are.
    pub fn focus(wells_out_of_focus: u64, wells: u64) -> Self {
        let (status, finding) = match wells_out_of_focus {
            0 => (CheckStatus::Pass, "focus is even over the plate".to_owned()),
            n if 2 * n > wells => (
                CheckStatus::Fail,
                format!("{n} of {wells} wells are out of focus"),
            ),
            1 => (CheckStatus::Limit, format!("1 of {wells} wells is out of focus")),
            n => (
                CheckStatus::Limit,
                format!("{n} of {wells} wells are out of focus"),
            ),
        };
        Self {
            label: "Focus".into(),
            status,
            finding,
            hint: None,
        }
    }

    /// Whether the classes of a bundle fit this plate; a misfit limits, and its hint says what follows.
    pub fn bundle_fit(bundle: &str, fit: &BundleFit) -> Self {
        let label = "Bundle".into();
        match fit {
            BundleFit::Fits => Self {
                label,
                status: CheckStatus::Pass,
                finding: format!("the classes of {bundle} fit this plate"),
                hint: None,
            },
            BundleFit::Unlike { share } => Self {
                label,
                status: CheckStatus::Limit,
                finding: format!(
                    "the classes of {bundle} do not fit this plate ({} of its control cells are unlike the training data, 5 % expected)",
                    crate::number::percent(*share)
                ),
                hint: Some(
                    "No class is named and no cell is compared with the taught classes; comparison with this \
                     plate's own controls, counts and features are not touched by it."
                        .into(),
                ),
            },
            BundleFit::Unknown(reason) => Self {
                label,
                status: CheckStatus::NotEstimable,
                finding: format!("whether the classes of {bundle} fit is not estimable ({reason})"),
                hint: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_comes_first_in_the_sentence() {
        let verdict = Verdict::from_checks(vec![
            Check::skipped_sites(0, 48),
            Check::focus(1, 48),
            Check::control_separation("x", &Estimable::NotEstimable("no positive controls".into())),
        ]);
        assert_eq!(verdict.usability, Usability::WithLimits);
        assert_eq!(
            verdict.sentence,
            "1 of 48 wells is out of focus; control separation is not estimable (no positive controls); all 48 sites were read"
        );
    }

    #[test]
    fn separation_needs_an_interval_above_zero_to_pass() {
        let check = |z: Estimate| Check::control_separation("m", &z.into());
        assert_eq!(check(Estimate::within(0.9, 0.4, 0.95)).status, CheckStatus::Pass);
        let unsure = check(Estimate::within(0.68, -2.17, 0.79));
        assert_eq!(unsure.status, CheckStatus::Limit);
        assert!(
            unsure
                .finding
                .contains("(Z′ 0.68 in m, 90 % interval \u{2212}2.17 to 0.79)"),
            "{}",
            unsure.finding
        );
        assert_eq!(check(Estimate::point(0.9)).status, CheckStatus::Limit);
        assert!(
            check(Estimate::within(-0.1, -0.5, 0.2))
                .finding
                .starts_with("positive and negative controls overlap")
        );
    }

    #[test]
    fn a_plate_without_readable_sites_is_not_usable() {
        let verdict = |skipped| Verdict::from_checks(vec![Check::skipped_sites(skipped, 4)]).usability;
        assert_eq!(verdict(0), Usability::Usable);
        assert_eq!(verdict(1), Usability::WithLimits);
        assert_eq!(verdict(4), Usability::NotUsable);
    }
}
