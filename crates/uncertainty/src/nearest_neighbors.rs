//! stub
use crate::UncertaintyError;
use ndarray::{Array1, ArrayView2};
/// k-th distance of unit vectors
#[derive(Debug, Clone)]
pub struct KNearest {
    _stub: (),
}
impl KNearest {
    /// fit
    pub fn fit(features: ArrayView2<f64>, k: usize) -> Result<Self, UncertaintyError> {
        let _ = (features, k);
        unimplemented!()
    }
    /// score
    pub fn score(&self, features: ArrayView2<f64>) -> Array1<f64> {
        let _ = features;
        unimplemented!()
    }
    /// training rows without themselves
    pub fn leave_one_out(&self) -> Array1<f64> {
        unimplemented!()
    }
}
