//! Does a plate look enough like the training data for class names to mean anything?

use crate::bootstrap::bootstrap_groups;
use crate::robust::median;
use crate::stream::stream;
use std::collections::BTreeMap;

/// p_known at or below which a cell is unlike the taught classes.
pub const GATE_LEVEL: f64 = 0.05;
/// Share of such cells from which on the plate is foreign …
const FOREIGN_SHARE: f64 = 0.20;
/// … if the lower bound of the share is above this as well. In-domain groups of the training data range 0..0.18.
const FOREIGN_LOWER_BOUND: f64 = 0.10;
/// One-sided level of the lower bound, as the two-sided interval that has it.
const TWO_SIDED_LEVEL: f64 = 0.8;
/// Bootstrap rounds over wells.
const ROUNDS: usize = 2000;

/// Which cells the gate is judged on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateCells {
    /// Cells of the negative controls: the share over all of them.
    Controls,
    /// Cells of the whole plate (there are no controls): the median over wells of each well's share.
    AllWells,
}

/// Verdict of the gate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// Share of cells with p_known ≤ 0.05 (median over wells without controls).
    pub share: f64,
    /// Lower one-sided 90 % bound of the share, wells resampled; `None` with one well.
    pub lower: Option<f64>,
    /// Cells judged.
    pub cells: usize,
    /// Wells judged.
    pub wells: usize,
    /// The plate passes: class names and p_known may be shown. False: "unlike the training data".
    pub fits: bool,
}

/// Judges a plate by the p_known of its control cells, or of all cells where there are no controls.
///
/// Foreign when the share of cells with p ≤ 0.05 is ≥ 0.20 **and** its lower 90 % well-bootstrap bound is > 0.10
/// (with a single well there is no bound, and the share alone decides). A NaN p is left out. `None` without cells.
/// Panics: when the lengths differ. Source: METHODS.md section 8, "Gate for a foreign plate".
pub fn training_gate(p_known: &[f64], well: &[u32], judged: GateCells, seed: u64) -> Option<Gate> {
    assert_eq!(p_known.len(), well.len(), "one well per cell");
    let cells: Vec<(bool, u32)> = p_known
        .iter()
        .zip(well)
        .filter(|(p, _)| !p.is_nan())
        .map(|(&p, &well)| (p <= GATE_LEVEL, well))
        .collect();
    let mut per_well: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for &(low, well) in &cells {
        let counts = per_well.entry(well).or_default();
        counts.0 += u64::from(low);
        counts.1 += 1;
    }
    let wells: Vec<(u64, u64)> = per_well.into_values().collect();
    let statistic = |rows: &[usize]| match judged {
        GateCells::Controls => {
            let (low, n) = rows
                .iter()
                .fold((0, 0), |sum, &r| (sum.0 + wells[r].0, sum.1 + wells[r].1));
            (n > 0).then(|| low as f64 / n as f64)
        }
        GateCells::AllWells => median(
            &rows
                .iter()
                .map(|&r| wells[r].0 as f64 / wells[r].1 as f64)
                .collect::<Vec<_>>(),
        ),
    };
    let each: Vec<usize> = (0..wells.len()).collect();
    let share = statistic(&each)?;
    let numbers: Vec<u32> = (0..).take(wells.len()).collect();
    let mut rng = stream(seed, "bootstrap/training_gate");
    let lower =
        bootstrap_groups(&numbers, ROUNDS, TWO_SIDED_LEVEL, &mut rng, statistic).map(|(lower, _)| lower);
    let foreign = share >= FOREIGN_SHARE && lower.is_none_or(|lower| lower > FOREIGN_LOWER_BOUND);
    Some(Gate {
        share,
        lower,
        cells: cells.len(),
        wells: wells.len(),
        fits: !foreign,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wells of 20 cells with the given number of low p-values each.
    fn plate(low: &[usize]) -> (Vec<f64>, Vec<u32>) {
        let p = low
            .iter()
            .flat_map(|&n| (0..20).map(move |i| if i < n { 0.01 } else { 0.5 }))
            .collect();
        let wells = (0_u32..).zip(low).flat_map(|(well, _)| [well; 20]).collect();
        (p, wells)
    }

    #[test]
    fn a_plate_is_foreign_only_when_its_wells_agree() {
        let judge = |low: &[usize], judged| {
            let (p, wells) = plate(low);
            training_gate(&p, &wells, judged, 1).unwrap()
        };
        assert!(judge(&[1, 0, 2, 1], GateCells::Controls).fits);
        let foreign = judge(&[12, 10, 14, 11], GateCells::Controls);
        assert!(!foreign.fits && (foreign.share - 47.0 / 80.0).abs() < 1e-15 && foreign.wells == 4);
        // One bad well of eight raises the share but not the bound; the median over wells does not see it.
        let one_bad = judge(&[20, 2, 2, 2, 1, 2, 1, 2], GateCells::Controls);
        assert!(
            one_bad.share >= 0.20 && one_bad.lower.unwrap() <= 0.10 && one_bad.fits,
            "{one_bad:?}"
        );
        assert!(judge(&[20, 2, 2, 2, 1, 2, 1, 2], GateCells::AllWells).share <= 0.1);
        assert!(!judge(&[15], GateCells::Controls).fits);
        assert!(training_gate(&[f64::NAN], &[0], GateCells::Controls, 1).is_none());
    }
}
