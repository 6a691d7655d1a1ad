//! Hits, candidate phenotypes and dose order on the page.

use std::collections::BTreeMap;

use profile::Role;
use report::{
    CandidatePhenotype, Candidates, DefiningFeature, DosePanel, DosePoint, Effect, Estimable, Estimate,
    HitRow, HitTable, Picture, Scale,
};

use super::columns::{number_lists, numbers, text_lists, texts};
use super::report_data::{Material, with_unit};

/// Rows of the ranking that have pictures: the first screens of the page.
const ROWS_WITH_PICTURES: usize = 16;

/// Pictures of a treatment, and of controls beside them.
const PICTURES: usize = 3;

/// Pictures of a candidate phenotype.
const CANDIDATE_PICTURES: usize = 8;

/// How an effect is written, by its name in the tables.
fn scale_of(effect: &str) -> Scale {
    let lower = effect.to_lowercase();
    if lower.contains("ratio") || lower.contains("fold") {
        Scale::Ratio
    } else if lower.contains("share") || lower.contains("fraction") {
        Scale::Share
    } else {
        Scale::Number
    }
}

pub(super) fn hit_table(material: &Material) -> HitTable {
    let hits = &material.gathered.hits;
    let params = material.params;
    let text = |name: &str| texts(hits, name);
    let number = |name: &str| numbers(hits, name);
    let (treatment, unit, call, effect_name) =
        (text("Treatment"), text("Unit"), text("Call"), text("Effect_Name"));
    let (flags, wells, reason, shift) = (text("Flags"), text("Wells"), text("Reason"), text("Class_Shift"));
    let (dose, effect, lower, upper) = (
        number("Dose"),
        number("Effect"),
        number("Effect_Lower"),
        number("Effect_Upper"),
    );
    let (p, q, agree, replicates) = (
        number("P"),
        number("Q"),
        number("Replicates_Agree"),
        number("Replicates"),
    );
    let (cells, ratio) = (number("Cells"), number("Count_Ratio"));
    let control_pictures = pictures(material, &material.control_rows, PICTURES);
    let is_hit = |row: usize| {
        !matches!(
            call[row].as_deref().unwrap_or_default(),
            "no hit" | "no count hit" | "ranking only" | "not estimable" | ""
        )
    };
    let row = |row: usize| {
        let places = material.wells_named(wells[row].as_deref().unwrap_or_default());
        let why = reason[row]
            .clone()
            .unwrap_or_else(|| "the data do not support it".to_owned());
        let why = why.trim_end_matches('.').to_owned();
        let name = effect_name[row].clone().unwrap_or_default();
        let a_well = cells[row]
            .zip(replicates[row])
            .map(|(cells, wells)| cells / wells.max(1.0));
        let shown = row < ROWS_WITH_PICTURES;
        let mut called = call[row].clone().unwrap_or_default();
        if let Some(shift) = &shift[row] {
            called = format!("{called}: {shift}");
        }
        HitRow {
            treatment: treatment[row].clone().unwrap_or_default(),
            dose: dose[row].map(|dose| with_unit(dose, unit[row].as_deref())),
            call: called,
            is_hit: is_hit(row),
            effect: match effect[row] {
                Some(value) => Estimable::Value(Effect {
                    scale: scale_of(&name),
                    control: (scale_of(&name) == Scale::Ratio).then_some(1.0),
                    estimate: Estimate {
                        value,
                        interval: lower[row].zip(upper[row]),
                    },
                    name,
                }),
                None => Estimable::NotEstimable(why.clone()),
            },
            q: q[row].map_or_else(|| Estimable::NotEstimable(why.clone()), Estimable::Value),
            p: p[row],
            replicates: agree[row].zip(replicates[row]).map(|(k, n)| (k as u32, n as u32)),
            wells: places
                .iter()
                .map(|(plate, well)| material.well_name(plate, well))
                .collect(),
            cells: a_well
                .zip(ratio[row])
                .filter(|(_, ratio)| *ratio > 0.0)
                .map(|(here, ratio)| (here, here / ratio)),
            flags: flags[row]
                .as_deref()
                .unwrap_or_default()
                .split(", ")
                .filter(|flag| !flag.is_empty())
                .map(str::to_owned)
                .collect(),
            pictures: if shown {
                pictures(material, &material.rows_in(&places), PICTURES)
            } else {
                Vec::new()
            },
            control_pictures: if shown {
                control_pictures.clone()
            } else {
                Vec::new()
            },
        }
    };
    let rows: Vec<HitRow> = (0..hits.height()).map(row).collect();
    let plate = material
        .collected
        .scan
        .plates()
        .first()
        .map(|plate| (*plate).to_owned())
        .unwrap_or_default();
    HitTable {
        shown: 0,
        tested: rows.len() as u32,
        called: rows.iter().filter(|row| row.is_hit).count() as u32,
        unit: if dose.iter().any(Option::is_some) { "treatment and dose" } else { "treatment" }.to_owned(),
        error_rate: format!(
            "false-discovery rate {} over treatments; counts at {} over wells and at least {}-fold",
            params.fdr, params.count_fdr, params.min_effect
        ),
        contrast: material.album.contrast_in_words(&plate, false),
        notes: vec!["Pictures show the cells nearest to the middle of their wells in all features: typical cells, not the most extreme ones.".to_owned()],
        rows,
    }
}

