//! The sentence at the top of the report and the reasons under it.

use crate::gathered::{GateOutcome, Verdict};
use crate::plate_layout::PlateLayout;
use crate::test_rows::{Call, Kind, TestRow};

/// Share of skipped sites above which a run is not usable as a whole.
const MAX_SKIPPED: f64 = 0.5;
/// Z′ from which on controls are well separated (Zhang 1999).
const GOOD_Z_PRIME: f64 = 0.5;

/// Fills `usable`, `sentence` and `reasons` of a verdict whose other fields are there.
pub(crate) fn conclude(verdict: &mut Verdict, layout: &PlateLayout, tests: &[TestRow], n_cells: usize) {
    let tested = |kind: Kind| {
        tests
            .iter()
            .any(|t| t.kind == kind && matches!(t.call, Call::Hit | Call::NoHit))
    };
    let (novelty, counts) = (tested(Kind::Novelty), tested(Kind::Count));
    let ranked = tests
        .iter()
        .any(|t| t.kind == Kind::Novelty && t.call == Call::RankingOnly);
    let skipped = f64::from(verdict.sites_skipped) / f64::from(verdict.sites.max(1));
    verdict.usable = n_cells > 0 && (novelty || counts) && skipped <= MAX_SKIPPED;

    let mut reasons = Vec::new();
    if n_cells == 0 {
        reasons.push("No object was found on any site.".to_owned());
    }
    if verdict.sites_skipped > 0 {
        reasons.push(format!(
            "{} of {} sites were skipped ({:.0} %).",
            verdict.sites_skipped,
            verdict.sites,
            100.0 * skipped
        ));
    }
    for gate in verdict.gate.iter().filter(|g| g.outcome != GateOutcome::Fits) {
        reasons.push(gate.sentence.clone());
    }
    for separation in verdict
        .separation
        .iter()
        .filter(|s| s.feature == "Novelty_Score" && s.poscon.is_none())
    {
        let interval = match (separation.lower, separation.upper) {
            (Some(low), Some(high)) => format!(" (90 % interval {low:.2} to {high:.2})"),
            _ => String::new(),
        };
        let wells = format!(
            "{} positive against {} negative wells",
            separation.n_positive, separation.n_negative
        );
        match separation.z_prime {
            Some(z) if z < GOOD_Z_PRIME => {
                reasons.push(format!("Plate {}: controls are not well separated: Z′ of the distance to controls is {z:.2}{interval}, {wells}.", separation.plate));
            }
            Some(_) => {}
            None => reasons.push(format!(
                "Plate {}: control separation is not estimable with {wells}.",
                separation.plate
            )),
        }
    }
    for focus in &verdict.focus {
        if !focus.blurred_sites.is_empty() {
            reasons.push(format!(
                "Plate {}: {} of {} sites are out of focus: {}.",
                focus.plate,
                focus.blurred_sites.len(),
                focus.n_sites,
                shortened(&focus.blurred_sites)
            ));
        }
        if !focus.saturated_sites.is_empty() {
            reasons.push(format!(
                "Plate {}: {} of {} sites are saturated: {}.",
                focus.plate,
                focus.saturated_sites.len(),
                focus.n_sites,
                shortened(&focus.saturated_sites)
            ));
        }
    }
    reasons.extend(verdict.not_estimable.iter().cloned());
    if !layout.unknown.is_empty() {
        reasons.push(format!(
            "{} wells are on disk but not in the plate map: {}.",
            layout.unknown.len(),
            shortened(&layout.unknown)
        ));
    }

    let classes = if verdict.gate.is_empty() {
        "no classifier was used"
    } else if verdict.gate.iter().all(|g| g.outcome == GateOutcome::Fits) {
        "the taught classes fit"
    } else if verdict.gate.iter().any(|g| g.outcome == GateOutcome::Fits) {
        "the taught classes fit some plates only"
    } else {
        "the taught classes do not fit, so no class is named"
    };
    let hits = match (novelty, ranked, counts) {
        (true, _, true) => "hits by phenotype and by count carry an error rate",
        (true, _, false) => "hits by phenotype carry an error rate, counts do not",
        (false, true, true) => "hits by count carry an error rate, phenotypes are only ranked",
        (false, true, false) => "phenotypes are ranked without an error rate",
        (false, false, true) => "hits by count carry an error rate, novelty is not estimable",
        (false, false, false) => "no hit is estimable",
    };
    let plates = layout.plates.len();
    let extent = format!(
        "{n_cells} cells in {} wells on {plates} plate{}",
        layout.wells.iter().filter(|w| !w.rows.is_empty()).count(),
        if plates == 1 { "" } else { "s" }
    );
    verdict.sentence = if verdict.usable {
        format!("Usable: {extent}; {hits}; {classes}.")
    } else {
        format!("Not usable for calls: {extent}; {hits}; {classes}.")
    };
    verdict.reasons = reasons;
}

/// The first five of many names.
fn shortened(names: &[String]) -> String {
    let first: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
    if names.len() > 5 {
        format!("{} and {} more", first.join(", "), names.len() - 5)
    } else {
        first.join(", ")
    }
}
