//! `track` and `evaluate track` from end to end, on annotated movies where they are at hand (PHENOSURE_DATA).
#![allow(clippy::unwrap_used)]

mod support;

#[path = "support/movie.rs"]
mod movie;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use movie::{Bench, table, wandering};
use support::{phenosure, rows_of, run};

fn data(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("PHENOSURE_DATA").map(|data| PathBuf::from(data).join(name));
    if folder.is_none() {
        eprintln!("PHENOSURE_DATA is not set: the annotated movie {name} is not tracked");
    }
    folder
}

/// The rules of the Cell Tracking Challenge for a track file: labels once, no empty track, mothers end before daughters begin.
fn assert_valid_track_file(text: &str, frames: u32) {
    let mut span: BTreeMap<u32, (u32, u32, u32)> = BTreeMap::new();
    for line in text.lines() {
        let numbers: Vec<u32> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        let &[label, first, last, parent] = numbers.as_slice() else {
            panic!("{line:?}")
        };
        assert!(label > 0 && first <= last && last < frames, "{line:?}");
        assert!(
            span.insert(label, (first, last, parent)).is_none(),
            "label {label} stands twice"
        );
    }
    for (label, (first, _, parent)) in &span {
        if *parent > 0 {
            assert!(
                span[parent].1 < *first,
                "{label} begins before its mother {parent} ends"
            );
        }
    }
}

#[test]
fn a_table_becomes_tracks_with_probabilities_and_a_report() {
    let bench = Bench::new();
    let spots = bench.write("spots.csv", &table(&wandering(12, 9, 40.0)));
    let arguments = [
        "--detections",
        &spots,
        "--frame-interval",
        "5min",
        "--pixel-size",
        "0.65um",
        "--json",
    ];
    let ended = bench.track(&arguments, "out").with_code(0);
    let summary: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&summary["tracks"], &summary["links"]), (&12.into(), &96.into()));
    let csv = bench.text("out/tracks.csv");
    assert!(
        csv.starts_with("track_id,frame,x,y,parent_id,link_probability,"),
        "{}",
        &csv[..60]
    );
    let rows = rows_of(&csv);
    let links = rows.iter().filter(|row| !row["link_probability"].is_empty());
    let probabilities: Vec<f64> = links
        .map(|row| row["link_probability"].parse().unwrap())
        .collect();
    assert_eq!(probabilities.len(), 96);
    assert!(probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
    assert!(bench.text("out/motion.csv").contains("mean_speed_um_per_h"));
    assert_valid_track_file(&bench.text("out/ctc/res_track.txt"), 9);
    assert_eq!(std::fs::read_dir(bench.path("out/ctc")).unwrap().count(), 10);
    let report = bench.text("out/report.html");
    assert!(
        report.contains("12 cells a frame were followed through 9 frames") && !report.contains("<script")
    );
    let run_file: serde_json::Value = serde_json::from_str(&bench.text("out/run.json")).unwrap();
    assert_eq!(run_file["inputs"]["spots.csv"].as_str().unwrap().len(), 64);
    assert!(run_file["model"]["detection_probability"].as_f64().unwrap() > 0.9);
}

#[test]
fn the_names_of_other_tools_are_understood() {
    let bench = Bench::new();
    let frames = wandering(6, 5, 40.0);
    bench
        .track(
            &["--detections", &bench.write("plain.csv", &table(&frames))],
            "plain",
        )
        .with_code(0);
    let mut cellprofiler =
        "ImageNumber,ObjectNumber,AreaShape_Area,Location_Center_X,Location_Center_Y\n".to_owned();
    let mut trackmate = "LABEL,ID,POSITION_X,POSITION_Y,FRAME\nLabel,Spot ID,X,Y,Frame\nLabel,ID,X,Y,Frame\n,,(pixel),(pixel),\n".to_owned();
    for (t, points) in frames.iter().enumerate() {
        for (cell, (x, y)) in points.iter().enumerate() {
            cellprofiler.push_str(&format!("{},{},300,{x},{y}\n", t + 1, cell + 1));
            trackmate.push_str(&format!("ID{cell},{cell},{x},{y},{t}\n"));
        }
    }
    bench
        .track(&["--detections", &bench.write("cp.csv", &cellprofiler)], "cp")
        .with_code(0);
    bench
        .track(&["--detections", &bench.write("tm.csv", &trackmate)], "tm")
        .with_code(0);
    let plain = bench.tracks("plain");
    assert_eq!(plain, bench.tracks("tm"));
    let shifted: Vec<_> = bench
        .tracks("cp")
        .into_iter()
        .map(|row| (row.0, row.1 - 1, row.2, row.3, row.4))
        .collect();
    assert_eq!(plain, shifted, "ImageNumber counts from 1");
}

