//! The tracker on a virtual movie: its scores, and which of its claims about links and divisions are right.

use std::collections::{BTreeMap, BTreeSet};

use track::score::{Judged, Scores, TrackPoint, Tracking, match_points, score};
use track::{Detections, Frame, ObjectId, TrackError, TrackOptions, Tracks, track};

use crate::movie::Movie;
use crate::nuclei::{INTERPHASE_AREA_UM2, Phase};

/// Objects match within this share of the median nucleus's diameter.
const WITHIN: f64 = 0.4;

/// What the tracker made of one movie.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Scores against the truth, missed nuclei included.
    pub scores: Scores,
    /// Links that the tracks hold.
    pub links: Vec<Judged>,
    /// Divisions that the tracks hold.
    pub divisions: Vec<Judged>,
    /// Probabilities of every event of division, as the counts of a run take them.
    pub events: Vec<f64>,
    /// Divisions of the truth: mothers with two visible daughters.
    pub true_divisions: usize,
}

/// The detections as the tracker takes them; without `looks` it gets positions alone.
pub fn detections(movie: &Movie, looks: bool) -> Detections {
    let mut frames = vec![Frame::default(); movie.design.frames];
    for frame in frames.iter_mut().filter(|_| looks) {
        frame.features = vec![Vec::new()];
    }
    for detection in &movie.detections {
        let frame = &mut frames[detection.frame];
        frame.x.push(detection.x);
        frame.y.push(detection.y);
        if looks {
            frame.area.push(detection.area);
            frame.intensity.push(detection.mean.max(1e-3));
            let dividing = [Phase::Prometaphase, Phase::Metaphase, Phase::Anaphase]
                .map(|phase| detection.probability[phase as usize]);
            frame.mitosis.push(dividing.iter().sum::<f64>().clamp(0.0, 1.0));
            frame.features[0].push(detection.eccentricity);
        }
    }
    let feature_names = if looks {
        vec!["eccentricity".to_owned()]
    } else {
        Vec::new()
    };
    Detections {
        frames,
        feature_names,
        field: Some((movie.field_px[0], movie.field_px[1])),
    }
}

/// Tracks a movie with the default options and judges every claim; `number` tells this movie's claims from others'.
///
/// A link is right when both of its objects show one cell (a merge shows two) and no detection of that cell alone lies between; one that joins two false
/// objects is not judged, as there is no cell to be right about. A division is right when its three objects are a mother and two daughters of hers. Errors: what the tracker refuses.
pub fn judge(movie: &Movie, number: usize, looks: bool) -> Result<Verdict, TrackError> {
    let tracks = track(&detections(movie, looks), &TrackOptions::default())?;
    Ok(verdict(movie, number, &tracks))
}

fn verdict(movie: &Movie, number: usize, tracks: &Tracks) -> Verdict {
    let mut shown: Vec<Vec<(u32, u32)>> = vec![Vec::new(); movie.design.frames];
    for detection in &movie.detections {
        shown[detection.frame].push((detection.track, detection.second));
    }
    let cells = |object: ObjectId| shown[object.frame as usize][object.index as usize];
    let mut mother_of: BTreeMap<u32, u32> = BTreeMap::new();
    for point in movie.truth.iter().filter(|point| point.parent > 0) {
        mother_of.insert(point.track, point.parent);
    }
    let judged = |probability: f64, right: bool| Judged {
        movie: number,
        probability,
        right,
    };
    let links = tracks.links.iter().filter_map(|link| {
        let (from, to) = (cells(link.from), cells(link.to));
        if from.0 == 0 && to.0 == 0 {
            return None;
        }
        let in_both = |cell: u32| cell > 0 && [to.0, to.1].contains(&cell);
        let cell = [from.0, from.1].into_iter().find(|&cell| in_both(cell));
        // A merge between shows the cell too, but may be the other cell's detection.
        let passed_over = |cell: u32| {
            let mut between = link.from.frame + 1..link.to.frame;
            between.any(|frame| shown[frame as usize].contains(&(cell, 0)))
        };
        Some(judged(
            link.probability,
            cell.is_some_and(|cell| !passed_over(cell)),
        ))
    });
    let divisions = tracks.divisions.iter().map(|division| {
        let mother = cells(division.mother);
        let [one, two] = division.daughters.map(cells);
        // The daughters of a mother that an object shows; a merge shows two cells.
        let hers = |cell: u32| {
            let of = mother_of.get(&cell);
            cell > 0 && of.is_some_and(|of| [mother.0, mother.1].contains(of))
        };
        let pairs = [(one.0, two.0), (one.0, two.1), (one.1, two.0), (one.1, two.1)];
        let right = pairs
            .iter()
            .any(|&(a, b)| a != b && hers(a) && hers(b) && mother_of[&a] == mother_of[&b]);
        judged(division.probability, right)
    });
    let mut children: BTreeMap<u32, usize> = BTreeMap::new();
    mother_of
        .values()
        .for_each(|&mother| *children.entry(mother).or_default() += 1);
    Verdict {
        scores: scores(movie, tracks),
        links: links.collect(),
        divisions: divisions.collect(),
        events: events(tracks, &shown),
        true_divisions: children.values().filter(|&&n| n == 2).count(),
    }
}

