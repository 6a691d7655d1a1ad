//! stub
use ndarray::{Array2, ArrayView2};
/// One temperature for ln(pooled probability)
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Temperature(pub f64);
/// fit
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TemperatureFit {
    /// T
    pub temperature: Temperature,
    /// the optimum is at a bound: no finite temperature
    pub at_bound: bool,
    /// mean NLL at T = 1
    pub nll_before: f64,
    /// mean NLL at T
    pub nll_after: f64,
}
impl Temperature {
    /// min NLL; None without rows
    pub fn fit(log_probability: ArrayView2<f64>, label: &[usize]) -> Option<TemperatureFit> {
        let _ = (log_probability, label);
        unimplemented!()
    }
    /// softmax(log p / T)
    pub fn apply(&self, log_probability: ArrayView2<f64>) -> Array2<f64> {
        let _ = log_probability;
        unimplemented!()
    }
}
