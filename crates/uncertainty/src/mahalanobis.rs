//! stub
use crate::{Shrinkage, UncertaintyError};
use ndarray::{Array1, ArrayView2};
/// squared distance to the nearest class mean
#[derive(Debug, Clone)]
pub struct Mahalanobis {
    _stub: (),
}
impl Mahalanobis {
    /// one Gaussian
    pub fn fit(features: ArrayView2<f64>, shrinkage: Shrinkage) -> Result<Self, UncertaintyError> {
        let _ = (features, shrinkage);
        unimplemented!()
    }
    /// shared covariance within classes
    pub fn fit_classes(
        features: ArrayView2<f64>,
        label: &[usize],
        shrinkage: Shrinkage,
    ) -> Result<Self, UncertaintyError> {
        let _ = (features, label, shrinkage);
        unimplemented!()
    }
    /// squared distances, one per row
    pub fn score(&self, features: ArrayView2<f64>) -> Array1<f64> {
        let _ = features;
        unimplemented!()
    }
    /// nearest class of each row
    pub fn nearest(&self, features: ArrayView2<f64>) -> Vec<usize> {
        let _ = features;
        unimplemented!()
    }
    /// d
    pub fn shrinkage(&self) -> f64 {
        unimplemented!()
    }
}
/// Mahalanobis minus the distance to one Gaussian for all
#[derive(Debug, Clone)]
pub struct RelativeMahalanobis {
    _stub: (),
}
impl RelativeMahalanobis {
    /// fit
    pub fn fit(
        features: ArrayView2<f64>,
        label: &[usize],
        shrinkage: Shrinkage,
    ) -> Result<Self, UncertaintyError> {
        let _ = (features, label, shrinkage);
        unimplemented!()
    }
    /// score
    pub fn score(&self, features: ArrayView2<f64>) -> Array1<f64> {
        let _ = features;
        unimplemented!()
    }
}
