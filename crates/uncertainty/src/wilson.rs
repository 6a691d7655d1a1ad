//! The interval that every share carries.

/// Normal quantile of a two-sided 95 % interval.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// Wilson score interval of a share `k` of `n` at normal quantile `z` ([`Z_95`] for 95 %).
///
/// Range: 0 ≤ low ≤ k/n ≤ high ≤ 1. With `n = 0` nothing is known: (0, 1).
/// Source: Wilson 1927; METHODS.md section 3.
pub fn wilson(k: u64, n: u64, z: f64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (k, n) = (k as f64, n as f64);
    let z2 = z * z;
    let center = (k + z2 / 2.0) / (n + z2);
    let half = z / (n + z2) * (k * (n - k) / n + z2 / 4.0).sqrt();
    // At k = 0 and k = n the end is exactly 0 or 1; rounding must not move it.
    let low = if k == 0.0 { 0.0 } else { (center - half).max(0.0) };
    let high = if k == n { 1.0 } else { (center + half).min(1.0) };
    (low, high)
}
