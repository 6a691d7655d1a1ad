//! Which column of a plate map is what, by the names that screeners and other tools give them.

use std::collections::BTreeSet;

use super::PlateMapParams;
use super::dose::{DoseName, dose_name, unit_at_the_end};
use crate::error::MapProblem;

const WELL: [&str; 6] = [
    "well",
    "well_position",
    "wellposition",
    "well_name",
    "wellname",
    "well_label",
];
const ROW: [&str; 3] = ["row", "well_row", "wellrow"];
const COLUMN: [&str; 6] = [
    "column",
    "col",
    "well_column",
    "wellcolumn",
    "well_col",
    "wellcol",
];
const PLATE: [&str; 7] = [
    "plate",
    "plate_id",
    "plateid",
    "plate_name",
    "platename",
    "barcode",
    "assay_plate_barcode",
];
const TREATMENT: [&str; 11] = [
    "treatment",
    "compound",
    "compound_name",
    "perturbation",
    "pert_iname",
    "drug",
    "sirna",
    "gene",
    "gene_symbol",
    "broad_sample",
    "pert",
];
const UNIT: [&str; 7] = [
    "unit",
    "units",
    "dose_unit",
    "dose_units",
    "concentration_unit",
    "concentration_units",
    "conc_unit",
];
/// Columns that give the role, the most telling first: JUMP's `pert_type` calls positive controls `control` as well.
const ROLE: [&str; 3] = ["role", "control_type", "pert_type"];

/// The columns of a plate map, by their position in the header.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Columns {
    /// Names as they are, without spaces around them.
    pub names: Vec<String>,
    /// All columns that name the well; they must agree. Empty: `row_column` says it.
    pub wells: Vec<usize>,
    /// Row and column apart.
    pub row_column: Option<(usize, usize)>,
    /// Plate.
    pub plate: Option<usize>,
    /// Treatment.
    pub treatment: Option<usize>,
    /// Dose, and the unit in its name.
    pub dose: Option<(usize, Option<String>)>,
    /// Unit.
    pub unit: Option<usize>,
    /// Role; where a cell of the first is empty, the next is asked.
    pub roles: Vec<usize>,
    /// Everything else.
    pub extra: Vec<usize>,
    /// Columns without a name.
    pub nameless: Vec<usize>,
}

/// Lower case, `_` for spaces, hyphens and dots, and without the `Metadata_` that profiling tools put in front.
fn key(name: &str) -> String {
    let lower = name.trim().to_lowercase().replace([' ', '-', '.'], "_");
    let without = ["image_metadata_", "metadata_"]
        .iter()
        .find_map(|prefix| lower.strip_prefix(prefix));
    without.unwrap_or(&lower).to_owned()
}

/// Whether a header names a well, by a column or by row and column.
pub(super) fn names_a_well(header: &[String]) -> bool {
    let has = |names: &[&str]| header.iter().any(|name| names.contains(&key(name).as_str()));
    has(&WELL) || (has(&ROW) && has(&COLUMN))
}

/// Finds out what each column is.
pub(super) fn columns_of(header: &[String], params: &PlateMapParams) -> Result<Columns, MapProblem> {
    let names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    let keys: Vec<String> = names.iter().map(|name| key(name)).collect();
    let first = |wanted: &[&str]| {
        wanted
            .iter()
            .find_map(|name| keys.iter().position(|key| key == name))
    };
    if !names_a_well(header) {
        let is_number = |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        let drawn: Vec<&String> = names.iter().skip(1).filter(|name| !name.is_empty()).collect();
        if drawn.len() >= 2 && drawn.iter().all(|name| is_number(name)) {
            return Err(MapProblem::Grid);
        }
        return Err(MapProblem::NoWellColumn {
            columns: names.into_iter().filter(|name| !name.is_empty()).collect(),
        });
    }
    let mut seen = BTreeSet::new();
    if let Some(doubled) = names
        .iter()
        .find(|name| !name.is_empty() && !seen.insert(name.as_str()))
    {
        return Err(MapProblem::DoubledColumn {
            column: doubled.clone(),
        });
    }
    let asked = |wanted: &Option<String>| {
        wanted
            .as_ref()
            .map(|wanted| find(&names, &keys, wanted))
            .transpose()
    };
    let treatment = asked(&params.treatment_column)?.or_else(|| first(&TREATMENT));
    let dose = match asked(&params.dose_column)? {
        Some(column) => Some((column, unit_at_the_end(&names[column]))),
        None => find_dose(&names, &keys, treatment)?,
    };
    let not_taken = |column: &usize| {
        Some(*column) != treatment && Some(*column) != dose.as_ref().map(|(column, _)| *column)
    };
    let mut columns = Columns {
        wells: WELL.iter().flat_map(|name| positions(&keys, name)).collect(),
        row_column: first(&ROW).zip(first(&COLUMN)),
        plate: first(&PLATE).filter(not_taken),
        unit: first(&UNIT).filter(not_taken),
        roles: ROLE
            .iter()
            .flat_map(|name| positions(&keys, name))
            .filter(not_taken)
            .collect(),
        nameless: (0..names.len())
            .filter(|column| names[*column].is_empty())
            .collect(),
        treatment,
        dose,
        names,
        extra: Vec::new(),
    };
    let mut used: BTreeSet<usize> = columns.wells.iter().chain(&columns.nameless).copied().collect();
    used.extend(
        [columns.plate, columns.treatment, columns.unit]
            .into_iter()
            .flatten(),
    );
    used.extend(columns.roles.first());
    used.extend(
        columns
            .row_column
            .map(|(row, column)| [row, column])
            .into_iter()
            .flatten(),
    );
    // A rank tells the order even where another column tells the concentration, so it is carried through as well.
    used.extend(
        columns
            .dose
            .iter()
            .filter(|(_, unit)| unit.as_deref() != Some("rank"))
            .map(|(column, _)| *column),
    );
    columns.extra = (0..columns.names.len())
        .filter(|column| !used.contains(column))
        .collect();
    Ok(columns)
}

