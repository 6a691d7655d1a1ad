//! A tracking: objects with identities frame by frame, and the mother of each track.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

/// Why a tracking cannot be scored.
#[derive(Debug, Error, PartialEq)]
pub enum ScoreError {
    /// A track has two objects in one frame.
    #[error(
        "track {track} has two objects in frame {frame}: give every object of a frame a track of its own"
    )]
    Doubled {
        /// The track.
        track: u32,
        /// The frame, from 0.
        frame: usize,
    },
    /// A position is not a number.
    #[error(
        "track {track} has no position in frame {frame} (x or y is not finite): remove the row or mend it"
    )]
    NoPosition {
        /// The track.
        track: u32,
        /// The frame, from 0.
        frame: usize,
    },
    /// Track 0 means "none".
    #[error("track 0 in frame {frame}: tracks are numbered from 1, 0 means no parent")]
    Zero {
        /// The frame, from 0.
        frame: usize,
    },
    /// The two sides have another number of frames.
    #[error("{truth} frames of truth but {given} {what}: score frames of the same movie")]
    Frames {
        /// Frames of the truth.
        truth: usize,
        /// Frames of the other side.
        given: usize,
        /// What was counted.
        what: &'static str,
    },
}

/// One row of a trajectory table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackPoint {
    /// Track, from 1.
    pub track: u32,
    /// Frame, from 0.
    pub frame: usize,
    /// Column in pixels.
    pub x: f64,
    /// Row in pixels.
    pub y: f64,
    /// Track of the mother, 0 for none.
    pub parent: u32,
}

/// An object of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vertex {
    /// Its track.
    pub track: u32,
    /// Column in pixels; NaN for label images, which are matched by overlap.
    pub x: f64,
    /// Row in pixels; NaN likewise.
    pub y: f64,
}

/// First and last frame of a track and its mother.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Track {
    /// First frame.
    pub first: usize,
    /// Last frame.
    pub last: usize,
    /// The mother; `None` for a track that comes from nowhere (also when the named mother does not exist).
    pub parent: Option<u32>,
}

/// Objects with identities over all frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tracking {
    pub(super) frames: Vec<Vec<Vertex>>,
    pub(super) tracks: BTreeMap<u32, Track>,
}

impl Tracking {
    /// From a trajectory table in any order. A track's mother is the last one that its rows name.
    ///
    /// Errors: a doubled (track, frame), a position that is not finite, track 0.
    pub fn from_points(points: &[TrackPoint]) -> Result<Self, ScoreError> {
        let mut sorted = points.to_vec();
        sorted.sort_by_key(|point| (point.frame, point.track));
        let n_frames = sorted.last().map_or(0, |point| point.frame + 1);
        let mut frames = vec![Vec::new(); n_frames];
        let mut spans: BTreeMap<u32, Track> = BTreeMap::new();
        for pair in sorted.windows(2) {
            if (pair[0].track, pair[0].frame) == (pair[1].track, pair[1].frame) {
                return Err(ScoreError::Doubled {
                    track: pair[0].track,
                    frame: pair[0].frame,
                });
            }
        }
        for &TrackPoint {
            track,
            frame,
            x,
            y,
            parent,
        } in &sorted
        {
            if track == 0 {
                return Err(ScoreError::Zero { frame });
            }
            if !(x.is_finite() && y.is_finite()) {
                return Err(ScoreError::NoPosition { track, frame });
            }
            frames[frame].push(Vertex { track, x, y });
            let span = spans.entry(track).or_insert(Track {
                first: frame,
                last: frame,
                parent: None,
            });
            span.last = frame;
            if parent > 0 {
                span.parent = Some(parent);
            }
        }
        Ok(Self::new(frames, spans))
    }

