//! The classical segmentation on real nuclei (needs `PHENOSURE_DATA`).
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use image::{ReadLimits, average_precision, quality, read_gray, read_labels, segment_otsu};

/// Fluorescence images of fold 1 of dsb2018: (name, picture, labels).
fn fold1() -> Option<Vec<(String, PathBuf, PathBuf)>> {
    let Ok(data) = std::env::var("PHENOSURE_DATA").map(PathBuf::from) else {
        eprintln!("skipped: PHENOSURE_DATA is not set");
        return None;
    };
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let index = read(data.join("dsb2018/index.csv"));
    let fluorescence = |name: &str| {
        index
            .lines()
            .any(|l| l.starts_with(name) && l.contains(",fluorescence,"))
    };
    let splits = read(data.join("splits/dsb2018.csv"));
    let mut lines = splits.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|h| *h == name).unwrap();
    let (name, fold) = (column("name"), column("fold"));
    let chosen = lines
        .map(|l| l.split(',').collect::<Vec<_>>())
        .filter(|l| l[fold] == "1" && fluorescence(l[name]));
    let files = chosen.map(|l| {
        let file = |folder: &str| data.join("dsb2018").join(folder).join(format!("{}.png", l[name]));
        (l[name].to_string(), file("images"), file("labels"))
    });
    Some(files.collect())
}

#[test]
fn otsu_finds_most_real_nuclei() {
    let Some(files) = fold1() else { return };
    let limits = ReadLimits::default();
    let mut sums = [0.0; 3];
    let every = files.iter().step_by(if std::env::var("PHENOSURE_FULL").is_ok() {
        1
    } else {
        4
    });
    let mut n = 0.0;
    for (name, picture, labels) in every {
        let (plane, _) = read_gray(picture, &limits).unwrap();
        let truth = read_labels(labels, &limits).unwrap();
        let found = segment_otsu(plane.view());
        for (sum, count) in sums
            .iter_mut()
            .zip(average_precision(&truth, &found, &[0.5, 0.7, 0.9]))
        {
            *sum += count.average_precision();
        }
        assert!(quality(plane.view()).focus > 0.0, "{name}");
        n += 1.0;
    }
    let means = sums.map(|s| s / n);
    eprintln!("Otsu + watershed on {n} images of fold 1: AP {means:.3?}");
    assert!(means[0] > 0.65 && means[1] > 0.5, "{means:?}");
}
