//! Temperature scaling of the pooled log-probabilities.

use crate::entropy::log_sum_exp;
use ndarray::{Array2, ArrayView2};

/// Range of the inverse temperature that is searched: T from 0.05 to 100.
const INVERSE_RANGE: (f64, f64) = (0.01, 20.0);
/// ln of the smallest positive f64: stands in for ln 0, whose product with an inverse temperature has no number.
const LOG_FLOOR: f64 = -745.0;

/// One temperature for ln(pooled probability): above 1 it flattens, below 1 it sharpens. Keeps the order of the classes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Temperature(pub f64);

/// A fitted temperature and what it changed on the cells it was fitted to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TemperatureFit {
    /// The temperature.
    pub temperature: Temperature,
    /// The optimum lies outside 0.05..100 (separable cells have no finite one): the bound was taken, do not trust it.
    pub at_bound: bool,
    /// Mean negative log-likelihood before (T = 1), nats.
    pub nll_before: f64,
    /// Mean negative log-likelihood at the temperature, nats.
    pub nll_after: f64,
}

impl Temperature {
    /// Minimises the mean negative log-likelihood over T. Pool first, then calibrate: fitting members first leaves the pool under-confident.
    ///
    /// Shapes: `log_probability` is object × class (logits or log-probabilities), `label` one class index per object.
    /// -∞ (a probability of 0) is taken as -745, the logarithm of the smallest positive number.
    /// `None` without rows, or when a value or label cannot be used (NaN, label out of range, lengths differ).
    /// Source: Guo et al. 2017; Rahaman, Thiery 2021; METHODS.md section 5 (convex in 1/T, root of the derivative by bisection).
    pub fn fit(log_probability: ArrayView2<f64>, label: &[usize]) -> Option<TemperatureFit> {
        let (rows, classes) = log_probability.dim();
        if rows == 0 || label.len() != rows || label.iter().any(|&y| y >= classes) {
            return None;
        }
        let z = log_probability.mapv(|v| v.max(LOG_FLOOR));
        if log_probability.iter().any(|v| v.is_nan() || *v == f64::INFINITY) {
            return None;
        }
        // d NLL / d(1/T) = mean(sum_k p_k z_k - z_y), increasing in 1/T.
        let slope = |inverse: f64| {
            let gap = |(row, &y): (ndarray::ArrayView1<f64>, &usize)| {
                let p = softmax(row.iter().map(|v| v * inverse));
                p.iter().zip(row).map(|(p, v)| p * v).sum::<f64>() - row[y]
            };
            z.outer_iter().zip(label).map(gap).sum::<f64>() / rows as f64
        };
        let (mut low, mut high) = INVERSE_RANGE;
        let inverse = if slope(low) >= 0.0 {
            low
        } else if slope(high) <= 0.0 {
            high
        } else {
            // 60 halvings of the logarithm bring the bracket below one part in 1e17.
            for _ in 0..60 {
                let middle = (low * high).sqrt();
                if slope(middle) < 0.0 {
                    low = middle
                } else {
                    high = middle
                }
            }
            (low * high).sqrt()
        };
        let nll = |inverse: f64| {
            let one = |(row, &y): (ndarray::ArrayView1<f64>, &usize)| {
                let scaled: Vec<f64> = row.iter().map(|v| v * inverse).collect();
                log_sum_exp(&scaled) - scaled[y]
            };
            z.outer_iter().zip(label).map(one).sum::<f64>() / rows as f64
        };
        Some(TemperatureFit {
            temperature: Temperature(1.0 / inverse),
            at_bound: inverse == INVERSE_RANGE.0 || inverse == INVERSE_RANGE.1,
            nll_before: nll(1.0),
            nll_after: nll(inverse),
        })
    }

    /// Calibrated probabilities softmax(`log_probability` / T), object × class. A row with a NaN becomes NaN.
    pub fn apply(&self, log_probability: ArrayView2<f64>) -> Array2<f64> {
        let mut probability = log_probability.mapv(|v| v.max(LOG_FLOOR));
        // `max` drops a NaN: put it back, so that a missing row stays missing.
        probability.zip_mut_with(&log_probability, |p, v| {
            if v.is_nan() {
                *p = f64::NAN;
            }
        });
        for mut row in probability.outer_iter_mut() {
            let p = softmax(row.iter().map(|v| v / self.0));
            row.iter_mut().zip(p).for_each(|(r, p)| *r = p);
        }
        probability
    }
}

fn softmax(z: impl Iterator<Item = f64>) -> Vec<f64> {
    let z: Vec<f64> = z.collect();
    let max = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = z.iter().map(|v| (v - max).exp()).collect();
    let total: f64 = e.iter().sum();
    e.iter().map(|v| v / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn separable_cells_hit_the_bound_and_say_so() {
        let z = array![[1.0, 0.0], [0.0, 1.0]];
        let fit = Temperature::fit(z.view(), &[0, 1]).unwrap();
        assert!(fit.at_bound);
        assert!((fit.temperature.0 - 0.05).abs() < 1e-15);
        let hopeless = Temperature::fit(z.view(), &[1, 0]).unwrap();
        assert!(hopeless.at_bound && (hopeless.temperature.0 - 100.0).abs() < 1e-9);
    }

    #[test]
    fn an_impossible_class_gives_a_number_and_a_missing_row_stays_missing() {
        let z = array![[0.0, f64::NEG_INFINITY], [f64::NAN, 0.0]];
        let p = Temperature(2.0).apply(z.view());
        assert_eq!(p.row(0).to_vec()[0], 1.0);
        assert!(p.row(1).iter().all(|v| v.is_nan()));
        assert!(Temperature::fit(z.view(), &[0, 0]).is_none());
    }
}
