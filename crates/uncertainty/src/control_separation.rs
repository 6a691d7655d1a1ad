//! stub
use rand_chacha::ChaCha8Rng;
/// Z' with interval
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZPrime {
    /// value
    pub value: f64,
    /// low
    pub low: f64,
    /// high
    pub high: f64,
}
/// 1 - 3(sp+sn)/|mp-mn|; None below 2 wells a side or equal means
pub fn z_prime(positive: &[f64], negative: &[f64]) -> Option<f64> {
    let _ = (positive, negative);
    unimplemented!()
}
/// medians and MADs
pub fn z_prime_robust(positive: &[f64], negative: &[f64]) -> Option<f64> {
    let _ = (positive, negative);
    unimplemented!()
}
/// bootstrap over wells of each side
pub fn z_prime_interval(
    positive: &[f64],
    negative: &[f64],
    level: f64,
    rounds: usize,
    rng: &mut ChaCha8Rng,
) -> Option<ZPrime> {
    let _ = (positive, negative, level, rounds, rng);
    unimplemented!()
}
/// ssmd
pub fn ssmd(positive: &[f64], negative: &[f64]) -> Option<f64> {
    let _ = (positive, negative);
    unimplemented!()
}
/// robust
pub fn ssmd_robust(positive: &[f64], negative: &[f64]) -> Option<f64> {
    let _ = (positive, negative);
    unimplemented!()
}
