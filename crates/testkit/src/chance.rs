//! Draws from the laws that virtual movies are made with, all from one counter-based stream.

use rand_chacha::ChaCha8Rng;
use uncertainty::{below, stream, uniform};

/// A named stream of random numbers: the same seed and name give the same draws everywhere.
#[derive(Clone, Debug)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of this seed and name ([`uncertainty::stream()`]).
    pub fn new(seed: u64, name: &str) -> Self {
        Self(stream(seed, name))
    }

    /// Uniform on [low, high).
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * uniform(&mut self.0)
    }

    /// Uniform in the logarithm on [low, high); both above 0.
    pub fn log_uniform(&mut self, low: f64, high: f64) -> f64 {
        self.uniform(low.ln(), high.ln()).exp()
    }

    /// True with probability `p`.
    pub fn happens(&mut self, p: f64) -> bool {
        uniform(&mut self.0) < p
    }

    /// A whole number on 0..n; n above 0.
    pub fn below(&mut self, n: usize) -> usize {
        below(&mut self.0, n)
    }

    /// One of the entries; the slice is not empty.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Standard normal (Box, Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - uniform(&mut self.0)).ln()).sqrt();
        radius * (std::f64::consts::TAU * uniform(&mut self.0)).cos()
    }

    /// Exp of a normal with this standard deviation: a factor around 1.
    pub fn factor(&mut self, sd: f64) -> f64 {
        (sd * self.normal()).exp()
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - uniform(&mut self.0)).ln()
    }

    /// Pareto with density ∝ x^-exponent from `least` up to `most` (truncated power law, exponent above 1).
    pub fn power_law(&mut self, exponent: f64, least: f64, most: f64) -> f64 {
        let tail = |x: f64| x.powf(1.0 - exponent);
        let u = uniform(&mut self.0);
        (tail(least) - u * (tail(least) - tail(most))).powf(1.0 / (1.0 - exponent))
    }

    /// Poisson with this mean, by counting exponential waits (means below a few hundred).
    pub fn poisson(&mut self, mean: f64) -> usize {
        let mut n = 0;
        let mut sum = self.exponential(1.0);
        while sum < mean {
            n += 1;
            sum += self.exponential(1.0);
        }
        n
    }

    /// A direction in the plane: a unit vector.
    pub fn direction(&mut self) -> [f64; 2] {
        let angle = self.uniform(0.0, std::f64::consts::TAU);
        [angle.cos(), angle.sin()]
    }

    /// Puts the entries in random order (Fisher, Yates).
    pub fn shuffle<T>(&mut self, entries: &mut [T]) {
        for last in (1..entries.len()).rev() {
            let other = self.below(last + 1);
            entries.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(n: usize, mut draw: impl FnMut() -> f64) -> f64 {
        (0..n).map(|_| draw()).sum::<f64>() / n as f64
    }

    #[test]
    fn the_laws_have_their_means() {
        let mut chance = Chance::new(1, "laws");
        assert!(mean(40_000, || chance.normal()).abs() < 0.02);
        assert!((mean(40_000, || chance.normal().powi(2)) - 1.0).abs() < 0.03);
        assert!((mean(40_000, || chance.exponential(3.0)) - 3.0).abs() < 0.06);
        assert!((mean(40_000, || chance.poisson(2.5) as f64) - 2.5).abs() < 0.03);
        // Density 2 / x^3 on 1.., cut at 1e9: mean 2, median sqrt 2.
        let over_median = mean(40_000, || {
            f64::from(u8::from(chance.power_law(3.0, 1.0, 1e9) > 2.0_f64.sqrt()))
        });
        assert!((over_median - 0.5).abs() < 0.01, "{over_median}");
    }
}
