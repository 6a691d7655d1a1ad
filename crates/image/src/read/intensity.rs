//! From samples to intensities, and what the pixels themselves give reason to warn of.

use std::collections::VecDeque;

use ndarray::Array2;

use super::raw::{RawImage, Samples, unsigned_range};
use super::{ReadImage, fault::Fault};

/// Sides below this cannot hold a whole nucleus of any size the networks were taught.
const SMALL_SIDE_PX: u32 = 16;
/// Normalization takes the 1st and the 99.8th percentile (RECIPES.md B2); where they agree there is nothing to normalize.
const SHARE_BELOW: f64 = 0.01;
const SHARE_ABOVE: f64 = 0.002;
/// Rounding of an illumination correction may leave [0, 1] by this much without being another scale.
const RANGE_TOLERANCE: f64 = 1e-3;

/// Scales the samples of a file and says what is odd about them.
///
/// Errors: a plane of floating point without one finite pixel.
pub(super) fn to_intensities(raw: RawImage) -> Result<ReadImage, Fault> {
    let (width, height) = (raw.width as usize, raw.height as usize);
    let mut warnings = raw.warnings;
    if raw.width < SMALL_SIDE_PX || raw.height < SMALL_SIDE_PX {
        warnings.push(format!(
            "{width} x {height} pixels is smaller than a cell; no object can be found"
        ));
    }
    let n_planes = raw.planes.len();
    let full_scale = raw.full_scale;
    let mut planes = Vec::with_capacity(n_planes);
    let mut negative: Option<usize> = None;
    let mut missing = 0usize;
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for samples in raw.planes {
        let pixels: Vec<f32> = match samples {
            Samples::Unsigned(values) => {
                let full = full_scale.unwrap_or_else(|| unsigned_range(raw.bits));
                values
                    .into_iter()
                    .map(|value| (f64::from(value) / full) as f32)
                    .collect()
            }
            Samples::Signed(values) => {
                let full = full_scale.unwrap_or_else(|| unsigned_range(raw.bits.saturating_sub(1)));
                *negative.get_or_insert(0) += values.iter().filter(|&&value| value < 0).count();
                values
                    .into_iter()
                    .map(|value| (f64::from(value) / full) as f32)
                    .collect()
            }
            Samples::Float(values) => {
                let mut pixels: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
                for value in pixels
                    .iter()
                    .filter(|value| value.is_finite())
                    .map(|&value| f64::from(value))
                {
                    (low, high) = (low.min(value), high.max(value));
                }
                missing += fill_missing(&mut pixels, width)?;
                pixels
            }
        };
        let plane = Array2::from_shape_vec((height, width), pixels)
            .map_err(|_| Fault::Damaged(format!("a plane does not hold {width} x {height} samples")))?;
        planes.push(plane);
    }
    // Said of every signed file: a camera does not write them, so something was subtracted.
    if let Some(n) = negative {
        warnings.push(format!(
            "the samples are signed; {} negative and kept below 0",
            counted(n)
        ));
    }
    if missing > 0 {
        warnings.push(format!(
            "{} not finite; each took the value of its nearest finite pixel",
            counted(missing)
        ));
    }
    if low < -RANGE_TOLERANCE || high > 1.0 + RANGE_TOLERANCE {
        warnings.push(format!(
            "floating-point samples range from {low} to {high}, which is not [0, 1]; intensities are kept as they are"
        ));
    }
    if matches!(raw.bits, 32) && full_scale.is_some() {
        warnings.push("32-bit integer samples; scaled by the full 32-bit range".to_owned());
    }
    warn_of_flat_planes(&planes, raw.is_rgb, full_scale.is_some(), &mut warnings);
    Ok(ReadImage {
        planes,
        format: raw.format,
        full_scale: full_scale.map(|full| full as f32),
        bits: raw.bits,
        pixel_size_um: raw.pixel_size_um,
        channel_names: raw.channel_names,
        axes: raw.axes,
        is_rgb: raw.is_rgb,
        warnings,
    })
}

/// "1 pixel is", "3 pixels are".
fn counted(n: usize) -> String {
    if n == 1 {
        "1 pixel is".to_owned()
    } else {
        format!("{n} pixels are")
    }
}

