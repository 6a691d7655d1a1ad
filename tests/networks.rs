//! `screen`, `segment` and `classify` with the bundles in the program, on the siRNA plates of imageHTS.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::collections::BTreeMap;

use support::{fixture, rows_of, run};

/// Whether a bundle is in the program; a build without bundles says so and skips.
fn has_bundle(name: &str) -> bool {
    let models: serde_json::Value =
        serde_json::from_str(&run(&["models", "--json"]).with_code(0).stdout).unwrap();
    let found = models
        .as_array()
        .unwrap()
        .iter()
        .any(|model| model["name"] == name);
    if !found {
        eprintln!("skipped: no bundle {name:?} is built in");
    }
    found
}

/// Nuclei that the authors of imageHTS counted (SOURCE.md of the data), by plate and well.
const PUBLISHED: [(&str, [(&str, f64); 6]); 2] = [
    (
        "PK-10B-pl1",
        [
            ("A03", 18.0),
            ("B03", 22.0),
            ("C03", 85.0),
            ("D03", 89.0),
            ("A05", 87.0),
            ("B05", 74.0),
        ],
    ),
    (
        "PK-11B-pl1",
        [
            ("A03", 24.0),
            ("B03", 43.0),
            ("C03", 88.0),
            ("D03", 134.0),
            ("A05", 105.0),
            ("B05", 81.0),
        ],
    ),
];

#[test]
fn nuclei_are_counted_as_published() {
    if !has_bundle("nuclei") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let plates = fixture("imagehts_submorph_sirna");
    let out = folder.path().join("run").display().to_string();
    let (images, map) = (
        plates.join("source").display().to_string(),
        plates.join("platemap.csv").display().to_string(),
    );
    let roles = [
        "--treatment",
        "GeneID",
        "--negcon",
        "RLUC",
        "--poscon",
        "UBC",
        "--classify-with",
        "none",
    ];
    let arguments = [
        &[
            "screen",
            &images,
            "--plate-map",
            &map,
            "--out",
            &out,
            "--no-report",
        ],
        &roles[..],
    ]
    .concat();
    run(&arguments).with_code(0).saying(&["not estimable"]);
    let wells = rows_of(&std::fs::read_to_string(folder.path().join("run/wells.csv")).unwrap());
    let counts: BTreeMap<(&str, &str), f64> = wells
        .iter()
        .map(|row| {
            (
                (row["Metadata_Plate"].as_str(), row["Metadata_Well"].as_str()),
                row["Count_Objects"].parse().unwrap(),
            )
        })
        .collect();
    for (plate, published) in PUBLISHED {
        for (well, expected) in published {
            let found = counts[&(plate, well)];
            let allowed = (0.15 * expected).max(4.0);
            assert!(
                (found - expected).abs() <= allowed,
                "{plate} {well}: {found} nuclei, {expected} published"
            );
        }
    }
    let tests = rows_of(&std::fs::read_to_string(folder.path().join("run/tests.csv")).unwrap());
    let called = |well: &str| {
        tests
            .iter()
            .any(|row| row["Kind"] == "count" && row["Wells"].contains(well) && row["Call"] == "hit")
    };
    assert!(
        called("PK-10B-pl1 A03") && called("PK-10B-pl1 B03"),
        "the lethal controls of PK-10B are count hits"
    );
}

#[test]
fn single_images_are_segmented_and_classified() {
    if !has_bundle("nuclei") || !has_bundle("mitosis") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = fixture("imagehts_submorph_sirna")
        .join("source/PK-10B-pl1/Well-A003/Hoechst.jpeg")
        .display()
        .to_string();
    let (found, classes) = (
        folder.path().join("found").display().to_string(),
        folder.path().join("classes").display().to_string(),
    );
    run(&["segment", &image, "--out", &found, "--members", "1"]).with_code(0);
    let labels = folder.path().join("found/labels");
    assert!(
        labels.join("Hoechst.tif").is_file() && folder.path().join("found/overlays/Hoechst.png").is_file()
    );
    run(&[
        "classify",
        &image,
        "--labels-from",
        &labels.display().to_string(),
        "--out",
        &classes,
        "--members",
        "2",
    ])
    .with_code(0);
    let objects = rows_of(&std::fs::read_to_string(folder.path().join("classes/objects.csv")).unwrap());
    assert!(!objects.is_empty());
    for row in &objects {
        let p: f64 = row
            .iter()
            .filter(|(name, _)| name.starts_with("Metadata_Phenotype_P_"))
            .map(|(_, p)| p.parse::<f64>().unwrap())
            .sum();
        assert!((p - 1.0).abs() < 1e-4, "probabilities of an object sum to {p}");
    }
    // A bundle for another task does not fit.
    run(&[
        "segment",
        &image,
        "--bundle",
        "mitosis",
        "--out",
        &folder.path().join("no").display().to_string(),
    ])
    .with_code(4);
}

#[test]
fn a_constant_image_is_said_and_counts_zero_and_its_neighbour_is_done() {
    if !has_bundle("nuclei") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let fixtures = fixture("imagehts_submorph_sirna");
    for (well, constant) in [("Well-A003", true), ("Well-B003", false)] {
        let to = folder.path().join("plates/PK-10B-pl1").join(well);
        std::fs::create_dir_all(&to).unwrap();
        for channel in ["Hoechst.jpeg", "FITC.jpeg", "Tritc.jpeg"] {
            let from = if constant {
                fixture("badinput/png").join("constant_77.png")
            } else {
                fixtures.join("source/PK-10B-pl1").join(well).join(channel)
            };
            std::fs::copy(from, to.join(channel)).unwrap();
        }
    }
    let path = |name: &str| folder.path().join(name).display().to_string();
    let map = fixtures.join("platemap.csv").display().to_string();
    run(&[
        "screen",
        &path("plates"),
        "--plate-map",
        &map,
        "--treatment",
        "GeneID",
        "--negcon",
        "RLUC",
        "--nuclei",
        "Hoechst",
        "--out",
        &path("run"),
    ])
    .with_code(0)
    .saying(&["Well-A003", "constant"]);
    let wells = rows_of(&std::fs::read_to_string(path("run/wells.csv")).unwrap());
    let count = |well: &str| {
        let row = wells
            .iter()
            .find(|row| row["Metadata_Well"] == well && row["Metadata_Plate"] == "PK-10B-pl1");
        row.unwrap()["Count_Objects"].parse::<u32>().unwrap()
    };
    assert_eq!(count("A03"), 0);
    assert!((15..=30).contains(&count("B03")), "{} nuclei", count("B03"));
}
