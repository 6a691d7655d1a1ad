//! Reading and writing beyond the corpus: cut and damaged files, other writers, label images, limits.

use std::fs;
use std::path::{Path, PathBuf};

use image::{ImageError, Labels, ReadLimits, read_image, read_label_map, read_labels, write_labels};
use ndarray::Array2;
use tiff::decoder::DecodingResult;
use tiff::encoder::{Compression, DeflateLevel, Predictor, TiffEncoder, colortype};

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures/badinput")
        .join(name)
}

/// Good files of every kind of structure: what is in them is told by `badinput.rs`.
const GOOD: [&str; 17] = [
    "png/gray8.png",
    "png/interlaced.png",
    "png/palette_colour.png",
    "jpeg/gray.jpg",
    "jpeg/rgb.jpg",
    "jpeg/progressive.jpg",
    "jpeg/orientation_6.jpg",
    "tiff/gray16_strips.tif",
    "tiff/bigtiff_be16.tif",
    "tiff/tiled16.tif",
    "tiff/lzw16_pred2.tif",
    "tiff/deflate16_pred2.tif",
    "tiff/packbits8.tif",
    "tiff/jpeg8.tif",
    "tiff/planar5_16.tif",
    "tiff/ome_2ch.ome.tif",
    "tiff/imagej_contiguous.tif",
];

#[test]
fn no_cut_file_is_read_as_if_it_were_whole() {
    let folder = tempfile::tempdir().unwrap();
    let limits = ReadLimits::default();
    for name in GOOD {
        let whole = fs::read(corpus(name)).unwrap();
        let pixels = read_image(&corpus(name), &limits).unwrap().planes;
        let file = folder.path().join(Path::new(name).file_name().unwrap());
        let step = (whole.len() / 100).max(1);
        for n in (0..whole.len())
            .step_by(step)
            .chain(whole.len().saturating_sub(24)..whole.len())
        {
            fs::write(&file, &whole[..n]).unwrap();
            match read_image(&file, &limits) {
                // A JPEG may lack its end marker: then all pixels are there, and it is said.
                Ok(image) => {
                    assert!(
                        n + 2 >= whole.len() && name.starts_with("jpeg/"),
                        "{name} cut at {n} of {}",
                        whole.len()
                    );
                    assert_eq!(image.planes, pixels, "{name} cut at {n}");
                    assert!(
                        image
                            .warnings
                            .iter()
                            .any(|warning| warning.contains("ends early")),
                        "{name} cut at {n}"
                    );
                }
                Err(ImageError::EndsEarly { .. } | ImageError::Empty { .. }) => {}
                Err(error) => panic!("{name} cut at {n} of {}: {error}", whole.len()),
            }
        }
    }
}

#[test]
fn no_changed_byte_makes_a_reader_panic() {
    let folder = tempfile::tempdir().unwrap();
    let limits = ReadLimits {
        max_samples: 1 << 20,
        max_plane_px: 1 << 18,
        ..ReadLimits::default()
    };
    for name in GOOD {
        let whole = fs::read(corpus(name)).unwrap();
        let file = folder.path().join(Path::new(name).file_name().unwrap());
        let step = (whole.len() / 60).max(1);
        for at in (0..whole.len().min(100)).chain((100..whole.len()).step_by(step)) {
            for value in [0, 0xff, whole[at] ^ 1] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                fs::write(&file, &damaged).unwrap();
                if let Ok(image) = read_image(&file, &limits) {
                    let size = image.planes[0].dim();
                    assert!(
                        image.planes.iter().all(|plane| plane.dim() == size),
                        "{name}, byte {at} = {value}"
                    );
                }
                let _ = read_label_map(&file, &limits);
            }
        }
    }
}

/// An 8-bit ramp with noise that does not compress away, 61 × 37 pixels.
fn ramp() -> (u32, u32, Vec<u16>) {
    let (width, height) = (61u32, 37u32);
    let pixels = (0..width * height)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 20) as u16 * 13 % 60_000)
        .collect();
    (width, height, pixels)
}

