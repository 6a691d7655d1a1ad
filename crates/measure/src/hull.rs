//! Convex hulls of objects: how large they are and how wide.
//!
//! All points are integers, so that nothing hangs on rounding.

/// A point (row, column).
type Point = (i64, i64);

/// The corners of the convex hull of `points`, in order around it, without points on its edges. Sorts `points`.
///
/// Source: Andrew 1979 (monotone chain), doi 10.1016/0020-0190(79)90072-3.
fn convex_hull(points: &mut Vec<Point>) -> Vec<Point> {
    points.sort_unstable();
    points.dedup();
    if points.len() < 3 {
        return points.clone();
    }
    let mut hull: Vec<Point> = Vec::new();
    for pass in 0..2 {
        let start = hull.len();
        let mut add = |p: Point| {
            while hull.len() >= start + 2 && cross(hull[hull.len() - 2], hull[hull.len() - 1], p) <= 0 {
                hull.pop();
            }
            hull.push(p);
        };
        if pass == 0 {
            points.iter().copied().for_each(&mut add);
        } else {
            points.iter().rev().copied().for_each(&mut add);
        }
        // The last point of a chain is the first of the next.
        hull.pop();
    }
    hull
}

/// Twice the signed area of the triangle `o`, `a`, `b`.
fn cross(o: Point, a: Point, b: Point) -> i64 {
    (a.0 - o.0) * (b.1 - o.1) - (a.1 - o.1) * (b.0 - o.0)
}

/// Pixels whose centre lies in the convex hull of the pixels' edge mid-points.
///
/// `extremes` has the first and last column of the object in each row that it reaches, rows ascending.
/// This is scikit-image's `convex_hull_image` with offset coordinates and included borders.
pub(crate) fn convex_area(extremes: &[(i64, i64, i64)]) -> u64 {
    // In half pixels; mid-points between the extremes of a row cannot be corners.
    let mut points: Vec<Point> = extremes
        .iter()
        .flat_map(|&(row, first, last)| {
            let (r, a, b) = (2 * row, 2 * first, 2 * last);
            [
                (r, a - 1),
                (r, b + 1),
                (r - 1, a),
                (r + 1, a),
                (r - 1, b),
                (r + 1, b),
            ]
        })
        .collect();
    let hull = convex_hull(&mut points);
    let (Some(top), Some(bottom)) = (extremes.first(), extremes.last()) else {
        return 0;
    };
    let mut area = 0;
    for row in top.0..=bottom.0 {
        let y = 2 * row;
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        for (i, &(y0, x0)) in hull.iter().enumerate() {
            let (y1, x1) = hull[(i + 1) % hull.len()];
            let ((y0, x0), (y1, x1)) = if y0 <= y1 {
                ((y0, x0), (y1, x1))
            } else {
                ((y1, x1), (y0, x0))
            };
            if y0 == y1 || y < y0 || y > y1 {
                continue;
            }
            // The edge crosses the row at column `numerator / denominator`, in pixels.
            let numerator = x0 * (y1 - y0) + (x1 - x0) * (y - y0);
            let denominator = 2 * (y1 - y0);
            first = first.min(-(-numerator).div_euclid(denominator));
            last = last.max(numerator.div_euclid(denominator));
        }
        area += (last - first + 1).max(0) as u64;
    }
    area
}

/// Smallest and largest width (Feret diameter) of the hull of the pixel centres, in pixels; (0, 0) for one pixel.
pub(crate) fn feret_diameters(extremes: &[(i64, i64, i64)]) -> (f64, f64) {
    let mut points: Vec<Point> = extremes
        .iter()
        .flat_map(|&(row, first, last)| [(row, first), (row, last)])
        .collect();
    let hull = convex_hull(&mut points);
    let squared = |a: Point, b: Point| (a.0 - b.0).pow(2) + (a.1 - b.1).pow(2);
    let longest = hull
        .iter()
        .flat_map(|&a| hull.iter().map(move |&b| squared(a, b)))
        .max()
        .unwrap_or(0);
    if hull.len() < 3 {
        return (0.0, (longest as f64).sqrt());
    }
    let width = |i: usize| {
        let (a, b) = (hull[i], hull[(i + 1) % hull.len()]);
        let farthest = hull.iter().map(|&p| cross(a, b, p).abs()).max().unwrap_or(0);
        farthest as f64 / (squared(a, b) as f64).sqrt()
    };
    let narrowest = (0..hull.len()).map(width).fold(f64::INFINITY, f64::min);
    (narrowest, (longest as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hull_has_corners_only() {
        let mut points = vec![(0, 0), (0, 1), (0, 2), (1, 1), (2, 0), (2, 2), (2, 1), (1, 0)];
        assert_eq!(convex_hull(&mut points), vec![(0, 0), (2, 0), (2, 2), (0, 2)]);
    }

    #[test]
    fn pixel_and_line() {
        assert_eq!(convex_area(&[(3, 5, 5)]), 1);
        assert_eq!(feret_diameters(&[(3, 5, 5)]), (0.0, 0.0));
        assert_eq!(convex_area(&[(3, 5, 19)]), 15);
        assert_eq!(feret_diameters(&[(3, 5, 19)]), (0.0, 14.0));
    }
}
