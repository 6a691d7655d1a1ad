//! stub
use ndarray::{Array2, ArrayView2};
use rand_chacha::ChaCha8Rng;
/// class shares
#[derive(Debug, Clone, PartialEq)]
pub struct LabelShift {
    /// sums to 1
    pub share: Vec<f64>,
    /// EM rounds
    pub iterations: usize,
    /// converged
    pub converged: bool,
}
/// SLD/EM. `None` without rows or classes.
pub fn label_shift_em(probability: ArrayView2<f64>, prior: &[f64]) -> Option<LabelShift> {
    let _ = (probability, prior);
    unimplemented!()
}
/// per class (low, high), whole groups resampled
pub fn label_shift_interval(
    probability: ArrayView2<f64>,
    prior: &[f64],
    groups: &[u32],
    level: f64,
    rounds: usize,
    rng: &mut ChaCha8Rng,
) -> Option<Vec<(f64, f64)>> {
    let _ = (probability, prior, groups, level, rounds, rng);
    unimplemented!()
}
/// posteriors for the new shares
pub fn adjust_to_shares(probability: ArrayView2<f64>, prior: &[f64], share: &[f64]) -> Array2<f64> {
    let _ = (probability, prior, share);
    unimplemented!()
}