/// Pictures of typical cells.
fn pictures(material: &Material, rows: &[usize], n: usize) -> Vec<Picture> {
    material
        .cells
        .typical(rows, n)
        .into_iter()
        .filter_map(|row| material.album.cell(&material.cells, row))
        .collect()
}

/// Candidate phenotypes, or why no cell could be flagged.
pub(super) fn candidates(material: &Material) -> Estimable<Candidates> {
    let gathered = material.gathered;
    let (kinds, calls, reasons) = (
        texts(&gathered.tests, "Kind"),
        texts(&gathered.tests, "Call"),
        texts(&gathered.tests, "Reason"),
    );
    let novelty: Vec<usize> = (0..kinds.len())
        .filter(|&row| kinds[row].as_deref() == Some("novelty"))
        .collect();
    let tested = novelty
        .iter()
        .any(|&row| matches!(calls[row].as_deref(), Some("hit" | "no hit")));
    if !tested {
        let reason = novelty.iter().find_map(|&row| reasons[row].clone());
        let reason = reason.or_else(|| gathered.verdict.not_estimable.first().cloned());
        let reason = reason.unwrap_or_else(|| "no treatment was tested against controls".to_owned());
        return Estimable::NotEstimable(reason.trim_end_matches('.').to_owned());
    }
    let novel = &gathered.novel;
    let (candidate, row_of, treatment, nearest) = (
        numbers(novel, "Candidate_Phenotype"),
        numbers(novel, "Row"),
        texts(novel, "Treatment"),
        texts(novel, "Nearest_Known_Class"),
    );
    let clusters = &gathered.clusters;
    let (kind, id) = (texts(clusters, "Kind"), numbers(clusters, "Cluster"));
    let (features, z) = (
        text_lists(clusters, "Defining_Features"),
        number_lists(clusters, "Defining_Z"),
    );
    let control_pictures = pictures(material, &material.control_rows, CANDIDATE_PICTURES / 2);
    let mut phenotypes = Vec::new();
    for cluster in (0..clusters.height()).filter(|&row| kind[row].as_deref() == Some("candidate")) {
        let Some(number) = id[cluster] else { continue };
        let members: Vec<usize> = (0..novel.height())
            .filter(|&row| candidate[row] == Some(number))
            .collect();
        let rows: Vec<usize> = members
            .iter()
            .filter_map(|&row| row_of[row])
            .map(|row| row as usize)
            .collect();
        let wells = counted(
            rows.iter()
                .map(|&row| material.well_name(&material.cells.plate[row], &material.cells.well[row])),
        );
        let of_treatment = counted(members.iter().filter_map(|&row| treatment[row].clone()));
        let classes = counted(members.iter().filter_map(|&row| nearest[row].clone()));
        let caution = match wells.as_slice() {
            [(well, _)] => Some(format!("all of its cells are in one well ({well})")),
            _ => None,
        };
        let flagged = |row: &usize| {
            material.cells.kind[*row]
                .as_deref()
                .is_none_or(|kind| kind == "candidate")
        };
        let shown: Vec<usize> = rows.iter().copied().filter(flagged).collect();
        phenotypes.push(CandidatePhenotype {
            name: format!("candidate {number}"),
            cells: rows.len() as u32,
            wells,
            treatments: of_treatment.into_iter().map(|(name, _)| name).collect(),
            nearest_class: classes
                .into_iter()
                .next()
                .map(|(class, _)| class)
                .filter(|_| material.classes_fit()),
            features: features[cluster]
                .iter()
                .zip(&z[cluster])
                .map(|(name, &z)| DefiningFeature {
                    name: name.clone(),
                    z,
                })
                .collect(),
            caution,
            pictures: pictures(material, &shown, CANDIDATE_PICTURES),
            control_pictures: control_pictures.clone(),
        });
    }
    phenotypes.sort_by(|a, b| b.cells.cmp(&a.cells).then(a.name.cmp(&b.name)));
    let plate = material
        .collected
        .scan
        .plates()
        .first()
        .map(|plate| (*plate).to_owned())
        .unwrap_or_default();
    Estimable::Value(Candidates {
        phenotypes,
        explanation: format!(
            "Cells are flagged inside treatments that are hits, at the false-discovery rate {} times the share of treatments selected; blurred, \
             saturated and cut objects are set apart as artefacts. The rate holds on average over plates like these.",
            material.params.fdr
        ),
        contrast: material.album.contrast_in_words(&plate, false),
    })
}

