//! What a training step computes: convolutions and their gradients, and the layers around them.

mod batch_norm_op;
mod convolution_op;
pub(crate) mod direct;
pub(crate) mod direct_gradient;
mod layer_op;
mod loss_op;
mod memory;
mod normalization;
pub(crate) mod patches;
mod products;
mod tensors;
mod upsample_op;
mod vectors;
pub(crate) mod winograd;
pub(crate) mod winograd_gradient;
pub(crate) mod winograd_transforms;

pub use batch_norm_op::{BatchMoments, batch_norm};
pub use convolution_op::{conv2d, conv2d_bias, conv2d_linear};
pub use layer_op::{LayerOptions, convolution_layer};
pub use loss_op::{SegmentationTargets, segmentation_loss, segmentation_loss_reference};
pub use memory::release_training_memory;
pub use upsample_op::upsample_nearest2;
