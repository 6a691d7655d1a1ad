//! Class fractions of wells, corrected for the classifier's confusion (SLD / EM; METHODS.md section 11).

use ndarray::{Array2, Axis};
use polars::prelude::DataFrame;
use uncertainty::{label_shift_em, wilson};

use crate::columns::numbers;
use crate::plate_layout::PlateLayout;
use crate::share_tests::Z_90;
use crate::{GatherParams, ProfileError};

/// Prefix of the columns of class probabilities.
const PREFIX: &str = "Metadata_Phenotype_P_";
/// Cells that a class's level of `P_Known` is shrunk by when it is estimated on this run's own controls.
const LEVEL_WEIGHT: f64 = 20.0;

/// Calibrated class probabilities of the cells that have them.
pub(crate) struct ClassMix {
    pub classes: Vec<String>,
    /// Objects × classes; a row of NaN where the object has none.
    probability: Array2<f64>,
    prior: Vec<f64>,
}

/// A class fraction with its 90 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fraction {
    pub share: f64,
    pub lower: f64,
    pub upper: f64,
}

impl ClassMix {
    /// Reads the columns; `None` when there are none or no cell has a probability.
    pub(crate) fn read(objects: &DataFrame, params: &GatherParams) -> Result<Option<Self>, ProfileError> {
        let found: Vec<String> = objects
            .get_column_names()
            .into_iter()
            .filter_map(|n| n.as_str().strip_prefix(PREFIX).map(str::to_owned))
            .collect();
        if found.is_empty() {
            return Ok(None);
        }
        let classes = params.classes.clone().unwrap_or(found);
        let mut probability = Array2::from_elem((objects.height(), classes.len()), f64::NAN);
        for (k, class) in classes.iter().enumerate() {
            for (row, p) in numbers("objects", objects, &format!("{PREFIX}{class}"))?
                .into_iter()
                .enumerate()
            {
                probability[[row, k]] = p.unwrap_or(f64::NAN);
            }
        }
        if probability.iter().all(|p| p.is_nan()) {
            return Ok(None);
        }
        let even = vec![1.0 / classes.len() as f64; classes.len()];
        let prior = params
            .class_prior
            .clone()
            .filter(|p| p.len() == classes.len())
            .unwrap_or(even);
        Ok(Some(Self {
            classes,
            probability,
            prior,
        }))
    }

    /// Rows of `rows` that have probabilities.
    fn usable(&self, rows: &[usize]) -> Vec<usize> {
        rows.iter()
            .copied()
            .filter(|&r| self.probability.row(r).iter().all(|p| p.is_finite()))
            .collect()
    }

    /// Most probable class of an object.
    pub(crate) fn top(&self, row: usize) -> Option<usize> {
        let p = self.probability.row(row);
        if p.iter().any(|p| p.is_nan()) {
            return None;
        }
        (0..p.len()).reduce(|best, k| if p[k] > p[best] { k } else { best })
    }

    /// Forgets the probabilities of an object.
    pub(crate) fn withhold(&mut self, row: usize) {
        self.probability.row_mut(row).fill(f64::NAN);
    }

    /// Mean probability of each class over these rows; `None` without a usable row.
    fn mean(&self, rows: &[usize]) -> Option<Vec<f64>> {
        let usable = self.usable(rows);
        let cells = self.probability.select(Axis(0), &usable);
        cells.mean_axis(Axis(0)).map(|m| m.to_vec())
    }

    /// Corrected fractions with 90 % intervals, and the number of cells; `None` without a usable row.
    ///
    /// The interval is Wilson's at the effective number of cells n_eff = π (1 − π) / Var(π), the variance from the observed information
    /// of the mixture likelihood: a class that the classifier confuses gets a wider one.
    pub(crate) fn fractions(&self, rows: &[usize]) -> Option<(Vec<Fraction>, usize)> {
        let usable = self.usable(rows);
        if usable.is_empty() {
            return None;
        }
        let cells = self.probability.select(Axis(0), &usable);
        let shares = label_shift_em(cells.view(), &self.prior)?.share;
        let n = usable.len() as f64;
        let variances = mixture_variances(&cells, &self.prior, &shares);
        let fractions = shares
            .iter()
            .zip(variances)
            .map(|(&share, variance)| {
                let binomial = share * (1.0 - share);
                // Where the information says nothing (a share at 0 or 1) the plain count of cells stands.
                let effective = variance
                    .filter(|v| *v > 0.0 && binomial > 1e-6)
                    .map_or(n, |v| (binomial / v).clamp(1.0, n));
                // wilson wants whole numbers: counts in hundredths of a cell keep the share, and z grows with them.
                let total = (100.0 * effective).round();
                let (lower, upper) = wilson((share * total).round() as u64, total as u64, Z_90 * 10.0);
                Fraction {
                    share,
                    lower: lower.min(share),
                    upper: upper.max(share),
                }
            })
            .collect();
        Some((fractions, usable.len()))
    }

