//! What a plate map allows, said before the run.

use std::collections::{BTreeMap, BTreeSet};

use uncertainty::{Tail, detection_floor, smallest_rank_sum_p};

use crate::control_null::MIN_CONTROL_WELLS;
use crate::count_tests::MIN_CONTROL_WELLS_FOR_COUNTS;
use crate::share_tests::MIN_CONTROL_WELLS_FOR_RATE;
use crate::{GatherParams, Role, WellInfo};

/// Sentences on what cannot be estimated with these wells, and what it would take; empty when all can.
///
/// The same limits as in [`crate::gather`]; a well counts when at least one of its sites was not skipped.
#[must_use]
pub fn estimable(wells: &[WellInfo], params: &GatherParams) -> Vec<String> {
    let mut plates: BTreeMap<&str, Vec<&WellInfo>> = BTreeMap::new();
    for well in wells {
        plates.entry(&well.plate).or_default().push(well);
    }
    if plates.is_empty() {
        return vec!["Nothing is estimable: no well was found.".to_owned()];
    }
    let mut sentences = Vec::new();
    for (plate, wells) in plates {
        let usable = |w: &&&WellInfo| w.sites == 0 || w.sites > w.sites_skipped;
        let controls = wells
            .iter()
            .filter(|w| w.role == Role::Negcon)
            .filter(usable)
            .count();
        let mut tested: BTreeMap<(String, u64), usize> = BTreeMap::new();
        for well in wells
            .iter()
            .filter(|w| matches!(w.role, Role::Treatment | Role::Poscon))
            .filter(usable)
        {
            let name = well
                .treatment
                .clone()
                .unwrap_or_else(|| format!("well {}", well.well));
            *tested
                .entry((name, well.dose.map_or(0, |d| d.max(0.0).to_bits())))
                .or_insert(0) += 1;
        }
        if tested.is_empty() {
            sentences.push(format!(
                "Plate {plate}: there is nothing to test; every well is a negative control or empty."
            ));
        }
        if controls < MIN_CONTROL_WELLS_FOR_COUNTS {
            sentences.push(format!(
                "Plate {plate}: count hits are not estimable with {controls} negative-control wells; {MIN_CONTROL_WELLS_FOR_COUNTS} are needed (name them with --negcon), {MIN_CONTROL_WELLS_FOR_RATE} for a dispersion of their own."
            ));
        }
        if controls < MIN_CONTROL_WELLS {
            sentences.push(format!(
                "Plate {plate}: novelty against controls, its hits and flagged cells are not estimable with {controls} negative-control wells; {MIN_CONTROL_WELLS} are needed for a ranking, {MIN_CONTROL_WELLS_FOR_RATE} for an error rate, 16 recommended."
            ));
            continue;
        }
        if controls < MIN_CONTROL_WELLS_FOR_RATE {
            sentences.push(format!(
                "Plate {plate}: with {controls} negative-control wells novelty hits are a ranking without an error rate, and no cell is flagged; {MIN_CONTROL_WELLS_FOR_RATE} are needed, 16 recommended."
            ));
            continue;
        }
        let tests = tested.len();
        let replicates: BTreeSet<usize> = tested.values().copied().filter(|&r| r >= 2).collect();
        for r in replicates {
            let floor = smallest_rank_sum_p(r, controls, Tail::Greater);
            let alike = tested.values().filter(|&&n| n == r).count();
            let sentence = match detection_floor(floor, tests, params.fdr).tests_needed {
                None => format!(
                    "can never be called at a false-discovery rate of {} among {tests} tests; more replicates or controls are needed",
                    params.fdr
                ),
                Some(k) if k > alike.max(1) => {
                    format!("can be called only if at least {k} treatments are hits together")
                }
                Some(_) => continue,
            };
            sentences.push(format!(
                "Plate {plate}: treatments with {r} wells against {controls} control wells reach p = {floor:.2e} at best and {sentence}."
            ));
        }
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plate(controls: usize, treatments: usize, replicates: usize) -> Vec<WellInfo> {
        let well = |i: usize, treatment: String, role| WellInfo {
            plate: "P".into(),
            well: format!("{}{:02}", (b'A' + (i / 12) as u8) as char, i % 12 + 1),
            row: (i / 12) as u32,
            column: (i % 12) as u32,
            treatment: Some(treatment),
            dose: None,
            unit: None,
            role,
            extra: BTreeMap::new(),
            sites: 1,
            sites_skipped: 0,
        };
        let mut wells: Vec<WellInfo> = (0..controls)
            .map(|i| well(i, "DMSO".into(), Role::Negcon))
            .collect();
        for t in 0..treatments {
            for _ in 0..replicates {
                wells.push(well(wells.len(), format!("T{t:02}"), Role::Treatment));
            }
        }
        wells
    }

    fn check(controls: usize, treatments: usize, replicates: usize, expected: &[&str]) {
        let said = estimable(&plate(controls, treatments, replicates), &GatherParams::default());
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for (sentence, part) in said.iter().zip(expected) {
            assert!(sentence.contains(part), "{sentence} lacks {part}");
        }
    }

    #[test]
    fn every_limit_is_said_with_what_it_would_take() {
        check(
            0,
            10,
            1,
            &["count hits are not estimable with 0", "novelty against controls"],
        );
        check(3, 10, 1, &["novelty against controls"]);
        check(4, 10, 1, &["a ranking without an error rate"]);
        check(8, 10, 1, &[]);
        check(16, 10, 4, &[]);
        check(8, 0, 1, &["nothing to test"]);
        // One of 2 against 8 reaches 1/45: with one such treatment among 20 tests BH can never reject it.
        let mut wells = plate(8, 19, 1);
        let mut last = wells[26].clone();
        last.well = "H12".into();
        wells.push(last);
        let said = estimable(&wells, &GatherParams::default());
        assert!(
            said.len() == 1 && said[0].contains("at least 5 treatments"),
            "{said:?}"
        );
    }
}
