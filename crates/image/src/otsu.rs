//! Otsu's threshold and a distance watershed: the classical segmentation, as a second opinion on the network.

use ndarray::{Array2, ArrayView2, Axis, Zip};

use crate::components::{Connectivity, connected_components};
use crate::distance::{Beyond, distance_transform};
use crate::labels::Labels;
use crate::normalize::normalize_nuclear;
use crate::watershed::watershed;

/// Bins of the histogram that [`otsu`] looks at.
const BINS: usize = 256;
/// Standard deviation of the blur before the threshold, in pixels.
const IMAGE_BLUR_PX: f32 = 1.0;
/// Standard deviation of the blur of the distance map, in pixels: one peak per nucleus.
const DISTANCE_BLUR_PX: f32 = 1.5;
/// Two seeds are at least this far apart in rows or columns.
const SEED_REACH_PX: usize = 5;
/// Smallest object, in pixels; the same as the network's decoder has.
const MIN_OBJECT_PX: u32 = 30;

/// The threshold that separates values into two classes of greatest between-class variance.
///
/// A value belongs to the upper class when it is **above** the threshold. Values that are not finite are left out;
/// `None` when fewer than two different values are left. The threshold is the upper edge of one of 256 bins.
/// Source: Otsu 1979, doi 10.1109/TSMC.1979.4310076.
pub fn otsu(values: impl IntoIterator<Item = f32>) -> Option<f32> {
    let values: Vec<f32> = values.into_iter().filter(|v| v.is_finite()).collect();
    let min = values.iter().copied().fold(f32::INFINITY, f32::min);
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let width = (f64::from(max) - f64::from(min)) / BINS as f64;
    if values.is_empty() || width <= 0.0 {
        return None;
    }
    let mut counts = [0u64; BINS];
    for v in &values {
        let bin = ((f64::from(*v) - f64::from(min)) / width) as usize;
        counts[bin.min(BINS - 1)] += 1;
    }
    let total = values.len() as f64;
    let sum: f64 = counts
        .iter()
        .enumerate()
        .map(|(bin, &n)| bin as f64 * n as f64)
        .sum();
    let (mut below, mut sum_below) = (0.0, 0.0);
    let (mut best, mut best_bin) = (-1.0, 0);
    for (bin, &n) in counts[..BINS - 1].iter().enumerate() {
        below += n as f64;
        sum_below += bin as f64 * n as f64;
        let above = total - below;
        if below > 0.0 && above > 0.0 {
            let gap = sum_below / below - (sum - sum_below) / above;
            let between = below * above * gap * gap;
            if between > best {
                (best, best_bin) = (between, bin);
            }
        }
    }
    Some((f64::from(min) + width * (best_bin + 1) as f64) as f32)
}

/// Nuclei of a plane by Otsu's threshold, split at the waists of their distance map.
///
/// The plane may have any range and polarity (see [`normalize_nuclear`]); a constant plane has no nuclei. Objects of
/// fewer than 30 pixels are dropped. Rows × columns.
pub fn segment_otsu(plane: ArrayView2<f32>) -> Labels {
    let normalized = normalize_nuclear(plane);
    if normalized.constant {
        return Labels::empty(plane.dim());
    }
    let smooth = gaussian_blur(normalized.pixels.view(), IMAGE_BLUR_PX);
    let Some(threshold) = otsu(smooth.iter().copied()) else {
        return Labels::empty(plane.dim());
    };
    let mask = smooth.mapv(|v| v > threshold);
    let distance =
        distance_transform(mask.view(), Beyond::Unknown).mapv(|d| if d.is_finite() { d } else { 0.0 });
    let distance = gaussian_blur(distance.view(), DISTANCE_BLUR_PX);
    let highest = window_maximum(distance.view(), SEED_REACH_PX);
    let peaks = Zip::from(&distance)
        .and(&highest)
        .and(&mask)
        .map_collect(|&d, &h, &m| m && d >= h);
    let seeds = connected_components(peaks.view(), Connectivity::Eight);
    let map = watershed(distance.mapv(|d| -d).view(), &seeds, mask.view());
    Labels::relabel(map).without_smaller_than(MIN_OBJECT_PX)
}

