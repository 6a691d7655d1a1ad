//! Room `image`: pixels in, label images out.
//!
//! Reads microscopy images (TIFF, PNG, JPEG), normalizes them, turns the maps of a segmentation network into objects,
//! and compares, draws and judges label images. Arrays are ndarray, rows × columns; points are (row, column) with
//! pixel centres at whole numbers; intensities of integer images are in [0, 1] of the sensor's range.
//!
//! **Invariants.** Only `read` touches files. [`Labels`] are dense and in reading order. Every function gives the same
//! bytes for the same input: ties are broken by position.
//!
//! **Not here:** features of objects (`measure`), networks (`model`), what a plate is (`plate`).
#![forbid(unsafe_code)]

mod agreement;
mod assignment;
mod components;
mod decode;
mod distance;
mod error;
mod labels;
mod matching;
mod normalize;
mod otsu;
mod outline;
mod percentile;
mod picture;
mod quality;
mod read;
mod resample;
mod targets;
mod watershed;

pub use agreement::{BORDER_BAND_PX, FOUND_AT_IOU, agreement, border_entropy, mean_inside, mean_map};
pub use components::{Connectivity, connected_components};
pub use decode::{DecodeParams, decode_touch};
pub use distance::{Beyond, distance_in_objects, distance_transform};
pub use error::ImageError;
pub use labels::{Labels, PixelBox};
pub use matching::{ApCounts, average_precision, match_iou, match_one_to_one, overlaps};
pub use normalize::{HIGH_PERCENTILE, LOW_PERCENTILE, NORMALIZED_RANGE, Normalized, normalize_nuclear};
pub use otsu::{gaussian_blur, otsu, segment_otsu};
pub use outline::outline_mask;
pub use percentile::percentiles;
pub use picture::{common_contrast, encode_png_gray, encode_png_rgb, paint_mask, to_u8};
pub use quality::{Quality, object_quality, quality};
pub use read::{
    ImageFormat, PlaneAxes, ReadImage, ReadImageInfo, ReadLimits, read_gray, read_image, read_label_map,
    read_label_movie, read_labels, read_movie, write_labels,
};
pub use resample::{Affine, crop_at, resample, resample_nearest};
pub use targets::segmentation_targets;
pub use watershed::watershed;
