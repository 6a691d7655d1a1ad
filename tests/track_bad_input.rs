//! Movies that are not as they should be: a clear error that names file, row and value, or the right answer.
#![allow(clippy::unwrap_used)]

mod support;

#[path = "support/movie.rs"]
mod movie;

use std::collections::BTreeSet;

use movie::{Bench, table, wandering};

/// Five discs that wander through six frames, as label images in `labels/`, numbers by `number(cell, frame)`.
fn disc_movie(bench: &Bench, number: impl Fn(usize, usize) -> u16) -> Vec<Vec<(f64, f64)>> {
    let frames = wandering(5, 6, 40.0);
    for (t, points) in frames.iter().enumerate() {
        let discs: Vec<(f64, f64, f64, u16)> = points
            .iter()
            .enumerate()
            .map(|(cell, p)| (p.0, p.1, 6.0, number(cell, t)))
            .collect();
        bench.labels(&format!("labels/t{t:03}.png"), (160, 160), &discs);
    }
    frames
}

fn ids(tracks: &[(u32, u32, f64, f64, u32)]) -> BTreeSet<u32> {
    tracks.iter().map(|row| row.0).collect()
}

#[test]
fn positions_that_are_none_are_named_by_row() {
    let bench = Bench::new();
    for bad in ["NaN", "", "inf", "left"] {
        let spots = bench.write("spots.csv", &format!("frame,x,y\n0,1,2\n1,{bad},3\n"));
        bench
            .track(&["--detections", &spots], "out")
            .with_code(2)
            .saying(&["spots.csv", "row 3", "x is", "remove the row"]);
    }
    assert!(!bench.folder.path().join("out").exists(), "nothing is written");
}

#[test]
fn a_doubled_row_is_named_with_its_copy() {
    let bench = Bench::new();
    let spots = bench.write("spots.csv", "frame,x,y\n0,1,2\n0,5,6\n0,1,2\n1,1,2\n");
    bench
        .track(&["--detections", &spots], "out")
        .with_code(2)
        .saying(&[
            "spots.csv",
            "rows 2 and 4",
            "(1, 2)",
            "frame 0",
            "remove the copy",
        ]);
}

#[test]
fn columns_and_frame_numbers_must_make_sense() {
    let bench = Bench::new();
    let cases = [
        ("time_s,x,y\n0,1,2\n", "no column \"frame\""),
        ("frame,x\n0,1\n", "no column \"y\""),
        ("frame,x,y\n0.5,1,2\n", "row 2: frame is \"0.5\""),
        (
            "frame,x,y\n0,1,2\n1,1,2\n1700000000,1,2\n",
            "number the frames 0, 1, 2",
        ),
        ("frame,x,y\n", "has no row"),
        ("frame,x,y,area\n0,1,2,-7\n", "row 2: area is \"-7\""),
    ];
    for (text, words) in cases {
        let spots = bench.write("spots.csv", text);
        bench
            .track(&["--detections", &spots], "out")
            .with_code(2)
            .saying(&["spots.csv", words]);
    }
    bench
        .track(&["--detections", &bench.path("absent.csv")], "out")
        .with_code(2)
        .saying(&["absent.csv"]);
    bench
        .track(&[], "out")
        .with_code(2)
        .saying(&["MOVIE", "--labels-from"]);
}

#[test]
fn frames_of_different_size_are_named() {
    let bench = Bench::new();
    disc_movie(&bench, |cell, _| cell as u16 + 1);
    bench.labels("labels/t003.png", (150, 160), &[(20.0, 20.0, 6.0, 1)]);
    bench
        .track(&["--labels-from", &bench.path("labels")], "out")
        .with_code(2)
        .saying(&["t003.png", "150 x 160", "t000.png", "160 x 160", "one size"]);
}

#[test]
fn a_missing_frame_is_bridged_and_said() {
    let bench = Bench::new();
    let truth = disc_movie(&bench, |cell, _| cell as u16 + 1);
    std::fs::remove_file(bench.path("labels/t002.png")).unwrap();
    bench
        .track(&["--labels-from", &bench.path("labels")], "out")
        .with_code(0)
        .saying(&["1 frame is missing between t001.png and t003.png"]);
    let tracks = bench.tracks("out");
    assert_eq!(ids(&tracks).len(), 5);
    assert_eq!(tracks.len(), 30, "the cells of the missing frame are filled in");
    for row in tracks.iter().filter(|row| row.1 == 2) {
        let near = truth[2].iter().any(|p| (p.0 - row.2).hypot(p.1 - row.3) < 3.0);
        assert!(near, "{row:?}");
    }
}

#[test]
fn one_frame_has_tracks_of_one_object() {
    let bench = Bench::new();
    bench.labels(
        "labels/t000.png",
        (160, 160),
        &[(20.0, 20.0, 6.0, 7), (80.0, 90.0, 6.0, 3)],
    );
    bench
        .track(&["--labels-from", &bench.path("labels")], "out")
        .with_code(0)
        .saying(&["one frame only"]);
    assert_eq!(ids(&bench.tracks("out")).len(), 2);
    assert!(bench.text("out/report.html").contains("2 cells a frame"));
}

