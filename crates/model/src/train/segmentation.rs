//! Training of one member of the segmentation network: RECIPES B2, run L1.

use candle_core::Tensor;
use kernels::{Philox, SegmentationTargets, segmentation_loss};
use serde::{Deserialize, Serialize};

use super::run::{Plan, Step, Verdict, cosine, run};
use super::segmentation_crop::{CROP, Modality, SegmentationSample, push_crop};
use crate::device::DeviceChoice;
use crate::error::ModelError;
use crate::network::SegmentationNetwork;
use crate::weights::Weights;

/// First stream word of sampling and augmentation.
const STREAM_CROP: u32 = 21;

/// Numbers of the training; the defaults are those of run L1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SegmentationRecipe {
    /// Optimiser steps.
    pub steps: usize,
    /// Crops of 128 × 128 px a step.
    pub batch: usize,
    /// Peak learning rate.
    pub peak_rate: f32,
    /// Share of the steps of the linear warm-up.
    pub warm_up: f32,
    /// Last learning rate, as a share of the peak.
    pub final_share: f32,
    /// Weight decay of convolution weights.
    pub weight_decay: f32,
    /// Shares of fluorescence, stained and brightfield crops; shares of missing kinds go to the others.
    pub modality_shares: [f32; 3],
}

impl Default for SegmentationRecipe {
    fn default() -> Self {
        Self {
            steps: 6600,
            batch: 8,
            peak_rate: 3e-3,
            warm_up: 0.03,
            final_share: 0.01,
            weight_decay: 1e-4,
            modality_shares: [0.80, 0.14, 0.06],
        }
    }
}

impl SegmentationRecipe {
    fn rate(&self, step: usize) -> f32 {
        let (at, warm) = (step as f32, self.warm_up * self.steps as f32);
        if at < warm {
            self.peak_rate * (at + 1.0) / (warm + 1.0)
        } else {
            cosine(
                self.peak_rate,
                self.peak_rate * self.final_share,
                (at - warm) / (self.steps as f32 - warm),
            )
        }
    }
}

/// Trains one member from scratch, from `from`, or on from a checkpoint; the last step's weights are returned.
///
/// The same `seed`, samples and recipe give the same weights, whatever the number of threads.
///
/// Errors: no images, a loss that is not finite, a stop by the listener.
pub fn train_segmenter(
    samples: &[&SegmentationSample],
    network: &SegmentationNetwork,
    recipe: &SegmentationRecipe,
    seed: u64,
    (from, resume): (Option<&Weights>, Option<&[u8]>),
    device: DeviceChoice,
    listener: &mut dyn FnMut(&Step) -> Verdict,
) -> Result<Weights, ModelError> {
    let kinds = [Modality::Fluorescence, Modality::Stained, Modality::Brightfield];
    let by_kind: Vec<(f32, Vec<&SegmentationSample>)> = kinds
        .iter()
        .zip(recipe.modality_shares)
        .map(|(kind, share)| {
            let of_kind = samples.iter().copied();
            (
                share,
                of_kind
                    .filter(|s| s.modality == *kind && !s.versions.is_empty())
                    .collect::<Vec<_>>(),
            )
        })
        .filter(|(share, images)| *share > 0.0 && !images.is_empty())
        .collect();
    let total: f32 = by_kind.iter().map(|(share, _)| share).sum();
    if total <= 0.0 || recipe.batch == 0 || recipe.steps == 0 {
        return Err(ModelError::TooFewSamples {
            needed: "at least one image with labels, one step and one crop a step".to_owned(),
            found: format!(
                "{} images, {} steps, batches of {}",
                samples.len(),
                recipe.steps,
                recipe.batch
            ),
        });
    }
    let device = device.open()?;
    let plan = Plan {
        seed,
        steps: recipe.steps,
        weight_decay: recipe.weight_decay,
        rate: &|step| recipe.rate(step),
        from,
        resume,
        identity: format!(
            "segment {network:?} {recipe:?} seed {seed} images {}",
            samples.len()
        ),
    };
    let loss = |step: usize, pass: &mut crate::network::TrainingPass| -> Result<Tensor, ModelError> {
        let mut pixels = Vec::with_capacity(recipe.batch * CROP * CROP);
        let mut values = Vec::with_capacity(recipe.batch * CROP * CROP * 4);
        for slot in 0..recipe.batch {
            let mut random = Philox::new(seed, [STREAM_CROP, step as u32, slot as u32]);
            let mut left = random.uniform() * total;
            let mut images = &by_kind[by_kind.len() - 1].1;
            for (share, of_kind) in &by_kind {
                if left < *share {
                    images = of_kind;
                    break;
                }
                left -= share;
            }
            let versions = &images[random.below(images.len())].versions;
            push_crop(
                &versions[random.below(versions.len())],
                &mut random,
                &mut pixels,
                &mut values,
            );
        }
        let x = Tensor::from_vec(pixels, (recipe.batch, CROP, CROP, 1), &device)?;
        let trunk = network.trunk(pass, &x)?;
        let logits = network.head(pass, &trunk)?;
        Ok(segmentation_loss(&logits, &SegmentationTargets { values })?)
    };
    run(&plan, &device, &loss, listener)
}
