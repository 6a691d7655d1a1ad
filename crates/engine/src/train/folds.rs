//! Which fold a sample lies in: from a splits table, or by group.

use std::collections::BTreeMap;
use std::path::Path;

use super::table::Table;
use crate::EngineError;

/// Folds of training data; fold 0 is never trained on.
pub(super) const FOLDS: [u32; 4] = [1, 2, 3, 4];

/// What a splits table says of one sample.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) fold: u32,
    pub(super) group: Option<String>,
    pub(super) novel: bool,
    pub(super) modality: Option<String>,
}

/// Reads a splits table: sample name to place.
pub(super) fn read_splits(path: &Path) -> Result<BTreeMap<String, Place>, EngineError> {
    let table = Table::read(path)?;
    let (name, fold) = (table.need(&["cell_id", "name"])?, table.need(&["fold"])?);
    let (group, role, modality) = (
        table.find(&["group"]),
        table.find(&["role"]),
        table.find(&["modality"]),
    );
    let mut places = BTreeMap::new();
    for (index, row) in table.rows.iter().enumerate() {
        let number = Table::text(row, Some(fold))
            .and_then(|text| text.parse::<u32>().ok())
            .filter(|fold| *fold <= 4);
        let Some(number) = number else {
            return Err(table.bad_row(
                index,
                format!("fold {:?} is not 0 to 4", row.get(fold).unwrap_or("")),
            ));
        };
        let place = Place {
            fold: number,
            group: Table::text(row, group).map(str::to_owned),
            novel: Table::text(row, role) == Some("novel"),
            modality: Table::text(row, modality).map(str::to_owned),
        };
        places.insert(row.get(name).unwrap_or_default().to_owned(), place);
    }
    Ok(places)
}

/// Folds 0 to 4 for groups: largest group first into the emptiest fold, ties by name and number, so that the same data
/// always fall the same way and no group straddles two folds.
pub(super) fn folds_by_group(groups: &[String]) -> Vec<u32> {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for group in groups {
        *sizes.entry(group).or_default() += 1;
    }
    let mut by_size: Vec<(&str, usize)> = sizes.into_iter().collect();
    by_size.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let mut filled = [0usize; FOLDS.len() + 1];
    let mut fold_of: BTreeMap<&str, u32> = BTreeMap::new();
    for (group, size) in by_size {
        let emptiest = (0..filled.len()).min_by_key(|&fold| filled[fold]).unwrap_or(0);
        filled[emptiest] += size;
        fold_of.insert(group, emptiest as u32);
    }
    groups.iter().map(|group| fold_of[group.as_str()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stay_whole_and_folds_even() {
        let groups: Vec<String> = (0..100).map(|i| format!("g{}", i % 23)).collect();
        let folds = folds_by_group(&groups);
        for (a, fold_a) in groups.iter().zip(&folds) {
            assert!(
                groups
                    .iter()
                    .zip(&folds)
                    .all(|(b, fold_b)| a != b || fold_a == fold_b)
            );
        }
        let counts: Vec<usize> = (0..5)
            .map(|fold| folds.iter().filter(|f| **f == fold).count())
            .collect();
        assert!(counts.iter().all(|n| (16..=24).contains(n)), "{counts:?}");
    }
}
