//! How well a novelty score tells untaught cells from known ones.

/// Probability that a novel cell scores higher than a known one, ties counting half.
///
/// `None` when a side is empty or a score is NaN. AUROC is not power: print [`share_found_at`] beside it.
pub fn auroc(known: &[f64], novel: &[f64]) -> Option<f64> {
    if known.is_empty() || novel.is_empty() || known.iter().chain(novel).any(|s| s.is_nan()) {
        return None;
    }
    let known = ascending(known);
    let wins = |s: &f64| {
        let below = known.partition_point(|k| k < s);
        let not_above = known.partition_point(|k| k <= s);
        0.5 * (below + not_above) as f64
    };
    Some(novel.iter().map(wins).sum::<f64>() / (known.len() as f64 * novel.len() as f64))
}

/// Share of novel cells above a threshold that at most `false_alarm` of the known cells exceed.
///
/// The threshold is the known cells' order statistic with at most ⌊false_alarm · n⌋ known cells above it; "above" is strict,
/// so ties count as missed. `None` as [`auroc`]. Source: METHODS.md section 7 (share found at 1 % and 5 % false alarms).
pub fn share_found_at(known: &[f64], novel: &[f64], false_alarm: f64) -> Option<f64> {
    if known.is_empty() || novel.is_empty() || known.iter().chain(novel).any(|s| s.is_nan()) {
        return None;
    }
    let known = ascending(known);
    // The guard keeps 0.05 · 100 = 5.000000000000001 or 4.999999999999999 at 5.
    let allowed = (false_alarm * known.len() as f64 + 1e-9).floor().max(0.0) as usize;
    let found = match known.len().checked_sub(allowed + 1) {
        Some(at) => novel.iter().filter(|&&s| s > known[at]).count(),
        None => novel.len(),
    };
    Some(found as f64 / novel.len() as f64)
}

/// Share of known cells at or above the score that catches 95 % of the novel cells (the threshold is the novel scores'
/// order statistic ⌊0.05 n⌋, from 0), as the project's scoring script has it. `None` as [`auroc`].
pub fn false_alarms_at_95(known: &[f64], novel: &[f64]) -> Option<f64> {
    if known.is_empty() || novel.is_empty() || known.iter().chain(novel).any(|s| s.is_nan()) {
        return None;
    }
    let novel = ascending(novel);
    let threshold = novel[(0.05 * novel.len() as f64).floor() as usize];
    Some(known.iter().filter(|&&s| s >= threshold).count() as f64 / known.len() as f64)
}

fn ascending(scores: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_known_cells_than_allowed_lie_above_the_threshold() {
        let known: Vec<f64> = (0..100).map(f64::from).collect();
        // 5 % of 100: 95..99 may alarm, so the threshold is 94.
        assert_eq!(share_found_at(&known, &[94.0, 94.5, 200.0, 3.0], 0.05), Some(0.5));
        assert_eq!(share_found_at(&known, &[99.0, 99.5], 0.0), Some(0.5));
        assert_eq!(share_found_at(&known, &[1.0, 99.5], 1.0), Some(1.0));
        assert_eq!(share_found_at(&known, &[f64::NAN], 0.05), None);
    }

    #[test]
    fn ties_count_half() {
        assert_eq!(auroc(&[1.0, 2.0], &[2.0]), Some(0.75));
        assert_eq!(auroc(&[], &[2.0]), None);
    }
}
