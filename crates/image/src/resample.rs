//! Pictures at another place, angle and scale.

use ndarray::{Array2, ArrayView2};

/// Maps a point (row, column) of the output to the source: `source = matrix · output + offset`.
///
/// Coordinates are those of pixel centres: (0, 0) is the centre of the first pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// Row-major 2 × 2 matrix: the first row gives the source row.
    pub matrix: [[f32; 2]; 2],
    /// Source (row, column) of the output's (0, 0).
    pub offset: [f32; 2],
}

impl Affine {
    /// Leaves everything in its place.
    pub const IDENTITY: Self = Self {
        matrix: [[1.0, 0.0], [0.0, 1.0]],
        offset: [0.0, 0.0],
    };

    /// The `matrix` about a point: the middle of an output of `out` (rows, columns) shows the source point `center`.
    pub fn about(matrix: [[f32; 2]; 2], out: (usize, usize), center: (f32, f32)) -> Self {
        let middle = [(out.0 as f32 - 1.0) / 2.0, (out.1 as f32 - 1.0) / 2.0];
        let offset = [
            center.0 - matrix[0][0] * middle[0] - matrix[0][1] * middle[1],
            center.1 - matrix[1][0] * middle[0] - matrix[1][1] * middle[1],
        ];
        Self { matrix, offset }
    }

    /// A rotation by `radians` and a scale in source pixels per output pixel, as a matrix for [`Affine::about`].
    pub fn rotation(radians: f32, scale: f32) -> [[f32; 2]; 2] {
        let (sin, cos) = radians.sin_cos();
        [[scale * cos, -scale * sin], [scale * sin, scale * cos]]
    }

    /// Source point of an output point.
    pub fn apply(&self, row: f32, col: f32) -> (f32, f32) {
        (
            self.matrix[0][0] * row + self.matrix[0][1] * col + self.offset[0],
            self.matrix[1][0] * row + self.matrix[1][1] * col + self.offset[1],
        )
    }
}

/// The picture seen through `affine`, of `out` (rows, columns) pixels.
///
/// Bilinear; outside, the picture is mirrored at its border (the border pixel is repeated: c b a | a b c).
/// Shrinking does not average: see [`crop_at`] for that. An empty source gives 0.
pub fn resample(plane: ArrayView2<f32>, affine: &Affine, out: (usize, usize)) -> Array2<f32> {
    Array2::from_shape_fn(out, |(row, col)| {
        let (r, c) = affine.apply(row as f32, col as f32);
        bilinear(plane, r, c)
    })
}

/// The labels seen through `affine`: nearest pixel, 0 outside the source.
pub fn resample_nearest(map: ArrayView2<u32>, affine: &Affine, out: (usize, usize)) -> Array2<u32> {
    let (rows, cols) = map.dim();
    Array2::from_shape_fn(out, |(row, col)| {
        let (r, c) = affine.apply(row as f32, col as f32);
        let (r, c) = ((r + 0.5).floor(), (c + 0.5).floor());
        let inside = r >= 0.0 && c >= 0.0 && r < rows as f32 && c < cols as f32;
        if inside { map[(r as usize, c as usize)] } else { 0 }
    })
}

/// A square of `size_px` output pixels around a source point, upright, with `scale` source pixels per output pixel.
///
/// The middle of the crop, `(size_px − 1) / 2`, shows `center` (row, column). Bilinear, mirrored outside. When the
/// crop shrinks (`scale` > 1), each output pixel is the mean of ⌈scale⌉² points spread over it, so that fine
/// structure is averaged and does not alias.
pub fn crop_at(plane: ArrayView2<f32>, center: (f32, f32), size_px: usize, scale: f32) -> Array2<f32> {
    let (rows, cols) = plane.dim();
    if rows == 0 || cols == 0 {
        return Array2::zeros((size_px, size_px));
    }
    // An upright crop is a weighted sum of rows of weighted sums of columns.
    let row_taps = crop_taps(center.0, size_px, scale, rows);
    let col_taps = crop_taps(center.1, size_px, scale, cols);
    let used = col_taps.iter().flatten().map(|tap| tap.0);
    let (first, last) = used.fold((cols, 0), |(first, last), col| (first.min(col), last.max(col)));
    let mut crop = Array2::zeros((size_px, size_px));
    let mut line = vec![0f32; cols];
    for (taps, mut out) in row_taps.iter().zip(crop.rows_mut()) {
        line[first..=last].fill(0.0);
        for &(row, weight) in taps {
            let source = plane.row(row);
            for (sum, value) in line[first..=last].iter_mut().zip(source.iter().skip(first)) {
                *sum += weight * value;
            }
        }
        for (value, taps) in out.iter_mut().zip(&col_taps) {
            *value = taps.iter().map(|&(col, weight)| weight * line[col]).sum();
        }
    }
    crop
}

/// For each output pixel of one axis of a crop: the source pixels that it is made of, with weights that sum to 1.
fn crop_taps(center: f32, size_px: usize, scale: f32, n: usize) -> Vec<Vec<(usize, f32)>> {
    // A small excess over 1 (rounding of a pixel size) is no reason to blur.
    let points = if scale > 1.05 { scale.ceil() as usize } else { 1 };
    let middle = (size_px as f32 - 1.0) / 2.0;
    let taps_of = |i: usize| {
        let mut taps = Vec::with_capacity(2 * points);
        for point in 0..points {
            let spread = (point as f32 + 0.5) / points as f32 - 0.5;
            let at = center + scale * (i as f32 - middle + spread);
            let (whole, part) = (at.floor(), at - at.floor());
            for (index, weight) in [(whole as i64, 1.0 - part), (whole as i64 + 1, part)] {
                // A weight of 0 must not let in a pixel that is not a number.
                if weight > 0.0 {
                    taps.push((mirror(index, n), weight / points as f32));
                }
            }
        }
        taps
    };
    (0..size_px).map(taps_of).collect()
}

