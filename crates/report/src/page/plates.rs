//! Plates as the template shows them.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::Value;
use serde::Serialize;

use super::{PictureView, picture, safe};
use crate::figure::{HeatDomain, heat_map, plate_map, row_name, well_name};
use crate::number::{DASH, scaled};
use crate::{HeatMap, Montage, Picture, PlateView, ReportError, WellRole};

/// Wells up to which the values of the heat maps are also given as a table; larger plates have `wells.csv`.
const WELLS_IN_TABLE: usize = 384;

#[derive(Serialize)]
pub(crate) struct PlateSection {
    name: String,
    wells: usize,
    /// Whether its figures need more than a third of the page.
    is_wide: bool,
    map: Value,
    heat_maps: Vec<HeatMapView>,
    table: Option<ValueTable>,
    montage: Option<MontageView>,
}

#[derive(Serialize)]
struct HeatMapView {
    title: String,
    note: Option<String>,
    figure: Value,
}

#[derive(Serialize)]
struct ValueTable {
    titles: Vec<String>,
    rows: Vec<ValueRow>,
}

#[derive(Serialize)]
struct ValueRow {
    well: String,
    treatment: String,
    values: Vec<String>,
}

#[derive(Serialize)]
struct MontageView {
    contrast: String,
    /// Marks that occur, with their words.
    keys: Vec<(&'static str, &'static str)>,
    columns: Vec<u32>,
    rows: Vec<MontageRow>,
}

#[derive(Serialize)]
struct MontageRow {
    name: String,
    cells: Vec<Option<MontageCellView>>,
}

#[derive(Serialize)]
struct MontageCellView {
    class: &'static str,
    picture: PictureView,
}

/// Checks and draws all plates.
pub(crate) fn sections(plates: &[PlateView]) -> Result<Vec<PlateSection>, ReportError> {
    let mut by_title: BTreeMap<&str, Vec<&HeatMap>> = BTreeMap::new();
    for plate in plates {
        check(plate)?;
        for map in &plate.heat_maps {
            by_title.entry(&map.title).or_default().push(map);
        }
    }
    let domains: BTreeMap<&str, Option<HeatDomain>> = by_title
        .into_iter()
        .map(|(title, maps)| (title, HeatDomain::over(maps)))
        .collect();
    plates.iter().map(|plate| section(plate, &domains)).collect()
}

fn check(plate: &PlateView) -> Result<(), ReportError> {
    let wells = plate.wells.iter().map(|well| (well.row, well.column));
    let pictures = plate
        .montage
        .iter()
        .flat_map(|montage| montage.cells.iter().map(|cell| (cell.row, cell.column)));
    for (row, column) in wells.chain(pictures) {
        if row >= plate.rows || column >= plate.columns {
            let (rows, columns) = (plate.rows, plate.columns);
            return Err(ReportError::WellOutside {
                plate: plate.name.clone(),
                rows,
                columns,
                row,
                column,
            });
        }
    }
    for map in &plate.heat_maps {
        if map.values.len() != plate.wells.len() {
            return Err(ReportError::HeatMapLength {
                plate: plate.name.clone(),
                map: map.title.clone(),
                values: map.values.len(),
                wells: plate.wells.len(),
            });
        }
    }
    Ok(())
}

fn section(
    plate: &PlateView,
    domains: &BTreeMap<&str, Option<HeatDomain>>,
) -> Result<PlateSection, ReportError> {
    let mut heat_maps = Vec::with_capacity(plate.heat_maps.len());
    for map in &plate.heat_maps {
        let domain = domains.get(map.title.as_str()).copied().flatten();
        heat_maps.push(HeatMapView {
            title: map.title.clone(),
            note: map.note.clone(),
            figure: safe(heat_map(plate, map, domain)?),
        });
    }
    Ok(PlateSection {
        name: plate.name.clone(),
        wells: plate.wells.len(),
        is_wide: plate.columns > 24,
        map: safe(plate_map(plate)?),
        heat_maps,
        table: table(plate),
        montage: plate
            .montage
            .as_ref()
            .map(|montage| montage_view(plate, montage))
            .transpose()?,
    })
}

/// The numbers behind the heat maps, in row-major order of wells.
fn table(plate: &PlateView) -> Option<ValueTable> {
    if plate.heat_maps.is_empty() || plate.wells.len() > WELLS_IN_TABLE {
        return None;
    }
    let mut order: Vec<usize> = (0..plate.wells.len()).collect();
    order.sort_by_key(|place| (plate.wells[*place].row, plate.wells[*place].column));
    let rows = order.into_iter().map(|place| {
        let well = &plate.wells[place];
        let treatment = [well.treatment.as_deref(), well.dose.as_deref()]
            .into_iter()
            .flatten();
        ValueRow {
            well: well_name(well.row, well.column),
            treatment: treatment.collect::<Vec<_>>().join(" "),
            values: plate
                .heat_maps
                .iter()
                .map(|map| {
                    map.values[place].map_or_else(|| DASH.to_owned(), |value| scaled(value, map.scale))
                })
                .collect(),
        }
    });
    Some(ValueTable {
        titles: plate.heat_maps.iter().map(|map| map.title.clone()).collect(),
        rows: rows.collect(),
    })
}

/// The montage without rows and columns that have no picture at all.
fn montage_view(plate: &PlateView, montage: &Montage) -> Result<MontageView, ReportError> {
    let places: BTreeMap<(u32, u32), _> = montage
        .cells
        .iter()
        .map(|cell| ((cell.row, cell.column), &cell.picture))
        .collect();
    let rows: BTreeSet<u32> = places.keys().map(|(row, _)| *row).collect();
    let columns: BTreeSet<u32> = places.keys().map(|(_, column)| *column).collect();
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        let mut cells = Vec::with_capacity(columns.len());
        for column in &columns {
            let what = || format!("the montage of {}, well {}", plate.name, well_name(row, *column));
            let view = |found: &&Picture| {
                let class = class(plate, row, *column);
                Ok::<_, ReportError>(MontageCellView {
                    class,
                    picture: picture(found, what)?,
                })
            };
            cells.push(places.get(&(row, *column)).map(view).transpose()?);
        }
        views.push(MontageRow {
            name: row_name(row),
            cells,
        });
    }
    Ok(MontageView {
        contrast: montage.contrast.clone(),
        keys: [
            ("m-negcon", "negcon", "negative control"),
            ("m-poscon", "poscon", "positive control"),
            ("m-hit", "hit", "hit"),
        ]
        .into_iter()
        .filter(|(mark, _, _)| {
            places
                .keys()
                .any(|(row, column)| class(plate, *row, *column) == *mark)
        })
        .map(|(_, key, words)| (key, words))
        .collect(),
        columns: columns.into_iter().map(|column| column + 1).collect(),
        rows: views,
    })
}

/// How a well's place in the montage is marked: controls before hits.
fn class(plate: &PlateView, row: u32, column: u32) -> &'static str {
    match plate
        .wells
        .iter()
        .find(|well| (well.row, well.column) == (row, column))
    {
        Some(well) if well.role == WellRole::Negcon => "m-negcon",
        Some(well) if well.role == WellRole::Poscon => "m-poscon",
        Some(well) if well.is_hit => "m-hit",
        _ => "",
    }
}
