//! `P_Controls` and the distance of every object, plate by plate, or why a plate has none.

use ndarray::ArrayView2;

use crate::control_null::{MIN_CONTROL_CELLS, MIN_CONTROL_WELLS, score_against_controls};
use crate::gathered::Verdict;
use crate::plate_layout::PlateLayout;
use crate::share_tests::MIN_CONTROL_WELLS_FOR_RATE;
use crate::{GatherParams, NovelAgainst, ProfileError};

/// Novelty against controls of all objects.
pub(crate) struct ControlNovelty {
    /// Conformal p-value.
    pub p: Vec<Option<f64>>,
    /// Distance.
    pub score: Vec<Option<f64>>,
    /// Calibration cells per plate; 0 where there is no reference.
    pub n_calibration: Vec<usize>,
}

/// Scores all plates; what is missing goes into the verdict.
pub(crate) fn control_novelty(
    layout: &PlateLayout,
    values: ArrayView2<f32>,
    usable_controls: &[Vec<usize>],
    params: &GatherParams,
    verdict: &mut Verdict,
) -> Result<ControlNovelty, ProfileError> {
    let n = values.nrows();
    let mut out = ControlNovelty {
        p: vec![None; n],
        score: vec![None; n],
        n_calibration: vec![0; layout.plates.len()],
    };
    if params.novel_against == NovelAgainst::Known {
        verdict
            .notes
            .push("Novelty against controls was not asked for.".to_owned());
        return Ok(out);
    }
    for (index, (plate, controls)) in layout.plates.iter().zip(usable_controls).enumerate() {
        let control_cells = layout.cells(controls);
        let missing = if controls.len() < MIN_CONTROL_WELLS {
            Some(format!(
                "{} negative-control wells with cells; {MIN_CONTROL_WELLS} are needed for a ranking, {MIN_CONTROL_WELLS_FOR_RATE} for an error rate, 16 recommended",
                controls.len()
            ))
        } else if control_cells < MIN_CONTROL_CELLS {
            Some(format!(
                "{control_cells} negative-control cells; {MIN_CONTROL_CELLS} are needed"
            ))
        } else if values.ncols() < 2 {
            Some(format!("{} usable features; 2 are needed", values.ncols()))
        } else {
            None
        };
        if let Some(missing) = missing {
            verdict.not_estimable.push(format!(
                "Novelty against the controls of plate {} is not estimable: {missing}.",
                plate.name
            ));
            continue;
        }
        let control_rows: Vec<Vec<usize>> = controls.iter().map(|&w| layout.wells[w].rows.clone()).collect();
        let others: Vec<usize> = plate
            .wells
            .iter()
            .filter(|w| !controls.contains(w))
            .flat_map(|&w| layout.wells[w].rows.iter().copied())
            .collect();
        let (treated, own) = score_against_controls(values, &control_rows, &others)?;
        for (rows, scores) in std::iter::once((&others, &treated)).chain(control_rows.iter().zip(&own)) {
            for ((&row, &p), &distance) in rows.iter().zip(&scores.p).zip(&scores.distance) {
                out.p[row] = Some(p);
                out.score[row] = Some(distance);
            }
        }
        out.n_calibration[index] = control_cells;
        if controls.len() < MIN_CONTROL_WELLS_FOR_RATE {
            verdict.not_estimable.push(format!(
                "Novelty hits of plate {} carry no error rate: {} negative-control wells with cells; {MIN_CONTROL_WELLS_FOR_RATE} are needed, 16 recommended. Its treatments are ranked.",
                plate.name,
                controls.len()
            ));
        }
    }
    Ok(out)
}
