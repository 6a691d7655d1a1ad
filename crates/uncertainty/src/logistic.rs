//! Logistic regression with several columns: maps from measures to a probability.

use ndarray::{Array2, ArrayView2};

/// Newton steps; convergence takes about eight.
const MAX_STEPS: usize = 60;
/// A small ridge keeps separable data finite; relative to the number of rows.
const RIDGE: f64 = 1e-6;
/// The largest change of a coefficient that counts as none.
const TOLERANCE: f64 = 1e-9;

/// Coefficients of P(hit) = logistic(row · coefficients) by maximum likelihood with a tiny ridge (1e-6 × rows / 2).
///
/// Shapes: `rows` × columns (put a column of ones in for the intercept), one hit a row. `None` when not estimable: no rows, a
/// value that is not finite, all hits or all misses, or a singular information matrix. Panics: when the lengths differ.
/// Source: iteratively reweighted least squares (McCullagh, Nelder 1989, section 2.5).
pub fn logistic_regression(rows: ArrayView2<f64>, hit: &[bool]) -> Option<Vec<f64>> {
    assert_eq!(rows.nrows(), hit.len(), "one hit or miss per row");
    let width = rows.ncols();
    if width == 0 || !hit.contains(&true) || !hit.contains(&false) || rows.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let ridge = RIDGE * hit.len() as f64;
    let mut coefficients = vec![0.0; width];
    for _ in 0..MAX_STEPS {
        let mut gradient: Vec<f64> = coefficients.iter().map(|c| -ridge * c).collect();
        let mut information = Array2::<f64>::from_diag_elem(width, ridge);
        for (row, &hit) in rows.rows().into_iter().zip(hit) {
            let eta: f64 = row.iter().zip(&coefficients).map(|(x, c)| x * c).sum();
            let p = 1.0 / (1.0 + (-eta).exp());
            let (gap, weight) = (f64::from(u8::from(hit)) - p, (p * (1.0 - p)).max(1e-12));
            for i in 0..width {
                gradient[i] += gap * row[i];
                for j in 0..=i {
                    information[[i, j]] += weight * row[i] * row[j];
                }
            }
        }
        let step = solve(information, gradient)?;
        // Half a step at most doubles the work, and never leaves the bowl on real measures.
        let longest = step.iter().fold(0.0f64, |a, s| a.max(s.abs()));
        let shrink = if longest > 5.0 { 5.0 / longest } else { 1.0 };
        for (coefficient, step) in coefficients.iter_mut().zip(&step) {
            *coefficient += shrink * step;
        }
        if longest < TOLERANCE {
            break;
        }
    }
    Some(coefficients)
}

/// Solves A x = b for a symmetric positive definite A given by its lower triangle (Cholesky).
fn solve(mut a: Array2<f64>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| a[[i, k]] * a[[j, k]]).sum();
            if i == j {
                let pivot = a[[i, i]] - sum;
                if pivot <= 0.0 || !pivot.is_finite() {
                    return None;
                }
                a[[i, i]] = pivot.sqrt();
            } else {
                a[[i, j]] = (a[[i, j]] - sum) / a[[j, j]];
            }
        }
    }
    for i in 0..n {
        let sum: f64 = (0..i).map(|k| a[[i, k]] * b[k]).sum();
        b[i] = (b[i] - sum) / a[[i, i]];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| a[[k, i]] * b[k]).sum();
        b[i] = (b[i] - sum) / a[[i, i]];
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{calibration_slope, stream, uniform};

    #[test]
    fn one_column_equals_the_recalibration_test() {
        let mut random = stream(3, "logistic");
        let confidence: Vec<f64> = (0..400).map(|_| 0.05 + 0.9 * uniform(&mut random)).collect();
        let hit: Vec<bool> = confidence.iter().map(|c| uniform(&mut random) < *c).collect();
        let rows = Array2::from_shape_fn((400, 2), |(row, column)| {
            if column == 0 {
                1.0
            } else {
                (confidence[row] / (1.0 - confidence[row])).ln()
            }
        });
        let ours = logistic_regression(rows.view(), &hit).unwrap();
        let cox = calibration_slope(&confidence, &hit).unwrap();
        assert!((ours[0] - cox.intercept).abs() < 1e-4 && (ours[1] - cox.slope).abs() < 1e-4);
    }

    #[test]
    fn separable_rows_stay_finite_and_constant_hits_are_not_estimable() {
        let rows = Array2::from_shape_fn(
            (20, 2),
            |(row, column)| if column == 0 { 1.0 } else { row as f64 - 9.5 },
        );
        let hit: Vec<bool> = (0..20).map(|row| row > 9).collect();
        assert!(
            logistic_regression(rows.view(), &hit)
                .unwrap()
                .iter()
                .all(|c| c.is_finite())
        );
        assert!(logistic_regression(rows.view(), &[true; 20]).is_none());
    }
}
