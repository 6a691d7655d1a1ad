//! Running an ensemble of classifiers on crops.

use candle_core::{Device, Tensor};
use ndarray::{Array2, Array3, Array4, ArrayView2, ArrayView3, Axis, s};
use rayon::prelude::*;

use crate::bundle::Bundle;
use crate::device::DeviceChoice;
use crate::error::ModelError;
use crate::input::{INPUT_PX, classification_input, symmetry};
use crate::network::{ClassificationNetwork, Draw, InferencePass, Network};
use crate::weights::Weights;

/// Flips and quarter turns that every crop is seen under: worth more than a second member (RECIPES C).
pub const SYMMETRIES: usize = 8;
/// Crops that one call of the network sees.
const BATCH: usize = 32;

/// Everything that the members say of the crops; nothing is averaged but where it says so.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassSamples {
    /// Class probabilities: member × (draw × symmetry, symmetry fastest) × object × class.
    pub probability: Array4<f32>,
    /// -log Σ exp(logits), mean over the symmetries, without dropout: member × object. Larger = more unlike the taught.
    pub energy: Array2<f32>,
    /// Pooled channels, mean over the symmetries, without dropout: member × object × channel.
    pub embedding: Array3<f32>,
}

/// An ensemble of classifiers, ready to run.
pub struct Classifier {
    network: ClassificationNetwork,
    members: Vec<Weights>,
    seed: u64,
    draws: usize,
    device: Device,
}

impl Classifier {
    /// Prepares a bundle.
    ///
    /// Errors: a bundle of another task, a device that is not there.
    pub fn new(bundle: &Bundle, device: &DeviceChoice) -> Result<Self, ModelError> {
        let Network::Classification(network) = &bundle.manifest.network else {
            return Err(ModelError::WrongTask {
                name: bundle.manifest.name.clone(),
                found: bundle.manifest.task.name(),
                wanted: "classify",
            });
        };
        let mut classifier = Self::from_weights(
            network.clone(),
            bundle.weights.clone(),
            bundle.manifest.seed,
            device,
        )?;
        classifier.draws = bundle.manifest.draws;
        Ok(classifier)
    }

    /// Prepares members that are not in a bundle yet.
    ///
    /// Errors: a device that is not there.
    pub fn from_weights(
        network: ClassificationNetwork,
        members: Vec<Weights>,
        seed: u64,
        device: &DeviceChoice,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            network,
            members,
            seed,
            draws: 1,
            device: device.open()?,
        })
    }

    /// Dropout draws that the bundle asks for.
    pub fn draws(&self) -> usize {
        self.draws
    }

    /// Samples of every crop from the given members (all where `None`), `draws` dropout draws each.
    ///
    /// Shapes: `crops` objects × 64 × 64 grey values with background near 0. With `draws` = 0 the dropout is off and one
    /// sample a symmetry is given. The result does not depend on which other crops are in the call.
    ///
    /// Errors: a network that cannot run.
    pub fn predict(
        &self,
        crops: ArrayView3<f32>,
        members: Option<&[usize]>,
        draws: usize,
    ) -> Result<ClassSamples, ModelError> {
        let all: Vec<usize> = (0..self.members.len()).collect();
        let members = members.unwrap_or(&all);
        let (objects, classes) = (crops.len_of(Axis(0)), self.network.classes);
        let views: Vec<ArrayView2<f32>> = crops.axis_iter(Axis(0)).collect();
        let inputs: Vec<Array2<f32>> = views.into_par_iter().map(classification_input).collect();
        let samples = SYMMETRIES * draws.max(1);
        let mut out = ClassSamples {
            probability: Array4::zeros((members.len(), samples, objects, classes)),
            energy: Array2::zeros((members.len(), objects)),
            embedding: Array3::zeros((members.len(), objects, self.network.widths[3])),
        };
        for (slot, &member) in members.iter().enumerate() {
            let mut pass = InferencePass::new(&self.members[member], &self.device)?;
            for first in (0..objects).step_by(BATCH) {
                let batch = &inputs[first..objects.min(first + BATCH)];
                self.predict_batch(&mut pass, (slot, member as u32), first, batch, draws, &mut out)?;
            }
        }
        Ok(out)
    }

    fn predict_batch(
        &self,
        pass: &mut InferencePass,
        (slot, member): (usize, u32),
        first: usize,
        batch: &[Array2<f32>],
        draws: usize,
        out: &mut ClassSamples,
    ) -> Result<(), ModelError> {
        let (rows, share) = (first..first + batch.len(), 1.0 / SYMMETRIES as f32);
        for index in 0..SYMMETRIES {
            let pixels: Vec<f32> = batch
                .iter()
                .flat_map(|input| symmetry(input.view(), index).iter().copied().collect::<Vec<_>>())
                .collect();
            let x = Tensor::from_vec(pixels, (batch.len(), INPUT_PX, INPUT_PX, 1), &self.device)?;
            let pooled = self.network.trunk(pass, &x)?;
            pass.draw = None;
            let logits = to_array(&self.network.head(pass, &pooled)?)?;
            for (row, logits) in rows.clone().zip(logits.rows()) {
                let largest = logits.fold(f32::NEG_INFINITY, |a, &b| a.max(b));
                let sum: f32 = logits.iter().map(|z| (z - largest).exp()).sum();
                out.energy[[slot, row]] -= (largest + sum.ln()) * share;
            }
            let mut embedding = out.embedding.slice_mut(s![slot, rows.clone(), ..]);
            embedding.scaled_add(share, &to_array(&pooled)?);
            for draw in 0..draws.max(1) {
                let logits = if draws == 0 {
                    logits.clone()
                } else {
                    pass.draw = Some(Draw {
                        seed: self.seed,
                        member,
                        draw: draw as u32,
                    });
                    to_array(&self.network.head(pass, &pooled)?)?
                };
                let sample = draw * SYMMETRIES + index;
                let mut probability = out.probability.slice_mut(s![slot, sample, rows.clone(), ..]);
                probability.assign(&softmax(logits.view()));
            }
        }
        Ok(())
    }
}

fn to_array(tensor: &Tensor) -> Result<Array2<f32>, ModelError> {
    let (rows, columns) = tensor.dims2()?;
    let values = tensor.flatten_all()?.to_vec1::<f32>()?;
    Ok(Array2::from_shape_fn((rows, columns), |(r, c)| {
        values[r * columns + c]
    }))
}

/// exp(z - max) / Σ exp(z - max), row by row.
fn softmax(logits: ArrayView2<f32>) -> Array2<f32> {
    let mut out = logits.to_owned();
    for mut row in out.rows_mut() {
        let largest = row.fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        row.mapv_inplace(|z| (z - largest).exp());
        let sum = row.sum();
        row.mapv_inplace(|e| e / sum);
    }
    out
}
