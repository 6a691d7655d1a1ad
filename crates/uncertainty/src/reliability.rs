//! The reliability diagram: observed share against confidence, with what chance allows.

use crate::calibration_error::equal_mass_bins;
use crate::wilson::{Z_95, wilson};
use statrs::function::factorial::ln_binomial;

/// Two-sided level of the consistency band.
const LEVEL: f64 = 0.95;

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityBin {
    /// Mean confidence of the bin's cells.
    pub mean_confidence: f64,
    /// Share of the bin's cells that are right.
    pub share: f64,
    /// Cells in the bin.
    pub n: usize,
    /// Lower end of the 95 % Wilson interval of `share`.
    pub low: f64,
    /// Upper end of the 95 % Wilson interval of `share`.
    pub high: f64,
    /// Lower end of the consistency band: where 95 % of shares fall when the confidence is right.
    pub band_low: f64,
    /// Upper end of the consistency band.
    pub band_high: f64,
}

/// Bins of equal mass by rank of confidence, ascending; fewer bins when there are fewer cells, none without cells.
///
/// Confidences in 0..=1, no NaN. Panics: when the lengths differ.
/// Source: METHODS.md section 3 (Wilson around the observed share; binomial consistency band at the bin's mean confidence).
pub fn reliability(confidence: &[f64], hit: &[bool], bins: usize) -> Vec<ReliabilityBin> {
    assert_eq!(confidence.len(), hit.len(), "one hit or miss per confidence");
    let bin = |b: &crate::calibration_error::Bin| {
        let (low, high) = wilson(b.hits as u64, b.n as u64, Z_95);
        let (band_low, band_high) = consistency_band(b.n as u64, b.mean_confidence, LEVEL);
        let (mean_confidence, share, n) = (b.mean_confidence, b.share(), b.n);
        ReliabilityBin {
            mean_confidence,
            share,
            n,
            low,
            high,
            band_low,
            band_high,
        }
    };
    equal_mass_bins(confidence, hit, bins).iter().map(bin).collect()
}

/// Central interval of the share of hits among `n` cells that are each right with probability `confidence`.
///
/// Ends are binomial quantiles (the smallest k whose distribution function reaches the level) divided by n. (0, 1) when n is 0.
pub fn consistency_band(n: u64, confidence: f64, level: f64) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let confidence = confidence.clamp(0.0, 1.0);
    if confidence == 0.0 || confidence == 1.0 {
        return (confidence, confidence);
    }
    let quantile = |q: f64| {
        let mut sum = 0.0;
        let reached = (0..=n).find(|&k| {
            let ln_pmf =
                ln_binomial(n, k) + k as f64 * confidence.ln() + (n - k) as f64 * (-confidence).ln_1p();
            sum += ln_pmf.exp();
            sum >= q
        });
        reached.unwrap_or(n) as f64 / n as f64
    };
    (quantile((1.0 - level) / 2.0), quantile((1.0 + level) / 2.0))
}
