//! A plate map against what is on disk: which row belongs to which well, and what a user should know before a run.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{MapProblem, PlateError};
use crate::plate_map::{PlateMap, PlateMapRow, Role};
use crate::site::PlateScan;
use crate::well::Well;

/// Wells, files and names that a warning lists before it says how many more there are.
pub const NAMED_IN_A_WARNING: usize = 8;

/// The first of `names`, and how many more there are.
pub(crate) fn listed(names: &[String]) -> String {
    let first = names
        .iter()
        .take(NAMED_IN_A_WARNING)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(NAMED_IN_A_WARNING) {
        0 => first,
        more => format!("{first}, and {more} more"),
    }
}

/// Which row of a plate map belongs to which well on disk.
#[derive(Clone, Debug, Default)]
pub struct Assignment<'map> {
    /// Rows by the plate's name on disk and well.
    rows: BTreeMap<String, BTreeMap<Well, &'map PlateMapRow>>,
    /// The map's only plate and the only plate on disk, where their names differ.
    renamed: Option<(String, String)>,
    /// Plates of the map that are not on disk.
    absent: Vec<String>,
}

impl<'map> Assignment<'map> {
    /// The row of a well, by the plate's name on disk; `None` where the map does not have it.
    pub fn row(&self, plate: &str, well: Well) -> Option<&'map PlateMapRow> {
        self.rows.get(plate)?.get(&well).copied()
    }

    /// All rows of a plate by well, by the plate's name on disk; also wells that are not on disk.
    pub fn rows_of(&self, plate: &str) -> impl Iterator<Item = (Well, &'map PlateMapRow)> {
        self.rows
            .get(plate)
            .into_iter()
            .flatten()
            .map(|(well, row)| (*well, *row))
    }
}

impl PlateMap {
    /// Names of the plates in the map, sorted; empty where it has no plate column.
    pub fn plates(&self) -> Vec<&str> {
        let plates: BTreeSet<&str> = self.rows.iter().filter_map(|row| row.plate.as_deref()).collect();
        plates.into_iter().collect()
    }

