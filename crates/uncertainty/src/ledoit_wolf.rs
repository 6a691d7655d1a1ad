//! stub
use ndarray::{Array2, ArrayView2};
/// shrinkage
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shrinkage {
    /// none
    None,
    /// Ledoit-Wolf 2004
    LedoitWolf,
}
/// covariance
#[derive(Debug, Clone, PartialEq)]
pub struct Covariance {
    /// D x D
    pub matrix: Array2<f64>,
    /// d
    pub shrinkage: f64,
}
/// of centred residuals, divisor N
pub fn covariance(residuals: ArrayView2<f64>, shrinkage: Shrinkage) -> Covariance {
    let _ = (residuals, shrinkage);
    unimplemented!()
}
