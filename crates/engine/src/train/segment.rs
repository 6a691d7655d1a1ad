//! Training of a segmentation bundle.

use std::collections::BTreeMap;

use image::{Affine, DecodeParams, Labels, ReadLimits, normalize_nuclear, read_gray, read_labels};
use model::{
    Manifest, Network, SegmentationNetwork, SegmentationRecipe, SegmentationSample, SegmentationTrust,
    SegmentationVersion, Segmenter, Task, Trust, Weights, train_segmenter,
};
use ndarray::{Array2, Array3, Array4, ArrayView2};
use rayon::prelude::*;

use super::ensemble::{MemberPlan, train_members};
use super::folds::FOLDS;
use super::labelled_images::{LabelledImage, read_images};
use super::{TrainOutcome, TrainParams, ensemble};
use crate::{Context, EngineError};

/// Members of a segmentation bundle.
const MEMBERS: usize = 3;
/// Dropout draws of a bundle.
const DRAWS: usize = 2;
/// IoU with the true object that P50, P70 and P90 speak of.
const IOU_THRESHOLDS: [f32; 3] = [0.5, 0.7, 0.9];
/// Scales of the second and third stored version are log-uniform from here to 1 and from 1 to here.
const SMALLEST_SCALE: f64 = 0.65;
const LARGEST_SCALE: f64 = 1.5;

/// Trains an ensemble on images with label images and writes it as a bundle.
///
/// Member k never sees fold 1 + (k mod 4), none sees fold 0; the maps from an object's own measures to P(IoU ≥ t) are
/// fitted on the objects of held-out folds.
///
/// Errors: data that cannot be read or is too little, an output that cannot be written, a stop by the caller.
pub fn train_segment(params: &TrainParams, context: &Context) -> Result<TrainOutcome, EngineError> {
    let images: Vec<LabelledImage> = read_images(&params.data, params.splits.as_deref())?
        .into_iter()
        .filter(|image| FOLDS.contains(&image.fold))
        .collect();
    let name = params.bundle_name();
    context.progress.begin("reading images", images.len() as u64);
    let samples: Vec<SegmentationSample> = images
        .par_iter()
        .enumerate()
        .map(|(index, image)| {
            let sample = to_sample(image, index, params.seed);
            context.progress.advance(1);
            sample
        })
        .collect::<Result<_, _>>()?;
    context.progress.end();
    let network = SegmentationNetwork::default();
    let mut recipe = SegmentationRecipe::default();
    if let Some(steps) = params.length {
        recipe.steps = steps;
    }
    let plans = ensemble::plans(params.members.unwrap_or(MEMBERS), params.seed);
    let from = params.start_weights(&Network::Segmentation(network.clone()))?;
    let device = params.device.into();
    params.isa.pin()?;
    let work = params.work_folder()?;
    let steps = recipe.steps as u64;
    let members = train_members(
        &plans,
        &work,
        params.thread_count(),
        steps,
        context,
        &|plan, resume, listener| {
            let training: Vec<&SegmentationSample> = images
                .iter()
                .zip(&samples)
                .filter(|(image, _)| image.fold != plan.held_out)
                .map(|(_, sample)| sample)
                .collect();
            let start = from.as_ref().map(|from| &from[plan.index % from.len()]);
            train_segmenter(
                &training,
                &network,
                &recipe,
                plan.seed,
                (start, resume),
                device,
                listener,
            )
        },
    )?;
    let members: Vec<Weights> = members.iter().map(Weights::rounded).collect();
    drop(samples);
    let (trust, held_out) = calibrate(&images, &network, &plans, &members, params, context)?;
    let manifest = Manifest {
        draws: DRAWS,
        held_out: held_out.clone(),
        ..params.manifest(Task::Segment, Network::Segmentation(network), &plans)
    };
    params.write_bundle(manifest, &members, &Trust::Segmentation(trust))?;
    Ok(TrainOutcome {
        name,
        members: members.len(),
        samples: images.len(),
        held_out,
    })
}

fn unreadable(path: &std::path::Path, error: &image::ImageError) -> EngineError {
    EngineError::Unusable {
        path: path.to_owned(),
        what: error.to_string(),
        remedy: "replace the file or remove the pair".to_owned(),
    }
}

