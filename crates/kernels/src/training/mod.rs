//! What a training step computes: convolutions and their gradients, and the layers around them.

mod adamw_op;
mod batch_norm_op;
mod convolution_op;
pub(crate) mod direct;
pub(crate) mod direct_gradient;
mod layer_op;
mod loss_op;
mod map_ops;
mod memory;
mod normalization;
mod normalization_gradient;
pub(crate) mod patches;
mod pool_op;
mod products;
mod tensors;
mod upsample_op;
mod vectors;
pub(crate) mod winograd;
pub(crate) mod winograd_gradient;
pub(crate) mod winograd_transforms;

pub use adamw_op::{AdamwStep, adamw_step};
pub use batch_norm_op::{BatchMoments, batch_norm};
pub use convolution_op::{conv2d, conv2d_bias, conv2d_linear};
pub use layer_op::{LayerOptions, convolution_layer};
pub use loss_op::{SegmentationTargets, segmentation_loss, segmentation_loss_reference};
pub use map_ops::{channel_dropout, concatenate, global_mean, relu};
pub use memory::TrainingMemory;
pub use pool_op::max_pool2;
pub use upsample_op::{upsample_bilinear2, upsample_nearest2};
