//! Weights in the order in which the kernels read them.

use super::multiply::widths;
use super::step::Lanes;
use super::vector::BLOCK;
use super::winograd_input::vanishes_upsampled;
use super::workspace::Buffer;
use crate::graph::ConvolutionNode;
use crate::simd::Isa;

/// Weights with the input channels put where a view has them: (kernel row, kernel column, lane of the view, channel out padded).
fn lane_weights(node: &ConvolutionNode, lanes: &Lanes) -> Vec<f32> {
    let (of_lane, wide) = (lanes.channels(), node.channels_out.next_multiple_of(BLOCK));
    let mut weights = vec![0.0; node.kernel * node.kernel * of_lane.len() * wide];
    for (row, to) in weights.chunks_exact_mut(wide).enumerate() {
        let (tap, lane) = (row / of_lane.len(), row % of_lane.len());
        if let Some(channel) = of_lane[lane] {
            let from = (tap * node.channels_in + channel) * node.channels_out;
            to[..node.channels_out].copy_from_slice(&node.weights[from..from + node.channels_out]);
        }
    }
    weights
}

/// Output blocks that one kernel call takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// First block of outputs.
    pub first: usize,
    /// Blocks of outputs.
    pub blocks: usize,
}

/// Cuts output blocks into groups.
pub(crate) fn groups(isa: Isa, blocks: usize) -> Vec<Group> {
    let mut first = 0;
    widths(isa, blocks)
        .into_iter()
        .map(|blocks| {
            first += blocks;
            Group {
                first: first - blocks,
                blocks,
            }
        })
        .collect()
}

/// One value per output channel, padded with zeros to whole blocks.
pub(crate) fn bias(node: &ConvolutionNode) -> Buffer {
    let mut buffer = Buffer::zeroed(node.channels_out.next_multiple_of(BLOCK));
    buffer.as_mut_slice()[..node.channels_out].copy_from_slice(&node.bias);
    buffer
}

/// Weights of a direct convolution: (group of outputs, tap, block of inputs, 16, outputs of the group).
pub(crate) struct DirectWeights {
    pub groups: Vec<Group>,
    /// Start of each group's weights.
    pub starts: Vec<usize>,
    pub values: Buffer,
    pub bias: Buffer,
}

impl DirectWeights {
    pub fn new(node: &ConvolutionNode, lanes: &Lanes, isa: Isa) -> Self {
        let weights = lane_weights(node, lanes);
        let wide = node.channels_out.next_multiple_of(BLOCK);
        let groups = groups(isa, wide / BLOCK);
        let mut values = Buffer::zeroed(weights.len());
        let mut starts = Vec::new();
        let mut at = 0;
        for group in &groups {
            starts.push(at);
            let width = group.blocks * BLOCK;
            for row in weights.chunks_exact(wide) {
                let from = &row[group.first * BLOCK..][..width];
                values.as_mut_slice()[at..at + width].copy_from_slice(from);
                at += width;
            }
        }
        Self {
            groups,
            starts,
            values,
            bias: bias(node),
        }
    }
}

/// Weights of a first layer: (block of outputs, channel in, kernel row, kernel column, 16).
pub(crate) fn first_layer(node: &ConvolutionNode) -> Buffer {
    let taps = node.kernel * node.kernel;
    let blocks = node.channels_out.div_ceil(BLOCK);
    let mut values = Buffer::zeroed(blocks * node.channels_in * taps * BLOCK);
    let to = values.as_mut_slice();
    for tap in 0..taps {
        for channel in 0..node.channels_in {
            for out in 0..node.channels_out {
                let at = ((out / BLOCK * node.channels_in + channel) * taps + tap) * BLOCK + out % BLOCK;
                to[at] = node.weights[(tap * node.channels_in + channel) * node.channels_out + out];
            }
        }
    }
    values
}

/// How a Winograd convolution is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Tiles of one task.
    pub tiles: usize,
    /// Blocks of inputs whose transforms are held at once.
    pub input_blocks: usize,
    /// Groups of outputs whose products are held at once.
    pub output_groups: usize,
}

