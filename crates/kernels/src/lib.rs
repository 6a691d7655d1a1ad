//! Fused CPU kernels and the candle `CustomOp`s made of them.
//!
//! candle's own convolution runs at 15 % of what a core can do and several of its gradients are
//! wrong (`max_pool2d`, `upsample_nearest2d`), so the layers in use have operations of their own here,
//! each with its own backward pass and a test against finite differences.
//!
//! Invariants: all maps are NHWC (batch, row, column, channel), contiguous `f32`; weights are
//! (kernel row, kernel column, channel in, channel out). The result of a call does not depend on the
//! number of threads. `unsafe` lives in this room alone, in `simd.rs`, `convolution.rs`, `normalization.rs` and `plan`.

mod batch_norm_op;
mod convolution;
mod convolution_op;
mod graph;
mod loss_op;
mod normalization;
mod philox;
mod plan;
mod simd;
mod upsample_op;

pub use batch_norm_op::{BatchMoments, batch_norm};
pub use convolution::{Activation, ConvolutionShape};
pub use convolution_op::{conv2d, conv2d_bias};
pub use graph::{ConvolutionNode, Graph, MapShape, NodeId, Operation};
pub use loss_op::{SegmentationTargets, segmentation_loss, segmentation_loss_reference};
pub use philox::Philox;
pub use plan::{Plan, RealOperations, Workspace};
pub use simd::{Isa, IsaError};
pub use upsample_op::upsample_nearest2;
