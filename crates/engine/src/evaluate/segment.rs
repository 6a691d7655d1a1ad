//! How well a bundle outlines nuclei on images that it never saw.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{Estimate, EvaluateParams, check_fold, estimate, number_groups};
use crate::files::{make_folder, write_whole};
use crate::screen::networks::Networks;
use crate::train::{LabelledImage, read_images, read_pair};
use crate::{Context, EngineError};

/// IoU thresholds.
const THRESHOLDS: [f32; 3] = [0.5, 0.7, 0.9];
/// Bins of the calibration error of P50, P70, P90.
const BINS: usize = 15;
/// Rounds of the chance band of the calibration error.
const NULL_ROUNDS: usize = 200;

/// Average precision of one kind of image.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ApFigures {
    /// Kind of image, or `all`.
    pub kind: String,
    /// Images.
    pub images: usize,
    /// True objects.
    pub objects: u64,
    /// Predicted objects.
    pub predicted: u64,
    /// Mean over images of TP / (TP + FP + FN) at IoU 0.5, 0.7, 0.9.
    pub mean_ap: [Estimate; 3],
    /// The same of counts summed over images.
    pub pooled_ap: [f64; 3],
}

/// Calibration of P(IoU ≥ t) on held-out objects.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct OutlineCalibration {
    /// t.
    pub iou: f32,
    /// Objects.
    pub n: usize,
    /// Mean probability.
    pub mean_probability: f64,
    /// Share of objects whose IoU is at least t.
    pub share: f64,
    /// Mean probability minus share, with its interval over groups of images.
    pub probability_minus_share: Estimate,
    /// Calibration error, equal-mass bins.
    pub ece: Option<f64>,
    /// What chance alone gives at this n: 5 %, 50 %, 95 %.
    pub ece_chance: Option<[f64; 3]>,
    /// AUROC of the probability for right against wrong.
    pub auroc: Option<f64>,
}

/// Everything that `evaluate segment` says.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct SegmentReport {
    /// Bundle.
    pub bundle: String,
    /// Figures by kind of image, then of all.
    pub kinds: Vec<ApFigures>,
    /// Calibration of the outlines' confidence, all images.
    pub outlines: Vec<OutlineCalibration>,
}

struct Scored {
    counts: Vec<image::ApCounts>,
    probability: Option<[Vec<f32>; 3]>,
    best_iou: Vec<f32>,
    labels: image::Labels,
}

/// Evaluates a segmentation bundle on held-out images.
///
/// Errors: data or bundle that cannot be used, a fold that the bundle was trained on.
pub fn evaluate_segment(params: &EvaluateParams, context: &Context) -> Result<SegmentReport, EngineError> {
    let bundle = crate::bundles::find(&params.bundle)?;
    check_fold(params, &bundle)?;
    let mut images = read_images(&params.data, params.splits.as_deref())?;
    if params.splits.is_some() {
        images.retain(|image| image.fold == params.fold);
    }
    let networks = Networks::of_bundles(Some(&bundle), None, &params.networks)?;
    context.progress.begin("segmenting", images.len() as u64);
    let scored: Vec<Scored> = images
        .par_iter()
        .map(|pair| {
            let scored = score(pair, &networks);
            context.progress.advance(1);
            scored
        })
        .collect::<Result<_, _>>()?;
    context.progress.end();
    if let Some(out) = &params.out {
        make_folder(out)?;
        for (pair, scored) in images.iter().zip(&scored) {
            write_whole(
                &out.join(format!("{}.png", pair.name)),
                &png_16_bit(&scored.labels)?,
            )?;
        }
    }
    Ok(SegmentReport {
        bundle: bundle.manifest.name.clone(),
        kinds: by_kind(&images, &scored, params.seed),
        outlines: outlines(&images, &scored, params.seed),
    })
}

fn score(pair: &LabelledImage, networks: &Networks) -> Result<Scored, EngineError> {
    let (pixels, truth) = read_pair(pair)?;
    let normalized = image::normalize_nuclear(pixels.view());
    let found = networks.segment(normalized.pixels.view(), None)?;
    let mut best_iou = vec![0.0f32; found.labels.n as usize];
    for (object, _, iou) in image::match_iou(&found.labels, &truth) {
        let best = &mut best_iou[object as usize - 1];
        *best = best.max(iou);
    }
    Ok(Scored {
        counts: image::average_precision(&truth, &found.labels, &THRESHOLDS),
        probability: found.p_iou,
        best_iou,
        labels: found.labels,
    })
}

