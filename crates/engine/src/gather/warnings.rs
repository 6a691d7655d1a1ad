//! Warnings of many files as few lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use plate::PlateScan;

use super::wells::Excluded;
use crate::screen::thumbs::SiteRecord;

/// One line a kind of warning, with the number of files and the first of them; then what differs between sites.
pub(super) fn of_sites(sites: &[(SiteRecord, PathBuf)]) -> Vec<String> {
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for warning in sites.iter().flat_map(|(record, _)| &record.warnings) {
        files.entry(&warning.what).or_default().push(&warning.file);
    }
    let line = |(what, files): (&str, Vec<&str>)| match files.as_slice() {
        [only] => format!("{only:?}: {what}"),
        _ => format!("{} files: {what} (first: {:?})", files.len(), files[0]),
    };
    let mut lines: Vec<String> = files.into_iter().map(line).collect();
    let sizes: BTreeSet<(usize, usize)> = sites.iter().map(|(record, _)| record.size).collect();
    if sizes.len() > 1 {
        let sizes: Vec<String> = sizes
            .iter()
            .map(|(rows, cols)| format!("{cols} x {rows}"))
            .collect();
        lines.push(format!(
            "images have different sizes ({} pixels): counts of cells are not comparable between them",
            sizes.join(", ")
        ));
    }
    lines
}

/// Which wells were left out.
pub(super) fn of_excluded(scan: &PlateScan, excluded: &Excluded) -> Option<String> {
    let wells: Vec<String> = scan
        .wells()
        .into_iter()
        .filter(|(plate, well)| excluded.holds(plate, *well))
        .map(|(plate, well)| format!("{plate} {well}"))
        .collect();
    (!wells.is_empty()).then(|| {
        format!(
            "{} wells were left out on request: {}",
            wells.len(),
            wells.join(", ")
        )
    })
}
