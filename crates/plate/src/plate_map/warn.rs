//! What is odd in a plate map, but not wrong.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::Columns;
use super::{PlateMapRow, Role};
use crate::check::listed;

/// Characters of a name beyond which figures cut it.
const LONG_NAME: usize = 200;

pub(super) fn warnings_of(rows: &[PlateMapRow], columns: &Columns) -> Vec<String> {
    let checks = [
        nameless_columns(columns),
        no_treatment(columns),
        zero_doses(rows),
        mixed_units(rows),
        long_names(rows),
        plates_like_paths(rows),
        unseen_characters(rows),
    ];
    checks.into_iter().flatten().collect()
}

fn nameless_columns(columns: &Columns) -> Option<String> {
    let positions: Vec<String> = columns
        .nameless
        .iter()
        .map(|column| (column + 1).to_string())
        .collect();
    (!positions.is_empty()).then(|| {
        format!(
            "{} without a name left out (column {})",
            count(positions.len(), "column"),
            listed(&positions)
        )
    })
}

fn no_treatment(columns: &Columns) -> Option<String> {
    if columns.treatment.is_some() {
        return None;
    }
    let names: Vec<String> = columns
        .names
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| format!("{name:?}"))
        .collect();
    Some(format!(
        "no column names the treatment; give one with --treatment COLUMN (columns: {})",
        listed(&names)
    ))
}

/// A treated well with dose 0: it may be a vehicle well that nobody marked.
fn zero_doses(rows: &[PlateMapRow]) -> Option<String> {
    let tested = |row: &&PlateMapRow| matches!(row.role, None | Some(Role::Treatment | Role::Poscon));
    let zero: Vec<String> = rows
        .iter()
        .filter(tested)
        .filter(|row| row.dose == Some(0.0))
        .map(|row| row.line.to_string())
        .collect();
    (!zero.is_empty()).then(|| {
        format!("dose 0 in {} that is no negative control (line {}): it has no logarithm and is left out of dose responses; is it a vehicle?", count(zero.len(), "well"), listed(&zero))
    })
}

fn mixed_units(rows: &[PlateMapRow]) -> Option<String> {
    let mut units: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        if let (Some(treatment), Some(unit), Some(_)) = (&row.treatment, &row.unit, row.dose) {
            units.entry(treatment).or_default().insert(unit);
        }
    }
    let mixed: Vec<String> = units
        .iter()
        .filter(|(_, units)| units.len() > 1)
        .map(|(treatment, units)| {
            format!(
                "{treatment:?} in {}",
                units.iter().copied().collect::<Vec<_>>().join(" and ")
            )
        })
        .collect();
    (!mixed.is_empty()).then(|| {
        format!(
            "doses of one treatment in different units, kept as they are: {}",
            listed(&mixed)
        )
    })
}

fn long_names(rows: &[PlateMapRow]) -> Option<String> {
    let is_long = |name: &Option<String>| name.as_ref().is_some_and(|name| name.chars().count() > LONG_NAME);
    let long: Vec<String> = rows
        .iter()
        .filter(|row| is_long(&row.treatment) || is_long(&row.plate))
        .map(|row| row.line.to_string())
        .collect();
    (!long.is_empty()).then(|| {
        format!(
            "a name is long, more than {LONG_NAME} characters (line {}): cut in figures, whole in tables",
            listed(&long)
        )
    })
}

/// Plate names that a careless program would use as a path.
fn plates_like_paths(rows: &[PlateMapRow]) -> Option<String> {
    const RESERVED: [&str; 6] = ["con", "prn", "aux", "nul", "com1", "lpt1"];
    let is_path = |plate: &str| {
        plate.contains(['/', '\\', ':'])
            || plate.chars().any(char::is_control)
            || plate.bytes().all(|byte| byte == b'.')
            || RESERVED.contains(&plate.to_ascii_lowercase().as_str())
    };
    let names: BTreeSet<String> = rows
        .iter()
        .filter_map(|row| row.plate.as_deref())
        .filter(|plate| is_path(plate))
        .map(|plate| format!("{plate:?}"))
        .collect();
    let names: Vec<String> = names.into_iter().collect();
    (!names.is_empty()).then(|| format!("a plate's name looks like a path: {}; it is kept as a name, its files get a safe name of their own", listed(&names)))
}

/// Characters that cannot be seen, or accents apart from their letter: two names that look the same may be two.
fn unseen_characters(rows: &[PlateMapRow]) -> Option<String> {
    let unseen = |c: char| matches!(c, '\u{300}'..='\u{36F}' | '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}');
    let has = |name: &Option<String>| name.as_ref().is_some_and(|name| name.chars().any(unseen));
    let lines: Vec<String> = rows
        .iter()
        .filter(|row| has(&row.treatment) || has(&row.plate))
        .map(|row| row.line.to_string())
        .collect();
    (!lines.is_empty()).then(|| format!("a name holds characters that cannot be seen or combine with others (line {}): names that look the same are taken as different", listed(&lines)))
}

fn count(n: usize, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}
