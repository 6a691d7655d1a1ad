//! The pass of training: candle variables, batch statistics, masks by step.

use std::collections::BTreeMap;

use candle_core::{D, Device, Result, Tensor, Var};
pub(crate) use kernels::max_pool2;
use kernels::{
    BatchMoments, LayerOptions, Philox, TrainingMemory, channel_dropout, concatenate, conv2d_linear,
    convolution_layer, global_mean, relu, upsample_nearest2,
};

use super::{ConvolutionLayer, Pass};
use crate::weights::{Array, Weights};

pub(crate) const EPSILON: f32 = 1e-5;
/// Share of the newest batch in the running statistics.
const MOMENTUM: f32 = 0.1;
/// First stream words: what a random number is for.
const STREAM_INITIAL: u32 = 1;
const STREAM_DROPOUT: u32 = 2;

/// The variables of one member, made on first use, and its running statistics.
pub(crate) struct Parameters {
    seed: u64,
    device: Device,
    variables: BTreeMap<String, Var>,
    running: BTreeMap<String, Vec<f32>>,
    /// Buffers of one step are those of the next.
    _memory: TrainingMemory,
}

/// How a variable starts.
enum Initial {
    /// Kaiming normal, fan-out (He et al. 2015): standard deviation sqrt(2 / fan).
    Kaiming(usize),
    Normal(f32),
    Constant(f32),
}

impl Parameters {
    pub(crate) fn new(seed: u64, device: &Device) -> Self {
        Self {
            seed,
            device: device.clone(),
            variables: BTreeMap::new(),
            running: BTreeMap::new(),
            _memory: TrainingMemory::keep(),
        }
    }

    /// Variables by name, sorted.
    pub(crate) fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    fn variable(&mut self, name: String, shape: &[usize], initial: Initial) -> Result<Tensor> {
        if let Some(variable) = self.variables.get(&name) {
            return Ok(variable.as_tensor().clone());
        }
        // The stream is named by the variable's name, so that the order of creation does not matter.
        let named = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let mut random = Philox::new(self.seed, [STREAM_INITIAL, named, 0]);
        let n = shape.iter().product();
        let values: Vec<f32> = match initial {
            Initial::Kaiming(fan) => {
                let deviation = (2.0 / fan as f32).sqrt();
                (0..n).map(|_| deviation * random.normal()).collect()
            }
            Initial::Normal(deviation) => (0..n).map(|_| deviation * random.normal()).collect(),
            Initial::Constant(value) => vec![value; n],
        };
        let variable = Var::from_tensor(&Tensor::from_vec(values, shape, &self.device)?)?;
        let tensor = variable.as_tensor().clone();
        self.variables.insert(name, variable);
        Ok(tensor)
    }

    fn update_running(&mut self, name: &str, moments: &BatchMoments) {
        // The running variance is the unbiased one, as in every framework that reads such weights.
        let unbiased = moments.rows as f32 / (moments.rows as f32 - 1.0);
        for (suffix, start, new, factor) in [
            ("mean", 0.0, &moments.mean, 1.0),
            ("variance", 1.0, &moments.variance, unbiased),
        ] {
            let running = self
                .running
                .entry(format!("{name}.{suffix}"))
                .or_insert_with(|| vec![start; new.len()]);
            for (old, new) in running.iter_mut().zip(new) {
                *old += MOMENTUM * (new * factor - *old);
            }
        }
    }

    /// A copy of variables and running statistics.
    pub(crate) fn weights(&self) -> Result<Weights> {
        let mut weights = Weights::default();
        for (name, variable) in &self.variables {
            let values = variable.flatten_all()?.to_vec1()?;
            weights.insert(
                name,
                Array {
                    shape: variable.dims().to_vec(),
                    values,
                },
            );
        }
        for (name, values) in &self.running {
            weights.insert(
                name,
                Array {
                    shape: vec![values.len()],
                    values: values.clone(),
                },
            );
        }
        Ok(weights)
    }

    /// Starts from stored weights instead of random ones.
    pub(crate) fn load(&mut self, weights: &Weights) -> Result<()> {
        for (name, array) in weights.iter() {
            if name.ends_with(".mean") || name.ends_with(".variance") {
                self.running.insert(name.to_owned(), array.values.clone());
            } else {
                let tensor = Tensor::from_vec(array.values.clone(), &array.shape[..], &self.device)?;
                self.variables.insert(name.to_owned(), Var::from_tensor(&tensor)?);
            }
        }
        Ok(())
    }
}

/// One forward pass in training mode.
pub(crate) struct TrainingPass<'a> {
    pub(crate) parameters: &'a mut Parameters,
    /// Names the dropout masks.
    pub(crate) step: u32,
}

impl Pass for TrainingPass<'_> {
    type Map = Tensor;

    fn convolution(&mut self, name: &str, x: &Tensor, layer: ConvolutionLayer) -> Result<Tensor> {
        let ConvolutionLayer {
            channels,
            kernel,
            stride,
            relu,
        } = layer;
        let shape = [kernel, kernel, self.channels(x)?, channels];
        let fan = kernel * kernel * channels;
        let weights = self
            .parameters
            .variable(format!("{name}.weight"), &shape, Initial::Kaiming(fan))?;
        let gamma = self
            .parameters
            .variable(format!("{name}.gamma"), &[channels], Initial::Constant(1.0))?;
        let beta = self
            .parameters
            .variable(format!("{name}.beta"), &[channels], Initial::Constant(0.0))?;
        let options = LayerOptions {
            stride,
            padding: kernel / 2,
            epsilon: EPSILON,
            relu,
        };
        let (out, moments) = convolution_layer(x, &weights, &gamma, &beta, options)?;
        self.parameters.update_running(name, &moments);
        Ok(out)
    }

    fn linear(&mut self, name: &str, x: &Tensor, channels: usize) -> Result<Tensor> {
        let shape = [1, 1, self.channels(x)?, channels];
        let weights = self
            .parameters
            .variable(format!("{name}.weight"), &shape, Initial::Normal(0.01))?;
        let bias = self
            .parameters
            .variable(format!("{name}.bias"), &[channels], Initial::Constant(0.0))?;
        match x.dims() {
            &[rows, features] => {
                let x = x.reshape((rows, 1, 1, features))?;
                conv2d_linear(&x, &weights, &bias, (1, 0))?.reshape((rows, channels))
            }
            _ => conv2d_linear(x, &weights, &bias, (1, 0)),
        }
    }

    fn channel_dropout(&mut self, layer: u32, x: &Tensor, rate: f32) -> Result<Tensor> {
        let random = Philox::new(self.parameters.seed, [STREAM_DROPOUT, self.step, layer]);
        channel_dropout(x, rate, random)
    }

    fn add(&mut self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        a + b
    }

    fn relu(&mut self, x: &Tensor) -> Result<Tensor> {
        relu(x)
    }

    fn upsample2(&mut self, x: &Tensor) -> Result<Tensor> {
        upsample_nearest2(x)
    }

    fn max_pool2(&mut self, x: &Tensor) -> Result<Tensor> {
        max_pool2(x)
    }

    fn concatenate(&mut self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        concatenate(a, b)
    }

    fn global_mean(&mut self, x: &Tensor) -> Result<Tensor> {
        global_mean(x)
    }

    fn channels(&self, x: &Tensor) -> Result<usize> {
        x.dim(D::Minus1)
    }
}