fn by_kind(images: &[LabelledImage], scored: &[Scored], seed: u64) -> Vec<ApFigures> {
    let mut kinds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, image) in images.iter().enumerate() {
        kinds.entry(&image.kind).or_default().push(index);
    }
    let mut rows: Vec<(&str, Vec<usize>)> = kinds.into_iter().collect();
    if rows.len() > 1 {
        rows.push(("all", (0..images.len()).collect()));
    }
    rows.into_iter()
        .map(|(kind, members)| {
            let groups: Vec<&str> = members
                .iter()
                .map(|&index| images[index].group.as_str())
                .collect();
            let groups = number_groups(&groups);
            let at = |t: usize| {
                estimate(&groups, seed, &format!("{kind} AP {t}"), |rows| {
                    let sum: f64 = rows
                        .iter()
                        .map(|&row| scored[members[row]].counts[t].average_precision())
                        .sum();
                    (!rows.is_empty()).then(|| sum / rows.len() as f64)
                })
            };
            let pooled = |t: usize| {
                members.iter().fold(image::ApCounts::default(), |sum, &index| {
                    sum.plus(&scored[index].counts[t])
                })
            };
            let all = pooled(0);
            ApFigures {
                kind: kind.to_owned(),
                images: members.len(),
                objects: all.tp + all.fn_,
                predicted: all.tp + all.fp,
                mean_ap: [at(0), at(1), at(2)],
                pooled_ap: [0, 1, 2].map(|t| pooled(t).average_precision()),
            }
        })
        .collect()
}

fn outlines(images: &[LabelledImage], scored: &[Scored], seed: u64) -> Vec<OutlineCalibration> {
    let names: Vec<&str> = images.iter().map(|image| image.group.as_str()).collect();
    let group_of_image = number_groups(&names);
    let mut out = Vec::new();
    for (index, &iou) in THRESHOLDS.iter().enumerate() {
        let (mut probability, mut right, mut group) = (Vec::new(), Vec::new(), Vec::new());
        for (image, &number) in scored.iter().zip(&group_of_image) {
            let Some(p) = &image.probability else { continue };
            probability.extend(p[index].iter().map(|p| f64::from(*p)));
            right.extend(image.best_iou.iter().map(|best| *best >= iou));
            group.extend(image.best_iou.iter().map(|_| number));
        }
        if probability.is_empty() {
            continue;
        }
        let n = probability.len();
        let of = |wanted: bool| -> Vec<f64> {
            probability
                .iter()
                .zip(&right)
                .filter(|(_, right)| **right == wanted)
                .map(|(p, _)| *p)
                .collect()
        };
        let share =
            |rows: &[usize]| rows.iter().filter(|&&row| right[row]).count() as f64 / rows.len() as f64;
        let mean = |rows: &[usize]| rows.iter().map(|&row| probability[row]).sum::<f64>() / rows.len() as f64;
        let all: Vec<usize> = (0..n).collect();
        let mut random = uncertainty::stream(seed, &format!("outline calibration error by chance {iou}"));
        let null = uncertainty::ece_null_band(&probability, &right, BINS, NULL_ROUNDS, &mut random);
        out.push(OutlineCalibration {
            iou,
            n,
            mean_probability: mean(&all),
            share: share(&all),
            probability_minus_share: estimate(&group, seed, &format!("P - share {iou}"), |rows| {
                (!rows.is_empty()).then(|| mean(rows) - share(rows))
            }),
            ece: uncertainty::ece_equal_mass(&probability, &right, BINS),
            ece_chance: null.map(|band| [band.low, band.median, band.high]),
            auroc: uncertainty::auroc(&of(false), &of(true)),
        });
    }
    out
}

/// A label image as a 16-bit grey PNG, which every scorer reads.
fn png_16_bit(labels: &image::Labels) -> Result<Vec<u8>, EngineError> {
    let refused = |what: String| EngineError::Option {
        option: "--out",
        value: "label image".to_owned(),
        what,
    };
    if labels.n > u32::from(u16::MAX) {
        return Err(refused(format!("{} objects do not fit a 16-bit PNG", labels.n)));
    }
    let (rows, columns) = labels.shape();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, columns as u32, rows as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Sixteen);
    let pixels: Vec<u8> = labels
        .map
        .iter()
        .flat_map(|&label| (label as u16).to_be_bytes())
        .collect();
    let mut writer = encoder
        .write_header()
        .map_err(|error| refused(error.to_string()))?;
    writer
        .write_image_data(&pixels)
        .map_err(|error| refused(error.to_string()))?;
    writer.finish().map_err(|error| refused(error.to_string()))?;
    Ok(bytes)
}
