//! The graph measures: how many corrections turn the result into the truth.

use std::collections::{BTreeMap, BTreeSet};

use super::matching::Matching;
use super::tracking::Tracking;

/// An object of a frame: (frame, track).
pub(super) type Node = (usize, u32);

/// Corrections of each kind, and the size of the truth.
///
/// Source: Matula et al. 2015; weights as in the Cell Tracking Challenge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GraphCounts {
    /// NS: cells to cut out of result objects that cover several.
    pub splits: usize,
    /// FN: true objects that nothing covers.
    pub missed: usize,
    /// FP: result objects that cover nothing.
    pub false_objects: usize,
    /// ED: result edges that the truth does not have.
    pub extra_edges: usize,
    /// EA: true edges that the result does not have.
    pub missing_edges: usize,
    /// EC: edges of both, but a track link on one side and a mother's link on the other.
    pub wrong_kind: usize,
    /// Objects of the truth.
    pub vertices: usize,
    /// Edges of the truth.
    pub edges: usize,
}

impl GraphCounts {
    fn object_cost(&self) -> f64 {
        (5 * self.splits + 10 * self.missed + self.false_objects) as f64
    }

    fn edge_cost(&self) -> f64 {
        self.extra_edges as f64 + 1.5 * self.missing_edges as f64 + self.wrong_kind as f64
    }

    /// Weighted corrections: 5 NS + 10 FN + FP + ED + 1.5 EA + EC.
    pub fn aogm(&self) -> f64 {
        self.object_cost() + self.edge_cost()
    }

    /// 1 − AOGM over the cost of drawing the truth from nothing, from 0 to 1; `None` for an empty truth.
    pub fn tra(&self) -> Option<f64> {
        share(self.aogm(), 10.0 * self.vertices as f64 + 1.5 * self.edges as f64)
    }

    /// The part of [`Self::tra`] that objects make.
    pub fn det(&self) -> Option<f64> {
        share(self.object_cost(), 10.0 * self.vertices as f64)
    }

    /// The part of [`Self::tra`] that edges make.
    pub fn lnk(&self) -> Option<f64> {
        share(self.edge_cost(), 1.5 * self.edges as f64)
    }
}

fn share(cost: f64, from_nothing: f64) -> Option<f64> {
    (from_nothing > 0.0).then(|| 1.0 - cost.min(from_nothing) / from_nothing)
}

/// Edges of a tracking; true for a mother's link to a child, false within a track. A gap inside a track has no edge.
pub(super) fn edges(tracking: &Tracking) -> BTreeMap<(Node, Node), bool> {
    let ids: Vec<BTreeSet<u32>> = tracking
        .frames
        .iter()
        .map(|frame| frame.iter().map(|object| object.track).collect())
        .collect();
    let mut edges = BTreeMap::new();
    for (frame, pair) in ids.windows(2).enumerate() {
        for &track in pair[0].intersection(&pair[1]) {
            edges.insert(((frame, track), (frame + 1, track)), false);
        }
    }
    let shown = |(frame, track): Node| ids.get(frame).is_some_and(|ids| ids.contains(&track));
    for (&child, track) in &tracking.tracks {
        let Some(parent) = track.parent else { continue };
        let (end, start) = ((tracking.tracks[&parent].last, parent), (track.first, child));
        if shown(end) && shown(start) {
            edges.insert((end, start), true);
        }
    }
    edges
}

/// Counts the corrections. Both trackings and the matching have the same frames.
pub fn count_graph(truth: &Tracking, result: &Tracking, matching: &Matching) -> GraphCounts {
    let mut counts = GraphCounts {
        vertices: truth.n_vertices(),
        ..GraphCounts::default()
    };
    for (frame, matched) in matching.iter().enumerate() {
        let n = |tracking: &Tracking| tracking.frames.get(frame).map_or(0, Vec::len);
        counts.missed += n(truth) - matched.result_of.len();
        counts.false_objects += n(result) - matched.covered_by.len();
        counts.splits += matched
            .covered_by
            .values()
            .map(|covered| covered.len() - 1)
            .sum::<usize>();
    }
    let true_edges = edges(truth);
    counts.edges = true_edges.len();
    let only = |(frame, track): Node| Some((frame, matching.get(frame)?.only_truth(track)?));
    let mut found = 0;
    for ((from, to), of_mother) in edges(result) {
        let (Some(from), Some(to)) = (only(from), only(to)) else {
            continue;
        };
        match true_edges.get(&(from, to)) {
            None => counts.extra_edges += 1,
            Some(&kind) => {
                found += 1;
                counts.wrong_kind += usize::from(kind != of_mother);
            }
        }
    }
    counts.missing_edges = counts.edges - found;
    counts
}