#[test]
fn files_of_the_tiff_crate_are_read_as_it_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let (width, height, pixels) = ramp();
    let compressions = [
        Compression::Uncompressed,
        Compression::Lzw,
        Compression::Packbits,
        Compression::Deflate(DeflateLevel::Best),
    ];
    for (nth, compression) in compressions.into_iter().enumerate() {
        for predictor in [Predictor::None, Predictor::Horizontal] {
            if predictor == Predictor::Horizontal
                && !matches!(compression, Compression::Lzw | Compression::Deflate(_))
            {
                continue;
            }
            let path = folder.path().join("a.tif");
            let mut encoder = TiffEncoder::new(fs::File::create(&path).unwrap())
                .unwrap()
                .with_compression(compression)
                .with_predictor(predictor);
            let mut image = encoder.new_image::<colortype::Gray16>(width, height).unwrap();
            image.rows_per_strip(5).unwrap();
            image.write_data(&pixels).unwrap();
            let theirs = tiff::decoder::Decoder::new(fs::File::open(&path).unwrap())
                .unwrap()
                .read_image()
                .unwrap();
            assert!(matches!(&theirs, DecodingResult::U16(values) if *values == pixels));
            let ours = read_label_map(&path, &ReadLimits::default()).unwrap();
            assert!(
                ours.iter()
                    .copied()
                    .eq(pixels.iter().map(|&value| u32::from(value))),
                "compression {nth}, {predictor:?}"
            );
        }
    }
}

#[test]
fn floats_with_predictor_and_negative_integers_of_the_tiff_crate_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let (width, height, pixels) = ramp();
    let floats: Vec<f32> = pixels.iter().map(|&value| f32::from(value) / 60_000.0).collect();
    let signed: Vec<i16> = pixels
        .iter()
        .map(|&value| (i32::from(value) - 30_000) as i16)
        .collect();
    let mut encoder = TiffEncoder::new(fs::File::create(&path).unwrap()).unwrap();
    encoder
        .write_image::<colortype::Gray32Float>(width, height, &floats)
        .unwrap();
    let image = read_image(&path, &ReadLimits::default()).unwrap();
    assert!(image.planes[0].iter().eq(&floats) && image.full_scale.is_none());
    let mut encoder = TiffEncoder::new(fs::File::create(&path).unwrap()).unwrap();
    encoder
        .write_image::<colortype::GrayI16>(width, height, &signed)
        .unwrap();
    let image = read_image(&path, &ReadLimits::default()).unwrap();
    assert!(
        image.planes[0]
            .iter()
            .zip(&signed)
            .all(|(&found, &value)| found == f32::from(value) / 32767.0)
    );
    let n = signed.iter().filter(|&&value| value < 0).count();
    assert!(
        image
            .warnings
            .iter()
            .any(|warning| warning.contains(&format!("{n} pixels are negative"))),
        "{:?}",
        image.warnings
    );
    assert!(matches!(
        read_label_map(&path, &ReadLimits::default()),
        Err(ImageError::NotLabels { .. })
    ));
}

#[test]
fn max_sample_value_is_the_scale_of_a_12_bit_camera() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    let write = |most: u16, top: u16| {
        let pixels: Vec<u16> = (0..400).map(|at| at * 10 % top + 1).collect();
        let mut encoder = TiffEncoder::new(fs::File::create(&path).unwrap()).unwrap();
        let mut image = encoder.new_image::<colortype::Gray16>(20, 20).unwrap();
        image
            .encoder()
            .write_tag(tiff::tags::Tag::Unknown(281), most)
            .unwrap();
        image.write_data(&pixels).unwrap();
        read_image(&path, &ReadLimits::default()).unwrap()
    };
    let image = write(4095, 4000);
    assert_eq!((image.full_scale, image.bits), (Some(4095.0), 16));
    assert_eq!(image.planes[0][(0, 1)], 11.0 / 4095.0);
    // The maximum of some image is no scale, and a scale below the pixels is none either.
    assert_eq!(write(3991, 4000).full_scale, Some(65535.0));
    let mut encoder = TiffEncoder::new_big(fs::File::create(&path).unwrap()).unwrap();
    let mut image = encoder.new_image::<colortype::Gray16>(20, 20).unwrap();
    image
        .encoder()
        .write_tag(tiff::tags::Tag::Unknown(281), u64::MAX)
        .unwrap();
    image.write_data(&[7; 400]).unwrap();
    assert_eq!(
        read_image(&path, &ReadLimits::default()).unwrap().full_scale,
        Some(65535.0)
    );
    let image = write(1023, 4000);
    assert_eq!(image.full_scale, Some(65535.0));
    assert!(image.warnings[0].contains("1023"), "{:?}", image.warnings);
}

