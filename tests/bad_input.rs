//! What is wrong with an input is said with its name and value; one bad site never stops a plate.

mod support;

use support::{Plate, fixture, rows_of, run};

#[test]
fn bad_sites_are_named_and_the_rest_is_done() {
    let plate = Plate::bbbc013_crops();
    let at = |name: &str| plate.path(&format!("plate/{name}"));
    let whole = std::fs::read(at("Channel2-03-A-03.png")).unwrap();
    std::fs::write(at("Channel2-03-A-03.png"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(at("Channel1-09-A-09.png"), "").unwrap();
    std::fs::remove_file(at("Channel1-15-B-03.png")).unwrap();
    std::fs::write(at("Channel1-21-B-09.png"), "<html>not found</html>").unwrap();
    let ended = plate.screen("run", &["--json"]).with_code(1).saying(&[
        "A03",
        "Channel2-03-A-03.png",
        "ends early",
        "A09",
        "Channel1-09-A-09.png",
        "empty",
        "B03",
        "B09",
        "Channel1-21-B-09.png",
    ]);
    let summary: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let skipped: Vec<&str> = summary["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|site| site["well"].as_str().unwrap())
        .collect();
    assert_eq!(skipped, ["A03", "A09", "B03", "B09"]);
    let run_json = plate.text("run/run.json");
    let report = plate.text("run/report.html");
    for name in [
        "Channel2-03-A-03.png",
        "Channel1-09-A-09.png",
        "Channel1-21-B-09.png",
    ] {
        assert!(run_json.contains(name) && report.contains(name), "{name}");
    }
    assert!(
        !run_json.contains(&plate.path("plate")),
        "reasons name files below the plate folder"
    );
    assert_eq!(rows_of(&plate.text("run/wells.csv")).len(), 14);

    // A site whose file was copied again is done the next time, and its old reason is gone.
    std::fs::write(at("Channel2-03-A-03.png"), &whole).unwrap();
    let again = plate.screen("run", &["--json"]).with_code(1);
    let summary: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(
        (
            summary["skipped"].as_array().unwrap().len(),
            &summary["sites_new"]
        ),
        (3, &1.into())
    );
    assert!(!plate.text("run/run.json").contains("Channel2-03-A-03.png"));
}

#[test]
fn channels_of_different_sizes_cost_their_site() {
    let plate = Plate::bbbc013_crops();
    std::fs::copy(
        fixture("badinput/png").join("gray8.png"),
        plate.path("plate/Channel1-01-A-01.png"),
    )
    .unwrap();
    plate.screen("run", &[]).with_code(1).saying(&[
        "Channel1-01-A-01.png",
        "64 x 48",
        "192 x 192",
        "one size",
    ]);
}

#[test]
fn a_field_without_cells_counts_zero() {
    let plate = Plate::bbbc013_crops();
    // The label image of A03 is all background: a picture of the right size with one value.
    let empty = png_of_zeros(192, 192);
    std::fs::write(plate.path("labels/Channel2-03-A-03.png"), empty).unwrap();
    plate
        .screen("run", &[])
        .with_code(0)
        .saying(&["Channel2-03-A-03.png", "no nucleus was found"]);
    let wells = rows_of(&plate.text("run/wells.csv"));
    let row = wells.iter().find(|row| row["Metadata_Well"] == "A03").unwrap();
    assert_eq!(row["Count_Objects"], "0");
}

/// An 8-bit gray PNG whose pixels are all 0, with stored (not compressed) data.
fn png_of_zeros(width: u32, height: u32) -> Vec<u8> {
    let mut pixels = Vec::new();
    for _ in 0..height {
        pixels.extend(std::iter::repeat_n(0u8, width as usize + 1));
    }
    let mut stream = vec![0x78, 0x01];
    let mut blocks = pixels.chunks(65_535).peekable();
    while let Some(block) = blocks.next() {
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend((block.len() as u16).to_le_bytes());
        stream.extend((!(block.len() as u16)).to_le_bytes());
        stream.extend(block);
    }
    let (a, b) = pixels.iter().fold((1u32, 0u32), |(a, b), &p| {
        ((a + u32::from(p)) % 65_521, (a + u32::from(p) + b) % 65_521)
    });
    stream.extend(((b << 16) | a).to_be_bytes());
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 0, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in [(b"IHDR", &header), (b"IDAT", &stream), (b"IEND", &Vec::new())] {
        png.extend((content.len() as u32).to_be_bytes());
        let checked: Vec<u8> = kind.iter().chain(content).copied().collect();
        png.extend(&checked);
        png.extend(crc32(&checked).to_be_bytes());
    }
    png
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            }
        })
    })
}

#[test]
fn label_images_that_do_not_fit_cost_their_site() {
    let plate = Plate::bbbc013_crops();
    std::fs::remove_file(plate.path("labels/Channel2-01-A-01.png")).unwrap();
    std::fs::write(plate.path("labels/Channel2-02-A-02.png"), png_of_zeros(64, 64)).unwrap();
    plate.screen("run", &[]).with_code(1).saying(&[
        "A01",
        "no label image",
        "Channel2-02-A-02.png",
        "64 x 64",
        "192 x 192",
    ]);
}

