//! The segmentation network: an encoder of strided convolutions, a decoder that adds skips, and a head at half
//! resolution whose sixteen channels are the four maps of 2 × 2 pixels.

use candle_core::{Result, Tensor};
use kernels::Operation;
use serde::{Deserialize, Serialize};

use super::{ConvolutionLayer, Draw, GraphPass, InferencePass, Network, Pass, Recorded};
use crate::ensemble::{Architecture, Sink};
use crate::weights::Weights;

/// Maps at full resolution: foreground, touching borders, ring, distance.
pub(crate) const MAPS: usize = 4;
/// Those in use: foreground, touching borders.
const USED: [usize; 2] = [0, 1];

/// Sizes of the segmentation network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentationNetwork {
    /// Channels at 1/2, 1/4, 1/8 and 1/16 of the resolution.
    pub widths: [usize; 4],
    /// Rate of the whole-channel dropout before the last decoder level, in [0, 1).
    pub dropout: f32,
}

impl Default for SegmentationNetwork {
    fn default() -> Self {
        Self {
            widths: [16, 32, 48, 64],
            dropout: 0.1,
        }
    }
}

/// What is the same for all draws of one member.
pub(crate) struct SegmentationTrunk<M> {
    /// Input of the dropout, at 1/4 resolution.
    coarse: M,
    /// Skip connection at 1/2 resolution.
    skip: M,
}

impl SegmentationNetwork {
    /// Image sides must be multiples of this.
    pub const MULTIPLE: usize = 16;
    /// Channels of the logits.
    pub(crate) const LOGITS: usize = 4 * MAPS;

    /// Everything before the dropout. `x`: (batch, rows, columns, 1).
    pub(crate) fn trunk<P: Pass>(&self, pass: &mut P, x: &P::Map) -> Result<SegmentationTrunk<P::Map>> {
        let conv = |channels, kernel, stride| ConvolutionLayer {
            channels,
            kernel,
            stride,
            relu: true,
        };
        let mut levels: Vec<P::Map> = Vec::with_capacity(self.widths.len());
        let mut map = x.clone();
        for (level, &width) in self.widths.iter().enumerate() {
            map = pass.convolution(&format!("encoder{level}.down"), &map, conv(width, 3, 2))?;
            map = pass.convolution(&format!("encoder{level}.conv"), &map, conv(width, 3, 1))?;
            levels.push(map.clone());
        }
        for level in (1..3).rev() {
            map = pass.convolution(
                &format!("decoder{level}.reduce"),
                &map,
                conv(self.widths[level], 1, 1),
            )?;
            map = pass.upsample2(&map)?;
            map = pass.add(&map, &levels[level])?;
            map = pass.convolution(
                &format!("decoder{level}.conv"),
                &map,
                conv(self.widths[level], 3, 1),
            )?;
        }
        let coarse = pass.convolution("decoder0.reduce", &map, conv(self.widths[0], 1, 1))?;
        Ok(SegmentationTrunk {
            coarse,
            skip: levels[0].clone(),
        })
    }

    /// From the dropout to the logits: (batch, rows / 2, columns / 2, 16), channel 4 × (2 × sub-row + sub-column) + map.
    pub(crate) fn head<P: Pass>(&self, pass: &mut P, trunk: &SegmentationTrunk<P::Map>) -> Result<P::Map> {
        let features = self.features(pass, trunk)?;
        pass.linear("head", &features, Self::LOGITS)
    }

    /// From the dropout to the input of the last layer.
    fn features<P: Pass>(&self, pass: &mut P, trunk: &SegmentationTrunk<P::Map>) -> Result<P::Map> {
        let map = pass.channel_dropout(0, &trunk.coarse, self.dropout)?;
        let map = pass.upsample2(&map)?;
        let map = pass.add(&map, &trunk.skip)?;
        let layer = ConvolutionLayer {
            channels: self.widths[0],
            kernel: 3,
            stride: 1,
            relu: true,
        };
        pass.convolution("decoder0.conv", &map, layer)
    }
}

impl Architecture for SegmentationNetwork {
    const TASK: &'static str = "segment";

    fn of(network: &Network) -> Option<&Self> {
        match network {
            Network::Segmentation(network) => Some(network),
            Network::Classification(_) => None,
        }
    }

    /// From an image to the probabilities of foreground and touching borders: one result of two channels at full
    /// resolution.
    fn record(&self, weights: &Weights) -> Result<Recorded> {
        let (mut pass, image) = GraphPass::new(weights, 1)?;
        let trunk = self.trunk(&mut pass, &image)?;
        let features = self.features(&mut pass, &trunk)?;
        // Of the head only the maps in use, in the order of a pixel shuffle: map, sub-row, sub-column.
        let channels: Vec<usize> = USED
            .into_iter()
            .flat_map(|map| (0..4).map(move |sub| MAPS * sub + map))
            .collect();
        let logits = pass.linear_channels("head", features, &channels, Self::LOGITS)?;
        let maps = pass.push(Operation::PixelShuffle2(logits));
        let probabilities = pass.push(Operation::Sigmoid(maps));
        Ok(pass.finish(&[probabilities]))
    }

    fn run_by_candle(
        &self,
        pass: &mut InferencePass,
        x: &Tensor,
        draws: &[Option<Draw>],
        sink: &mut Sink,
    ) -> Result<()> {
        let trunk = self.trunk(pass, x)?;
        let once = [None];
        for (index, &draw) in if draws.is_empty() { &once } else { draws }.iter().enumerate() {
            pass.draw = draw;
            let logits = self.head(pass, &trunk)?;
            let (batch, rows, columns, _) = logits.dims4()?;
            // (image, row, column, sub-row, sub-column, map) to (image, map, row, sub-row, column, sub-column).
            let maps = logits
                .reshape(&[batch, rows, columns, 2, 2, MAPS][..])?
                .permute(&[0, 5, 1, 3, 2, 4][..])?
                .narrow(1, 0, USED.len())?;
            let maps = candle_nn::ops::sigmoid(&maps.contiguous()?)?;
            sink(index, 0, &maps.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(())
    }
}