/// Pixels and label image of a pair.
pub(crate) fn read_pair(pair: &LabelledImage) -> Result<(Array2<f32>, Labels), EngineError> {
    let limits = ReadLimits::default();
    let (pixels, _) = read_gray(&pair.image, &limits).map_err(|error| unreadable(&pair.image, &error))?;
    let labels = read_labels(&pair.labels, &limits).map_err(|error| unreadable(&pair.labels, &error))?;
    if labels.shape() != pixels.dim() {
        return Err(EngineError::Unusable {
            path: pair.labels.clone(),
            what: format!("{:?} px, its image has {:?} px", labels.shape(), pixels.dim()),
            remedy: "draw the labels on the image itself".to_owned(),
        });
    }
    Ok((pixels, labels))
}

fn to_sample(pair: &LabelledImage, index: usize, seed: u64) -> Result<SegmentationSample, EngineError> {
    let (pixels, labels) = read_pair(pair)?;
    let pixels = normalize_nuclear(pixels.view()).pixels;
    let mut random = uncertainty::stream(seed, &format!("scales of training image {index}"));
    let mut between =
        |low: f64, high: f64| (low.ln() + (high / low).ln() * uncertainty::uniform(&mut random)).exp();
    let (small, large) = (between(SMALLEST_SCALE, 1.0), between(1.0, LARGEST_SCALE));
    let versions = [1.0, small as f32, large as f32]
        .into_iter()
        .map(|scale| {
            if (scale - 1.0).abs() < 1e-3 {
                return version(pixels.clone(), &labels);
            }
            let size = |n: usize| ((n as f32 * scale).round() as usize).max(1);
            let out = (size(pixels.nrows()), size(pixels.ncols()));
            let step = 1.0 / scale;
            // Pixel centres: (out + 0.5) / scale - 0.5.
            let affine = Affine {
                matrix: [[step, 0.0], [0.0, step]],
                offset: [0.5 * step - 0.5; 2],
            };
            let map = image::resample_nearest(labels.map.view(), &affine, out);
            version(
                image::resample(pixels.view(), &affine, out),
                &Labels::relabel(map),
            )
        })
        .collect();
    Ok(SegmentationSample {
        modality: pair.modality,
        versions,
    })
}

fn version(pixels: Array2<f32>, labels: &Labels) -> SegmentationVersion {
    let targets = image::segmentation_targets(labels);
    let (maps, rows, columns) = targets.dim();
    let bytes = Array3::from_shape_fn((rows, columns, maps), |(r, c, m)| {
        (targets[[m, r, c]] * 255.0).round() as u8
    });
    SegmentationVersion {
        pixels,
        targets: bytes,
    }
}

/// One image's objects with what is measured of their outlines.
pub(crate) struct PredictedObjects {
    pub(crate) labels: Labels,
    pub(crate) p_iou_measures: Vec<[f64; 4]>,
}

/// Pools the samples of `members` and decodes them.
pub(crate) fn predict_objects(
    segmenter: &Segmenter,
    pixels: ArrayView2<f32>,
    members: Option<&[usize]>,
    draws: usize,
) -> Result<PredictedObjects, model::ModelError> {
    let normalized = normalize_nuclear(pixels);
    let samples = segmenter.predict(normalized.pixels.view(), members, draws)?;
    let (foreground, touch) = (
        mean_of_samples(&samples.foreground),
        mean_of_samples(&samples.touch),
    );
    let labels = image::decode_touch(foreground.view(), touch.view(), &DecodeParams::default());
    let p_iou_measures = p_iou_measures(&labels, foreground.view());
    Ok(PredictedObjects {
        labels,
        p_iou_measures,
    })
}

/// Mean over members and draws (linear pool): rows × columns.
pub(crate) fn mean_of_samples(samples: &Array4<f32>) -> Array2<f32> {
    let (members, draws, rows, columns) = samples.dim();
    let mut mean = Array2::zeros((rows, columns));
    for map in samples
        .outer_iter()
        .flat_map(|member| member.outer_iter().map(|map| map.to_owned()).collect::<Vec<_>>())
    {
        mean += &map;
    }
    mean / (members * draws).max(1) as f32
}

