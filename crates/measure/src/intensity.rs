//! Intensity of one set of pixels: CellProfiler's `Intensity` and `Correlation`.

use ndarray::ArrayView2;

/// Names of the features of the values alone, in the order of [`value_features`].
pub(crate) const VALUE_NAMES: [&str; 9] = [
    "IntegratedIntensity",
    "MeanIntensity",
    "StdIntensity",
    "MinIntensity",
    "MaxIntensity",
    "LowerQuartileIntensity",
    "MedianIntensity",
    "MADIntensity",
    "UpperQuartileIntensity",
];

/// Names of the features of the edge pixels, in the order of [`edge_features`].
pub(crate) const EDGE_NAMES: [&str; 5] = [
    "IntegratedIntensityEdge",
    "MeanIntensityEdge",
    "StdIntensityEdge",
    "MinIntensityEdge",
    "MaxIntensityEdge",
];

/// Variances below this share of the squared mean are rounding, not signal.
const ROUNDING: f64 = 1e-12;

/// The features of [`VALUE_NAMES`]; all NaN without any pixel.
pub(crate) fn value_features(values: &[f64]) -> [f64; VALUE_NAMES.len()] {
    let [sum, mean, std, min, max] = edge_features(values);
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (lower, median, upper) = (
        quantile(&sorted, 0.25),
        quantile(&sorted, 0.5),
        quantile(&sorted, 0.75),
    );
    let mut deviations: Vec<f64> = values.iter().map(|v| (v - median).abs()).collect();
    deviations.sort_unstable_by(f64::total_cmp);
    [
        sum,
        mean,
        std,
        min,
        max,
        lower,
        median,
        quantile(&deviations, 0.5),
        upper,
    ]
}

/// Sum, mean, standard deviation (divisor n), minimum and maximum; all NaN without any pixel.
pub(crate) fn edge_features(values: &[f64]) -> [f64; EDGE_NAMES.len()] {
    if values.is_empty() {
        return [f64::NAN; EDGE_NAMES.len()];
    }
    let n = values.len() as f64;
    let sum: f64 = values.iter().sum();
    let mean = sum / n;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    [sum, mean, variance.sqrt(), min, max]
}

/// CellProfiler's quantile: position `n · q` in the sorted values, linear between neighbours; NaN without values.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let position = sorted.len() as f64 * q;
    let rank = position.floor() as usize;
    match (sorted.get(rank), sorted.get(rank + 1)) {
        (Some(low), Some(high)) => low + (high - low) * (position - rank as f64),
        (Some(last), None) => *last,
        (None, _) => f64::NAN,
    }
}

/// Distance between the center of the pixels and their center weighted by intensity; NaN when the weights sum to 0.
pub(crate) fn mass_displacement(pixels: &[(usize, usize)], values: &[f64], center: (f64, f64)) -> f64 {
    let (mut sum, mut row, mut col) = (0.0, 0.0, 0.0);
    for (&(r, c), v) in pixels.iter().zip(values) {
        sum += v;
        row += v * (r as f64 - center.0);
        col += v * (c as f64 - center.1);
    }
    if sum == 0.0 {
        f64::NAN
    } else {
        (row / sum).hypot(col / sum)
    }
}

/// Pearson's correlation of two channels over the same pixels; NaN when one of them is constant.
pub(crate) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (dx, dy) = (x - mean_a, y - mean_b);
        ab += dx * dy;
        aa += dx * dx;
        bb += dy * dy;
    }
    let varies = |squares: f64, mean: f64| squares / n > ROUNDING * mean * mean && squares > 0.0;
    if varies(aa, mean_a) && varies(bb, mean_b) {
        ab / (aa * bb).sqrt()
    } else {
        f64::NAN
    }
}

/// The values of a channel at some pixels.
pub(crate) fn values_at(plane: ArrayView2<f32>, pixels: &[(usize, usize)]) -> Vec<f64> {
    pixels.iter().map(|&pixel| f64::from(plane[pixel])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_cellprofilers() {
        // n q = 1, so the second value; not the textbook's 1.75.
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.25), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.5), 2.5);
        assert_eq!(quantile(&[1.0], 0.75), 1.0);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn correlation_of_constant_channels_is_not_defined() {
        assert!((correlation(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]) - 1.0).abs() < 1e-12);
        assert!((correlation(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]) + 1.0).abs() < 1e-12);
        assert!(correlation(&[0.1; 7], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]).is_nan());
        assert!(correlation(&[], &[]).is_nan());
    }
}
