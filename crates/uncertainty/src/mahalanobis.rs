//! Mahalanobis and relative Mahalanobis distance as novelty scores.

use crate::error::UncertaintyError;
use crate::ledoit_wolf::{Shrinkage, covariance};
use crate::symmetric_matrix::{cholesky, inverse_of_lower};
use ndarray::{Array1, Array2, ArrayView2, Axis};

/// Squared distance to the nearest of the class means under one covariance shared by the classes.
///
/// Fit on training cells only and score others: the cells it was fitted to score too low. Standardise features
/// per plate on controls first, or plate effects are scored.
#[derive(Debug, Clone, PartialEq)]
pub struct Mahalanobis {
    /// L⁻¹ of the covariance L Lᵀ: whitens a row of features.
    whitening: Array2<f64>,
    /// Whitened class means, class × feature; rows of classes without cells are NaN and never the nearest.
    centers: Array2<f64>,
    shrinkage: f64,
}

impl Mahalanobis {
    /// One Gaussian for all rows.
    ///
    /// Shapes: `features` is cell × feature. Errors: fewer than 2 rows, no feature, a value that is not finite, a covariance that cannot be inverted.
    pub fn fit(features: ArrayView2<f64>, shrinkage: Shrinkage) -> Result<Self, UncertaintyError> {
        Self::fit_classes(features, &vec![0; features.nrows()], shrinkage)
    }

    /// One mean per class, one covariance of the residuals about them (divisor N).
    ///
    /// Shapes: `features` is cell × feature, `label` one class index per row; classes without rows are allowed.
    /// Errors: as [`Self::fit`], and when the lengths differ.
    /// Source: Lee et al. 2018; Ledoit, Wolf 2004; METHODS.md section 7.
    pub fn fit_classes(
        features: ArrayView2<f64>,
        label: &[usize],
        shrinkage: Shrinkage,
    ) -> Result<Self, UncertaintyError> {
        let (rows, dimensions) = features.dim();
        if label.len() != rows {
            let what = "the labels of the cells of a Mahalanobis distance";
            return Err(UncertaintyError::Length {
                what,
                expected: rows,
                found: label.len(),
            });
        }
        if rows < 2 || dimensions == 0 {
            let what = "a Mahalanobis distance";
            let found = if dimensions == 0 { 0 } else { rows };
            return Err(UncertaintyError::TooFew {
                what,
                needed: 2,
                found,
            });
        }
        for (row, values) in features.outer_iter().enumerate() {
            if let Some(&value) = values.iter().find(|v| !v.is_finite()) {
                let what = "the features of a Mahalanobis distance";
                return Err(UncertaintyError::NotFinite { what, row, value });
            }
        }
        let means = class_means(features, label);
        let mut residuals = features.to_owned();
        for (mut row, &class) in residuals.outer_iter_mut().zip(label) {
            row -= &means.row(class);
        }
        let spread = covariance(residuals.view(), shrinkage);
        let whitening = inverse_of_lower(&cholesky(spread.matrix.view(), rows)?);
        let centers = means.dot(&whitening.t());
        Ok(Self {
            whitening,
            centers,
            shrinkage: spread.shrinkage,
        })
    }

    /// Squared distance of each row to the nearest class mean, ≥ 0; larger = more novel. A row with a NaN gives NaN.
    ///
    /// Shapes: `features` is cell × feature with the features of the fit. Panics: when the number of features differs.
    pub fn score(&self, features: ArrayView2<f64>) -> Array1<f64> {
        self.nearest_with_distance(features)
            .map(|(_, distance)| distance)
            .collect()
    }

    /// Index of the nearest class of each row (the first of equals); 0 for a row with a NaN.
    pub fn nearest(&self, features: ArrayView2<f64>) -> Vec<usize> {
        self.nearest_with_distance(features)
            .map(|(class, _)| class)
            .collect()
    }

    /// Share of the covariance that is the shrinkage target, 0..=1.
    pub fn shrinkage(&self) -> f64 {
        self.shrinkage
    }

    fn nearest_with_distance(&self, features: ArrayView2<f64>) -> impl Iterator<Item = (usize, f64)> {
        assert_eq!(features.ncols(), self.whitening.ncols(), "features as in the fit");
        let white = features.dot(&self.whitening.t());
        let nearest = |row: ndarray::ArrayView1<f64>| {
            if row.iter().any(|v| v.is_nan()) {
                return (0, f64::NAN);
            }
            let mut best = (0, f64::INFINITY);
            for (class, center) in self.centers.outer_iter().enumerate() {
                let distance: f64 = row.iter().zip(center).map(|(a, b)| (a - b) * (a - b)).sum();
                if distance < best.1 {
                    best = (class, distance);
                }
            }
            best
        };
        white
            .axis_iter(Axis(0))
            .map(nearest)
            .collect::<Vec<_>>()
            .into_iter()
    }
}

