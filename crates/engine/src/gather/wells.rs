//! Wells: what is on disk joined with what the plate map says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use plate::{PlateMap, PlateMapParams, PlateScan, Well};
use profile::{NovelAgainst, Role, WellInfo};

use crate::{EngineError, GatherParams, Novelty};

/// How the plate map is to be read.
pub(crate) fn map_params(params: &GatherParams) -> PlateMapParams {
    PlateMapParams {
        treatment_column: params.treatment.clone(),
        dose_column: params.dose.clone(),
        negcon: params.negcon.clone(),
        poscon: params.poscon.clone(),
    }
}

/// The statistics' parameters.
pub(crate) fn profile_params(params: &GatherParams) -> profile::GatherParams {
    profile::GatherParams {
        fdr: params.fdr,
        count_fdr: params.count_fdr,
        min_effect: params.min_effect,
        set_coverage: params.set_coverage,
        default_dispersion: params.default_dispersion,
        novel_against: match params.novel_against {
            Novelty::Both => NovelAgainst::Both,
            Novelty::Controls => NovelAgainst::Controls,
            Novelty::Known => NovelAgainst::Known,
        },
        seed: params.seed,
        clusters: params.clusters,
        ..profile::GatherParams::default()
    }
}

/// Wells to leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excluded(pub(crate) BTreeSet<(Option<String>, Well)>);

impl Excluded {
    /// Whether a well is left out.
    pub(crate) fn holds(&self, plate: &str, well: Well) -> bool {
        self.0.contains(&(None, well)) || self.0.contains(&(Some(plate.to_owned()), well))
    }
}

/// Reads the list of wells to leave out.
///
/// Errors: as a plate map's.
pub(crate) fn read_excluded(path: Option<&Path>) -> Result<Excluded, EngineError> {
    let Some(path) = path else {
        return Ok(Excluded::default());
    };
    let map = PlateMap::read(path, &PlateMapParams::default())?;
    Ok(Excluded(
        map.rows.into_iter().map(|row| (row.plate, row.well)).collect(),
    ))
}

/// All wells on disk or in the map, by plate and well, without those that are left out.
///
/// `skipped` counts the sites of a well that were left out. A well that the map does not have is kept in the tables and
/// never tested; without any map every well is one of its own.
pub(crate) fn wells_of(
    scan: &PlateScan,
    map: Option<&PlateMap>,
    excluded: &Excluded,
    skipped: &BTreeMap<(String, Well), u32>,
) -> Vec<WellInfo> {
    let assignment = map.map(|map| map.assign(scan));
    let mut places: BTreeMap<(String, Well), u32> = BTreeMap::new();
    for site in &scan.sites {
        *places.entry((site.plate.clone(), site.well)).or_default() += 1;
    }
    for plate in scan.plates() {
        for row in map.map_or(&[][..], |map| &map.rows) {
            let known = assignment
                .as_ref()
                .is_some_and(|assignment| assignment.row(plate, row.well).is_some());
            if known {
                places.entry((plate.to_owned(), row.well)).or_default();
            }
        }
    }
    let describe = |((plate, well), sites): ((String, Well), u32)| {
        let row = assignment
            .as_ref()
            .and_then(|assignment| assignment.row(&plate, well));
        let role = match row.and_then(|row| row.role) {
            Some(plate::Role::Negcon) => Role::Negcon,
            Some(plate::Role::Poscon) => Role::Poscon,
            Some(plate::Role::Empty) => Role::Empty,
            Some(plate::Role::Treatment) => Role::Treatment,
            None if row.is_none() && map.is_some() => Role::Empty,
            None => Role::Treatment,
        };
        WellInfo {
            well: well.to_string(),
            row: u32::from(well.row),
            column: u32::from(well.column),
            treatment: row.and_then(|row| row.treatment.clone()),
            dose: row.and_then(|row| row.dose),
            unit: row.and_then(|row| row.unit.clone()),
            role,
            extra: row.map(|row| row.extra.clone()).unwrap_or_default(),
            sites,
            sites_skipped: skipped.get(&(plate.clone(), well)).copied().unwrap_or(0),
            plate,
        }
    };
    places
        .into_iter()
        .filter(|((plate, well), _)| !excluded.holds(plate, *well))
        .map(describe)
        .collect()
}
