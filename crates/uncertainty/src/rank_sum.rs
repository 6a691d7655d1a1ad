//! The exact rank-sum test of treated against control wells, ties included.

/// Direction in which treated wells may differ from control wells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Treated values are larger.
    Greater,
    /// Treated values are smaller.
    Less,
    /// Either: twice the smaller one-sided p, at most 1.
    TwoSided,
}

/// Work (table cells) above which the normal approximation takes over: about a second.
const MAX_TABLE: f64 = 3e8;
/// ln of the number of arrangements that still fits an f64.
const MAX_LN_ARRANGEMENTS: f64 = 680.0;

/// Exact p of the Wilcoxon-Mann-Whitney rank-sum test: treated wells against control wells, midranks for ties.
///
/// The null distribution is the permutation distribution of the observed (tied) ranks, so the p-value is exact for any ties.
/// Range: [`smallest_rank_sum_p`]..=1; 1 when a side is empty. Missing values: NaN are left out.
/// Cost: smaller sample × wells × wells²; past about 3e8 steps a normal approximation with tie and continuity correction is used.
/// Source: Mann, Whitney 1947; Lehmann 1975 (ties); METHODS.md section 8.
pub fn exact_rank_sum(treated: &[f64], control: &[f64], tail: Tail) -> f64 {
    exact_rank_sum_stratified(&[(treated, control)], tail)
}

/// [`exact_rank_sum`] over plates: wells are ranked within their plate, the rank sums are added, and so are the null distributions.
///
/// Plates without a treated or without a control well say nothing and are left out.
pub fn exact_rank_sum_stratified(plates: &[(&[f64], &[f64])], tail: Tail) -> f64 {
    let strata: Vec<Stratum> = plates
        .iter()
        .filter_map(|(treated, control)| Stratum::new(treated, control))
        .collect();
    if strata.is_empty() {
        return 1.0;
    }
    let statistic: usize = strata.iter().map(|s| s.statistic).sum();
    let (greater, less) = match convolved(&strata) {
        Some(null) => (
            null[statistic..].iter().sum::<f64>().min(1.0),
            null[..=statistic].iter().sum::<f64>().min(1.0),
        ),
        None => normal_tails(&strata, statistic),
    };
    match tail {
        Tail::Greater => greater,
        Tail::Less => less,
        Tail::TwoSided => (2.0 * greater.min(less)).min(1.0),
    }
}

/// Smallest p that the exact test can reach without ties: 1/C(J+r, r) for r treated and J control wells (twice for two-sided).
///
/// 1 when a side is empty. With J = 8 and r = 4: 1/495.
pub fn smallest_rank_sum_p(treated: usize, control: usize, tail: Tail) -> f64 {
    if treated == 0 || control == 0 {
        return 1.0;
    }
    let one_sided = (-ln_choose(treated + control, treated)).exp();
    match tail {
        Tail::Greater | Tail::Less => one_sided,
        Tail::TwoSided => (2.0 * one_sided).min(1.0),
    }
}

