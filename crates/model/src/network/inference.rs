//! The pass of inference: normalisation folded into the convolutions, masks by (member, draw, layer, channel).

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{D, Device, Result, Tensor};
use kernels::{Activation, Philox, conv2d_bias, upsample_nearest2};

use super::folded::FoldedLayers;
use super::training::max_pool2;
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

/// One member, ready to run by candle's operations; a copy shares the weights.
#[derive(Clone)]
pub(crate) struct InferencePass {
    layers: Arc<BTreeMap<String, (Tensor, Tensor)>>,
    /// No draw: dropout is off.
    pub(crate) draw: Option<Draw>,
}

impl InferencePass {
    /// Folds normalisation into the weights and copies them to the device.
    pub(crate) fn new(weights: &Weights, device: &Device) -> Result<Self> {
        let mut layers = BTreeMap::new();
        for (name, layer) in FoldedLayers::new(weights)?.iter() {
            let weights = Tensor::from_slice(&layer.weights, &layer.shape[..], device)?;
            let bias = Tensor::from_slice(&layer.bias, layer.bias.len(), device)?;
            layers.insert(name.to_owned(), (weights, bias));
        }
        Ok(Self {
            layers: Arc::new(layers),
            draw: None,
        })
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
