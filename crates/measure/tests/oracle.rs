//! Every feature of CellProfiler's against CellProfiler's own code, on drawn objects of all shapes.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use image::{ReadLimits, read_gray, read_labels};
use measure::{Features, MeasureParams, measure};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/features")
}

/// One table: column name → value per object. Object names are left out.
fn table(file: &str) -> BTreeMap<String, Vec<f64>> {
    let mut reader = csv::Reader::from_path(fixtures().join(file)).unwrap();
    let names: Vec<String> = reader.headers().unwrap().iter().map(String::from).collect();
    let mut columns: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for row in reader.records() {
        let row = row.unwrap();
        for (name, value) in names.iter().zip(&row).filter(|(name, _)| *name != "ShapeName") {
            columns
                .entry(name.clone())
                .or_default()
                .push(value.parse().unwrap());
        }
    }
    columns
}

/// (file, object, column) of values that hang on rounding.
fn unstable() -> BTreeSet<(String, usize, String)> {
    let mut reader = csv::Reader::from_path(fixtures().join("unstable.csv")).unwrap();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        (row[0].to_string(), row[1].parse().unwrap(), row[3].to_string())
    });
    rows.collect()
}

fn measured(scene: &str) -> Features {
    let limits = ReadLimits::default();
    let labels = read_labels(&fixtures().join(format!("{scene}_labels.png")), &limits).unwrap();
    let plane = |ch: &str| {
        read_gray(&fixtures().join(format!("{scene}_{ch}.png")), &limits)
            .unwrap()
            .0
    };
    let (ch0, ch1) = (plane("ch0"), plane("ch1"));
    let channels = [("CH0".to_string(), ch0.view()), ("CH1".to_string(), ch1.view())];
    measure(&labels, &channels, &MeasureParams::default()).unwrap()
}

/// The scene's objects in reading order, as numbers of the oracle tables (which count in drawing order).
fn oracle_rows(scene: &str) -> Vec<usize> {
    let map = image::read_label_map(
        &fixtures().join(format!("{scene}_labels.png")),
        &ReadLimits::default(),
    )
    .unwrap();
    let mut order: Vec<usize> = Vec::new();
    for &value in map.iter().filter(|v| **v > 0) {
        if !order.contains(&(value as usize)) {
            order.push(value as usize);
        }
    }
    order
}

fn check_scene(scene: &str) {
    let features = measured(scene);
    let rows = oracle_rows(scene);
    assert_eq!(rows.len(), features.objects.len());
    let unstable = unstable();
    let files = ["areashape", "intensity", "correlation"].map(|t| format!("{scene}_{t}.csv"));
    let tables = files.clone().map(|file| table(&file));
    let mut compared = 0;
    for (index, name) in features.names.iter().enumerate() {
        let Some(column) = name.strip_prefix("Nuclei_") else {
            continue;
        };
        if column.contains("NucleusRing") {
            continue;
        }
        let (file, expected) = files
            .iter()
            .zip(&tables)
            .find_map(|(file, table)| table.get(column).map(|values| (file, values)))
            .unwrap_or_else(|| panic!("{column} is not in the oracle"));
        compared += 1;
        for (row, &object) in rows.iter().enumerate() {
            if unstable.contains(&(file.clone(), object, column.to_string())) {
                continue;
            }
            let (ours, theirs) = (f64::from(features.values[(row, index)]), expected[object - 1]);
            // Ours is NaN where theirs is infinite, or a correlation of rounding noise.
            let undefined = !theirs.is_finite() || (column.starts_with("Correlation") && theirs.abs() < 1e-9);
            let same = if undefined {
                ours.is_nan()
            } else {
                // Pixels and features are f32 here and f64 there.
                (ours - theirs).abs() <= 2e-6 * theirs.abs() + 2e-7
            };
            assert!(
                same,
                "{scene} object {object} {column}: {ours}, CellProfiler has {theirs}"
            );
        }
    }
    assert_eq!(compared, 17 + 2 * 15 + 1);
}

#[test]
fn shapes_of_all_kinds() {
    check_scene("shapes");
}

#[test]
fn cut_and_touching_objects() {
    check_scene("touching");
}

#[test]
fn textured_cells() {
    check_scene("cells");
}

#[test]
fn constant_dim_and_empty_objects() {
    check_scene("flat");
}

#[test]
fn geometry_agrees_with_the_tables() {
    let features = measured("touching");
    let expected = table("touching_areashape.csv");
    for (row, &object) in oracle_rows("touching").iter().enumerate() {
        let g = features.objects[row];
        let of = |name: &str| expected[&format!("AreaShape_{name}")][object - 1];
        assert_eq!(g.label as usize, row + 1);
        assert_eq!(f64::from(g.area), of("Area"));
        assert!((f64::from(g.center_row) - of("Center_Y")).abs() < 1e-4);
        assert!((f64::from(g.center_col) - of("Center_X")).abs() < 1e-4);
        assert!((f64::from(g.major_axis) - of("MajorAxisLength")).abs() < 1e-4);
        assert!((f64::from(g.minor_axis) - of("MinorAxisLength")).abs() < 1e-4);
        let bounds = (g.bbox.0 as f64, g.bbox.1 as f64, g.bbox.2 as f64, g.bbox.3 as f64);
        let box_of = |end: &str, axis: &str| of(&format!("BoundingBox{end}_{axis}"));
        assert_eq!(
            bounds,
            (
                box_of("Minimum", "Y"),
                box_of("Minimum", "X"),
                box_of("Maximum", "Y"),
                box_of("Maximum", "X")
            )
        );
        let cut = bounds.0 == 0.0 || bounds.1 == 0.0 || bounds.2 == 80.0 || bounds.3 == 88.0;
        assert_eq!(g.touches_border, cut);
    }
    assert_eq!(features.objects.iter().filter(|g| g.touches_border).count(), 5);
}
