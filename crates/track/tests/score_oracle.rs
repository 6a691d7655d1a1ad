//! The scores against two other programs on damaged copies of annotated movies (expected numbers: `scripts/score_oracle.py`).
//!
//! The movies are read from the folder that PHENOSURE_DATA names; without it the tests say so and pass.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Tracks, edits};
use track::score::{FrameOverlap, Scores, TrackPoint, Tracking, match_overlaps, match_points, score};

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("PHENOSURE_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("PHENOSURE_DATA is not set: the annotated movies are not scored");
    }
    folder
}

fn cases(kind: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("fixtures/score_oracle.json")).unwrap();
    let all = file["cases"].as_array().unwrap();
    all.iter().filter(|case| case["kind"] == kind).cloned().collect()
}

fn flags(case: &Value) -> Vec<String> {
    let flags = case["flags"].as_array().unwrap();
    flags
        .iter()
        .map(|flag| flag.as_str().unwrap().to_owned())
        .collect()
}

/// A label image as rows of 16-bit numbers, with its width.
fn labels(path: &Path) -> (Vec<u32>, usize) {
    let mut reader = png::Decoder::new(std::io::BufReader::new(fs::File::open(path).unwrap()))
        .read_info()
        .unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(info.bit_depth, png::BitDepth::Sixteen, "{}", path.display());
    let pixels = bytes
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    (pixels.collect(), info.width as usize)
}

fn track_file(path: &Path) -> Tracks {
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let words: Vec<usize> = line
            .split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect();
        (words[0] as u32, (words[1], words[2], words[3] as u32))
    });
    rows.collect()
}

fn rows(tracks: &Tracks) -> Vec<(u32, usize, usize, u32)> {
    tracks
        .iter()
        .map(|(&k, &(first, last, parent))| (k, first, last, parent))
        .collect()
}

