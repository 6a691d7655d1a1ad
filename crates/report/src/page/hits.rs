//! Hits, candidate phenotypes, dose order and planted truth as the template shows them.

use std::collections::BTreeMap;

use minijinja::Value;
use serde::Serialize;

use super::{PictureView, pictures, reason, safe};
use crate::figure::{dose_order, interval_glyph, shared_dose_values, truth_plot};
use crate::number::{count, interval, plain, probability, scaled};
use crate::{
    CandidatePhenotype, Candidates, DosePanel, Effect, Estimable, HitRow, HitTable, PlantedRow, PlantedTruth,
    ReportError, Scale,
};

/// Rows of the hit table that are not folded unless the data say otherwise: about a screen.
const ROWS_SHOWN: usize = 6;

#[derive(Serialize)]
pub(crate) struct HitsView {
    rows: Vec<HitView>,
    folded: Vec<HitView>,
    unit: String,
    headline: String,
    error_rate: String,
    contrast: Option<String>,
    notes: Vec<String>,
    has_pictures: bool,
}

#[derive(Serialize)]
struct HitView {
    rank: usize,
    treatment: String,
    dose: Option<String>,
    call: String,
    is_hit: bool,
    effect_name: Option<String>,
    effect: Option<String>,
    effect_interval: Option<String>,
    effect_control: Option<String>,
    glyph: Option<Value>,
    effect_reason: Option<String>,
    q: Option<String>,
    q_reason: Option<String>,
    p: Option<String>,
    replicates: Option<String>,
    wells: String,
    cells: Option<String>,
    flags: Vec<String>,
    pictures: Vec<PictureView>,
    control_pictures: Vec<PictureView>,
}

pub(crate) fn hits(table: &HitTable) -> Result<HitsView, ReportError> {
    // All effects of one name share an axis, so that rows can be compared by eye.
    let mut values: BTreeMap<(&str, Scale), Vec<f64>> = BTreeMap::new();
    for row in &table.rows {
        if let Estimable::Value(effect) = &row.effect {
            let entry = values.entry((&effect.name, effect.scale)).or_default();
            entry.push(effect.estimate.value);
            entry.extend(effect.control);
            entry.extend(
                effect
                    .estimate
                    .interval
                    .map(|(lower, upper)| [lower, upper])
                    .into_iter()
                    .flatten(),
            );
        }
    }
    let glyph = |effect: &Effect, is_hit| {
        let values = values
            .get(&(effect.name.as_str(), effect.scale))
            .map_or(&[][..], Vec::as_slice);
        interval_glyph(effect, values, is_hit).map(safe)
    };
    let mut rows = Vec::with_capacity(table.rows.len());
    for (place, row) in table.rows.iter().enumerate() {
        rows.push(hit(place + 1, row, &glyph)?);
    }
    let shown = if table.shown == 0 { ROWS_SHOWN } else { table.shown };
    let folded = rows.split_off(shown.min(rows.len()));
    let unit = if table.unit.is_empty() {
        "treatment".to_owned()
    } else {
        table.unit.clone()
    };
    let headline = format!(
        "{} of {} tested called",
        count(table.called.into()),
        count(table.tested.into())
    );
    let has_pictures = table
        .rows
        .iter()
        .any(|row| !row.pictures.is_empty() || !row.control_pictures.is_empty());
    Ok(HitsView {
        rows,
        folded,
        unit,
        headline,
        error_rate: super::head::capitalized(&table.error_rate),
        contrast: table.contrast.clone(),
        notes: table.notes.clone(),
        has_pictures,
    })
}

fn hit(
    rank: usize,
    row: &HitRow,
    glyph: &impl Fn(&Effect, bool) -> Result<Value, ReportError>,
) -> Result<HitView, ReportError> {
    let what = format!("hit {}", row.treatment);
    let effect = match &row.effect {
        Estimable::Value(effect) => Some(effect),
        Estimable::NotEstimable(_) => None,
    };
    let q = match &row.q {
        Estimable::Value(q) => Some(probability(*q)),
        Estimable::NotEstimable(_) => None,
    };
    Ok(HitView {
        rank,
        treatment: row.treatment.clone(),
        dose: row.dose.clone(),
        call: row.call.clone(),
        is_hit: row.is_hit,
        effect_name: effect.map(|effect| effect.name.clone()),
        effect: effect.map(|effect| scaled(effect.estimate.value, effect.scale)),
        effect_interval: effect.and_then(|effect| interval(&effect.estimate, effect.scale)),
        effect_control: effect.and_then(|effect| effect.control.map(|control| scaled(control, effect.scale))),
        glyph: effect.map(|effect| glyph(effect, row.is_hit)).transpose()?,
        effect_reason: reason(&row.effect),
        q,
        q_reason: reason(&row.q),
        p: row.p.map(probability),
        replicates: row
            .replicates
            .map(|(agree, all)| format!("{agree} of {all} wells agree")),
        wells: row.wells.join(", "),
        cells: row.cells.map(|(here, control)| {
            format!("{} cells a well (controls {})", plain(here, 0), plain(control, 0))
        }),
        flags: row.flags.clone(),
        pictures: pictures(&row.pictures, &what)?,
        control_pictures: pictures(&row.control_pictures, &what)?,
    })
}

#[derive(Serialize)]
pub(crate) struct CandidatesView {
    reason: Option<String>,
    explanation: String,
    contrast: Option<String>,
    phenotypes: Vec<CandidateView>,
}

#[derive(Serialize)]
struct CandidateView {
    name: String,
    cells: String,
    wells: Vec<String>,
    more_wells: usize,
    treatments: String,
    nearest_class: Option<String>,
    features: Vec<(String, String)>,
    caution: Option<String>,
    pictures: Vec<PictureView>,
    control_pictures: Vec<PictureView>,
}

