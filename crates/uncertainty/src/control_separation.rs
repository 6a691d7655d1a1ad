//! How well positive and negative controls stand apart: Z' and SSMD.

use crate::bootstrap::percentile;
use crate::robust::{MAD_TO_SD, mad, median};
use crate::stream::below;
use rand_chacha::ChaCha8Rng;

/// Fewest wells a side that have a standard deviation.
const FEWEST_WELLS: usize = 2;

/// Z' with a bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZPrime {
    /// The value, at most 1; above 0.5 is good, below 0 the bands of 3 standard deviations overlap.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Center and spread of a side by one of two rules.
type Summary = fn(&[f64]) -> Option<(f64, f64)>;

fn mean_and_sd(values: &[f64]) -> Option<(f64, f64)> {
    if values.len() < FEWEST_WELLS || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Some((mean, (squares / (n - 1.0)).sqrt()))
}

fn median_and_mad(values: &[f64]) -> Option<(f64, f64)> {
    if values.len() < FEWEST_WELLS || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    Some((median(values)?, MAD_TO_SD * mad(values)?))
}

fn z_prime_by(summary: Summary, positive: &[f64], negative: &[f64]) -> Option<f64> {
    let ((mean_p, sd_p), (mean_n, sd_n)) = (summary(positive)?, summary(negative)?);
    let gap = (mean_p - mean_n).abs();
    (gap > 0.0).then(|| 1.0 - 3.0 * (sd_p + sd_n) / gap)
}

fn ssmd_by(summary: Summary, positive: &[f64], negative: &[f64]) -> Option<f64> {
    let ((mean_p, sd_p), (mean_n, sd_n)) = (summary(positive)?, summary(negative)?);
    let spread = sd_p.hypot(sd_n);
    (spread > 0.0).then(|| (mean_p - mean_n) / spread)
}

/// Z' = 1 - 3 (s_p + s_n) / |m_p - m_n| of well values, standard deviations with n - 1.
///
/// `None` with fewer than two wells a side, values that are not finite, or equal means. Source: Zhang, Chung, Oldenburg 1999.
pub fn z_prime(positive: &[f64], negative: &[f64]) -> Option<f64> {
    z_prime_by(mean_and_sd, positive, negative)
}

/// [`z_prime`] with medians and scaled MADs. `None` likewise.
pub fn z_prime_robust(positive: &[f64], negative: &[f64]) -> Option<f64> {
    z_prime_by(median_and_mad, positive, negative)
}

/// [`z_prime`] with a percentile interval from resampling the wells of each side.
///
/// `level` in (0, 1), `rounds` about 2000, `rng` from [`crate::stream`]. `None` where Z' is `None`, or when fewer than
/// half of the rounds have a Z'. With fewer than about 6 wells a side the interval is too short: print the number of wells beside it.
pub fn z_prime_interval(
    positive: &[f64],
    negative: &[f64],
    level: f64,
    rounds: usize,
    rng: &mut ChaCha8Rng,
) -> Option<ZPrime> {
    let value = z_prime(positive, negative)?;
    let mut resample =
        |side: &[f64]| -> Vec<f64> { side.iter().map(|_| side[below(rng, side.len())]).collect() };
    let drawn: Vec<f64> = (0..rounds)
        .filter_map(|_| z_prime(&resample(positive), &resample(negative)))
        .collect();
    if 2 * drawn.len() < rounds.max(1) {
        return None;
    }
    let low = percentile(&drawn, (1.0 - level) / 2.0)?;
    let high = percentile(&drawn, (1.0 + level) / 2.0)?;
    Some(ZPrime { value, low, high })
}

/// Strictly standardised mean difference (m_p - m_n) / √(s_p² + s_n²) of well values.
///
/// `None` with fewer than two wells a side, values that are not finite, or no spread at all. Source: Zhang 2007.
pub fn ssmd(positive: &[f64], negative: &[f64]) -> Option<f64> {
    ssmd_by(mean_and_sd, positive, negative)
}

/// [`ssmd`] with medians and scaled MADs. `None` likewise.
pub fn ssmd_robust(positive: &[f64], negative: &[f64]) -> Option<f64> {
    ssmd_by(median_and_mad, positive, negative)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::stream;

    #[test]
    fn the_interval_holds_the_value_and_repeats_itself() {
        let positive = [10.0, 10.5, 9.6, 10.2, 9.9, 10.1];
        let negative = [1.0, 1.4, 0.8, 1.1, 0.7, 1.2, 0.9, 1.3];
        let draw = |seed| z_prime_interval(&positive, &negative, 0.95, 500, &mut stream(seed, "z")).unwrap();
        let z = draw(1);
        assert!(z.low < z.value && z.value < z.high && z.high < 1.0, "{z:?}");
        assert_eq!(z, draw(1));
        assert_ne!(z, draw(2));
    }

    #[test]
    fn what_cannot_be_told_apart_or_has_one_well_is_none() {
        assert!(z_prime(&[1.0], &[2.0, 3.0]).is_none());
        assert!(z_prime(&[2.0, 3.0], &[3.0, 2.0]).is_none());
        assert!(ssmd(&[2.0, 2.0], &[1.0, 1.0]).is_none());
        assert!(z_prime(&[f64::NAN, 1.0], &[3.0, 2.0]).is_none());
    }
}
