//! Plates on the page: map, heat maps, montage.

use std::collections::BTreeSet;

use profile::{Role, WellInfo};
use report::{HeatMap, Montage, MontageCell, Palette, PlateView, Scale, WellRole, WellView};

use super::columns::{numbers, texts};
use super::report_data::{Material, with_unit};

/// Classes that have a heat map of their own: the most frequent ones.
const CLASS_MAPS: usize = 3;

/// Wells of a plate above which the montage's pictures are made smaller.
const MANY_WELLS: usize = 96;

/// Plate formats by rows and columns.
const FORMATS: [(u32, u32); 6] = [(2, 3), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48)];

pub(super) fn plates(material: &Material) -> Vec<PlateView> {
    material
        .collected
        .scan
        .plates()
        .into_iter()
        .map(|plate| plate_view(material, plate))
        .collect()
}

fn plate_view(material: &Material, plate: &str) -> PlateView {
    let wells: Vec<&WellInfo> = material.wells.iter().filter(|well| well.plate == plate).collect();
    let most = |of: fn(&WellInfo) -> u32| wells.iter().map(|well| of(well)).max().unwrap_or(0);
    let (row, column) = (most(|well| well.row), most(|well| well.column));
    let format = FORMATS
        .iter()
        .find(|(rows, columns)| row < *rows && column < *columns && (*rows >= 8 || wells.len() > 6));
    let (rows, columns) = format.copied().unwrap_or(if row < 8 && column < 12 {
        (8, 12)
    } else {
        (row + 1, column + 1)
    });
    let hits = hit_wells(material);
    let view = |well: &&WellInfo| WellView {
        row: well.row,
        column: well.column,
        role: match well.role {
            Role::Negcon => WellRole::Negcon,
            Role::Poscon => WellRole::Poscon,
            Role::Treatment => WellRole::Treatment,
            Role::Empty => WellRole::Empty,
        },
        treatment: well.treatment.clone(),
        dose: well.dose.map(|dose| with_unit(dose, well.unit.as_deref())),
        is_hit: hits.contains(&(well.plate.clone(), well.well.clone())),
        sites_skipped: well.sites_skipped,
    };
    PlateView {
        name: plate.to_owned(),
        rows,
        columns,
        wells: wells.iter().map(view).collect(),
        heat_maps: heat_maps(material, plate, &wells),
        montage: montage(material, plate, &wells),
    }
}

/// Wells of treatments that are called.
fn hit_wells(material: &Material) -> BTreeSet<(String, String)> {
    let hits = &material.gathered.hits;
    let (call, wells) = (texts(hits, "Call"), texts(hits, "Wells"));
    let quiet = ["no hit", "no count hit", "ranking only", "not estimable"];
    (0..hits.height())
        .filter(|&row| call[row].as_deref().is_some_and(|call| !quiet.contains(&call)))
        .flat_map(|row| material.wells_named(wells[row].as_deref().unwrap_or_default()))
        .collect()
}

fn heat_maps(material: &Material, plate: &str, wells: &[&WellInfo]) -> Vec<HeatMap> {
    let table = &material.gathered.wells;
    let (plates, names) = (texts(table, "Metadata_Plate"), texts(table, "Metadata_Well"));
    let row_of = |well: &WellInfo| {
        (0..table.height()).find(|&row| {
            plates[row].as_deref() == Some(plate) && names[row].as_deref() == Some(well.well.as_str())
        })
    };
    let rows: Vec<Option<usize>> = wells.iter().map(|well| row_of(well)).collect();
    let values = |column: &str| {
        let column = numbers(table, column);
        rows.iter()
            .map(|row| row.and_then(|row| column[row]))
            .collect::<Vec<Option<f64>>>()
    };
    let mut maps = Vec::new();
    let mut push = |title: &str, column: &str, scale: Scale, palette: Palette, note: Option<&str>| {
        let values = values(column);
        if values.iter().any(Option::is_some) {
            maps.push(HeatMap {
                title: title.to_owned(),
                scale,
                palette,
                values,
                note: note.map(str::to_owned),
            });
        }
    };
    push(
        "Cells",
        "Count_Objects",
        Scale::Count,
        Palette::Sequential,
        Some("Nuclei found in all fields of the well."),
    );
    push(
        "Cells against controls",
        "Count_Ratio",
        Scale::Ratio,
        Palette::Diverging { center: 1.0 },
        Some("1 is the count of the negative controls."),
    );
    push(
        "Share unlike the controls",
        "Novelty_P_Controls_ShareBelow05",
        Scale::Share,
        Palette::Sequential,
        Some("Cells with P_Controls of at most 0.05; about 5 % is expected in control wells."),
    );
    push(
        "Confidence",
        "Phenotype_Confidence_Mean",
        Scale::Share,
        Palette::Sequential,
        Some("Mean calibrated probability of the named class."),
    );
    for class in main_classes(material) {
        push(
            &format!("Share of {class}"),
            &format!("Phenotype_Fraction_{class}"),
            Scale::Share,
            Palette::Sequential,
            Some("Corrected for the classifier's confusion."),
        );
    }
    push(
        "Focus",
        "Quality_Focus",
        Scale::Number,
        Palette::Sequential,
        Some("Fine structure over all structure; higher is sharper."),
    );
    maps
}

/// The classes with the largest mean share over all wells.
fn main_classes(material: &Material) -> Vec<String> {
    let Some(facts) = &material.collected.stage.classes else {
        return Vec::new();
    };
    let mut shares: Vec<(f64, &String)> = facts
        .classes
        .iter()
        .filter_map(|class| {
            let share: Vec<f64> = numbers(&material.gathered.wells, &format!("Phenotype_Fraction_{class}"))
                .into_iter()
                .flatten()
                .collect();
            (!share.is_empty()).then(|| (share.iter().sum::<f64>() / share.len() as f64, class))
        })
        .collect();
    shares.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    shares
        .into_iter()
        .take(CLASS_MAPS)
        .map(|(_, class)| class.clone())
        .collect()
}

fn montage(material: &Material, plate: &str, wells: &[&WellInfo]) -> Option<Montage> {
    let shrink = if wells.len() > MANY_WELLS { 2 } else { 1 };
    let picture = |well: &&WellInfo| {
        let picture = material.album.field(plate, &well.well, shrink)?;
        Some(MontageCell {
            row: well.row,
            column: well.column,
            picture,
        })
    };
    let cells: Vec<MontageCell> = wells.iter().filter_map(picture).collect();
    let contrast = material.album.contrast_in_words(plate, true)?;
    (!cells.is_empty()).then(|| Montage {
        contrast: format!("{contrast}; outlines of nuclei in yellow"),
        cells,
    })
}