#[test]
fn a_tracking_can_be_read_back_and_any_number_of_threads_writes_the_same() {
    let bench = Bench::new();
    let spots = bench.write("spots.csv", &table(&wandering(40, 12, 30.0)));
    bench.track(&["--detections", &spots], "one").with_code(0);
    let two = bench.path("two");
    let single = phenosure(&["track", "--detections", &spots, "--out", &two])
        .env("RAYON_NUM_THREADS", "1")
        .output()
        .unwrap();
    assert!(single.status.success());
    for file in [
        "tracks.csv",
        "lineages.csv",
        "review.csv",
        "counts.csv",
        "report.html",
        "run.json",
        "ctc/mask004.tif",
    ] {
        let read = |out: &str| std::fs::read(bench.path(&format!("{out}/{file}"))).unwrap();
        assert_eq!(read("one"), read("two"), "{file}");
    }
    // The parquet table has frame, x, y too: tracking it again finds the same cells.
    bench
        .track(&["--detections", &bench.path("one/tracks.parquet")], "again")
        .with_code(0);
    assert_eq!(bench.tracks("one"), bench.tracks("again"));
}

#[test]
fn a_result_equal_to_the_truth_is_perfect_and_a_swap_is_counted() {
    let bench = Bench::new();
    let truth = "track_id,frame,x,y,parent_id\n1,0,10,10,0\n1,1,11,10,0\n2,2,8,12,1\n3,2,14,8,1\n2,3,7,13,1\n3,3,15,8,1\n4,0,60,60,0\n4,1,60,61,0\n4,2,60,60,0\n4,3,60,62,0\n";
    let path = bench.write("truth.csv", truth);
    let json = |result: &str| -> serde_json::Value {
        let ended = run(&["evaluate", "track", &path, result, "--json"]).with_code(0);
        serde_json::from_str(&ended.stdout).unwrap()
    };
    let same = json(&path);
    assert_eq!(
        (&same["tra"], &same["lnk"], &same["divisions"][0]["f1"]),
        (&1.0.into(), &1.0.into(), &1.0.into())
    );
    assert!(
        same["link_probability"].is_null(),
        "a plain table has no probabilities"
    );
    // A daughter without her mother: one parent link is missing, and no division is left.
    let orphan = bench.write(
        "orphan.csv",
        &truth
            .replace("3,2,14,8,1", "3,2,14,8,0")
            .replace("3,3,15,8,1", "3,3,15,8,0"),
    );
    let worse = json(&orphan);
    assert_eq!(worse["corrections"]["missing_links"], 1);
    assert_eq!(
        (&worse["divisions"][0]["found"], &worse["divisions"][0]["result"]),
        (&0.into(), &0.into())
    );
    let words = run(&["evaluate", "track", &path, &orphan]).with_code(0);
    assert!(
        words.stdout.contains("divisions in the same frame found"),
        "{}",
        words.stdout
    );
    run(&["evaluate", "track", &path, &bench.path("absent.csv")])
        .with_code(2)
        .saying(&["absent.csv"]);
    let broken = bench.write("broken.csv", "track_id,frame,x,y\n1,0,5,NaN\n");
    run(&["evaluate", "track", &path, &broken])
        .with_code(2)
        .saying(&["broken.csv", "row 2", "y is"]);
}

#[test]
fn real_cells_are_followed_from_label_images_whose_numbers_mean_nothing() {
    let Some(folder) = data("c2c12_frames") else {
        return;
    };
    let bench = Bench::new();
    let labels = folder.join("labels").display().to_string();
    bench.track(&["--labels-from", &labels], "out").with_code(0);
    assert_valid_track_file(&bench.text("out/ctc/res_track.txt"), 10);
    let truth = folder.display().to_string();
    let ended = run(&["evaluate", "track", &truth, &bench.path("out"), "--json"]).with_code(0);
    let scores: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&scores["frames"], &scores["true_objects"]),
        (&10.into(), &1797.into())
    );
    assert_eq!(scores["det"], 1.0, "every label is an object of the result");
    assert!(scores["lnk"].as_f64().unwrap() > 0.99, "{scores}");
    assert!(scores["link_probability"]["judged"].as_u64().unwrap() > 1500);
}

#[test]
fn divisions_of_nuclei_are_found_from_their_outlines() {
    let Some(folder) = data("simplus_nuclei") else {
        return;
    };
    let bench = Bench::new();
    let (frames, labels) = (
        folder.join("frames").display().to_string(),
        folder.join("labels").display().to_string(),
    );
    bench
        .track(&[&frames, "--labels-from", &labels], "out")
        .with_code(0);
    let text = bench.text("out/ctc/res_track.txt");
    assert_valid_track_file(&text, 65);
    let mothers: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split(' ').nth(3))
        .filter(|p| *p != "0")
        .collect();
    assert!(
        (18..=21).contains(&mothers.len()),
        "19 true divisions, {} found",
        mothers.len()
    );
    let ended = run(&[
        "evaluate",
        "track",
        &folder.display().to_string(),
        &bench.path("out"),
        "--json",
    ])
    .with_code(0);
    let scores: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(
        scores["divisions"][1]["f1"].as_f64().unwrap() > 0.9 && scores["lnk"].as_f64().unwrap() > 0.99,
        "{scores}"
    );
    let report = bench.text("out/report.html");
    assert!(report.contains("data:image/png;base64,") && report.contains("Lineage trees of"));
}