/// Gives every pixel that is not finite the value of its nearest finite neighbor (steps along rows and columns;
/// ties go to the one above, left, right, below) and returns how many there were.
fn fill_missing(pixels: &mut [f32], width: usize) -> Result<usize, Fault> {
    let missing = pixels.iter().filter(|value| !value.is_finite()).count();
    if missing == 0 {
        return Ok(0);
    }
    if missing == pixels.len() {
        return Err(Fault::Damaged(
            "no finite pixel (all are NaN or infinite)".to_owned(),
        ));
    }
    let neighbors = |at: usize, n: usize| {
        let column = at % width;
        [
            at.checked_sub(width),
            (column > 0).then(|| at - 1),
            (column + 1 < width).then_some(at + 1),
            (at + width < n).then_some(at + width),
        ]
    };
    let n = pixels.len();
    let finite = |pixels: &[f32], at: usize| pixels.get(at).copied().filter(|value| value.is_finite());
    // Ring by ring from the finite pixels inward: a pixel is filled from a ring that was complete before it.
    let mut ring: VecDeque<(usize, f32)> = VecDeque::new();
    let next_ring = |pixels: &[f32], candidates: &mut dyn Iterator<Item = usize>| -> VecDeque<(usize, f32)> {
        let mut found = VecDeque::new();
        for at in candidates {
            if finite(pixels, at).is_none()
                && let Some(value) = neighbors(at, n)
                    .into_iter()
                    .flatten()
                    .find_map(|next| finite(pixels, next))
            {
                found.push_back((at, value));
            }
        }
        found
    };
    ring.extend(next_ring(pixels, &mut (0..n)));
    while !ring.is_empty() {
        for &(at, value) in &ring {
            if let Some(pixel) = pixels.get_mut(at) {
                *pixel = value;
            }
        }
        let mut candidates: Vec<usize> = ring
            .iter()
            .flat_map(|&(at, _)| neighbors(at, n).into_iter().flatten())
            .collect();
        candidates.sort_unstable();
        candidates.dedup();
        ring = next_ring(pixels, &mut candidates.into_iter());
    }
    Ok(missing)
}

/// Warns of planes whose 1st and 99.8th percentile agree. A color picture may have an unused channel, so only a picture
/// without any contrast is worth a word there.
fn warn_of_flat_planes(planes: &[Array2<f32>], is_rgb: bool, is_scaled: bool, warnings: &mut Vec<String>) {
    let flat: Vec<(usize, f32)> = planes
        .iter()
        .enumerate()
        .filter_map(|(index, plane)| flat_value(plane).map(|value| (index, value)))
        .collect();
    if flat.is_empty() || (is_rgb && flat.len() < planes.len()) {
        return;
    }
    let where_ = if flat.len() == planes.len() {
        "the image".to_owned()
    } else {
        let numbers: Vec<String> = flat.iter().map(|(index, _)| (index + 1).to_string()).collect();
        format!("plane {} of {}", numbers.join(", "), planes.len())
    };
    if is_scaled && flat.iter().all(|&(_, value)| value >= 1.0) {
        warnings.push(format!(
            "{where_} is saturated: practically all pixels are at the top of the range"
        ));
    } else {
        warnings.push(format!(
            "{where_} is constant: practically all pixels have one value, so nothing can be measured"
        ));
    }
}

/// The value that fills a plane up to the percentiles of the normalization, if there is one.
///
/// Such a value is a majority, so one pass (Boyer and Moore 1981) finds the only candidate and a second one counts.
fn flat_value(plane: &Array2<f32>) -> Option<f32> {
    let (mut candidate, mut lead) = (f32::NAN, 0usize);
    for &value in plane {
        if lead == 0 {
            (candidate, lead) = (value, 1);
        } else if value == candidate {
            lead += 1;
        } else {
            lead -= 1;
        }
    }
    let below = plane.iter().filter(|&&value| value < candidate).count() as f64;
    let above = plane.iter().filter(|&&value| value > candidate).count() as f64;
    let n = plane.len() as f64;
    (below <= SHARE_BELOW * n && above <= SHARE_ABOVE * n && below + above < n).then_some(candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn missing_pixels_take_the_nearest_finite_value() {
        let mut pixels = vec![
            1.0,
            f32::NAN,
            f32::INFINITY,
            4.0,
            5.0,
            f32::NEG_INFINITY,
            7.0,
            8.0,
        ];
        assert_eq!(fill_missing(&mut pixels, 4), Ok(3));
        assert_eq!(pixels, [1.0, 1.0, 4.0, 4.0, 5.0, 5.0, 7.0, 8.0]);
        let mut deep = vec![f32::NAN; 25];
        deep[24] = 2.5;
        assert_eq!(fill_missing(&mut deep, 5), Ok(24));
        assert!(deep.iter().all(|&value| value == 2.5));
    }

    #[test]
    fn a_plane_without_a_finite_pixel_is_refused() {
        assert!(fill_missing(&mut [f32::NAN; 4], 2).is_err());
    }

    #[test]
    fn flat_means_that_the_percentiles_agree() {
        let mut plane = Array2::<f32>::from_elem((100, 100), 0.25);
        assert_eq!(flat_value(&plane), Some(0.25));
        for column in 0..20 {
            plane[(3, column)] = 1.0;
        }
        assert_eq!(
            flat_value(&plane),
            Some(0.25),
            "20 of 10 000 pixels above are beyond the 99.8th percentile"
        );
        plane[(4, 0)] = 1.0;
        assert_eq!(flat_value(&plane), None);
        assert_eq!(flat_value(&array![[0.0, 1.0], [2.0, 3.0]]), None);
    }
}
