//! The JSON block: verdict and hits for programs that find the report without its run folder.

use serde::Serialize;

use crate::text::escape_json;
use crate::{CheckStatus, Estimable, ReportData, ReportError, Usability};

#[derive(Serialize)]
struct Summary<'a> {
    program: &'a str,
    title: &'a str,
    usability: &'static str,
    verdict: &'a str,
    checks: Vec<CheckSummary<'a>>,
    hits: Vec<HitSummary<'a>>,
    skipped_sites: usize,
}

#[derive(Serialize)]
struct CheckSummary<'a> {
    label: &'a str,
    status: &'static str,
    finding: &'a str,
}

#[derive(Serialize)]
struct HitSummary<'a> {
    treatment: &'a str,
    dose: Option<&'a str>,
    call: &'a str,
    is_hit: bool,
    effect_name: Option<&'a str>,
    effect: Option<f64>,
    effect_lower: Option<f64>,
    effect_upper: Option<f64>,
    q: Option<f64>,
    not_estimable: Option<&'a str>,
}

/// The block's text, safe inside a script element.
pub(crate) fn json(data: &ReportData) -> Result<String, ReportError> {
    let hits = data.hits.iter().flat_map(|table| &table.rows).map(|row| {
        let (effect, no_effect) = split(&row.effect);
        let (q, no_q) = split(&row.q);
        let interval = effect.and_then(|effect| effect.estimate.interval);
        HitSummary {
            treatment: &row.treatment,
            dose: row.dose.as_deref(),
            call: &row.call,
            is_hit: row.is_hit,
            effect_name: effect.map(|effect| effect.name.as_str()),
            effect: effect.map(|effect| effect.estimate.value),
            effect_lower: interval.map(|(lower, _)| lower),
            effect_upper: interval.map(|(_, upper)| upper),
            q: q.copied(),
            not_estimable: no_effect.or(no_q),
        }
    });
    let checks = data.verdict.checks.iter().map(|check| CheckSummary {
        label: &check.label,
        status: match check.status {
            CheckStatus::Pass => "pass",
            CheckStatus::Limit => "limit",
            CheckStatus::Fail => "fail",
            CheckStatus::NotEstimable => "not_estimable",
        },
        finding: &check.finding,
    });
    let summary = Summary {
        program: &data.run.program,
        title: &data.title,
        usability: match data.verdict.usability {
            Usability::Usable => "usable",
            Usability::WithLimits => "with_limits",
            Usability::NotUsable => "not_usable",
        },
        verdict: &data.verdict.sentence,
        checks: checks.collect(),
        hits: hits.collect(),
        skipped_sites: data.skipped.len(),
    };
    Ok(escape_json(&serde_json::to_string(&summary)?))
}

fn split<T>(estimable: &Estimable<T>) -> (Option<&T>, Option<&str>) {
    match estimable {
        Estimable::Value(value) => (Some(value), None),
        Estimable::NotEstimable(reason) => (None, Some(reason)),
    }
}
