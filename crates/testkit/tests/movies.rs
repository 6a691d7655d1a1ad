//! Virtual movies are what they say: the same bytes for the same number, consistent truth, faults at the rates asked for.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use testkit::{Design, Family, Faults, Film, Movie, TruthPoint};

fn by_track(movie: &Movie) -> BTreeMap<u32, Vec<TruthPoint>> {
    let mut tracks: BTreeMap<u32, Vec<TruthPoint>> = BTreeMap::new();
    for &point in &movie.truth {
        tracks.entry(point.track).or_default().push(point);
    }
    tracks
}

#[test]
fn the_same_number_gives_the_same_movie_and_another_seed_another() {
    let draw = |seed| Movie::draw(Family::Calibration, seed, 5);
    let (one, again, other) = (draw(1), draw(1), draw(2));
    assert_eq!((&one.truth, &one.detections), (&again.truth, &again.detections));
    assert_ne!(one.truth, other.truth);
}

#[test]
fn truth_is_a_forest_without_gaps_in_every_law_and_group() {
    for family in [Family::Calibration, Family::Evaluation] {
        let (mut divisions, mut deaths_or_exits) = (0, 0);
        for index in 0..24 {
            let movie = Movie::draw(family, 3, index);
            let tracks = by_track(&movie);
            let mut children: BTreeMap<u32, usize> = BTreeMap::new();
            for (track, points) in &tracks {
                let frames: Vec<usize> = points.iter().map(|point| point.frame).collect();
                assert!(
                    frames.windows(2).all(|pair| pair[1] == pair[0] + 1),
                    "{family:?} {index}: gap in {track}"
                );
                let field = movie.field_px;
                assert!(points.iter().all(|point| (0.0..field[0]).contains(&point.x) && (0.0..field[1]).contains(&point.y)));
                let parent = points[0].parent;
                if parent > 0 {
                    assert_eq!(
                        tracks[&parent].last().unwrap().frame + 1,
                        frames[0],
                        "{family:?} {index}: {track}"
                    );
                    *children.entry(parent).or_default() += 1;
                }
            }
            assert!(children.values().all(|&n| n <= 2));
            divisions += children.values().filter(|&&n| n == 2).count();
            let last = movie.design.frames - 1;
            deaths_or_exits += tracks
                .iter()
                .filter(|(track, points)| {
                    points.last().unwrap().frame < last && !children.contains_key(track)
                })
                .count();
        }
        assert!(
            divisions > 100 && deaths_or_exits > 100,
            "{family:?}: {divisions} {deaths_or_exits}"
        );
    }
}