    /// Which row belongs to which well on the plates of `scan`.
    ///
    /// A map without plates holds for every plate. A plate is found by its name, in other case where that is the only
    /// one; a single plate on disk and a single plate in the map belong together whatever their names.
    pub fn assign(&self, scan: &PlateScan) -> Assignment<'_> {
        self.assign_to(&scan.plates())
    }

    /// As [`PlateMap::assign`], for plates that are known by name alone (a run folder that is gathered again).
    pub fn assign_to(&self, disk: &[&str]) -> Assignment<'_> {
        let map = self.plates();
        let mut assignment = Assignment::default();
        let mut on_disk: BTreeMap<&str, &str> = BTreeMap::new();
        for plate in &map {
            let same: Vec<&&str> = disk.iter().filter(|name| *name == plate).collect();
            let alike: Vec<&&str> = disk
                .iter()
                .filter(|name| name.to_lowercase() == plate.to_lowercase())
                .collect();
            match (same.as_slice(), alike.as_slice(), disk, map.as_slice()) {
                ([name], ..) | ([], [name], ..) => drop(on_disk.insert(plate, name)),
                ([], _, [name], [_]) => {
                    on_disk.insert(plate, name);
                    assignment.renamed = Some(((*plate).to_owned(), (*name).to_owned()));
                }
                _ => assignment.absent.push((*plate).to_owned()),
            }
        }
        for name in disk {
            let holds = |row: &&PlateMapRow| {
                row.plate
                    .as_deref()
                    .is_none_or(|plate| on_disk.get(plate) == Some(name))
            };
            let rows = self
                .rows
                .iter()
                .filter(holds)
                .map(|row| (row.well, row))
                .collect();
            assignment.rows.insert((*name).to_owned(), rows);
        }
        assignment
    }

    /// Compares the map with what is on disk; gives warnings, one line each: plates and wells that only one side has,
    /// no negative control, nothing to test.
    ///
    /// Errors: [`PlateError::Map`] when no well of the map has images.
    pub fn check_against(&self, scan: &PlateScan) -> Result<Vec<String>, PlateError> {
        let assignment = self.assign(scan);
        let wells = scan.wells();
        let rows: Vec<&PlateMapRow> = wells
            .iter()
            .filter_map(|(plate, well)| assignment.row(plate, *well))
            .collect();
        if rows.is_empty() {
            return Err(self.nothing_on_disk(scan));
        }
        let mut warnings = Vec::new();
        if let Some((map, disk)) = &assignment.renamed {
            warnings.push(format!(
                "the plate map calls the plate {map:?}, on disk it is {disk:?}; taken as the same plate"
            ));
        }
        if !assignment.absent.is_empty() {
            let names: Vec<String> = assignment
                .absent
                .iter()
                .map(|plate| format!("{plate:?}"))
                .collect();
            warnings.push(format!(
                "plates of the plate map that are not on disk: {}",
                listed(&names)
            ));
        }
        let many = scan.plates().len() > 1;
        let name = |plate: &str, well: Well| {
            if many {
                format!("{plate} {well}")
            } else {
                well.to_string()
            }
        };
        let on_disk: BTreeSet<(&str, Well)> = wells.iter().copied().collect();
        let missing: Vec<String> = scan
            .plates()
            .into_iter()
            .flat_map(|plate| {
                assignment
                    .rows_of(plate)
                    .map(move |(well, row)| (plate, well, row))
            })
            .filter(|(plate, well, row)| row.role != Some(Role::Empty) && !on_disk.contains(&(*plate, *well)))
            .map(|(plate, well, _)| name(plate, well))
            .collect();
        if !missing.is_empty() {
            warnings.push(format!(
                "wells of the plate map without images ({}): {}",
                missing.len(),
                listed(&missing)
            ));
        }
        let unknown: Vec<String> = wells
            .iter()
            .filter(|(plate, well)| assignment.row(plate, *well).is_none())
            .map(|(plate, well)| name(plate, *well))
            .collect();
        if !unknown.is_empty() {
            warnings.push(format!(
                "wells on disk that are not in the plate map ({}), kept without a treatment: {}",
                unknown.len(),
                listed(&unknown)
            ));
        }
        warnings.extend(self.no_controls(scan, &assignment));
        if !rows
            .iter()
            .any(|row| matches!(row.role, None | Some(Role::Treatment)))
        {
            warnings.push(
                "nothing to test: every well on disk is a control or empty, none has a treatment".to_owned(),
            );
        }
        Ok(warnings)
    }

    /// Plates without a negative control among their wells on disk.
    fn no_controls(&self, scan: &PlateScan, assignment: &Assignment<'_>) -> Option<String> {
        let wells = scan.wells();
        let has_control = |plate: &str| {
            let of_plate = wells.iter().filter(|(name, _)| *name == plate);
            of_plate
                .filter_map(|(plate, well)| assignment.row(plate, *well))
                .any(|row| row.role == Some(Role::Negcon))
        };
        let plates = scan.plates();
        let without: Vec<String> = plates
            .iter()
            .filter(|plate| !has_control(plate))
            .map(|plate| format!("{plate:?}"))
            .collect();
        if without.is_empty() {
            return None;
        }
        let on = if without.len() == plates.len() {
            "any plate".to_owned()
        } else {
            format!("plate {}", listed(&without))
        };
        let hint = self.likely_control().map_or_else(String::new, |treatment| {
            format!(", for example --negcon {treatment:?}")
        });
        Some(format!(
            "no negative control on {on}: hits and novelty against controls are not estimable; mark them in a column `role` or with --negcon VALUE{hint}"
        ))
    }

    /// A treatment whose name says that it is a negative control.
    fn likely_control(&self) -> Option<&str> {
        const NAMES: [&str; 8] = [
            "dmso",
            "untreated",
            "vehicle",
            "mock",
            "none",
            "control",
            "rluc",
            "water",
        ];
        let treatments = self.rows.iter().filter_map(|row| row.treatment.as_deref());
        treatments
            .into_iter()
            .find(|treatment| NAMES.contains(&treatment.to_lowercase().as_str()))
    }

    fn nothing_on_disk(&self, scan: &PlateScan) -> PlateError {
        let side = |plates: Vec<&str>, wells: BTreeSet<Well>| {
            let wells: Vec<String> = wells.into_iter().map(|well| well.to_string()).collect();
            let plates: Vec<String> = plates.into_iter().map(|plate| format!("{plate:?}")).collect();
            let plates = if plates.is_empty() {
                String::new()
            } else {
                format!("plate {}, ", listed(&plates))
            };
            format!("{plates}wells {}", listed(&wells))
        };
        let problem = MapProblem::NothingOnDisk {
            wells: self.rows.len(),
            root: scan.root.clone(),
            map: side(self.plates(), self.rows.iter().map(|row| row.well).collect()),
            disk: side(scan.plates(), scan.sites.iter().map(|site| site.well).collect()),
        };
        PlateError::Map {
            file: self.file.clone(),
            line: None,
            problem: Box::new(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::plate_map::PlateMapParams;
    use crate::site::Site;

    fn scan(wells: &[(&str, &str)]) -> PlateScan {
        let site = |(plate, well): &(&str, &str)| Site {
            plate: (*plate).to_owned(),
            well: well.parse().unwrap(),
            site: 1,
            timepoint: 0,
            channels: BTreeMap::new(),
        };
        PlateScan {
            sites: wells.iter().map(site).collect(),
            ..PlateScan::default()
        }
    }

    fn map(text: &str) -> PlateMap {
        PlateMap::parse(text.as_bytes(), Path::new("map.csv"), &PlateMapParams::default()).unwrap()
    }

    #[test]
    fn rows_find_their_plates() {
        let two = map("plate,well,treatment,role\nP1,A01,x,trt\nP2,A01,DMSO,negcon\n");
        let assignment = two.assign_to(&["P1", "p2"]);
        let a01 = Well { row: 0, column: 0 };
        assert_eq!(assignment.row("P1", a01).unwrap().treatment.as_deref(), Some("x"));
        assert_eq!(
            assignment.row("p2", a01).unwrap().treatment.as_deref(),
            Some("DMSO")
        );
        assert!(assignment.row("P3", a01).is_none());
        let every = map("well,treatment\nA01,x\n");
        assert!(every.assign_to(&["P1", "P2"]).row("P2", a01).is_some());
    }

    #[test]
    fn one_plate_on_each_side_belongs_together_and_is_said() {
        let map = map("plate,well,treatment,role\nBBBC013,A01,none,untreated\nBBBC013,A02,x,dose\n");
        let warnings = map
            .check_against(&scan(&[("images", "A01"), ("images", "A02")]))
            .unwrap();
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].contains("\"BBBC013\"") && warnings[0].contains("\"images\""),
            "{warnings:?}"
        );
    }

    #[test]
    fn what_only_one_side_has_is_listed() {
        let map = map(
            "plate,well,treatment,role\nP1,A01,DMSO,negcon\nP1,A02,x,trt\nP1,H12,x,trt\nP1,H11,,empty\nP9,A01,x,trt\n",
        );
        let warnings = map
            .check_against(&scan(&[
                ("P1", "A01"),
                ("P1", "A02"),
                ("P1", "B01"),
                ("P2", "A01"),
            ]))
            .unwrap()
            .join("\n");
        assert!(warnings.contains("not on disk: \"P9\""), "{warnings}");
        assert!(warnings.contains("without images (1): P1 H12"), "{warnings}");
        assert!(
            warnings.contains("not in the plate map (2), kept without a treatment: P1 B01, P2 A01"),
            "{warnings}"
        );
        assert!(
            warnings.contains("no negative control on plate \"P2\""),
            "{warnings}"
        );
    }

    #[test]
    fn the_map_of_another_plate_is_refused() {
        let map = map("well,treatment\nP24,x\n");
        let message = map
            .check_against(&scan(&[("P1", "A01")]))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("map.csv") && message.contains("P24") && message.contains("A01"),
            "{message}"
        );
    }

    #[test]
    fn a_likely_control_is_suggested() {
        let map = map("well,treatment\nA01,DMSO\nA02,x\n");
        let warnings = map.check_against(&scan(&[("P1", "A01"), ("P1", "A02")])).unwrap();
        assert!(
            warnings[0].contains("negative control") && warnings[0].contains("--negcon \"DMSO\""),
            "{warnings:?}"
        );
    }
}
