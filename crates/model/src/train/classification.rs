//! Training of one member of the classifier: RECIPES A, row 10.

use candle_core::Tensor;
use kernels::Philox;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::run::{Plan, Step, Verdict, cosine, run};
use crate::device::DeviceChoice;
use crate::error::ModelError;
use crate::input::{INPUT_PX, augmented_input};
use crate::network::ClassificationNetwork;
use crate::weights::Weights;

/// First stream words: what a random number is for.
const STREAM_ORDER: u32 = 11;
const STREAM_AUGMENT: u32 = 12;

/// One labelled crop.
#[derive(Clone, Debug)]
pub struct ClassificationSample {
    /// 64 × 64 grey values.
    pub crop: Array2<f32>,
    /// Class index.
    pub label: usize,
}

/// Numbers of the training; the defaults are those that reached the figures in RECIPES A, row 10.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassificationRecipe {
    /// Passes over the training cells.
    pub epochs: usize,
    /// Crops a step.
    pub batch: usize,
    /// Peak learning rate of the one-cycle schedule; it starts at 1/25 and ends at 1/25,000 of it.
    pub peak_rate: f32,
    /// Share of the steps that the rate rises.
    pub rise: f32,
    /// Weight decay of convolution and matrix weights.
    pub weight_decay: f32,
}

impl Default for ClassificationRecipe {
    fn default() -> Self {
        Self {
            epochs: 40,
            batch: 32,
            peak_rate: 2e-3,
            rise: 0.2,
            weight_decay: 0.02,
        }
    }
}

impl ClassificationRecipe {
    fn rate(&self, step: usize, steps: usize) -> f32 {
        let rise = self.rise * steps as f32;
        let at = step as f32;
        if at < rise {
            cosine(self.peak_rate / 25.0, self.peak_rate, at / rise)
        } else {
            cosine(
                self.peak_rate,
                self.peak_rate / 25_000.0,
                (at - rise) / (steps as f32 - rise),
            )
        }
    }
}

/// Trains one member from scratch, from `from`, or on from a checkpoint; the last step's weights are returned.
///
/// The same `seed`, samples and recipe give the same weights, whatever the number of threads.
///
/// Errors: fewer crops than a batch, a label that is no class, a loss that is not finite, a stop by the listener.
pub fn train_classifier(
    samples: &[&ClassificationSample],
    network: &ClassificationNetwork,
    recipe: &ClassificationRecipe,
    seed: u64,
    (from, resume): (Option<&Weights>, Option<&[u8]>),
    device: DeviceChoice,
    listener: &mut dyn FnMut(&Step) -> Verdict,
) -> Result<Weights, ModelError> {
    let per_epoch = samples.len() / recipe.batch.max(1);
    if per_epoch == 0 || recipe.batch < 2 {
        return Err(ModelError::TooFewSamples {
            needed: format!("at least one batch of {} crops", recipe.batch.max(2)),
            found: format!("{} crops", samples.len()),
        });
    }
    if let Some(bad) = samples.iter().find(|sample| sample.label >= network.classes) {
        return Err(ModelError::TooFewSamples {
            needed: format!("labels below {}", network.classes),
            found: format!("label {}", bad.label),
        });
    }
    let device = device.open()?;
    let steps = per_epoch * recipe.epochs;
    let plan = Plan {
        seed,
        steps,
        weight_decay: recipe.weight_decay,
        rate: &|step| recipe.rate(step, steps),
        from,
        resume,
        identity: format!(
            "classify {network:?} {recipe:?} seed {seed} crops {}",
            samples.len()
        ),
    };
    let loss = |step: usize, pass: &mut crate::network::TrainingPass| -> Result<Tensor, ModelError> {
        let (epoch, batch) = (step / per_epoch, step % per_epoch);
        let order = Philox::new(seed, [STREAM_ORDER, epoch as u32, 0]).permutation(samples.len());
        let mut pixels = Vec::with_capacity(recipe.batch * INPUT_PX * INPUT_PX);
        let mut labels = Vec::with_capacity(recipe.batch);
        for (slot, &index) in order[batch * recipe.batch..(batch + 1) * recipe.batch]
            .iter()
            .enumerate()
        {
            let mut random = Philox::new(seed, [STREAM_AUGMENT, step as u32, slot as u32]);
            pixels.extend(augmented_input(samples[index].crop.view(), &mut random));
            labels.push(samples[index].label as u32);
        }
        let x = Tensor::from_vec(pixels, (recipe.batch, INPUT_PX, INPUT_PX, 1), &device)?;
        let labels = Tensor::from_vec(labels, recipe.batch, &device)?;
        let pooled = network.trunk(pass, &x)?;
        let logits = network.head(pass, &pooled)?;
        Ok(candle_nn::loss::cross_entropy(&logits, &labels)?)
    };
    run(&plan, &device, &loss, listener)
}
