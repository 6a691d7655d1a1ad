//! `screen` from the outside, on real cells whose label images are given, so that no network runs.

mod support;

use support::{Plate, rows_of, run, same_files};

/// Wells of the fixture.
const WELLS: usize = 14;

#[test]
fn a_plate_becomes_tables_and_a_report() {
    let plate = Plate::bbbc013_crops();
    let ended = plate.screen("run", &["--json"]).with_code(0);
    let summary: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(summary["sites"], WELLS);
    assert_eq!(summary["skipped"].as_array().unwrap().len(), 0);

    let wells = rows_of(&plate.text("run/wells.csv"));
    assert_eq!(wells.len(), WELLS);
    // The label image of A01 holds 34 objects, that of E12 16.
    let count =
        |well: &str| wells.iter().find(|row| row["Metadata_Well"] == well).unwrap()["Count_Objects"].clone();
    assert_eq!((count("A01").as_str(), count("E12").as_str()), ("34", "16"));

    let hits = rows_of(&plate.text("run/hits.csv"));
    let of_dose = |dose: f64| {
        hits.iter()
            .find(|row| row["Dose"].parse::<f64>().is_ok_and(|d| d == dose))
            .unwrap()
    };
    let share = |dose: f64| of_dose(dose)["Effect"].parse::<f64>().unwrap();
    assert!(
        share(62.5) > share(0.977),
        "a high dose moves more cells away from the controls than a low one"
    );
    assert_eq!(of_dose(62.5)["Replicates"], "2");

    let report = plate.text("run/report.html");
    assert!(report.contains("wortmannin") && report.contains("data:image/png"));
    let run_json: serde_json::Value = serde_json::from_str(&plate.text("run/run.json")).unwrap();
    assert_eq!(run_json["counts"]["sites_finished"], WELLS);
    assert!(
        !plate.text("run/run.json").contains(&plate.path("")),
        "run.json names no place on this disk"
    );
}

#[test]
fn threads_change_no_byte() {
    let plate = Plate::bbbc013_crops();
    plate.screen("one", &["--threads", "1", "--labels"]).with_code(0);
    plate.screen("two", &["--threads", "2", "--labels"]).with_code(0);
    same_files(&plate.files("one"), &plate.files("two"));
}

#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let plate = Plate::bbbc013_crops();
    plate.screen("whole", &[]).with_code(0);
    for finished_sites in [1, 4, 9] {
        let out = format!("killed{finished_sites}");
        let arguments = plate.screen_arguments(&out, &["--threads", "1"]);
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut child = support::phenosure(&words)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let sites = plate.folder.path().join(&out).join("sites");
        let tables = || {
            let names = std::fs::read_dir(&sites).into_iter().flatten().flatten();
            let is_finished = |name: String| name.ends_with(".parquet") && !name.starts_with('.');
            names
                .filter(|entry| is_finished(entry.file_name().to_string_lossy().into_owned()))
                .count()
        };
        while tables() < finished_sites && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let again = plate.screen(&out, &["--json"]).with_code(0);
        let summary: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
        assert!(
            summary["sites_reused"].as_u64().unwrap() >= finished_sites as u64,
            "{}",
            again.stdout
        );
        same_files(&plate.files("whole"), &plate.files(&out));
    }
}

#[test]
fn only_what_changed_is_done_again() {
    let plate = Plate::bbbc013_crops();
    plate.screen("run", &[]).with_code(0);
    let image = plate.path("plate/Channel1-03-A-03.png");
    std::fs::copy(plate.path("plate/Channel1-09-A-09.png"), &image).unwrap();
    let ended = plate.screen("run", &["--json"]).with_code(0);
    let summary: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&summary["sites_new"], &summary["sites_reused"]),
        (&1.into(), &(WELLS - 1).into())
    );
}

