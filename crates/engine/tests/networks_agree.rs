//! The shipped networks give the same maps, label images and classes by every way to compute them, on real images.
//!
//! Without `PHENOSURE_DATA` the images are the crops that come with the tests; with it, six images of folds 1 to 4 of
//! dsb2018 as well, and with `PHENOSURE_FULL` fifty.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use image::{DecodeParams, ReadLimits, crop_at, decode_touch, normalize_nuclear, read_gray};
use model::{Bundle, Classifier, DeviceChoice, MapSamples, Method, SYMMETRIES, Segmenter};
use ndarray::{Array2, Array3, Array4, Axis, concatenate, s};

fn room() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn bundle(name: &str) -> Bundle {
    Bundle::load(&room().join("bundles").join(name)).unwrap()
}

fn read(path: &Path) -> Array2<f32> {
    read_gray(path, &ReadLimits::default()).unwrap().0
}

/// The nuclear channel of the crops that come with the tests, sorted by name.
fn fixtures() -> Vec<Array2<f32>> {
    let folder = room().join("../../tests/fixtures/bbbc013_crops/plate");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("Channel2"))
        .collect();
    files.sort();
    files.iter().map(|path| read(path)).collect()
}

/// Fluorescence images of folds 1 to 4 of dsb2018, evenly over the list.
fn dsb2018(n: usize) -> Vec<Array2<f32>> {
    let Some(data) = std::env::var_os("PHENOSURE_DATA").map(PathBuf::from) else {
        eprintln!("skipped: PHENOSURE_DATA is not set");
        return Vec::new();
    };
    let text = std::fs::read_to_string(data.join("splits/dsb2018.csv")).unwrap();
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<String> = table
        .records()
        .map(Result::unwrap)
        .filter(|row| &row[2] == "fluorescence" && &row[3] != "0")
        .map(|row| row[0].to_owned())
        .collect();
    names
        .iter()
        .step_by(names.len() / n)
        .take(n)
        .map(|name| read(&data.join("dsb2018/images").join(format!("{name}.png"))))
        .collect()
}

/// Images for the comparison: few, or many where a full check is asked for.
fn images() -> Vec<Array2<f32>> {
    let mut images = fixtures();
    images.truncate(4);
    let full = std::env::var_os("PHENOSURE_FULL").is_some();
    images.extend(dsb2018(if full { 50 } else { 6 }));
    images
}

fn largest_difference<'a>(a: impl IntoIterator<Item = &'a f32>, b: impl IntoIterator<Item = &'a f32>) -> f32 {
    a.into_iter()
        .zip(b)
        .fold(0.0, |largest, (a, b)| largest.max((a - b).abs()))
}

fn labels(samples: &MapSamples) -> Array2<u32> {
    let mean = |maps: &Array4<f32>| maps.mean_axis(Axis(0)).unwrap().mean_axis(Axis(0)).unwrap();
    let (foreground, touch) = (mean(&samples.foreground), mean(&samples.touch));
    decode_touch(foreground.view(), touch.view(), &DecodeParams::default()).map
}

#[test]
fn maps_and_label_images_are_the_same_by_every_method() {
    let nuclei = bundle("nuclei");
    let [plan, others @ ..] = [Method::Plan, Method::DirectPlan, Method::Candle]
        .map(|method| Segmenter::with_method(&nuclei, &DeviceChoice::Cpu, method).unwrap());
    let (mut pixels, mut objects, mut differing, mut largest) = (0, 0, [0; 2], [0.0f32; 2]);
    for image in images() {
        let normalized = normalize_nuclear(image.view()).pixels;
        let samples = plan.predict(normalized.view(), None, plan.draws()).unwrap();
        let found = labels(&samples);
        pixels += found.len();
        objects += found.iter().copied().max().unwrap_or(0);
        for (other, (differing, largest)) in others.iter().zip(differing.iter_mut().zip(&mut largest)) {
            let second = other.predict(normalized.view(), None, plan.draws()).unwrap();
            *largest = largest
                .max(largest_difference(&samples.foreground, &second.foreground))
                .max(largest_difference(&samples.touch, &second.touch));
            *differing += found.iter().zip(&labels(&second)).filter(|(a, b)| a != b).count();
        }
    }
    eprintln!(
        "{pixels} pixels, {objects} objects; against direct plans and candle: largest difference of a probability \
         {largest:?}, label pixels that differ {differing:?}"
    );
    assert!(objects > 50);
    assert!(largest.iter().all(|&difference| difference <= 1e-4));
    // A pixel whose two best labels are as good as equal may go either way.
    assert!(differing.iter().all(|&n| n * 100_000 <= pixels));
}

