//! Background for the planted fields, sampled from the crops themselves.

use image::{Beyond, distance_transform, otsu};
use ndarray::{Array2, ArrayView2};
use rand_chacha::ChaCha8Rng;
use uncertainty::below;

/// Side of a patch; patches overlap by half.
const PATCH_PX: usize = 12;
/// A patch is at least this far from anything above Otsu's threshold of the crop ...
const FROM_NUCLEI_PX: f32 = 8.0;
/// ... and its grey values differ by at most this part of the threshold, so that dim nuclei and halos stay out.
const MOST_SPREAD: f32 = 1.0 / 3.0;

/// Patches of real background, each with its mean taken off.
#[derive(Clone, Debug, Default)]
pub(super) struct Background {
    patches: Vec<Array2<f32>>,
    means: Vec<f64>,
}

impl Background {
    /// Adds the crop's background: at most one patch from each corner, where there is no nucleus near.
    pub(super) fn add(&mut self, pixels: ArrayView2<u8>) {
        let Some(threshold) = otsu(pixels.iter().map(|&value| f32::from(value))) else {
            return;
        };
        let bright = pixels.mapv(|value| f32::from(value) > threshold);
        let distance = distance_transform(bright.mapv(|bright| !bright).view(), Beyond::Unknown);
        let (rows, cols) = pixels.dim();
        for (row0, col0) in [
            (0, 0),
            (0, cols - PATCH_PX),
            (rows - PATCH_PX, 0),
            (rows - PATCH_PX, cols - PATCH_PX),
        ] {
            let at = |row: usize, col: usize| (row0 + row, col0 + col);
            let is_free =
                (0..PATCH_PX).all(|row| (0..PATCH_PX).all(|col| distance[at(row, col)] > FROM_NUCLEI_PX));
            if is_free {
                let patch =
                    Array2::from_shape_fn((PATCH_PX, PATCH_PX), |(row, col)| f32::from(pixels[at(row, col)]));
                let mean = patch.sum() / (PATCH_PX * PATCH_PX) as f32;
                let (low, high) = patch
                    .iter()
                    .fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)));
                // A patch that is constant was clipped to 0 by the data set's rescaling and would leave dead squares.
                if high > low && high - low <= MOST_SPREAD * threshold {
                    self.means.push(f64::from(mean));
                    self.patches.push(patch - mean);
                }
            }
        }
    }

    /// Number of patches.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.patches.len()
    }

    /// Median grey value of the sampled background.
    pub(super) fn level(&self) -> f32 {
        uncertainty::median(&self.means).unwrap_or(0.0) as f32
    }

    /// A field of background: overlapping random patches (turned and mirrored) around one level.
    ///
    /// The windows' squares add up to one, so that the noise of the sum is the noise of a patch.
    ///
    /// Panics when there is no patch.
    pub(super) fn field(&self, (rows, cols): (usize, usize), rng: &mut ChaCha8Rng) -> Array2<f32> {
        let mut field = Array2::from_elem((rows, cols), self.level());
        let step = PATCH_PX / 2;
        let window: Vec<f32> = (0..PATCH_PX)
            .map(|k| ((k as f32 + 0.5) / PATCH_PX as f32 * std::f32::consts::PI).sin())
            .collect();
        for top in (0..rows + step).step_by(step) {
            for left in (0..cols + step).step_by(step) {
                let patch = &self.patches[below(rng, self.patches.len())];
                let turn = below(rng, 8);
                for row in 0..PATCH_PX {
                    for col in 0..PATCH_PX {
                        // The first patches reach over the border by half.
                        let (Some(r), Some(c)) =
                            ((top + row).checked_sub(step), (left + col).checked_sub(step))
                        else {
                            continue;
                        };
                        if r < rows && c < cols {
                            field[(r, c)] +=
                                window[row] * window[col] * patch[turned(turn, (row, col), PATCH_PX)];
                        }
                    }
                }
            }
        }
        field
    }
}

/// The source position of `(row, col)` in a square of `side` under one of the eight symmetries (`turn` 0..8).
pub(super) fn turned(turn: usize, (row, col): (usize, usize), side: usize) -> (usize, usize) {
    let last = side - 1;
    let (row, col) = if turn & 1 == 0 { (row, col) } else { (col, row) };
    let row = if turn & 2 == 0 { row } else { last - row };
    let col = if turn & 4 == 0 { col } else { last - col };
    (row, col)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_eight_turns_are_different_and_each_reaches_every_pixel() {
        let images: BTreeSet<Vec<(usize, usize)>> = (0..8)
            .map(|turn| (0..9).map(|k| turned(turn, (k / 3, k % 3), 3)).collect())
            .collect();
        assert_eq!(images.len(), 8);
        for image in images {
            assert_eq!(image.iter().collect::<BTreeSet<_>>().len(), 9);
        }
    }

    #[test]
    fn a_field_keeps_level_and_noise_of_the_patches() {
        let mut rng = uncertainty::stream(1, "test/background");
        let mut background = Background::default();
        for _ in 0..200 {
            let crop = Array2::from_shape_fn((64, 64), |(row, col)| {
                if (28..36).contains(&row) && (28..36).contains(&col) {
                    200
                } else {
                    10 + below(&mut rng, 5) as u8
                }
            });
            background.add(crop.view());
        }
        assert_eq!(background.len(), 800);
        let field = background.field((96, 120), &mut rng);
        let n = field.len() as f32;
        let mean = field.sum() / n;
        let sd = (field.mapv(|value| (value - mean).powi(2)).sum() / n).sqrt();
        assert!((mean - 12.0).abs() < 0.1, "{mean}");
        // Uniform over five whole numbers: standard deviation the square root of two.
        assert!((sd - 2.0_f32.sqrt()).abs() < 0.1, "{sd}");
    }

    #[test]
    fn a_crop_full_of_nucleus_gives_no_patch() {
        let mut background = Background::default();
        let crop = Array2::from_shape_fn((64, 64), |(row, col)| if (row + col) % 7 == 0 { 10 } else { 200 });
        background.add(crop.view());
        assert_eq!(background.len(), 0);
    }
}
