//! stub
use ndarray::ArrayView2;
use rand_chacha::ChaCha8Rng;
/// ECE expected from a calibrated model at this sample size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NullBand {
    /// 5 %
    pub low: f64,
    /// 50 %
    pub median: f64,
    /// 95 %
    pub high: f64,
    /// (1 + rounds at or above the observed) / (rounds + 1)
    pub p: f64,
}
/// stub
pub fn ece_equal_mass(confidence: &[f64], hit: &[bool], bins: usize) -> Option<f64> {
    let _ = (confidence, hit, bins);
    unimplemented!()
}
/// stub
pub fn ece_equal_width(confidence: &[f64], hit: &[bool], bins: usize) -> Option<f64> {
    let _ = (confidence, hit, bins);
    unimplemented!()
}
/// stub
pub fn ece_null_band(
    confidence: &[f64],
    hit: &[bool],
    bins: usize,
    rounds: usize,
    rng: &mut ChaCha8Rng,
) -> Option<NullBand> {
    let _ = (confidence, hit, bins, rounds, rng);
    unimplemented!()
}
/// stub
pub fn debiased_l2(confidence: &[f64], hit: &[bool], bins: usize) -> Option<f64> {
    let _ = (confidence, hit, bins);
    unimplemented!()
}
/// stub
pub fn classwise_ece(probability: ArrayView2<f64>, label: &[usize], bins: usize) -> Option<Vec<f64>> {
    let _ = (probability, label, bins);
    unimplemented!()
}
