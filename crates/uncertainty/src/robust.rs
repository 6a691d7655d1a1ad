//! Median, median absolute deviation and the robust z score of a plate.

/// 1 / Φ⁻¹(3/4): makes the median absolute deviation of a normal sample estimate its standard deviation.
pub const MAD_TO_SD: f64 = 1.482_602_218_505_602;

/// Median of the values, the mean of the two middle ones for an even number; `None` when empty or when a value is NaN.
pub fn median(values: &[f64]) -> Option<f64> {
    if values.is_empty() || values.iter().any(|v| v.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    Some(if sorted.len() % 2 == 1 {
        sorted[half]
    } else {
        0.5 * (sorted[half - 1] + sorted[half])
    })
}

/// Median absolute deviation from the median, unscaled (times [`MAD_TO_SD`] it estimates a standard deviation);
/// `None` when empty or when a value is NaN.
pub fn mad(values: &[f64]) -> Option<f64> {
    let center = median(values)?;
    median(&values.iter().map(|v| (v - center).abs()).collect::<Vec<_>>())
}

/// Robust z scores (x - median) / (1.4826 MAD) of `x`, median and MAD taken from `control`.
///
/// A NaN in `x` stays NaN. `None` when the controls are empty, hold a NaN or have no spread (MAD = 0): no epsilon is added.
/// Source: Birmingham et al. 2009; METHODS.md section 9.
pub fn robust_z(x: &[f64], control: &[f64]) -> Option<Vec<f64>> {
    let center = median(control)?;
    let spread = MAD_TO_SD * mad(control)?;
    (spread > 0.0).then(|| x.iter().map(|v| (v - center) / spread).collect())
}