/// Divisions in the tracks, then those that were only considered, likeliest first, unless one of their objects' tracks divides within two frames of them
/// already.
fn events(tracks: &Tracks, shown: &[Vec<(u32, u32)>]) -> Vec<f64> {
    const SAME_EVENT: u32 = 2;
    let mut track_of: Vec<Vec<u32>> = shown.iter().map(|frame| vec![0; frame.len()]).collect();
    for object in &tracks.objects {
        if let Some(index) = object.detection {
            track_of[object.frame as usize][index as usize] = object.track;
        }
    }
    let mut counted: BTreeSet<(u32, u32)> = BTreeSet::new();
    let mut events = Vec::new();
    for division in &tracks.divisions {
        events.push(division.event_probability);
        counted.extend(
            division
                .tracks
                .into_iter()
                .flatten()
                .map(|track| (track, division.mother.frame)),
        );
    }
    let mut others: Vec<_> = tracks.other_divisions.iter().collect();
    others.sort_by(|a, b| {
        b.probability
            .total_cmp(&a.probability)
            .then(a.mother.cmp(&b.mother))
    });
    for division in others {
        let frame = division.mother.frame;
        let [one, two] = division.daughters;
        let of =
            [division.mother, one, two].map(|object| track_of[object.frame as usize][object.index as usize]);
        let near = |track: u32| (track, frame.saturating_sub(SAME_EVENT))..=(track, frame + SAME_EVENT);
        if of
            .iter()
            .any(|&track| track > 0 && counted.range(near(track)).next().is_some())
        {
            continue;
        }
        events.push(division.event_probability);
        counted.extend(of.map(|track| (track, frame)));
    }
    events
}

fn scores(movie: &Movie, tracks: &Tracks) -> Scores {
    let truth: Vec<TrackPoint> = movie
        .truth
        .iter()
        .map(|point| TrackPoint {
            track: point.track,
            frame: point.frame,
            x: point.x,
            y: point.y,
            parent: point.parent,
        })
        .collect();
    let parent: BTreeMap<u32, u32> = tracks
        .tracks
        .iter()
        .filter_map(|track| Some((track.id, track.parent?)))
        .collect();
    let found: Vec<TrackPoint> = tracks
        .objects
        .iter()
        .map(|object| TrackPoint {
            track: object.track,
            frame: object.frame as usize,
            x: object.x,
            y: object.y,
            parent: parent.get(&object.track).copied().unwrap_or(0),
        })
        .collect();
    let mut truth = Tracking::from_points(&truth).expect("a virtual movie's truth is whole");
    let mut found = Tracking::from_points(&found).expect("a track has one object a frame");
    truth.pad_to(movie.design.frames);
    found.pad_to(movie.design.frames);
    let diameter = 2.0 * (INTERPHASE_AREA_UM2 / std::f64::consts::PI).sqrt() / movie.um_per_px;
    let matching = match_points(&truth, &found, WITHIN * diameter);
    score(&truth, &found, &matching)
}
