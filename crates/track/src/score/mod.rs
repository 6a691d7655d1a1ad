//! How good a tracking is, and whether its probabilities mean what they say.
//!
//! Two [`Tracking`]s, a [`Matching`] of their objects frame by frame, then any of the scores. Everything is a pure function; the counts equal those of
//! the Cell Tracking Challenge's measures (Matula et al. 2015, PLoS ONE 10:e0144959) as py-ctcmetrics computes them.

mod assignment;
mod association;
mod division;
mod doubt;
mod graph;
mod matching;
mod tracking;

pub use association::{cell_cycle_accuracy, chota, complete_tracks, hota, track_fractions};
pub use division::{DivisionCounts, count_divisions};
pub use doubt::{
    DivisionClaim, DoubtIntervals, DoubtScores, Judged, LinkClaim, doubt_intervals, judge_division,
    judge_link, score_doubt,
};
pub use graph::{GraphCounts, count_graph};
pub use matching::{FrameMatch, FrameOverlap, Matching, match_overlaps, match_points};
pub use tracking::{ScoreError, Track, TrackPoint, Tracking, Vertex};

/// All scores of one tracking.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// The six counts with AOGM, TRA, DET and LNK.
    pub graph: GraphCounts,
    /// Divisions at tolerance 0, 1 and 2 frames.
    pub divisions: [DivisionCounts; 3],
    /// F1 of tracks found from end to end (CT), `None` without tracks.
    pub complete_tracks: Option<f64>,
    /// Mean longest share of a found track followed without interruption (TF), 0 when none is found.
    pub track_fractions: f64,
    /// HOTA at the matching's own threshold; `None` without objects.
    pub hota: Option<f64>,
    /// CHOTA likewise.
    pub chota: Option<f64>,
    /// Cell-cycle accuracy (CCA), `None` without a whole cycle in the truth.
    pub cell_cycle_accuracy: Option<f64>,
}

/// Every score of `result` against `truth`.
pub fn score(truth: &Tracking, result: &Tracking, matching: &Matching) -> Scores {
    Scores {
        graph: count_graph(truth, result, matching),
        divisions: [0, 1, 2].map(|tolerance| count_divisions(truth, result, matching, tolerance)),
        complete_tracks: complete_tracks(truth, result, matching),
        track_fractions: track_fractions(truth, matching),
        hota: hota(truth, result, matching),
        chota: chota(truth, result, matching),
        cell_cycle_accuracy: cell_cycle_accuracy(truth, result),
    }
}
