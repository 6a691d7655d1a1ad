//! Walks the corpus of bad and unusual inputs: every image must end as its manifest says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::{ImageError, ReadImage, ReadLimits, read_gray, read_image, read_label_map};
use ndarray::Array2;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/badinput")
}

fn read(name: &str) -> Result<ReadImage, ImageError> {
    read_image(&corpus().join(name), &ReadLimits::default())
}

fn pixels(name: &str) -> Vec<Array2<f32>> {
    read(name)
        .unwrap_or_else(|error| panic!("{name}: {error}"))
        .planes
}

/// The field that the corpus shows, as `make_badinput.py` computes it: `bits`-bit numbers of 48 rows × 64 columns.
fn field(bits: u32) -> Array2<f64> {
    let top = f64::from((1u32 << bits) - 1);
    let cells = [
        (12.0, 10.0, 6.0),
        (30.0, 14.0, 5.0),
        (50.0, 11.0, 7.0),
        (20.0, 35.0, 8.0),
        (46.0, 34.0, 6.0),
    ];
    Array2::from_shape_fn((48, 64), |(y, x)| {
        let mut value = 0.08 + 0.02 * ((x * 7 + y * 13) % 5) as f64 / 5.0;
        for (cx, cy, r) in cells {
            let d2 = ((x as f64 - cx).powi(2) + (y as f64 - cy).powi(2)) / (r * r);
            if d2 < 1.0 {
                value = f64::max(value, 0.3 + 0.6 * (1.0 - d2));
            }
        }
        (value * top + 0.5).floor()
    })
}

fn assert_is(plane: &Array2<f32>, expected: &Array2<f64>, name: &str) {
    assert_eq!(plane.dim(), expected.dim(), "{name}");
    for (at, (found, expected)) in plane.iter().zip(expected).enumerate() {
        assert_eq!(*found, *expected as f32, "{name}, pixel {at}");
    }
}

