//! Conformal p-values: how many calibration cells are at least as novel as this one.

use ndarray::ArrayView2;
use std::collections::BTreeMap;

/// Scores in ascending order. A NaN among calibration scores counts as larger than everything, which makes p-values larger (never smaller).
fn sorted(scores: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut scores: Vec<f64> = scores
        .map(|s| if s.is_nan() { f64::INFINITY } else { s })
        .collect();
    scores.sort_by(f64::total_cmp);
    scores
}

fn n_at_least(ascending: &[f64], score: f64) -> usize {
    ascending.len() - ascending.partition_point(|&c| c < score)
}

/// p = (1 + #{calibration ≥ test}) / (n + 1), larger scores being more novel; ties count against the test cell.
///
/// Range: 1/(n+1)..=1, so with n calibration cells no p is below 1/(n+1); without calibration cells every p is 1.
/// Missing values: a NaN test score gives NaN; a NaN calibration score counts as larger than everything.
/// Source: Vovk et al. 2005; Bates et al. 2023; METHODS.md section 8.
pub fn conformal_p(calibration: &[f64], test: &[f64]) -> Vec<f64> {
    let calibration = sorted(calibration.iter().copied());
    let p = |&score: &f64| (1 + n_at_least(&calibration, score)) as f64 / (calibration.len() + 1) as f64;
    test.iter()
        .map(|score| if score.is_nan() { f64::NAN } else { p(score) })
        .collect()
}

/// Cross-conformal p-values: each object is compared with every fold by the score of the members that score that fold.
///
/// p = (1 + Σ_k #{i in fold k: s_k(i) ≥ s_k(object)}) / (1 + Σ_k n_k).
/// Shapes: `calibration` holds the scores of each fold's cells; `test` is object × fold, in the same order of folds.
/// Missing values: a NaN in an object's row gives NaN.
/// Guarantee: level 2α at worst, α in practice (measure it). Panics: when the number of folds differs.
/// Source: Vovk 2015; METHODS.md section 16.
pub fn cross_conformal_p(calibration: &[Vec<f64>], test: ArrayView2<f64>) -> Vec<f64> {
    assert_eq!(calibration.len(), test.ncols(), "one score per fold and object");
    let folds: Vec<Vec<f64>> = calibration
        .iter()
        .map(|fold| sorted(fold.iter().copied()))
        .collect();
    let n: usize = folds.iter().map(Vec::len).sum();
    let p = |row: ndarray::ArrayView1<f64>| {
        if row.iter().any(|s| s.is_nan()) {
            return f64::NAN;
        }
        let above: usize = folds
            .iter()
            .zip(row)
            .map(|(fold, &score)| n_at_least(fold, score))
            .sum();
        (1 + above) as f64 / (n + 1) as f64
    };
    test.outer_iter().map(p).collect()
}

/// Conformal p-values whose unit is the group (well), not the cell: every group weighs the same and its cells share that weight.
///
/// p = (1 + Σ_w share of cells of w with score ≥ test) / (J + 1); valid for a cell of a new group exchangeable with the J groups.
/// Range: 1/(J+1)..=1. Missing values as in [`conformal_p`]. Panics: when `calibration` and `group` differ in length.
/// Source: Lee, Barber, Willett 2023 (hierarchical conformal prediction); METHODS.md section 6 (b).
pub fn conformal_p_by_group(calibration: &[f64], group: &[u32], test: &[f64]) -> Vec<f64> {
    assert_eq!(calibration.len(), group.len(), "one group per calibration cell");
    let tail = GroupedTail::new(calibration, group);
    let p = |score: f64| (1.0 + tail.at_least(score)) / (tail.groups + 1) as f64;
    test.iter()
        .map(|&score| {
            if score.is_nan() {
                f64::NAN
            } else {
                p(score).min(1.0)
            }
        })
        .collect()
}

/// Conformal p-value of every cell against the cells of all *other* groups: the scores of control wells judged by each other.
///
/// p_i = (1 + #{j not in i's group: s_j ≥ s_i}) / (1 + number of cells not in i's group). With a single group every p is 1.
/// Missing values as in [`conformal_p`]. Panics: when the lengths differ.
pub fn conformal_p_leave_group_out(score: &[f64], group: &[u32]) -> Vec<f64> {
    assert_eq!(score.len(), group.len(), "one group per cell");
    let all = sorted(score.iter().copied());
    let mut own: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (&s, &g) in score.iter().zip(group) {
        own.entry(g).or_default().push(s);
    }
    let own: BTreeMap<u32, Vec<f64>> = own.into_iter().map(|(g, s)| (g, sorted(s.into_iter()))).collect();
    let p = |(&s, g): (&f64, &u32)| {
        let mine = &own[g];
        if s.is_nan() {
            return f64::NAN;
        }
        (1 + n_at_least(&all, s) - n_at_least(mine, s)) as f64 / (1 + all.len() - mine.len()) as f64
    };
    score.iter().zip(group).map(p).collect()
}