pub(crate) fn candidates(section: &Estimable<Candidates>) -> Result<CandidatesView, ReportError> {
    let Estimable::Value(candidates) = section else {
        return Ok(CandidatesView {
            reason: reason(section),
            explanation: String::new(),
            contrast: None,
            phenotypes: Vec::new(),
        });
    };
    Ok(CandidatesView {
        reason: None,
        explanation: candidates.explanation.clone(),
        contrast: candidates.contrast.clone(),
        phenotypes: candidates
            .phenotypes
            .iter()
            .map(candidate)
            .collect::<Result<_, _>>()?,
    })
}

fn candidate(phenotype: &CandidatePhenotype) -> Result<CandidateView, ReportError> {
    /// Wells named before "and n more".
    const WELLS_NAMED: usize = 8;
    let what = format!("candidate {}", phenotype.name);
    let features = phenotype.features.iter().map(|feature| {
        let sign = if feature.z > 0.0 { "+" } else { "" };
        (feature.name.clone(), format!("{sign}{}", plain(feature.z, 1)))
    });
    Ok(CandidateView {
        name: phenotype.name.clone(),
        cells: count(phenotype.cells.into()),
        wells: phenotype
            .wells
            .iter()
            .take(WELLS_NAMED)
            .map(|(well, cells)| format!("{well} ({cells})"))
            .collect(),
        more_wells: phenotype.wells.len().saturating_sub(WELLS_NAMED),
        treatments: phenotype.treatments.join(", "),
        nearest_class: phenotype.nearest_class.clone(),
        features: features.collect(),
        caution: phenotype.caution.clone(),
        pictures: pictures(&phenotype.pictures, &what)?,
        control_pictures: pictures(&phenotype.control_pictures, &what)?,
    })
}

#[derive(Serialize)]
pub(crate) struct DoseGroup {
    effect: String,
    panels: Vec<DoseView>,
}

#[derive(Serialize)]
struct DoseView {
    treatment: String,
    figure: Value,
    rows: Vec<DoseRow>,
}

#[derive(Serialize)]
struct DoseRow {
    dose: String,
    well: String,
    value: Option<String>,
    interval: Option<String>,
    is_hit: bool,
}

/// Panels in groups of one effect, in the order given; the panels of a group share their axis.
pub(crate) fn doses(panels: &[DosePanel]) -> Result<Vec<DoseGroup>, ReportError> {
    let mut groups: Vec<DoseGroup> = Vec::new();
    for panel in panels {
        let same = |other: &&DosePanel| other.effect == panel.effect && other.scale == panel.scale;
        let values: Vec<f64> = panels.iter().filter(same).flat_map(shared_dose_values).collect();
        let rows = panel.points.iter().map(|point| DoseRow {
            dose: format!("{} {}", point.label, panel.unit).trim().to_owned(),
            well: point.well.clone(),
            value: point.estimate.map(|estimate| scaled(estimate.value, panel.scale)),
            interval: point
                .estimate
                .and_then(|estimate| interval(&estimate, panel.scale)),
            is_hit: point.is_hit,
        });
        let view = DoseView {
            treatment: panel.treatment.clone(),
            figure: safe(dose_order(panel, &values)?),
            rows: rows.collect(),
        };
        match groups.iter_mut().find(|group| group.effect == panel.effect) {
            Some(group) => group.panels.push(view),
            None => groups.push(DoseGroup {
                effect: panel.effect.clone(),
                panels: vec![view],
            }),
        }
    }
    Ok(groups)
}

#[derive(Serialize)]
pub(crate) struct PlantedView {
    explanation: String,
    summary: Option<String>,
    figures: Vec<(String, Value)>,
    rows: Vec<PlantedRowView>,
}

#[derive(Serialize)]
struct PlantedRowView {
    treatment: String,
    quantity: String,
    estimate: Option<String>,
    interval: Option<String>,
    reason: Option<String>,
    truth: String,
    is_covered: Option<bool>,
    call: Option<String>,
    expected_call: Option<String>,
}

pub(crate) fn planted(planted: &PlantedTruth) -> Result<PlantedView, ReportError> {
    let mut quantities: Vec<&str> = Vec::new();
    for row in &planted.rows {
        if !quantities.contains(&row.quantity.as_str()) {
            quantities.push(&row.quantity);
        }
    }
    let mut figures = Vec::with_capacity(quantities.len());
    for quantity in quantities {
        let rows: Vec<&PlantedRow> = planted
            .rows
            .iter()
            .filter(|row| row.quantity == quantity)
            .collect();
        figures.push((quantity.to_owned(), safe(truth_plot(quantity, &rows)?)));
    }
    let rows = planted.rows.iter().map(|row| {
        let known = match row.estimate {
            Estimable::Value(estimate) => Some(estimate),
            Estimable::NotEstimable(_) => None,
        };
        PlantedRowView {
            treatment: row.treatment.clone(),
            quantity: row.quantity.clone(),
            estimate: known.map(|estimate| scaled(estimate.value, row.scale)),
            interval: known.and_then(|estimate| interval(&estimate, row.scale)),
            reason: reason(&row.estimate),
            truth: scaled(row.truth, row.scale),
            is_covered: known
                .and_then(|estimate| estimate.interval)
                .map(|(lower, upper)| (lower..=upper).contains(&row.truth)),
            call: row.call.clone(),
            expected_call: row.expected_call.clone(),
        }
    });
    Ok(PlantedView {
        explanation: planted.explanation.clone(),
        summary: planted.summary.clone(),
        figures,
        rows: rows.collect(),
    })
}
