//! Reliability and entropy as the template shows them.

use minijinja::Value;
use serde::Serialize;

use super::{reason, safe};
use crate::figure::{entropy_bars, reliability_diagram};
use crate::number::{count, percent, plain};
use crate::{EntropySplit, Estimable, Estimate, Reliability, ReportError};

#[derive(Serialize)]
pub(crate) struct ReliabilityView {
    reason: Option<String>,
    figure: Option<Value>,
    measured_on: String,
    facts: Vec<(&'static str, String, &'static str)>,
    bins: Vec<BinView>,
}

#[derive(Serialize)]
struct BinView {
    confidence: String,
    share: String,
    interval: String,
    cells: String,
}

fn with_interval(estimate: &Estimate, decimals: usize) -> String {
    let mut text = plain(estimate.value, decimals);
    if let Some((lower, upper)) = estimate.interval {
        text.push_str(&format!(
            " ({} to {})",
            plain(lower, decimals),
            plain(upper, decimals)
        ));
    }
    text
}

pub(crate) fn reliability(section: &Estimable<Reliability>) -> Result<ReliabilityView, ReportError> {
    let Estimable::Value(reliability) = section else {
        return Ok(ReliabilityView {
            reason: reason(section),
            figure: None,
            measured_on: String::new(),
            facts: Vec::new(),
            bins: Vec::new(),
        });
    };
    let mut facts = vec![(
        "Expected calibration error",
        with_interval(&reliability.ece, 3),
        "mean gap between confidence and share that was right",
    )];
    if let Some(chance) = &reliability.ece_by_chance {
        let meaning = "what a perfectly calibrated forecast shows on as many cells";
        facts.push(("The same by chance", with_interval(chance, 3), meaning));
    }
    if let Some(slope) = &reliability.slope {
        facts.push((
            "Calibration slope",
            with_interval(slope, 2),
            "1 is right, below 1 is over-confident",
        ));
    }
    if let Some(gap) = &reliability.confidence_minus_accuracy {
        facts.push((
            "Confidence minus accuracy",
            with_interval(gap, 3),
            "0 is right, above 0 is over-confident",
        ));
    }
    let bins = reliability.bins.iter().map(|bin| BinView {
        confidence: percent(bin.confidence),
        share: percent(bin.share),
        interval: format!("{} to {}", percent(bin.interval.0), percent(bin.interval.1)),
        cells: count(bin.cells),
    });
    Ok(ReliabilityView {
        reason: None,
        figure: Some(safe(reliability_diagram(reliability)?)),
        measured_on: reliability.measured_on.clone(),
        facts,
        bins: bins.collect(),
    })
}

#[derive(Serialize)]
pub(crate) struct EntropyView {
    reason: Option<String>,
    figure: Option<Value>,
    note: Option<String>,
    groups: Vec<GroupView>,
}

#[derive(Serialize)]
struct GroupView {
    name: String,
    cells: String,
    total: String,
    aleatoric: String,
    epistemic: String,
}

pub(crate) fn entropy(section: &Estimable<EntropySplit>) -> Result<EntropyView, ReportError> {
    let Estimable::Value(split) = section else {
        return Ok(EntropyView {
            reason: reason(section),
            figure: None,
            note: None,
            groups: Vec::new(),
        });
    };
    let groups = split.groups.iter().map(|group| GroupView {
        name: group.name.clone(),
        cells: count(group.cells),
        total: plain(group.aleatoric + group.epistemic, 3),
        aleatoric: plain(group.aleatoric, 3),
        epistemic: plain(group.epistemic, 3),
    });
    Ok(EntropyView {
        reason: None,
        figure: Some(safe(entropy_bars(split)?)),
        note: split.note.clone(),
        groups: groups.collect(),
    })
}
