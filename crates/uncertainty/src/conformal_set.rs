//! Conformal prediction sets: label-conditional, wells as the unit, cross-conformal over folds.

use crate::conformal_p::{WeightedTail, cells_per_group};
use crate::error::UncertaintyError;
use ndarray::{ArrayView2, Axis};
use std::collections::BTreeSet;

/// Error level of a set unless told: sets hold the true class of 90 % of cells.
pub const DEFAULT_ALPHA: f64 = 0.1;
/// Guard of comparisons with the level: sums of 1/n are not exact, and (J+1)·α is often a whole number.
const ROUNDING: f64 = 1e-9;

/// Out-of-fold cells that sets are measured against, one entry per cell in each field.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConformalReference {
    /// LAC score 1 - p(true class), by the pool that saw neither the cell's fold nor the fold to be tested.
    pub score: Vec<f64>,
    /// True class of the cell.
    pub label: Vec<usize>,
    /// Well, movie or field of the cell: the exchangeable unit. The same number in two folds is one group.
    pub group: Vec<u32>,
    /// Fold of the cell. The r-th distinct fold in ascending order belongs to row r of `per_fold_probability`.
    pub fold: Vec<u32>,
}

/// What the p-value of a class was measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassReference {
    /// Cells of the class itself, from this many groups.
    OwnClass {
        /// Groups that hold the class.
        groups: usize,
    },
    /// The class has too few groups (fewer than 1/α - 1): cells of all classes stand in, coverage holds on average over classes only.
    Pooled {
        /// Groups that hold the class.
        own_groups: usize,
        /// Groups of all classes together.
        groups: usize,
    },
    /// Even all classes together have too few groups: the class is in every set.
    NotEstimable {
        /// Groups of all classes together.
        groups: usize,
    },
}

impl ConformalReference {
    /// Sorts the reference for many objects.
    ///
    /// Errors: fields of different lengths, no cell, a score that is not finite, a label not below `classes`, α outside (0, 1).
    pub fn prepare(&self, classes: usize, alpha: f64) -> Result<ConformalPredictor, UncertaintyError> {
        self.check(classes, alpha)?;
        let folds: Vec<u32> = self
            .fold
            .iter()
            .copied()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let all = Comparison::new(self, &folds, |_| true);
        let enough = |groups: usize| (groups + 1) as f64 * alpha >= 1.0 - ROUNDING;
        let mut comparisons = Vec::with_capacity(classes);
        let mut references = Vec::with_capacity(classes);
        for class in 0..classes {
            let own = Comparison::new(self, &folds, |label| label == class);
            let own_groups = own.groups;
            if enough(own_groups) {
                references.push(ClassReference::OwnClass { groups: own_groups });
                comparisons.push(own);
            } else {
                let groups = all.groups;
                references.push(match enough(groups) {
                    true => ClassReference::Pooled { own_groups, groups },
                    false => ClassReference::NotEstimable { groups },
                });
                comparisons.push(all.clone());
            }
        }
        Ok(ConformalPredictor {
            folds,
            alpha,
            comparisons,
            references,
        })
    }

    /// Class p-values of one object at the default level; [`Self::prepare`] once is faster for many objects.
    ///
    /// Errors: as [`Self::prepare`].
    pub fn class_p_values(
        &self,
        per_fold_probability: ArrayView2<f64>,
    ) -> Result<Vec<f64>, UncertaintyError> {
        let prepared = self.prepare(per_fold_probability.ncols(), DEFAULT_ALPHA)?;
        Ok(prepared.class_p_values(per_fold_probability))
    }

    /// Prediction set of one object; [`Self::prepare`] once is faster for many objects.
    ///
    /// Errors: as [`Self::prepare`].
    pub fn set(
        &self,
        per_fold_probability: ArrayView2<f64>,
        alpha: f64,
    ) -> Result<Vec<usize>, UncertaintyError> {
        Ok(self
            .prepare(per_fold_probability.ncols(), alpha)?
            .set(per_fold_probability))
    }

    fn check(&self, classes: usize, alpha: f64) -> Result<(), UncertaintyError> {
        let expected = self.score.len();
        let lengths = [
            ("the label column of the conformal reference", self.label.len()),
            ("the group column of the conformal reference", self.group.len()),
            ("the fold column of the conformal reference", self.fold.len()),
        ];
        for (what, found) in lengths {
            if found != expected {
                return Err(UncertaintyError::Length {
                    what,
                    expected,
                    found,
                });
            }
        }
        if expected == 0 {
            return Err(UncertaintyError::TooFew {
                what: "the conformal reference",
                needed: 1,
                found: 0,
            });
        }
        if !(alpha > 0.0 && alpha < 1.0) {
            let what = "the error level of the prediction sets";
            return Err(UncertaintyError::Parameter {
                what,
                value: alpha,
                low: 0.0,
                high: 1.0,
            });
        }
        if let Some((row, &value)) = self.score.iter().enumerate().find(|(_, s)| !s.is_finite()) {
            let what = "the score column of the conformal reference";
            return Err(UncertaintyError::NotFinite { what, row, value });
        }
        match self
            .label
            .iter()
            .enumerate()
            .find(|&(_, &label)| label >= classes)
        {
            Some((row, &class)) => Err(UncertaintyError::Class { row, class, classes }),
            None => Ok(()),
        }
    }
}

