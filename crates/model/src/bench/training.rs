//! A training step to be timed.

use candle_core::{Device, Tensor};
use kernels::{Philox, SegmentationTargets, segmentation_loss};

use super::{Definition, SEED, STREAM_TARGETS, images};
use crate::error::ModelError;
use crate::network::{Parameters, TrainingPass};
use crate::train::AdamW;
use crate::weights::Weights;

/// Learning rate and weight decay of the steps.
const RATE: f32 = 1e-3;
const DECAY: f32 = 1e-2;

/// What the logits are compared with.
enum Targets {
    /// A class of each pixel or image.
    Classes(Tensor),
    /// Maps of the segmentation loss.
    Maps(SegmentationTargets),
}

/// A network in training on one fixed batch.
pub struct TrainingBench {
    definition: Definition,
    parameters: Parameters,
    optimizer: AdamW,
    images: Tensor,
    targets: Targets,
    steps: u32,
}

impl TrainingBench {
    pub(super) fn new(
        definition: &Definition,
        start: &Weights,
        size: usize,
        batch: usize,
    ) -> Result<Self, ModelError> {
        let mut parameters = Parameters::new(SEED, &Device::Cpu);
        parameters.load(start)?;
        let mut random = Philox::new(SEED, [STREAM_TARGETS, 0, 0]);
        let mut classes = |n: usize| {
            let of: Vec<u32> = (0..n)
                .map(|_| random.below(definition.classes()) as u32)
                .collect();
            Tensor::from_vec(of, n, &Device::Cpu)
        };
        let targets = match definition {
            Definition::Unet(_) => Targets::Classes(classes(batch * size * size)?),
            Definition::Resnet(_) | Definition::Classification(_) => Targets::Classes(classes(batch)?),
            Definition::Segmentation(_) => Targets::Maps(SegmentationTargets {
                values: (0..batch * size * size * 4).map(|_| random.uniform()).collect(),
            }),
        };
        Ok(Self {
            images: images(definition.input_channels(), size, batch)?,
            definition: definition.clone(),
            parameters,
            optimizer: AdamW::default(),
            targets,
            steps: 0,
        })
    }

    /// One step: forward pass, loss (cross-entropy a pixel or an image; of a segmentation bundle its own loss), backward
    /// pass, AdamW. Returns the loss.
    ///
    /// Errors: a loss that is not finite, a network that cannot run.
    pub fn step(&mut self) -> Result<f32, ModelError> {
        let mut pass = TrainingPass {
            parameters: &mut self.parameters,
            step: self.steps,
        };
        let logits = self.definition.logits(&mut pass, &self.images)?;
        let loss = match &self.targets {
            Targets::Maps(targets) => segmentation_loss(&logits, targets)?,
            Targets::Classes(classes) => {
                let rows = logits.elem_count() / self.definition.classes();
                let logits = logits.reshape((rows, self.definition.classes()))?;
                candle_nn::loss::cross_entropy(&logits, classes)?
            }
        };
        let value = loss.to_scalar::<f32>()?;
        if !value.is_finite() {
            return Err(ModelError::Diverged {
                step: self.steps as usize,
                loss: value,
            });
        }
        let gradients = loss.backward()?;
        self.optimizer
            .step(self.parameters.variables(), &gradients, RATE, DECAY)?;
        self.steps += 1;
        Ok(value)
    }

    /// The images, (batch, rows, columns, channels).
    pub(super) fn images(&self) -> &Tensor {
        &self.images
    }

    /// The class of each pixel or image, or the maps of the segmentation loss.
    pub(super) fn targets(&self) -> Result<Vec<f32>, ModelError> {
        Ok(match &self.targets {
            Targets::Classes(classes) => {
                let classes: Vec<u32> = classes.to_vec1()?;
                classes.into_iter().map(|class| class as f32).collect()
            }
            Targets::Maps(maps) => maps.values.clone(),
        })
    }
}
