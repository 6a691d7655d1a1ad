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
    let out = (size_px, size_px);
    let affine = Affine::about([[scale, 0.0], [0.0, scale]], out, center);
    // A small excess over 1 (rounding of a pixel size) is no reason to blur.
    let points = if scale > 1.05 { scale.ceil() as usize } else { 1 };
    if points == 1 {
        return resample(plane, &affine, out);
    }
    let spread: Vec<f32> = (0..points)
        .map(|i| (i as f32 + 0.5) / points as f32 - 0.5)
        .collect();
    let weight = 1.0 / (points * points) as f32;
    Array2::from_shape_fn(out, |(row, col)| {
        let mut sum = 0.0;
        for dr in &spread {
            for dc in &spread {
                let (r, c) = affine.apply(row as f32 + dr, col as f32 + dc);
                sum += bilinear(plane, r, c);
            }
        }
        sum * weight
    })
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
