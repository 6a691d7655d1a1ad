//! Brings the nuclear channel of any image to one range, nuclei bright, before the segmentation network sees it.

use ndarray::{Array2, ArrayView2};

use crate::percentile::percentiles;

/// Percentile of the image that becomes 0.
pub const LOW_PERCENTILE: f64 = 1.0;
/// Percentile of the image that becomes 1.
pub const HIGH_PERCENTILE: f64 = 99.8;
/// Normalized values are cut to this range.
pub const NORMALIZED_RANGE: (f32, f32) = (-0.2, 1.5);

/// A normalized image and how it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalized {
    /// Rows × columns, within [`NORMALIZED_RANGE`], nuclei bright; all 0 for a constant image.
    pub pixels: Array2<f32>,
    /// Source value that became 0 (above `high` when `inverted`).
    pub low: f32,
    /// Source value that became 1.
    pub high: f32,
    /// The source has dark nuclei on a bright ground and was turned around.
    pub inverted: bool,
    /// The source has a single value (or no finite one): nothing can be found in it.
    pub constant: bool,
}

/// Scales a whole image so that its 1st percentile is 0 and its 99.8th is 1, inverted when its median is then above 0.5.
///
/// If those two percentiles are equal (a few bright objects on an empty ground), minimum and maximum take their place.
/// Units: any in, [`NORMALIZED_RANGE`] out. Values that are not finite become 0. Call it on the image, never on a tile.
/// Source: RECIPES B2 "Input" (the recipe that the shipped segmentation networks were trained with).
pub fn normalize_nuclear(plane: ArrayView2<f32>) -> Normalized {
    let Some((low, high, median)) = limits(plane) else {
        let value = plane.iter().copied().find(|v| v.is_finite()).unwrap_or(0.0);
        let pixels = Array2::zeros(plane.dim());
        return Normalized {
            pixels,
            low: value,
            high: value,
            inverted: false,
            constant: true,
        };
    };
    let inverted = (median - low) / (high - low) > 0.5;
    let (low, high) = if inverted {
        let negative = plane.mapv(|v| -v);
        // The negative of a non-constant image is not constant either.
        limits(negative.view()).map_or((high, low), |(low, high, _)| (-low, -high))
    } else {
        (low, high)
    };
    let span = high - low;
    let pixels = plane.mapv(|v| {
        if v.is_finite() {
            ((v - low) / span).clamp(NORMALIZED_RANGE.0, NORMALIZED_RANGE.1)
        } else {
            0.0
        }
    });
    Normalized {
        pixels,
        low,
        high,
        inverted,
        constant: false,
    }
}

/// Low and high limit and the median; `None` for a constant image.
fn limits(plane: ArrayView2<f32>) -> Option<(f32, f32, f32)> {
    let [low, high, median, min, max] = percentiles(
        plane.iter().copied(),
        [LOW_PERCENTILE, HIGH_PERCENTILE, 50.0, 0.0, 100.0],
    )?;
    let usable = |low: f32, high: f32| high > low && (high - low).is_finite() && (high - low).is_normal();
    if usable(low, high) {
        Some((low, high, median))
    } else if usable(min, max) {
        Some((min, max, median))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bright_object() -> Array2<f32> {
        Array2::from_shape_fn((40, 40), |(r, c)| {
            let inside = (10..20).contains(&r) && (10..20).contains(&c);
            if inside { 0.8 } else { 0.1 + 0.001 * (c as f32) }
        })
    }

    #[test]
    fn offset_and_gain_change_nothing() {
        let a = normalize_nuclear(bright_object().view());
        let b = normalize_nuclear(bright_object().mapv(|v| 7.0 * v + 3.0).view());
        assert!(!a.inverted && !b.inverted);
        assert!(a.pixels.iter().zip(&b.pixels).all(|(x, y)| (x - y).abs() < 1e-4));
        assert!((a.pixels[(15, 15)] - 1.0).abs() < 1e-5);
    }

    #[test]
    fn dark_nuclei_are_turned_bright() {
        let n = normalize_nuclear(bright_object().mapv(|v| 1.0 - v).view());
        assert!(n.inverted && n.low > n.high);
        assert!(n.pixels[(15, 15)] > 0.9 && n.pixels[(0, 0)].abs() < 0.1);
    }

    #[test]
    fn constant_sparse_and_odd_images() {
        let n = normalize_nuclear(Array2::from_elem((4, 4), 0.3).view());
        assert!(n.constant && n.pixels.iter().all(|v| *v == 0.0));
        assert!(normalize_nuclear(Array2::from_elem((2, 2), f32::NAN).view()).constant);
        // One bright pixel in 1600 is above the 99.8th percentile: the extremes take over.
        let mut sparse = Array2::zeros((40, 40));
        sparse[(3, 3)] = 0.5;
        let n = normalize_nuclear(sparse.view());
        assert!(!n.constant && n.pixels[(3, 3)] == 1.0);
    }
}
