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

    /// Separation of positive from negative controls by Z′: ≥ 0.5 passes, below limits.
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
                let (status, how) = match z.value {
                    v if v >= 0.5 => (CheckStatus::Pass, "controls separate well"),
                    v if v > 0.0 => (CheckStatus::Limit, "controls separate weakly"),
                    _ => (CheckStatus::Limit, "positive and negative controls overlap"),
                };
                let interval = match z.interval {
                    Some((lower, upper)) => format!(
                        ", 90 % interval {} to {}",
                        crate::number::plain(lower, 2),
                        crate::number::plain(upper, 2)
                    ),
                    None => ", no interval: too few wells".into(),
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