fn positions(keys: &[String], name: &str) -> Vec<usize> {
    keys.iter()
        .enumerate()
        .filter(|(_, key)| *key == name)
        .map(|(column, _)| column)
        .collect()
}

/// A column that the user named: as it is, or in other case, or without its prefix.
fn find(names: &[String], keys: &[String], wanted: &str) -> Result<usize, MapProblem> {
    let wanted = wanted.trim();
    let by = |matches: &dyn Fn(usize) -> bool| {
        (0..names.len()).find(|column| !names[*column].is_empty() && matches(*column))
    };
    by(&|column| names[column] == wanted)
        .or_else(|| by(&|column| names[column].to_lowercase() == wanted.to_lowercase()))
        .or_else(|| by(&|column| keys[column] == key(wanted)))
        .ok_or_else(|| MapProblem::NoColumn {
            column: wanted.to_owned(),
            columns: names.iter().filter(|name| !name.is_empty()).cloned().collect(),
        })
}

/// The dose's column: one named plainly before one with its unit in its name before a rank.
fn find_dose(
    names: &[String],
    keys: &[String],
    treatment: Option<usize>,
) -> Result<Option<(usize, Option<String>)>, MapProblem> {
    let mut best: Option<(DoseName, usize)> = None;
    for (column, name) in names
        .iter()
        .enumerate()
        .filter(|(column, _)| Some(*column) != treatment)
    {
        let Some(found) = dose_name(name, &keys[column]) else {
            continue;
        };
        match &best {
            Some((_, other)) if keys[*other] == keys[column] => {
                return Err(MapProblem::DoubledColumn { column: name.clone() });
            }
            Some((kind, _)) if kind.order() <= found.order() => {}
            _ => best = Some((found, column)),
        }
    }
    Ok(best.map(|(kind, column)| (column, kind.unit())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(header: &str, params: &PlateMapParams) -> Result<Columns, MapProblem> {
        let header: Vec<String> = header.split(',').map(str::to_owned).collect();
        columns_of(&header, params)
    }

    fn plain(header: &str) -> Columns {
        columns(header, &PlateMapParams::default()).unwrap()
    }

    #[test]
    fn other_tools_names_are_known() {
        for well in [
            "well",
            "Well",
            "WELL",
            "Metadata_Well",
            "well_position",
            "WellName",
            "Well Name",
            "Metadata_well_position",
        ] {
            assert_eq!(plain(&format!("x,{well}")).wells, [1], "{well}");
        }
        assert_eq!(plain("Row,Col").row_column, Some((0, 1)));
        assert_eq!(
            plain("Metadata_Plate,Metadata_Well,Metadata_broad_sample").treatment,
            Some(2)
        );
        assert_eq!(plain("well,pert_type,control_type").roles, [2, 1]);
        assert_eq!(plain("well,pert_type,control_type").extra, [1]);
    }

    #[test]
    fn unit_in_the_dose_columns_name() {
        let dose = |name: &str| plain(&format!("well,{name}")).dose;
        assert_eq!(dose("dose"), Some((1, None)));
        assert_eq!(dose("concentration_nM"), Some((1, Some("nM".into()))));
        assert_eq!(dose("conc (µM)"), Some((1, Some("uM".into()))));
        assert_eq!(dose("Metadata_mmoles_per_liter"), Some((1, Some("mM".into()))));
        assert_eq!(dose("dose_date"), None);
        assert_eq!(dose("dose_rank"), Some((1, Some("rank".into()))));
    }

    #[test]
    fn a_concentration_goes_before_a_rank_and_the_rank_is_kept() {
        let columns = plain("well,dose_rank,concentration_nM");
        assert_eq!(columns.dose, Some((2, Some("nM".into()))));
        assert_eq!(columns.extra, [1]);
        assert_eq!(plain("well,dose_rank").extra, [1]);
        assert_eq!(plain("well,concentration_nM,dose").dose, Some((2, None)));
    }

    #[test]
    fn a_column_that_was_asked_for_is_used_or_missed() {
        let params = PlateMapParams {
            treatment_column: Some("geneid".into()),
            ..PlateMapParams::default()
        };
        let found = columns("well,treatment,GeneID", &params).unwrap();
        assert_eq!((found.treatment, found.extra), (Some(2), vec![1]));
        let params = PlateMapParams {
            dose_column: Some("strength_uM".into()),
            ..PlateMapParams::default()
        };
        assert_eq!(
            columns("well,strength_uM,dose", &params).unwrap().dose,
            Some((1, Some("uM".into())))
        );
        let message = columns("well,dose", &params).unwrap_err().to_string();
        assert!(
            message.contains("strength_uM") && message.contains("\"dose\""),
            "{message}"
        );
    }

    #[test]
    fn doubled_dose_columns_are_refused() {
        assert!(matches!(
            columns("well,dose,dose", &PlateMapParams::default()),
            Err(MapProblem::DoubledColumn { .. })
        ));
        assert!(matches!(
            columns("well,dose,Dose", &PlateMapParams::default()),
            Err(MapProblem::DoubledColumn { .. })
        ));
    }

    #[test]
    fn a_grid_is_recognised() {
        assert!(matches!(
            columns(",1,2,3", &PlateMapParams::default()),
            Err(MapProblem::Grid)
        ));
        assert!(matches!(
            columns("row,01,02,03,", &PlateMapParams::default()),
            Err(MapProblem::Grid)
        ));
    }
}
