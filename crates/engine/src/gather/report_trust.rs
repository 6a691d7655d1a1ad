//! How far the probabilities may be trusted, on the page.

use report::{BandPoint, EntropyGroup, EntropySplit, Estimable, Estimate, Reliability, ReliabilityBin};

use super::columns::{numbers, texts};
use super::report_data::{Material, with_unit};
use crate::screen::facts::ReliabilityFacts;

/// Treatments in the entropy split: the first of the ranking.
const TREATMENTS: usize = 6;

/// Half width of a 90 % interval in standard errors.
const Z_90: f64 = 1.644_853_626_951_472_2;

/// The reliability of the bundle's classes on cells that its members had not seen; `None` without a bundle of classes.
pub(super) fn reliability(material: &Material) -> Option<Estimable<Reliability>> {
    let stage = &material.collected.stage;
    let (facts, bundle) = (stage.classes.as_ref()?, stage.settings.classify.as_ref()?);
    Some(match &facts.reliability {
        Some(reliability) => Estimable::Value(diagram(reliability, &bundle.name)),
        None => Estimable::NotEstimable(format!(
            "bundle {:?} holds too few out-of-fold cells",
            bundle.name
        )),
    })
}

fn diagram(facts: &ReliabilityFacts, bundle: &str) -> Reliability {
    Reliability {
        measured_on: format!(
            "{} cells of {} groups of the data of bundle {bundle}, each scored by members that never saw its fold; not cells of this plate",
            facts.cells, facts.groups
        ),
        bins: facts
            .bins
            .iter()
            .map(|bin| ReliabilityBin {
                confidence: bin.confidence,
                share: bin.share,
                interval: bin.interval,
                cells: bin.cells as u64,
            })
            .collect(),
        band: facts
            .bins
            .iter()
            .map(|bin| BandPoint {
                confidence: bin.confidence,
                low: bin.band.0,
                high: bin.band.1,
            })
            .collect(),
        ece: Estimate::point(facts.ece),
        ece_by_chance: facts
            .ece_by_chance
            .map(|(low, median, high)| Estimate::within(median, low, high)),
        slope: facts
            .slope
            .map(|(slope, error)| Estimate::within(slope, slope - Z_90 * error, slope + Z_90 * error)),
        confidence_minus_accuracy: Some(Estimate::point(facts.confidence_minus_accuracy)),
        cells: facts.cells as u64,
    }
}

/// The entropy split of controls, of the first treatments and of flagged cells; `None` without a bundle of classes.
pub(super) fn entropy(material: &Material) -> Option<Estimable<EntropySplit>> {
    let facts = material.collected.stage.classes.as_ref()?;
    let cells = &material.cells;
    let group = |name: String, rows: &[usize]| {
        let both: Vec<(f64, f64)> = rows
            .iter()
            .filter_map(|&row| cells.aleatoric[row].zip(cells.epistemic[row]))
            .collect();
        let n = both.len() as f64;
        (!both.is_empty()).then(|| EntropyGroup {
            name,
            aleatoric: both.iter().map(|(aleatoric, _)| aleatoric).sum::<f64>() / n,
            epistemic: both.iter().map(|(_, epistemic)| epistemic).sum::<f64>() / n,
            cells: both.len() as u64,
        })
    };
    let mut groups: Vec<EntropyGroup> = Vec::new();
    groups.extend(group("negative controls".to_owned(), &material.control_rows));
    let hits = &material.gathered.hits;
    let (names, doses, units, wells) = (
        texts(hits, "Treatment"),
        numbers(hits, "Dose"),
        texts(hits, "Unit"),
        texts(hits, "Wells"),
    );
    for row in 0..hits.height().min(TREATMENTS) {
        let dose = doses[row]
            .map(|dose| format!(" {}", with_unit(dose, units[row].as_deref())))
            .unwrap_or_default();
        let rows = material.rows_in(&material.wells_named(wells[row].as_deref().unwrap_or_default()));
        groups.extend(group(
            format!("{}{dose}", names[row].as_deref().unwrap_or_default()),
            &rows,
        ));
    }
    let flagged: Vec<usize> = numbers(&material.gathered.novel, "Row")
        .into_iter()
        .flatten()
        .map(|row| row as usize)
        .collect();
    groups.extend(group("flagged cells".to_owned(), &flagged));
    if groups.is_empty() {
        let all: Vec<usize> = (0..cells.len()).collect();
        groups.extend(group("all cells".to_owned(), &all));
    }
    Some(if groups.is_empty() {
        Estimable::NotEstimable("the bundle's classes do not fit this plate, so no class is named".to_owned())
    } else {
        Estimable::Value(EntropySplit {
            groups,
            maximum: (facts.classes.len() as f64).ln(),
            note: Some("Both parts are statements of the networks, not facts about the cells.".to_owned()),
        })
    })
}
