//! What a plan consists of: steps, the maps that they read and write, and how channels lie in them.

use super::vector::BLOCK;
use crate::graph::{ConvolutionNode, NodeId};

/// Place of a map in [`Steps::maps`].
pub(crate) type MapId = usize;

/// How channels lie in blocks of sixteen: runs of channels, each of which starts a new block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lanes(pub Vec<usize>);

impl Lanes {
    /// Blocks of sixteen.
    pub fn blocks(&self) -> usize {
        self.0.iter().map(|run| run.div_ceil(BLOCK)).sum()
    }

    /// The channel in each lane, block by block; none where a block is not full.
    pub fn channels(&self) -> Vec<Option<usize>> {
        let mut lanes = Vec::with_capacity(self.blocks() * BLOCK);
        let mut channel = 0;
        for &run in &self.0 {
            lanes.extend((channel..channel + run).map(Some));
            lanes.resize(lanes.len().next_multiple_of(BLOCK), None);
            channel += run;
        }
        lanes
    }

    /// The lane of each channel.
    pub fn lanes(&self) -> Vec<usize> {
        let of_lane = self.channels();
        (0..of_lane.len())
            .filter(|&lane| of_lane[lane].is_some())
            .collect()
    }
}

/// A map that is stored, in blocks of sixteen channels.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    /// The layer whose shape it has.
    pub node: NodeId,
    /// Its channels.
    pub lanes: Lanes,
    /// Whether it differs from draw to draw.
    pub drawn: bool,
}

/// A stored map as it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub map: MapId,
    /// Each pixel stands for 2 × 2.
    pub upsampled: bool,
    /// Slot of the factors that its channels are multiplied by.
    pub mask: Option<usize>,
}

/// A sum of stored maps with equal lanes.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub terms: Vec<Term>,
    pub lanes: Lanes,
}

impl Source {
    /// The map that it is, if it is one map as it is.
    pub fn plain(&self) -> Option<MapId> {
        match self.terms[..] {
            [
                Term {
                    map,
                    upsampled: false,
                    mask: None,
                },
            ] => Some(map),
            _ => None,
        }
    }

    /// What a Winograd input transform reads: at most one map as it is and at most one upsampled map.
    pub fn fits_winograd(&self) -> bool {
        let upsampled = self.terms.iter().filter(|term| term.upsampled).count();
        upsampled <= 1 && self.terms.len() - upsampled <= 1
    }
}

/// Values as a concatenation of sources.
pub(crate) type View = Vec<Source>;

/// What follows a convolution's sums.
#[derive(Clone, Debug, Default)]
pub(crate) struct Epilogue {
    /// Added before the activation.
    pub residual: Option<MapId>,
    pub relu: bool,
    /// Where the map is stored, if it is read as a whole.
    pub full: Option<MapId>,
    /// Where the maxima of its 2 × 2 windows are stored.
    pub pooled: Option<MapId>,
}

/// What a plain step computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pointwise {
    Copy,
    Relu,
    Sigmoid,
}

/// A last 1 × 1 convolution that takes a convolution's pixels at once and stores them as a result.
#[derive(Clone, Debug)]
pub(crate) struct HeadStep {
    pub node: ConvolutionNode,
    pub output: usize,
    pub sigmoid: bool,
    pub shuffle: bool,
}

/// One step of a plan.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The image, as a blocked map.
    Pack { to: MapId },
    /// A convolution of the planar image.
    First { node: ConvolutionNode, to: Epilogue },
    /// A convolution of a view.
    Convolve {
        node: ConvolutionNode,
        view: View,
        winograd: bool,
        to: Epilogue,
        head: Option<HeadStep>,
    },
    /// A view, stored.
    Store {
        view: View,
        function: Pointwise,
        to: MapId,
    },
    /// Maxima of 2 × 2 windows.
    Pool { from: MapId, to: MapId },
    /// Mean over rows and columns.
    Mean { from: MapId, to: MapId },
    /// (4 c, rows, columns) to (c, 2 rows, 2 columns).
    Shuffle { from: MapId, to: MapId },
    /// A result, as planar maps.
    Emit {
        from: MapId,
        output: usize,
        sigmoid: bool,
        shuffle: bool,
    },
}

impl Step {
    /// Maps that it reads.
    pub fn reads(&self) -> Vec<MapId> {
        let of =
            |view: &View| -> Vec<MapId> { view.iter().flat_map(|s| s.terms.iter().map(|t| t.map)).collect() };
        match self {
            Self::Pack { .. } => Vec::new(),
            Self::First { to, .. } => to.residual.into_iter().collect(),
            Self::Convolve { view, to, .. } => of(view).into_iter().chain(to.residual).collect(),
            Self::Store { view, .. } => of(view),
            Self::Pool { from, .. } | Self::Mean { from, .. } | Self::Shuffle { from, .. } => vec![*from],
            Self::Emit { from, .. } => vec![*from],
        }
    }

    /// Maps that it writes.
    pub fn writes(&self) -> Vec<MapId> {
        match self {
            Self::First { to, .. } | Self::Convolve { to, .. } => {
                to.full.into_iter().chain(to.pooled).collect()
            }
            Self::Pack { to } | Self::Store { to, .. } | Self::Pool { to, .. } => vec![*to],
            Self::Mean { to, .. } | Self::Shuffle { to, .. } => vec![*to],
            Self::Emit { .. } => Vec::new(),
        }
    }
}

/// A result of the network.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// The layer whose shape it has.
    pub node: NodeId,
    pub drawn: bool,
}

/// A network as steps, those that no mask reaches first.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    pub steps: Vec<Step>,
    /// How many steps no mask reaches.
    pub shared: usize,
    pub maps: Vec<Map>,
    pub outputs: Vec<Output>,
    pub image_channels: usize,
}
