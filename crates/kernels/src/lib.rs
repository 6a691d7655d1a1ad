//! Fused CPU kernels and the candle `CustomOp`s made of them.
//!
//! candle's own convolution runs at 15 % of what a core can do and several of its gradients are
//! wrong (`max_pool2d`, `upsample_nearest2d`), so the layers in use have operations of their own here,
//! each with its own backward pass and a test against finite differences.
//!
//! Invariants: all maps are NHWC (batch, row, column, channel), contiguous `f32`; weights are
//! (kernel row, kernel column, channel in, channel out). The result of a call does not depend on the
//! number of threads. `unsafe` lives in this room alone.

mod convolution;
mod graph;
mod peak;
mod philox;
mod plan;
mod simd;
mod training;

pub use convolution::{Activation, ConvolutionShape};
pub use graph::{ConvolutionNode, Graph, MapShape, NodeId, Operation};
pub use peak::fused_multiply_add_peak;
pub use philox::Philox;
pub use plan::{Plan, RealOperations, Workspace};
pub use simd::{Isa, IsaError};
pub use training::{
    AdamwStep, BatchMoments, LayerOptions, SegmentationTargets, TrainingMemory, adamw_step, batch_norm,
    channel_dropout, concatenate, conv2d, conv2d_bias, conv2d_linear, convolution_layer, global_mean,
    max_pool2, relu, segmentation_loss, segmentation_loss_reference, upsample_bilinear2, upsample_nearest2,
};
