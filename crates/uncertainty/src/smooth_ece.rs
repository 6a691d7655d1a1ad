//! The smooth calibration error: no bins, one number.

use std::f64::consts::PI;

/// Points at which the smoothed residual is evaluated.
const GRID: usize = 4001;
/// Smallest kernel width considered: below it every cell is its own bin.
const SMALLEST_WIDTH: f64 = 0.002;
/// exp(-x²/2) is below 1e-17 from here on: higher frequencies are gone.
const CUTOFF: f64 = 8.9;

/// Smooth expected calibration error (smECE): the error at the kernel width that equals the error itself.
///
/// Range 0..=1. `None` without rows or with a NaN. Panics: when the lengths differ.
/// When the error stays below the smallest width (0.002), the error at that width is returned.
/// Source: Błasiok, Nakkiran 2023; METHODS.md section 3.
pub fn smooth_ece(confidence: &[f64], hit: &[bool]) -> Option<f64> {
    let residual = Residual::new(confidence, hit, SMALLEST_WIDTH)?;
    let (mut low, mut high) = (SMALLEST_WIDTH, 1.0);
    let at_smallest = residual.error_at(low);
    if at_smallest <= low {
        return Some(at_smallest);
    }
    // The error falls with the width, so error - width has one root.
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if residual.error_at(middle) > middle {
            low = middle
        } else {
            high = middle
        }
    }
    Some(0.5 * (low + high))
}

/// ∫ |mean_i (p_i - y_i) K(t, p_i)| dt over 0..1 with the reflected Gaussian kernel of standard deviation `width`.
///
/// `width` ≥ 0.002. `None` as [`smooth_ece`].
pub fn smooth_ece_at(confidence: &[f64], hit: &[bool], width: f64) -> Option<f64> {
    let width = width.max(SMALLEST_WIDTH);
    Residual::new(confidence, hit, width).map(|residual| residual.error_at(width))
}

/// The residual p - y as a cosine series in p: the reflected Gaussian on [0, 1] is the heat kernel there,
/// 1 + 2 Σ_j exp(-(π j s)²/2) cos(π j t) cos(π j p), so smoothing multiplies each term by one number.
struct Residual {
    /// mean_i (p_i - y_i) cos(π j p_i), for j = 0, 1, …
    coefficient: Vec<f64>,
}

impl Residual {
    fn new(confidence: &[f64], hit: &[bool], smallest_width: f64) -> Option<Self> {
        assert_eq!(confidence.len(), hit.len(), "one hit or miss per confidence");
        if confidence.is_empty() || confidence.iter().any(|c| c.is_nan()) {
            return None;
        }
        let mut coefficient = vec![0.0; terms(smallest_width)];
        let n = confidence.len() as f64;
        for (&p, &y) in confidence.iter().zip(hit) {
            let residual = (p - f64::from(u8::from(y))) / n;
            for (c, cosine) in coefficient.iter_mut().zip(Cosines::new(PI * p)) {
                *c += residual * cosine;
            }
        }
        Some(Self { coefficient })
    }

    fn error_at(&self, width: f64) -> f64 {
        let damped: Vec<f64> = self.coefficient[..terms(width).min(self.coefficient.len())]
            .iter()
            .enumerate()
            .map(|(j, c)| {
                let twice = if j == 0 { 1.0 } else { 2.0 };
                twice * c * (-0.5 * (PI * j as f64 * width).powi(2)).exp()
            })
            .collect();
        let step = 1.0 / (GRID - 1) as f64;
        let value = |i: usize| -> f64 {
            damped
                .iter()
                .zip(Cosines::new(PI * i as f64 * step))
                .map(|(d, cosine)| d * cosine)
                .sum()
        };
        let mut sum = 0.0;
        let mut left = value(0);
        for i in 1..GRID {
            let right = value(i);
            // Between grid points the function is a line; where it crosses 0 the area is that of two triangles.
            sum += if left * right < 0.0 {
                0.5 * (left * left + right * right) / (left.abs() + right.abs())
            } else {
                0.5 * (left.abs() + right.abs())
            };
            left = right;
        }
        sum * step
    }
}

fn terms(width: f64) -> usize {
    (CUTOFF / (PI * width)).ceil() as usize + 1
}

/// cos(j x) for j = 0, 1, … by the Chebyshev recurrence cos((j+1)x) = 2 cos x cos jx - cos((j-1)x).
struct Cosines {
    twice: f64,
    now: f64,
    next: f64,
}

impl Cosines {
    fn new(x: f64) -> Self {
        let cosine = x.cos();
        Self {
            twice: 2.0 * cosine,
            now: 1.0,
            next: cosine,
        }
    }
}

impl Iterator for Cosines {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        let now = self.now;
        (self.now, self.next) = (self.next, self.twice * self.next - now);
        Some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_forecast_errs_by_its_distance_from_the_share() {
        let hit: Vec<bool> = (0..100).map(|i| i < 60).collect();
        let error = smooth_ece(&[0.8; 100], &hit).unwrap();
        assert!((error - 0.2).abs() < 1e-9, "{error}");
        assert!(smooth_ece(&[0.6; 100], &hit).unwrap() < 1e-12);
        assert!(smooth_ece(&[], &[]).is_none());
    }
}
