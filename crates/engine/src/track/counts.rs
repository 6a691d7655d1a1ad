//! Cells of every frame and divisions of the movie, with intervals made from the probabilities.

use std::collections::BTreeSet;

use super::linked::Linked;

/// Level of the intervals.
const LEVEL: f64 = 0.9;
/// Divisions of one cell are one event when their mothers lie so few frames apart.
const SAME_EVENT: u32 = 2;

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FrameCount {
    /// Expected number of cells.
    pub(super) cells: f64,
    /// 90 % interval.
    pub(super) range: (u32, u32),
    /// Expected number of mothers whose last frame this is.
    pub(super) divisions: f64,
}

/// The whole movie.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counts {
    /// By frame.
    pub(super) frames: Vec<FrameCount>,
    /// Expected number of divisions.
    pub(super) divisions: f64,
    /// 90 % interval.
    pub(super) divisions_range: (u32, u32),
    /// Expected cells summed over all frames but the last: the chances to divide.
    pub(super) cell_frames: f64,
}

impl Counts {
    /// Divisions a cell and frame with its 90 % interval; `None` without cells.
    pub(super) fn rate(&self) -> Option<(f64, (f64, f64))> {
        (self.cell_frames > 0.0).then(|| {
            (
                self.divisions / self.cell_frames,
                (
                    f64::from(self.divisions_range.0) / self.cell_frames,
                    f64::from(self.divisions_range.1) / self.cell_frames,
                ),
            )
        })
    }
}

/// Counts cells and divisions.
///
/// Each detection is a cell with the probability that it is real, each filled object with that of its link. Divisions in the tracks
/// count with the probability that the mother divided about there; those that were only considered count with their own, unless
/// their mother is that of a counted one. All are taken as independent.
pub(super) fn counts(linked: &Linked) -> Counts {
    let n = linked.observed.len();
    let mut cells: Vec<Vec<f64>> = linked.tracks.reality.clone();
    cells.resize(n, Vec::new());
    for object in linked
        .tracks
        .objects
        .iter()
        .filter(|object| object.detection.is_none())
    {
        cells[object.frame as usize].push(object.probability);
    }
    let mut by_frame = vec![0.0; n];
    let mut events = Vec::new();
    let mut counted: BTreeSet<(u32, u32)> = BTreeSet::new();
    let track_of = |id: track::ObjectId| linked.track_of[id.frame as usize][id.index as usize];
    for division in &linked.tracks.divisions {
        events.push(division.event_probability);
        by_frame[division.mother.frame as usize] += division.event_probability;
        for track in division.tracks.into_iter().flatten() {
            counted.insert((track, division.mother.frame));
        }
    }
    let mut others: Vec<&track::Division> = linked.tracks.other_divisions.iter().collect();
    others.sort_by(|a, b| {
        b.probability
            .total_cmp(&a.probability)
            .then(a.mother.cmp(&b.mother))
    });
    for division in others {
        let frame = division.mother.frame;
        let tracks = [division.mother, division.daughters[0], division.daughters[1]].map(track_of);
        let is_counted = tracks.iter().any(|&track| {
            track > 0
                && counted
                    .range((track, frame.saturating_sub(SAME_EVENT))..=(track, frame + SAME_EVENT))
                    .next()
                    .is_some()
        });
        if is_counted {
            continue;
        }
        events.push(division.event_probability);
        by_frame[frame as usize] += division.event_probability;
        for track in tracks {
            counted.insert((track, frame));
        }
    }
    let frames: Vec<FrameCount> = cells
        .iter()
        .zip(&by_frame)
        .map(|(probabilities, &divisions)| FrameCount {
            cells: probabilities.iter().sum::<f64>() + 0.0,
            range: uncertainty::poisson_binomial_interval(probabilities, LEVEL),
            divisions,
        })
        .collect();
    Counts {
        // A sum of nothing is −0.
        divisions: events.iter().sum::<f64>() + 0.0,
        divisions_range: uncertainty::poisson_binomial_interval(&events, LEVEL),
        cell_frames: frames
            .iter()
            .take(n.saturating_sub(1))
            .map(|frame| frame.cells)
            .sum(),
        frames,
    }
}
