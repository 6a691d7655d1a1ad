//! stub
use rand_chacha::ChaCha8Rng;
/// Percentile interval from resampling whole groups; `statistic` gets row indices (with repeats). `None` below two groups.
pub fn bootstrap_groups(
    groups: &[u32],
    rounds: usize,
    level: f64,
    rng: &mut ChaCha8Rng,
    statistic: impl FnMut(&[usize]) -> Option<f64>,
) -> Option<(f64, f64)> {
    let _ = (groups, rounds, level, rng, statistic);
    unimplemented!()
}
/// Linear-interpolated quantile (numpy's default), q in 0..=1; `None` when empty.
pub fn percentile(values: &[f64], q: f64) -> Option<f64> {
    let _ = (values, q);
    unimplemented!()
}