#[test]
fn a_wrong_plate_map_ends_before_anything_is_written() {
    let plate = Plate::bbbc013_crops();
    let good = plate.text("map.csv");
    let check = |map: String, words: &[&str]| {
        std::fs::write(plate.path("map.csv"), map).unwrap();
        plate.screen("run", &[]).with_code(2).saying(words);
        assert!(!plate.folder.path().join("run").exists());
    };
    check(good.replace("B12,", "Z99,"), &["map.csv", "Z99"]);
    check(
        format!("{good}A01,untreated,0,negcon\n"),
        &["map.csv", "A01", "twice"],
    );
    check(
        good.replace("negcon", "negative-ish"),
        &["map.csv", "negative-ish"],
    );
    check("well,treatment\nC07,x\nC08,y\n".to_owned(), &["none of its"]);
}

#[test]
fn wells_without_images_and_wells_without_a_row_are_told() {
    let plate = Plate::bbbc013_crops();
    let map = plate.text("map.csv").replace("B12,", "H12,");
    std::fs::write(plate.path("map.csv"), map).unwrap();
    plate.screen("run", &[]).with_code(0).saying(&["H12", "B12"]);
    let wells = rows_of(&plate.text("run/wells.csv"));
    assert!(
        wells.iter().any(|row| row["Metadata_Well"] == "B12"),
        "a well on disk is kept"
    );
}

#[test]
fn wrong_usage_is_two_and_says_what_there_is() {
    let plate = Plate::bbbc013_crops();
    plate
        .screen("run", &["--nuclei", "DAPI"])
        .with_code(2)
        .saying(&["--nuclei", "DAPI", "1, 2"]);
    plate
        .screen("run", &["--fdr", "1.5"])
        .with_code(2)
        .saying(&["--fdr", "1.5"]);
    plate
        .screen("run", &["--layout", "nosuch"])
        .with_code(2)
        .saying(&["nosuch", "bbbc013"]);
    plate
        .screen("run", &["--negcon", "DMSO"])
        .with_code(2)
        .saying(&["DMSO", "untreated"]);
    plate
        .screen("run", &["--shard", "3/2"])
        .with_code(2)
        .saying(&["--shard"]);
    run(&["screen", &plate.path("nothing"), "--out", &plate.path("run")])
        .with_code(2)
        .saying(&["nothing"]);
    run(&["gather", &plate.path("plate")])
        .with_code(2)
        .saying(&["not the folder of a run"]);
    assert!(!plate.folder.path().join("run").exists());
}

#[test]
fn folders_of_others_are_not_written_to() {
    let plate = Plate::bbbc013_crops();
    std::fs::create_dir(plate.path("run")).unwrap();
    std::fs::write(plate.path("run/thesis.tex"), "x").unwrap();
    plate
        .screen("run", &[])
        .with_code(2)
        .saying(&["thesis.tex", "--force"]);
    std::fs::remove_file(plate.path("run/thesis.tex")).unwrap();
    plate.screen("run", &[]).with_code(0);
    plate
        .screen("run", &["--pixel-size", "0.5um"])
        .with_code(2)
        .saying(&["other arguments", "pixel_size_um", "--force"]);
    plate
        .screen("run", &["--pixel-size", "0.5um", "--force"])
        .with_code(0);
}

#[test]
fn an_output_that_cannot_be_written_is_three() {
    let plate = Plate::bbbc013_crops();
    // A file in the place of a folder: not even root can write below it.
    std::fs::write(plate.path("blocked"), "a file").unwrap();
    plate
        .screen("blocked/run", &[])
        .with_code(3)
        .saying(&["cannot write", "blocked"]);
    // A folder without write permission, where the user is not root.
    let locked = plate.folder.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    let mut permissions = std::fs::metadata(&locked).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&locked, permissions).unwrap();
    if std::fs::write(locked.join("probe"), "x").is_ok() {
        eprintln!("skipped: this user may write into read-only folders");
    } else {
        plate
            .screen("locked/run", &[])
            .with_code(3)
            .saying(&["cannot write", "locked"]);
    }
}

#[test]
fn a_damaged_or_unknown_bundle_is_four() {
    let plate = Plate::bbbc013_crops();
    let arguments = |bundle: &str| {
        let (images, out) = (plate.path("plate"), plate.path("run"));
        run(&[
            "screen",
            &images,
            "--nuclei",
            "2",
            "--segment-with",
            bundle,
            "--classify-with",
            "none",
            "--out",
            &out,
        ])
    };
    arguments("no-such-bundle")
        .with_code(4)
        .saying(&["no-such-bundle"]);
    let folder = plate.folder.path().join("bundle");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(
        fixture("badinput/bundle").join("manifest_future.json"),
        folder.join("manifest.json"),
    )
    .unwrap();
    arguments(&folder.display().to_string())
        .with_code(4)
        .saying(&["bundle"]);
    assert!(!plate.folder.path().join("run").exists());
}

#[test]
fn a_config_with_a_typing_mistake_is_refused() {
    let plate = Plate::bbbc013_crops();
    std::fs::write(plate.path("screen.toml"), "plate = 'plate'\nnegcontrol = ['x']\n").unwrap();
    run(&["screen", "--config", &plate.path("screen.toml")])
        .with_code(2)
        .saying(&["screen.toml", "negcontrol"]);
}