    /// From the labels that each frame shows and the lines of a track file (label, first, last, parent or 0), which are believed as they stand.
    ///
    /// Errors: a label twice in a frame, label 0.
    pub fn from_labels(frames: &[Vec<u32>], tracks: &[(u32, usize, usize, u32)]) -> Result<Self, ScoreError> {
        for (frame, labels) in frames.iter().enumerate() {
            let mut seen = BTreeSet::new();
            for &track in labels {
                if track == 0 {
                    return Err(ScoreError::Zero { frame });
                }
                if !seen.insert(track) {
                    return Err(ScoreError::Doubled { track, frame });
                }
            }
        }
        let vertex = |&track: &u32| Vertex {
            track,
            x: f64::NAN,
            y: f64::NAN,
        };
        let frames = frames
            .iter()
            .map(|labels| labels.iter().map(vertex).collect())
            .collect();
        let track = |&(label, first, last, parent): &(u32, usize, usize, u32)| {
            (
                label,
                Track {
                    first,
                    last,
                    parent: (parent > 0).then_some(parent),
                },
            )
        };
        Ok(Self::new(frames, tracks.iter().map(track).collect()))
    }

    fn new(frames: Vec<Vec<Vertex>>, mut tracks: BTreeMap<u32, Track>) -> Self {
        let known: BTreeSet<u32> = tracks.keys().copied().collect();
        for track in tracks.values_mut() {
            track.parent = track.parent.filter(|parent| known.contains(parent));
        }
        Self { frames, tracks }
    }

    /// Objects of every frame.
    pub fn frames(&self) -> &[Vec<Vertex>] {
        &self.frames
    }

    /// Every track by its number.
    pub fn tracks(&self) -> &BTreeMap<u32, Track> {
        &self.tracks
    }

    /// Objects in all frames.
    pub fn n_vertices(&self) -> usize {
        self.frames.iter().map(Vec::len).sum()
    }

    /// Appends empty frames until there are `n`.
    pub fn pad_to(&mut self, n: usize) {
        if self.frames.len() < n {
            self.frames.resize(n, Vec::new());
        }
    }

    /// The children of every track that has some, in order.
    pub fn children(&self) -> BTreeMap<u32, Vec<u32>> {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (&child, track) in &self.tracks {
            if let Some(parent) = track.parent {
                children.entry(parent).or_default().push(child);
            }
        }
        children
    }

    /// The tracks that end in two or more children.
    pub fn divisions(&self) -> BTreeMap<u32, Vec<u32>> {
        let mut divisions = self.children();
        divisions.retain(|_, children| children.len() > 1);
        divisions
    }

    /// For every track the first of its unbranched line: a track with a mother of one child goes on under her number.
    pub(super) fn line_heads(&self) -> BTreeMap<u32, u32> {
        let children = self.children();
        let head = |mut track: u32| {
            // A line of n tracks has at most n - 1 steps; a circle of parents ends there.
            for _ in 0..self.tracks.len() {
                match self.tracks[&track].parent {
                    Some(parent) if children[&parent].len() == 1 => track = parent,
                    _ => break,
                }
            }
            track
        };
        self.tracks.keys().map(|&track| (track, head(track))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(track: u32, frame: usize, parent: u32) -> TrackPoint {
        TrackPoint {
            track,
            frame,
            x: 1.0,
            y: 2.0,
            parent,
        }
    }

    #[test]
    fn rows_in_any_order_make_tracks_and_bad_rows_are_named() {
        let tracking =
            Tracking::from_points(&[point(2, 3, 1), point(1, 0, 0), point(2, 2, 1), point(1, 1, 9)]).unwrap();
        assert_eq!(
            tracking.tracks()[&2],
            Track {
                first: 2,
                last: 3,
                parent: Some(1)
            }
        );
        assert_eq!(tracking.tracks()[&1].parent, None, "track 9 does not exist");
        assert_eq!(tracking.line_heads()[&2], 1);
        let doubled = Tracking::from_points(&[point(1, 0, 0), point(1, 0, 0)]);
        assert_eq!(doubled, Err(ScoreError::Doubled { track: 1, frame: 0 }));
        assert_eq!(
            Tracking::from_points(&[point(0, 4, 0)]),
            Err(ScoreError::Zero { frame: 4 })
        );
        let lost = TrackPoint {
            x: f64::NAN,
            ..point(3, 1, 0)
        };
        assert_eq!(
            Tracking::from_points(&[lost]),
            Err(ScoreError::NoPosition { track: 3, frame: 1 })
        );
        assert_eq!(Tracking::from_points(&[]).unwrap().n_vertices(), 0);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let circle = Tracking::from_points(&[point(1, 0, 2), point(2, 1, 1)]).unwrap();
        assert_eq!(circle.line_heads().len(), 2);
    }
}
