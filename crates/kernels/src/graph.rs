//! A feed-forward network as a list of layers: what a plan is compiled from.
//!
//! A graph holds numbers only (weights with normalisation already folded in) and knows no image size. It is built
//! by whoever defines networks; a plan compiles it, and [`Graph::evaluate_f64`] computes it in the plainest way, which
//! is the second opinion of every test.

use std::sync::Arc;

use crate::convolution::Activation;

/// A layer's place in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) usize);

/// A convolution with a square kernel, zeros around the map, and the bias and activation that follow.
#[derive(Clone, Debug)]
pub struct ConvolutionNode {
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output.
    pub channels_out: usize,
    /// Rows and columns of the kernel: odd; `kernel / 2` zeros surround the map.
    pub kernel: usize,
    /// Step in pixels, both ways.
    pub stride: usize,
    /// (kernel row, kernel column, channel in, channel out), row-major.
    pub weights: Arc<[f32]>,
    /// One value per output channel.
    pub bias: Arc<[f32]>,
    /// Applied last.
    pub activation: Activation,
}

/// What a layer computes from earlier layers.
#[derive(Clone, Debug)]
pub enum Operation {
    /// The network's input.
    Input {
        /// Channels of the image.
        channels: usize,
    },
    /// Convolution, bias, activation.
    Convolution(NodeId, ConvolutionNode),
    /// Each pixel repeated to 2 × 2 pixels.
    Upsample2(NodeId),
    /// Maximum of each 2 × 2 window; an odd last row or column is left out.
    MaxPool2(NodeId),
    /// Channels of the first, then of the second.
    Concatenate(NodeId, NodeId),
    /// Sum of two maps.
    Add(NodeId, NodeId),
    /// max(0, x).
    Relu(NodeId),
    /// 1 / (1 + exp(-x)).
    Sigmoid(NodeId),
    /// Mean over rows and columns: a map of 1 × 1.
    GlobalMean(NodeId),
    /// Channels times the factors that a draw has for this slot: whole-channel dropout.
    ChannelMask(NodeId, usize),
    /// (channels, rows, columns) to (channels / 4, 2 rows, 2 columns); channel 4 c + 2 i + j goes to sub-row i, sub-column j.
    PixelShuffle2(NodeId),
}

/// Layers in an order in which each comes after those that it reads.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<(Operation, usize)>,
    outputs: Vec<NodeId>,
}

/// Channels, rows and columns of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapShape {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

impl MapShape {
    /// Values of one image's map.
    pub fn len(&self) -> usize {
        self.channels * self.rows * self.columns
    }

    /// Whether the map has no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Graph {
    /// Adds a layer and returns its place. Panics if it does not fit the layers that it reads: a network's definition is wrong then.
    pub fn push(&mut self, operation: Operation) -> NodeId {
        let channels = match &operation {
            Operation::Input { channels } => *channels,
            Operation::Convolution(x, node) => {
                assert_eq!(self.channels(*x), node.channels_in, "channels of the input");
                assert!(
                    node.kernel % 2 == 1 && node.stride > 0,
                    "odd kernel, positive stride"
                );
                let weights = node.kernel * node.kernel * node.channels_in * node.channels_out;
                assert_eq!(node.weights.len(), weights, "weights");
                assert_eq!(node.bias.len(), node.channels_out, "bias");
                node.channels_out
            }
            Operation::Concatenate(a, b) => self.channels(*a) + self.channels(*b),
            Operation::Add(a, b) => {
                assert_eq!(self.channels(*a), self.channels(*b), "channels of a sum");
                self.channels(*a)
            }
            Operation::PixelShuffle2(x) => {
                assert_eq!(self.channels(*x) % 4, 0, "channels of a pixel shuffle");
                self.channels(*x) / 4
            }
            Operation::Upsample2(x)
            | Operation::MaxPool2(x)
            | Operation::Relu(x)
            | Operation::Sigmoid(x)
            | Operation::GlobalMean(x)
            | Operation::ChannelMask(x, _) => self.channels(*x),
        };
        self.nodes.push((operation, channels));
        NodeId(self.nodes.len() - 1)
    }

    /// Declares that a layer's map is a result; results are numbered in the order of these calls.
    pub fn output(&mut self, node: NodeId) {
        self.outputs.push(node);
    }

    /// Channels of a layer's map.
    pub fn channels(&self, node: NodeId) -> usize {
        self.nodes[node.0].1
    }

    /// Layers in order.
    pub fn operations(&self) -> impl Iterator<Item = (NodeId, &Operation)> {
        self.nodes
            .iter()
            .enumerate()
            .map(|(index, (operation, _))| (NodeId(index), operation))
    }

