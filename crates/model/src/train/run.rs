//! The loop that both trainings share: forward, backward, step, report, checkpoint.

use candle_core::{Device, Tensor};

use super::adamw::AdamW;
use super::checkpoint;
use crate::error::ModelError;
use crate::network::{Parameters, TrainingPass};
use crate::weights::Weights;

/// What a training tells after each step.
pub struct Step<'a> {
    /// Steps done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Loss of this step's batch.
    pub loss: f32,
    state: &'a dyn Fn() -> Result<Vec<u8>, ModelError>,
}

impl Step<'_> {
    /// The whole state as bytes, to go on from later.
    ///
    /// Errors: never for finite weights.
    pub fn checkpoint(&self) -> Result<Vec<u8>, ModelError> {
        (self.state)()
    }
}

/// What the listener of a training answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Continue,
    /// Stop with [`ModelError::Stopped`]; the listener has taken its checkpoint.
    Stop,
}

/// What differs between two trainings.
pub(crate) struct Plan<'a> {
    pub seed: u64,
    pub steps: usize,
    pub weight_decay: f32,
    /// Learning rate at a step.
    pub rate: &'a dyn Fn(usize) -> f32,
    /// Weights to start from instead of random ones.
    pub from: Option<&'a Weights>,
    /// A checkpoint of the same training.
    pub resume: Option<&'a [u8]>,
    /// Words that must be equal for a checkpoint to fit.
    pub identity: String,
}

/// Runs the loop; `loss` gives the loss of a step's batch.
pub(crate) fn run(
    plan: &Plan,
    device: &Device,
    loss: &dyn Fn(usize, &mut TrainingPass) -> Result<Tensor, ModelError>,
    listener: &mut dyn FnMut(&Step) -> Verdict,
) -> Result<Weights, ModelError> {
    let mut parameters = Parameters::new(plan.seed, device);
    let mut optimizer = AdamW::default();
    let mut first = 0;
    if let Some(bytes) = plan.resume {
        let (weights, state, step) = checkpoint::read(&plan.identity, bytes)?;
        parameters.load(&weights)?;
        (optimizer, first) = (state, step);
    } else if let Some(weights) = plan.from {
        parameters.load(weights)?;
    }
    for step in first..plan.steps {
        let mut pass = TrainingPass {
            parameters: &mut parameters,
            step: step as u32,
        };
        let loss = loss(step, &mut pass)?;
        let value = loss.to_scalar::<f32>()?;
        // candle's relu turns NaN into 0, so the loss is where a broken batch still shows.
        if !value.is_finite() {
            return Err(ModelError::Diverged { step, loss: value });
        }
        let gradients = loss.backward()?;
        optimizer.step(
            parameters.variables(),
            &gradients,
            (plan.rate)(step),
            plan.weight_decay,
        )?;
        let state = || checkpoint::write(&plan.identity, &parameters.weights()?, &optimizer, step + 1);
        let told = Step {
            step: step + 1,
            steps: plan.steps,
            loss: value,
            state: &state,
        };
        if listener(&told) == Verdict::Stop {
            return Err(ModelError::Stopped { step: step + 1 });
        }
    }
    Ok(parameters.weights()?)
}

/// Cosine from `from` to `to` for `share` in [0, 1].
pub(crate) fn cosine(from: f32, to: f32, share: f32) -> f32 {
    to + (from - to) * 0.5 * (1.0 + (std::f32::consts::PI * share.clamp(0.0, 1.0)).cos())
}
