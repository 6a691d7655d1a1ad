//! A bundle comes back as it was written; every damaged one is refused with the part's name.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::{
    Array, Bundle, BundleParts, ClassificationNetwork, ClassificationRecipe, ClassificationReference,
    ClassificationSample, ClassificationTrust, Classifier, CropNormalization, DeviceChoice, Manifest,
    ModelError, Network, Segmenter, Task, Trust, Verdict, Weights, train_classifier,
};
use ndarray::{Array2, Array3};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/badinput")
}

/// Two kinds of crops that differ in size: enough to train a few steps.
fn samples() -> Vec<ClassificationSample> {
    (0..12)
        .map(|index| {
            let radius = if index % 2 == 0 { 8.0 } else { 20.0 };
            let crop = Array2::from_shape_fn((64, 64), |(r, c)| {
                let distance = ((r as f32 - 31.5).powi(2) + (c as f32 - 31.5).powi(2)).sqrt();
                if distance < radius {
                    100.0 + index as f32
                } else {
                    3.0
                }
            });
            ClassificationSample {
                crop,
                label: index % 2,
            }
        })
        .collect()
}

fn train(epochs: usize, resume: Option<&[u8]>, stop_at: usize) -> (Result<Weights, ModelError>, Vec<u8>) {
    let (samples, network) = (
        samples(),
        ClassificationNetwork {
            widths: [16; 4],
            classes: 2,
            dropout: 0.2,
        },
    );
    let all: Vec<&ClassificationSample> = samples.iter().collect();
    let recipe = ClassificationRecipe {
        epochs,
        batch: 4,
        ..ClassificationRecipe::default()
    };
    let mut checkpoint = Vec::new();
    let result = train_classifier(
        &all,
        &network,
        &recipe,
        5,
        (None, resume),
        DeviceChoice::Cpu,
        &mut |step| {
            if step.step == stop_at {
                checkpoint = step.checkpoint().expect("a step has a checkpoint");
                return Verdict::Stop;
            }
            Verdict::Continue
        },
    );
    (result, checkpoint)
}

fn bundle(weights: &Weights) -> BundleParts {
    let manifest = Manifest {
        format: 0,
        task: Task::Classify,
        name: "small".to_owned(),
        network: Network::Classification(ClassificationNetwork {
            widths: [16; 4],
            classes: 2,
            dropout: 0.2,
        }),
        members: 0,
        draws: 2,
        seed: 9,
        member_seeds: vec![5],
        member_folds: vec![1],
        classes: vec!["small".to_owned(), "large".to_owned()],
        channels: vec!["nucleus".to_owned()],
        pixel_size_um: None,
        crop_diameter_px: Some(20.0),
        crop_normalization: Some(CropNormalization::CentralMaximum),
        groups: vec!["a".to_owned()],
        data: Vec::new(),
        licence: "CC0".to_owned(),
        held_out: BTreeMap::new(),
        parts: BTreeMap::new(),
    };
    let reference = ClassificationReference {
        log_probability: Array2::from_shape_vec((2, 2), vec![-0.1, -2.3, -1.2, -0.4]).expect("2 × 2 values"),
        label: vec![0, 1],
        group: vec![0, 0],
        fold: vec![1, 2],
        energy: vec![-3.0, -2.0],
    };
    let trust = Trust::Classification(ClassificationTrust {
        temperature: 1.25,
        reference,
    });
    Bundle::write(manifest, std::slice::from_ref(weights), &trust).expect("a bundle can be written")
}

#[test]
fn training_learns_repeats_itself_and_resumes_to_the_same_weights() {
    let (whole, _) = train(8, None, usize::MAX);
    let whole = whole.unwrap();
    assert_eq!(whole, train(8, None, usize::MAX).0.unwrap());
    let (stopped, checkpoint) = train(8, None, 11);
    assert!(matches!(stopped, Err(ModelError::Stopped { step: 11 })));
    assert_eq!(whole, train(8, Some(&checkpoint), usize::MAX).0.unwrap());
    // A checkpoint of another length of training is another training.
    assert!(matches!(
        train(9, Some(&checkpoint), usize::MAX).0,
        Err(ModelError::Checkpoint { .. })
    ));
    let network = ClassificationNetwork {
        widths: [16; 4],
        classes: 2,
        dropout: 0.2,
    };
    let classifier = Classifier::from_weights(network, &[whole], 0, &DeviceChoice::Cpu).unwrap();
    let samples = samples();
    let mut crops = Array3::zeros((samples.len(), 64, 64));
    for (mut to, sample) in crops.outer_iter_mut().zip(&samples) {
        to.assign(&sample.crop);
    }
    let out = classifier.predict(crops.view(), None, 0).unwrap();
    let right = samples
        .iter()
        .enumerate()
        .filter(|(i, sample)| out.probability[[0, 0, *i, sample.label]] > 0.5)
        .count();
    assert!(right >= 10, "{right} of 12 after 24 steps");
}

