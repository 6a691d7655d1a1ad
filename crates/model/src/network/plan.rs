//! The pass that computes nothing: it records a network as the graph that a plan is compiled from.

use std::sync::Arc;

use candle_core::{Result, bail};
use kernels::{Activation, ConvolutionNode, Graph, NodeId, Operation};

use super::folded::{FoldedLayer, FoldedLayers};
use super::{ConvolutionLayer, Draw, Pass};
use crate::weights::Weights;

/// A dropout of the network, in the order of the graph's mask slots.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Dropout {
    layer: u32,
    channels: usize,
    rate: f32,
}

/// A member as a graph.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) graph: Graph,
    dropouts: Vec<Dropout>,
}

impl Recorded {
    /// Factors of each mask slot; no draw: ones.
    pub(crate) fn factors(&self, draw: Option<Draw>) -> Vec<Vec<f32>> {
        let of_slot = |dropout: &Dropout| match draw {
            Some(draw) => draw.mask(dropout.layer, dropout.channels, dropout.rate),
            None => vec![1.0; dropout.channels],
        };
        self.dropouts.iter().map(of_slot).collect()
    }
}

/// Records the layers that a definition walks over.
pub(crate) struct GraphPass {
    layers: FoldedLayers,
    recorded: Recorded,
}

impl GraphPass {
    /// Starts with an image of so many channels.
    ///
    /// Errors: weights that do not have the shape of their layer.
    pub(crate) fn new(weights: &Weights, channels: usize) -> Result<(Self, NodeId)> {
        let mut graph = Graph::default();
        let image = graph.push(Operation::Input { channels });
        let recorded = Recorded {
            graph,
            dropouts: Vec::new(),
        };
        let layers = FoldedLayers::new(weights)?;
        Ok((Self { layers, recorded }, image))
    }

    /// Ends the recording; `outputs` are the results in that order.
    pub(crate) fn finish(mut self, outputs: &[NodeId]) -> Recorded {
        for &output in outputs {
            self.recorded.graph.output(output);
        }
        self.recorded
    }

    /// As [`Pass::linear`], but only the named output channels, in that order.
    pub(crate) fn linear_channels(
        &mut self,
        name: &str,
        x: NodeId,
        order: &[usize],
        of: usize,
    ) -> Result<NodeId> {
        let layer = self
            .layers
            .get(name, [1, 1, self.recorded.graph.channels(x), of])?;
        let weights = layer.weights.chunks_exact(of);
        let chosen = FoldedLayer {
            shape: [1, 1, layer.shape[2], order.len()],
            weights: weights.flat_map(|row| order.iter().map(|&c| row[c])).collect(),
            bias: order.iter().map(|&c| layer.bias[c]).collect(),
        };
        Ok(self.push_convolution(x, &chosen, 1, Activation::Identity))
    }

    /// Adds a layer that reads others and has no weights.
    pub(crate) fn push(&mut self, operation: Operation) -> NodeId {
        self.recorded.graph.push(operation)
    }

    fn push_convolution(
        &mut self,
        x: NodeId,
        layer: &FoldedLayer,
        stride: usize,
        activation: Activation,
    ) -> NodeId {
        self.recorded.graph.push(Operation::Convolution(
            x,
            ConvolutionNode {
                channels_in: layer.shape[2],
                channels_out: layer.shape[3],
                kernel: layer.shape[0],
                stride,
                weights: Arc::clone(&layer.weights),
                bias: Arc::clone(&layer.bias),
                activation,
            },
        ))
    }
}

impl Pass for GraphPass {
    type Map = NodeId;

    fn convolution(&mut self, name: &str, x: &NodeId, layer: ConvolutionLayer) -> Result<NodeId> {
        let ConvolutionLayer {
            channels,
            kernel,
            stride,
            relu,
        } = layer;
        let shape = [kernel, kernel, self.channels(x)?, channels];
        let activation = if relu {
            Activation::Relu
        } else {
            Activation::Identity
        };
        let folded = self.layers.get(name, shape)?.clone();
        Ok(self.push_convolution(*x, &folded, stride, activation))
    }

    fn linear(&mut self, name: &str, x: &NodeId, channels: usize) -> Result<NodeId> {
        let folded = self
            .layers
            .get(name, [1, 1, self.channels(x)?, channels])?
            .clone();
        Ok(self.push_convolution(*x, &folded, 1, Activation::Identity))
    }

    fn channel_dropout(&mut self, layer: u32, x: &NodeId, rate: f32) -> Result<NodeId> {
        if !(0.0..1.0).contains(&rate) {
            bail!("a dropout rate of {rate} is not in [0, 1)")
        }
        let channels = self.channels(x)?;
        let slot = self.recorded.dropouts.len();
        self.recorded.dropouts.push(Dropout {
            layer,
            channels,
            rate,
        });
        Ok(self.push(Operation::ChannelMask(*x, slot)))
    }

    fn add(&mut self, a: &NodeId, b: &NodeId) -> Result<NodeId> {
        let (of_a, of_b) = (self.channels(a)?, self.channels(b)?);
        if of_a != of_b {
            bail!("maps of {of_a} and {of_b} channels cannot be added")
        }
        Ok(self.push(Operation::Add(*a, *b)))
    }

    fn relu(&mut self, x: &NodeId) -> Result<NodeId> {
        Ok(self.push(Operation::Relu(*x)))
    }

    fn upsample2(&mut self, x: &NodeId) -> Result<NodeId> {
        Ok(self.push(Operation::Upsample2(*x)))
    }

    fn max_pool2(&mut self, x: &NodeId) -> Result<NodeId> {
        Ok(self.push(Operation::MaxPool2(*x)))
    }

    fn concatenate(&mut self, a: &NodeId, b: &NodeId) -> Result<NodeId> {
        Ok(self.push(Operation::Concatenate(*a, *b)))
    }

    fn global_mean(&mut self, x: &NodeId) -> Result<NodeId> {
        Ok(self.push(Operation::GlobalMean(*x)))
    }

    fn channels(&self, x: &NodeId) -> Result<usize> {
        Ok(self.recorded.graph.channels(*x))
    }
}
