//! Which sites are blurred or saturated, judged against the sites of the plate's control wells.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::DataFrame;
use uncertainty::{MAD_TO_SD, mad, median, robust_z};

use crate::ProfileError;
use crate::columns::{numbers, numbers_if_there};
use crate::control_null::MIN_CONTROL_WELLS;
use crate::gathered::PlateFocus;
use crate::plate_layout::{PlateLayout, mean_by_well, site_wells};

/// Robust deviations below the reference median that make a site blurred, if it is also below half of the median.
const BLUR_DEVIATIONS: f64 = 4.0;
/// Smallest saturated share that can make a site saturated.
const SATURATED_SHARE: f64 = 0.01;
/// And how many times the reference median it must be.
const SATURATED_RATIO: f64 = 5.0;

/// Where a site is: well, site number, time point.
pub(crate) type SiteKey = (usize, i64, i64);

/// Focus per plate, and the blurred sites.
pub(crate) fn judge_sites(
    sites: &DataFrame,
    layout: &PlateLayout,
) -> Result<(Vec<PlateFocus>, BTreeSet<SiteKey>), ProfileError> {
    let mut blurred = BTreeSet::new();
    let Some(focus) = numbers_if_there("site quality", sites, "Quality_Focus")? else {
        return Ok((Vec::new(), blurred));
    };
    let saturated = numbers_if_there("site quality", sites, "Quality_SaturatedShare")?
        .unwrap_or_else(|| vec![None; focus.len()]);
    let wells = site_wells(sites, layout)?;
    let site = numbers("site quality", sites, "Metadata_Site")?;
    let time = numbers_if_there("site quality", sites, "Metadata_Timepoint")?
        .unwrap_or_else(|| vec![Some(0.0); focus.len()]);
    let mut by_plate: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, well) in wells.iter().enumerate() {
        if let (Some(well), Some(_)) = (well, focus[row]) {
            by_plate.entry(layout.wells[*well].plate).or_default().push(row);
        }
    }
    let mut plates = Vec::new();
    for (plate, rows) in by_plate {
        let control: BTreeSet<usize> = layout.plates[plate].controls.iter().copied().collect();
        let mut reference: Vec<usize> = rows
            .iter()
            .copied()
            .filter(|&r| wells[r].is_some_and(|w| control.contains(&w)))
            .collect();
        if reference.len() < 3 {
            reference.clone_from(&rows);
        }
        let sharp: Vec<f64> = reference.iter().filter_map(|&r| focus[r]).collect();
        let (Some(middle), Some(spread)) = (median(&sharp), mad(&sharp)) else {
            continue;
        };
        let floor = (middle - BLUR_DEVIATIONS * MAD_TO_SD * spread).min(0.5 * middle);
        let usual =
            median(&reference.iter().filter_map(|&r| saturated[r]).collect::<Vec<_>>()).unwrap_or(0.0);
        let mut plate_focus = PlateFocus {
            plate: layout.plates[plate].name.clone(),
            median: median(&rows.iter().filter_map(|&r| focus[r]).collect::<Vec<_>>()).unwrap_or(middle),
            blurred_sites: Vec::new(),
            saturated_sites: Vec::new(),
            n_sites: rows.len(),
        };
        for &r in &rows {
            let (Some(well), Some(sharpness)) = (wells[r], focus[r]) else {
                continue;
            };
            let (s, t) = (site[r].unwrap_or(0.0) as i64, time[r].unwrap_or(0.0) as i64);
            let name = format!("{} site {s}", layout.wells[well].info.well);
            if sharpness < floor {
                plate_focus.blurred_sites.push(name.clone());
                blurred.insert((well, s, t));
            }
            if saturated[r].is_some_and(|share| share > SATURATED_SHARE && share > SATURATED_RATIO * usual) {
                plate_focus.saturated_sites.push(name);
            }
        }
        plates.push(plate_focus);
    }
    Ok((plates, blurred))
}

/// Wells with at least half of their sites blurred.
pub(crate) fn blurred_wells(
    sites: &DataFrame,
    layout: &PlateLayout,
    blurred: &BTreeSet<SiteKey>,
) -> Result<BTreeSet<usize>, ProfileError> {
    if sites.height() == 0 {
        return Ok(BTreeSet::new());
    }
    let mut all: BTreeMap<usize, usize> = BTreeMap::new();
    for well in site_wells(sites, layout)?.into_iter().flatten() {
        *all.entry(well).or_insert(0) += 1;
    }
    let mut bad: BTreeMap<usize, usize> = BTreeMap::new();
    for (well, _, _) in blurred {
        *bad.entry(*well).or_insert(0) += 1;
    }
    Ok(bad
        .into_iter()
        .filter(|(w, n)| all.get(w).is_some_and(|all| 2 * n >= *all))
        .map(|(w, _)| w)
        .collect())
}

/// Robust z of each well's background against its plate's control wells; empty of values when no background was measured.
pub(crate) fn background_z(
    sites: &DataFrame,
    layout: &PlateLayout,
) -> Result<Vec<Option<f64>>, ProfileError> {
    let mut brightness = vec![None; layout.wells.len()];
    if sites.column("Quality_Background").is_err() {
        return Ok(brightness);
    }
    let background = mean_by_well(sites, "Quality_Background", layout)?;
    for plate in &layout.plates {
        let reference: Vec<f64> = plate.controls.iter().filter_map(|&w| background[w].0).collect();
        if reference.len() < MIN_CONTROL_WELLS {
            continue;
        }
        for &w in &plate.wells {
            brightness[w] = background[w]
                .0
                .and_then(|x| robust_z(&[x], &reference))
                .and_then(|z| z.first().copied());
        }
    }
    Ok(brightness)
}