#[test]
fn a_tiled_image_is_the_whole_image() {
    // Four by four crops side by side, cut so that no side is a multiple of anything.
    let crops: Vec<Array2<f32>> = fixtures();
    let rows: Vec<Array2<f32>> = (0..4)
        .map(|row| {
            let of_row: Vec<_> = (0..4)
                .map(|n| crops[(4 * row + n) % crops.len()].view())
                .collect();
            concatenate(Axis(1), &of_row).unwrap()
        })
        .collect();
    let rows: Vec<_> = rows.iter().map(Array2::view).collect();
    let (high, wide) = (761, 739);
    let joined = concatenate(Axis(0), &rows).unwrap();
    let normalized = normalize_nuclear(joined.slice(s![..high, ..wide])).pixels;
    let nuclei = bundle("nuclei");
    for method in [Method::Plan, Method::DirectPlan] {
        let whole = Segmenter::with_method(&nuclei, &DeviceChoice::Cpu, method).unwrap();
        let bytes = whole.working_set(high, wide).unwrap();
        let tiled = Segmenter::with_method(&nuclei, &DeviceChoice::Cpu, method)
            .unwrap()
            .with_budget(bytes * 3 / 4);
        assert!(tiled.working_set(high, wide).unwrap() <= bytes * 3 / 4);
        let expected = whole.predict(normalized.view(), Some(&[0, 2]), 2).unwrap();
        let found = tiled.predict(normalized.view(), Some(&[0, 2]), 2).unwrap();
        assert!(expected == found, "{method:?}");
    }
}

#[test]
fn a_very_large_image_stays_within_the_budget() {
    let segmenter = Segmenter::new(&bundle("nuclei"), &DeviceChoice::Cpu).unwrap();
    let bytes = segmenter.working_set(10_000, 10_000).unwrap();
    assert!(bytes <= Segmenter::BUDGET, "{bytes} bytes");
    // The budget is used, not undercut by far.
    assert!(bytes > Segmenter::BUDGET / 4, "{bytes} bytes");
}

#[test]
fn classes_are_the_same_by_every_method() {
    let mitosis = bundle("mitosis");
    let [plan, others @ ..] = [Method::Plan, Method::DirectPlan, Method::Candle]
        .map(|method| Classifier::with_method(&mitosis, &DeviceChoice::Cpu, method).unwrap());
    let segmenter = Segmenter::new(&bundle("nuclei"), &DeviceChoice::Cpu).unwrap();
    for image in fixtures().iter().take(2) {
        let maps = segmenter
            .predict(normalize_nuclear(image.view()).pixels.view(), Some(&[0]), 0)
            .unwrap();
        let found = labels(&maps);
        let mut centers = vec![(0.0f32, 0.0f32, 0.0f32); found.iter().copied().max().unwrap_or(0) as usize];
        for ((row, column), &label) in found.indexed_iter().filter(|(_, label)| **label > 0) {
            let center = &mut centers[label as usize - 1];
            *center = (center.0 + row as f32, center.1 + column as f32, center.2 + 1.0);
        }
        let mut crops = Array3::zeros((centers.len(), model::CROP_PX, model::CROP_PX));
        for (mut crop, (row, column, n)) in crops.outer_iter_mut().zip(centers) {
            crop.assign(&crop_at(image.view(), (row / n, column / n), model::CROP_PX, 1.0));
        }
        assert!(crops.len_of(Axis(0)) >= 5);
        for draws in [0, 3] {
            let samples = plan.predict(crops.view(), None, draws).unwrap();
            assert_eq!(samples.probability.len_of(Axis(1)), SYMMETRIES * draws.max(1));
            for other in &others {
                let second = other.predict(crops.view(), None, draws).unwrap();
                assert!(largest_difference(&samples.probability, &second.probability) <= 1e-4);
                for (a, b) in [
                    (samples.energy.view().into_dyn(), second.energy.view().into_dyn()),
                    (
                        samples.embedding.view().into_dyn(),
                        second.embedding.view().into_dyn(),
                    ),
                ] {
                    let scale = a.fold(0.0f32, |largest, value| largest.max(value.abs()));
                    assert!(largest_difference(&a, &b) <= 1e-4 * scale);
                }
            }
        }
    }
}
