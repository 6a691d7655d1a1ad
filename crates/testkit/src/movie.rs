//! A virtual movie: a design, its truth, and the detections that a tracker is given.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::chance::Chance;
use crate::design::{Design, Family};
use crate::lives::Lives;
use crate::nuclei::Nuclei;
use crate::observe::{Detection, observe, stage};

/// A nucleus of the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TruthPoint {
    /// Track, from 1; one track is visible in every frame from its first to its last.
    pub track: u32,
    /// Frame, from 0.
    pub frame: usize,
    /// Column of the centre in pixels, where the picture shows it (drift and jumps applied).
    pub x: f64,
    /// Row of the centre in pixels.
    pub y: f64,
    /// Track of the mother, 0 for none (or when she was not visible in the frame before).
    pub parent: u32,
}

/// A movie with its truth.
#[derive(Clone, Debug)]
pub struct Movie {
    /// What it was made from.
    pub design: Design,
    /// Width and height of the field in pixels.
    pub field_px: [f64; 2],
    /// Micrometres a pixel.
    pub um_per_px: f64,
    /// All visible nuclei, found or not, by track and frame.
    pub truth: Vec<TruthPoint>,
    /// What was found, frame by frame, in random order within a frame.
    pub detections: Vec<Detection>,
}

impl Movie {
    /// The movie of this number in a family ([`Design::draw`]).
    pub fn draw(family: Family, seed: u64, index: u64) -> Self {
        Self::of(Design::draw(family, seed, index))
    }

    /// Plays a design. Lives and faults have streams of their own: other faults leave the cells as they are.
    pub fn of(design: Design) -> Self {
        let name = format!("virtual movie/{}/{}", design.family.name(), design.index);
        let stream = |part: &str| Chance::new(design.seed, &format!("{name}/{part}"));
        let nuclei = Nuclei::of(design.nuclei, &mut stream("nuclei"));
        let lives = Lives::of(&design, &nuclei, &mut stream("lives"));
        let (truth, track_of) = visible_tracks(&lives, &design);
        let detections = observe(&lives, &design.faults, &track_of, &mut stream("faults"));
        Self {
            field_px: lives.field_px,
            um_per_px: lives.um_per_px,
            truth,
            detections,
            design,
        }
    }

    /// Writes `movie.json` (the design and the scale), `truth.csv` (track_id, frame, x, y, parent_id) and `detections.csv` (frame, x, y, area, mean,
    /// eccentricity, solidity, class probabilities, then the truth of each row: truth_id, truth_id_2).
    ///
    /// Errors: the folder or a file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut about = serde_json::to_value(&self.design)?;
        about["field_px"] = serde_json::json!(self.field_px);
        about["um_per_px"] = serde_json::json!(self.um_per_px);
        fs::write(
            folder.join("movie.json"),
            serde_json::to_string_pretty(&about)? + "\n",
        )?;
        let mut truth = String::from("track_id,frame,x,y,parent_id\n");
        for point in &self.truth {
            truth += &format!(
                "{},{},{:.3},{:.3},{}\n",
                point.track, point.frame, point.x, point.y, point.parent
            );
        }
        fs::write(folder.join("truth.csv"), truth)?;
        let mut found = String::from(
            "frame,x,y,area,mean,eccentricity,solidity,p_interphase,p_prometaphase,p_metaphase,p_anaphase,p_apoptosis,truth_id,truth_id_2\n",
        );
        for detection in &self.detections {
            found += &format!("{},{:.3},{:.3},", detection.frame, detection.x, detection.y);
            found += &format!(
                "{:.1},{:.2},{:.4},{:.4}",
                detection.area, detection.mean, detection.eccentricity, detection.solidity
            );
            for p in detection.probability {
                found += &format!(",{p:.5}");
            }
            found += &format!(",{},{}\n", detection.track, detection.second);
        }
        fs::write(folder.join("detections.csv"), found)
    }
}

/// Numbers the visible stretches of every cell by first frame, then cell.
pub(crate) fn visible_tracks(
    lives: &Lives,
    design: &Design,
) -> (Vec<TruthPoint>, BTreeMap<(usize, usize), u32>) {
    let mut track_of: BTreeMap<(usize, usize), u32> = BTreeMap::new();
    let mut points = Vec::new();
    let mut next = 0;
    for (frame, seen) in lives.frames.iter().enumerate() {
        let shift = stage(&design.faults, frame);
        let mut in_field: Vec<_> = seen
            .iter()
            .map(|nucleus| (nucleus.cell, nucleus.x - shift[0], nucleus.y - shift[1]))
            .filter(|(_, x, y)| (0.0..lives.field_px[0]).contains(x) && (0.0..lives.field_px[1]).contains(y))
            .collect();
        in_field.sort_by_key(|&(cell, ..)| cell);
        for (cell, x, y) in in_field {
            let before = frame
                .checked_sub(1)
                .and_then(|before| track_of.get(&(cell, before)));
            let track = before.copied().unwrap_or_else(|| {
                next += 1;
                next
            });
            let born_now = frame > 0 && !lives.frames[frame - 1].iter().any(|nucleus| nucleus.cell == cell);
            let mother = lives.mother.get(&cell).filter(|_| born_now);
            let parent = mother
                .and_then(|&mother| track_of.get(&(mother, frame - 1)))
                .copied();
            track_of.insert((cell, frame), track);
            points.push(TruthPoint {
                track,
                frame,
                x,
                y,
                parent: parent.unwrap_or(0),
            });
        }
    }
    points.sort_by_key(|point| (point.track, point.frame));
    // A parent is a fact of the whole track.
    let mut parent = 0;
    let mut last = 0;
    for point in &mut points {
        if point.track != last {
            (last, parent) = (point.track, point.parent);
        }
        point.parent = parent;
    }
    (points, track_of)
}
