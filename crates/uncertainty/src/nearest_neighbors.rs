//! Distance to the k-th nearest training cell on the unit sphere (deep kNN).

use crate::error::UncertaintyError;
use ndarray::{Array1, Array2, ArrayView2, Axis};

/// Query rows handled at once: bounds the table of distances (rows × training cells).
const BLOCK_ROWS: usize = 256;

/// Training cells, each divided by its norm, and the neighbour to measure to.
#[derive(Debug, Clone, PartialEq)]
pub struct KNearest {
    training: Array2<f64>,
    k: usize,
}

impl KNearest {
    /// Keeps the normalised training cells.
    ///
    /// Shapes: `features` is cell × feature. Errors: k of 0, fewer than k cells, a value that is not finite.
    /// Source: Sun et al. 2022; METHODS.md section 7 (default k = 10).
    pub fn fit(features: ArrayView2<f64>, k: usize) -> Result<Self, UncertaintyError> {
        if k == 0 || features.nrows() < k {
            let what = "the k-th nearest neighbour (k of at least 1)";
            return Err(UncertaintyError::TooFew {
                what,
                needed: k.max(1),
                found: features.nrows(),
            });
        }
        for (row, values) in features.outer_iter().enumerate() {
            if let Some(&value) = values.iter().find(|v| !v.is_finite()) {
                let what = "the features of a nearest-neighbour distance";
                return Err(UncertaintyError::NotFinite { what, row, value });
            }
        }
        Ok(Self {
            training: on_the_sphere(features),
            k,
        })
    }

    /// Distance of each row (after division by its norm) to its k-th nearest training cell, 0..=2; larger = more novel.
    ///
    /// A row with a NaN gives NaN. Panics: when the number of features differs. Cost: rows × training cells × features.
    pub fn score(&self, features: ArrayView2<f64>) -> Array1<f64> {
        assert_eq!(features.ncols(), self.training.ncols(), "features as in the fit");
        self.kth(&on_the_sphere(features), |_| None)
    }

    /// Score of each training cell among the *other* training cells; infinite when there are not k others.
    pub fn leave_one_out(&self) -> Array1<f64> {
        self.kth(&self.training, Some)
    }

    fn kth(&self, rows: &Array2<f64>, left_out: impl Fn(usize) -> Option<usize>) -> Array1<f64> {
        let training_norms = squared_norms(&self.training);
        let row_norms = squared_norms(rows);
        let mut scores = Array1::zeros(rows.nrows());
        for (block, part) in rows.axis_chunks_iter(Axis(0), BLOCK_ROWS).enumerate() {
            let inner = part.dot(&self.training.t());
            let numbered = (block * BLOCK_ROWS..).zip(inner.outer_iter());
            for (row, products) in numbered {
                if row_norms[row].is_nan() {
                    scores[row] = f64::NAN;
                    continue;
                }
                let squared = products
                    .iter()
                    .zip(&training_norms)
                    .map(|(p, n)| row_norms[row] + n - 2.0 * p);
                let mut squared: Vec<f64> = squared.map(|d| d.max(0.0)).collect();
                if let Some(own) = left_out(row) {
                    squared[own] = f64::INFINITY;
                }
                let (_, kth, _) = squared.select_nth_unstable_by(self.k - 1, f64::total_cmp);
                scores[row] = kth.sqrt();
            }
        }
        scores
    }
}

fn squared_norms(rows: &Array2<f64>) -> Vec<f64> {
    rows.axis_iter(Axis(0)).map(|r| r.dot(&r)).collect()
}

/// Rows divided by their norm; a row of zeros stays where it is.
fn on_the_sphere(rows: ArrayView2<f64>) -> Array2<f64> {
    let mut rows = rows.to_owned();
    for mut row in rows.outer_iter_mut() {
        let norm = row.dot(&row).sqrt();
        if norm != 0.0 {
            row.mapv_inplace(|v| v / norm);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn length_does_not_matter_and_a_cell_does_not_count_itself() {
        let training = array![[1.0, 0.0], [0.0, 3.0], [-2.0, 0.0]];
        let knn = KNearest::fit(training.view(), 1).unwrap();
        let scores = knn.score(array![[7.0, 0.0], [0.0, -1.0], [f64::NAN, 1.0]].view());
        assert!(scores[0] == 0.0 && (scores[1] - 2.0_f64.sqrt()).abs() < 1e-15 && scores[2].is_nan());
        assert!(
            knn.leave_one_out()
                .iter()
                .all(|d| (d - 2.0_f64.sqrt()).abs() < 1e-15)
        );
        assert!(KNearest::fit(training.view(), 4).is_err() && KNearest::fit(training.view(), 0).is_err());
    }
}
