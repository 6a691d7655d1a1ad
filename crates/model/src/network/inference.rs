//! The pass of inference: normalisation folded into the convolutions, masks by (member, draw, layer, channel).

use std::collections::BTreeMap;

use candle_core::{D, Device, Result, Tensor};
use kernels::{Activation, Philox, conv2d_bias, upsample_nearest2};

use super::training::{EPSILON, max_pool2};
use super::{ConvolutionLayer, Pass};
use crate::weights::Weights;

/// First word of the stream of inference masks.
const STREAM_DRAW: u32 = 3;

/// Which mask a draw has; draws are networks, not noise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    pub seed: u64,
    pub member: u32,
    pub draw: u32,
}

impl Draw {
    /// Factor of each channel: 0 or 1 / (1 - rate).
    pub(crate) fn mask(&self, layer: u32, channels: usize, rate: f32) -> Vec<f32> {
        let mut random = Philox::new(self.seed, [STREAM_DRAW + (layer << 8), self.member, self.draw]);
        (0..channels)
            .map(|_| {
                if random.uniform() < rate {
                    0.0
                } else {
                    1.0 / (1.0 - rate)
                }
            })
            .collect()
    }
}

/// One member, ready to run.
pub(crate) struct InferencePass {
    layers: BTreeMap<String, (Tensor, Tensor)>,
    /// No draw: dropout is off.
    pub(crate) draw: Option<Draw>,
}

impl InferencePass {
    /// Folds normalisation into the weights, in f64.
    pub(crate) fn new(weights: &Weights, device: &Device) -> Result<Self> {
        let mut layers = BTreeMap::new();
        for (name, array) in weights.iter() {
            let Some(layer) = name.strip_suffix(".weight") else {
                continue;
            };
            let channels = array.shape.last().copied().unwrap_or(0);
            let get = |suffix: &str| {
                weights
                    .get(&format!("{layer}.{suffix}"))
                    .map(|array| array.values.as_slice())
            };
            let (folded, bias) = match (get("gamma"), get("beta"), get("mean"), get("variance")) {
                (Some(gamma), Some(beta), Some(mean), Some(variance)) => {
                    let scale: Vec<f64> = gamma
                        .iter()
                        .zip(variance)
                        .map(|(g, v)| f64::from(*g) / (f64::from(*v) + f64::from(EPSILON)).sqrt())
                        .collect();
                    let bias = beta
                        .iter()
                        .zip(mean)
                        .zip(&scale)
                        .map(|((b, m), s)| (f64::from(*b) - f64::from(*m) * s) as f32)
                        .collect();
                    let folded = array
                        .values
                        .chunks_exact(channels)
                        .flat_map(|row| row.iter().zip(&scale).map(|(w, s)| (f64::from(*w) * s) as f32))
                        .collect();
                    (folded, bias)
                }
                _ => (
                    array.values.clone(),
                    get("bias").map_or_else(|| vec![0.0; channels], <[f32]>::to_vec),
                ),
            };
            let weight = Tensor::from_vec(folded, &array.shape[..], device)?;
            layers.insert(
                layer.to_owned(),
                (weight, Tensor::from_vec(bias, channels, device)?),
            );
        }
        Ok(Self { layers, draw: None })
    }

    fn layer(&self, name: &str) -> Result<&(Tensor, Tensor)> {
        match self.layers.get(name) {
            Some(layer) => Ok(layer),
            None => candle_core::bail!("the weights lack layer {name}"),
        }
    }
}

impl Pass for InferencePass {
    type Map = Tensor;

    fn convolution(&mut self, name: &str, x: &Tensor, layer: ConvolutionLayer) -> Result<Tensor> {
        let (weights, bias) = self.layer(name)?;
        let activation = if layer.relu {
            Activation::Relu
        } else {
            Activation::Identity
        };
        conv2d_bias(x, weights, bias, (layer.stride, layer.kernel / 2), activation)
    }

    fn linear(&mut self, name: &str, x: &Tensor, channels: usize) -> Result<Tensor> {
        let (weights, bias) = self.layer(name)?;
        match x.dims() {
            &[rows, features] => {
                let x = x.reshape((rows, 1, 1, features))?;
                conv2d_bias(&x, weights, bias, (1, 0), Activation::Identity)?.reshape((rows, channels))
            }
            _ => conv2d_bias(x, weights, bias, (1, 0), Activation::Identity),
        }
    }

    fn channel_dropout(&mut self, layer: u32, x: &Tensor, rate: f32) -> Result<Tensor> {
        let Some(draw) = self.draw else {
            return Ok(x.clone());
        };
        let channels = self.channels(x)?;
        x.broadcast_mul(&Tensor::from_vec(
            draw.mask(layer, channels, rate),
            channels,
            x.device(),
        )?)
    }

    fn add(&mut self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        a + b
    }

    fn relu(&mut self, x: &Tensor) -> Result<Tensor> {
        x.relu()
    }

    fn upsample2(&mut self, x: &Tensor) -> Result<Tensor> {
        upsample_nearest2(x)
    }

    fn max_pool2(&mut self, x: &Tensor) -> Result<Tensor> {
        max_pool2(x)
    }

    fn concatenate(&mut self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        Tensor::cat(&[a, b], D::Minus1)
    }

    fn global_mean(&mut self, x: &Tensor) -> Result<Tensor> {
        x.mean((1, 2))
    }

    fn channels(&self, x: &Tensor) -> Result<usize> {
        x.dim(D::Minus1)
    }
}