/// Weighted conformal p-values for covariate or label shift: p = (Σ w_i 1{s_i ≥ s} + w) / (Σ w_i + w).
///
/// Weights are density ratios test/calibration, up to one common factor, non-negative. Smallest reachable p: w/(Σ w_i + w).
/// Benjamini-Hochberg on these is not proved to hold its level. Missing values as in [`conformal_p`].
/// Panics: when a score has no weight. Source: Tibshirani et al. 2019; Hu, Lei 2023; METHODS.md section 8.
pub fn weighted_conformal_p(
    calibration: &[f64],
    calibration_weight: &[f64],
    test: &[f64],
    test_weight: &[f64],
) -> Vec<f64> {
    assert_eq!(
        calibration.len(),
        calibration_weight.len(),
        "one weight per calibration cell"
    );
    assert_eq!(test.len(), test_weight.len(), "one weight per test cell");
    let tail = WeightedTail::new(
        calibration
            .iter()
            .copied()
            .zip(calibration_weight.iter().copied()),
    );
    let total = tail.total();
    let p = |(&score, &w): (&f64, &f64)| {
        if score.is_nan() {
            f64::NAN
        } else {
            (tail.at_least(score) + w) / (total + w)
        }
    };
    test.iter().zip(test_weight).map(p).collect()
}

/// Rank of each value among the reference: (1 + #{reference < x}) / (n + 1), in 1/(n+1)..=1; larger scores rank higher.
///
/// For pooling scores of members whose scales differ: rank per member, then average. A NaN stays NaN.
pub fn rank_against(reference: &[f64], x: &[f64]) -> Vec<f64> {
    let reference = sorted(reference.iter().copied());
    let rank = |v: f64| (1 + reference.partition_point(|&r| r < v)) as f64 / (reference.len() + 1) as f64;
    x.iter()
        .map(|&v| if v.is_nan() { f64::NAN } else { rank(v) })
        .collect()
}

/// Weighted scores, ready to answer "how much weight lies at or above this score".
#[derive(Debug, Clone, Default)]
pub(crate) struct WeightedTail {
    score: Vec<f64>,
    /// Weight of this score and all larger ones.
    weight_from: Vec<f64>,
}

impl WeightedTail {
    pub(crate) fn new(scored: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut scored: Vec<(f64, f64)> = scored
            .map(|(s, w)| (if s.is_nan() { f64::INFINITY } else { s }, w))
            .collect();
        scored.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut weight_from = vec![0.0; scored.len()];
        let mut sum = 0.0;
        for (from, (_, w)) in weight_from.iter_mut().zip(&scored).rev() {
            sum += w;
            *from = sum;
        }
        Self {
            score: scored.into_iter().map(|(s, _)| s).collect(),
            weight_from,
        }
    }

    pub(crate) fn at_least(&self, score: f64) -> f64 {
        let position = self.score.partition_point(|&c| c < score);
        self.weight_from.get(position).copied().unwrap_or(0.0)
    }

    fn total(&self) -> f64 {
        self.weight_from.first().copied().unwrap_or(0.0)
    }
}

/// A [`WeightedTail`] in which each group has weight 1, spread evenly over its cells.
#[derive(Debug, Clone, Default)]
struct GroupedTail {
    tail: WeightedTail,
    groups: usize,
}

impl GroupedTail {
    fn new(score: &[f64], group: &[u32]) -> Self {
        let cells = cells_per_group(group.iter().copied());
        let weight = group.iter().map(|g| 1.0 / cells[g] as f64);
        Self {
            tail: WeightedTail::new(score.iter().copied().zip(weight)),
            groups: cells.len(),
        }
    }

    fn at_least(&self, score: f64) -> f64 {
        self.tail.at_least(score)
    }
}

/// Number of cells of each group.
pub(crate) fn cells_per_group(group: impl Iterator<Item = u32>) -> BTreeMap<u32, usize> {
    let mut cells = BTreeMap::new();
    for g in group {
        *cells.entry(g).or_insert(0) += 1;
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn ties_count_against_the_test_cell() {
        assert_eq!(conformal_p(&[1.0, 2.0, 2.0], &[2.0, 3.0, 0.0]), [0.75, 0.25, 1.0]);
        assert_eq!(conformal_p(&[], &[5.0]), [1.0]);
        assert!(conformal_p(&[1.0], &[f64::NAN])[0].is_nan());
        // A broken calibration cell makes the p-value larger, never smaller.
        assert_eq!(conformal_p(&[1.0, -f64::NAN], &[5.0]), [2.0 / 3.0]);
    }

    #[test]
    fn cross_conformal_with_equal_scores_per_fold_is_conformal() {
        let p = cross_conformal_p(
            &[vec![1.0, 4.0], vec![2.0, 3.0]],
            array![[2.5, 2.5], [f64::NAN, 1.0]].view(),
        );
        assert_eq!(p[0], conformal_p(&[1.0, 2.0, 3.0, 4.0], &[2.5])[0]);
        assert!(p[1].is_nan());
    }

    #[test]
    fn a_well_of_many_cells_weighs_no_more_than_a_well_of_one() {
        // Well 0: 3 of 4 cells above; well 1: its only cell below.
        let p = conformal_p_by_group(&[9.0, 9.0, 9.0, 0.0, 0.0], &[0, 0, 0, 0, 1], &[5.0]);
        assert!((p[0] - (1.0 + 0.75) / 3.0).abs() < 1e-15);
    }

    #[test]
    fn a_control_well_is_not_compared_with_itself() {
        let p = conformal_p_leave_group_out(&[5.0, 6.0, 1.0, 7.0], &[0, 0, 1, 1]);
        assert_eq!(p, [2.0 / 3.0, 2.0 / 3.0, 1.0, 1.0 / 3.0]);
        assert_eq!(conformal_p_leave_group_out(&[5.0, 6.0], &[0, 0]), [1.0, 1.0]);
    }
}
