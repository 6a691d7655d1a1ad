//! Scans of folders as people keep them, empty files in place of images: only names count here.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use plate::{LayoutChoice, PlateError, PlateMap, PlateMapParams, PlateScan, Role, scan};

fn folder(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
    folder
}

fn sites(scan: &PlateScan) -> Vec<String> {
    let channels = |site: &plate::Site| site.channels.keys().cloned().collect::<Vec<_>>().join(" ");
    scan.sites
        .iter()
        .map(|site| {
            format!(
                "{} {} s{} t{}: {}",
                site.plate,
                site.well,
                site.site,
                site.timepoint,
                channels(site)
            )
        })
        .collect()
}

#[test]
fn several_plates_in_one_root_and_one_plate_alone() {
    let root = folder(&[
        "set/P1/Well-A003/Hoechst.jpeg",
        "set/P1/Well-A003/FITC.jpeg",
        "set/P2/Well-B012/Hoechst.jpeg",
        "set/P2/Well-B012/FITC.jpeg",
        "set/notes.txt",
    ]);
    let both = scan(&root.path().join("set"), &LayoutChoice::Auto).unwrap();
    assert_eq!(both.layout, "imagehts");
    assert_eq!(
        sites(&both),
        ["P1 A03 s1 t0: FITC Hoechst", "P2 B12 s1 t0: FITC Hoechst"]
    );
    assert_eq!(both.channels, ["FITC", "Hoechst"]);
    assert!(
        both.warnings.is_empty() && both.unmatched.is_empty() && both.skipped.is_empty(),
        "{both:?}"
    );
    assert_eq!(
        both.sites[0].channels["FITC"],
        root.path().join("set/P1/Well-A003/FITC.jpeg")
    );
    let one = scan(&root.path().join("set/P2"), &LayoutChoice::Auto).unwrap();
    assert_eq!(sites(&one), ["P2 B12 s1 t0: FITC Hoechst"]);
}

#[test]
fn a_folder_called_images_is_no_plate() {
    let root = folder(&[
        "BBBC013/images/Channel1-01-A-01.png",
        "BBBC013/images/Channel2-01-A-01.png",
    ]);
    for given in ["", "BBBC013", "BBBC013/images"] {
        let found = scan(&root.path().join(given), &LayoutChoice::Auto).unwrap();
        assert_eq!(sites(&found), ["BBBC013 A01 s1 t0: 1 2"], "{given:?}");
        assert_eq!(found.layout, "bbbc013");
    }
}

#[test]
fn order_is_by_plate_well_site_and_time_and_channels_by_number() {
    let root = folder(&[
        "TimePoint_2/P_B01_s1_w1.tif",
        "TimePoint_10/P_B01_s1_w1.tif",
        "TimePoint_2/P_A10_s10_w10.tif",
        "TimePoint_2/P_A10_s2_w10.tif",
        "TimePoint_2/P_A02_s2_w9.tif",
    ]);
    let found = scan(root.path(), &LayoutChoice::Auto).unwrap();
    assert_eq!(
        sites(&found),
        [
            "P A02 s2 t2: 9",
            "P A10 s2 t2: 10",
            "P A10 s10 t2: 10",
            "P B01 s1 t2: 1",
            "P B01 s1 t10: 1"
        ]
    );
    assert_eq!(found.channels, ["1", "9", "10"]);
}

#[test]
fn missing_channels_and_sites_are_named_and_stay_missing() {
    let root = folder(&[
        "P_A01_s1_w1.tif",
        "P_A01_s1_w2.tif",
        "P_A01_s2_w1.tif",
        "P_A01_s2_w2.tif",
        "P_A02_s1_w1.tif",
        "stray.png",
    ]);
    let found = scan(root.path(), &LayoutChoice::Auto).unwrap();
    assert_eq!(found.sites.len(), 3);
    assert_eq!(found.unmatched, [root.path().join("stray.png")]);
    let warnings = found.warnings.join("\n");
    assert!(warnings.contains("left out (1): \"stray.png\""), "{warnings}");
    assert!(
        warnings.contains("in every channel (1): \"P\" A02 site 1 time 0 has no 2"),
        "{warnings}"
    );
    assert!(
        warnings.contains("than others (1): \"P\" A02 has 1 of 2"),
        "{warnings}"
    );
}

