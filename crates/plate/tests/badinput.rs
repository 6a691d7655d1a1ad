//! Bad and unusual plate maps and plate folders: every row of the fixtures' manifest that concerns this room.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use plate::{LayoutChoice, PlateError, PlateMap, PlateMapParams, PlateScan, Role, Site, Well, scan};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/badinput")
}

/// Rows of the manifest: file, expected, what the message names, reason.
fn manifest(prefix: &str) -> Vec<[String; 4]> {
    let mut reader = csv::Reader::from_path(fixtures().join("manifest.csv")).unwrap();
    let rows = reader
        .records()
        .map(|row| row.unwrap())
        .filter(|row| row[0].starts_with(prefix));
    rows.map(|row| [0, 2, 3, 4].map(|column| row[column].to_owned()))
        .collect()
}

/// A plate with wells A01, A02, B01 and B02, as the manifest's README asks for.
fn small_plate() -> PlateScan {
    let site = |well: &str| Site {
        plate: "P1".into(),
        well: well.parse().unwrap(),
        site: 1,
        timepoint: 0,
        channels: BTreeMap::new(),
    };
    PlateScan {
        sites: ["A01", "A02", "B01", "B02"].map(site).to_vec(),
        ..PlateScan::default()
    }
}

fn read(name: &str) -> Result<PlateMap, PlateError> {
    PlateMap::read(&fixtures().join(name), &PlateMapParams::default())
}

