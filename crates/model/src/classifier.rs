//! Running an ensemble of classifiers on crops.

use ndarray::{Array2, Array3, Array4, ArrayView3, Axis, s};
use rayon::prelude::*;

use crate::bundle::Bundle;
use crate::device::DeviceChoice;
use crate::ensemble::{Ensemble, Method};
use crate::error::ModelError;
use crate::input::{INPUT_PX, classification_input, symmetry};
use crate::network::ClassificationNetwork;
use crate::weights::Weights;

/// Flips and quarter turns that every crop is seen under: worth more than a second member (RECIPES C).
pub const SYMMETRIES: usize = 8;
/// Crops that one call of the network sees, each under all symmetries: as many as keep the maps in a core's cache.
const BATCH: usize = 4;
/// Pixels of one view of a crop.
const VIEW: usize = INPUT_PX * INPUT_PX;

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
    ensemble: Ensemble<ClassificationNetwork>,
}

impl Classifier {
    /// Prepares a bundle.
    ///
    /// Errors: a bundle of another task, a device that is not there, weights that do not fit the network.
    pub fn new(bundle: &Bundle, device: &DeviceChoice) -> Result<Self, ModelError> {
        Self::with_method(bundle, device, Method::default())
    }

    /// Prepares a bundle to be computed in another way: the second opinion on [`new`](Self::new).
    ///
    /// Errors: as [`new`](Self::new).
    pub fn with_method(bundle: &Bundle, device: &DeviceChoice, method: Method) -> Result<Self, ModelError> {
        Ok(Self {
            ensemble: Ensemble::new(bundle, device, method)?,
        })
    }

    /// Prepares members that are not in a bundle yet.
    ///
    /// Errors: a device that is not there, weights that do not fit the network.
    pub fn from_weights(
        network: ClassificationNetwork,
        members: &[Weights],
        seed: u64,
        device: &DeviceChoice,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            ensemble: Ensemble::from_weights(network, members, seed, (device, Method::default()))?,
        })
    }

    /// Dropout draws that the bundle asks for.
    pub fn draws(&self) -> usize {
        self.ensemble.draws
    }

    /// Bytes of the buffers of one call; `None` on a GPU.
    pub fn working_set(&self) -> Option<usize> {
        let batch = BATCH * SYMMETRIES;
        let plan = self.ensemble.working_set((batch, INPUT_PX, INPUT_PX))?;
        Some(plan + batch * VIEW * size_of::<f32>())
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
        let all: Vec<usize> = (0..self.ensemble.len()).collect();
        let members = members.unwrap_or(&all);
        let starts: Vec<usize> = (0..crops.len_of(Axis(0))).step_by(BATCH).collect();
        let batches: Result<Vec<ClassSamples>, ModelError> = starts
            .into_par_iter()
            .map(|first| {
                let last = (first + BATCH).min(crops.len_of(Axis(0)));
                self.predict_batch(crops.slice(s![first..last, .., ..]), members, draws)
            })
            .collect();
        let mut out = self.empty(crops.len_of(Axis(0)), members.len(), draws);
        for (index, batch) in batches?.iter().enumerate() {
            let objects = index * BATCH..index * BATCH + batch.energy.len_of(Axis(1));
            let mut probability = out.probability.slice_mut(s![.., .., objects.clone(), ..]);
            probability.assign(&batch.probability);
            out.energy
                .slice_mut(s![.., objects.clone()])
                .assign(&batch.energy);
            let mut embedding = out.embedding.slice_mut(s![.., objects, ..]);
            embedding.assign(&batch.embedding);
        }
        Ok(out)
    }

    fn predict_batch(
        &self,
        crops: ArrayView3<f32>,
        members: &[usize],
        draws: usize,
    ) -> Result<ClassSamples, ModelError> {
        let views = views(crops);
        let shape = (crops.len_of(Axis(0)) * SYMMETRIES, INPUT_PX, INPUT_PX);
        let mut out = self.empty(crops.len_of(Axis(0)), members.len(), draws);
        for (slot, &member) in members.iter().enumerate() {
            // The first pass has no dropout: energy and embedding are of it, and the probabilities of 0 draws.
            let mut passes = vec![None];
            passes.extend(self.ensemble.draws_of(member, draws));
            let mut sink = |pass: usize, result: usize, values: &[f32]| match (result, pass) {
                (0, _) => out.add_embedding(slot, values),
                (_, 0) => {
                    out.add_energy(slot, values);
                    if draws == 0 {
                        out.set_probability((slot, 0), values);
                    }
                }
                _ => out.set_probability((slot, pass - 1), values),
            };
            self.ensemble.run(member, shape, &views, &passes, &mut sink)?;
        }
        Ok(out)
    }

    fn empty(&self, objects: usize, members: usize, draws: usize) -> ClassSamples {
        let network = &self.ensemble.network;
        ClassSamples {
            probability: Array4::zeros((members, SYMMETRIES * draws.max(1), objects, network.classes)),
            energy: Array2::zeros((members, objects)),
            embedding: Array3::zeros((members, objects, network.widths[3])),
        }
    }
}

/// The network's input for every symmetry of every crop: crop × symmetry × row × column.
fn views(crops: ArrayView3<f32>) -> Vec<f32> {
    let mut views = vec![0.0; crops.len_of(Axis(0)) * SYMMETRIES * VIEW];
    for (crop, of_crop) in crops.outer_iter().zip(views.chunks_exact_mut(SYMMETRIES * VIEW)) {
        let input = classification_input(crop);
        for (index, view) in of_crop.chunks_exact_mut(VIEW).enumerate() {
            for (to, from) in view.iter_mut().zip(symmetry(input.view(), index)) {
                *to = *from;
            }
        }
    }
    views
}

/// Values of a batch come as (crop × symmetry) × channel.
impl ClassSamples {
    fn add_embedding(&mut self, slot: usize, pooled: &[f32]) {
        let channels = self.embedding.len_of(Axis(2));
        for (crop, of_crop) in pooled.chunks_exact(SYMMETRIES * channels).enumerate() {
            let mut mean = self.embedding.slice_mut(s![slot, crop, ..]);
            for of_view in of_crop.chunks_exact(channels) {
                for (sum, value) in mean.iter_mut().zip(of_view) {
                    *sum += value / SYMMETRIES as f32;
                }
            }
        }
    }

    fn add_energy(&mut self, slot: usize, logits: &[f32]) {
        let classes = self.probability.len_of(Axis(3));
        for (view, logits) in logits.chunks_exact(classes).enumerate() {
            let (largest, sum) = largest_and_sum(logits);
            let energy = &mut self.energy[[slot, view / SYMMETRIES]];
            *energy -= (largest + sum.ln()) / SYMMETRIES as f32;
        }
    }

    fn set_probability(&mut self, (slot, draw): (usize, usize), logits: &[f32]) {
        let classes = self.probability.len_of(Axis(3));
        for (view, logits) in logits.chunks_exact(classes).enumerate() {
            let (largest, sum) = largest_and_sum(logits);
            let (object, sample) = (view / SYMMETRIES, draw * SYMMETRIES + view % SYMMETRIES);
            let mut probability = self.probability.slice_mut(s![slot, sample, object, ..]);
            for (p, z) in probability.iter_mut().zip(logits) {
                *p = (z - largest).exp() / sum;
            }
        }
    }
}

/// The largest logit, and Σ exp(logit - largest).
fn largest_and_sum(logits: &[f32]) -> (f32, f32) {
    let largest = logits.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    (largest, logits.iter().map(|z| (z - largest).exp()).sum())
}