    /// What a layer computes.
    pub fn operation(&self, node: NodeId) -> &Operation {
        &self.nodes[node.0].0
    }

    /// Layers whose maps are results.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// Channels of the draw's factors, by slot: what [`Graph::evaluate_f64`] and a plan expect of each draw.
    pub fn mask_channels(&self) -> Vec<usize> {
        let mut slots = Vec::new();
        for (_, operation) in self.operations() {
            if let Operation::ChannelMask(x, slot) = operation {
                if slots.len() <= *slot {
                    slots.resize(slot + 1, 0);
                }
                slots[*slot] = self.channels(*x);
            }
        }
        slots
    }

    /// Shapes of all layers' maps for an image of `rows` × `columns`. Panics where two maps that meet differ in size.
    pub fn shapes(&self, rows: usize, columns: usize) -> Vec<MapShape> {
        let mut shapes: Vec<MapShape> = Vec::with_capacity(self.nodes.len());
        for (operation, channels) in &self.nodes {
            let size = |node: &NodeId| (shapes[node.0].rows, shapes[node.0].columns);
            let (rows, columns) = match operation {
                Operation::Input { .. } => (rows, columns),
                Operation::Convolution(x, node) => {
                    let out = |n: usize| (n + 2 * (node.kernel / 2) - node.kernel) / node.stride + 1;
                    let (rows, columns) = size(x);
                    (out(rows), out(columns))
                }
                Operation::Upsample2(x) | Operation::PixelShuffle2(x) => {
                    let (rows, columns) = size(x);
                    (2 * rows, 2 * columns)
                }
                Operation::MaxPool2(x) => {
                    let (rows, columns) = size(x);
                    (rows / 2, columns / 2)
                }
                Operation::Concatenate(a, b) | Operation::Add(a, b) => {
                    assert_eq!(size(a), size(b), "sizes of maps that meet");
                    size(a)
                }
                Operation::Relu(x) | Operation::Sigmoid(x) | Operation::ChannelMask(x, _) => size(x),
                Operation::GlobalMean(_) => (1, 1),
            };
            shapes.push(MapShape {
                channels: *channels,
                rows,
                columns,
            });
        }
        shapes
    }

    /// Multiply-adds of all convolutions for one image, as plainly computed: what a speed is stated against.
    pub fn multiply_adds(&self, rows: usize, columns: usize) -> u64 {
        let shapes = self.shapes(rows, columns);
        self.operations()
            .map(|(id, operation)| match operation {
                Operation::Convolution(_, node) => {
                    (shapes[id.0].len() * node.kernel * node.kernel * node.channels_in) as u64
                }
                _ => 0,
            })
            .sum()
    }

    /// Every output of one image in f64, by plain loops: slow, and right by inspection.
    ///
    /// Shapes: `image` (channels, rows, columns), `masks` one vector of factors per slot; each output is
    /// (channels, rows, columns). Panics if a length does not fit.
    pub fn evaluate_f64(
        &self,
        image: &[f32],
        (rows, columns): (usize, usize),
        masks: &[Vec<f32>],
    ) -> Vec<Vec<f64>> {
        let shapes = self.shapes(rows, columns);
        let mut maps: Vec<Vec<f64>> = Vec::with_capacity(self.nodes.len());
        for (id, operation) in self.operations() {
            let shape = shapes[id.0];
            let map = match operation {
                Operation::Input { .. } => {
                    assert_eq!(image.len(), shape.len(), "values of the image");
                    image.iter().map(|&v| f64::from(v)).collect()
                }
                Operation::Convolution(x, node) => convolve_f64(node, &maps[x.0], shapes[x.0], shape),
                Operation::Upsample2(x) => gather(shape, |c, r, q| {
                    let from = shapes[x.0];
                    maps[x.0][(c * from.rows + r / 2) * from.columns + q / 2]
                }),
                Operation::MaxPool2(x) => gather(shape, |c, r, q| {
                    let from = shapes[x.0];
                    let at = |i: usize, j: usize| {
                        maps[x.0][(c * from.rows + 2 * r + i) * from.columns + 2 * q + j]
                    };
                    at(0, 0).max(at(0, 1)).max(at(1, 0)).max(at(1, 1))
                }),
                Operation::Concatenate(a, b) => [maps[a.0].as_slice(), maps[b.0].as_slice()].concat(),
                Operation::Add(a, b) => maps[a.0].iter().zip(&maps[b.0]).map(|(a, b)| a + b).collect(),
                Operation::Relu(x) => maps[x.0].iter().map(|v| v.max(0.0)).collect(),
                Operation::Sigmoid(x) => maps[x.0].iter().map(|v| 1.0 / (1.0 + (-v).exp())).collect(),
                Operation::GlobalMean(x) => {
                    let area = shapes[x.0].rows * shapes[x.0].columns;
                    maps[x.0]
                        .chunks_exact(area)
                        .map(|plane| plane.iter().sum::<f64>() / area as f64)
                        .collect()
                }
                Operation::ChannelMask(x, slot) => {
                    assert_eq!(masks[*slot].len(), shape.channels, "factors of a mask");
                    gather(shape, |c, r, q| {
                        f64::from(masks[*slot][c]) * maps[x.0][(c * shape.rows + r) * shape.columns + q]
                    })
                }
                Operation::PixelShuffle2(x) => gather(shape, |c, r, q| {
                    let from = shapes[x.0];
                    let channel = 4 * c + 2 * (r % 2) + q % 2;
                    maps[x.0][(channel * from.rows + r / 2) * from.columns + q / 2]
                }),
            };
            maps.push(map);
        }
        self.outputs.iter().map(|id| maps[id.0].clone()).collect()
    }
}