#[test]
fn every_image_of_the_corpus_ends_as_its_manifest_says() {
    let mut manifest = csv::Reader::from_path(corpus().join("manifest.csv")).unwrap();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for row in manifest.deserialize::<BTreeMap<String, String>>() {
        let row = row.unwrap();
        let name = row["file"].as_str();
        if !["png/", "tiff/", "jpeg/"]
            .iter()
            .any(|folder| name.starts_with(folder))
        {
            continue;
        }
        seen += 1;
        let (words, either) = (
            &row["message_names"],
            row["reason"].contains("skip is accepted as well"),
        );
        let outcome = read(name);
        let complaint = match (row["expected"].as_str(), &outcome) {
            ("ok", Ok(image)) if image.warnings.is_empty() => None,
            ("ok", Ok(image)) => Some(format!("should be silent, warns {:?}", image.warnings)),
            ("ok+warn", Ok(image)) => (!image
                .warnings
                .iter()
                .any(|warning| warning.contains(words.as_str())))
            .then(|| format!("no warning names {words:?}: {:?}", image.warnings)),
            ("ok+warn", Err(error)) if either && error.to_string().contains(words.as_str()) => None,
            ("skip", Err(error)) => {
                let message = error.to_string();
                let file = Path::new(name).file_name().unwrap().to_str().unwrap();
                // The file's own name is left out: the words must come from what is said about it.
                let said = message.replacen(&format!("{:?}", corpus().join(name)), "", 1);
                (!said.contains(words.as_str()) || !message.contains(file) || message.ends_with('.'))
                    .then(|| format!("the message should name {words:?}: {message}"))
            }
            (expected, outcome) => Some(
                format!("{expected} expected, got {outcome:?}")
                    .chars()
                    .take(300)
                    .collect(),
            ),
        };
        if let Ok(image) = &outcome {
            assert!(
                image.planes.iter().flatten().all(|value| value.is_finite()),
                "{name} has values that are not finite"
            );
        }
        wrong.extend(complaint.map(|complaint| format!("{name}: {complaint}")));
    }
    assert!(seen > 120, "only {seen} images are in the manifest");
    assert!(
        wrong.is_empty(),
        "{} of {seen}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn files_that_hold_the_same_pixels_are_read_the_same() {
    let mut manifest = csv::Reader::from_path(corpus().join("manifest.csv")).unwrap();
    let mut pairs = 0;
    for row in manifest.deserialize::<BTreeMap<String, String>>() {
        let row = row.unwrap();
        let Some(other) = row["reason"].strip_prefix("same pixels as ") else {
            continue;
        };
        let name = &row["file"];
        let folder = name.split('/').next().unwrap();
        assert_eq!(
            pixels(name),
            pixels(&format!("{folder}/{other}")),
            "{name} and {other}"
        );
        pairs += 1;
    }
    assert!(pairs >= 14, "only {pairs} pairs are in the manifest");
}

#[test]
fn samples_are_scaled_by_the_range_of_their_type() {
    let f8 = field(8) / 255.0;
    let f16 = field(16) / 65535.0;
    for name in [
        "png/gray8.png",
        "png/palette_gray.png",
        "png/gray_alpha8.png",
        "tiff/gray8.tif",
        "tiff/palette8.tif",
    ] {
        assert_is(&pixels(name)[0], &f8, name);
    }
    for name in [
        "tiff/white_is_zero8.tif",
        "tiff/tags_unsorted.tif",
        "tiff/rows_per_strip_max.tif",
        "tiff/orientation_6.tif",
    ] {
        assert_is(&pixels(name)[0], &f8, name);
    }
    for name in [
        "png/gray16.png",
        "tiff/gray16_strips.tif",
        "tiff/tiled_edge32.tif",
        "png/really_tiff.png",
    ] {
        assert_is(&pixels(name)[0], &f16, name);
    }
    for bits in [1, 2, 4] {
        let expected = field(bits) / f64::from((1u32 << bits) - 1);
        assert_is(&pixels(&format!("png/gray{bits}.png"))[0], &expected, "gray");
    }
    assert_is(&pixels("tiff/bilevel.tif")[0], &field(1), "bilevel");
    assert_is(&pixels("tiff/float64.tif")[0], &f16, "float64");
    assert_is(&pixels("tiff/float32_counts.tif")[0], &field(16), "counts");
    let expected = field(16).mapv(|value| value * 1000.0 / f64::from(u32::MAX));
    assert_is(&pixels("tiff/uint32.tif")[0], &expected, "uint32");
    let expected = field(16).mapv(|value| if value < 20000.0 { value - 3000.0 } else { 20000.0 } / 32767.0);
    assert_is(&pixels("tiff/int16_negative.tif")[0], &expected, "int16");
    for (found, expected) in pixels("tiff/float16.tif")[0].iter().zip(&f16) {
        assert!(
            (f64::from(*found) - expected).abs() <= 2f64.powi(-11),
            "halves have 11 bits"
        );
    }
}

#[test]
fn a_camera_of_12_bits_takes_its_scale_from_the_layout() {
    let image = read("tiff/camera12_in_16.tif").unwrap();
    assert_eq!((image.full_scale, image.bits), (Some(65535.0), 16));
    let image = image.with_full_scale(4095.0);
    assert_eq!(image.full_scale, Some(4095.0));
    for (found, expected) in image.planes[0].iter().zip(&field(12)) {
        assert!((f64::from(*found) - expected / 4095.0).abs() < 1e-6);
    }
}

#[test]
fn colors_and_channels_become_planes() {
    let f8 = field(8);
    for name in ["png/rgb8.png", "png/rgba8.png", "tiff/rgb8_contig.tif"] {
        let image = read(name).unwrap();
        assert!(image.is_rgb && image.planes.len() == 3, "{name}");
        assert_is(&image.planes[0], &(&f8 / 255.0), name);
        assert_is(
            &image.planes[1],
            &f8.mapv(|value| (value / 2.0).floor() / 255.0),
            name,
        );
        assert_is(&image.planes[2], &f8.mapv(|value| (255.0 - value) / 255.0), name);
    }
    let (gray, info) = read_gray(&corpus().join("tiff/rgba8.tif"), &ReadLimits::default()).unwrap();
    assert_is(
        &gray,
        &(f8 / 255.0),
        "the mean of three equal planes is the plane",
    );
    assert_eq!((info.planes, info.height_px, info.width_px), (3, 48, 64));
    let several = read_gray(&corpus().join("tiff/planar5_16.tif"), &ReadLimits::default());
    assert!(matches!(several, Err(ImageError::NotOnePlane { planes: 5, .. })));
}

#[test]
fn stacks_say_what_their_planes_are() {
    for name in ["tiff/imagej_hyperstack.tif", "tiff/imagej_contiguous.tif"] {
        let image = read(name).unwrap();
        let axes = image.axes.unwrap();
        assert_eq!(
            (image.planes.len(), axes.channels, axes.slices, axes.frames),
            (6, 2, 3, 1),
            "{name}"
        );
        image
            .planes
            .iter()
            .for_each(|plane| assert_is(plane, &(field(16) / 65535.0), name));
    }
    let image = read("tiff/ome_2ch.ome.tif").unwrap();
    assert_eq!(image.channel_names, ["ch0", "ch1"]);
    assert_eq!(image.pixel_size_um, Some(0.65));
    assert_eq!(image.planes.len(), 2);
    assert_eq!(
        read("tiff/ome_html_name.ome.tif").unwrap().channel_names,
        ["<img src=x onerror=alert(1)>"]
    );
    assert_eq!(read("tiff/resolution_0_over_0.tif").unwrap().pixel_size_um, None);
}

#[test]
fn pixels_that_are_not_finite_take_their_neighbors_value() {
    let image = pixels("tiff/float32_nan_inf.tif").remove(0);
    let mut expected = field(16) / 65535.0;
    // Pixels 6 to 8 of row 1 are missing; the pixel above each is as near as any and comes first.
    for column in 6..9 {
        expected[(1, column)] = expected[(0, column)];
    }
    assert_is(&image, &expected, "filled");
}

#[test]
fn jpeg_comes_close_to_what_was_compressed() {
    for name in [
        "jpeg/gray.jpg",
        "jpeg/progressive.jpg",
        "jpeg/rgb.jpg",
        "tiff/jpeg8.tif",
        "jpeg/truncated_end_marker.jpg",
    ] {
        let worst = pixels(name)
            .iter()
            .flat_map(|plane| {
                plane
                    .iter()
                    .zip(&field(8))
                    .map(|(a, b)| (f64::from(*a) - b / 255.0).abs())
                    .collect::<Vec<_>>()
            })
            .fold(0.0, f64::max);
        assert!(worst < 0.08, "{name} is off by {worst}");
    }
    assert_eq!(pixels("jpeg/gray.jpg"), pixels("jpeg/progressive.jpg"));
    assert_eq!(pixels("jpeg/gray.jpg"), pixels("jpeg/orientation_6.jpg"));
}

#[test]
fn labels_are_read_as_integers() {
    let labels = |name: &str| read_label_map(&corpus().join(name), &ReadLimits::default());
    for (name, bits) in [
        ("png/gray8.png", 8),
        ("png/gray16.png", 16),
        ("png/palette_colour.png", 8),
        ("tiff/palette8.tif", 8),
    ] {
        assert_eq!(
            labels(name).unwrap(),
            field(bits).mapv(|value| value as u32),
            "{name}"
        );
    }
    assert_eq!(
        labels("tiff/uint32.tif").unwrap(),
        field(16).mapv(|value| value as u32 * 1000)
    );
    assert_eq!(
        labels("tiff/float32_counts.tif").unwrap(),
        field(16).mapv(|value| value as u32)
    );
    let signed = field(16).mapv(|value| {
        if value < 20000.0 {
            value as u32 - 3000
        } else {
            20000
        }
    });
    assert_eq!(
        labels("tiff/int16_negative.tif").unwrap(),
        signed,
        "signed, and all of them above 0 in spite of the name"
    );
    for name in [
        "tiff/float32_01.tif",
        "tiff/rgb8_contig.tif",
        "jpeg/gray.jpg",
        "tiff/float32_nan_inf.tif",
    ] {
        assert!(
            matches!(labels(name), Err(ImageError::NotLabels { .. })),
            "{name}"
        );
    }
}
