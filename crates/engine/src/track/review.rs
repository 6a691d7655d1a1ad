//! What a person should look at first.

use super::linked::Linked;

/// Links and divisions below this probability are listed.
const DOUBTFUL: f64 = 0.95;
/// Divisions that were not chosen are listed from this probability on.
const POSSIBLE: f64 = 0.05;
/// Rows of the list: so many at least (if there are as many links) and at most.
const LEAST: usize = 20;
const MOST: usize = 1000;

/// What is doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ReviewKind {
    /// A link of the tracks.
    Link,
    /// A division of the tracks.
    Division,
    /// A division that was considered but not taken.
    PossibleDivision,
}

impl ReviewKind {
    /// The word of the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Division => "division",
            Self::PossibleDivision => "possible division",
        }
    }
}

/// One row of the list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ReviewItem {
    /// What it is.
    pub(super) kind: ReviewKind,
    /// Frame in which to look: that of the earlier object or the mother.
    pub(super) frame: u32,
    /// Frames to the later object or the daughters.
    pub(super) gap: u32,
    /// Place in that frame, pixels.
    pub(super) x: f64,
    pub(super) y: f64,
    /// Tracks that it concerns.
    pub(super) tracks: Vec<u32>,
    /// Probability that what the tracks say is right.
    pub(super) probability: f64,
    /// What the tracks say.
    pub(super) what: String,
    /// What may be so instead.
    pub(super) instead: String,
    /// Its probability.
    pub(super) instead_probability: Option<f64>,
}

/// The list, worst first.
pub(super) fn review(linked: &Linked) -> Vec<ReviewItem> {
    let mut items: Vec<ReviewItem> = linked
        .tracks
        .links
        .iter()
        .map(|link| {
            let (x, y) = linked.place(link.from);
            ReviewItem {
                kind: ReviewKind::Link,
                frame: link.from.frame,
                gap: link.to.frame - link.from.frame,
                x,
                y,
                tracks: vec![link.track],
                probability: link.probability,
                what: format!("track {} goes on to {}", link.track, linked.at(link.to)),
                instead: linked.alternative(link.runner_up.kind),
                instead_probability: Some(link.runner_up.probability),
            }
        })
        .collect();
    for division in &linked.tracks.divisions {
        let (x, y) = linked.place(division.mother);
        items.push(ReviewItem {
            kind: ReviewKind::Division,
            frame: division.mother.frame,
            gap: division.daughters[0].frame.max(division.daughters[1].frame) - division.mother.frame,
            x,
            y,
            tracks: division.tracks.map_or_else(Vec::new, |tracks| tracks.to_vec()),
            probability: division.probability,
            what: linked.division_in_words(division),
            instead: format!(
                "no division of these three ({:.0} %: she divides about here)",
                100.0 * division.event_probability
            ),
            instead_probability: Some(1.0 - division.probability),
        });
    }
    for division in &linked.tracks.other_divisions {
        if division.probability < POSSIBLE {
            continue;
        }
        let (x, y) = linked.place(division.mother);
        items.push(ReviewItem {
            kind: ReviewKind::PossibleDivision,
            frame: division.mother.frame,
            gap: division.daughters[0].frame.max(division.daughters[1].frame) - division.mother.frame,
            x,
            y,
            tracks: [division.mother, division.daughters[0], division.daughters[1]]
                .iter()
                .map(|id| linked.track_of[id.frame as usize][id.index as usize])
                .filter(|&track| track > 0)
                .collect(),
            probability: 1.0 - division.probability,
            what: "no division here".to_owned(),
            instead: linked.division_in_words(division),
            instead_probability: Some(division.probability),
        });
    }
    items.sort_by(|a, b| {
        a.probability
            .total_cmp(&b.probability)
            .then(a.frame.cmp(&b.frame))
            .then(a.kind.cmp(&b.kind))
            .then(a.tracks.cmp(&b.tracks))
            .then(a.x.total_cmp(&b.x))
    });
    let doubtful = items.partition_point(|item| item.probability < DOUBTFUL);
    items.truncate(doubtful.clamp(LEAST, MOST));
    items
}