/// Transformed weights of F(4 × 4, 3 × 3), computed in f64:
/// (chunk of outputs, chunk of inputs, position, group of outputs, block of inputs, 16, outputs of the group).
pub(crate) struct WinogradWeights {
    pub cut: Cut,
    pub groups: Vec<Group>,
    /// Input blocks that are read as they are; the rest is upsampled, and left out where its transform is zero.
    pub plain: usize,
    /// Input blocks.
    pub inputs: usize,
    /// Start by (chunk of outputs, chunk of inputs, position, group in the chunk), and the end.
    pub starts: Vec<usize>,
    pub values: Buffer,
    pub bias: Buffer,
}

const G: [[f64; 3]; 6] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// G w G' of one 3 × 3 kernel.
fn transformed(w: [f64; 9]) -> [f64; 36] {
    let mut rows = [[0.0; 3]; 6];
    for (i, row) in rows.iter_mut().enumerate() {
        for (j, value) in row.iter_mut().enumerate() {
            *value = (0..3).map(|k| G[i][k] * w[3 * k + j]).sum();
        }
    }
    std::array::from_fn(|position| (0..3).map(|k| rows[position / 6][k] * G[position % 6][k]).sum())
}

impl WinogradWeights {
    /// `order`: the view's block for each block as it is read, plain ones first.
    pub fn new(
        node: &ConvolutionNode,
        lanes: &Lanes,
        order: &[usize],
        plain: usize,
        isa: Isa,
        cut: Cut,
    ) -> Self {
        let weights = lane_weights(node, lanes);
        let (view_lanes, wide) = (lanes.blocks() * BLOCK, node.channels_out.next_multiple_of(BLOCK));
        let groups = groups(isa, wide / BLOCK);
        let mut all = vec![0.0f32; 36 * view_lanes * wide];
        for lane in 0..view_lanes {
            for out in 0..wide {
                let taps =
                    std::array::from_fn(|tap| f64::from(weights[(tap * view_lanes + lane) * wide + out]));
                for (position, value) in transformed(taps).into_iter().enumerate() {
                    all[(position * view_lanes + lane) * wide + out] = value as f32;
                }
            }
        }
        let mut values = Vec::with_capacity(all.len());
        let mut starts = Vec::new();
        for outputs in groups.chunks(cut.output_groups) {
            for first in (0..order.len()).step_by(cut.input_blocks) {
                for position in 0..36 {
                    let last = kept(first, cut.input_blocks, order.len(), plain, position);
                    for group in outputs {
                        starts.push(values.len());
                        for &block in &order[first..last] {
                            for lane in block * BLOCK..(block + 1) * BLOCK {
                                let row = &all[(position * view_lanes + lane) * wide..][..wide];
                                values.extend_from_slice(&row[group.first * BLOCK..][..group.blocks * BLOCK]);
                            }
                        }
                    }
                }
            }
        }
        starts.push(values.len());
        Self {
            cut,
            groups,
            plain,
            inputs: order.len(),
            starts,
            values: Buffer::from_slice(&values),
            bias: bias(node),
        }
    }

    /// End of the input blocks of the chunk from `first` on that have a part at this position.
    pub fn kept(&self, first: usize, position: usize) -> usize {
        kept(first, self.cut.input_blocks, self.inputs, self.plain, position)
    }

    /// Chunks of inputs.
    pub fn input_chunks(&self) -> usize {
        self.inputs.div_ceil(self.cut.input_blocks)
    }

    /// Products of weights and values per tile.
    pub fn products(&self) -> usize {
        *self.starts.last().unwrap_or(&0)
    }
}

fn kept(first: usize, chunk: usize, inputs: usize, plain: usize, position: usize) -> usize {
    let last = (first + chunk).min(inputs);
    if vanishes_upsampled(position) {
        last.min(plain).max(first)
    } else {
        last
    }
}