#[test]
fn samples_do_not_depend_on_the_other_crops_of_the_call() {
    let (weights, _) = train(2, None, usize::MAX);
    let network = ClassificationNetwork {
        widths: [16; 4],
        classes: 2,
        dropout: 0.2,
    };
    let classifier = Classifier::from_weights(network, &[weights.unwrap()], 7, &DeviceChoice::Cpu).unwrap();
    let samples = samples();
    let mut crops = Array3::zeros((samples.len(), 64, 64));
    for (mut to, sample) in crops.outer_iter_mut().zip(&samples) {
        to.assign(&sample.crop);
    }
    let all = classifier.predict(crops.view(), None, 3).unwrap();
    let one = classifier
        .predict(crops.slice(ndarray::s![4..5, .., ..]), None, 3)
        .unwrap();
    assert_eq!(all.probability.dim(), (1, 24, 12, 2));
    assert_eq!(
        all.probability.slice(ndarray::s![.., .., 4, ..]),
        one.probability.slice(ndarray::s![.., .., 0, ..])
    );
    // Draws differ, and rows are distributions.
    assert_ne!(
        all.probability.slice(ndarray::s![0, 0, .., ..]),
        all.probability.slice(ndarray::s![0, 8, .., ..])
    );
    assert!(
        all.probability
            .sum_axis(ndarray::Axis(3))
            .iter()
            .all(|sum| (sum - 1.0).abs() < 1e-5)
    );
}

#[test]
fn comes_back_as_written_and_a_changed_byte_is_refused() {
    let weights = train(1, None, usize::MAX).0.unwrap().rounded();
    let parts = bundle(&weights);
    let read = Bundle::from_parts("small", &parts.manifest, &parts.weights, &parts.trust).unwrap();
    assert_eq!(read.weights, [weights]);
    let Trust::Classification(trust) = &read.trust else {
        unreachable!("a classifier")
    };
    assert_eq!(
        (trust.temperature, trust.reference.label.as_slice()),
        (1.25, &[0, 1][..])
    );
    assert!(matches!(
        Segmenter::new(&read, &DeviceChoice::Cpu),
        Err(ModelError::WrongTask { .. })
    ));
    for at in [0, parts.weights.len() / 2, parts.weights.len() - 1] {
        let mut changed = parts.weights.clone();
        changed[at] ^= 1;
        let error = Bundle::from_parts("small", &parts.manifest, &changed, &parts.trust)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("weights.safetensors") && error.contains("damaged or changed"),
            "{error}"
        );
    }
    let mut changed = parts.trust.clone();
    *changed.last_mut().unwrap() ^= 1;
    let error = Bundle::from_parts("small", &parts.manifest, &parts.weights, &changed)
        .unwrap_err()
        .to_string();
    assert!(error.contains("trust.safetensors"), "{error}");
}

#[test]
fn a_nan_in_the_weights_is_named() {
    let mut weights = train(1, None, usize::MAX).0.unwrap();
    let bias = weights.get("classes.bias").unwrap().clone();
    weights.insert(
        "classes.bias",
        Array {
            values: vec![f32::NAN; bias.values.len()],
            ..bias
        },
    );
    let parts = bundle(&weights);
    let error = Bundle::from_parts("small", &parts.manifest, &parts.weights, &parts.trust)
        .unwrap_err()
        .to_string();
    assert!(error.contains("classes.bias") && error.contains("NaN"), "{error}");
}

#[test]
fn bad_bundles_of_the_manifest_are_refused() {
    let mut manifest = csv::Reader::from_path(fixtures().join("manifest.csv")).unwrap();
    let mut walked = 0;
    for row in manifest
        .records()
        .map(Result::unwrap)
        .filter(|row| row[0].starts_with("bundle/"))
    {
        let (file, expected, named) = (&row[0], &row[2], &row[3]);
        let path = fixtures().join(file);
        let bytes = std::fs::read(&path).unwrap();
        let (manifest, weights) = if file.ends_with(".json") {
            (
                bytes,
                std::fs::read(fixtures().join("bundle/control.safetensors")).unwrap(),
            )
        } else {
            let digest: String = {
                use sha2::Digest;
                sha2::Sha256::digest(&bytes)
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect()
            };
            let part = format!("{{\"sha256\": \"{digest}\", \"size\": {}}}", bytes.len());
            let json = format!(
                "{{\"format\": 1, \"task\": \"segment\", \"parts\": {{\"weights.safetensors\": {part}}}}}"
            );
            (json.into_bytes(), bytes)
        };
        let error = Bundle::from_parts("bad", &manifest, &weights, b"")
            .unwrap_err()
            .to_string();
        walked += 1;
        if expected == "ok" {
            // The control's weights are fine; what it lacks is the rest of a bundle.
            assert!(error.contains("trust.safetensors"), "{file}: {error}");
            continue;
        }
        assert!(
            !named.is_empty() && error.contains(named),
            "{file}: {error} should name {named}"
        );
    }
    assert!(walked >= 20, "{walked} rows");
}