/// The cells one class is compared with: a weighted tail per fold, each group weighing 1 in total.
#[derive(Debug, Clone)]
struct Comparison {
    per_fold: Vec<WeightedTail>,
    groups: usize,
}

impl Comparison {
    fn new(reference: &ConformalReference, folds: &[u32], keep: impl Fn(usize) -> bool) -> Self {
        let rows: Vec<usize> = (0..reference.score.len())
            .filter(|&i| keep(reference.label[i]))
            .collect();
        let cells = cells_per_group(rows.iter().map(|&i| reference.group[i]));
        let tail = |&fold: &u32| {
            let of_fold = rows.iter().filter(|&&i| reference.fold[i] == fold);
            WeightedTail::new(of_fold.map(|&i| (reference.score[i], 1.0 / cells[&reference.group[i]] as f64)))
        };
        Self {
            per_fold: folds.iter().map(tail).collect(),
            groups: cells.len(),
        }
    }
}

/// A sorted [`ConformalReference`]: p-values and sets at a few binary searches per object.
///
/// Guarantee, for a cell of a new group exchangeable with the reference groups of its class: the set holds the true class
/// with probability ≥ 1 - α (≥ 1 - 2α in the worst case of several folds), for every class that [`ConformalPredictor::references`]
/// calls `OwnClass`. A set may be empty: nothing taught fits.
#[derive(Debug, Clone)]
pub struct ConformalPredictor {
    folds: Vec<u32>,
    alpha: f64,
    comparisons: Vec<Comparison>,
    references: Vec<ClassReference>,
}

impl ConformalPredictor {
    /// The distinct folds in ascending order: one row of `per_fold_probability` each.
    pub fn folds(&self) -> &[u32] {
        &self.folds
    }

    /// The error level α.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// What each class is compared with. Print every `Pooled` and `NotEstimable` beside the sets.
    pub fn references(&self) -> &[ClassReference] {
        &self.references
    }

    /// p-value of every class for one object: p_y = (1 + Σ_k Σ_{w in fold k} share of w's cells with score ≥ 1 - p_k(y)) / (J_y + 1).
    ///
    /// Shapes: `per_fold_probability` is fold × class, row r holding the uncalibrated pooled probability by the members
    /// that score fold `folds()[r]`. A row with a NaN gives NaN for the class.
    /// Panics: when the shape does not fit the reference.
    /// Source: Sadinle et al. 2019 (score), Vovk 2003 (by class), Lee, Barber, Willett 2023 (weights), Vovk 2015 (folds); METHODS.md section 6.
    pub fn class_p_values(&self, per_fold_probability: ArrayView2<f64>) -> Vec<f64> {
        let (rows, classes) = per_fold_probability.dim();
        assert_eq!(
            (rows, classes),
            (self.folds.len(), self.comparisons.len()),
            "one row per fold, one column per class"
        );
        let columns = per_fold_probability.axis_iter(Axis(1));
        self.comparisons
            .iter()
            .zip(columns)
            .map(|(against, p)| p_value(against, p.iter().copied()))
            .collect()
    }

    /// [`Self::class_p_values`] for an object with one pooled probability for all folds (no cross-fitting).
    pub fn class_p_values_single(&self, probability: &[f64]) -> Vec<f64> {
        assert_eq!(
            probability.len(),
            self.comparisons.len(),
            "one probability per class"
        );
        let repeated = |p: f64| std::iter::repeat_n(p, self.folds.len());
        self.comparisons
            .iter()
            .zip(probability)
            .map(|(against, &p)| p_value(against, repeated(p)))
            .collect()
    }

    /// Classes of one object's set, ascending: those with p > α.
    pub fn set(&self, per_fold_probability: ArrayView2<f64>) -> Vec<usize> {
        self.set_from_p(&self.class_p_values(per_fold_probability))
    }

    /// [`Self::set`] for an object with one pooled probability for all folds.
    pub fn set_single(&self, probability: &[f64]) -> Vec<usize> {
        self.set_from_p(&self.class_p_values_single(probability))
    }

    /// The set that belongs to class p-values: those with p > α (a p-value equal to α but for rounding is out).
    pub fn set_from_p(&self, p: &[f64]) -> Vec<usize> {
        (0..p.len())
            .filter(|&class| p[class] > self.alpha * (1.0 + ROUNDING))
            .collect()
    }
}

fn p_value(against: &Comparison, per_fold: impl Iterator<Item = f64>) -> f64 {
    let mut above = 0.0;
    for (tail, probability) in against.per_fold.iter().zip(per_fold) {
        if probability.is_nan() {
            return f64::NAN;
        }
        above += tail.at_least(1.0 - probability);
    }
    ((1.0 + above) / (against.groups + 1) as f64).min(1.0)
}

