//! Do the classes of the classifier mean anything on this plate?
//!
//! Decided per plate from `P_Known` of its negative-control cells (METHODS.md section 8, gate). On a plate that fails, no
//! class is named and `P_Known` is withheld.

use uncertainty::{GATE_LEVEL, GateCells, bootstrap_groups, stream, training_gate};

use crate::gathered::{Gate, GateOutcome};
use crate::plate_layout::PlateLayout;
use crate::{GatherParams, Role};

/// Bootstrap rounds over wells.
const ROUNDS: usize = 2000;

/// One gate a plate; empty when the tables hold no `P_Known` at all.
pub(crate) fn judge_plates(
    layout: &PlateLayout,
    p_known: Option<&[Option<f64>]>,
    params: &GatherParams,
) -> Vec<Gate> {
    let Some(p_known) = p_known.filter(|p| p.iter().any(Option::is_some)) else {
        return Vec::new();
    };
    layout
        .plates
        .iter()
        .map(|plate| {
            let with_p = |wells: &[usize]| -> Vec<usize> {
                wells.iter().copied().filter(|&w| layout.wells[w].rows.iter().any(|&r| p_known[r].is_some())).collect()
            };
            let controls = with_p(&plate.controls);
            let by_controls = !controls.is_empty();
            let judged = if by_controls {
                controls
            } else {
                let filled: Vec<usize> = plate.wells.iter().copied().filter(|&w| layout.wells[w].info.role != Role::Empty).collect();
                with_p(&filled)
            };
            let (mut p, mut well) = (Vec::new(), Vec::new());
            for &w in &judged {
                for p_cell in layout.wells[w].rows.iter().filter_map(|&r| p_known[r]) {
                    p.push(p_cell);
                    well.push(w as u32);
                }
            }
            let cells = if by_controls { GateCells::Controls } else { GateCells::AllWells };
            let result = training_gate(&p, &well, cells, params.seed);
            let mut rng = stream(params.seed, &format!("gate interval/{}", plate.name));
            let share_of = |rows: &[usize]| Some(rows.iter().filter(|&&i| p[i] <= GATE_LEVEL).count() as f64 / rows.len().max(1) as f64);
            let interval = bootstrap_groups(&well, ROUNDS, 0.9, &mut rng, share_of);
            let whose = if by_controls { "negative-control cells" } else { "cells (median over wells, no negative controls)" };
            let outcome = match &result {
                None => GateOutcome::NotEstimable,
                Some(gate) if gate.fits => GateOutcome::Fits,
                Some(_) => GateOutcome::Unlike,
            };
            let sentence = match &result {
                None => format!("Plate {}: no cell to judge whether the taught classes fit; no class is named.", plate.name),
                Some(gate) if gate.fits => format!(
                    "Plate {}: the taught classes fit ({:.0} % of {} {whose} are unlike the training data at the 5 % level).",
                    plate.name,
                    100.0 * gate.share,
                    p.len()
                ),
                Some(gate) => format!(
                    "Plate {}: the taught classes do not fit this plate: {:.0} % of {} {whose} are unlike the training data at the 5 % level (at most 20 % would be accepted). No class is named and P_Known is withheld.",
                    plate.name,
                    100.0 * gate.share,
                    p.len()
                ),
            };
            Gate {
                plate: plate.name.clone(),
                outcome,
                share: result.as_ref().map(|g| g.share),
                lower: result.as_ref().and_then(|g| g.lower),
                upper: interval.map(|i| i.1),
                n_wells: judged.len(),
                n_cells: p.len(),
                by_controls,
                sentence,
            }
        })
        .collect()
}
