//! The classification network: a strided stem and four residual blocks (He et al. 2016, arXiv 1512.03385).

use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

use super::{ConvolutionLayer, Draw, GraphPass, InferencePass, Network, Pass, Recorded};
use crate::ensemble::{Architecture, Sink};
use crate::weights::Weights;

/// Sizes of the classification network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassificationNetwork {
    /// Channels of the four stages.
    pub widths: [usize; 4],
    /// Classes.
    pub classes: usize,
    /// Rate of the dropout on the pooled channels, in [0, 1).
    pub dropout: f32,
}

impl ClassificationNetwork {
    /// The network of the shipped classifier.
    pub fn new(classes: usize) -> Self {
        Self {
            widths: [16, 32, 64, 128],
            classes,
            dropout: 0.2,
        }
    }

    /// Pooled channels (batch, widths\[3\]): the embedding. `x`: (batch, rows, columns, 1).
    pub(crate) fn trunk<P: Pass>(&self, pass: &mut P, x: &P::Map) -> Result<P::Map> {
        let stem = ConvolutionLayer {
            channels: self.widths[0],
            kernel: 3,
            stride: 2,
            relu: true,
        };
        let mut map = pass.convolution("stem", x, stem)?;
        for (stage, &width) in self.widths.iter().enumerate() {
            let stride = if stage == 0 { 1 } else { 2 };
            let conv = |kernel, stride, relu| ConvolutionLayer {
                channels: width,
                kernel,
                stride,
                relu,
            };
            let inner = pass.convolution(&format!("stage{stage}.first"), &map, conv(3, stride, true))?;
            let inner = pass.convolution(&format!("stage{stage}.second"), &inner, conv(3, 1, false))?;
            let shortcut = if stride != 1 || pass.channels(&map)? != width {
                pass.convolution(&format!("stage{stage}.shortcut"), &map, conv(1, stride, false))?
            } else {
                map
            };
            let sum = pass.add(&inner, &shortcut)?;
            map = pass.relu(&sum)?;
        }
        pass.global_mean(&map)
    }

    /// Logits (batch, classes) of pooled channels.
    pub(crate) fn head<P: Pass>(&self, pass: &mut P, pooled: &P::Map) -> Result<P::Map> {
        let kept = pass.channel_dropout(0, pooled, self.dropout)?;
        pass.linear("classes", &kept, self.classes)
    }
}

impl Architecture for ClassificationNetwork {
    const TASK: &'static str = "classify";

    fn of(network: &Network) -> Option<&Self> {
        match network {
            Network::Classification(network) => Some(network),
            Network::Segmentation(_) => None,
        }
    }

    /// From a crop to two results: pooled channels, which no dropout reaches, and logits.
    fn record(&self, weights: &Weights) -> Result<Recorded> {
        let (mut pass, image) = GraphPass::new(weights, 1)?;
        let pooled = self.trunk(&mut pass, &image)?;
        let logits = self.head(&mut pass, &pooled)?;
        Ok(pass.finish(&[pooled, logits]))
    }

    fn run_by_candle(
        &self,
        pass: &mut InferencePass,
        x: &Tensor,
        draws: &[Option<Draw>],
        sink: &mut Sink,
    ) -> Result<()> {
        let pooled = self.trunk(pass, x)?;
        sink(0, 0, &pooled.flatten_all()?.to_vec1::<f32>()?);
        let once = [None];
        for (index, &draw) in if draws.is_empty() { &once } else { draws }.iter().enumerate() {
            pass.draw = draw;
            let logits = self.head(pass, &pooled)?;
            sink(index, 1, &logits.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(())
    }
}
