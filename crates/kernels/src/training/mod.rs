//! What a training step computes: convolutions and their gradients, and the layers around them.

pub(crate) mod direct;
pub(crate) mod direct_gradient;
pub(crate) mod memory;
pub(crate) mod patches;
pub(crate) mod products;
pub(crate) mod vectors;
pub(crate) mod winograd;
pub(crate) mod winograd_gradient;
pub(crate) mod winograd_transforms;
