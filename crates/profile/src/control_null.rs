//! `P_Controls`: how unlike a plate's own negative-control wells is a cell?
//!
//! Control wells are dealt into at most eight folds. For each fold a fit (robust scale and Ledoit-Wolf Mahalanobis
//! distance) is made on the controls outside it and scores the fold's cells: these are the calibration scores. A cell of another
//! well is scored by every fit and ranked against that fit's fold (cross-conformal, Vovk 2015). A cell of a control well
//! in fold g is scored by fits that saw neither g nor f and ranked against fold f under the same fit, for every f ≠ g: it is
//! judged exactly as a treated well is, and never by a reference that holds it.
//! Source: METHODS.md sections 7, 8 and 16.

use ndarray::{Array2, ArrayView2};
use uncertainty::{Mahalanobis, Shrinkage, cross_conformal_p};

use crate::ProfileError;
use crate::feature_choice::{FIT_CUT, RobustScale};

/// Fewest control wells for a reference.
pub(crate) const MIN_CONTROL_WELLS: usize = 4;
/// Fewest control cells for a reference.
pub(crate) const MIN_CONTROL_CELLS: usize = 50;
/// Scored values are cut at this many robust deviations: far enough that a strong shift of one feature counts in full, near
/// enough that a broken value does not decide alone. On BBBC013 (24 steadiest features, Otsu nuclei) scoring at 10 instead of 4
/// finds 0.75-0.99 instead of 0.47-0.80 of the cells at dose ranks 5 to 9, at 0.02-0.07 in control wells.
const SCORE_CUT: f64 = 10.0;
/// Folds of control wells; 28 fits for eight folds.
const MAX_FOLDS: usize = 8;

/// p-value and distance of the cells that were scored.
#[derive(Clone, Debug)]
pub(crate) struct ControlScores {
    /// Per row given: conformal p-value.
    pub p: Vec<f64>,
    /// Per row given: distance, mean over the fits, in robust deviations.
    pub distance: Vec<f64>,
}

/// A fit on some control cells.
struct Fit {
    scale: RobustScale,
    distance: Mahalanobis,
}

impl Fit {
    fn new(values: ArrayView2<f32>, rows: &[usize]) -> Result<Self, ProfileError> {
        let scale = RobustScale::fit(values, rows);
        let z = scale.apply(values, rows, FIT_CUT);
        let distance =
            Mahalanobis::fit(z.view(), Shrinkage::LedoitWolf).map_err(|error| ProfileError::Clustering {
                step: "the Mahalanobis distance",
                n_cells: rows.len(),
                n_features: values.ncols(),
                reason: error.to_string(),
            })?;
        Ok(Self { scale, distance })
    }

    fn score(&self, values: ArrayView2<f32>, rows: &[usize]) -> Vec<f64> {
        if rows.is_empty() {
            return Vec::new();
        }
        self.distance
            .score(self.scale.apply(values, rows, SCORE_CUT).view())
            .to_vec()
    }
}

/// Scores one plate.
///
/// `values`: all objects × kept features; `controls`: rows of each control well with cells; `others`: rows of the
/// other cells. Returns the scores of `others` and, well by well, of `controls`.
pub(crate) fn score_against_controls(
    values: ArrayView2<f32>,
    controls: &[Vec<usize>],
    others: &[usize],
) -> Result<(ControlScores, Vec<ControlScores>), ProfileError> {
    let folds = controls.len().min(MAX_FOLDS);
    let rows_of_fold: Vec<Vec<usize>> = (0..folds)
        .map(|f| {
            controls
                .iter()
                .skip(f)
                .step_by(folds)
                .flatten()
                .copied()
                .collect()
        })
        .collect();
    let outside = |leave: &[usize]| -> Vec<usize> {
        (0..folds)
            .filter(|f| !leave.contains(f))
            .flat_map(|f| rows_of_fold[f].iter().copied())
            .collect()
    };

    let mut calibration = Vec::with_capacity(folds);
    let mut scores = Array2::<f64>::zeros((others.len(), folds));
    for (f, fold_rows) in rows_of_fold.iter().enumerate() {
        let fit = Fit::new(values, &outside(&[f]))?;
        calibration.push(fit.score(values, fold_rows));
        for (i, s) in fit.score(values, others).into_iter().enumerate() {
            scores[[i, f]] = s;
        }
    }
    let p = cross_conformal_p(&calibration, scores.view());
    let distance = scores
        .outer_iter()
        .map(|row| row.iter().map(|s| s.max(0.0).sqrt()).sum::<f64>() / folds as f64)
        .collect();
    let treated = ControlScores { p, distance };

    // Control wells: the fits leave out both their fold and the fold that they are ranked against.
    let mut at_least = rows_of_fold
        .iter()
        .map(|r| vec![0_usize; r.len()])
        .collect::<Vec<_>>();
    let mut root_sum = rows_of_fold
        .iter()
        .map(|r| vec![0.0_f64; r.len()])
        .collect::<Vec<_>>();
    for f in 0..folds {
        for g in f + 1..folds {
            let fit = Fit::new(values, &outside(&[f, g]))?;
            let mut score_f = fit.score(values, &rows_of_fold[f]);
            let mut score_g = fit.score(values, &rows_of_fold[g]);
            for (here, score) in [(f, &score_f), (g, &score_g)] {
                for (sum, s) in root_sum[here].iter_mut().zip(score) {
                    *sum += s.max(0.0).sqrt();
                }
            }
            let (plain_f, plain_g) = (score_f.clone(), score_g.clone());
            score_f.sort_by(f64::total_cmp);
            score_g.sort_by(f64::total_cmp);
            for (here, own, sorted) in [(f, plain_f, score_g), (g, plain_g, score_f)] {
                for (count, s) in at_least[here].iter_mut().zip(own) {
                    *count += sorted.len() - sorted.partition_point(|c| *c < s);
                }
            }
        }
    }
    let n_cells: usize = rows_of_fold.iter().map(Vec::len).sum();
    let mut own: Vec<ControlScores> = controls
        .iter()
        .map(|_| ControlScores {
            p: Vec::new(),
            distance: Vec::new(),
        })
        .collect();
    for f in 0..folds {
        let n_other = n_cells - rows_of_fold[f].len();
        let mut at = 0;
        for well in (f..controls.len()).step_by(folds) {
            for _ in &controls[well] {
                own[well]
                    .p
                    .push((1 + at_least[f][at]) as f64 / (1 + n_other) as f64);
                own[well].distance.push(root_sum[f][at] / (folds - 1) as f64);
                at += 1;
            }
        }
    }
    Ok((treated, own))
}
