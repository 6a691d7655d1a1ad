//! The gather stage from end to end.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array2, ArrayView2, Axis};
use polars::prelude::DataFrame;

use crate::cell_flags::{Flag, flag_cells, novelty_kinds};
use crate::class_mix::ClassMix;
use crate::clusters::{cluster_cells, cluster_table};
use crate::columns::{feature_names, numbers, numbers_if_there, put, withhold, without_nan};
use crate::control_novelty::{ControlNovelty, control_novelty};
use crate::count_tests::count_tests;
use crate::feature_choice::{FIT_CUT, FeatureLimits, ReferenceCells, RobustScale, choose_features};
use crate::gathered::{GateOutcome, Gathered, Verdict};
use crate::hit_table::{HitTableInput, hit_table};
use crate::known_gate::judge_plates;
use crate::novel_table::novel_table;
use crate::novelty_tests::{class_tests, novelty_tests};
use crate::plate_layout::PlateLayout;
use crate::separation::separations;
use crate::site_focus::{background_z, blurred_wells, judge_sites};
use crate::test_rows::{Kind, TestRow, test_table};
use crate::verdict::conclude;
use crate::well_table::{WellTableInput, larger, well_table};
use crate::{GatherParams, ProfileError, WellInfo};

/// Makes the final tables of a run from its stacked site tables.
///
/// `objects`: CLI.md's columns up to `Metadata_Phenotype_*` and (raw) `Metadata_Novelty_P_Known`, all sites
/// stacked in site order; every numeric column that does not start with `Metadata_` is a feature; a NaN is read as
/// missing. An optional bool column `Metadata_Location_TouchesBorder` marks cut objects.
/// `site_quality`: one row a site that was read, also of sites without cells: `Metadata_Plate`, `Metadata_Well`,
/// `Metadata_Site`, `Metadata_Timepoint`, and f32 or f64 columns, of which `Quality_Focus` (larger = sharper)
/// and `Quality_SaturatedShare` (0..1) are judged and `Quality_Background` marks bright outliers; all are averaged by well. An empty table means that none was measured.
/// `wells`: the plate map joined with what is on disk, one entry a well.
///
/// Errors: a missing column, a doubled well, a parameter outside its range, or a failure inside polars or linfa.
pub fn gather(
    objects: DataFrame,
    site_quality: DataFrame,
    wells: &[WellInfo],
    params: &GatherParams,
) -> Result<Gathered, ProfileError> {
    params.check()?;
    let mut objects = without_nan(objects)?;
    let layout = PlateLayout::new(&objects, &site_quality, wells)?;
    let groups = layout.treatment_groups();
    let n = objects.height();
    let mut verdict = Verdict {
        sites: layout.wells.iter().map(|w| w.info.sites).sum(),
        sites_skipped: layout.wells.iter().map(|w| w.info.sites_skipped).sum(),
        ..Verdict::default()
    };
    let (focus, blurred) = judge_sites(&site_quality, &layout)?;
    verdict.focus = focus;

    // Features, few and steady, scaled plate by plate.
    let names = feature_names(&objects);
    let values = feature_matrix(&objects, &names)?;
    let usable_controls: Vec<Vec<usize>> = layout
        .plates
        .iter()
        .map(|p| layout.with_cells(&p.controls))
        .collect();
    let references: Vec<ReferenceCells> = layout
        .plates
        .iter()
        .zip(&usable_controls)
        .map(|(plate, controls)| {
            reference_cells(
                &layout,
                if controls.len() >= 2 {
                    controls
                } else {
                    &plate.wells
                },
            )
        })
        .filter(|r| !r.rows.is_empty())
        .collect();
    let choice = choose_features(values.view(), &references, FeatureLimits::default());
    let kept = values.select(Axis(1), &choice.kept);
    let kept_names: Vec<String> = choice.kept.iter().map(|&j| names[j].clone()).collect();
    verdict
        .notes
        .push(feature_note(&names, &choice.kept, &choice.dropped));

    // P_Controls.
    let against_controls = control_novelty(&layout, kept.view(), &usable_controls, params, &mut verdict)?;

    // The gate, then P_Known and the classes where they stand.
    let mut p_known =
        numbers_if_there("objects", &objects, "Metadata_Novelty_P_Known")?.unwrap_or_else(|| vec![None; n]);
    let classified = objects
        .get_column_names()
        .iter()
        .any(|c| c.starts_with("Metadata_Phenotype_P_"));
    verdict.gate = judge_plates(&layout, classified.then_some(p_known.as_slice()), params);
    let fits: Vec<bool> = layout
        .plates
        .iter()
        .map(|p| {
            verdict
                .gate
                .iter()
                .all(|g| g.plate != p.name || g.outcome == GateOutcome::Fits)
        })
        .collect();
    let stands: Vec<bool> = layout
        .well_of_row
        .iter()
        .map(|&w| fits[layout.wells[w].plate])
        .collect();
    let nearest = ClassMix::read(&objects, params)?;
    let mut mix = ClassMix::read(&objects, params)?;
    for row in (0..n).filter(|&r| !stands[r]) {
        p_known[row] = None;
        if let Some(mix) = &mut mix {
            mix.withhold(row);
        }
    }
    if stands.iter().any(|s| !s) {
        for name in objects.get_column_names_owned() {
            if name.starts_with("Metadata_Phenotype_") {
                withhold(&mut objects, &name, &stands)?;
            }
        }
        if objects.column("Metadata_Novelty_P_Known").is_ok() {
            withhold(&mut objects, "Metadata_Novelty_P_Known", &stands)?;
        }
    }

    // Tests.
    let (mut tests, count_notes, count_missing) = count_tests(&layout, &groups, params);
    verdict.notes.extend(count_notes);
    verdict.not_estimable.extend(count_missing);
    let novelty = novelty_tests(
        &layout,
        &groups,
        &against_controls.p,
        &p_known,
        mix.as_ref(),
        params,
        &mut verdict,
    );
    tests.extend(novelty.rows);
    let p_cell: Vec<Option<f64>> = match novelty.primary {
        Some("both") => against_controls
            .p
            .iter()
            .zip(&p_known)
            .map(|(c, k)| c.zip(*k).map(|(c, k)| c.max(k)))
            .collect(),
        Some("known") => p_known.clone(),
        Some(_) => against_controls.p.clone(),
        None => against_controls
            .p
            .iter()
            .zip(&p_known)
            .map(|(c, k)| larger(*c, *k))
            .collect(),
    };

    // Cells inside hits.
    let kinds = novelty_kinds(&objects, &layout, &blurred)?;
    let primary_rows: Vec<TestRow> = tests
        .iter()
        .filter(|t| t.kind == Kind::Novelty && Some(t.about.as_str()) == novelty.primary)
        .cloned()
        .collect();
    let (flags, floors) = flag_cells(
        &layout,
        &groups,
        &primary_rows,
        &p_cell,
        &against_controls.n_calibration,
        &kinds,
        params,
    );
    verdict.floors.extend(floors);
    let candidates: BTreeSet<usize> = flags
        .iter()
        .filter(|f| f.kind == "candidate")
        .map(|f| f.row)
        .collect();
    let artefacts: BTreeSet<usize> = flags
        .iter()
        .filter(|f| f.kind != "candidate")
        .map(|f| f.row)
        .collect();
    let flags_made = primary_rows.iter().any(|t| t.q.is_some());
    if n > 0 && !flags_made {
        verdict.not_estimable.push("Flagged cells are not estimable: cells are flagged inside treatments that are hits at an error rate, and none can be called here.".to_owned());
    }

    // Class shifts, flagged cells left out.
    if let Some(mix) = &mix {
        tests.extend(class_tests(
            &layout,
            &groups,
            mix,
            &candidates,
            params,
            &mut verdict,
        ));
    }

    // Clusters.
    let scales = plate_scales(&layout, kept.view(), &usable_controls);
    let scaled = scaled_features(&layout, kept.view(), &scales);
    let flagged_rows: Vec<usize> = candidates.iter().copied().collect();
    let clustering = cluster_cells(&layout, scaled.view(), &kept_names, &flagged_rows, params)?;
    verdict.notes.push(clustering.note.clone());

    write_novelty(
        &mut objects,
        &against_controls,
        &p_known,
        novelty.primary,
        &flags,
        flags_made,
    )?;
    put(&mut objects, "Metadata_Cluster", clustering.cluster.clone())?;

    verdict.separation = separations(&layout, &names, values.view(), &against_controls.score, params);
    let confidence = numbers_if_there("objects", &objects, "Metadata_Phenotype_Confidence")?;
    let well_rows = well_table(&WellTableInput {
        layout: &layout,
        sites: &site_quality,
        params,
        p_controls: &against_controls.p,
        p_known: &p_known,
        score: &against_controls.score,
        confidence: confidence.as_deref(),
        flagged: &candidates,
        flags_made,
        mix: mix.as_ref(),
        feature_names: &names,
        kept: &choice.kept,
        values: kept.view(),
        scales: &scales,
    })?;
    let hits = hit_table(&HitTableInput {
        layout: &layout,
        groups: &groups,
        tests: &tests,
        primary: novelty.primary,
        p_controls: &against_controls.p,
        p_known: &p_known,
        p_cell: &p_cell,
        flagged_candidates: &candidates,
        flagged_artefacts: &artefacts,
        blurred_wells: &blurred_wells(&site_quality, &layout, &blurred)?,
        brightness: &background_z(&site_quality, &layout)?,
    })?;
    let novel = novel_table(&objects, &flags, &groups, &clustering.candidate, nearest.as_ref())?;
    let clusters = cluster_table(&clustering, &objects, &layout, &groups)?;
    let test_rows = test_table(&tests, &layout, &groups)?;
    conclude(&mut verdict, &layout, &tests, n);
    Ok(Gathered {
        objects,
        wells: well_rows,
        hits,
        tests: test_rows,
        novel,
        clusters,
        verdict,
        scatter: clustering.scatter,
    })
}