#[test]
fn every_plate_map_meets_the_fate_of_the_manifest() {
    // The README: these three are judged against the plate, all others by the reader alone.
    const AGAINST_THE_PLATE: [&str; 3] = [
        "platemap/wells_not_on_disk.csv",
        "platemap/no_negcon.csv",
        "platemap/all_negcon.csv",
    ];
    let rows = manifest("platemap/");
    assert_eq!(rows.len(), 59, "rows of the manifest");
    let mut wrong = Vec::new();
    for [name, expected, names, reason] in &rows {
        let read = read(name).and_then(|map| {
            let more = if AGAINST_THE_PLATE.contains(&name.as_str()) {
                map.check_against(&small_plate())?
            } else {
                Vec::new()
            };
            Ok(map.warnings.iter().cloned().chain(more).collect::<Vec<_>>())
        });
        let met = match (expected.as_str(), &read) {
            // Two forms of one letter are read, but a person must be told: that row's reason says so.
            ("ok", Ok(warnings)) => warnings.is_empty() != reason.ends_with("warned"),
            ("ok+warn", Ok(warnings)) => warnings.len() == 1 && warnings[0].contains(names),
            ("refuse", Err(error)) => {
                let message = error.to_string();
                message.contains(names)
                    && message.contains(&name["platemap/".len()..])
                    && !message.contains('\n')
                    && !message.ends_with('.')
            }
            _ => false,
        };
        if !met {
            wrong.push(format!(
                "{name}: expected {expected} naming {names:?}, got {read:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn spellings_of_the_control_map_read_the_same() {
    let control = read("platemap/control.csv").unwrap();
    assert_eq!(control.rows.len(), 4);
    let second = &control.rows[1];
    assert_eq!(
        (second.treatment.as_deref(), second.dose, second.unit.as_deref()),
        (Some("nocodazole"), Some(0.5), Some("uM"))
    );
    assert_eq!((second.role, second.line), (Some(Role::Treatment), 3));
    assert_eq!(
        (control.rows[2].role, control.rows[3].role),
        (Some(Role::Poscon), Some(Role::Negcon))
    );
    let same = [
        "bom.csv",
        "crlf.csv",
        "cr_only.csv",
        "semicolon.csv",
        "semicolon_decimal_comma.csv",
        "tab.tsv",
        "tab_named_csv.csv",
        "no_final_newline.csv",
        "trailing_delimiters.csv",
        "lower_case_wells.csv",
        "metadata_well.csv",
        "utf16le_bom.csv",
        "utf16be_bom.csv",
        "micro_two_signs.csv",
    ];
    for name in same {
        let map = read(&format!("platemap/{name}")).unwrap();
        assert_eq!(map.rows, control.rows, "{name}");
        assert!(map.extra_columns.is_empty(), "{name}");
    }
    // Blank lines move the lines and nothing else.
    let lines: Vec<u64> = read("platemap/blank_lines.csv")
        .unwrap()
        .rows
        .iter()
        .map(|row| row.line)
        .collect();
    assert_eq!(lines, [3, 5, 7, 9]);
}

#[test]
fn names_are_kept_as_they_are() {
    let treatments = |name: &str| {
        read(name)
            .unwrap()
            .rows
            .into_iter()
            .map(|row| row.treatment.unwrap_or_default())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        treatments("platemap/quoted.csv"),
        ["1,2-dichloroethane", "5\" peptide", "two\nlines"]
    );
    assert_eq!(
        treatments("platemap/formula_injection.csv"),
        ["=cmd|' /C calc'!A0", "+1+1", "-2-3", "@SUM(A1)", "\t=1"]
    );
    for treatment in treatments("platemap/formula_injection.csv") {
        assert_eq!(plate::escape_csv_formula(&treatment), format!("'{treatment}"));
    }
    assert_eq!(
        treatments("platemap/html_js_names.csv")[0],
        "<script>alert(1)</script>"
    );
    assert_eq!(treatments("platemap/long_name.csv")[0].len(), 5000);
    let unicode = treatments("platemap/unicode_names.csv");
    assert_eq!(
        (unicode[2].as_str(), unicode[3].as_str()),
        ("e\u{301}", "\u{e9}"),
        "two forms are two names"
    );
    let wells: Vec<String> = read("platemap/row_column.csv")
        .unwrap()
        .rows
        .iter()
        .map(|row| row.well.to_string())
        .collect();
    assert_eq!(wells, ["A01", "B12"]);
}

#[test]
fn plate_names_never_become_paths() {
    for row in read("platemap/traversal_names.csv").unwrap().rows {
        let site = Site {
            plate: row.plate.unwrap(),
            well: row.well,
            site: 1,
            timepoint: 0,
            channels: BTreeMap::new(),
        };
        let id = site.id();
        assert!(!id.contains(['/', '\\', ':']) && !id.starts_with('.'), "{id}");
    }
}

/// The cases `runtime:platemap/…` of the manifest.
#[test]
fn maps_beyond_every_plate_are_refused() {
    assert_eq!(manifest("runtime:platemap/").len(), 3);
    let refused = |bytes: &[u8], says: &str| {
        let message = PlateMap::parse(bytes, Path::new("map.csv"), &PlateMapParams::default())
            .unwrap_err()
            .to_string();
        assert!(message.contains(says), "{message}");
    };
    let names: Vec<String> = (0..1_000_000).map(|column| format!("c{column}")).collect();
    refused(
        format!("well,{}\nA01{}\n", names.join(","), ",".repeat(1_000_000)).as_bytes(),
        "4096 columns",
    );
    // The cell cut to 2 MiB: a row of more than 1 MiB is already too long.
    refused(
        format!("well,treatment\nA01,{}\n", "x".repeat(2 << 20)).as_bytes(),
        "line 2: more than 1048576 bytes in one row",
    );
    let rows: String = (0..1_000_000).map(|row| format!("A01,p{row}\n")).collect();
    refused(format!("well,plate\n{rows}").as_bytes(), "100000 rows");

    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("cell_64MiB.csv");
    fs::File::create(&large)
        .unwrap()
        .set_len((64 << 20) + 19)
        .unwrap();
    let error = PlateMap::read(&large, &PlateMapParams::default()).unwrap_err();
    assert!(
        error.to_string().contains("cell_64MiB.csv") && error.to_string().contains("67108864 bytes"),
        "{error}"
    );
    assert!(matches!(
        PlateMap::read(folder.path(), &PlateMapParams::default()),
        Err(PlateError::Read { .. })
    ));
}

/// The cases `runtime:plate/…` of the manifest, but for the file without read permission, which the image's reader names.
#[cfg(unix)]
#[test]
fn a_plate_folder_full_of_traps_is_scanned() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("plate");
    fs::create_dir_all(root.join("ring")).unwrap();
    fs::create_dir_all(root.join("many")).unwrap();
    for name in [
        "<script>alert(1)<_script>_A01_s1_w1.tif",
        "new\nline_A02_s1_w1.tif",
    ] {
        fs::write(root.join(name), b"II*\0").unwrap();
    }
    fs::write(root.join(OsStr::from_bytes(b"\xff\xfe_A03_s1_w1.tif")), b"II*\0").unwrap();
    fs::create_dir(root.join("dir_A04_s1_w1.tif")).unwrap();
    symlink("loop_A05_s1_w1.tif", root.join("loop_A05_s1_w1.tif")).unwrap();
    let outside = folder.path().join("hostname");
    fs::write(&outside, "a-machine\n").unwrap();
    symlink(&outside, root.join("outside_A06_s1_w1.tif")).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(root.join("fifo_A07_s1_w1.tif"))
        .status();
    assert!(fifo.unwrap().success());
    let sparse = fs::File::create(root.join("sparse_A09_s1_w1.tif")).unwrap();
    sparse.set_len(8 << 30).unwrap();
    symlink("..", root.join("ring/ring")).unwrap();
    symlink(folder.path(), root.join("ring/up")).unwrap();
    for file in 0..20_000 {
        fs::File::create(root.join(format!("many/f{file:05}.tif"))).unwrap();
    }

    let found = scan(&root, &LayoutChoice::Auto).unwrap();
    let sites: Vec<(&str, String)> = found
        .sites
        .iter()
        .map(|site| (site.plate.as_str(), site.well.to_string()))
        .collect();
    assert_eq!(
        sites,
        [
            ("<script>alert(1)<_script>", "A01".to_owned()),
            ("new\nline", "A02".to_owned())
        ]
    );
    assert_eq!(found.unmatched.len(), 20_000);
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let skipped: Vec<(String, &str)> = found
        .skipped
        .iter()
        .map(|file| (name(&file.path), file.reason.as_str()))
        .collect();
    let reasons = [
        ("dir_A04_s1_w1.tif", "a folder"),
        ("fifo_A07_s1_w1.tif", "neither a file nor a folder"),
        ("loop_A05_s1_w1.tif", "a link that leads to no file"),
        ("outside_A06_s1_w1.tif", "out of the plate folder"),
        ("sparse_A09_s1_w1.tif", "4 GiB"),
        ("\u{FFFD}\u{FFFD}_A03_s1_w1.tif", "not UTF-8"),
    ];
    assert_eq!(skipped.len(), reasons.len(), "{skipped:?}");
    for ((name, reason), (expected, says)) in skipped.iter().zip(reasons) {
        assert!(name == expected && reason.contains(says), "{name}: {reason}");
    }
    assert_eq!(
        found.skipped[4].place.as_ref().unwrap().well,
        "A09".parse::<Well>().unwrap()
    );
    assert_eq!(
        found.skipped[5].path.file_name().unwrap().as_bytes(),
        b"\xff\xfe_A03_s1_w1.tif",
        "path kept as bytes"
    );

    // One line for 20 000 files, one for the skipped, one for each folder link; no line is broken by a file's name.
    assert_eq!(found.warnings.len(), 4, "{:?}", found.warnings);
    assert!(
        found
            .warnings
            .iter()
            .all(|warning| !warning.contains('\n') && warning.len() < 1000)
    );
    assert_eq!(
        found
            .warnings
            .iter()
            .filter(|warning| warning.contains("entered before"))
            .count(),
        2
    );
    assert!(
        found
            .warnings
            .iter()
            .any(|warning| warning.contains("(20000)") && warning.contains("19992 more"))
    );
}