fn ln_choose(n: usize, k: usize) -> f64 {
    (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum()
}

/// One plate: twice the midranks (whole numbers) of all its wells and the treated wells' sum of them.
struct Stratum {
    doubled_ranks: Vec<usize>,
    treated: usize,
    statistic: usize,
}

impl Stratum {
    fn new(treated: &[f64], control: &[f64]) -> Option<Self> {
        let side = |values: &[f64], is_treated: bool| {
            values
                .iter()
                .filter(|v| !v.is_nan())
                .map(|&v| (v, is_treated))
                .collect::<Vec<_>>()
        };
        let (mut wells, control) = (side(treated, true), side(control, false));
        let n_treated = wells.len();
        if n_treated == 0 || control.is_empty() {
            return None;
        }
        wells.extend(control);
        // -0 and 0 are the same value: adding 0 makes them the same bits.
        wells.sort_by(|a, b| (a.0 + 0.0).total_cmp(&(b.0 + 0.0)));
        let mut doubled_ranks = Vec::with_capacity(wells.len());
        let mut statistic = 0;
        for tied in wells.chunk_by(|a, b| a.0 == b.0) {
            let first = doubled_ranks.len() + 1;
            let doubled = first + (first + tied.len() - 1);
            doubled_ranks.extend(std::iter::repeat_n(doubled, tied.len()));
            statistic += doubled * tied.iter().filter(|(_, is_treated)| *is_treated).count();
        }
        Some(Self {
            doubled_ranks,
            treated: n_treated,
            statistic,
        })
    }

    fn wells(&self) -> usize {
        self.doubled_ranks.len()
    }

    /// Probability of every doubled rank sum under the null, by counting subsets of the smaller side.
    fn null(&self) -> Option<Vec<f64>> {
        let (wells, total) = (self.wells(), self.doubled_ranks.iter().sum::<usize>());
        let smaller = self.treated.min(wells - self.treated);
        let work = smaller as f64 * wells as f64 * total as f64;
        if work > MAX_TABLE || ln_choose(wells, smaller) > MAX_LN_ARRANGEMENTS {
            return None;
        }
        let mut table = vec![vec![0.0_f64; total + 1]; smaller + 1];
        table[0][0] = 1.0;
        for (seen, &rank) in self.doubled_ranks.iter().enumerate() {
            for size in (1..=smaller.min(seen + 1)).rev() {
                let (below, at) = table.split_at_mut(size);
                for sum in rank..=total {
                    at[0][sum] += below[size - 1][sum - rank];
                }
            }
        }
        let counts = &table[smaller];
        let arrangements: f64 = counts.iter().sum();
        let share = |sum: usize| counts[sum] / arrangements;
        let of_treated = if smaller == self.treated {
            (0..=total).map(share).collect()
        } else {
            (0..=total).map(|sum| share(total - sum)).collect()
        };
        Some(of_treated)
    }

    /// Mean and variance of the doubled rank sum under the null, ties included.
    fn moments(&self) -> (f64, f64) {
        let n = self.wells() as f64;
        let ranks = self.doubled_ranks.iter().map(|&r| r as f64);
        let mean_rank = ranks.clone().sum::<f64>() / n;
        let spread = ranks.map(|r| (r - mean_rank).powi(2)).sum::<f64>() / (n - 1.0);
        let r = self.treated as f64;
        (r * mean_rank, r * (n - r) / n * spread)
    }
}

fn convolved(strata: &[Stratum]) -> Option<Vec<f64>> {
    let mut joint = vec![1.0];
    for stratum in strata {
        let null = stratum.null()?;
        if joint.len() as f64 * null.len() as f64 > MAX_TABLE {
            return None;
        }
        let mut next = vec![0.0; joint.len() + null.len() - 1];
        for (i, a) in joint.iter().enumerate().filter(|(_, a)| **a > 0.0) {
            for (j, b) in null.iter().enumerate() {
                next[i + j] += a * b;
            }
        }
        joint = next;
    }
    Some(joint)
}

fn normal_tails(strata: &[Stratum], statistic: usize) -> (f64, f64) {
    let (mean, variance) = strata
        .iter()
        .map(Stratum::moments)
        .fold((0.0, 0.0), |sum, m| (sum.0 + m.0, sum.1 + m.1));
    if variance == 0.0 {
        return (1.0, 1.0);
    }
    // A step of the doubled rank sum is 2 without ties, so the continuity correction is 1.
    let tail = |distance: f64| 0.5 * statrs::function::erf::erfc((distance - 1.0) / (2.0 * variance).sqrt());
    let distance = statistic as f64 - mean;
    (tail(distance), tail(-distance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_separation_reaches_the_smallest_p() {
        let control: Vec<f64> = (0..8).map(f64::from).collect();
        let treated = [10.0, 11.0, 12.0, 13.0];
        let p = exact_rank_sum(&treated, &control, Tail::Greater);
        assert!((p - 1.0 / 495.0).abs() < 1e-15);
        assert!((smallest_rank_sum_p(4, 8, Tail::Greater) - p).abs() < 1e-15);
        assert!((smallest_rank_sum_p(3, 16, Tail::Greater) - 1.0 / 969.0).abs() < 1e-15);
        assert!((exact_rank_sum(&treated, &control, Tail::TwoSided) - 2.0 / 495.0).abs() < 1e-15);
        assert_eq!(exact_rank_sum(&treated, &control, Tail::Less), 1.0);
        assert_eq!(exact_rank_sum(&[], &control, Tail::Greater), 1.0);
    }

    #[test]
    fn ties_agree_with_counting_every_arrangement() {
        let treated = [1.0, 2.0, 2.0];
        let control = [0.0, 1.0, 1.0, 2.0, -0.0];
        let all: Vec<f64> = treated.iter().chain(&control).copied().collect();
        let wins = |chosen: u32| {
            let mut u = 0.0;
            for i in (0..8).filter(|i| chosen >> i & 1 == 1) {
                for j in (0..8).filter(|j| chosen >> j & 1 == 0) {
                    u += if all[i] > all[j] {
                        1.0
                    } else if all[i] == all[j] {
                        0.5
                    } else {
                        0.0
                    };
                }
            }
            u
        };
        let observed = wins(0b111);
        let subsets: Vec<f64> = (0..256_u32).filter(|c| c.count_ones() == 3).map(wins).collect();
        let expected = subsets.iter().filter(|&&u| u >= observed).count() as f64 / subsets.len() as f64;
        assert!((exact_rank_sum(&treated, &control, Tail::Greater) - expected).abs() < 1e-14);
        // The larger side treated: the same distribution from the other side.
        let other = subsets.iter().filter(|&&u| u >= observed).count() as f64 / subsets.len() as f64;
        assert!((exact_rank_sum(&control, &treated, Tail::Less) - other).abs() < 1e-14);
    }

    #[test]
    fn the_normal_approximation_joins_the_exact_test() {
        let control: Vec<f64> = (0..40).map(|i| f64::from(i * 7 % 40)).collect();
        let treated: Vec<f64> = (0..12).map(|i| f64::from(i * 5 % 40) + 9.5).collect();
        let exact = exact_rank_sum(&treated, &control, Tail::Greater);
        let stratum = Stratum::new(&treated, &control).unwrap();
        let statistic = stratum.statistic;
        let (greater, _) = normal_tails(&[stratum], statistic);
        assert!((exact - greater).abs() < 0.002, "{exact} {greater}");
    }

    #[test]
    fn two_plates_add_up() {
        // Each plate separates fully: the joint p is the product of the plates' smallest p.
        let (t, c) = ([5.0, 6.0], [1.0, 2.0, 3.0]);
        let p = exact_rank_sum_stratified(&[(&t, &c), (&t, &c), (&[], &c)], Tail::Greater);
        assert!((p - 0.01).abs() < 1e-15);
    }
}
