//! Pooling of member × draw probabilities and the exact split of predictive entropy.

use crate::entropy::{entropy, log_softmax, log_sum_exp};
use ndarray::{Array1, Array2, ArrayView3, ArrayView4, Axis};

/// Rounding may push a mutual information this far below 0 (nats); anything lower is a bug.
const ROUNDING_NATS: f64 = 1e-9;
/// A probability vector whose sum is further from 1 than this is not one (logits, say).
const SUM_TOLERANCE: f64 = 1e-3;

/// Pooled class probabilities and the entropy split, one row per object; entropies in nats.
///
/// `total = aleatoric + epistemic` and `epistemic = between + within`, exactly up to rounding; all lie in 0..=ln(classes).
/// An object with a NaN among its samples has NaN in every field: the caller writes null for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// Mean probability over all members and draws: object × class, rows sum to 1.
    pub probability: Array2<f64>,
    /// Entropy of the pooled probability, H(p̄).
    pub total: Array1<f64>,
    /// Mean entropy of the single samples: doubt that every sample shares.
    pub aleatoric: Array1<f64>,
    /// Mutual information of class and sample: doubt from the samples' disagreement.
    pub epistemic: Array1<f64>,
    /// The part of `epistemic` between members.
    pub between: Array1<f64>,
    /// The part of `epistemic` between the draws (dropout masks) of one member.
    pub within: Array1<f64>,
    /// Number of members M.
    pub members: usize,
    /// Number of draws T of each member.
    pub draws: usize,
}

impl Pooled {
    /// `between` and `within` corrected for the finite number of members and draws, as numbers to compare across M or T.
    ///
    /// The plug-in mutual information of S samples is about 1/S too small. `within* = within T/(T-1)`,
    /// `between* = (between - within/(T-1) (M-1)/M) M/(M-1)`; a factor with one sample is left as it is (nothing can be estimated).
    /// The corrected values no longer add up to `total` and may be slightly negative. Source: METHODS.md section 1.
    pub fn corrected(&self) -> (Array1<f64>, Array1<f64>) {
        let (m, t) = (self.members as f64, self.draws as f64);
        let within = if self.draws > 1 {
            &self.within * (t / (t - 1.0))
        } else {
            self.within.clone()
        };
        let between = match (self.members > 1, self.draws > 1) {
            (false, _) => self.between.clone(),
            (true, false) => &self.between * (m / (m - 1.0)),
            (true, true) => {
                (&self.between - &(&self.within * ((m - 1.0) / (m * (t - 1.0))))) * (m / (m - 1.0))
            }
        };
        (between, within)
    }

    /// ln of the pooled probability, object × class: the input of [`crate::Temperature`]. A probability of 0 gives -∞.
    pub fn log_probability(&self) -> Array2<f64> {
        self.probability.mapv(f64::ln)
    }
}

/// Pools samples by the mean of probabilities (the linear pool; never the mean of logits) and splits the entropy.
///
/// Shapes: `samples` is member × draw × object × class (test-time symmetries count as draws). Each probability vector is
/// renormalised to sum 1 in f64 first, so that single-precision rounding does not show in the split.
/// Missing values: an object with a NaN sample gets NaN everywhere.
/// Panics: without members, draws or classes, or when a vector's sum is further than 0.001 from 1 (a bug of the caller).
/// Cost: one logarithm per sample and class.
/// Source: Lakshminarayanan et al. 2017 (pool); Houlsby et al. 2011, Depeweg et al. 2018 (split); METHODS.md section 1.
pub fn pool(samples: ArrayView4<f32>) -> Pooled {
    pool_samples(samples, f64::from)
}

/// [`pool`] for samples in double precision.
pub fn pool_f64(samples: ArrayView4<f64>) -> Pooled {
    pool_samples(samples, |p| p)
}