fn class_means(features: ArrayView2<f64>, label: &[usize]) -> Array2<f64> {
    let classes = label.iter().max().map_or(0, |&class| class + 1);
    let mut sums = Array2::<f64>::zeros((classes, features.ncols()));
    let mut cells = vec![0_usize; classes];
    for (row, &class) in features.outer_iter().zip(label) {
        let mut sum = sums.row_mut(class);
        sum += &row;
        cells[class] += 1;
    }
    for (mut sum, &n) in sums.outer_iter_mut().zip(&cells) {
        // 0/0 marks a class without cells.
        sum.iter_mut().for_each(|v| *v /= n as f64);
    }
    sums
}

/// Mahalanobis distance to the nearest class minus the distance to one Gaussian of all cells: what is unusual *for a class*.
///
/// May be negative; larger = more novel. Source: Ren et al. 2021; METHODS.md section 7.
#[derive(Debug, Clone, PartialEq)]
pub struct RelativeMahalanobis {
    classes: Mahalanobis,
    background: Mahalanobis,
}

impl RelativeMahalanobis {
    /// Fits both Gaussians. Shapes and errors as [`Mahalanobis::fit_classes`].
    pub fn fit(
        features: ArrayView2<f64>,
        label: &[usize],
        shrinkage: Shrinkage,
    ) -> Result<Self, UncertaintyError> {
        Ok(Self {
            classes: Mahalanobis::fit_classes(features, label, shrinkage)?,
            background: Mahalanobis::fit(features, shrinkage)?,
        })
    }

    /// min_k M_k - M_0 of each row. Shapes and missing values as [`Mahalanobis::score`].
    pub fn score(&self, features: ArrayView2<f64>) -> Array1<f64> {
        self.classes.score(features) - self.background.score(features)
    }

    /// The part with the class means.
    pub fn classes(&self) -> &Mahalanobis {
        &self.classes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn what_cannot_be_fitted_is_named() {
        let x = array![[1.0, 2.0], [2.0, f64::INFINITY], [0.0, 1.0]];
        let error = |e| matches!(e, Err(UncertaintyError::NotFinite { row: 1, .. }));
        assert!(error(Mahalanobis::fit(x.view(), Shrinkage::LedoitWolf)));
        let constant = array![[1.0, 2.0], [2.0, 2.0], [0.0, 2.0]];
        let fit = Mahalanobis::fit(constant.view(), Shrinkage::None);
        assert!(matches!(fit, Err(UncertaintyError::Singular { pivot: 1, .. })));
        let one = array![[1.0, 2.0]];
        assert!(matches!(
            Mahalanobis::fit(one.view(), Shrinkage::None),
            Err(UncertaintyError::TooFew { .. })
        ));
    }

    #[test]
    fn a_class_without_cells_is_never_the_nearest_and_a_missing_row_stays_missing() {
        let x = array![
            [0.0, 0.1],
            [0.1, 0.0],
            [5.0, 5.1],
            [5.1, 5.0],
            [0.0, 0.0],
            [5.2, 5.3]
        ];
        let fit = Mahalanobis::fit_classes(x.view(), &[0, 0, 2, 2, 0, 2], Shrinkage::LedoitWolf).unwrap();
        assert_eq!(fit.nearest(array![[0.0, 0.0], [5.0, 5.0]].view()), [0, 2]);
        assert!(fit.score(array![[f64::NAN, 0.0]].view())[0].is_nan());
    }

    #[test]
    fn the_distance_does_not_depend_on_the_units_of_the_features() {
        let x = array![
            [0.3, 1.0],
            [1.2, -0.4],
            [2.0, 0.5],
            [0.1, 0.2],
            [-1.0, 0.9],
            [0.4, -1.1]
        ];
        let scaled = &x * &array![1000.0, 0.01];
        let plain = Mahalanobis::fit(x.view(), Shrinkage::None)
            .unwrap()
            .score(x.view());
        let other = Mahalanobis::fit(scaled.view(), Shrinkage::None)
            .unwrap()
            .score(scaled.view());
        assert!((plain - other).iter().all(|d| d.abs() < 1e-9));
    }
}
