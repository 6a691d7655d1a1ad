//! Which cells inside hits are unlike their reference, and which of them only because the picture is bad.
//!
//! Treatments are selected first; within each of them BH on the cells' p-values at q × the selected share of the treatments
//! (Benjamini, Bogomolov 2014; METHODS.md section 8).

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::DataFrame;
use uncertainty::{benjamini_hochberg, detection_floor, median};

use crate::columns::numbers_if_there;
use crate::plate_layout::{PlateLayout, TreatmentGroup};
use crate::site_focus::SiteKey;
use crate::test_rows::{Call, TestRow};
use crate::{GatherParams, ProfileError};

/// Segmentation probability (IoU ≥ 0.5) below which a flagged object counts as badly outlined.
const MIN_P50: f64 = 0.5;
/// Upper-quartile intensity, of the sensor's range, from which on an object counts as saturated.
const SATURATED_QUARTILE: f64 = 0.999;
/// Share of an object's own pixels at full scale from which on it counts as saturated.
const SATURATED_SHARE: f64 = 0.5;
/// Focus of an object's surroundings, over the median of its plate's control objects, below which it counts as blurred. The measure
/// depends on the object too (a smooth nucleus is no blurred one), so the bound is far out.
const BLURRED_RATIO: f64 = 0.25;
/// Mean intensity, of the sensor's range, from which on an object counts as saturated.
const SATURATED_MEAN: f64 = 0.98;

/// A flagged cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flag {
    pub row: usize,
    pub group: usize,
    pub p: f64,
    pub q: f64,
    pub kind: &'static str,
}

/// Flags of all selected treatments, by row, and one sentence a family on what could be flagged.
pub(crate) fn flag_cells(
    layout: &PlateLayout,
    groups: &[TreatmentGroup],
    primary: &[TestRow],
    p_cell: &[Option<f64>],
    n_calibration: &[usize],
    kinds: &[&'static str],
    params: &GatherParams,
) -> (Vec<Flag>, Vec<String>) {
    let mut families: BTreeMap<String, (Vec<usize>, usize)> = BTreeMap::new();
    for row in primary.iter().filter(|r| r.q.is_some()) {
        let family = families.entry(layout.plate_names(&row.wells)).or_default();
        family.1 += 1;
        if row.call == Call::Hit {
            family.0.push(row.group);
        }
    }
    let (mut flags, mut floors) = (Vec::new(), Vec::new());
    for (plates, (selected, tests)) in families {
        if selected.is_empty() {
            continue;
        }
        let level = params.fdr * selected.len() as f64 / tests as f64;
        let mut worst: Option<(usize, usize)> = None;
        for g in selected {
            let rows: Vec<usize> = groups[g]
                .wells
                .iter()
                .flat_map(|&w| layout.wells[w].rows.iter().copied())
                .filter(|&r| p_cell[r].is_some())
                .collect();
            let p: Vec<f64> = rows.iter().filter_map(|&r| p_cell[r]).collect();
            let n = groups[g]
                .wells
                .iter()
                .map(|&w| n_calibration[layout.wells[w].plate])
                .min()
                .unwrap_or(0);
            if n > 0 {
                let needed = detection_floor(1.0 / (n + 1) as f64, p.len(), level)
                    .tests_needed
                    .unwrap_or(usize::MAX);
                if worst.is_none_or(|(k, _)| needed > k) {
                    worst = Some((needed, p.len()));
                }
            }
            for ((row, p), q) in rows.iter().zip(&p).zip(benjamini_hochberg(&p)) {
                if q <= level {
                    flags.push(Flag {
                        row: *row,
                        group: g,
                        p: *p,
                        q,
                        kind: kinds[*row],
                    });
                }
            }
        }
        if let Some((needed, cells)) = worst {
            floors.push(if needed > cells {
                format!("Plate {plates}: no cell can be flagged inside its hits at level {level:.3}; more control cells are needed.")
            } else {
                format!("Plate {plates}: cells inside hits are flagged at level {level:.3}; at least {needed} of {cells} cells of the largest hit must reach the smallest p-value together.")
            });
        }
    }
    flags.sort_by_key(|f| f.row);
    (flags, floors)
}

/// What a flag on each object would be: `candidate`, or the artefact that explains it.
pub(crate) fn novelty_kinds(
    objects: &DataFrame,
    layout: &PlateLayout,
    blurred: &BTreeSet<SiteKey>,
) -> Result<Vec<&'static str>, ProfileError> {
    let mut kinds = vec!["candidate"; objects.height()];
    let mut mark =
        |column: &str, kind: &'static str, is_bad: &dyn Fn(f64) -> bool| -> Result<(), ProfileError> {
            if let Some(values) = numbers_if_there("objects", objects, column)? {
                for (slot, value) in kinds.iter_mut().zip(values) {
                    if value.is_some_and(is_bad) {
                        *slot = kind;
                    }
                }
            }
            Ok(())
        };
    // The last mark stands: blur explains more than a bad outline, and a cut object more than blur.
    for name in objects.get_column_names_owned() {
        if name.starts_with("Nuclei_Intensity_UpperQuartileIntensity_") {
            mark(&name, "artefact_saturated", &|v| v >= SATURATED_QUARTILE)?;
        } else if name.starts_with("Nuclei_Intensity_MeanIntensity_") {
            mark(&name, "artefact_saturated", &|v| v >= SATURATED_MEAN)?;
        }
    }
    mark("Metadata_Quality_SaturatedShare", "artefact_saturated", &|v| {
        v >= SATURATED_SHARE
    })?;
    mark("Metadata_Segmentation_P50", "artefact_cut", &|v| v < MIN_P50)?;
    if let Some(focus) = numbers_if_there("objects", objects, "Metadata_Quality_Focus")? {
        for plate in &layout.plates {
            let reference = if plate.controls.is_empty() {
                &plate.wells
            } else {
                &plate.controls
            };
            let rows = |wells: &[usize]| {
                wells
                    .iter()
                    .flat_map(|&w| layout.wells[w].rows.clone())
                    .collect::<Vec<usize>>()
            };
            let usual = median(
                &rows(reference)
                    .into_iter()
                    .filter_map(|r| focus[r])
                    .collect::<Vec<_>>(),
            );
            for row in rows(&plate.wells) {
                if usual
                    .zip(focus[row])
                    .is_some_and(|(usual, here)| here < BLURRED_RATIO * usual)
                {
                    kinds[row] = "artefact_blur";
                }
            }
        }
    }
    if !blurred.is_empty() {
        let site = numbers_if_there("objects", objects, "Metadata_Site")?;
        let time = numbers_if_there("objects", objects, "Metadata_Timepoint")?;
        let at = |column: &Option<Vec<Option<f64>>>, row: usize| {
            column.as_ref().and_then(|c| c[row]).unwrap_or(0.0) as i64
        };
        for (row, kind) in kinds.iter_mut().enumerate() {
            if blurred.contains(&(layout.well_of_row[row], at(&site, row), at(&time, row))) {
                *kind = "artefact_blur";
            }
        }
    }
    let mut mark = |column: &str| -> Result<(), ProfileError> {
        if let Some(values) = numbers_if_there("objects", objects, column)? {
            for (slot, value) in kinds.iter_mut().zip(values) {
                if value == Some(1.0) {
                    *slot = "artefact_cut";
                }
            }
        }
        Ok(())
    };
    mark("Metadata_Location_TouchesBorder")?;
    Ok(kinds)
}
