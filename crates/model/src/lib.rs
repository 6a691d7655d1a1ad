//! candle networks, deep ensembles and dropout draws, their training, and bundles of them.
//!
//! An architecture is defined once (`network`), as a walk over a `Pass`; training and inference are two passes
//! over the same definition. A draw is a network: the mask of a channel depends on (bundle seed, member, draw, layer,
//! channel) only, so neither tiles nor batches nor threads change a result.
//!
//! Invariants: no candle tensor leaves this room in a public signature but inside `Pass`; every random number comes
//! from a counter-based stream; nothing of a bundle is used before its digest was checked.
#![deny(unsafe_code)]

mod bench;
mod bundle;
mod classifier;
mod device;
mod ensemble;
mod error;
mod input;
mod network;
mod reflection;
mod safetensors_check;
mod segmenter;
mod tiles;
mod train;
mod weights;

pub use bench::{BenchNetwork, InferenceBench, TrainingBench, core_peak};
pub use bundle::{
    Bundle, BundleParts, ClassificationReference, ClassificationTrust, FORMAT_VERSION, Manifest, Part,
    SegmentationTrust, Task, Trust,
};
pub use classifier::{ClassSamples, Classifier, SYMMETRIES};
pub use device::DeviceChoice;
pub use ensemble::Method;
pub use error::{BundleError, ModelError};
pub use input::{CROP_PX, CropNormalization, INPUT_PX, classification_input};
pub use kernels::{Isa, IsaError};
pub use network::{ClassificationNetwork, Network, SegmentationNetwork};
pub use segmenter::{MapSamples, MemberMaps, Segmenter};
pub use train::{
    ClassificationRecipe, ClassificationSample, Modality, SegmentationRecipe, SegmentationSample,
    SegmentationVersion, Step, Verdict, train_classifier, train_segmenter,
};
pub use weights::{Array, Weights};