#[test]
fn frames_without_objects_are_bridged_and_a_movie_without_any_is_empty() {
    let bench = Bench::new();
    disc_movie(&bench, |cell, _| cell as u16 + 1);
    bench.labels("labels/t003.png", (160, 160), &[]);
    bench
        .track(&["--labels-from", &bench.path("labels")], "out")
        .with_code(0)
        .saying(&["no object in 1 of 6 frames"]);
    assert_eq!(ids(&bench.tracks("out")).len(), 5);
    for t in 0..6 {
        bench.labels(&format!("empty/t{t}.png"), (40, 30), &[]);
    }
    bench
        .track(&["--labels-from", &bench.path("empty")], "none")
        .with_code(0)
        .saying(&["no object in any frame"]);
    assert!(bench.tracks("none").is_empty());
}

#[test]
fn twenty_thousand_objects_a_frame_are_followed() {
    let bench = Bench::new();
    let frames = wandering(20_000, 3, 12.0);
    let spots = bench.write("spots.csv", &table(&frames));
    bench
        .track(&["--detections", &spots, "--no-report"], "out")
        .with_code(0);
    let tracks = bench.tracks("out");
    assert_eq!((tracks.len(), ids(&tracks).len()), (60_000, 20_000));
}

#[test]
fn labels_that_jump_give_the_same_tracks() {
    let bench = Bench::new();
    disc_movie(&bench, |cell, _| cell as u16 + 1);
    bench
        .track(&["--labels-from", &bench.path("labels")], "kept")
        .with_code(0);
    disc_movie(&bench, |cell, frame| ((cell + 3 * frame) % 5) as u16 * 17 + 2);
    bench
        .track(&["--labels-from", &bench.path("labels")], "jumped")
        .with_code(0);
    assert_eq!(bench.tracks("kept"), bench.tracks("jumped"));
    for file in ["lineages.csv", "ctc/res_track.txt", "napari_tracks.csv"] {
        assert_eq!(
            bench.text(&format!("kept/{file}")),
            bench.text(&format!("jumped/{file}")),
            "{file}"
        );
    }
}

#[test]
fn a_stage_jump_breaks_no_track() {
    let bench = Bench::new();
    let mut frames = wandering(60, 8, 30.0);
    for frame in &mut frames[4..] {
        frame.iter_mut().for_each(|p| *p = (p.0 + 45.0, p.1 + 17.0));
    }
    let spots = bench.write("spots.csv", &table(&frames));
    bench.track(&["--detections", &spots], "out").with_code(0);
    let tracks = bench.tracks("out");
    assert_eq!(ids(&tracks).len(), 60);
    for id in ids(&tracks) {
        let way: Vec<&(u32, u32, f64, f64, u32)> = tracks.iter().filter(|row| row.0 == id).collect();
        let cell = |row: &(u32, u32, f64, f64, u32)| {
            frames[row.1 as usize]
                .iter()
                .position(|p| *p == (row.2, row.3))
                .unwrap()
        };
        assert!(way.iter().all(|row| cell(row) == cell(way[0])), "track {id}");
    }
    assert!(
        bench
            .text("out/report.html")
            .contains("Largest shift of the field")
    );
}

#[test]
fn a_label_on_two_cells_is_two_cells_and_is_said() {
    let bench = Bench::new();
    disc_movie(&bench, |cell, frame| {
        if frame == 3 && cell == 4 {
            1
        } else {
            cell as u16 + 1
        }
    });
    bench
        .track(&["--labels-from", &bench.path("labels")], "out")
        .with_code(0)
        .saying(&["t003.png", "label 1", "two places"]);
    let tracks = bench.tracks("out");
    assert_eq!((tracks.len(), ids(&tracks).len()), (30, 5));
}

#[test]
fn labels_that_do_not_belong_to_the_frames_are_refused() {
    let bench = Bench::new();
    disc_movie(&bench, |cell, _| cell as u16 + 1);
    for t in 0..5 {
        bench.labels(
            &format!("frames/t{t:03}.png"),
            (160, 160),
            &[(30.0, 30.0, 9.0, 900)],
        );
    }
    let (frames, labels) = (bench.path("frames"), bench.path("labels"));
    bench
        .track(&[&frames, "--labels-from", &labels], "out")
        .with_code(2)
        .saying(&["labels", "6 label images for 5 frames", "one label image a frame"]);
    bench.labels("frames/t005.png", (100, 160), &[]);
    bench
        .track(&[&frames, "--labels-from", &labels], "out")
        .with_code(2)
        .saying(&["t005.png", "160 x 160", "100 x 160"]);
    std::fs::create_dir(bench.path("nothing")).unwrap();
    bench
        .track(&[&bench.path("nothing")], "out")
        .with_code(2)
        .saying(&["nothing", "holds no frames"]);
}

#[test]
fn a_folder_with_other_files_is_not_written_to() {
    let bench = Bench::new();
    let spots = bench.write("spots.csv", &table(&wandering(3, 3, 30.0)));
    std::fs::create_dir(bench.path("out")).unwrap();
    bench.write("out/thesis.txt", "years of work");
    bench
        .track(&["--detections", &spots], "out")
        .with_code(2)
        .saying(&["thesis.txt", "--force"]);
    bench
        .track(&["--detections", &spots, "--force"], "out")
        .with_code(0);
}
