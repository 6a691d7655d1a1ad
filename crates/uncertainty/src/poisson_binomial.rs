//! How many of several unlike events happen.

/// Above this many events their sum is taken as normal: the exact distribution costs the square of the number.
const EXACT: usize = 4000;
/// Width at which the bisection of a quantile stops.
const WIDTH: f64 = 1e-12;

/// Central interval of the number of events that happen, where event `i` happens with `probability[i]`, independently.
///
/// `level` in (0, 1); both ends are counts that the interval includes: P(below) and P(above) are each at most
/// (1 − level) / 2. Probabilities are cut to 0..=1, NaN counts as 0. Exact by convolution up to 4000 uncertain events, beyond that
/// by the normal limit with continuity correction. Source: Wang 1993, Statistica Sinica 3:295.
pub fn poisson_binomial_interval(probability: &[f64], level: f64) -> (u32, u32) {
    let tail = (1.0 - level) / 2.0;
    let sure = probability.iter().filter(|&&p| p >= 1.0).count();
    let unsure: Vec<f64> = probability
        .iter()
        .copied()
        .filter(|p| *p > 0.0 && *p < 1.0)
        .collect();
    if unsure.len() > EXACT {
        let mean: f64 = unsure.iter().sum();
        let spread = unsure.iter().map(|p| p * (1.0 - p)).sum::<f64>().sqrt();
        let reach = normal_quantile(1.0 - tail) * spread;
        let lower = (mean - reach + 0.5).floor().max(0.0);
        let upper = (mean + reach - 0.5).ceil().min(unsure.len() as f64);
        return (sure as u32 + lower as u32, sure as u32 + upper as u32);
    }
    let mut mass = vec![0.0; unsure.len() + 1];
    mass[0] = 1.0;
    for (n, p) in unsure.iter().enumerate() {
        for k in (0..=n).rev() {
            mass[k + 1] += mass[k] * p;
            mass[k] *= 1.0 - p;
        }
    }
    let within = |masses: &mut dyn Iterator<Item = &f64>| {
        let mut sum = 0.0;
        masses
            .take_while(|mass| {
                sum += **mass;
                sum <= tail
            })
            .count()
    };
    let lower = within(&mut mass.iter());
    let above = within(&mut mass.iter().rev());
    ((sure + lower) as u32, (sure + unsure.len() - above) as u32)
}

/// Quantile of the standard normal distribution by bisection of its distribution function.
fn normal_quantile(p: f64) -> f64 {
    use statrs::function::erf::erf;
    let (mut low, mut high) = (-40.0, 40.0);
    while high - low > WIDTH {
        let middle = (low + high) / 2.0;
        if 0.5 * (1.0 + erf(middle / std::f64::consts::SQRT_2)) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::percentile;
    use crate::stream::{stream, uniform};

    #[test]
    fn equal_events_are_binomial() {
        // Binomial(10, 0.5): P(X <= 1) = 0.0107, P(X <= 2) = 0.0547: two tails of 5 % leave 2..8.
        assert_eq!(poisson_binomial_interval(&[0.5; 10], 0.9), (2, 8));
        assert_eq!(poisson_binomial_interval(&[1.0, 1.0, 0.0], 0.9), (2, 2));
        assert_eq!(poisson_binomial_interval(&[], 0.9), (0, 0));
    }

    #[test]
    fn the_interval_covers_and_the_normal_limit_agrees() {
        let mut rng = stream(3, "events");
        let p: Vec<f64> = (0..EXACT).map(|_| uniform(&mut rng).powi(2)).collect();
        let exact = poisson_binomial_interval(&p, 0.9);
        let sums: Vec<f64> = (0..2000)
            .map(|_| p.iter().filter(|p| uniform(&mut rng) < **p).count() as f64)
            .collect();
        let drawn = (percentile(&sums, 0.05).unwrap(), percentile(&sums, 0.95).unwrap());
        assert!((f64::from(exact.0) - drawn.0).abs() < 6.0 && (f64::from(exact.1) - drawn.1).abs() < 6.0);
        let mut more = p.clone();
        more.push(1e-9);
        let normal = poisson_binomial_interval(&more, 0.9);
        assert!(normal.0.abs_diff(exact.0) <= 1 && normal.1.abs_diff(exact.1) <= 1);
    }
}
