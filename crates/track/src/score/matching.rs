//! Which object of a result stands for which true object, frame by frame.

use std::collections::BTreeMap;

use super::assignment::match_near;
use super::tracking::{ScoreError, Tracking, Vertex};

/// The matched objects of one frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameMatch {
    /// Result track of each matched true track.
    pub(super) result_of: BTreeMap<u32, u32>,
    /// True tracks that each result track covers.
    pub(super) covered_by: BTreeMap<u32, Vec<u32>>,
}

impl FrameMatch {
    fn new(pairs: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let result_of: BTreeMap<u32, u32> = pairs.into_iter().collect();
        let mut covered_by: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (&truth, &result) in &result_of {
            covered_by.entry(result).or_default().push(truth);
        }
        Self {
            result_of,
            covered_by,
        }
    }

    /// The result object that stands for a true one.
    pub fn result_of(&self, truth: u32) -> Option<u32> {
        self.result_of.get(&truth).copied()
    }

    /// The true object of a result object that covers exactly one.
    pub fn only_truth(&self, result: u32) -> Option<u32> {
        match self.covered_by.get(&result).map(Vec::as_slice) {
            Some(&[truth]) => Some(truth),
            _ => None,
        }
    }
}

/// The matched objects of a movie.
pub type Matching = Vec<FrameMatch>;

/// What a true and a result label image share in one frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameOverlap {
    /// Pixels of every true object.
    pub truth_area: BTreeMap<u32, u64>,
    /// Pixels that a true and a result object share: (truth, result, pixels).
    pub shared: Vec<(u32, u32, u64)>,
}

/// Matches points one to one in each frame: as many pairs within `radius` pixels as possible, and among those the least total distance.
///
/// Frames that one side lacks at the end count as empty: pad the trackings before scoring ([`Tracking::pad_to`]).
pub fn match_points(truth: &Tracking, result: &Tracking, radius: f64) -> Matching {
    let n = truth.frames.len().max(result.frames.len());
    let of = |tracking: &Tracking, frame: usize| tracking.frames.get(frame).cloned().unwrap_or_default();
    (0..n)
        .map(|frame| match_frame(&of(truth, frame), &of(result, frame), radius))
        .collect()
}

fn match_frame(truth: &[Vertex], result: &[Vertex], radius: f64) -> FrameMatch {
    // Result objects by column, so that only a strip of them is looked at.
    let mut by_x: Vec<usize> = (0..result.len()).collect();
    by_x.sort_by(|&a, &b| result[a].x.total_cmp(&result[b].x));
    let near: Vec<Vec<(usize, f64)>> = truth
        .iter()
        .map(|object| {
            let start = by_x.partition_point(|&at| result[at].x < object.x - radius);
            let strip = by_x[start..]
                .iter()
                .take_while(|&&at| result[at].x <= object.x + radius);
            let distances = strip.map(|&at| (at, (result[at].x - object.x).hypot(result[at].y - object.y)));
            distances.filter(|&(_, distance)| distance <= radius).collect()
        })
        .collect();
    let matched = match_near(&near, result.len());
    FrameMatch::new(
        truth
            .iter()
            .zip(matched)
            .filter_map(|(object, at)| Some((object.track, result[at?].track))),
    )
}

/// Matches label images as the Cell Tracking Challenge does: a result object covers a true one when it holds more than half of its pixels.
///
/// Errors: another number of frames than the truth has.
pub fn match_overlaps(truth: &Tracking, overlaps: &[FrameOverlap]) -> Result<Matching, ScoreError> {
    if overlaps.len() != truth.frames.len() {
        return Err(ScoreError::Frames {
            truth: truth.frames.len(),
            given: overlaps.len(),
            what: "overlap tables",
        });
    }
    let covered = |overlap: &FrameOverlap| {
        let pairs = overlap.shared.iter().filter(|(truth, _, pixels)| {
            overlap
                .truth_area
                .get(truth)
                .is_some_and(|&area| 2 * pixels > area)
        });
        FrameMatch::new(pairs.map(|&(truth, result, _)| (truth, result)))
    };
    Ok(overlaps.iter().map(covered).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_half_of_the_true_object_is_needed_and_one_object_may_cover_two() {
        let truth = Tracking::from_labels(&[vec![1, 2, 3]], &[]).unwrap();
        let overlap = FrameOverlap {
            truth_area: [(1, 10), (2, 10), (3, 10)].into(),
            shared: vec![(1, 7, 6), (2, 7, 9), (3, 8, 5), (3, 9, 5)],
        };
        let matching = match_overlaps(&truth, &[overlap]).unwrap();
        assert_eq!(matching[0].result_of(1), Some(7));
        assert_eq!(matching[0].only_truth(7), None, "a merge is no single cell");
        assert_eq!(matching[0].result_of(3), None, "half is not more than half");
        assert!(match_overlaps(&truth, &[]).is_err());
    }
}
