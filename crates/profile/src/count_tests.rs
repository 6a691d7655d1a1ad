//! Count hits: are there fewer or more objects in a well than in the control wells of its plate?
//!
//! Negative-binomial ratio with interval; the dispersion comes from the controls from eight control wells on, below that it
//! is the stated default; BH over the wells of a plate **and** a smallest fold change. Source: METHODS.md sections 8 and 9.

use std::collections::BTreeMap;

use uncertainty::{CountTest, Dispersion, benjamini_hochberg, count_test};

use crate::GatherParams;
use crate::plate_layout::{PlateLayout, TreatmentGroup};
use crate::share_tests::MIN_CONTROL_WELLS_FOR_RATE;
use crate::test_rows::{Call, Kind, TestRow};

/// Fewest control wells for a count test.
pub(crate) const MIN_CONTROL_WELLS_FOR_COUNTS: usize = 2;

/// One count test against the control wells of a well's plate, other than itself; `None` when it is not estimable.
///
/// Control counts are scaled to the well's number of sites read.
pub(crate) fn count_of_well(
    layout: &PlateLayout,
    well: usize,
    params: &GatherParams,
) -> Option<(CountTest, usize)> {
    let here = &layout.wells[well];
    if here.sites_read == 0 {
        return None;
    }
    let controls: Vec<u64> = layout.plates[here.plate]
        .controls
        .iter()
        .filter(|&&c| c != well && layout.wells[c].sites_read > 0)
        .map(|&c| {
            let control = &layout.wells[c];
            (control.rows.len() as f64 * f64::from(here.sites_read) / f64::from(control.sites_read)).round()
                as u64
        })
        .collect();
    if controls.len() < MIN_CONTROL_WELLS_FOR_COUNTS {
        return None;
    }
    let dispersion = Dispersion::for_controls(controls.len(), params.default_dispersion);
    count_test(here.rows.len() as u64, &controls, dispersion).map(|test| (test, controls.len()))
}

/// One row a well that is neither a control nor empty, closed by BH per plate; sentences on what is assumed or missing.
pub(crate) fn count_tests(
    layout: &PlateLayout,
    groups: &[TreatmentGroup],
    params: &GatherParams,
) -> (Vec<TestRow>, Vec<String>, Vec<String>) {
    let (mut notes, mut missing) = (Vec::new(), Vec::new());
    for plate in &layout.plates {
        let controls = plate
            .controls
            .iter()
            .filter(|&&c| layout.wells[c].sites_read > 0)
            .count();
        if controls < MIN_CONTROL_WELLS_FOR_COUNTS {
            missing.push(format!(
                "Count hits of plate {} are not estimable: {controls} negative-control wells; {MIN_CONTROL_WELLS_FOR_COUNTS} are needed, {MIN_CONTROL_WELLS_FOR_RATE} for a dispersion of its own.",
                plate.name
            ));
        } else if controls < MIN_CONTROL_WELLS_FOR_RATE {
            notes.push(format!(
                "Plate {}: {controls} negative-control wells, so counts are tested with an assumed dispersion of {} (variance = mean + {} mean²), not one of their own.",
                plate.name, params.default_dispersion, params.default_dispersion
            ));
        }
    }
    let mut rows = Vec::new();
    let mut families: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (g, group) in groups.iter().enumerate() {
        for &well in &group.wells {
            let here = &layout.wells[well];
            let controls: Vec<usize> = layout.plates[here.plate]
                .controls
                .iter()
                .copied()
                .filter(|&c| layout.wells[c].sites_read > 0)
                .collect();
            let mut row = TestRow {
                kind: Kind::Count,
                group: g,
                wells: vec![well],
                about: String::new(),
                method: "none",
                effect_name: "ratio of counts",
                effect: None,
                lower: None,
                upper: None,
                interval_level: 0.95,
                cells: here.rows.len(),
                control_wells: controls.len(),
                control_cells: layout.cells(&controls),
                p: None,
                q: None,
                call: Call::NotEstimable,
                reason: None,
            };
            match count_of_well(layout, well, params) {
                Some((test, n)) => {
                    row.method = if n >= MIN_CONTROL_WELLS_FOR_RATE {
                        "negative binomial, dispersion estimated"
                    } else {
                        "negative binomial, dispersion assumed"
                    };
                    (row.effect, row.lower, row.upper) =
                        (Some(test.ratio), Some(test.lower), Some(test.upper));
                    row.p = Some(test.p);
                    row.call = Call::NoHit;
                    families.entry(here.plate).or_default().push(rows.len());
                }
                None if here.sites_read == 0 => row.reason = Some("none of its sites was read".to_owned()),
                None if controls.len() < MIN_CONTROL_WELLS_FOR_COUNTS => {
                    row.reason = Some(format!(
                        "{} negative-control wells on its plate; {MIN_CONTROL_WELLS_FOR_COUNTS} are needed",
                        controls.len()
                    ));
                }
                None => row.reason = Some("the control wells hold no object".to_owned()),
            }
            rows.push(row);
        }
    }
    for members in families.values() {
        let p: Vec<f64> = members.iter().filter_map(|&i| rows[i].p).collect();
        for (&i, q) in members.iter().zip(benjamini_hochberg(&p)) {
            let row = &mut rows[i];
            row.q = Some(q);
            let strong = row
                .effect
                .is_some_and(|r| r >= params.min_effect || r <= 1.0 / params.min_effect);
            if q <= params.count_fdr && strong {
                row.call = Call::Hit;
            }
        }
    }
    (rows, notes, missing)
}
