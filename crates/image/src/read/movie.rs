//! Movies in one file: the pages of a TIFF as frames.

use std::path::Path;

use ndarray::Array2;

use super::labels::numbers;
use super::raw::{PlainPages, Purpose};
use super::{ReadImage, ReadLimits, intensity, read_raw};
use crate::error::ImageError;

/// Reads all planes of a file that the caller says is a movie: as [`super::read_image`], but pages of a TIFF that no description
/// explains are the planes in their order.
///
/// Errors: as [`super::read_image`], but for unexplained pages.
pub fn read_movie(path: &Path, limits: &ReadLimits) -> Result<ReadImage, ImageError> {
    let raw = read_raw(path, limits, Purpose::Intensities, PlainPages::Frames)?;
    intensity::to_intensities(raw).map_err(|fault| fault.at(path))
}

/// Reads the label images of a movie in one file, a plane a frame, numbers as in the file.
///
/// Errors: as [`super::read_label_map`], but for several planes.
pub fn read_label_movie(path: &Path, limits: &ReadLimits) -> Result<Vec<Array2<u32>>, ImageError> {
    numbers(read_raw(path, limits, Purpose::Labels, PlainPages::Frames)?, path)
}