    /// Per class, the share of cells at or below the 5 % level of `P_Known` that known cells of that class have.
    ///
    /// From the bundle when the parameters hold it; else from this run's control cells by predicted class, shrunk to 0.05.
    pub(crate) fn known_levels(
        &self,
        layout: &PlateLayout,
        p_known: &[Option<f64>],
        params: &GatherParams,
    ) -> Vec<f64> {
        if let Some(levels) = params
            .known_levels
            .as_ref()
            .filter(|l| l.len() == self.classes.len())
        {
            return levels.clone();
        }
        let mut tally = vec![(0.0, 0.0); self.classes.len()];
        for &row in layout
            .plates
            .iter()
            .flat_map(|p| &p.controls)
            .flat_map(|&w| &layout.wells[w].rows)
        {
            if let (Some(k), Some(p)) = (self.top(row), p_known[row]) {
                tally[k].0 += f64::from(u8::from(p <= 0.05));
                tally[k].1 += 1.0;
            }
        }
        tally
            .iter()
            .map(|(hits, n)| (hits + 0.05 * LEVEL_WEIGHT) / (n + LEVEL_WEIGHT))
            .collect()
    }

    /// Share of cells that fall at the 5 % level of `P_Known` by these rows' class mix alone.
    pub(crate) fn expected_known_share(&self, rows: &[usize], levels: &[f64]) -> f64 {
        self.mean(rows)
            .map_or(0.05, |mix| mix.iter().zip(levels).map(|(m, l)| m * l).sum())
    }
}

/// Variance of each mixture share, from the inverse of the observed information on the shares above zero.
fn mixture_variances(cells: &Array2<f64>, prior: &[f64], shares: &[f64]) -> Vec<Option<f64>> {
    let active: Vec<usize> = (0..shares.len()).filter(|&k| shares[k] > 1e-4).collect();
    let Some((&last, free)) = active.split_last() else {
        return vec![None; shares.len()];
    };
    let d = free.len();
    let mut information = Array2::<f64>::zeros((d, d));
    for cell in cells.outer_iter() {
        let density = |k: usize| cell[k] / prior[k].max(1e-12);
        let total: f64 = active.iter().map(|&k| shares[k] * density(k)).sum();
        if total <= 0.0 {
            continue;
        }
        let h: Vec<f64> = free
            .iter()
            .map(|&k| (density(k) - density(last)) / total)
            .collect();
        for a in 0..d {
            for b in 0..d {
                information[[a, b]] += h[a] * h[b];
            }
        }
    }
    let mut variances = vec![None; shares.len()];
    if let Some(inverse) = inverse(information) {
        for (a, &k) in free.iter().enumerate() {
            variances[k] = Some(inverse[[a, a]]);
        }
        variances[last] = Some(inverse.sum());
    }
    variances
}

/// Inverse by Gauss-Jordan with partial pivoting; `None` when singular. Used for at most a dozen classes.
fn inverse(mut a: Array2<f64>) -> Option<Array2<f64>> {
    let n = a.nrows();
    let mut out = Array2::<f64>::eye(n);
    for column in 0..n {
        let pivot = (column..n).max_by(|&i, &j| a[[i, column]].abs().total_cmp(&a[[j, column]].abs()))?;
        if a[[pivot, column]].abs() < 1e-10 {
            return None;
        }
        for j in 0..n {
            a.swap([column, j], [pivot, j]);
            out.swap([column, j], [pivot, j]);
        }
        let p = a[[column, column]];
        for j in 0..n {
            a[[column, j]] /= p;
            out[[column, j]] /= p;
        }
        for i in (0..n).filter(|&i| i != column) {
            let f = a[[i, column]];
            for j in 0..n {
                a[[i, j]] -= f * a[[column, j]];
                out[[i, j]] -= f * out[[column, j]];
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use polars::prelude::*;

    #[test]
    fn an_inverse_times_its_matrix_is_the_unit_matrix() {
        let a = array![[0.0, 2.0, 1.0], [1.0, 3.0, 0.5], [4.0, 1.0, 2.0]];
        let unit = inverse(a.clone()).unwrap().dot(&a);
        assert!((unit - Array2::<f64>::eye(3)).iter().all(|v| v.abs() < 1e-12));
        assert!(inverse(array![[1.0, 2.0], [2.0, 4.0]]).is_none());
    }

    #[test]
    fn sure_cells_give_plain_shares_with_wilsons_interval_and_confused_cells_a_wider_one() {
        let table = |high: f64| {
            let a: Vec<f64> = (0..100).map(|i| if i < 30 { high } else { 1.0 - high }).collect();
            let b: Vec<f64> = a.iter().map(|p| 1.0 - p).collect();
            df!("Metadata_Phenotype_P_A" => a, "Metadata_Phenotype_P_B" => b).unwrap()
        };
        let rows: Vec<usize> = (0..100).collect();
        let params = GatherParams::default();
        let sure = ClassMix::read(&table(1.0), &params)
            .unwrap()
            .unwrap()
            .fractions(&rows)
            .unwrap()
            .0[0];
        let (low, high) = wilson(30, 100, Z_90);
        assert!(
            (sure.share - 0.3).abs() < 1e-6
                && (sure.lower - low).abs() < 1e-3
                && (sure.upper - high).abs() < 1e-3,
            "{sure:?}"
        );
        let mixed = ClassMix::read(&table(0.8), &params)
            .unwrap()
            .unwrap()
            .fractions(&rows)
            .unwrap()
            .0[0];
        assert!(
            mixed.upper - mixed.lower > 1.3 * (sure.upper - sure.lower),
            "{mixed:?}"
        );
    }
}
