//! stub
use crate::UncertaintyError;
use ndarray::ArrayView2;
/// Error level of a set unless told: sets hold the true class in 90 % of cells.
pub const DEFAULT_ALPHA: f64 = 0.1;
/// Out-of-fold cells of the bundle, one entry each.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConformalReference {
    /// 1 - p of the true class, by the pool that never saw the cell
    pub score: Vec<f64>,
    /// true class
    pub label: Vec<usize>,
    /// well, movie, ... (the exchangeable unit)
    pub group: Vec<u32>,
    /// fold of the cell; the r-th distinct fold in ascending order is row r of `per_fold_probability`
    pub fold: Vec<u32>,
}
/// What a class is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassReference {
    /// own cells of this many groups
    OwnClass(usize),
    /// too few own groups (count): all classes' cells
    Pooled {
        /// groups of the class
        own_groups: usize,
        /// all groups
        groups: usize,
    },
    /// even all classes are too few: the class is in every set
    NotEstimable {
        /// all groups
        groups: usize,
    },
}
/// Sorted reference: cheap per object.
#[derive(Debug, Clone)]
pub struct ConformalPredictor {
    _stub: (),
}
impl ConformalReference {
    /// prepare for many objects
    pub fn prepare(&self, classes: usize, alpha: f64) -> Result<ConformalPredictor, UncertaintyError> {
        let _ = (classes, alpha);
        unimplemented!()
    }
    /// one object; prefer `prepare` for many
    pub fn class_p_values(
        &self,
        per_fold_probability: ArrayView2<f64>,
    ) -> Result<Vec<f64>, UncertaintyError> {
        let _ = per_fold_probability;
        unimplemented!()
    }
    /// one object; prefer `prepare` for many
    pub fn set(
        &self,
        per_fold_probability: ArrayView2<f64>,
        alpha: f64,
    ) -> Result<Vec<usize>, UncertaintyError> {
        let _ = (per_fold_probability, alpha);
        unimplemented!()
    }
}
impl ConformalPredictor {
    /// number of folds = rows expected of per_fold_probability
    pub fn folds(&self) -> &[u32] {
        unimplemented!()
    }
    /// fold x class of ONE object
    pub fn class_p_values(&self, per_fold_probability: ArrayView2<f64>) -> Vec<f64> {
        let _ = per_fold_probability;
        unimplemented!()
    }
    /// single pool for all folds
    pub fn class_p_values_single(&self, probability: &[f64]) -> Vec<f64> {
        let _ = probability;
        unimplemented!()
    }
    /// classes with p > alpha
    pub fn set(&self, per_fold_probability: ArrayView2<f64>) -> Vec<usize> {
        let _ = per_fold_probability;
        unimplemented!()
    }
    /// classes with p > alpha
    pub fn set_single(&self, probability: &[f64]) -> Vec<usize> {
        let _ = probability;
        unimplemented!()
    }
    /// from p-values
    pub fn set_from_p(&self, p: &[f64]) -> Vec<usize> {
        let _ = p;
        unimplemented!()
    }
    /// by class
    pub fn references(&self) -> &[ClassReference] {
        unimplemented!()
    }
    /// alpha
    pub fn alpha(&self) -> f64 {
        unimplemented!()
    }
}
/// k = ceil((n+1)(1-alpha)), None when k > n
pub fn conformal_rank(n: usize, alpha: f64) -> Option<usize> {
    let _ = (n, alpha);
    unimplemented!()
}
/// hierarchical quantile; None = infinity
pub fn grouped_quantile(score: &[f64], group: &[u32], alpha: f64) -> Option<f64> {
    let _ = (score, group, alpha);
    unimplemented!()
}
