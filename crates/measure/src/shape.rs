//! Size and shape of one object: CellProfiler's `AreaShape`.

use std::f64::consts::{PI, SQRT_2};

use image::{Beyond, distance_transform};
use ndarray::Array2;

use crate::hull::{convex_area, feret_diameters};
use crate::object::ObjectPixels;

/// Names of the shape features, in the order of [`shape_features`].
pub(crate) const SHAPE_NAMES: [&str; 17] = [
    "Area",
    "ConvexArea",
    "EquivalentDiameter",
    "Perimeter",
    "MajorAxisLength",
    "MinorAxisLength",
    "Eccentricity",
    "FormFactor",
    "Extent",
    "Solidity",
    "EulerNumber",
    "MaximumRadius",
    "MeanRadius",
    "MedianRadius",
    "MinFeretDiameter",
    "MaxFeretDiameter",
    "Compactness",
];

/// Center and axes of the ellipse with the same second moments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ellipse {
    /// Mean row.
    pub row: f64,
    /// Mean column.
    pub col: f64,
    /// Length of the major axis.
    pub major: f64,
    /// Length of the minor axis.
    pub minor: f64,
    /// √(1 − (minor / major)²); 0 when both are 0.
    pub eccentricity: f64,
}

impl Ellipse {
    /// The ellipse of an object; second moments are those of the pixel centres, without the 1/12 of a pixel's own.
    pub fn of(object: &ObjectPixels) -> Self {
        let n = object.pixels.len() as f64;
        // Coordinates within the box keep the sums small and exact.
        let (r0, c0) = (object.bounds.row0, object.bounds.col0);
        let local = || {
            object
                .pixels
                .iter()
                .map(|&(r, c)| ((r - r0) as f64, (c - c0) as f64))
        };
        let (mut row, mut col) = (0.0, 0.0);
        for (r, c) in local() {
            row += r;
            col += c;
        }
        (row, col) = (row / n, col / n);
        let (mut rr, mut rc, mut cc) = (0.0, 0.0, 0.0);
        for (r, c) in local() {
            rr += (r - row) * (r - row);
            rc += (r - row) * (c - col);
            cc += (c - col) * (c - col);
        }
        let (rr, rc, cc) = (rr / n, rc / n, cc / n);
        let middle = (rr + cc) / 2.0;
        let spread = (((rr - cc) / 2.0).powi(2) + rc * rc).sqrt();
        let (large, small) = (middle + spread, (middle - spread).max(0.0));
        Self {
            row: row + r0 as f64,
            col: col + c0 as f64,
            major: 4.0 * large.sqrt(),
            minor: 4.0 * small.sqrt(),
            eccentricity: if large > 0.0 {
                (1.0 - small / large).sqrt()
            } else {
                0.0
            },
        }
    }
}

/// The features of [`SHAPE_NAMES`]; NaN where one is not defined (a perimeter of 0 has no form factor).
pub(crate) fn shape_features(object: &ObjectPixels, ellipse: &Ellipse) -> [f64; SHAPE_NAMES.len()] {
    let area = object.pixels.len() as f64;
    let (mask, width) = object.padded_mask();
    let perimeter = perimeter(&mask, width);
    let extremes = object.row_extremes();
    let convex = convex_area(&extremes) as f64;
    let (min_feret, max_feret) = feret_diameters(&extremes);
    let (max_radius, mean_radius, median_radius) = radii(object);
    let form_factor = if perimeter > 0.0 {
        4.0 * PI * area / (perimeter * perimeter)
    } else {
        f64::NAN
    };
    [
        area,
        convex,
        (4.0 * area / PI).sqrt(),
        perimeter,
        ellipse.major,
        ellipse.minor,
        ellipse.eccentricity,
        form_factor,
        area / (object.bounds.rows() * object.bounds.cols()) as f64,
        area / convex,
        euler_number(&mask, width) as f64,
        max_radius,
        mean_radius,
        median_radius,
        min_feret,
        max_feret,
        perimeter * perimeter / (4.0 * PI * area).max(1.0),
    ]
}

/// The perimeter estimator of Benkrid & Crookes with 4-neighbours, as scikit-image has it, on a padded mask.
///
/// 1- and 2-pixel objects have perimeter 0.
fn perimeter(mask: &[bool], width: usize) -> f64 {
    // Object pixels that erosion by the 4-neighbourhood takes away. Indices stay inside thanks to the padding.
    let inner: Vec<usize> = (width..mask.len().saturating_sub(width))
        .filter(|&i| mask[i])
        .collect();
    let mut border = vec![false; mask.len()];
    for &i in &inner {
        border[i] = !(mask[i - 1] && mask[i + 1] && mask[i - width] && mask[i + width]);
    }
    let mut sum = 0.0;
    for &i in inner.iter().filter(|&&i| border[i]) {
        let count = |steps: [usize; 4]| steps.iter().filter(|&&j| border[j]).count();
        let edges = count([i - 1, i + 1, i - width, i + width]);
        let corners = count([i - width - 1, i - width + 1, i + width - 1, i + width + 1]);
        sum += match 1 + 2 * edges + 10 * corners {
            5 | 7 | 15 | 17 | 25 | 27 => 1.0,
            21 | 33 => SQRT_2,
            13 | 23 => (1.0 + SQRT_2) / 2.0,
            _ => 0.0,
        };
    }
    sum
}

/// Objects minus holes with 8-connected foreground, from the counts of 2 × 2 patterns.
///
/// Source: Gray 1971, doi 10.1109/T-C.1971.223289: (Q1 − Q3 − 2 QD) / 4.
fn euler_number(mask: &[bool], width: usize) -> i64 {
    let mut quarters = 0i64;
    for i in 0..mask.len().saturating_sub(width + 1) {
        let (a, b, c, d) = (mask[i], mask[i + 1], mask[i + width], mask[i + width + 1]);
        quarters += match u8::from(a) + u8::from(b) + u8::from(c) + u8::from(d) {
            1 => 1,
            3 => -1,
            2 if a == d => -2,
            _ => 0,
        };
    }
    quarters / 4
}

/// Maximum, mean and median over the object of the distance to the nearest pixel outside it (or the image).
fn radii(object: &ObjectPixels) -> (f64, f64, f64) {
    let (row0, col0) = (object.bounds.row0, object.bounds.col0);
    let mut mask = Array2::from_elem((object.bounds.rows(), object.bounds.cols()), false);
    for &(row, col) in &object.pixels {
        mask[(row - row0, col - col0)] = true;
    }
    let distance = distance_transform(mask.view(), Beyond::Background);
    let mut radii: Vec<f64> = object
        .pixels
        .iter()
        .map(|&(row, col)| f64::from(distance[(row - row0, col - col0)]))
        .collect();
    radii.sort_unstable_by(f64::total_cmp);
    let n = radii.len();
    let median = (radii[(n - 1) / 2] + radii[n / 2]) / 2.0;
    (radii[n - 1], radii.iter().sum::<f64>() / n as f64, median)
}
