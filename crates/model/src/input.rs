//! From a crop around a nucleus to the input of the classifier, the same in training and in use.

use kernels::Philox;
use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use crate::reflection::reflect;

/// Rows and columns of a crop.
pub const CROP_PX: usize = 64;
/// Rows and columns of the network's input.
pub const INPUT_PX: usize = 48;
/// The maximum is taken over the central square of this side, so that a bright neighbour does not set the scale.
const CENTRAL_PX: usize = 40;

/// How the grey values of a crop are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CropNormalization {
    /// Divided by the maximum of the central square, times 4, minus 1.
    CentralMaximum,
}

/// Position in the crop for a position in the input: `crop = matrix · (input - center) + center + shift`.
struct Placement {
    matrix: [[f32; 2]; 2],
    shift: [f32; 2],
}

fn sample(crop: ArrayView2<f32>, row: f32, column: f32) -> f32 {
    let (rows, columns) = (crop.nrows(), crop.ncols());
    let (top, left) = (row.floor(), column.floor());
    let (down, right) = (row - top, column - left);
    let (top, left) = (top as i64, left as i64);
    let at = |r: i64, c: i64| crop[[reflect(r, rows), reflect(c, columns)]];
    let upper = at(top, left) * (1.0 - right) + at(top, left + 1) * right;
    let lower = at(top + 1, left) * (1.0 - right) + at(top + 1, left + 1) * right;
    upper * (1.0 - down) + lower * down
}

/// Grey values / maximum of the central 40 × 40 px × 4 - 1. A crop without a positive value becomes -1 everywhere.
fn normalize(crop: ArrayView2<f32>) -> Array2<f32> {
    let start = |n: usize| n.saturating_sub(CENTRAL_PX) / 2;
    let (top, left) = (start(crop.nrows()), start(crop.ncols()));
    let central = crop.slice(ndarray::s![
        top..(top + CENTRAL_PX).min(crop.nrows()),
        left..(left + CENTRAL_PX).min(crop.ncols())
    ]);
    let maximum = central.fold(0.0f32, |a, &b| a.max(b));
    let scale = if maximum > 0.0 { 4.0 / maximum } else { 0.0 };
    crop.mapv(|value| value * scale - 1.0)
}

fn place(crop: ArrayView2<f32>, placement: &Placement, mut out: ArrayViewMut2<f32>) {
    let [[a, b], [c, d]] = placement.matrix;
    let half_out = (out.nrows() as f32 - 1.0) / 2.0;
    let (middle_row, middle_column) = (
        (crop.nrows() as f32 - 1.0) / 2.0,
        (crop.ncols() as f32 - 1.0) / 2.0,
    );
    for ((row, column), value) in out.indexed_iter_mut() {
        let (y, x) = (row as f32 - half_out, column as f32 - half_out);
        *value = sample(
            crop,
            a * y + b * x + middle_row + placement.shift[0],
            c * y + d * x + middle_column + placement.shift[1],
        );
    }
}

/// The network's input of one crop: normalised, and the whole view resampled to 48 × 48 px.
///
/// `crop`: 64 × 64 grey values, any scale with background near 0. Result: 48 × 48, about -1 to 3.
/// Source: RECIPES A, row 10.
pub fn classification_input(crop: ArrayView2<f32>) -> Array2<f32> {
    let mut out = Array2::zeros((INPUT_PX, INPUT_PX));
    let scale = crop.nrows() as f32 / INPUT_PX as f32;
    let placement = Placement {
        matrix: [[scale, 0.0], [0.0, scale]],
        shift: [0.0; 2],
    };
    place(normalize(crop).view(), &placement, out.view_mut());
    out
}

