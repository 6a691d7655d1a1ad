//! Training crops of the segmentation network and what is done to them.

use kernels::Philox;
use ndarray::{Array2, Array3};

use crate::reflection::reflect;

/// Rows and columns of a training crop.
pub(crate) const CROP: usize = 128;
/// A crop should hold more than this share of foreground; after four tries any crop is taken.
const LEAST_FOREGROUND: f32 = 0.02;
const TRIES: usize = 4;
/// Maps of the targets.
const MAPS: usize = 4;

/// Kind of picture; the share of each in training is fixed, whatever their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Modality {
    /// Bright nuclei on dark ground.
    Fluorescence,
    /// Coloured tissue or smear.
    Stained,
    /// Dark nuclei on bright ground.
    Brightfield,
}

/// One scale of a training image.
#[derive(Clone, Debug)]
pub struct SegmentationVersion {
    /// Normalised grey values, rows × columns.
    pub pixels: Array2<f32>,
    /// Foreground, touch, ring and distance × 255, rows × columns × 4.
    pub targets: Array3<u8>,
}

/// One training image at several scales.
#[derive(Clone, Debug)]
pub struct SegmentationSample {
    /// Kind of picture.
    pub modality: Modality,
    /// Scales; one is drawn each time.
    pub versions: Vec<SegmentationVersion>,
}

/// Adds one augmented crop to `pixels` (CROP × CROP) and `targets` (CROP/2 × CROP/2 × 16, order of the head).
pub(crate) fn push_crop(
    version: &SegmentationVersion,
    random: &mut Philox,
    pixels: &mut Vec<f32>,
    targets: &mut Vec<f32>,
) {
    let (rows, columns) = version.pixels.dim();
    let (mut top, mut left) = (0, 0);
    for _ in 0..TRIES {
        top = random.below(rows.saturating_sub(CROP) + 1);
        left = random.below(columns.saturating_sub(CROP) + 1);
        let mut inside = 0usize;
        for row in top..(top + CROP).min(rows) {
            for column in left..(left + CROP).min(columns) {
                inside += usize::from(version.targets[[row, column, 0]] > 0);
            }
        }
        if inside as f32 > LEAST_FOREGROUND * (CROP * CROP) as f32 {
            break;
        }
    }
    let symmetry = random.below(8);
    // Position in the image of a position in the crop: flips and a transposition.
    let source = |row: usize, column: usize| {
        let (mut r, mut c) = if symmetry & 4 == 4 {
            (column, row)
        } else {
            (row, column)
        };
        if symmetry & 1 == 1 {
            r = CROP - 1 - r;
        }
        if symmetry & 2 == 2 {
            c = CROP - 1 - c;
        }
        [
            reflect((top + r) as i64, rows),
            reflect((left + c) as i64, columns),
        ]
    };
    let mut crop: Vec<f32> = (0..CROP * CROP)
        .map(|at| version.pixels[source(at / CROP, at % CROP)])
        .collect();
    change_brightness(&mut crop, random);
    pixels.extend(crop);
    for row in (0..CROP).step_by(2) {
        for column in (0..CROP).step_by(2) {
            for (down, right) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let [r, c] = source(row + down, column + right);
                targets.extend((0..MAPS).map(|map| f32::from(version.targets[[r, c, map]]) / 255.0));
            }
        }
    }
}

/// Signed gamma, gain, offset, noise and blur: RECIPES B2.
fn change_brightness(crop: &mut Vec<f32>, random: &mut Philox) {
    let gamma = random.between(-0.5, 0.5).exp();
    let gain = random.between(-0.35, 0.35).exp();
    let offset = random.between(-0.1, 0.1);
    for value in crop.iter_mut() {
        *value = value.signum() * value.abs().powf(gamma) * gain + offset;
    }
    if random.uniform() < 0.5 {
        let sigma = random.between(0.0, 0.06);
        for value in crop.iter_mut() {
            *value += sigma * random.normal();
        }
    }
    if random.uniform() < 0.15 {
        let sigma = random.between(0.4, 1.2);
        *crop = blur_gaussian(crop, sigma);
    }
}

fn blur_gaussian(crop: &[f32], sigma: f32) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil() as i64;
    let mut kernel: Vec<f32> = (-radius..=radius)
        .map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp())
        .collect();
    let sum: f32 = kernel.iter().sum();
    kernel.iter_mut().for_each(|value| *value /= sum);
    let side = CROP as i64;
    let pass = |from: &[f32], step_row: i64, step_column: i64| -> Vec<f32> {
        let mut out = Vec::with_capacity(from.len());
        for row in 0..side {
            for column in 0..side {
                let mut total = 0.0;
                for (offset, weight) in (-radius..=radius).zip(&kernel) {
                    let r = (row + offset * step_row).clamp(0, side - 1);
                    let c = (column + offset * step_column).clamp(0, side - 1);
                    total += weight * from[(r * side + c) as usize];
                }
                out.push(total);
            }
        }
        out
    };
    pass(&pass(crop, 0, 1), 1, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_move_with_the_pixels() {
        // Pixel value and foreground are the same bright square, so they must agree after every symmetry.
        let bright = |r: usize, c: usize| (30..90).contains(&r) && (50..140).contains(&c);
        let version = SegmentationVersion {
            pixels: Array2::from_shape_fn((150, 170), |(r, c)| f32::from(u8::from(bright(r, c)))),
            targets: Array3::from_shape_fn((150, 170, 4), |(r, c, _)| 255 * u8::from(bright(r, c))),
        };
        for draw in 0..20 {
            let (mut pixels, mut targets) = (Vec::new(), Vec::new());
            push_crop(
                &version,
                &mut Philox::new(1, [draw, 0, 0]),
                &mut pixels,
                &mut targets,
            );
            assert_eq!((pixels.len(), targets.len()), (CROP * CROP, CROP * CROP * 4));
            let mut wrong = 0;
            for row in 0..CROP {
                for column in 0..CROP {
                    let at = ((row / 2) * CROP / 2 + column / 2) * 16 + 4 * (2 * (row % 2) + column % 2);
                    // Noise is at most a few times 0.06 and the gain at least 0.7.
                    wrong += usize::from((pixels[row * CROP + column] > 0.4) != (targets[at] > 0.5));
                }
            }
            assert!(wrong < CROP * CROP / 50, "draw {draw}: {wrong} pixels differ");
        }
    }

    #[test]
    fn small_images_are_reflected() {
        let version = SegmentationVersion {
            pixels: Array2::zeros((40, 300)),
            targets: Array3::zeros((40, 300, 4)),
        };
        let (mut pixels, mut targets) = (Vec::new(), Vec::new());
        push_crop(&version, &mut Philox::new(1, [0; 3]), &mut pixels, &mut targets);
        assert_eq!(pixels.len(), CROP * CROP);
    }
}
