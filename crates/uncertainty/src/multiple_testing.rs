//! False discovery rates, and whether they can ever find anything.

/// Guard of roundings before a ceiling.
const ROUNDING: f64 = 1e-9;

/// Benjamini-Hochberg q values in the order of `p`: rejecting q ≤ level controls the false discovery rate at that level.
///
/// q_(i) = min over j ≥ i of p_(j) m/j, at most 1. A NaN is no test: it stays NaN and does not count in m.
/// Valid for independent tests and for conformal p-values that share one calibration set.
/// Source: Benjamini, Hochberg 1995; Bates et al. 2023; METHODS.md section 8.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    adjusted(p, 1.0)
}

fn adjusted(p: &[f64], null_share: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let tests = order.len() as f64;
    let mut q = vec![f64::NAN; p.len()];
    let mut smallest = 1.0_f64;
    for (rank, &i) in order.iter().enumerate().rev() {
        smallest = smallest.min(null_share * p[i] * tests / (rank + 1) as f64);
        q[i] = smallest;
    }
    q
}

/// Storey's share of true nulls and the q values that use it.
#[derive(Debug, Clone, PartialEq)]
pub struct Storey {
    /// Estimated share of true null hypotheses π₀, at most 1.
    pub null_share: f64,
    /// q values in the order of p.
    pub q: Vec<f64>,
}

/// Benjamini-Hochberg with the estimated share of true nulls π₀ = (1 + #{p > λ}) / (m (1-λ)).
///
/// For conformal p-values (n+1)λ must be a whole number. A NaN is no test. λ in (0, 1).
/// Source: Storey, Taylor, Siegmund 2004; Bates et al. 2023; METHODS.md section 8.
pub fn storey(p: &[f64], lambda: f64) -> Storey {
    let tests = p.iter().filter(|v| !v.is_nan()).count();
    let above = p.iter().filter(|&&v| v > lambda).count();
    let null_share = if tests == 0 {
        1.0
    } else {
        ((1 + above) as f64 / (tests as f64 * (1.0 - lambda))).min(1.0)
    };
    Storey {
        null_share,
        q: adjusted(p, null_share),
    }
}

/// What a family of tests can find at all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectionFloor {
    /// Smallest p that one test can reach.
    pub smallest_p: f64,
    /// Number of tests m.
    pub tests: usize,
    /// How many tests must reach the smallest p together before Benjamini-Hochberg rejects any of them;
    /// `None`: not even all of them together are enough, the family is not estimable.
    pub tests_needed: Option<usize>,
}

/// Smallest R with `smallest_p` ≤ fdr R/m: print it before a run. Source: Mary, Roquain 2022; METHODS.md section 8.
pub fn detection_floor(smallest_p: f64, tests: usize, fdr: f64) -> DetectionFloor {
    let needed = (smallest_p * tests as f64 / fdr - ROUNDING).ceil().max(1.0);
    let tests_needed = (needed <= tests as f64).then_some(needed as usize);
    DetectionFloor {
        smallest_p,
        tests,
        tests_needed,
    }
}

/// Smallest number of calibration cells n with 1/(n+1) ≤ fdr·rejections/tests: below it, that many rejections cannot happen.
///
/// Two to five times as many are needed for power. Panics: when `rejections` is 0 or `fdr` is not positive.
pub fn calibration_cells_needed(tests: usize, rejections: usize, fdr: f64) -> usize {
    assert!(
        rejections > 0 && fdr > 0.0,
        "no number of cells lets a test be rejected at a rate of 0"
    );
    (tests as f64 / (fdr * rejections as f64) - 1.0 - ROUNDING)
        .ceil()
        .max(0.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_values_are_monotone_in_p_and_skip_what_was_not_tested() {
        let q = benjamini_hochberg(&[0.04, f64::NAN, 0.01, 0.03]);
        assert!((q[2] - 0.03).abs() < 1e-15 && (q[0] - 0.04).abs() < 1e-15 && (q[3] - 0.04).abs() < 1e-15);
        assert!(q[1].is_nan());
        assert!(benjamini_hochberg(&[]).is_empty());
    }

    #[test]
    fn the_floor_tells_when_nothing_can_be_found() {
        // 8 control wells and one treated well: p >= 1/9; 20 tests at 10 %: 22.2 of 20 would have to be smallest.
        assert_eq!(detection_floor(1.0 / 9.0, 20, 0.1).tests_needed, None);
        assert_eq!(detection_floor(1.0 / 495.0, 20, 0.1).tests_needed, Some(1));
        assert_eq!(detection_floor(1.0 / 451.0, 1728, 0.1).tests_needed, Some(39));
        // The q value at the floor really passes with that many tests, and with one fewer does not.
        let with = |r: usize| {
            let mut p = vec![1.0; 1728];
            p[..r].fill(1.0 / 451.0);
            benjamini_hochberg(&p)[0]
        };
        assert!(with(39) <= 0.1 && with(38) > 0.1);
    }
}