fn gather(shape: MapShape, value: impl Fn(usize, usize, usize) -> f64) -> Vec<f64> {
    let mut map = Vec::with_capacity(shape.len());
    for channel in 0..shape.channels {
        for row in 0..shape.rows {
            map.extend((0..shape.columns).map(|column| value(channel, row, column)));
        }
    }
    map
}

fn convolve_f64(node: &ConvolutionNode, x: &[f64], from: MapShape, to: MapShape) -> Vec<f64> {
    let pad = (node.kernel / 2) as isize;
    let inside = |at: isize, n: usize| (0..n as isize).contains(&at).then_some(at as usize);
    gather(to, |channel_out, row, column| {
        let mut sum = f64::from(node.bias[channel_out]);
        for i in 0..node.kernel {
            let Some(y) = inside((row * node.stride + i) as isize - pad, from.rows) else {
                continue;
            };
            for j in 0..node.kernel {
                let Some(q) = inside((column * node.stride + j) as isize - pad, from.columns) else {
                    continue;
                };
                for channel in 0..node.channels_in {
                    let tap = (i * node.kernel + j) * node.channels_in + channel;
                    sum += f64::from(node.weights[tap * node.channels_out + channel_out])
                        * x[(channel * from.rows + y) * from.columns + q];
                }
            }
        }
        match node.activation {
            Activation::Identity => sum,
            Activation::Relu => sum.max(0.0),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convolution(kernel: usize, stride: usize, weights: &[f32], bias: f32) -> ConvolutionNode {
        ConvolutionNode {
            channels_in: 1,
            channels_out: 1,
            kernel,
            stride,
            weights: weights.into(),
            bias: [bias].into(),
            activation: Activation::Relu,
        }
    }

    /// A 3 × 3 box filter by hand: corners see four pixels, the middle nine.
    #[test]
    fn plain_convolution_pads_with_zeros() {
        let mut graph = Graph::default();
        let x = graph.push(Operation::Input { channels: 1 });
        let y = graph.push(Operation::Convolution(x, convolution(3, 1, &[1.0; 9], -5.0)));
        graph.output(y);
        let out = graph.evaluate_f64(&[1.0; 9], (3, 3), &[]);
        assert_eq!(out[0], [0.0, 1.0, 0.0, 1.0, 4.0, 1.0, 0.0, 1.0, 0.0]);
        assert_eq!(graph.multiply_adds(3, 3), 81);
    }

    #[test]
    fn shuffle_inverts_the_order_of_its_definition() {
        let mut graph = Graph::default();
        let x = graph.push(Operation::Input { channels: 4 });
        let y = graph.push(Operation::PixelShuffle2(x));
        graph.output(y);
        assert_eq!(
            graph.evaluate_f64(&[1.0, 2.0, 3.0, 4.0], (1, 1), &[])[0],
            [1.0, 2.0, 3.0, 4.0]
        );
    }

    #[test]
    fn masks_are_numbered_by_slot() {
        let mut graph = Graph::default();
        let x = graph.push(Operation::Input { channels: 2 });
        let y = graph.push(Operation::ChannelMask(x, 0));
        graph.output(y);
        assert_eq!(graph.mask_channels(), [2]);
        let out = graph.evaluate_f64(&[1.0, 2.0, 3.0, 4.0], (1, 2), &[vec![0.0, 2.0]]);
        assert_eq!(out[0], [0.0, 0.0, 6.0, 8.0]);
    }
}