/// Objects × features; NaN where missing. NaN does not leave this room's inside.
fn feature_matrix(objects: &DataFrame, names: &[String]) -> Result<Array2<f32>, ProfileError> {
    let mut values = Array2::<f32>::zeros((objects.height(), names.len()));
    for (j, name) in names.iter().enumerate() {
        for (slot, value) in values
            .column_mut(j)
            .iter_mut()
            .zip(numbers("objects", objects, name)?)
        {
            *slot = value.map_or(f32::NAN, |v| v as f32);
        }
    }
    Ok(values)
}

/// The cells of these wells with their well.
fn reference_cells(layout: &PlateLayout, wells: &[usize]) -> ReferenceCells {
    let mut reference = ReferenceCells::default();
    for &w in wells {
        reference.rows.extend(&layout.wells[w].rows);
        reference
            .group
            .extend(std::iter::repeat_n(w, layout.wells[w].rows.len()));
    }
    reference
}

/// What was kept and left out, in a sentence.
fn feature_note(names: &[String], kept: &[usize], dropped: &[(usize, &'static str)]) -> String {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, reason) in dropped {
        *reasons.entry(reason).or_insert(0) += 1;
    }
    let why: Vec<String> = reasons
        .iter()
        .map(|(reason, n)| format!("{n} {reason}"))
        .collect();
    let list: Vec<&str> = kept.iter().map(|&j| names[j].as_str()).collect();
    format!(
        "{} of {} features are used for distances and clusters ({}); left out: {}.",
        kept.len(),
        names.len(),
        list.join(", "),
        if why.is_empty() {
            "none".to_owned()
        } else {
            why.join(", ")
        }
    )
}

/// Per plate the scale of the kept features: on its control cells, on all its cells where it has fewer than two control wells.
fn plate_scales(
    layout: &PlateLayout,
    values: ArrayView2<f32>,
    usable_controls: &[Vec<usize>],
) -> Vec<Option<RobustScale>> {
    layout
        .plates
        .iter()
        .zip(usable_controls)
        .map(|(plate, controls)| {
            let reference = reference_cells(
                layout,
                if controls.len() >= 2 {
                    controls
                } else {
                    &plate.wells
                },
            );
            (!reference.rows.is_empty()).then(|| RobustScale::fit(values, &reference.rows))
        })
        .collect()
}

/// Robust z of all objects, cut, plate by plate.
fn scaled_features(
    layout: &PlateLayout,
    values: ArrayView2<f32>,
    scales: &[Option<RobustScale>],
) -> Array2<f64> {
    let mut scaled = Array2::<f64>::zeros(values.dim());
    for well in &layout.wells {
        if let Some(scale) = &scales[well.plate] {
            for (row, z) in well
                .rows
                .iter()
                .zip(scale.apply(values, &well.rows, FIT_CUT).outer_iter())
            {
                scaled.row_mut(*row).assign(&z);
            }
        }
    }
    scaled
}

/// The novelty columns of the object table.
fn write_novelty(
    objects: &mut DataFrame,
    against_controls: &ControlNovelty,
    p_known: &[Option<f64>],
    primary: Option<&'static str>,
    flags: &[Flag],
    flags_made: bool,
) -> Result<(), ProfileError> {
    let n = objects.height();
    put(objects, "Metadata_Novelty_P_Controls", against_controls.p.clone())?;
    put(objects, "Metadata_Novelty_P_Known", p_known.to_vec())?;
    let raw = numbers_if_there("objects", objects, "Metadata_Novelty_Score")?;
    let score: Vec<Option<f32>> = (0..n)
        .map(|r| {
            against_controls.score[r]
                .or_else(|| raw.as_ref().and_then(|raw| raw[r]))
                .map(|s| s as f32)
        })
        .collect();
    put(objects, "Metadata_Novelty_Score", score)?;
    let reference: Vec<Option<&str>> = (0..n)
        .map(
            |r| match (primary, against_controls.p[r].is_some(), p_known[r].is_some()) {
                (Some("both"), true, true) => Some("both"),
                (_, true, _) => Some("controls"),
                (_, false, true) => Some("known"),
                _ => None,
            },
        )
        .collect();
    put(objects, "Metadata_Novelty_Reference", reference)?;
    let mut flag: Vec<Option<bool>> = vec![flags_made.then_some(false); n];
    let mut kind: Vec<Option<&str>> = vec![None; n];
    for f in flags {
        flag[f.row] = Some(true);
        kind[f.row] = Some(f.kind);
    }
    put(objects, "Metadata_Novelty_Flag", flag)?;
    put(objects, "Metadata_Novelty_Kind", kind)
}
