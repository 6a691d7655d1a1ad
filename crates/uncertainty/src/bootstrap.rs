//! Intervals by resampling whole groups (wells, movies, fields), never single cells.

use crate::stream::below;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Percentile interval of a statistic from resampling whole groups with replacement.
///
/// `statistic` is handed row indices (a drawn group contributes all its rows, as often as it was drawn) and may decline
/// with `None` or NaN. `level` in (0, 1), `rounds` about 2000, `rng` from [`crate::stream`].
/// `None` with fewer than two groups, or when more than half of the rounds have no statistic.
/// Source: METHODS.md section 16.
pub fn bootstrap_groups(
    groups: &[u32],
    rounds: usize,
    level: f64,
    rng: &mut ChaCha8Rng,
    mut statistic: impl FnMut(&[usize]) -> Option<f64>,
) -> Option<(f64, f64)> {
    let mut drawn = Vec::with_capacity(rounds);
    resample_groups(groups, rounds, rng, |rows| {
        drawn.extend(statistic(rows).filter(|v| !v.is_nan()));
    })?;
    if 2 * drawn.len() < rounds.max(1) {
        return None;
    }
    Some((
        percentile(&drawn, (1.0 - level) / 2.0)?,
        percentile(&drawn, (1.0 + level) / 2.0)?,
    ))
}

/// Calls `visit` with the rows of each of `rounds` resamples of whole groups; `None` with fewer than two groups.
pub(crate) fn resample_groups(
    groups: &[u32],
    rounds: usize,
    rng: &mut ChaCha8Rng,
    mut visit: impl FnMut(&[usize]),
) -> Option<()> {
    let mut rows_of: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, &group) in groups.iter().enumerate() {
        rows_of.entry(group).or_default().push(row);
    }
    if rows_of.len() < 2 {
        return None;
    }
    let rows_of: Vec<Vec<usize>> = rows_of.into_values().collect();
    let mut rows = Vec::with_capacity(groups.len());
    for _ in 0..rounds {
        rows.clear();
        for _ in 0..rows_of.len() {
            rows.extend_from_slice(&rows_of[below(rng, rows_of.len())]);
        }
        visit(&rows);
    }
    Some(())
}

/// Quantile `q` in 0..=1 by linear interpolation between order statistics (numpy's default, type 7); `None` when empty.
///
/// Values must not be NaN.
pub fn percentile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let position = q.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (
        sorted[position.floor() as usize],
        sorted[position.ceil() as usize],
    );
    // Equal neighbours may be infinite, and their difference has no number.
    Some(if below == above {
        below
    } else {
        below + (above - below) * position.fract()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::stream;

    #[test]
    fn percentiles_interpolate_as_numpy_does() {
        let x = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(percentile(&x, 0.0), Some(1.0));
        assert_eq!(percentile(&x, 0.5), Some(2.5));
        assert!((percentile(&x, 0.05).unwrap() - 1.15).abs() < 1e-15);
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn the_interval_is_as_wide_as_the_groups_demand() {
        // 20 groups of 50 equal cells: the mean has the standard error of 20 values, not of 1000.
        let groups: Vec<u32> = (0..1000).map(|i| i / 50).collect();
        let value = |row: usize| f64::from(groups[row]);
        let mean = |rows: &[usize]| Some(rows.iter().map(|&r| value(r)).sum::<f64>() / rows.len() as f64);
        let (low, high) = bootstrap_groups(&groups, 2000, 0.95, &mut stream(1, "groups"), mean).unwrap();
        let expected = 2.0 * 1.96 * (20.0_f64 * 20.0 - 1.0).sqrt() / 12.0_f64.sqrt() / 20.0_f64.sqrt();
        assert!(
            ((high - low) / expected - 1.0).abs() < 0.06,
            "{low} {high} {expected}"
        );
        assert!(bootstrap_groups(&[7, 7], 10, 0.9, &mut stream(1, "groups"), mean).is_none());
    }
}