/// Rank k = ⌈(n+1)(1-α)⌉ (from 1) of the calibration score that bounds a conformal set; `None` when k > n (the set is everything).
///
/// The plain f64 ceiling is one too high for some (n, α), for example n = 149, α = 0.18: a guard of 1e-9 is taken off first.
/// Source: Vovk et al. 2005; Lei et al. 2018.
pub fn conformal_rank(n: usize, alpha: f64) -> Option<usize> {
    let rank = ((n + 1) as f64 * (1.0 - alpha) - ROUNDING).ceil().max(1.0) as usize;
    (rank <= n).then_some(rank)
}

/// Score that bounds a hierarchical conformal set: smallest s whose groups' mean share at or below s, times J/(J+1), reaches 1 - α.
///
/// `None` stands for infinity: fewer than 1/α - 1 groups. Panics: when the lengths differ.
/// Source: Lee, Barber, Willett 2023; METHODS.md section 6 (b).
pub fn grouped_quantile(score: &[f64], group: &[u32], alpha: f64) -> Option<f64> {
    assert_eq!(score.len(), group.len(), "one group per score");
    let cells = cells_per_group(group.iter().copied());
    let share = 1.0 / (cells.len() + 1) as f64;
    let mut weighted: Vec<(f64, f64)> = score
        .iter()
        .zip(group)
        .map(|(&s, g)| (s, share / cells[g] as f64))
        .collect();
    weighted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut sum = 0.0;
    weighted.into_iter().find_map(|(s, w)| {
        sum += w;
        (sum >= 1.0 - alpha - ROUNDING).then_some(s)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(groups_of_class_1: u32) -> ConformalReference {
        // Class 0 in 20 groups of two cells, class 1 in the first few of them.
        let mut r = ConformalReference::default();
        for group in 0..20_u32 {
            for cell in 0..2_u32 {
                r.score.push(f64::from(group * 2 + cell) / 40.0);
                r.label.push(0);
                r.group.push(group);
                r.fold.push(1 + group % 2);
            }
            if group < groups_of_class_1 {
                r.score.push(0.5);
                r.label.push(1);
                r.group.push(group);
                r.fold.push(1 + group % 2);
            }
        }
        r
    }

    #[test]
    fn a_class_with_too_few_groups_falls_back_and_says_so() {
        let nine = reference(9).prepare(2, 0.1).unwrap();
        assert_eq!(nine.references()[1], ClassReference::OwnClass { groups: 9 });
        let eight = reference(8).prepare(2, 0.1).unwrap();
        assert_eq!(
            eight.references()[1],
            ClassReference::Pooled {
                own_groups: 8,
                groups: 20
            }
        );
        let strict = reference(8).prepare(2, 0.01).unwrap();
        assert_eq!(
            strict.references()[0],
            ClassReference::NotEstimable { groups: 20 }
        );
        assert_eq!(
            strict.set_single(&[0.0, 0.0]),
            [0, 1],
            "what cannot be estimated is in every set"
        );
    }

    #[test]
    fn sets_grow_when_the_level_falls() {
        let r = reference(12);
        let p = ndarray::array![[0.3, 0.7], [0.25, 0.75]];
        let mut last = 0;
        for alpha in [0.6, 0.4, 0.2, 0.1, 0.05] {
            let size = r.set(p.view(), alpha).unwrap().len();
            assert!(size >= last, "at {alpha}");
            last = size;
        }
        assert_eq!(last, 2);
    }

    #[test]
    fn a_p_value_equal_to_alpha_is_out() {
        // 9 groups of 3 cells, all below the score tried: p = 1/10 = alpha.
        let r = ConformalReference {
            score: vec![0.2; 27],
            label: vec![0; 27],
            group: (0..27).map(|i| i / 3).collect(),
            fold: vec![0; 27],
        };
        let prepared = r.prepare(1, 0.1).unwrap();
        assert_eq!(prepared.class_p_values_single(&[0.1]), [0.1]);
        assert!(prepared.set_single(&[0.1]).is_empty());
        assert_eq!(prepared.set_single(&[0.8]), [0]);
    }

    #[test]
    fn a_broken_reference_is_named() {
        let mut r = reference(9);
        r.score[3] = f64::NAN;
        assert!(matches!(
            r.prepare(2, 0.1),
            Err(UncertaintyError::NotFinite { row: 3, .. })
        ));
        let r = reference(9);
        assert!(matches!(
            r.prepare(1, 0.1),
            Err(UncertaintyError::Class { row: 2, class: 1, .. })
        ));
        assert!(matches!(
            r.prepare(2, 1.0),
            Err(UncertaintyError::Parameter { .. })
        ));
        let mut short = reference(9);
        short.fold.pop();
        assert!(matches!(
            short.prepare(2, 0.1),
            Err(UncertaintyError::Length { .. })
        ));
    }
}