#[test]
fn label_images_come_back_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.tif");
    let small = Labels::relabel(Array2::from_shape_fn((40, 30), |(row, column)| {
        if row % 5 == 0 || column % 4 == 0 {
            0
        } else {
            (row as u32 / 5) * 8 + column as u32 / 4 + 1
        }
    }));
    write_labels(&path, &small).unwrap();
    assert_eq!(read_labels(&path, &ReadLimits::default()).unwrap(), small);
    assert_eq!(read_image(&path, &ReadLimits::default()).unwrap().bits, 16);
    let first = fs::read(&path).unwrap();
    write_labels(&path, &small).unwrap();
    assert_eq!(
        fs::read(&path).unwrap(),
        first,
        "the same labels give the same bytes"
    );
    // 70 000 objects of one pixel need more than 16 bits.
    let many = Labels::relabel(Array2::from_shape_fn((280, 250), |(row, column)| {
        (row * 250 + column) as u32 + 1
    }));
    assert_eq!(many.n, 70_000);
    write_labels(&path, &many).unwrap();
    assert_eq!(read_labels(&path, &ReadLimits::default()).unwrap(), many);
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["labels.tif"], "no temporary file stays behind");
}

#[test]
fn labels_that_cannot_be_written_are_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("labels.tif");
    let error = write_labels(&path, &Labels::relabel(Array2::from_elem((2, 2), 1))).unwrap_err();
    assert!(matches!(error, ImageError::Unwritable { .. }) && error.to_string().contains("labels.tif"));
    // A folder of that name cannot be replaced, and the attempt leaves nothing behind.
    let taken = folder.path().join("taken.tif");
    fs::create_dir(&taken).unwrap();
    assert!(write_labels(&taken, &Labels::relabel(Array2::from_elem((2, 2), 1))).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn only_regular_files_within_the_limits_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let limits = ReadLimits::default();
    assert!(matches!(
        read_image(folder.path(), &limits),
        Err(ImageError::NotAFile { .. })
    ));
    assert!(matches!(
        read_image(&folder.path().join("gone.tif"), &limits),
        Err(ImageError::Unreadable { .. })
    ));
    let sparse = folder.path().join("sparse.tif");
    fs::copy(corpus("tiff/gray8.tif"), &sparse).unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(&sparse)
        .unwrap()
        .set_len(8 << 30)
        .unwrap();
    assert!(matches!(
        read_image(&sparse, &limits),
        Err(ImageError::TooLarge { .. })
    ));
    let tight = ReadLimits {
        max_plane_px: 3071,
        ..ReadLimits::default()
    };
    assert!(matches!(
        read_image(&corpus("tiff/gray8.tif"), &tight),
        Err(ImageError::TooLarge { .. })
    ));
    let tight = ReadLimits {
        max_samples: 3072 * 4,
        ..ReadLimits::default()
    };
    for name in [
        "tiff/planar5_16.tif",
        "tiff/imagej_hyperstack.tif",
        "tiff/imagej_contiguous.tif",
    ] {
        assert!(
            matches!(
                read_image(&corpus(name), &tight),
                Err(ImageError::TooLarge { .. })
            ),
            "{name}"
        );
    }
    #[cfg(unix)]
    {
        let ring = folder.path().join("ring.tif");
        std::os::unix::fs::symlink(&ring, &ring).unwrap();
        assert!(matches!(
            read_image(&ring, &limits),
            Err(ImageError::Unreadable { .. })
        ));
    }
}

#[test]
fn an_ome_set_whose_files_are_all_there_gives_the_plane_of_each_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["field_c0.ome.tif", "field_c1.ome.tif"] {
        fs::copy(
            corpus("tiff/ome_missing_sibling.ome.tif"),
            folder.path().join(name),
        )
        .unwrap();
    }
    let image = read_image(&folder.path().join("field_c1.ome.tif"), &ReadLimits::default()).unwrap();
    assert_eq!((image.planes.len(), image.pixel_size_um), (1, Some(0.65)));
    assert!(image.warnings.is_empty(), "{:?}", image.warnings);
}

/// Every image of the two plates that the first screens run on is read without a word but that JPEG is lossy.
#[test]
fn the_real_plates_are_read() {
    let Some(data) = std::env::var_os("PHENOSURE_DATA") else {
        eprintln!("PHENOSURE_DATA is not set: the real plates are not read");
        return;
    };
    let mut n = 0;
    let mut folders = vec![
        Path::new(&data).join("imagehts_submorph_sirna/source"),
        Path::new(&data).join("bbbc013_translocation_half"),
    ];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            let extension = path
                .extension()
                .and_then(|extension| extension.to_str())
                .unwrap_or_default();
            if path.is_dir() {
                folders.push(path);
            } else if matches!(extension, "jpeg" | "jpg" | "png" | "tif") {
                let image =
                    read_image(&path, &ReadLimits::default()).unwrap_or_else(|error| panic!("{error}"));
                let odd: Vec<_> = image
                    .warnings
                    .iter()
                    .filter(|warning| !warning.contains("lossy"))
                    .collect();
                assert!(odd.is_empty(), "{path:?}: {odd:?}");
                n += 1;
            }
        }
    }
    assert!(n > 100, "only {n} images were found");
}
