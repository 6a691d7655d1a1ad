//! Is an image, or the place of an object in it, fit to be judged?

use ndarray::{Array2, ArrayView2, Axis};

use crate::labels::Labels;
use crate::otsu::otsu;
use crate::percentile::percentiles;

/// From this share of full scale on a pixel counts as saturated.
const SATURATED_AT: f32 = 0.9999;

/// Quality of one plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Fine structure over all structure: mean squared Laplacian over variance, both after a 3 × 3 binomial blur that
    /// takes the edge off the noise. ≥ 0, without unit, higher is sharper; independent of gain and offset; 0 for a
    /// constant plane. Comparable within one channel of one plate only.
    pub focus: f32,
    /// Share of pixels at full scale (1.0), in [0, 1].
    pub saturated_share: f32,
    /// Median of the pixels at or below Otsu's threshold (of all pixels where there is none), in the plane's units.
    pub background: f32,
}

/// Quality of one plane in the unit of its sensor's range ([0, 1]). Pixels that are not finite are left out of all but focus.
pub fn quality(plane: ArrayView2<f32>) -> Quality {
    let saturated = plane.iter().filter(|v| **v >= SATURATED_AT).count();
    let threshold = otsu(plane.iter().copied()).unwrap_or(f32::INFINITY);
    let low = plane.iter().copied().filter(|v| *v <= threshold);
    Quality {
        focus: sharpness(plane),
        saturated_share: saturated as f32 / plane.len().max(1) as f32,
        background: percentiles(low, [50.0]).map_or(0.0, |[median]| median),
    }
}

/// Quality of the picture of each object: sharpness and saturation in its box (grown by 5 pixels) of `plane`.
///
/// In label order. `focus` is [`Quality::focus`] of the box, `saturated_share` that of the object's own pixels,
/// `background` the median of the box's pixels outside any object (of the box where there is none).
///
/// # Panics
/// If the shapes differ.
pub fn object_quality(labels: &Labels, plane: ArrayView2<f32>) -> Vec<Quality> {
    const AROUND_PX: usize = 5;
    assert_eq!(
        plane.dim(),
        labels.shape(),
        "labels and plane must have the same shape"
    );
    let of_object = |(index, bounds): (usize, &crate::labels::PixelBox)| {
        let window = bounds.grown(AROUND_PX, labels.shape());
        let (pixels, map) = (window.of(plane), window.of(labels.map.view()));
        let own = || {
            pixels
                .iter()
                .zip(&map)
                .filter(|(_, l)| **l == index as u32 + 1)
                .map(|(v, _)| *v)
        };
        let outside = pixels.iter().zip(&map).filter(|(_, l)| **l == 0).map(|(v, _)| *v);
        let background = percentiles(outside, [50.0]).or_else(|| percentiles(pixels.iter().copied(), [50.0]));
        Quality {
            focus: sharpness(pixels),
            saturated_share: own().filter(|v| *v >= SATURATED_AT).count() as f32
                / own().count().max(1) as f32,
            background: background.map_or(0.0, |[median]| median),
        }
    };
    labels.boxes().iter().enumerate().map(of_object).collect()
}

/// Mean squared Laplacian over variance after a binomial blur.
fn sharpness(plane: ArrayView2<f32>) -> f32 {
    let (rows, cols) = plane.dim();
    if rows < 3 || cols < 3 {
        return 0.0;
    }
    let smooth = binomial_blur(plane);
    let n = smooth.len() as f64;
    let mean = smooth.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let variance = smooth.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
    let mut squares = 0.0;
    for row in 1..rows - 1 {
        for col in 1..cols - 1 {
            let around = smooth[(row - 1, col)]
                + smooth[(row + 1, col)]
                + smooth[(row, col - 1)]
                + smooth[(row, col + 1)];
            squares += f64::from(around - 4.0 * smooth[(row, col)]).powi(2);
        }
    }
    let focus = squares / ((rows - 2) * (cols - 2)) as f64 / variance;
    // A constant plane has rounding noise at most: its variance is 0 beside its mean.
    if focus.is_finite() && variance > 1e-12 * mean * mean {
        focus as f32
    } else {
        0.0
    }
}

/// 1 2 1 along rows and columns; the border pixel is repeated.
fn binomial_blur(plane: ArrayView2<f32>) -> Array2<f32> {
    let mut result = plane.to_owned();
    for axis in [Axis(1), Axis(0)] {
        for mut lane in result.lanes_mut(axis) {
            let last = lane.len() - 1;
            let mut before = lane[0];
            for i in 0..=last {
                let (here, after) = (lane[i], lane[(i + 1).min(last)]);
                lane[i] = 0.25 * before + 0.5 * here + 0.25 * after;
                before = here;
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otsu::gaussian_blur;

    fn texture() -> Array2<f32> {
        Array2::from_shape_fn((60, 60), |(r, c)| {
            let inside = (r as f32 - 30.0).hypot(c as f32 - 25.0) < 12.0;
            0.1 + if inside {
                0.5 + 0.1 * ((r * 3 + c * 5) % 7) as f32 / 7.0
            } else {
                0.0
            }
        })
    }

    #[test]
    fn blur_lowers_focus_and_gain_does_not() {
        let sharp = quality(texture().view());
        let scaled = quality(texture().mapv(|v| 0.3 * v + 0.2).view());
        let blurred = quality(gaussian_blur(texture().view(), 3.0).view());
        assert!((sharp.focus - scaled.focus).abs() < 1e-3 * sharp.focus);
        assert!(
            blurred.focus < 0.3 * sharp.focus,
            "{} {}",
            blurred.focus,
            sharp.focus
        );
        assert!((sharp.background - 0.1).abs() < 1e-6);
    }

    #[test]
    fn constant_and_saturated() {
        let flat = quality(Array2::from_elem((20, 20), 0.37).view());
        assert_eq!(
            (flat.focus, flat.saturated_share, flat.background),
            (0.0, 0.0, 0.37)
        );
        let mut plane = texture();
        plane.row_mut(3).fill(1.0);
        assert!((quality(plane.view()).saturated_share - 1.0 / 60.0).abs() < 1e-6);
        assert_eq!(quality(Array2::zeros((1, 2)).view()).focus, 0.0);
    }

    #[test]
    fn objects_are_judged_one_by_one() {
        let mut plane = Array2::<f32>::from_elem((40, 80), 0.1);
        let labels = Labels::relabel(Array2::from_shape_fn((40, 80), |(r, c)| {
            let inside = |c0: f32| (r as f32 - 20.0).hypot(c as f32 - c0) < 9.0;
            if inside(20.0) {
                1
            } else if inside(60.0) {
                2
            } else {
                0
            }
        }));
        plane.zip_mut_with(&labels.map, |v, &l| {
            *v = if l == 1 {
                1.0
            } else if l == 2 {
                0.6
            } else {
                0.1
            }
        });
        let q = object_quality(&labels, plane.view());
        assert_eq!((q[0].saturated_share, q[1].saturated_share), (1.0, 0.0));
        assert!((q[1].background - 0.1).abs() < 1e-6);
        let soft = object_quality(&labels, gaussian_blur(plane.view(), 3.0).view());
        assert!(soft[1].focus < 0.4 * q[1].focus);
    }
}
