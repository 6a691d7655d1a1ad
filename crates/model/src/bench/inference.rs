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
        Ok(Self {
            passes: passes?,
            images: images(definition.input_channels(), size, batch)?,
            definition: definition.clone(),
            draws,
            seed,
        })
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
