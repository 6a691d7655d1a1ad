//! Divisions found, missed and invented (branching correctness).

use std::collections::BTreeSet;

use super::matching::Matching;
use super::tracking::Tracking;

/// Divisions of both sides and those that agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DivisionCounts {
    /// Divisions that both have.
    pub found: usize,
    /// Divisions of the truth.
    pub truth: usize,
    /// Divisions of the result.
    pub result: usize,
}

impl DivisionCounts {
    /// F1, BC(i) of the Cell Tracking Challenge; `None` when the truth has no division.
    pub fn f1(&self) -> Option<f64> {
        (self.truth > 0).then(|| 2.0 * self.found as f64 / (self.truth + self.result) as f64)
    }
}

/// Divisions that agree within `tolerance` frames: as many children; the mothers' last frames at most so far apart and the mothers matched in the
/// earlier one; each true child paired with a child of its own, first frames at most so far apart, matched in the later one.
pub fn count_divisions(
    truth: &Tracking,
    result: &Tracking,
    matching: &Matching,
    tolerance: usize,
) -> DivisionCounts {
    let (of_truth, of_result) = (truth.divisions(), result.divisions());
    let mut used = BTreeSet::new();
    let mut found = 0;
    for (mother, children) in &of_truth {
        // Only the object that stands for the mother near her end can be her.
        let last = truth.tracks[mother].last;
        let candidates: BTreeSet<u32> = (last.saturating_sub(tolerance)..=last)
            .filter_map(|frame| matching.get(frame)?.result_of(*mother))
            .collect();
        let found_as = candidates.into_iter().find(|candidate| {
            !used.contains(candidate)
                && of_result.get(candidate).is_some_and(|theirs| {
                    same_division(
                        truth,
                        result,
                        matching,
                        tolerance,
                        (*mother, children),
                        (*candidate, theirs),
                    )
                })
        });
        if let Some(candidate) = found_as {
            used.insert(candidate);
            found += 1;
        }
    }
    DivisionCounts {
        found,
        truth: of_truth.len(),
        result: of_result.len(),
    }
}

/// Whether two divisions are one and the same; each is a mother with her children.
pub(super) fn same_division(
    truth: &Tracking,
    result: &Tracking,
    matching: &Matching,
    tolerance: usize,
    (mother, children): (u32, &[u32]),
    (their_mother, theirs): (u32, &[u32]),
) -> bool {
    let same = |frame: usize, true_track: u32, track: u32| {
        matching
            .get(frame)
            .is_some_and(|matched| matched.only_truth(track) == Some(true_track))
    };
    let (end, their_end) = (truth.tracks[&mother].last, result.tracks[&their_mother].last);
    if children.len() != theirs.len()
        || end.abs_diff(their_end) > tolerance
        || !same(end.min(their_end), mother, their_mother)
    {
        return false;
    }
    let mut paired = BTreeSet::new();
    children.iter().all(|child| {
        let start = truth.tracks[child].first;
        let partner = theirs.iter().find(|candidate| {
            let their_start = result.tracks[candidate].first;
            !paired.contains(*candidate)
                && start.abs_diff(their_start) <= tolerance
                && same(start.max(their_start), *child, **candidate)
        });
        partner.is_some_and(|&partner| paired.insert(partner))
    })
}
