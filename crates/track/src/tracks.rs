//! What the tracker gives: tracks, links, divisions, and how probable each is.

use crate::FittedModel;

/// A detection: frame and index in the frame, both from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Frame, from 0.
    pub frame: u32,
    /// Index in the frame, from 0.
    pub index: u32,
}

/// One object of a track in one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackedObject {
    /// Track it belongs to, 1 to n.
    pub track: u32,
    /// Frame, from 0.
    pub frame: u32,
    /// Index of the detection in its frame; `None` where the object was missed and its position is filled in.
    pub detection: Option<u32>,
    /// Position, pixels.
    pub x: f64,
    /// Position, pixels.
    pub y: f64,
    /// Probability that there is a cell of this track here.
    pub probability: f64,
}

/// A track: one cell from its birth (or entry) to its division, death or exit.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// 1 to n, in order of first frame, then position in that frame's input.
    pub id: u32,
    /// The mother's track, if the cell was born by a division that was seen.
    pub parent: Option<u32>,
    /// First frame.
    pub first: u32,
    /// Last frame.
    pub last: u32,
    /// Index in [`Tracks::links`] of the least probable link of the track, if it has a link.
    pub weakest_link: Option<usize>,
    /// Probability that every link of the track is right, taken as independent: the product.
    pub probability: f64,
}

/// A link of one object to the same cell at a later frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Track it belongs to.
    pub track: u32,
    /// Earlier object.
    pub from: ObjectId,
    /// Later object; more than one frame later where the cell was missed in between.
    pub to: ObjectId,
    /// Probability that the two are one cell and that the cell was not seen in between.
    pub probability: f64,
    /// What else may have become of `from`, or where else `to` may have come from: the likelier of the two.
    pub runner_up: RunnerUp,
}

/// The second best explanation of a link's ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunnerUp {
    /// What it is.
    pub kind: Alternative,
    /// Its probability.
    pub probability: f64,
}

/// Kinds of alternative to a link.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alternative {
    /// The earlier object continues in this one.
    Continues(ObjectId),
    /// The later object continues this one.
    ComesFrom(ObjectId),
    /// The earlier object divided, into these two.
    Divides(ObjectId, ObjectId),
    /// The earlier object is the last of its cell.
    Ends,
    /// The later object is the first of its cell.
    Begins,
    /// One of the two is no cell.
    NotReal,
}

/// A division: a mother and two daughters.
#[derive(Debug, Clone, PartialEq)]
pub struct Division {
    /// Last object of the mother.
    pub mother: ObjectId,
    /// First objects of the daughters, in order of frame and index.
    pub daughters: [ObjectId; 2],
    /// Tracks of mother and daughters; `None` for a division that was considered but is not in the tracks.
    pub tracks: Option<[u32; 3]>,
    /// Probability that these three are a mother and her daughters.
    pub probability: f64,
    /// Probability that the mother divided about here, whichever two objects are her daughters, within two frames.
    pub event_probability: f64,
}

/// The result: tracks with their doubt.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracks {
    /// Objects by track, then frame; no frame of a track is left out.
    pub objects: Vec<TrackedObject>,
    /// Tracks by id.
    pub tracks: Vec<Track>,
    /// Links by track, then frame.
    pub links: Vec<Link>,
    /// Divisions in the tracks, by mother's frame and index.
    pub divisions: Vec<Division>,
    /// Divisions that are not in the tracks but have a probability of 0.01 or more: what counts and rates need.
    pub other_divisions: Vec<Division>,
    /// For every frame and detection the probability that it is a cell.
    pub reality: Vec<Vec<f64>>,
    /// Global shift (x, y) of each frame against the one before, pixels; the first is (0, 0).
    pub drift: Vec<(f64, f64)>,
    /// What was learned of this movie.
    pub model: FittedModel,
}
