//! The exact Euclidean distance transform.

use ndarray::{Array2, ArrayView2};

use crate::labels::Labels;

/// What lies beyond the border of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Nothing is known: the border is no edge of an object.
    Unknown,
    /// Background: a pixel at the border has distance 1, as CellProfiler's radii have it.
    Background,
}

/// Distance from each `true` pixel of `mask` to the centre of the nearest `false` pixel, in pixels; 0 on `false` pixels.
///
/// Without any `false` pixel (and with [`Beyond::Unknown`]) the distance is infinite everywhere.
/// Cost: linear in the number of pixels; exact (integer arithmetic).
/// Source: Meijster, Roerdink, Hesselink 2000, doi 10.1007/0-306-47025-X_36.
pub fn distance_transform(mask: ArrayView2<bool>, beyond: Beyond) -> Array2<f32> {
    let (rows, cols) = mask.dim();
    let pad = usize::from(beyond == Beyond::Background);
    let (h, w) = (rows + 2 * pad, cols + 2 * pad);
    let mut inside = vec![false; h * w];
    for ((row, col), &m) in mask.indexed_iter() {
        inside[(row + pad) * w + col + pad] = m;
    }
    let squared = squared_distances(&inside, h, w);
    Array2::from_shape_fn((rows, cols), |(row, col)| {
        match squared[(row + pad) * w + col + pad] {
            Some(d) => (d as f64).sqrt() as f32,
            None => f32::INFINITY,
        }
    })
}

/// Distance from each object pixel to the nearest pixel that is not of the same object, in pixels; 0 on background.
///
/// Touching objects count as outside. Cost: the sum of the areas of the objects' boxes.
pub fn distance_in_objects(labels: &Labels, beyond: Beyond) -> Array2<f32> {
    let shape = labels.shape();
    let mut result = Array2::<f32>::zeros(shape);
    for (index, bounds) in labels.boxes().iter().enumerate() {
        if bounds.row1 == 0 {
            continue;
        }
        let label = index as u32 + 1;
        // One pixel more than the box, so that outside is outside except at the border of the image.
        let window = bounds.grown(1, shape);
        let part = window.of(labels.map.view());
        let distance = distance_transform(part.mapv(|l| l == label).view(), beyond);
        for ((row, col), &d) in distance.indexed_iter() {
            if part[(row, col)] == label {
                result[(window.row0 + row, window.col0 + col)] = d;
            }
        }
    }
    result
}

/// Squared distance to the nearest `false` pixel, `None` where there is none.
fn squared_distances(inside: &[bool], h: usize, w: usize) -> Vec<Option<u64>> {
    if h == 0 || w == 0 {
        return Vec::new();
    }
    let far = (h + w) as i64;
    // Phase 1: distance along each column.
    let mut g = vec![0i64; h * w];
    for i in 0..h * w {
        g[i] = match (inside[i], i >= w) {
            (false, _) => 0,
            (true, true) => (g[i - w] + 1).min(far),
            (true, false) => far,
        };
    }
    for i in (0..(h - 1) * w).rev() {
        g[i] = g[i].min(g[i + w] + 1);
    }
    // Phase 2: lower envelope of the parabolas of each row.
    let mut result = vec![None; h * w];
    let (mut s, mut t) = (vec![0usize; w], vec![0usize; w]);
    for (g, out) in g.chunks_exact(w).zip(result.chunks_exact_mut(w)) {
        let f = |x: usize, i: usize| {
            let step = x as i64 - i as i64;
            step * step + g[i] * g[i]
        };
        let mut q: isize = 0;
        (s[0], t[0]) = (0, 0);
        for u in 1..w {
            while q >= 0 && f(t[q as usize], s[q as usize]) > f(t[q as usize], u) {
                q -= 1;
            }
            if q < 0 {
                q = 0;
                (s[0], t[0]) = (u, 0);
            } else {
                let i = s[q as usize];
                let (u_, i_) = (u as i64, i as i64);
                let crossing = (u_ * u_ - i_ * i_ + g[u] * g[u] - g[i] * g[i]).div_euclid(2 * (u_ - i_));
                if crossing + 1 < w as i64 {
                    q += 1;
                    (s[q as usize], t[q as usize]) = (u, (crossing + 1) as usize);
                }
            }
        }
        for u in (0..w).rev() {
            let d = f(u, s[q as usize]);
            out[u] = (d < far * far).then_some(d as u64);
            if u == t[q as usize] {
                q -= 1;
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// Distance by looking at every pixel pair.
    fn brute(mask: &Array2<bool>) -> Array2<f32> {
        Array2::from_shape_fn(mask.dim(), |(r, c)| {
            if !mask[(r, c)] {
                return 0.0;
            }
            let nearest = mask.indexed_iter().filter(|(_, m)| !**m).map(|((y, x), _)| {
                let (dy, dx) = (y as f64 - r as f64, x as f64 - c as f64);
                (dy * dy + dx * dx).sqrt()
            });
            nearest.fold(f64::INFINITY, f64::min) as f32
        })
    }

    #[test]
    fn equals_brute_force_on_many_masks() {
        let mut state = 12345u64;
        for case in 0..60 {
            let (h, w) = (1 + case % 9, 1 + (case * 7) % 13);
            let mask = Array2::from_shape_fn((h, w), |_| {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (state >> 60) > (case as u64 % 5)
            });
            assert_eq!(
                distance_transform(mask.view(), Beyond::Unknown),
                brute(&mask),
                "case {case}: {mask:?}"
            );
        }
    }

    #[test]
    fn the_border_is_background_only_when_asked() {
        let full = Array2::from_elem((3, 3), true);
        assert!(
            distance_transform(full.view(), Beyond::Unknown)
                .iter()
                .all(|d| d.is_infinite())
        );
        assert_eq!(
            distance_transform(full.view(), Beyond::Background),
            array![[1.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 1.0]]
        );
    }

    #[test]
    fn touching_objects_are_outside_of_each_other() {
        let labels = Labels::relabel(array![[1, 1, 2, 2, 2]]);
        assert_eq!(
            distance_in_objects(&labels, Beyond::Unknown),
            array![[2.0, 1.0, 1.0, 2.0, 3.0]]
        );
    }
}
