//! A forward pass to be timed.

use candle_core::{Device, Tensor};

use super::{Definition, images};
use crate::error::ModelError;
use crate::network::{Draw, InferencePass};
use crate::weights::Weights;

/// Members, draws and images, ready to run.
pub struct InferenceBench {
    definition: Definition,
    passes: Vec<InferencePass>,
    images: Tensor,
    draws: usize,
    seed: u64,
    multiply_adds: u64,
}

impl InferenceBench {
    pub(super) fn new(
        definition: &Definition,
        members: &[Weights],
        seed: u64,
        (size, batch, draws): (usize, usize, usize),
    ) -> Result<Self, ModelError> {
        let passes: candle_core::Result<_> = members
            .iter()
            .map(|weights| InferencePass::new(weights, &Device::Cpu))
            .collect();
        let mut multiply_adds = 0;
        for weights in members {
            let graph = definition.graph(weights)?.graph;
            multiply_adds += graph.multiply_adds(size, size) * (batch * draws.max(1)) as u64;
        }
        Ok(Self {
            passes: passes?,
            images: images(definition.input_channels(), size, batch)?,
            definition: definition.clone(),
            draws,
            seed,
            multiply_adds,
        })
    }

    /// Multiply-adds of a call as plainly computed, every draw from the image on: what a speed is stated against.
    pub fn multiply_adds(&self) -> u64 {
        self.multiply_adds
    }

    /// One call: all members, all draws, all images. Returns a value of the result, so that nothing is left out.
    ///
    /// Errors: a network that cannot run.
    pub fn run(&mut self) -> Result<f32, ModelError> {
        let mut last = 0.0;
        for (member, pass) in self.passes.iter_mut().enumerate() {
            for draw in 0..self.draws.max(1) {
                pass.draw = (self.draws > 0).then_some(Draw {
                    seed: self.seed,
                    member: member as u32,
                    draw: draw as u32,
                });
                let logits = self.definition.logits(pass, &self.images)?;
                last = logits.flatten_all()?.get(0)?.to_scalar::<f32>()?;
            }
        }
        Ok(last)
    }
}
