//! Networks with pseudo-random weights, as graphs.
#![allow(dead_code)]

use kernels::{Activation, ConvolutionNode, Graph, NodeId, Operation};

/// A stream of values in [-1, 1): Knuth's linear congruential generator, for weights and images.
pub struct Values(pub u64);

impl Values {
    pub fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub fn take(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

pub struct Network {
    pub graph: Graph,
    values: Values,
}

impl Network {
    pub fn new(seed: u64) -> Self {
        Self {
            graph: Graph::default(),
            values: Values(seed),
        }
    }

    pub fn push(&mut self, operation: Operation) -> NodeId {
        self.graph.push(operation)
    }

    pub fn input(&mut self, channels: usize) -> NodeId {
        self.push(Operation::Input { channels })
    }

    pub fn conv(
        &mut self,
        x: NodeId,
        channels_out: usize,
        kernel: usize,
        stride: usize,
        relu: bool,
    ) -> NodeId {
        let channels_in = self.graph.channels(x);
        let taps = kernel * kernel * channels_in;
        let scale = (6.0 / taps as f32).sqrt();
        let weights: Vec<f32> = self
            .values
            .take(taps * channels_out)
            .iter()
            .map(|v| v * scale)
            .collect();
        let bias: Vec<f32> = self.values.take(channels_out).iter().map(|v| v * 0.1).collect();
        let node = ConvolutionNode {
            channels_in,
            channels_out,
            kernel,
            stride,
            weights: weights.into(),
            bias: bias.into(),
            activation: if relu {
                Activation::Relu
            } else {
                Activation::Identity
            },
        };
        self.push(Operation::Convolution(x, node))
    }
}

/// Widths doubling from `width`, three levels of pooling, skips by concatenation.
pub fn unet(width: usize) -> Graph {
    let mut n = Network::new(1);
    let mut x = n.input(3);
    let mut skips = Vec::new();
    for level in 0..4 {
        if level > 0 {
            x = n.push(Operation::MaxPool2(x));
        }
        x = n.conv(x, width << level, 3, 1, true);
        x = n.conv(x, width << level, 3, 1, true);
        skips.push(x);
    }
    for level in (0..3).rev() {
        let up = n.push(Operation::Upsample2(x));
        x = n.push(Operation::Concatenate(skips[level], up));
        x = n.conv(x, width << level, 3, 1, true);
        x = n.conv(x, width << level, 3, 1, true);
    }
    let out = n.conv(x, 3, 1, 1, false);
    n.graph.output(out);
    n.graph
}

/// Residual blocks behind a pooled stem (or a strided one), mean, linear layer behind a mask.
pub fn resnet(
    image_channels: usize,
    width: usize,
    strided_stem: bool,
    blocks: usize,
    classes: usize,
) -> Graph {
    let mut n = Network::new(2);
    let x = n.input(image_channels);
    let mut x = n.conv(x, width, 3, if strided_stem { 2 } else { 1 }, true);
    if !strided_stem {
        x = n.push(Operation::MaxPool2(x));
    }
    for stage in 0..4 {
        for block in 0..blocks {
            let (channels, stride) = (width << stage, if stage > 0 && block == 0 { 2 } else { 1 });
            let inner = n.conv(x, channels, 3, stride, true);
            let inner = n.conv(inner, channels, 3, 1, false);
            let shortcut = if stride != 1 {
                n.conv(x, channels, 1, stride, false)
            } else {
                x
            };
            let sum = n.push(Operation::Add(inner, shortcut));
            x = n.push(Operation::Relu(sum));
        }
    }
    let mean = n.push(Operation::GlobalMean(x));
    let kept = n.push(Operation::ChannelMask(mean, 0));
    let out = n.conv(kept, classes, 1, 1, false);
    n.graph.output(mean);
    n.graph.output(out);
    n.graph
}

/// Strided encoder, decoder that adds skips, mask before the last level, shuffled head.
pub fn segmentation() -> Graph {
    let widths = [16, 32, 48, 64];
    let mut n = Network::new(3);
    let mut x = n.input(1);
    let mut levels = Vec::new();
    for width in widths {
        x = n.conv(x, width, 3, 2, true);
        x = n.conv(x, width, 3, 1, true);
        levels.push(x);
    }
    for level in (0..3).rev() {
        x = n.conv(x, widths[level], 1, 1, true);
        if level == 0 {
            x = n.push(Operation::ChannelMask(x, 0));
        }
        x = n.push(Operation::Upsample2(x));
        x = n.push(Operation::Add(x, levels[level]));
        x = n.conv(x, widths[level], 3, 1, true);
    }
    let head = n.conv(x, 16, 1, 1, false);
    let shuffled = n.push(Operation::PixelShuffle2(head));
    let out = n.push(Operation::Sigmoid(shuffled));
    n.graph.output(out);
    n.graph
}

/// Every layer in places where no pattern of fusion fits.
pub fn odd() -> Graph {
    let mut n = Network::new(4);
    let x = n.input(3);
    let masked = n.push(Operation::ChannelMask(x, 1));
    let five = n.conv(masked, 10, 5, 1, true);
    let six = n.conv(x, 6, 3, 1, false);
    let both = n.push(Operation::Concatenate(five, six));
    let sixteen = n.conv(both, 16, 3, 1, false);
    let sum = n.push(Operation::Add(both, sixteen));
    let sum = n.push(Operation::Add(sum, sum));
    let sigmoid = n.push(Operation::Sigmoid(sum));
    let pooled = n.push(Operation::MaxPool2(sigmoid));
    let three = n.conv(pooled, 50, 3, 1, true);
    let three = n.push(Operation::MaxPool2(three));
    let up = n.push(Operation::Upsample2(three));
    let up = n.push(Operation::Upsample2(up));
    let wide = n.conv(up, 20, 3, 1, false);
    let again = n.push(Operation::ChannelMask(wide, 0));
    let again = n.push(Operation::ChannelMask(again, 0));
    let thin = n.conv(again, 8, 3, 3, false);
    let shuffled = n.push(Operation::PixelShuffle2(thin));
    let relu = n.push(Operation::Relu(shuffled));
    let one = n.conv(relu, 1, 1, 1, true);
    n.graph.output(one);
    n.graph.output(six);
    n.graph.output(relu);
    n.graph.output(pooled);
    n.graph
}