/// `plane` blurred by a Gaussian of standard deviation `sigma` pixels, cut at 4 σ, mirrored at the border.
pub fn gaussian_blur(plane: ArrayView2<f32>, sigma: f32) -> Array2<f32> {
    let reach = (4.0 * sigma + 0.5) as usize;
    if reach == 0 || plane.is_empty() {
        return plane.to_owned();
    }
    let kernel: Vec<f32> = (0..=2 * reach)
        .map(|i| {
            let x = (i as f32 - reach as f32) / sigma;
            (-0.5 * x * x).exp()
        })
        .collect();
    let sum: f32 = kernel.iter().sum();
    let mut result = plane.to_owned();
    for axis in [Axis(1), Axis(0)] {
        for mut lane in result.lanes_mut(axis) {
            let n = lane.len();
            let padded: Vec<f32> = (0..n + 2 * reach)
                .map(|i| lane[crate::resample::mirror(i as i64 - reach as i64, n)])
                .collect();
            for (i, value) in lane.iter_mut().enumerate() {
                let weighted: f32 = padded[i..].iter().zip(&kernel).map(|(v, k)| v * k).sum();
                *value = weighted / sum;
            }
        }
    }
    result
}

/// The greatest value within `reach` rows and columns of each pixel.
fn window_maximum(plane: ArrayView2<f32>, reach: usize) -> Array2<f32> {
    let mut result = plane.to_owned();
    for axis in [Axis(1), Axis(0)] {
        for mut lane in result.lanes_mut(axis) {
            let line = lane.to_vec();
            for (i, value) in lane.iter_mut().enumerate() {
                let window = &line[i.saturating_sub(reach)..(i + reach + 1).min(line.len())];
                *value = window.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threshold_lies_between_two_groups() {
        let values = (0..100).map(|i| {
            if i % 3 == 0 {
                0.8 + 0.001 * i as f32
            } else {
                0.1 + 0.001 * i as f32
            }
        });
        let t = otsu(values).unwrap();
        assert!(t > 0.199 && t < 0.8, "{t}");
        assert_eq!(otsu([0.5, 0.5, f32::NAN]), None);
        assert_eq!(otsu([]), None);
    }

    #[test]
    fn two_touching_disks_are_cut_in_two() {
        let disk = |r: usize, c: usize, r0: f32, c0: f32| (r as f32 - r0).hypot(c as f32 - c0) <= 10.0;
        let plane = Array2::from_shape_fn((60, 80), |(r, c)| {
            let inside = disk(r, c, 30.0, 30.0) || disk(r, c, 30.0, 48.0) || disk(r, c, 12.0, 66.0);
            if inside {
                0.7
            } else {
                0.1 + 0.01 * ((r * 7 + c * 3) % 5) as f32
            }
        });
        let labels = segment_otsu(plane.view());
        assert_eq!(labels.n, 3, "{:?}", labels.areas());
        assert_eq!(segment_otsu(plane.mapv(|v| 1.0 - v).view()).n, 3);
        assert_eq!(segment_otsu(Array2::from_elem((9, 9), 0.2).view()).n, 0);
    }

    #[test]
    fn blur_keeps_the_mean_of_a_constant_and_the_sum_of_a_point() {
        let flat = gaussian_blur(Array2::from_elem((5, 7), 0.3).view(), 2.0);
        assert!(flat.iter().all(|v| (v - 0.3).abs() < 1e-6));
        let mut point = Array2::zeros((31, 31));
        point[(15, 15)] = 1.0;
        let blurred = gaussian_blur(point.view(), 2.0);
        assert!((blurred.sum() - 1.0).abs() < 1e-5);
        // Peak of a sampled Gaussian: 1 / (2 π σ²).
        assert!((blurred[(15, 15)] - 0.039_79).abs() < 1e-3);
    }
}