/// What P(IoU ≥ t) is judged by, an object each: 1, logit of the mean foreground inside, border entropy, ln area.
pub(crate) fn p_iou_measures(labels: &Labels, foreground: ArrayView2<f32>) -> Vec<[f64; 4]> {
    let inside = image::mean_inside(labels, foreground);
    let border = image::border_entropy(labels, foreground);
    inside
        .iter()
        .zip(border)
        .zip(labels.areas())
        .map(|((inside, border), area)| {
            let p = f64::from(*inside).clamp(1e-4, 1.0 - 1e-4);
            [
                1.0,
                (p / (1.0 - p)).ln(),
                f64::from(border),
                f64::from(area.max(1)).ln(),
            ]
        })
        .collect()
}

/// Fits P(IoU ≥ t) on held-out objects and notes the held-out average precision.
fn calibrate(
    images: &[LabelledImage],
    network: &SegmentationNetwork,
    plans: &[MemberPlan],
    members: &[Weights],
    params: &TrainParams,
    context: &Context,
) -> Result<(SegmentationTrust, BTreeMap<String, f64>), EngineError> {
    let failed = |what: String| EngineError::Network {
        name: params.bundle_name(),
        what,
    };
    let segmenter = Segmenter::from_weights(network.clone(), members, params.seed, &params.device.into())
        .map_err(|error| failed(error.to_string()))?;
    let mut judged: Vec<([f64; 4], f32)> = Vec::new();
    let mut sums: BTreeMap<String, ([f64; 3], usize)> = BTreeMap::new();
    let work: Vec<(&LabelledImage, usize)> = images
        .iter()
        .filter_map(|image| {
            let blind = plans.iter().find(|plan| plan.held_out == image.fold)?;
            Some((image, blind.index))
        })
        .collect();
    context.progress.begin("held-out images", work.len() as u64);
    let scored: Vec<_> = work
        .par_iter()
        .map(|(image, member)| -> Result<_, EngineError> {
            let (pixels, truth) = read_pair(image)?;
            let found = predict_objects(&segmenter, pixels.view(), Some(&[*member]), 0)
                .map_err(|error| failed(error.to_string()))?;
            let mut best = vec![0.0f32; found.labels.n as usize];
            for (object, _, iou) in image::match_iou(&found.labels, &truth) {
                let place = &mut best[object as usize - 1];
                *place = place.max(iou);
            }
            context.progress.advance(1);
            Ok((
                found.p_iou_measures,
                best,
                image::average_precision(&truth, &found.labels, &IOU_THRESHOLDS),
            ))
        })
        .collect::<Result<_, _>>()?;
    context.progress.end();
    for ((image, _), (measures, best, counts)) in work.iter().zip(scored) {
        judged.extend(measures.into_iter().zip(best));
        let by_fold = format!("fold{}_{}", image.fold, image.kind);
        let entry = sums.entry(by_fold).or_default();
        for (sum, count) in entry.0.iter_mut().zip(&counts) {
            *sum += count.average_precision();
        }
        entry.1 += 1;
    }
    let mut held_out = BTreeMap::new();
    for (name, (sum, n)) in sums {
        for (threshold, sum) in IOU_THRESHOLDS.iter().zip(sum) {
            let value = (sum / n as f64 * 1e4).round() / 1e4;
            held_out.insert(format!("{name}_ap{:.0}", threshold * 100.0), value);
        }
        held_out.insert(format!("{name}_images"), n as f64);
    }
    held_out.insert("held_out_objects".to_owned(), judged.len() as f64);
    let rows = Array2::from_shape_fn((judged.len(), 4), |(row, column)| judged[row].0[column]);
    let mut p_iou = Vec::new();
    for threshold in IOU_THRESHOLDS {
        let right: Vec<bool> = judged.iter().map(|(_, iou)| *iou >= threshold).collect();
        if let Some(coefficients) = uncertainty::logistic_regression(rows.view(), &right) {
            p_iou.push((threshold, coefficients));
        }
    }
    Ok((SegmentationTrust { p_iou }, held_out))
}
