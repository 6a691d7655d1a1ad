//! Room `uncertainty`: from samples and scores to numbers that know their own doubt.
//!
//! Pooling of member × draw probabilities with the exact entropy split, temperature, conformal sets and p-values,
//! novelty scores, false discovery rates, plate statistics, label shift, calibration measures and classification
//! scores. Everything is a function of values (ndarray views and slices in, arrays and plain structs out): no file,
//! no clock, no thread, no hidden state. Formulas and sources: METHODS.md of the project; each public item names its own.
//!
//! Invariants: statistics are f64, logarithms natural; larger novelty scores mean "more novel"; randomness comes only
//! from [`stream`]; a number that the data cannot support is `None`, never 0.
#![forbid(unsafe_code)]

mod adjusted_count;
mod beta_binomial;
mod bootstrap;
mod calibration_error;
mod calibration_slope;
mod classification;
mod conformal_p;
mod conformal_set;
mod control_separation;
mod count_test;
mod detection;
mod entropy;
mod error;
mod gate;
mod label_shift;
mod ledoit_wolf;
mod logistic;
mod mahalanobis;
mod multiple_testing;
mod nearest_neighbors;
mod poisson_binomial;
mod pooling;
mod posterior_predictive;
mod rank_sum;
mod reliability;
mod robust;
mod smooth_ece;
mod stream;
mod symmetric_matrix;
mod temperature;
mod wilson;

pub use adjusted_count::{adjusted_count, project_to_simplex};
pub use beta_binomial::{BetaBinomial, BetaBinomialFit, beta_binomial_fit};
pub use bootstrap::{bootstrap_groups, percentile};
pub use calibration_error::{
    NullBand, classwise_debiased_l2, classwise_ece, debiased_l2, ece_equal_mass, ece_equal_width,
    ece_null_band,
};
pub use calibration_slope::{CalibrationSlope, calibration_slope};
pub use classification::{
    ClassScores, ClassificationScores, accuracy, balanced_accuracy, brier, classification_scores, confusion,
    macro_f1, mean_confidence, nll, top_class,
};
pub use conformal_p::{
    conformal_p, conformal_p_by_group, conformal_p_leave_group_out, cross_conformal_p, rank_against,
    weighted_conformal_p,
};
pub use conformal_set::{
    ClassReference, ConformalPredictor, ConformalReference, DEFAULT_ALPHA, conformal_rank, grouped_quantile,
};
pub use control_separation::{ZPrime, ssmd, ssmd_robust, z_prime, z_prime_interval, z_prime_robust};
pub use count_test::{
    CountTest, Dispersion, NegativeBinomialFit, count_test, count_test_wells, negative_binomial_fit,
};
pub use detection::{auroc, false_alarms_at_95, share_found_at};
pub use entropy::{energy, entropy, log_softmax, log_sum_exp, normalized_entropy, one_minus_max};
pub use error::UncertaintyError;
pub use gate::{GATE_LEVEL, Gate, GateCells, training_gate};
pub use label_shift::{LabelShift, adjust_to_shares, label_shift_em, label_shift_interval};
pub use ledoit_wolf::{Covariance, Shrinkage, covariance};
pub use logistic::logistic_regression;
pub use mahalanobis::{Mahalanobis, RelativeMahalanobis};
pub use multiple_testing::{
    DetectionFloor, Storey, benjamini_hochberg, calibration_cells_needed, detection_floor, storey,
};
pub use nearest_neighbors::KNearest;
pub use poisson_binomial::poisson_binomial_interval;
pub use pooling::{Pooled, pool, pool_f64, pool_log};
pub use posterior_predictive::{PosteriorPredictive, posterior_predictive_p};
pub use rank_sum::{Tail, exact_rank_sum, exact_rank_sum_stratified, smallest_rank_sum_p};
pub use reliability::{ReliabilityBin, consistency_band, reliability};
pub use robust::{MAD_TO_SD, mad, median, robust_z};
pub use smooth_ece::{smooth_ece, smooth_ece_at};
pub use stream::{below, stream, uniform};
pub use temperature::{Temperature, TemperatureFit};
pub use wilson::{Z_95, wilson};
