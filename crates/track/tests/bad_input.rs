//! Input that is faulty or odd: a clear error or a right answer for each.
#![allow(clippy::unwrap_used)]

use track::{Detections, Frame, TrackError, TrackOptions, Tracks, track};

/// Cells on a lattice with a gentle wave of movement: `columns` × `rows` of them, 40 px apart.
fn lattice(columns: usize, rows: usize, frames: usize) -> Vec<Vec<(f64, f64)>> {
    let place = |i: usize, t: usize| {
        let (c, r) = ((i % columns) as f64, (i / columns) as f64);
        let phase = i as f64 * 2.4 + t as f64 * 0.7;
        (
            40.0 * c + 7.0 * (i as f64 * 1.7).sin() + 2.0 * phase.sin(),
            40.0 * r + 7.0 * (i as f64 * 2.9).cos() + 2.0 * phase.cos(),
        )
    };
    (0..frames)
        .map(|t| (0..columns * rows).map(|i| place(i, t)).collect())
        .collect()
}

fn tracked(frames: &[Vec<(f64, f64)>]) -> Tracks {
    track(&Detections::from_points(frames), &TrackOptions::default()).unwrap()
}

#[test]
fn no_frames_is_an_error() {
    assert_eq!(
        track(&Detections::default(), &TrackOptions::default()).unwrap_err(),
        TrackError::NoFrames
    );
}