/// Names with how often each stands there, most first.
fn counted(names: impl Iterator<Item = String>) -> Vec<(String, u32)> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let mut counts: Vec<(String, u32)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    counts
}

/// A panel for every treatment with at least two doses: the share of cells unlike the controls, else the count ratio.
pub(super) fn doses(material: &Material) -> Vec<DosePanel> {
    let wells = &material.gathered.wells;
    let share = "Novelty_P_Controls_ShareBelow05";
    let (column, effect, scale) = if numbers(wells, share).iter().any(Option::is_some) {
        (
            share,
            "share of cells unlike the controls (p at most 0.05)",
            Scale::Share,
        )
    } else {
        ("Count_Ratio", "cells against controls", Scale::Ratio)
    };
    let estimate = |row: usize, value: &[Option<f64>], lower: &[Option<f64>], upper: &[Option<f64>]| {
        value[row].map(|value| Estimate {
            value,
            interval: lower[row].zip(upper[row]),
        })
    };
    let (value, lower, upper) = (
        numbers(wells, column),
        numbers(wells, &format!("{column}_Lower")),
        numbers(wells, &format!("{column}_Upper")),
    );
    let (treatment, dose, unit) = (
        texts(wells, "Metadata_Treatment"),
        numbers(wells, "Metadata_Dose"),
        texts(wells, "Metadata_Unit"),
    );
    let (plate, well, role) = (
        texts(wells, "Metadata_Plate"),
        texts(wells, "Metadata_Well"),
        texts(wells, "Metadata_Role"),
    );
    let controls: Vec<f64> = (0..wells.height())
        .filter(|&row| role[row].as_deref() == Some(Role::Negcon.name()))
        .filter_map(|row| value[row])
        .collect();
    let control = uncertainty::median(&controls).map(|median| {
        let low = controls.iter().copied().fold(f64::INFINITY, f64::min);
        let high = controls.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Estimate::within(median, low, high)
    });
    let called = called_doses(material);
    let mut rows_of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for row in 0..wells.height() {
        let tested = matches!(role[row].as_deref(), Some("treatment" | "poscon"));
        if let (true, Some(name), Some(_)) = (tested, &treatment[row], dose[row]) {
            rows_of.entry(name).or_default().push(row);
        }
    }
    let mut panels = Vec::new();
    for (name, mut rows) in rows_of {
        rows.sort_by(|&a, &b| {
            dose[a]
                .unwrap_or(0.0)
                .total_cmp(&dose[b].unwrap_or(0.0))
                .then(a.cmp(&b))
        });
        let mut distinct: Vec<Option<f64>> = rows.iter().map(|&row| dose[row]).collect();
        distinct.dedup();
        if distinct.len() < 2 {
            continue;
        }
        let point = |&row: &usize| DosePoint {
            label: dose[row].map(|dose| dose.to_string()).unwrap_or_default(),
            well: material.well_name(
                plate[row].as_deref().unwrap_or_default(),
                well[row].as_deref().unwrap_or_default(),
            ),
            estimate: estimate(row, &value, &lower, &upper),
            is_hit: dose[row].is_some_and(|dose| called.iter().any(|(t, d)| t == name && *d == dose)),
        };
        panels.push(DosePanel {
            treatment: name.to_owned(),
            effect: effect.to_owned(),
            scale,
            unit: rows
                .first()
                .and_then(|&row| unit[row].clone())
                .unwrap_or_default(),
            points: rows.iter().map(point).collect(),
            control,
        });
    }
    panels
}

/// Treatments and doses that are called.
fn called_doses(material: &Material) -> Vec<(String, f64)> {
    let hits = &material.gathered.hits;
    let (treatment, dose, call) = (
        texts(hits, "Treatment"),
        numbers(hits, "Dose"),
        texts(hits, "Call"),
    );
    (0..hits.height())
        .filter(|&row| {
            matches!(
                call[row].as_deref(),
                Some(
                    "new phenotype"
                        | "class shift"
                        | "unlike controls"
                        | "unlike taught classes"
                        | "fewer cells"
                        | "more cells"
                )
            )
        })
        .filter_map(|row| Some((treatment[row].clone()?, dose[row]?)))
        .collect()
}