fn scored_masks(folder: &Path, flags: &[String]) -> Scores {
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join("labels"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let images: Vec<(Vec<u32>, usize)> = files.iter().map(|path| labels(path)).collect();
    let tracks = track_file(&folder.join("man_track.txt"));
    let ids = |image: &[u32]| {
        image
            .iter()
            .copied()
            .filter(|&k| k > 0)
            .collect::<BTreeSet<u32>>()
    };
    let present: Vec<BTreeSet<u32>> = images.iter().map(|(image, _)| ids(image)).collect();
    let (renamed, mut result) = edits(&present, &tracks, flags);
    let mut top = result.keys().chain(tracks.keys()).max().unwrap() + 1;
    let mut shown = Vec::new();
    let mut overlaps = Vec::new();
    for (t, (image, width)) in images.iter().enumerate() {
        let mut damaged: Vec<u32> = image
            .iter()
            .map(|k| renamed[t].get(k).copied().unwrap_or(0))
            .collect();
        if has("shift") {
            for row in damaged.chunks_exact_mut(*width) {
                row.rotate_right(3);
                row[..3].fill(0);
            }
        }
        if has("false") {
            let (y, x) = ((t * 53) % (image.len() / width - 9), (t * 37) % (width - 9));
            let pixels: Vec<usize> = (0..81).map(|k| (y + k / 9) * width + x + k % 9).collect();
            if pixels.iter().all(|&at| damaged[at] == 0) {
                pixels.iter().for_each(|&at| damaged[at] = top);
                result.insert(top, (t, t, 0));
                top += 1;
            }
        }
        let mut overlap = FrameOverlap::default();
        let mut shared: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for (&truth, &found) in image.iter().zip(&damaged) {
            if truth > 0 {
                *overlap.truth_area.entry(truth).or_default() += 1;
                if found > 0 {
                    *shared.entry((truth, found)).or_default() += 1;
                }
            }
        }
        overlap.shared = shared
            .into_iter()
            .map(|((truth, found), n)| (truth, found, n))
            .collect();
        overlaps.push(overlap);
        shown.push(ids(&damaged).into_iter().collect::<Vec<u32>>());
    }
    let listed: Vec<Vec<u32>> = present.iter().map(|ids| ids.iter().copied().collect()).collect();
    let truth = Tracking::from_labels(&listed, &rows(&tracks)).unwrap();
    let result = Tracking::from_labels(&shown, &rows(&result)).unwrap();
    let matching = match_overlaps(&truth, &overlaps).unwrap();
    score(&truth, &result, &matching)
}

fn scored_points(folder: &Path, flags: &[String]) -> Scores {
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    let mut reader = csv::Reader::from_path(folder.join("tracks.csv")).unwrap();
    let points: Vec<TrackPoint> = reader
        .deserialize::<(u32, usize, f64, f64, u32)>()
        .map(|row| {
            let (track, frame, x, y, parent) = row.unwrap();
            TrackPoint {
                track,
                frame,
                x,
                y,
                parent,
            }
        })
        .collect();
    let truth = Tracking::from_points(&points).unwrap();
    let present: Vec<BTreeSet<u32>> = truth
        .frames()
        .iter()
        .map(|frame| frame.iter().map(|object| object.track).collect())
        .collect();
    let mut tracks = Tracks::new();
    for point in &points {
        let track = tracks.entry(point.track).or_insert((point.frame, point.frame, 0));
        *track = (track.0.min(point.frame), track.1.max(point.frame), point.parent);
    }
    let (renamed, result) = edits(&present, &tracks, flags);
    let top = *result.keys().chain(tracks.keys()).max().unwrap() + 1;
    let mut used = BTreeSet::new();
    let mut damaged = Vec::new();
    for point in &points {
        let (k, t) = (point.track as usize, point.frame);
        let track = renamed[t][&point.track];
        if track > 0 && used.insert((t, track)) {
            // No round numbers: two matchings of the same total distance would both be right.
            let by = [
                (31 * k + 17 * t, 13 * k + 29 * t),
                (11 * k + 5 * t, 41 * k + 3 * t),
            ];
            let by = by.map(|(a, b)| ((a % 7) as f64 - 3.0) * 1.01 + (b % 101) as f64 * 0.0037);
            let by = if has("shift") { by } else { [0.0; 2] };
            damaged.push(TrackPoint {
                track,
                frame: t,
                x: point.x + by[0],
                y: point.y + by[1],
                parent: result[&track].2,
            });
        }
    }
    if has("false") {
        for t in 0..present.len() {
            let (x, y) = (((t * 97) % 1392) as f64, ((t * 61) % 1040) as f64);
            damaged.push(TrackPoint {
                track: top + t as u32,
                frame: t,
                x,
                y,
                parent: 0,
            });
        }
    }
    let mut result = Tracking::from_points(&damaged).unwrap();
    result.pad_to(present.len());
    let matching = match_points(&truth, &result, 8.0);
    score(&truth, &result, &matching)
}

/// Fails where a figure differs from the other program's by more than rounding.
fn agrees(name: &str, ours: Option<f64>, theirs: &Value) {
    match (ours, theirs.as_f64()) {
        (None, None) => {}
        (Some(ours), Some(theirs)) => {
            assert!((ours - theirs).abs() < 1e-9, "{name}: {ours}, expected {theirs}")
        }
        (ours, theirs) => panic!("{name}: {ours:?}, expected {theirs:?}"),
    }
}

fn agrees_with_the_scorer(about: &str, scores: &Scores, theirs: &Value) {
    let graph = &scores.graph;
    for (name, ours) in [
        ("NS", graph.splits),
        ("FN", graph.missed),
        ("FP", graph.false_objects),
        ("ED", graph.extra_edges),
        ("EA", graph.missing_edges),
        ("EC", graph.wrong_kind),
        ("vertices", graph.vertices),
        ("edges", graph.edges),
        ("divisions_gt", scores.divisions[0].truth),
        ("divisions_res", scores.divisions[0].result),
        ("division_TP_0", scores.divisions[0].found),
        ("division_TP_1", scores.divisions[1].found),
        ("division_TP_2", scores.divisions[2].found),
    ] {
        agrees(&format!("{about} {name}"), Some(ours as f64), &theirs[name]);
    }
    for (name, ours) in [
        ("AOGM", Some(graph.aogm())),
        ("TRA", graph.tra()),
        ("DET", graph.det()),
        ("LNK", graph.lnk()),
        ("division_F1_0", scores.divisions[0].f1()),
        ("division_F1_1", scores.divisions[1].f1()),
        ("division_F1_2", scores.divisions[2].f1()),
    ] {
        agrees(&format!("{about} {name}"), ours, &theirs[name]);
    }
}

#[test]
fn masks_score_as_in_both_other_programs() {
    let Some(data) = data() else { return };
    for case in cases("masks") {
        let set = case["set"].as_str().unwrap();
        let scores = scored_masks(&data.join(set), &flags(&case));
        let about = format!("{set} {:?}", flags(&case));
        agrees_with_the_scorer(&about, &scores, &case["scorer"]);
        let theirs = &case["ctcmetrics"];
        for (name, ours) in [
            ("TRA", scores.graph.tra()),
            ("DET", scores.graph.det()),
            ("LNK", scores.graph.lnk()),
            ("BC(0)", scores.divisions[0].f1()),
            ("BC(1)", scores.divisions[1].f1()),
            ("BC(2)", scores.divisions[2].f1()),
            ("CT", scores.complete_tracks),
            ("TF", Some(scores.track_fractions)),
            ("HOTA", scores.hota),
            ("CHOTA", scores.chota),
            ("CCA", scores.cell_cycle_accuracy),
        ] {
            agrees(&format!("{about} {name}"), ours, &theirs[name]);
        }
    }
}

#[test]
fn points_score_as_in_the_other_program() {
    let Some(data) = data() else { return };
    for case in cases("points") {
        let set = case["set"].as_str().unwrap();
        let scores = scored_points(&data.join(set), &flags(&case));
        agrees_with_the_scorer(&format!("{set} {:?}", flags(&case)), &scores, &case["scorer"]);
    }
}
