//! Running an ensemble of segmentation networks on an image.

use candle_core::{Device, Tensor};
use ndarray::{Array4, ArrayView2, s};

use crate::bundle::Bundle;
use crate::device::DeviceChoice;
use crate::error::ModelError;
use crate::network::{Draw, InferencePass, Network, SegmentationNetwork};
use crate::reflection::reflect;
use crate::weights::Weights;

/// Maps of every member and draw, as probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct MapSamples {
    /// Probability that a pixel lies in a nucleus: member × draw × row × column.
    pub foreground: Array4<f32>,
    /// Probability that a pixel lies where two nuclei touch: member × draw × row × column.
    pub touch: Array4<f32>,
}

/// An ensemble of segmentation networks, ready to run.
pub struct Segmenter {
    network: SegmentationNetwork,
    members: Vec<Weights>,
    seed: u64,
    draws: usize,
    device: Device,
}

impl Segmenter {
    /// Prepares a bundle.
    ///
    /// Errors: a bundle of another task, a device that is not there.
    pub fn new(bundle: &Bundle, device: &DeviceChoice) -> Result<Self, ModelError> {
        let Network::Segmentation(network) = &bundle.manifest.network else {
            return Err(ModelError::WrongTask {
                name: bundle.manifest.name.clone(),
                found: bundle.manifest.task.name(),
                wanted: "segment",
            });
        };
        let mut segmenter = Self::from_weights(
            network.clone(),
            bundle.weights.clone(),
            bundle.manifest.seed,
            device,
        )?;
        segmenter.draws = bundle.manifest.draws;
        Ok(segmenter)
    }

    /// Prepares members that are not in a bundle yet.
    ///
    /// Errors: a device that is not there.
    pub fn from_weights(
        network: SegmentationNetwork,
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

    /// Maps of one image from the given members (all where `None`), `draws` dropout draws each; 0 draws: dropout off.
    ///
    /// `normalized`: rows × columns, as the training images were normalised. Any size; the image is padded at the bottom
    /// and the right by reflection. What lies before the dropout is computed once a member.
    ///
    /// Errors: a network that cannot run.
    pub fn predict(
        &self,
        normalized: ArrayView2<f32>,
        members: Option<&[usize]>,
        draws: usize,
    ) -> Result<MapSamples, ModelError> {
        let all: Vec<usize> = (0..self.members.len()).collect();
        let members = members.unwrap_or(&all);
        let (rows, columns) = normalized.dim();
        let multiple = SegmentationNetwork::MULTIPLE;
        let (high, wide) = (
            rows.next_multiple_of(multiple),
            columns.next_multiple_of(multiple),
        );
        let mut pixels = Vec::with_capacity(high * wide);
        for row in 0..high {
            let source = normalized.row(reflect(row as i64, rows));
            pixels.extend((0..wide).map(|column| source[reflect(column as i64, columns)]));
        }
        let x = Tensor::from_vec(pixels, (1, high, wide, 1), &self.device)?;
        let samples = draws.max(1);
        let mut out = MapSamples {
            foreground: Array4::zeros((members.len(), samples, rows, columns)),
            touch: Array4::zeros((members.len(), samples, rows, columns)),
        };
        for (slot, &member) in members.iter().enumerate() {
            let mut pass = InferencePass::new(&self.members[member], &self.device)?;
            let trunk = self.network.trunk(&mut pass, &x)?;
            for draw in 0..samples {
                pass.draw = (draws > 0).then_some(Draw {
                    seed: self.seed,
                    member: member as u32,
                    draw: draw as u32,
                });
                let logits = self
                    .network
                    .head(&mut pass, &trunk)?
                    .flatten_all()?
                    .to_vec1::<f32>()?;
                // Channel 4 × (2 × sub-row + sub-column) + map of the half-resolution pixel.
                let at = |row: usize, column: usize, map: usize| {
                    let pixel = (row / 2) * (wide / 2) + column / 2;
                    let logit = logits[pixel * 16 + 4 * (2 * (row % 2) + column % 2) + map];
                    1.0 / (1.0 + (-logit).exp())
                };
                for (map, target) in [(0, &mut out.foreground), (1, &mut out.touch)] {
                    let mut view = target.slice_mut(s![slot, draw, .., ..]);
                    view.indexed_iter_mut()
                        .for_each(|((row, column), value)| *value = at(row, column, map));
                }
            }
        }
        Ok(out)
    }
}
