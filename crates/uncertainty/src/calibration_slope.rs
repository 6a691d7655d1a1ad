//! Cox's recalibration test: does confidence mean what it says?

/// Confidences are kept this far from 0 and 1, so that their logit is a number.
const EDGE: f64 = 1e-12;
/// Newton steps; convergence takes about six.
const MAX_STEPS: usize = 100;
/// A coefficient past this size is on its way to infinity: hits and misses are separated.
const DIVERGED: f64 = 1e3;

/// Logistic regression of hits on the logit of confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationSlope {
    /// 1 = calibrated, below 1 = over-confident, above 1 = under-confident.
    pub slope: f64,
    /// 0 = calibrated (at confidence one half).
    pub intercept: f64,
    /// Standard error of the slope, as if rows were independent; for cells of wells bootstrap the wells.
    pub slope_se: f64,
    /// Standard error of the intercept, likewise.
    pub intercept_se: f64,
}

/// Fits P(hit) = logistic(intercept + slope · logit(confidence)) by maximum likelihood.
///
/// Confidences are clipped to 1e-12..1-1e-12. `None` when not estimable: no rows, a NaN, all hits or all misses, a single
/// distinct confidence, or hits and misses separated by confidence. Panics: when the lengths differ.
/// Source: Cox 1958; METHODS.md sections 3 and 16 (acceptable: 0.8..1.25).
pub fn calibration_slope(confidence: &[f64], hit: &[bool]) -> Option<CalibrationSlope> {
    assert_eq!(confidence.len(), hit.len(), "one hit or miss per confidence");
    if confidence.iter().any(|c| c.is_nan()) || !hit.contains(&true) || !hit.contains(&false) {
        return None;
    }
    let logit: Vec<f64> = confidence
        .iter()
        .map(|c| {
            let c = c.clamp(EDGE, 1.0 - EDGE);
            (c / (1.0 - c)).ln()
        })
        .collect();
    let likelihood = |a: f64, b: f64| -> f64 {
        // ln P = -ln(1 + exp(∓eta)), safe for any eta.
        let row = |(&x, &y): (&f64, &bool)| {
            let eta = if y { -(a + b * x) } else { a + b * x };
            -(eta.max(0.0) + (-eta.abs()).exp().ln_1p())
        };
        logit.iter().zip(hit).map(row).sum()
    };
    let (mut intercept, mut slope) = (0.0, 1.0);
    let mut value = likelihood(intercept, slope);
    for _ in 0..MAX_STEPS {
        let (mut g0, mut g1, mut h00, mut h01, mut h11) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (&x, &y) in logit.iter().zip(hit) {
            let p = 1.0 / (1.0 + (-(intercept + slope * x)).exp());
            let (gap, weight) = (f64::from(u8::from(y)) - p, p * (1.0 - p));
            g0 += gap;
            g1 += gap * x;
            h00 += weight;
            h01 += weight * x;
            h11 += weight * x * x;
        }
        let determinant = h00 * h11 - h01 * h01;
        // A single distinct confidence leaves only rounding here.
        if determinant.is_nan() || determinant <= 1e-10 * h00 * h11 {
            return None;
        }
        let (step0, step1) = (
            (h11 * g0 - h01 * g1) / determinant,
            (h00 * g1 - h01 * g0) / determinant,
        );
        // Halve the Newton step until the likelihood does not fall.
        let mut scale = 1.0;
        let (mut a, mut b) = (intercept + step0, slope + step1);
        while likelihood(a, b) < value - 1e-12 * value.abs() && scale > 1e-6 {
            scale *= 0.5;
            (a, b) = (intercept + scale * step0, slope + scale * step1);
        }
        (intercept, slope) = (a, b);
        value = likelihood(a, b);
        if intercept.abs() > DIVERGED || slope.abs() > DIVERGED {
            return None;
        }
        if step0.abs() + step1.abs() < 1e-12 * (1.0 + intercept.abs() + slope.abs()) {
            let (slope_se, intercept_se) = ((h00 / determinant).sqrt(), (h11 / determinant).sqrt());
            return Some(CalibrationSlope {
                slope,
                intercept,
                slope_se,
                intercept_se,
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_confidences_give_the_exact_line() {
        // 30 of 40 right at 0.9 and 20 of 40 right at 0.6: the line goes through both observed logits.
        let confidence = [vec![0.9; 40], vec![0.6; 40]].concat();
        let hit: Vec<bool> = (0..80).map(|i| i < 30 || (40..60).contains(&i)).collect();
        let fit = calibration_slope(&confidence, &hit).unwrap();
        let slope = 3.0_f64.ln() / (9.0_f64.ln() - 1.5_f64.ln());
        assert!((fit.slope - slope).abs() < 1e-10 && (fit.intercept + slope * 1.5_f64.ln()).abs() < 1e-10);
    }

    #[test]
    fn what_has_no_slope_is_none() {
        assert!(calibration_slope(&[0.9, 0.8], &[true, true]).is_none());
        assert!(
            calibration_slope(
                &[0.7; 10],
                &[true, false, true, true, true, false, true, true, false, true]
            )
            .is_none()
        );
        assert!(calibration_slope(&[0.9, 0.8, 0.6, 0.5], &[true, true, false, false]).is_none());
        assert!(calibration_slope(&[], &[]).is_none());
    }
}