#[test]
fn previews_of_operating_systems_are_left_out() {
    let root = folder(&["P_A01_s1_w1.tif", "._P_A01_s1_w1.tif", ".thumbs/P_A01_s1_w1.tif"]);
    let found = scan(root.path(), &LayoutChoice::Auto).unwrap();
    assert_eq!((found.sites.len(), found.warnings.len()), (1, 0));
}

#[test]
fn two_layouts_that_explain_equally_many_are_listed() {
    let root = folder(&["P_A01_s1_w1.tif", "Well-A003/Hoechst.jpeg"]);
    let message = scan(root.path(), &LayoutChoice::Auto).unwrap_err().to_string();
    assert!(message.contains("imagehts and generic"), "{message}");
    let found = scan(root.path(), &LayoutChoice::Named("generic".into())).unwrap();
    assert_eq!((found.sites.len(), found.unmatched.len()), (1, 1));
}

#[test]
fn a_layout_file_is_used_and_judged() {
    let root = folder(&["tray-1/A1/gfp.png", "tray-1/A1/dna.png"]);
    let file = root.path().join("mine.toml");
    fs::write(
        &file,
        "name = \"mine\"\npattern = '(?P<plate>[^/]+)/(?P<well>[A-H][0-9]+)/(?P<channel>[a-z]+)[.]png$'\n",
    )
    .unwrap();
    let found = scan(root.path(), &LayoutChoice::File(file.clone())).unwrap();
    assert_eq!(
        (found.layout.as_str(), sites(&found)),
        ("mine", vec!["tray-1 A01 s1 t0: dna gfp".to_owned()])
    );
    fs::write(&file, "name = \"mine\"\npattern = '(?P<well>Q)(?P<channel>x)'\n").unwrap();
    assert!(matches!(
        scan(root.path(), &LayoutChoice::File(file)),
        Err(PlateError::LayoutFitsNothing { .. })
    ));
    let message = scan(root.path(), &LayoutChoice::Auto).unwrap_err().to_string();
    assert!(
        message.contains("none of the 2 image files")
            && message.contains("dna.png")
            && message.contains("imagehts"),
        "{message}"
    );
}

#[test]
fn two_files_for_one_place_are_refused() {
    let root = folder(&["a/P_A01_s1_w1.tif", "b/P_A01_s1_w1.tif"]);
    let message = scan(root.path(), &LayoutChoice::Auto).unwrap_err().to_string();
    assert!(
        message.contains("a/P_A01_s1_w1.tif")
            && message.contains("b/P_A01_s1_w1.tif")
            && message.contains("A01"),
        "{message}"
    );
    let root = folder(&["P_A01_s1_w1_z1.tif", "P_A01_s1_w1_z2.tif"]);
    assert!(matches!(
        scan(root.path(), &LayoutChoice::Auto),
        Err(PlateError::ZPlanes { .. })
    ));
}

#[test]
fn folders_without_usable_images_are_refused() {
    let root = folder(&["a/readme.txt", "b/P_A01_s1_w1.tif/x.txt"]);
    let refused = |folder: &str| scan(&root.path().join(folder), &LayoutChoice::Auto).unwrap_err();
    assert!(matches!(refused("a"), PlateError::NoImages { .. }));
    assert!(matches!(
        refused("b"),
        PlateError::NothingUsable { skipped: 1, .. }
    ));
    assert!(matches!(refused("a/readme.txt"), PlateError::NotAFolder { .. }));
    assert!(matches!(refused("nowhere"), PlateError::Read { .. }));
}