#[test]
fn a_position_that_is_not_finite_is_named() {
    let mut frames = lattice(3, 3, 2);
    frames[1][4].1 = f64::NAN;
    let error = track(&Detections::from_points(&frames), &TrackOptions::default()).unwrap_err();
    assert!(
        matches!(
            error,
            TrackError::PositionNotFinite {
                frame: 1,
                object: 4,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_doubled_object_is_named_unless_it_is_a_rival_hypothesis() {
    let mut frames = lattice(3, 3, 3);
    let copy = frames[2][1];
    frames[2].push(copy);
    let mut detections = Detections::from_points(&frames);
    let error = track(&detections, &TrackOptions::default()).unwrap_err();
    assert!(
        matches!(
            error,
            TrackError::DoubledObject {
                frame: 2,
                first: 1,
                second: 9,
                ..
            }
        ),
        "{error}"
    );
    detections.frames[2].conflicts = vec![(1, 9)];
    let tracks = track(&detections, &TrackOptions::default()).unwrap();
    assert_eq!(tracks.tracks.len(), 9);
    assert_eq!(tracks.objects.iter().filter(|o| o.frame == 2).count(), 9);
}

#[test]
fn a_column_of_another_length_and_a_value_out_of_range_are_named() {
    let mut detections = Detections::from_points(&lattice(2, 2, 2));
    detections.frames[1].area = vec![100.0; 3];
    let error = track(&detections, &TrackOptions::default()).unwrap_err();
    assert!(error.to_string().contains("area"), "{error}");
    detections.frames[1].area = vec![100.0, 100.0, -1.0, 100.0];
    let error = track(&detections, &TrackOptions::default()).unwrap_err();
    assert!(
        matches!(
            error,
            TrackError::ValueOutOfRange {
                frame: 1,
                object: 2,
                column: "area",
                ..
            }
        ),
        "{error}"
    );
    detections.frames[1].area = vec![];
    detections.frames[0].conflicts = vec![(0, 4)];
    let error = track(&detections, &TrackOptions::default()).unwrap_err();
    assert!(
        matches!(
            error,
            TrackError::NoSuchObject {
                frame: 0,
                object: 4,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn options_out_of_range_are_named() {
    let detections = Detections::from_points(&lattice(2, 2, 2));
    let faulty = [
        TrackOptions {
            max_speed: Some(0.0),
            ..TrackOptions::default()
        },
        TrackOptions {
            max_missed: 9,
            ..TrackOptions::default()
        },
        TrackOptions {
            rounds: 0,
            ..TrackOptions::default()
        },
    ];
    for options in faulty {
        let error = track(&detections, &options).unwrap_err();
        assert!(matches!(error, TrackError::OptionOutOfRange { .. }), "{error}");
    }
}

#[test]
fn one_frame_gives_one_track_an_object() {
    let tracks = tracked(&lattice(4, 4, 1));
    assert_eq!(tracks.tracks.len(), 16);
    assert!(tracks.links.is_empty() && tracks.divisions.is_empty());
}

#[test]
fn a_movie_without_objects_has_no_track() {
    let tracks = tracked(&[vec![], vec![], vec![]]);
    assert!(tracks.tracks.is_empty() && tracks.objects.is_empty());
    assert_eq!(tracks.reality, vec![Vec::<f64>::new(); 3]);
}

#[test]
fn a_frame_that_was_not_taken_is_bridged() {
    let mut frames = lattice(6, 6, 8);
    frames[4].clear();
    let tracks = tracked(&frames);
    assert_eq!(tracks.tracks.len(), 36);
    let filled: Vec<_> = tracks.objects.iter().filter(|o| o.detection.is_none()).collect();
    assert_eq!(filled.len(), 36);
    assert!(filled.iter().all(|o| o.frame == 4));
    assert!(tracks.divisions.is_empty());
}

#[test]
fn a_stage_jump_breaks_no_track() {
    let mut frames = lattice(8, 8, 8);
    for frame in &mut frames[5..] {
        for p in frame {
            *p = (p.0 + 63.0, p.1 - 27.0);
        }
    }
    let tracks = tracked(&frames);
    assert_eq!(tracks.tracks.len(), 64);
    assert!(
        (tracks.drift[5].0 - 63.0).abs() < 2.0 && (tracks.drift[5].1 + 27.0).abs() < 2.0,
        "{:?}",
        tracks.drift
    );
    // Positions stay those of the input.
    for o in &tracks.objects {
        let p = frames[o.frame as usize][o.detection.unwrap() as usize];
        assert_eq!((o.x, o.y), p);
    }
}

#[test]
fn twenty_thousand_objects_a_frame_are_tracked() {
    let frames = lattice(160, 125, 3);
    let tracks = tracked(&frames);
    assert_eq!(tracks.tracks.len(), 20_000);
    assert_eq!(tracks.links.len(), 40_000);
}

#[test]
fn order_of_objects_and_number_of_threads_do_not_matter() {
    let frames = lattice(7, 7, 6);
    let tracks = tracked(&frames);
    let turned: Vec<Vec<(f64, f64)>> = frames
        .iter()
        .enumerate()
        .map(|(t, f)| {
            let mut f = f.clone();
            f.rotate_left(t * 5 % 49);
            f
        })
        .collect();
    let again = tracked(&turned);
    let ends = |tracks: &Tracks| {
        let mut ends: Vec<_> = tracks.links.iter().map(|l| (l.from.frame, l.to.frame)).collect();
        ends.sort_unstable();
        let mut places: Vec<String> = tracks
            .objects
            .iter()
            .map(|o| format!("{} {} {}", o.frame, o.x, o.y))
            .collect();
        places.sort();
        (ends, places, tracks.tracks.len())
    };
    assert_eq!(ends(&tracks), ends(&again));
    let detections = Detections::from_points(&frames);
    let single = rayon_pool(1, || track(&detections, &TrackOptions::default()).unwrap());
    let several = rayon_pool(3, || track(&detections, &TrackOptions::default()).unwrap());
    assert_eq!(single, several);
}

fn rayon_pool<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(work)
}

#[test]
fn features_may_be_missing_here_and_there() {
    let frames = lattice(5, 5, 6);
    let mut detections = Detections::from_points(&frames);
    detections.feature_names = vec!["eccentricity".into()];
    for (t, f) in detections.frames.iter_mut().enumerate() {
        let n = f.len();
        f.area = (0..n)
            .map(|i| {
                if (i + t) % 4 == 0 {
                    f64::NAN
                } else {
                    200.0 + 20.0 * i as f64
                }
            })
            .collect();
        if t % 2 == 0 {
            f.features = vec![(0..n).map(|i| i as f64 / n as f64).collect()];
        }
    }
    let tracks = track(&detections, &TrackOptions::default()).unwrap();
    assert_eq!(tracks.tracks.len(), 25);
    let _: &Frame = &detections.frames[0];
}
