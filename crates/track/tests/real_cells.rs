//! Annotated C2C12 cells: what a tracker must reach on positions alone, and on positions with misses, noise and false objects.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use track::{Detections, ObjectId, TrackOptions, Tracks, track};

/// (frame, index) → (track, mother), and the points by frame.
type Annotated = (Vec<Vec<(f64, f64)>>, BTreeMap<ObjectId, (u32, u32)>);

fn folder() -> Option<PathBuf> {
    let data = std::env::var_os("PHENOSURE_DATA").map(PathBuf::from);
    let folder = data.map(|d| d.join("c2c12_tracks_f0017")).filter(|f| f.is_dir());
    if folder.is_none() {
        eprintln!("skipped: PHENOSURE_DATA does not name a folder with c2c12_tracks_f0017");
    }
    folder
}

/// Every `step`-th frame of tracks.csv.
fn annotated(folder: &Path, step: u32) -> Annotated {
    let mut frames = vec![];
    let mut truth = BTreeMap::new();
    let mut reader = csv::Reader::from_path(folder.join("tracks.csv")).unwrap();
    for row in reader.records() {
        let row = row.unwrap();
        let number = |k: usize| row[k].parse::<f64>().unwrap();
        let t = number(1) as u32;
        if !t.is_multiple_of(step) {
            continue;
        }
        let t = t / step;
        if frames.len() <= t as usize {
            frames.resize(t as usize + 1, vec![]);
        }
        let id = ObjectId {
            frame: t,
            index: frames[t as usize].len() as u32,
        };
        truth.insert(id, (number(0) as u32, number(4) as u32));
        frames[t as usize].push((number(2), number(3)));
    }
    (frames, truth)
}

/// Links of one cell, all links, divisions that are right, divisions of the result.
fn judged(tracks: &Tracks, truth: &BTreeMap<ObjectId, (u32, u32)>) -> (usize, usize, usize, usize) {
    let right = tracks
        .links
        .iter()
        .filter(|l| truth[&l.from].0 == truth[&l.to].0)
        .count();
    let sisters = tracks
        .divisions
        .iter()
        .filter(|d| d.daughters.iter().all(|k| truth[k].1 == truth[&d.mother].0))
        .count();
    (right, tracks.links.len(), sisters, tracks.divisions.len())
}

#[test]
fn links_and_divisions_of_real_cells_are_found() {
    let Some(folder) = folder() else { return };
    // Frames apart, least share of right links, least right divisions, most wrong ones.
    for (step, share, right_divisions, wrong) in [(1, 0.9995, 33, 2), (3, 0.996, 28, 6)] {
        let (frames, truth) = annotated(&folder, step);
        let tracks = track(&Detections::from_points(&frames), &TrackOptions::default()).unwrap();
        let (right, links, sisters, divisions) = judged(&tracks, &truth);
        assert!(
            right as f64 >= share * links as f64,
            "step {step}: {right} of {links} links"
        );
        assert!(
            sisters >= right_divisions,
            "step {step}: {sisters} of {divisions} divisions"
        );
        assert!(
            divisions - sisters <= wrong,
            "step {step}: {sisters} of {divisions} divisions"
        );
        // Wrong links must stand out among the least certain.
        let mut order: Vec<_> = tracks.links.iter().collect();
        order.sort_by(|a, b| a.probability.total_cmp(&b.probability));
        let wrong_in = |l: &[&track::Link]| l.iter().filter(|l| truth[&l.from].0 != truth[&l.to].0).count();
        let doubtful = wrong_in(&order[..links / 50]);
        assert!(
            3 * doubtful >= links - right,
            "step {step}: {doubtful} of {} wrong links",
            links - right
        );
    }
}

#[test]
fn missed_cells_are_filled_in_and_make_no_divisions() {
    let Some(folder) = folder() else { return };
    let mut frames: Vec<Vec<(f64, f64)>> = vec![];
    let mut reader = csv::Reader::from_path(folder.join("detections_noisy.csv")).unwrap();
    for row in reader.records() {
        let row = row.unwrap();
        let t: usize = row[0].parse().unwrap();
        frames.resize(frames.len().max(t + 1), vec![]);
        frames[t].push((row[1].parse().unwrap(), row[2].parse().unwrap()));
    }
    let tracks = track(&Detections::from_points(&frames), &TrackOptions::default()).unwrap();
    // 5 % were dropped and 2 % are false; 36 divisions are true.
    assert!(
        (0.93..0.97).contains(&tracks.model.detection_probability),
        "{:?}",
        tracks.model
    );
    assert!(
        (0.01..0.03).contains(&tracks.model.false_per_cell),
        "{:?}",
        tracks.model
    );
    assert!(
        (25..=45).contains(&tracks.divisions.len()),
        "{} divisions",
        tracks.divisions.len()
    );
    let filled = tracks.objects.iter().filter(|o| o.detection.is_none()).count();
    assert!((800..1200).contains(&filled), "{filled} filled positions");
    for pair in tracks.objects.windows(2).filter(|p| p[0].track == p[1].track) {
        assert_eq!(pair[0].frame + 1, pair[1].frame);
    }
}
