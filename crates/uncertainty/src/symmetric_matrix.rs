//! Cholesky factor of a covariance and the whitening it gives.

use crate::error::UncertaintyError;
use ndarray::{Array2, ArrayView2};

/// A pivot below this share of its diagonal entry is rounding, not variance.
const RELATIVE_PIVOT: f64 = 1e-12;

/// Lower-triangular L with L Lᵀ = `matrix`.
///
/// Errors: [`UncertaintyError::Singular`] with the first feature whose variance is explained by those before it; `rows` is only reported.
pub(crate) fn cholesky(matrix: ArrayView2<f64>, rows: usize) -> Result<Array2<f64>, UncertaintyError> {
    let dimensions = matrix.nrows();
    let mut lower = Array2::<f64>::zeros((dimensions, dimensions));
    for i in 0..dimensions {
        for j in 0..=i {
            let (row_i, row_j) = (lower.row(i), lower.row(j));
            let inner: f64 = row_i.iter().zip(row_j).take(j).map(|(a, b)| a * b).sum();
            let rest = matrix[[i, j]] - inner;
            if i == j {
                // NaN fails the comparison and is refused too.
                if !(rest > RELATIVE_PIVOT * matrix[[i, i]] && rest > 0.0) {
                    return Err(UncertaintyError::Singular {
                        dimensions,
                        rows,
                        pivot: i,
                        value: rest,
                    });
                }
                lower[[i, i]] = rest.sqrt();
            } else {
                lower[[i, j]] = rest / lower[[j, j]];
            }
        }
    }
    Ok(lower)
}

/// L⁻¹ of a lower-triangular L with positive diagonal.
pub(crate) fn inverse_of_lower(lower: &Array2<f64>) -> Array2<f64> {
    let n = lower.nrows();
    let mut inverse = Array2::<f64>::zeros((n, n));
    for column in 0..n {
        for row in column..n {
            let unit = if row == column { 1.0 } else { 0.0 };
            let inner: f64 = (column..row)
                .map(|k| lower[[row, k]] * inverse[[k, column]])
                .sum();
            inverse[[row, column]] = (unit - inner) / lower[[row, row]];
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_factor_gives_the_matrix_back_and_its_inverse_the_identity() {
        let matrix = array![[4.0, 2.0, -1.0], [2.0, 5.0, 0.5], [-1.0, 0.5, 3.0]];
        let lower = cholesky(matrix.view(), 10).unwrap();
        let product = lower.dot(&lower.t());
        assert!((&product - &matrix).iter().all(|d| d.abs() < 1e-14));
        let identity = inverse_of_lower(&lower).dot(&lower);
        assert!(
            (&identity - &Array2::<f64>::eye(3))
                .iter()
                .all(|d| d.abs() < 1e-14)
        );
    }

    #[test]
    fn a_duplicated_feature_is_named() {
        let matrix = array![[1.0, 0.0, 1.0], [0.0, 2.0, 0.0], [1.0, 0.0, 1.0]];
        assert!(matches!(
            cholesky(matrix.view(), 7),
            Err(UncertaintyError::Singular {
                pivot: 2,
                rows: 7,
                ..
            })
        ));
        let nan = array![[f64::NAN]];
        assert!(matches!(
            cholesky(nan.view(), 7),
            Err(UncertaintyError::Singular { pivot: 0, .. })
        ));
    }
}