/// The value at a point between pixel centres, mirrored outside.
fn bilinear(plane: ArrayView2<f32>, row: f32, col: f32) -> f32 {
    let (rows, cols) = plane.dim();
    if rows == 0 || cols == 0 {
        return 0.0;
    }
    let (r0, c0) = (row.floor(), col.floor());
    let (fr, fc) = (row - r0, col - c0);
    let (r0, c0) = (r0 as i64, c0 as i64);
    let (ra, rb) = (mirror(r0, rows), mirror(r0 + 1, rows));
    let (ca, cb) = (mirror(c0, cols), mirror(c0 + 1, cols));
    let top = plane[(ra, ca)] + (plane[(ra, cb)] - plane[(ra, ca)]) * fc;
    let bottom = plane[(rb, ca)] + (plane[(rb, cb)] - plane[(rb, ca)]) * fc;
    top + (bottom - top) * fr
}

/// Index `i` of an endless line that mirrors `n` pixels at both ends.
pub(crate) fn mirror(i: i64, n: usize) -> usize {
    if (0..n as i64).contains(&i) {
        return i as usize;
    }
    let n = n as i64;
    let i = i.rem_euclid(2 * n);
    (if i < n { i } else { 2 * n - 1 - i }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn ramp() -> Array2<f32> {
        Array2::from_shape_fn((9, 11), |(r, c)| (10 * r + c) as f32)
    }

    #[test]
    fn identity_copies_and_mirrors_outside() {
        let plane = ramp();
        assert_eq!(resample(plane.view(), &Affine::IDENTITY, plane.dim()), plane);
        assert_eq!(
            (-4..7).map(|i| mirror(i, 3)).collect::<Vec<_>>(),
            [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]
        );
    }

    #[test]
    fn crops_show_their_centre_in_the_middle() {
        let plane = ramp();
        assert_eq!(
            crop_at(plane.view(), (4.0, 5.0), 3, 1.0),
            crate::labels::PixelBox {
                row0: 3,
                col0: 4,
                row1: 6,
                col1: 7
            }
            .of(plane.view())
        );
        // Half a pixel between four pixels; linear ramps are met exactly, also when shrunk.
        let even = crop_at(plane.view(), (4.5, 5.5), 2, 1.0);
        assert_eq!(even, array![[45.0, 46.0], [55.0, 56.0]]);
        let half = crop_at(plane.view(), (4.0, 5.0), 3, 2.0);
        assert!((half[(1, 1)] - 45.0).abs() < 1e-4 && (half[(1, 2)] - 47.0).abs() < 1e-4);
    }

    #[test]
    fn a_crop_is_what_resampling_shows() {
        let plane = Array2::from_shape_fn((21, 17), |(r, c)| ((r * 37 + c * 101) % 64) as f32 / 64.0);
        for (center, size, scale) in [
            ((3.2, 15.7), 12, 0.7),
            ((10.0, 8.5), 9, 1.0),
            ((-2.0, 30.0), 7, 1.04),
        ] {
            let affine = Affine::about([[scale, 0.0], [0.0, scale]], (size, size), center);
            let expected = resample(plane.view(), &affine, (size, size));
            let crop = crop_at(plane.view(), center, size, scale);
            assert!(
                crop.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5),
                "{center:?} {scale}"
            );
        }
        // Half the size: each output pixel is the mean of four points a quarter of its side from its centre.
        let (center, scale) = ((9.3, 8.1), 2.0);
        let fine = Affine::about([[1.0, 0.0], [0.0, 1.0]], (10, 10), center);
        let fine = resample(plane.view(), &fine, (10, 10));
        let crop = crop_at(plane.view(), center, 5, scale);
        for ((r, c), value) in crop.indexed_iter() {
            let four = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(a, b)| fine[(2 * r + a, 2 * c + b)]);
            assert!((value - four.iter().sum::<f32>() / 4.0).abs() < 1e-5, "{r},{c}");
        }
    }

    #[test]
    fn shrinking_averages_a_checkerboard() {
        let board = Array2::from_shape_fn((40, 40), |(r, c)| ((r + c) % 2) as f32);
        let small = crop_at(board.view(), (19.5, 19.5), 10, 2.0);
        assert!(small.iter().all(|v| (v - 0.5).abs() < 1e-6));
    }

    #[test]
    fn quarter_turn_moves_the_corners() {
        let plane = array![[1.0, 2.0], [3.0, 4.0f32]];
        let turn = Affine::about(
            Affine::rotation(std::f32::consts::FRAC_PI_2, 1.0),
            (2, 2),
            (0.5, 0.5),
        );
        let turned = resample(plane.view(), &turn, (2, 2)).mapv(f32::round);
        assert_eq!(turned, array![[3.0, 1.0], [4.0, 2.0]]);
        let nearest = resample_nearest(array![[1, 2], [3, 4u32]].view(), &turn, (3, 2));
        assert_eq!(nearest, array![[3, 1], [4, 2], [0, 0]]);
    }
}