/// A training input: turned, mirrored, scaled, shifted, with other brightness and sharpness; never another class.
pub(crate) fn augmented_input(crop: ArrayView2<f32>, random: &mut Philox) -> Array2<f32> {
    let angle = random.between(0.0, std::f32::consts::TAU);
    let flip = if random.uniform() < 0.5 { -1.0 } else { 1.0 };
    let zoom = random.between(-(1.15f32.ln()), 1.15f32.ln()).exp();
    let shift = [random.between(-3.0, 3.0), random.between(-3.0, 3.0)];
    let scale = crop.nrows() as f32 / INPUT_PX as f32 * zoom;
    let (sin, cos) = angle.sin_cos();
    let matrix = [
        [scale * cos, -scale * sin * flip],
        [scale * sin, scale * cos * flip],
    ];
    let mut out = Array2::zeros((INPUT_PX, INPUT_PX));
    place(
        normalize(crop).view(),
        &Placement { matrix, shift },
        out.view_mut(),
    );
    let gain = random.between(-0.2, 0.2).exp();
    let offset = random.between(-0.1, 0.1);
    let gamma = random.between(-0.2, 0.2).exp();
    let (low, high) = out.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| {
        (l.min(v), h.max(v))
    });
    let range = high - low;
    if range > 0.0 {
        out.mapv_inplace(|v| (((v - low) / range).powf(gamma) * range + low) * gain + offset);
    }
    let blurs = random.uniform() < 0.3;
    let share = random.uniform();
    if blurs {
        let blurred = binomial_blur(out.view());
        out.zip_mut_with(&blurred, |value, blurred| *value += share * (blurred - *value));
    }
    out
}

/// The 3 × 3 binomial filter, with reflection.
fn binomial_blur(map: ArrayView2<f32>) -> Array2<f32> {
    let (rows, columns) = (map.nrows(), map.ncols());
    Array2::from_shape_fn(map.dim(), |(row, column)| {
        let mut sum = 0.0;
        for (dr, wr) in [(-1, 1.0), (0, 2.0), (1, 1.0)] {
            for (dc, wc) in [(-1, 1.0), (0, 2.0), (1, 1.0)] {
                let at = [
                    reflect(row as i64 + dr, rows),
                    reflect(column as i64 + dc, columns),
                ];
                sum += wr * wc * map[at];
            }
        }
        sum / 16.0
    })
}

/// The eight symmetries of the square: number `index` of `map`.
pub(crate) fn symmetry(map: ArrayView2<f32>, index: usize) -> ArrayView2<f32> {
    let mut view = map;
    if index & 1 == 1 {
        view.invert_axis(ndarray::Axis(0));
    }
    if index & 2 == 2 {
        view.invert_axis(ndarray::Axis(1));
    }
    if index & 4 == 4 {
        view.swap_axes(0, 1);
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_ramp_is_resampled_exactly() {
        let ramp = Array2::from_shape_fn((64, 64), |(r, c)| 1.0 + r as f32 + 2.0 * c as f32);
        let input = classification_input(ramp.view());
        let maximum = 1.0 + 51.0 + 2.0 * 51.0;
        let expected = |r: f32, c: f32| {
            let at = |i: f32| (i - 23.5) * 64.0 / 48.0 + 31.5;
            (1.0 + at(r) + 2.0 * at(c)) * 4.0 / maximum - 1.0
        };
        for (r, c) in [(1, 1), (23, 24), (46, 5)] {
            assert!((input[[r, c]] - expected(r as f32, c as f32)).abs() < 1e-4);
        }
    }

    #[test]
    fn brightness_of_the_crop_does_not_matter() {
        let crop = Array2::from_shape_fn((64, 64), |(r, c)| ((r * 7 + c * 3) % 50) as f32);
        let one = classification_input(crop.view());
        let other = classification_input((&crop * 37.0).view());
        assert!(one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-5));
        assert!(
            classification_input(Array2::zeros((64, 64)).view())
                .iter()
                .all(|&v| v == -1.0)
        );
    }

    #[test]
    fn symmetries_are_eight_different_views() {
        let map = Array2::from_shape_fn((3, 3), |(r, c)| (r * 3 + c) as f32);
        let mut views: Vec<Vec<i32>> = (0..8)
            .map(|i| symmetry(map.view(), i).iter().map(|v| *v as i32).collect())
            .collect();
        views.sort();
        views.dedup();
        assert_eq!(views.len(), 8);
    }

    #[test]
    fn augmentation_is_repeatable_and_finite() {
        let crop = Array2::from_shape_fn((64, 64), |(r, c)| ((r * c) % 91) as f32);
        let one = augmented_input(crop.view(), &mut Philox::new(1, [4, 5, 6]));
        let same = augmented_input(crop.view(), &mut Philox::new(1, [4, 5, 6]));
        let other = augmented_input(crop.view(), &mut Philox::new(1, [4, 5, 7]));
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert!(one.iter().all(|v| v.is_finite()));
    }
}
