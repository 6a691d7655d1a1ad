//! Percentiles of pixel values.

/// The given percentiles (0..=100) of `values`, with linear interpolation between the two nearest ranks.
///
/// Values that are not finite are left out. `None` when no finite value is left.
/// Same definition as numpy's default: position `(n − 1) p / 100` in the sorted values. Cost: linear per percentile.
pub fn percentiles<const N: usize>(
    values: impl IntoIterator<Item = f32>,
    percents: [f64; N],
) -> Option<[f32; N]> {
    let mut finite: Vec<f32> = values.into_iter().filter(|v| v.is_finite()).collect();
    if finite.is_empty() {
        return None;
    }
    Some(percents.map(|percent| {
        let position = (finite.len() - 1) as f64 * (percent / 100.0).clamp(0.0, 1.0);
        let rank = position.floor() as usize;
        let (_, &mut low, above) = finite.select_nth_unstable_by(rank, f32::total_cmp);
        let high = above.iter().copied().min_by(f32::total_cmp).unwrap_or(low);
        let (low, high) = (f64::from(low), f64::from(high));
        (low + (high - low) * (position - rank as f64)) as f32
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolates_between_ranks() {
        let values = [4.0, 1.0, f32::NAN, 3.0, 2.0];
        let [p0, p50, p90, p100] = percentiles(values, [0.0, 50.0, 90.0, 100.0]).unwrap();
        assert_eq!((p0, p50, p100), (1.0, 2.5, 4.0));
        assert!((p90 - 3.7).abs() < 1e-6);
        assert_eq!(percentiles([f32::NAN], [50.0]), None);
    }
}
