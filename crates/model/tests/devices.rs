//! Networks give the same on a GPU as on the processor: forward, and through twenty steps of training. Without a GPU the
//! test says so and skips.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;

use model::{
    Bundle, ClassificationNetwork, ClassificationRecipe, ClassificationSample, Classifier, DeviceChoice,
    Modality, SegmentationNetwork, SegmentationRecipe, SegmentationSample, SegmentationVersion, Segmenter,
    Step, Verdict, train_classifier, train_segmenter,
};
use ndarray::{Array2, Array3, Axis, stack};

/// Largest difference of a probability.
const TOLERANCE: f32 = 1e-3;
/// Steps of the trainings.
const STEPS: usize = 20;
const GPU: DeviceChoice = DeviceChoice::Cuda(0);

fn bundle(name: &str) -> Bundle {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../engine/bundles")
        .join(name);
    Bundle::load(&folder).unwrap()
}

/// Whether the first GPU is there. With PHENOSURE_CUDA=required its absence is a failure, so that a check on a GPU machine
/// cannot skip itself.
fn has_gpu() -> bool {
    let Err(error) = Segmenter::new(&bundle("nuclei"), &GPU).map(|_| ()) else {
        return true;
    };
    let required = std::env::var("PHENOSURE_CUDA").is_ok_and(|value| value == "required");
    assert!(!required, "a CUDA device is required: {error}");
    eprintln!("skipped: no CUDA device ({error})");
    false
}

/// Bright discs of several sizes on dark ground; how large each is tells its class.
fn discs(size: usize, count: usize) -> Array2<f32> {
    let spacing = size as f32 / count as f32;
    Array2::from_shape_fn((size, size), |(row, column)| {
        let (row, column) = (row as f32, column as f32);
        let (i, j) = ((row / spacing).floor(), (column / spacing).floor());
        let radius = spacing * (0.2 + 0.06 * ((i + 2.0 * j) % 4.0));
        let distance = (row - (i + 0.5) * spacing).hypot(column - (j + 0.5) * spacing);
        // A soft edge, and a slope over the image, so that no two pixels of the ground are equal.
        (radius - distance).clamp(-1.0, 1.0) + 0.001 * (row + column) / size as f32
    })
}

fn largest<'a>(a: impl IntoIterator<Item = &'a f32>, b: impl IntoIterator<Item = &'a f32>) -> f32 {
    let pairs = a.into_iter().zip(b);
    pairs.fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

#[test]
fn shipped_networks_agree() {
    if !has_gpu() {
        return;
    }
    let (nuclei, mitosis) = (bundle("nuclei"), bundle("mitosis"));
    let image = discs(200, 6);
    let [cpu, gpu] = [DeviceChoice::Cpu, GPU].map(|device| {
        let segmenter = Segmenter::new(&nuclei, &device).unwrap();
        segmenter.predict(image.view(), None, 2).unwrap()
    });
    for (map, a, b) in [
        ("foreground", &cpu.foreground, &gpu.foreground),
        ("touch", &cpu.touch, &gpu.touch),
    ] {
        let difference = largest(a, b);
        assert!(difference <= TOLERANCE, "{map}: {difference:e}");
    }
    let crops: Vec<Array2<f32>> = (1..4).map(|count| 100.0 * discs(64, count)).collect();
    let views: Vec<_> = crops.iter().map(Array2::view).collect();
    let crops = stack(Axis(0), &views).unwrap();
    let [cpu, gpu] = [DeviceChoice::Cpu, GPU].map(|device| {
        let classifier = Classifier::new(&mitosis, &device).unwrap();
        classifier.predict(crops.view(), None, 2).unwrap()
    });
    let difference = largest(&cpu.probability, &gpu.probability);
    assert!(difference <= TOLERANCE, "classes: {difference:e}");
}

/// Losses that a training tells, step by step.
fn losses(train: impl FnOnce(&mut dyn FnMut(&Step) -> Verdict)) -> Vec<f32> {
    let mut told = Vec::new();
    train(&mut |step| {
        told.push(step.loss);
        Verdict::Continue
    });
    told
}

/// Equal at the start, close at the end: differences of rounding grow with the steps.
fn assert_alike(name: &str, cpu: &[f32], gpu: &[f32]) {
    assert_eq!((cpu.len(), gpu.len()), (STEPS, STEPS), "{name}");
    let relative = |step: usize| (cpu[step] - gpu[step]).abs() / cpu[step].abs();
    assert!(
        relative(0) < 1e-4,
        "{name}: first loss {} against {}",
        cpu[0],
        gpu[0]
    );
    let last = STEPS - 1;
    assert!(
        relative(last) < 2e-2,
        "{name}: last loss {} against {}",
        cpu[last],
        gpu[last]
    );
    assert!(gpu[last] < gpu[0], "{name}: the loss does not fall: {gpu:?}");
}

#[test]
fn trainings_of_the_segmentation_network_agree() {
    if !has_gpu() {
        return;
    }
    let pixels = discs(160, 5);
    let targets = Array3::from_shape_fn((160, 160, 4), |(row, column, map)| {
        let inside = pixels[[row, column]] > 0.0;
        if map == 0 && inside { 255 } else { 0 }
    });
    let sample = SegmentationSample {
        modality: Modality::Fluorescence,
        versions: vec![SegmentationVersion { pixels, targets }],
    };
    let recipe = SegmentationRecipe {
        steps: STEPS,
        batch: 4,
        ..SegmentationRecipe::default()
    };
    let [cpu, gpu] = [DeviceChoice::Cpu, GPU].map(|device| {
        losses(|listener| {
            let network = SegmentationNetwork::default();
            train_segmenter(&[&sample], &network, &recipe, 3, (None, None), device, listener).unwrap();
        })
    });
    assert_alike("segmentation", &cpu, &gpu);
}

#[test]
fn trainings_of_the_classification_network_agree() {
    if !has_gpu() {
        return;
    }
    let samples: Vec<ClassificationSample> = (0..32)
        .map(|index| ClassificationSample {
            crop: (100.0 + index as f32) * discs(64, 1 + index % 2),
            label: index % 2,
        })
        .collect();
    let all: Vec<&ClassificationSample> = samples.iter().collect();
    let recipe = ClassificationRecipe {
        epochs: STEPS,
        batch: samples.len(),
        ..ClassificationRecipe::default()
    };
    let [cpu, gpu] = [DeviceChoice::Cpu, GPU].map(|device| {
        losses(|listener| {
            let network = ClassificationNetwork::new(2);
            train_classifier(&all, &network, &recipe, 3, (None, None), device, listener).unwrap();
        })
    });
    assert_alike("classification", &cpu, &gpu);
}
