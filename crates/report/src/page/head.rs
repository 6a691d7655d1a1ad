//! Verdict, what is not estimable, skipped sites, facts and credits.

use serde::Serialize;

use crate::{CheckStatus, Credit, Fact, NotEstimable, RunFacts, SkippedSite, Usability, Verdict};

#[derive(Serialize)]
pub(crate) struct VerdictView {
    class: &'static str,
    sign: &'static str,
    word: &'static str,
    sentence: String,
    checks: Vec<CheckView>,
}

#[derive(Serialize)]
struct CheckView {
    class: &'static str,
    sign: &'static str,
    word: &'static str,
    label: String,
    finding: String,
    hint: Option<String>,
}

pub(crate) fn verdict(verdict: &Verdict) -> VerdictView {
    let (class, sign, word) = match verdict.usability {
        Usability::Usable => ("pass", "✓", "Usable"),
        Usability::WithLimits => ("limit", "!", "Usable with limits"),
        Usability::NotUsable => ("fail", "✕", "Not usable"),
    };
    let checks = verdict.checks.iter().map(|check| {
        let (class, sign, word) = match check.status {
            CheckStatus::Pass => ("pass", "✓", "holds"),
            CheckStatus::Limit => ("limit", "!", "limits"),
            CheckStatus::Fail => ("fail", "✕", "fails"),
            CheckStatus::NotEstimable => ("unknown", "?", "not estimable"),
        };
        CheckView {
            class,
            sign,
            word,
            label: check.label.clone(),
            finding: capitalized(&check.finding),
            hint: check.hint.clone(),
        }
    });
    VerdictView {
        class,
        sign,
        word,
        sentence: verdict.sentence.clone(),
        checks: checks.collect(),
    }
}

/// With a capital first letter.
pub(super) fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[derive(Serialize)]
pub(crate) struct NotEstimableView {
    what: String,
    reason: String,
    takes: Option<String>,
}

pub(crate) fn not_estimable(one: &NotEstimable) -> NotEstimableView {
    NotEstimableView {
        what: one.what.clone(),
        reason: one.reason.clone(),
        takes: one.takes.clone(),
    }
}

#[derive(Serialize)]
pub(crate) struct SkippedView {
    plate: String,
    well: String,
    site: String,
    file: Option<String>,
    reason: String,
}

pub(crate) fn skipped(site: &SkippedSite) -> SkippedView {
    SkippedView {
        plate: site.plate.clone(),
        well: site.well.clone(),
        site: site.site.clone(),
        file: site.file.clone(),
        reason: site.reason.clone(),
    }
}

#[derive(Serialize)]
pub(crate) struct RunView {
    program: String,
    command: Option<String>,
    facts: Vec<FactView>,
    files: Vec<FactView>,
}

#[derive(Serialize)]
struct FactView {
    label: String,
    value: String,
}

pub(crate) fn run(run: &RunFacts) -> RunView {
    let view = |facts: &[Fact]| {
        facts
            .iter()
            .map(|fact| FactView {
                label: fact.label.clone(),
                value: fact.value.clone(),
            })
            .collect()
    };
    RunView {
        program: run.program.clone(),
        command: run.command.clone(),
        facts: view(&run.facts),
        files: view(&run.files),
    }
}

#[derive(Serialize)]
pub(crate) struct CreditView {
    name: String,
    licence: String,
    text: String,
    link: Option<String>,
    /// Whether the link may be followed: only `https://`, never another scheme such as `javascript:`.
    is_web: bool,
}

pub(crate) fn credit(credit: &Credit) -> CreditView {
    CreditView {
        name: credit.name.clone(),
        licence: credit.licence.clone(),
        text: credit.text.clone(),
        link: credit.link.clone(),
        is_web: credit
            .link
            .as_deref()
            .is_some_and(|link| link.starts_with("https://")),
    }
}