#[cfg(unix)]
#[test]
fn links_to_folders_are_followed_once() {
    let outside = folder(&["P_A01_s1_w1.tif", "P_A02_s1_w1.tif"]);
    fs::write(outside.path().join("P_A01_s1_w1.tif"), b"II*\0").unwrap();
    let root = folder(&["P_B01_s1_w1.tif"]);
    for name in ["first", "second"] {
        std::os::unix::fs::symlink(outside.path(), root.path().join(name)).unwrap();
    }
    let found = scan(root.path(), &LayoutChoice::Auto).unwrap();
    assert_eq!(sites(&found), ["P A01 s1 t0: 1", "P B01 s1 t0: 1"]);
    assert_eq!(
        found.sites[0].channels["1"],
        root.path().join("first/P_A01_s1_w1.tif")
    );
    assert!(
        found.skipped[0].path.ends_with("first/P_A02_s1_w1.tif"),
        "an empty file out of the plate is no image"
    );
    let warnings = found.warnings.join("\n");
    assert!(
        warnings.contains("leave the plate folder") && warnings.contains("second"),
        "{warnings}"
    );
}

fn count(map: &PlateMap, role: Role) -> usize {
    map.rows.iter().filter(|row| row.role == Some(role)).count()
}

/// The plate of the demonstration; needs the shared data.
#[test]
fn bbbc013_and_its_map_fit() {
    let Some(data) = std::env::var_os("PHENOSURE_DATA") else {
        eprintln!("skipped: PHENOSURE_DATA is not set");
        return;
    };
    let plate = Path::new(&data).join("bbbc013_translocation_half");
    let found = scan(&plate, &LayoutChoice::Auto).unwrap();
    assert_eq!(
        (
            found.layout.as_str(),
            found.sites.len(),
            found.channels.len(),
            found.warnings.len()
        ),
        ("bbbc013", 48, 2, 0)
    );
    let map = PlateMap::read(&plate.join("platemap.csv"), &PlateMapParams::default()).unwrap();
    assert!(map.warnings.is_empty(), "{:?}", map.warnings);
    assert_eq!(
        [Role::Negcon, Role::Poscon, Role::Treatment].map(|role| count(&map, role)),
        [8, 4, 36]
    );
    let third = &map.rows[2];
    assert_eq!(
        (
            third.dose,
            third.unit.as_deref(),
            third.extra["dose_rank"].as_str()
        ),
        (Some(0.977), Some("nM"), "1")
    );
    let warnings = map.check_against(&found).unwrap();
    assert!(
        warnings.len() == 1 && warnings[0].contains("\"BBBC013\""),
        "{warnings:?}"
    );
    assert!(
        found
            .sites
            .iter()
            .all(|site| map.assign(&found).row(&site.plate, site.well).is_some())
    );
}

/// Two plates in one root, one plate alone, and the plate map with roles by treatment.
#[test]
fn the_two_real_sirna_plates_and_their_map_fit() {
    let plates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/imagehts_submorph_sirna");
    let params = PlateMapParams {
        treatment_column: Some("GeneID".into()),
        negcon: vec!["RLUC".into()],
        poscon: vec!["UBC".into()],
        ..PlateMapParams::default()
    };
    let map = PlateMap::read(&plates.join("platemap.csv"), &params).unwrap();
    assert_eq!(
        [Role::Negcon, Role::Poscon, Role::Treatment].map(|role| count(&map, role)),
        [4, 4, 4]
    );
    let found = scan(&plates.join("source"), &LayoutChoice::Auto).unwrap();
    assert_eq!(
        (found.layout.as_str(), found.sites.len(), found.channels.join(" ")),
        ("imagehts", 12, "FITC Hoechst Tritc".to_owned())
    );
    assert!(found.warnings.is_empty() && map.check_against(&found).unwrap().is_empty());
    let one = scan(&plates.join("source/PK-10B-pl1"), &LayoutChoice::Auto).unwrap();
    assert_eq!((one.sites.len(), one.sites[0].plate.as_str()), (6, "PK-10B-pl1"));
    let warnings = map.check_against(&one).unwrap();
    assert!(
        warnings.len() == 1 && warnings[0].contains("PK-11B-pl1"),
        "{warnings:?}"
    );
}
