//! Training of one member: data order, augmentation, loss, optimiser, checkpoints.

mod adamw;
mod checkpoint;
mod classification;
mod run;
mod segmentation;
mod segmentation_crop;

pub(crate) use adamw::AdamW;
pub(crate) use checkpoint::{floats_of as floats, to_safetensors};
pub use classification::{ClassificationRecipe, ClassificationSample, train_classifier};
pub use run::{Step, Verdict};
pub use segmentation::{SegmentationRecipe, train_segmenter};
pub use segmentation_crop::{Modality, SegmentationSample, SegmentationVersion};