#[test]
fn without_faults_every_visible_nucleus_is_found_where_it_is() {
    let movie = Movie::of(Design::draw(Family::Evaluation, 1, 3).with_faults(Faults::NONE));
    assert_eq!(movie.detections.len(), movie.truth.len());
    let truth: BTreeMap<(u32, usize), TruthPoint> = movie
        .truth
        .iter()
        .map(|&point| ((point.track, point.frame), point))
        .collect();
    for detection in &movie.detections {
        let point = truth[&(detection.track, detection.frame)];
        assert!((detection.x - point.x).hypot(detection.y - point.y) < 1e-9);
        assert!(detection.area > 0.0 && (detection.probability.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
}

#[test]
fn faults_come_at_the_rates_asked_for_and_leave_the_cells_alone() {
    let design = Design::draw(Family::Calibration, 2, 8);
    let clean = Movie::of(design.clone().with_faults(Faults::NONE));
    let faults = Faults {
        missed: 0.05,
        missed_again: 0.0,
        false_objects: 0.03,
        split: 0.01,
        jitter_px: 1.5,
        ..Faults::NONE
    };
    let movie = Movie::of(design.with_faults(faults));
    assert_eq!(clean.truth, movie.truth, "other faults, same lives");
    let n = movie.truth.len() as f64;
    let found = movie
        .detections
        .iter()
        .filter(|detection| detection.track > 0)
        .count() as f64;
    let invented = movie.detections.len() as f64 - found;
    // Binomial: three standard errors at this size.
    let three = 3.0 * (0.05 * 0.95 / n).sqrt();
    assert!((found / n - 0.95).abs() < three, "{found} of {n}");
    assert!((invented / n - 0.0395).abs() < three, "{invented} of {n}");
    let truth: BTreeMap<(u32, usize), TruthPoint> = movie
        .truth
        .iter()
        .map(|&point| ((point.track, point.frame), point))
        .collect();
    let squares = movie
        .detections
        .iter()
        .filter(|detection| detection.track > 0)
        .map(|detection| {
            let point = truth[&(detection.track, detection.frame)];
            (detection.x - point.x).powi(2) + (detection.y - point.y).powi(2)
        });
    let mut squares: Vec<f64> = squares.collect();
    squares.sort_by(f64::total_cmp);
    // Median of a Rayleigh law with sigma 1.5.
    let median = squares[squares.len() / 2].sqrt();
    assert!(
        (median / (1.5 * (2.0 * 2.0_f64.ln()).sqrt()) - 1.0).abs() < 0.1,
        "{median}"
    );
}

#[test]
fn merged_nuclei_name_both_and_a_jump_moves_the_whole_field() {
    let base = Design::draw(Family::Calibration, 4, 1);
    let jump = Some((3, [25.0, -10.0]));
    let crowded = Design {
        spacing: 1.3,
        cells: 200,
        frames: 6,
        ..base
    };
    let still = Movie::of(crowded.clone().with_faults(Faults {
        merged: 0.8,
        ..Faults::NONE
    }));
    let merged = still.detections.iter().filter(|detection| detection.second > 0);
    let mut n = 0;
    for detection in merged {
        n += 1;
        assert!(detection.track > 0 && detection.track != detection.second);
    }
    assert!(n > 20, "{n} merges");
    let moved = Movie::of(crowded.with_faults(Faults { jump, ..Faults::NONE }));
    let at = |movie: &Movie, frame: usize| -> BTreeMap<u32, [f64; 2]> {
        movie
            .truth
            .iter()
            .filter(|point| point.frame == frame)
            .map(|point| (point.track, [point.x, point.y]))
            .collect()
    };
    let (before, after) = (at(&moved, 2), at(&moved, 3));
    let mut steps: Vec<f64> = before
        .iter()
        .filter_map(|(track, from)| Some(after.get(track)?[0] - from[0]))
        .collect();
    steps.sort_by(f64::total_cmp);
    assert!(
        (steps[steps.len() / 2] + 25.0).abs() < 3.0,
        "{}",
        steps[steps.len() / 2]
    );
}

#[test]
fn a_film_shows_the_nuclei_that_its_truth_names() {
    let film = Film::of(&Design::drawn(24, 8, 1));
    assert_eq!((film.frames.len(), film.labels.len()), (8, 8));
    let mut missing = 0;
    for (frame, (picture, labels)) in film.frames.iter().zip(&film.labels).enumerate() {
        let named: BTreeSet<u32> = film
            .truth
            .iter()
            .filter(|point| point.frame == frame)
            .map(|point| point.track)
            .collect();
        let shown: BTreeSet<u32> = labels.iter().copied().filter(|&track| track > 0).collect();
        assert!(shown.is_subset(&named));
        missing += named.difference(&shown).count();
        let mean = |inside: bool| {
            let values: Vec<f64> = picture
                .indexed_iter()
                .filter(|(at, _)| (labels[*at] > 0) == inside)
                .map(|(_, &value)| f64::from(value))
                .collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        assert!(mean(true) > 3.0 * mean(false), "{} {}", mean(true), mean(false));
    }
    // One can be hidden under another or lie with its centre on the border.
    assert!(missing <= 3, "{missing}");
}
