//! How many: intervals of counts from the probabilities of what is counted.

/// A count with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountInterval {
    /// Expected count: the sum of the probabilities.
    pub mean: f64,
    /// Lower end.
    pub low: u64,
    /// Upper end.
    pub high: u64,
}

/// Interval of the number of events that happen, when each happens with its own probability, apart from the others (Poisson binomial law).
///
/// `level` in (0, 1), such as 0.9: at most (1 − level) / 2 of the law lies below `low` and as much above `high`. Probabilities are clamped to 0..=1;
/// NaN counts as 0. Exact, by adding the events one after the other (Chen, Dempster, Liu 1994): time grows with events × width.
pub fn count_interval(probabilities: &[f64], level: f64) -> CountInterval {
    const NEGLIGIBLE: f64 = 1e-15;
    let mut mean = 0.0;
    // law[k]: probability of `least + k` events; ends that no longer matter are cut.
    let (mut least, mut law) = (0_u64, vec![1.0_f64]);
    for &p in probabilities {
        let p = if p.is_nan() { 0.0 } else { p.clamp(0.0, 1.0) };
        mean += p;
        law.push(0.0);
        for k in (0..law.len()).rev() {
            let one_less = if k > 0 { law[k - 1] } else { 0.0 };
            law[k] = law[k] * (1.0 - p) + one_less * p;
        }
        let empty = law.iter().take_while(|&&share| share < NEGLIGIBLE).count();
        law.drain(..empty);
        least += empty as u64;
        while law.last().is_some_and(|&share| share < NEGLIGIBLE) {
            law.pop();
        }
    }
    let tail = (1.0 - level) / 2.0;
    let quantile = |q: f64| {
        let mut sum = 0.0;
        let below = law.iter().take_while(|&&share| {
            sum += share;
            sum < q
        });
        least + (below.count() as u64).min(law.len() as u64 - 1)
    };
    CountInterval {
        mean,
        low: quantile(tail),
        high: quantile(1.0 - tail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_probabilities_give_the_binomial_law_and_sure_ones_shift_it() {
        // Binomial(20, 0.3): P(X <= 2) = 0.035, P(X <= 3) = 0.107, P(X <= 8) = 0.887, P(X <= 9) = 0.952.
        let interval = count_interval(&[0.3; 20], 0.9);
        assert_eq!((interval.low, interval.high), (3, 9));
        assert!((interval.mean - 6.0).abs() < 1e-12);
        let mut shifted = vec![1.0; 1000];
        shifted.extend([0.3; 20]);
        shifted.extend([0.0, f64::NAN]);
        let interval = count_interval(&shifted, 0.9);
        assert_eq!((interval.low, interval.high), (1003, 1009));
        let nothing = count_interval(&[], 0.9);
        assert_eq!((nothing.low, nothing.high, nothing.mean), (0, 0, 0.0));
    }
}
