//! The tracks beside the movie they were found in: which link leads to an object, which division a track comes from.

use track::{Alternative, Division, Link, ObjectId, TrackedObject, Tracks};

use super::observed::Observed;

/// Tracks and their movie.
pub(super) struct Linked<'a> {
    /// The movie.
    pub(super) observed: &'a Observed,
    /// What was found.
    pub(super) tracks: &'a Tracks,
    /// For every object of `tracks.objects` the index of the link that leads to it, or over it where it is filled in.
    pub(super) arriving: Vec<Option<usize>>,
    /// For every track (its id − 1) the division it was born in.
    pub(super) born: Vec<Option<usize>>,
    /// For every track the division it ends in.
    pub(super) divides: Vec<Option<usize>>,
    /// For every detection its track; 0 for one that is no cell.
    pub(super) track_of: Vec<Vec<u32>>,
    /// For every track its objects as a range of `tracks.objects`.
    pub(super) span: Vec<std::ops::Range<usize>>,
}

impl<'a> Linked<'a> {
    /// Puts both side by side.
    pub(super) fn new(observed: &'a Observed, tracks: &'a Tracks) -> Self {
        let n = tracks.tracks.len();
        let mut arriving = Vec::with_capacity(tracks.objects.len());
        let mut at = 0;
        for object in &tracks.objects {
            let behind = |link: &Link| {
                link.track < object.track || (link.track == object.track && link.to.frame < object.frame)
            };
            while tracks.links.get(at).is_some_and(behind) {
                at += 1;
            }
            let over = tracks
                .links
                .get(at)
                .is_some_and(|link| link.track == object.track && link.from.frame < object.frame);
            arriving.push(over.then_some(at));
        }
        let (mut born, mut divides) = (vec![None; n], vec![None; n]);
        for (index, division) in tracks.divisions.iter().enumerate() {
            if let Some([mother, one, other]) = division.tracks {
                divides[mother as usize - 1] = Some(index);
                born[one as usize - 1] = Some(index);
                born[other as usize - 1] = Some(index);
            }
        }
        let mut track_of: Vec<Vec<u32>> = observed
            .detections
            .frames
            .iter()
            .map(|frame| vec![0; frame.len()])
            .collect();
        for object in &tracks.objects {
            if let Some(index) = object.detection {
                track_of[object.frame as usize][index as usize] = object.track;
            }
        }
        let mut span = vec![0..0; n];
        let mut start = 0;
        for chunk in tracks.objects.chunk_by(|a, b| a.track == b.track) {
            span[chunk[0].track as usize - 1] = start..start + chunk.len();
            start += chunk.len();
        }
        Self {
            observed,
            tracks,
            arriving,
            born,
            divides,
            track_of,
            span,
        }
    }

    /// Objects of a track, in order of frames.
    pub(super) fn objects(&self, track: u32) -> &'a [TrackedObject] {
        &self.tracks.objects[self.span[track as usize - 1].clone()]
    }

    /// The link that leads to an object, or the division where it is the first of a daughter: the probability that its
    /// past is right. `None` for the first object of a cell that comes from nowhere.
    pub(super) fn past(&self, index: usize) -> Option<f64> {
        match self.arriving[index] {
            Some(link) => Some(self.tracks.links[link].probability),
            None => self.born[self.tracks.objects[index].track as usize - 1]
                .map(|division| self.tracks.divisions[division].probability),
        }
    }

    /// Displacement of each object of a track from the one before, drift of the field taken off, pixels.
    pub(super) fn steps(&self, track: u32) -> Vec<(f64, f64)> {
        let objects = self.objects(track);
        objects
            .windows(2)
            .map(|pair| {
                let drift = self.tracks.drift.get(pair[1].frame as usize).copied();
                let (dx, dy) = drift.unwrap_or_default();
                (pair[1].x - pair[0].x - dx, pair[1].y - pair[0].y - dy)
            })
            .collect()
    }

    /// Position of a detection.
    pub(super) fn place(&self, id: ObjectId) -> (f64, f64) {
        let frame = &self.observed.detections.frames[id.frame as usize];
        (frame.x[id.index as usize], frame.y[id.index as usize])
    }

    /// The tracks of a division in words.
    pub(super) fn division_in_words(&self, division: &Division) -> String {
        match division.tracks {
            Some([mother, one, other]) => format!("track {mother} divides into {one} and {other}"),
            None => format!(
                "the cell at {} might divide into those at {} and {}",
                self.at(division.mother),
                self.at(division.daughters[0]),
                self.at(division.daughters[1])
            ),
        }
    }

    /// A place as text.
    pub(super) fn at(&self, id: ObjectId) -> String {
        let (x, y) = self.place(id);
        format!("({x:.0}, {y:.0}) in frame {}", self.observed.number(id.frame))
    }

    /// What else may be so, in words.
    pub(super) fn alternative(&self, kind: Alternative) -> String {
        match kind {
            Alternative::Continues(id) => format!("continues at {}", self.at(id)),
            Alternative::ComesFrom(id) => format!("comes from {}", self.at(id)),
            Alternative::Divides(one, other) => {
                format!("divides into {} and {}", self.at(one), self.at(other))
            }
            Alternative::Ends => "the cell ends here".to_owned(),
            Alternative::Begins => "a new cell begins there".to_owned(),
            Alternative::NotReal => "one of the two is no cell".to_owned(),
            _ => "something else".to_owned(),
        }
    }
}
