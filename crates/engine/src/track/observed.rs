//! A movie whose objects are known: what the tracker gets, and what is needed to say and draw what it found.

use std::collections::BTreeMap;

use track::Detections;

use super::outlines::Outlines;

/// The objects of a movie.
pub(super) struct Observed {
    /// What the tracker gets.
    pub(super) detections: Detections,
    /// For every frame and object its number in the user's label image or table.
    pub(super) labels: Vec<Vec<u32>>,
    /// Number that the tables give to the first frame.
    pub(super) first_frame: i64,
    /// Difference of the numbers of neighbouring frames.
    pub(super) frame_step: i64,
    /// Pixels of the objects; `None` for a table.
    pub(super) outlines: Option<Vec<Outlines>>,
    /// Rows and columns of the frames; `None` for a table.
    pub(super) shape: Option<(usize, usize)>,
    /// Micrometers a pixel, if the files say it.
    pub(super) pixel_size_um: Option<f64>,
    /// File of each frame, where frames have files.
    pub(super) names: Vec<String>,
    /// Digest (blake3) of every file that was read.
    pub(super) inputs: BTreeMap<String, String>,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

impl Observed {
    /// Number of a frame as the tables have it.
    pub(super) fn number(&self, frame: u32) -> i64 {
        self.first_frame + self.frame_step * i64::from(frame)
    }

    /// Number of frames.
    pub(super) fn len(&self) -> usize {
        self.detections.frames.len()
    }
}
