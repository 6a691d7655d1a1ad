//! The one definition of each architecture, as a walk over a [`Pass`].

mod classification;
mod folded;
mod inference;
mod plan;
mod reference;
mod segmentation;
mod training;

use candle_core::Result;
use serde::{Deserialize, Serialize};

pub use classification::ClassificationNetwork;
pub(crate) use inference::{Draw, InferencePass};
pub(crate) use plan::{GraphPass, Recorded};
pub(crate) use reference::{ReferenceResnet, ReferenceUnet};
pub use segmentation::SegmentationNetwork;
pub(crate) use training::{Parameters, TrainingPass};

/// An architecture with its sizes, as a bundle's manifest holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "architecture", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Network {
    /// A U-Net-like network from an image to four maps.
    Segmentation(SegmentationNetwork),
    /// A small residual network from a crop to classes.
    Classification(ClassificationNetwork),
}

/// A convolution without bias, batch normalisation, and ReLU if asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConvolutionLayer {
    pub channels: usize,
    pub kernel: usize,
    pub stride: usize,
    pub relu: bool,
}

/// What a definition may do with maps; training and inference each implement it once.
pub(crate) trait Pass {
    /// An NHWC map, or rows × features after `global_mean`.
    type Map: Clone;
    fn convolution(&mut self, name: &str, x: &Self::Map, layer: ConvolutionLayer) -> Result<Self::Map>;
    /// 1×1 convolution or matrix product with bias, no normalisation: the last layer of a network.
    fn linear(&mut self, name: &str, x: &Self::Map, channels: usize) -> Result<Self::Map>;
    /// Drops whole channels with probability `rate`, and scales the others by 1 / (1 - rate).
    fn channel_dropout(&mut self, layer: u32, x: &Self::Map, rate: f32) -> Result<Self::Map>;
    fn add(&mut self, a: &Self::Map, b: &Self::Map) -> Result<Self::Map>;
    fn relu(&mut self, x: &Self::Map) -> Result<Self::Map>;
    /// Each pixel repeated to 2 × 2 pixels.
    fn upsample2(&mut self, x: &Self::Map) -> Result<Self::Map>;
    /// Maximum of each 2 × 2 window; an odd last row or column is left out.
    fn max_pool2(&mut self, x: &Self::Map) -> Result<Self::Map>;
    /// Channels of `a`, then of `b`.
    fn concatenate(&mut self, a: &Self::Map, b: &Self::Map) -> Result<Self::Map>;
    fn global_mean(&mut self, x: &Self::Map) -> Result<Self::Map>;
    /// Channels of a map.
    fn channels(&self, x: &Self::Map) -> Result<usize>;
}
