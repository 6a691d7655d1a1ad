//! `novel.parquet`: flagged cells with their candidate phenotype.

use std::collections::BTreeMap;

use polars::prelude::{Column, DataFrame, IdxCa, IdxSize};

use crate::ProfileError;
use crate::cell_flags::Flag;
use crate::class_mix::ClassMix;
use crate::columns::{column, table};
use crate::plate_layout::TreatmentGroup;

/// Columns of the object table that are carried over, when they are there.
const CARRIED: [&str; 7] = [
    "Metadata_Plate",
    "Metadata_Well",
    "Metadata_Site",
    "Metadata_Timepoint",
    "Metadata_ObjectNumber",
    "Metadata_Location_X",
    "Metadata_Location_Y",
];

/// The table, one row a flag, in the order of the object table.
pub(crate) fn novel_table(
    objects: &DataFrame,
    flags: &[Flag],
    groups: &[TreatmentGroup],
    candidate: &BTreeMap<usize, i32>,
    mix: Option<&ClassMix>,
) -> Result<DataFrame, ProfileError> {
    let index = IdxCa::from_vec("".into(), flags.iter().map(|f| f.row as IdxSize).collect());
    let mut columns: Vec<Column> = Vec::new();
    let carried = CARRIED.iter().copied().chain([
        "Metadata_Novelty_P_Controls",
        "Metadata_Novelty_P_Known",
        "Metadata_Novelty_Score",
        "Metadata_Novelty_Reference",
    ]);
    for name in carried {
        if let Ok(found) = objects.column(name) {
            columns.push(found.take(&index).map_err(ProfileError::table("novel"))?);
        }
    }
    columns.extend([
        column("Row", flags.iter().map(|f| f.row as u32).collect::<Vec<u32>>()),
        column(
            "Treatment",
            flags
                .iter()
                .map(|f| groups[f.group].name.clone())
                .collect::<Vec<_>>(),
        ),
        column(
            "Dose",
            flags.iter().map(|f| groups[f.group].dose).collect::<Vec<_>>(),
        ),
        column("Kind", flags.iter().map(|f| f.kind).collect::<Vec<_>>()),
        column(
            "Candidate_Phenotype",
            flags
                .iter()
                .map(|f| candidate.get(&f.row).copied())
                .collect::<Vec<Option<i32>>>(),
        ),
        column(
            "Nearest_Known_Class",
            flags
                .iter()
                .map(|f| mix.and_then(|m| m.top(f.row).map(|k| m.classes[k].clone())))
                .collect::<Vec<Option<String>>>(),
        ),
        column("P", flags.iter().map(|f| f.p).collect::<Vec<f64>>()),
        column("Q", flags.iter().map(|f| f.q).collect::<Vec<f64>>()),
    ]);
    table("novel", flags.len(), columns)
}