#[test]
fn parts_gathered_are_the_whole() {
    let plate = Plate::bbbc013_crops();
    plate.screen("whole", &[]).with_code(0);
    for part in ["1/3", "2/3", "3/3"] {
        plate
            .screen(&format!("part{}", &part[..1]), &["--shard", part])
            .with_code(0)
            .saying(&["phenosure gather"]);
    }
    let (map, out) = (plate.path("map.csv"), plate.path("together"));
    let parts: Vec<String> = ["part1", "part2", "part3"]
        .iter()
        .map(|part| plate.path(part))
        .collect();
    run(&[
        "gather",
        &parts[0],
        &parts[1],
        &parts[2],
        "--plate-map",
        &map,
        "--out",
        &out,
    ])
    .with_code(0);
    let (whole, together) = (plate.files("whole"), plate.files("together"));
    for name in [
        "objects.parquet",
        "wells.csv",
        "hits.csv",
        "tests.csv",
        "report.html",
        "run.json",
    ] {
        assert!(whole[name] == together[name], "{name} differs");
    }
}

#[test]
fn another_plate_map_needs_no_pixel() {
    let plate = Plate::bbbc013_crops();
    plate.screen("run", &[]).with_code(0);
    std::fs::remove_dir_all(plate.path("plate")).unwrap();
    std::fs::remove_dir_all(plate.path("labels")).unwrap();
    let map = plate
        .text("map.csv")
        .replace("A09,wortmannin,62.5", "A09,mystery,3");
    std::fs::write(plate.path("other.csv"), map).unwrap();
    run(&[
        "gather",
        &plate.path("run"),
        "--plate-map",
        &plate.path("other.csv"),
    ])
    .with_code(0);
    assert!(plate.text("run/hits.csv").contains("mystery"));
    // What is not said is taken from the run: the same map, one rate changed, one well left out.
    std::fs::write(plate.path("out.csv"), "well\nB09\n").unwrap();
    run(&[
        "gather",
        &plate.path("run"),
        "--fdr",
        "0.3",
        "--exclude",
        &plate.path("out.csv"),
    ])
    .with_code(0);
    let run_json: serde_json::Value = serde_json::from_str(&plate.text("run/run.json")).unwrap();
    assert_eq!(run_json["statistics"]["fdr"], 0.3);
    assert_eq!(run_json["inputs"]["excluded"][0], "B09");
    assert!(plate.text("run/hits.csv").contains("mystery"));
    assert_eq!(rows_of(&plate.text("run/wells.csv")).len(), WELLS - 1);
}

#[test]
fn settings_written_by_inspect_run() {
    let plate = Plate::bbbc013_crops();
    let (images, map, file) = (
        plate.path("plate"),
        plate.path("map.csv"),
        plate.path("screen.toml"),
    );
    let found = run(&["inspect", &images, "--plate-map", &map, "--write", &file]).with_code(0);
    for words in [
        "layout: bbbc013",
        "14 wells",
        "channels: 1, 2",
        "never guessed",
        "8 negcon",
    ] {
        assert!(
            found.stdout.contains(words),
            "{words:?} is not in:\n{}",
            found.stdout
        );
    }
    // The one question that the file leaves open must be answered.
    let arguments = [
        "screen",
        "--config",
        &file,
        "--labels-from",
        &plate.path("labels"),
        "--classify-with",
        "none",
    ];
    run(&arguments).with_code(2).saying(&["--nuclei", "1, 2"]);
    let settings = plate
        .text("screen.toml")
        .replace("# nuclei = \"?\"", "nuclei = \"2\" #");
    std::fs::write(&file, settings).unwrap();
    run(&arguments).with_code(0);
    assert!(plate.folder.path().join("run/report.html").is_file());
    let seen = run(&["inspect", &plate.path("run")]).with_code(0);
    assert!(
        seen.stdout.contains("14 of 14 sites finished") && seen.stdout.contains("verdict: "),
        "{}",
        seen.stdout
    );
}
