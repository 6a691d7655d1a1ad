//! Covariance with Ledoit-Wolf shrinkage.

use ndarray::{Array2, ArrayView2, Axis};

/// How a covariance is regularised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shrinkage {
    /// Not at all: only when there are many more rows than features (more than ten times).
    None,
    /// Towards a multiple of the identity, by the share that minimises the expected squared error.
    LedoitWolf,
}

/// A covariance matrix and how much of it is prior.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariance {
    /// Feature × feature, divisor N.
    pub matrix: Array2<f64>,
    /// Share d of the target tr(S)/D·I in (1-d) S + d tr(S)/D I; 0 without shrinkage.
    pub shrinkage: f64,
}

/// Covariance (divisor N) of residuals that are already centred, about class means or about one mean.
///
/// Shapes: `residuals` is row × feature, at least one of each. All values finite.
/// Panics: when empty. Cost: rows × features².
/// Source: Ledoit, Wolf 2004 (equations as in scikit-learn's `ledoit_wolf_shrinkage`); METHODS.md section 7.
pub fn covariance(residuals: ArrayView2<f64>, shrinkage: Shrinkage) -> Covariance {
    let (rows, features) = residuals.dim();
    assert!(
        rows > 0 && features > 0,
        "no residuals to estimate a covariance from"
    );
    let (n, d) = (rows as f64, features as f64);
    let mut matrix = residuals.t().dot(&residuals) / n;
    let share = match shrinkage {
        Shrinkage::None => 0.0,
        Shrinkage::LedoitWolf => {
            let mean_variance = matrix.diag().sum() / d;
            let squared_norm: f64 = matrix.iter().map(|v| v * v).sum();
            let fourth: f64 = residuals
                .axis_iter(Axis(0))
                .map(|r| r.iter().map(|v| v * v).sum::<f64>().powi(2))
                .sum();
            let noise = (fourth / n - squared_norm) / (d * n);
            let distance = squared_norm / d - mean_variance * mean_variance;
            if distance > 0.0 {
                noise.clamp(0.0, distance) / distance
            } else {
                0.0
            }
        }
    };
    let target = share * matrix.diag().sum() / d;
    matrix *= 1.0 - share;
    matrix.diag_mut().iter_mut().for_each(|v| *v += target);
    Covariance {
        matrix,
        shrinkage: share,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn fewer_rows_than_features_still_give_an_invertible_matrix() {
        let residuals = array![[1.0, -1.0, 0.5, 0.2], [-1.0, 1.0, -0.5, -0.2]];
        let plain = covariance(residuals.view(), Shrinkage::None);
        assert!(crate::symmetric_matrix::cholesky(plain.matrix.view(), 2).is_err());
        let shrunk = covariance(residuals.view(), Shrinkage::LedoitWolf);
        assert!(shrunk.shrinkage >= 0.0 && shrunk.shrinkage <= 1.0);
        let trace = |c: &Covariance| c.matrix.diag().sum();
        assert!(
            (trace(&plain) - trace(&shrunk)).abs() < 1e-14,
            "shrinkage keeps the total variance"
        );
    }
}