fn pool_samples<T: Copy>(samples: ArrayView4<T>, to_f64: impl Fn(T) -> f64) -> Pooled {
    let (members, draws, objects, classes) = samples.dim();
    assert!(
        members > 0 && draws > 0 && classes > 0,
        "nothing to pool: samples are {:?}",
        samples.shape()
    );
    let mut probability = Array2::<f64>::zeros((objects, classes));
    let mut sample_entropy = Array1::<f64>::zeros(objects);
    let mut member_entropy = Array1::<f64>::zeros(objects);
    let mut vector = vec![0.0; classes];
    for member in samples.outer_iter() {
        let mut mean = Array2::<f64>::zeros((objects, classes));
        for draw in member.outer_iter() {
            for (object, row) in draw.outer_iter().enumerate() {
                vector.iter_mut().zip(row).for_each(|(v, &p)| *v = to_f64(p));
                let sum: f64 = vector.iter().sum();
                assert!(
                    sum.is_nan() || (sum - 1.0).abs() <= SUM_TOLERANCE,
                    "class probabilities of object {object} sum to {sum}"
                );
                vector.iter_mut().for_each(|v| *v /= sum);
                sample_entropy[object] += entropy(&vector);
                mean.row_mut(object)
                    .iter_mut()
                    .zip(&vector)
                    .for_each(|(m, v)| *m += v);
            }
        }
        mean /= draws as f64;
        for (object, row) in mean.axis_iter(Axis(0)).enumerate() {
            member_entropy[object] += row_entropy(row);
        }
        probability += &mean;
    }
    probability /= members as f64;
    sample_entropy /= (members * draws) as f64;
    member_entropy /= members as f64;
    let total: Array1<f64> = probability.axis_iter(Axis(0)).map(row_entropy).collect();
    let part = |larger: &Array1<f64>, smaller: &Array1<f64>| (larger - smaller).mapv(without_rounding);
    Pooled {
        epistemic: part(&total, &sample_entropy),
        between: part(&total, &member_entropy),
        within: part(&member_entropy, &sample_entropy),
        aleatoric: sample_entropy,
        probability,
        total,
        members,
        draws,
    }
}

fn row_entropy(row: ndarray::ArrayView1<f64>) -> f64 {
    -row.iter()
        .map(|&p| if p == 0.0 { 0.0 } else { p * p.ln() })
        .sum::<f64>()
}

/// Entropy is concave, so a mutual information is never negative but for rounding.
fn without_rounding(nats: f64) -> f64 {
    assert!(
        nats.is_nan() || nats > -ROUNDING_NATS,
        "a mutual information of {nats} nats is a bug"
    );
    if nats < 0.0 { 0.0 } else { nats }
}

/// ln of the pooled probability straight from logits, safe where the probabilities themselves underflow.
///
/// Shapes: `logits` is sample (member and draw in one axis) × object × class; the result is object × class.
/// `ln p̄ = logsumexp over samples of log-softmax - ln(samples)`.
/// Panics: without samples.
pub fn pool_log(logits: ArrayView3<f64>) -> Array2<f64> {
    let (samples, objects, classes) = logits.dim();
    assert!(samples > 0, "nothing to pool");
    let ln_samples = (samples as f64).ln();
    let mut pooled = Array2::zeros((objects, classes));
    for object in 0..objects {
        let log_p: Vec<Vec<f64>> = logits
            .index_axis(Axis(1), object)
            .outer_iter()
            .map(|z| log_softmax(&z.to_vec()))
            .collect();
        for class in 0..classes {
            let over_samples: Vec<f64> = log_p.iter().map(|p| p[class]).collect();
            pooled[[object, class]] = log_sum_exp(&over_samples) - ln_samples;
        }
    }
    pooled
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array4, array};

    #[test]
    fn two_certain_draws_that_disagree_are_all_epistemic() {
        let samples: Array4<f64> = array![[[[1.0, 0.0]]], [[[0.0, 1.0]]]];
        let pooled = pool_f64(samples.view());
        let ln2 = 2.0_f64.ln();
        assert!((pooled.total[0] - ln2).abs() < 1e-15 && (pooled.epistemic[0] - ln2).abs() < 1e-15);
        assert_eq!((pooled.aleatoric[0], pooled.within[0]), (0.0, 0.0));
    }

    #[test]
    fn a_nan_sample_stays_with_its_object() {
        let samples: Array4<f32> = array![[[[f32::NAN, 0.5], [0.25, 0.75]]]];
        let pooled = pool(samples.view());
        assert!(
            pooled.total[0].is_nan() && pooled.epistemic[0].is_nan() && pooled.probability[[0, 0]].is_nan()
        );
        assert_eq!(pooled.probability.row(1).to_vec(), [0.25, 0.75]);
    }

    #[test]
    fn one_sample_has_nothing_epistemic() {
        let samples: Array4<f32> = array![[[[0.2, 0.3, 0.5]]]];
        let pooled = pool(samples.view());
        assert_eq!(
            (pooled.epistemic[0], pooled.between[0], pooled.within[0]),
            (0.0, 0.0, 0.0)
        );
        assert_eq!(pooled.corrected().0[0], 0.0);
    }
}
