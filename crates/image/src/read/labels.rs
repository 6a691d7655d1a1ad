//! Label images: whole numbers, read and written exactly.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use ndarray::Array2;
use tiff::TiffError;
use tiff::encoder::colortype::{Gray16, Gray32};
use tiff::encoder::{Compression, DeflateLevel, TiffEncoder};

use super::raw::{PlainPages, Purpose, RawImage, Samples};
use super::{ReadLimits, read_raw};
use crate::Labels;
use crate::error::ImageError;

/// Reads a label image exactly as its integers: height × width, 0 is background, numbers as in the file.
///
/// The numbers of a palette image are its indices, floating point is taken where it holds nothing but whole numbers, and
/// WhiteIsZero inverts nothing.
/// Errors: as [`super::read_image`]; [`ImageError::NotLabels`] for several planes, lossy formats, fractions or values below 0.
pub fn read_label_map(path: &Path, limits: &ReadLimits) -> Result<Array2<u32>, ImageError> {
    let raw = read_raw(path, limits, Purpose::Labels, PlainPages::Refused)?;
    let n_planes = raw.planes.len();
    let mut planes = numbers(raw, path)?.into_iter();
    match (planes.next(), planes.next()) {
        (Some(plane), None) => Ok(plane),
        _ => Err(ImageError::NotLabels {
            path: path.to_path_buf(),
            what: format!("it has {n_planes} planes"),
        }),
    }
}

/// The planes of a file as whole numbers.
///
/// Errors: [`ImageError::NotLabels`] for lossy formats, fractions or values below 0.
pub(super) fn numbers(raw: RawImage, path: &Path) -> Result<Vec<Array2<u32>>, ImageError> {
    let not_labels = |what: String| ImageError::NotLabels {
        path: path.to_path_buf(),
        what,
    };
    if raw.is_lossy {
        return Err(not_labels(
            "JPEG compression is lossy and changes the numbers".to_owned(),
        ));
    }
    let shape = (raw.height as usize, raw.width as usize);
    let plane = |samples: Samples| {
        let numbers: Vec<u32> = match samples {
            Samples::Unsigned(values) => values,
            Samples::Signed(values) => values
                .into_iter()
                .map(|value| {
                    u32::try_from(value)
                        .map_err(|_| not_labels(format!("it holds the negative number {value}")))
                })
                .collect::<Result<_, _>>()?,
            Samples::Float(values) => values
                .into_iter()
                .map(|value| {
                    let number = value as u32;
                    let is_whole = f64::from(number) == value;
                    is_whole
                        .then_some(number)
                        .ok_or_else(|| not_labels(format!("it holds {value}, which is no label number")))
                })
                .collect::<Result<_, _>>()?,
        };
        Array2::from_shape_vec(shape, numbers)
            .map_err(|_| not_labels("it has fewer pixels than its header says".to_owned()))
    };
    raw.planes.into_iter().map(plane).collect()
}

/// Reads a label image and numbers its objects 1..=n in reading order of their first pixel.
///
/// Errors: as [`read_label_map`].
pub fn read_labels(path: &Path, limits: &ReadLimits) -> Result<Labels, ImageError> {
    read_label_map(path, limits).map(Labels::relabel)
}

/// Writes a label image as a TIFF of 16 bits, 32 bits above 65 535 objects, compressed without loss (deflate).
///
/// The file gets a temporary name in the same folder, is synced and then renamed, so that `path` is always a whole file.
/// Errors: [`ImageError::Unwritable`]; also for an image without pixels.
pub fn write_labels(path: &Path, labels: &Labels) -> Result<(), ImageError> {
    let temporary = temporary_name(path);
    let written = write_to(&temporary, labels).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|source| {
        // What is left of the attempt is of no use; that it cannot be removed changes nothing about the error.
        let _ = fs::remove_file(&temporary);
        ImageError::Unwritable {
            path: path.to_path_buf(),
            source,
        }
    })
}

/// A name beside `path` that no other writer of this program uses at the same time.
fn temporary_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

fn write_to(path: &Path, labels: &Labels) -> io::Result<()> {
    let (height, width) = labels.map.dim();
    let side = |n: usize| u32::try_from(n).map_err(|_| io::Error::other("the image is too large for a TIFF"));
    let (height, width) = (side(height)?, side(width)?);
    if height == 0 || width == 0 {
        return Err(io::Error::other(format!(
            "the label image has {width} x {height} pixels"
        )));
    }
    let mut out = BufWriter::new(File::create(path)?);
    let encoder = TiffEncoder::new(&mut out).map_err(plain)?;
    let mut encoder = encoder.with_compression(Compression::Deflate(DeflateLevel::default()));
    let narrow: Result<Vec<u16>, _> = labels.map.iter().map(|&number| u16::try_from(number)).collect();
    match narrow {
        Ok(numbers) => encoder
            .write_image::<Gray16>(width, height, &numbers)
            .map_err(plain)?,
        Err(_) => {
            let numbers: Vec<u32> = labels.map.iter().copied().collect();
            encoder
                .write_image::<Gray32>(width, height, &numbers)
                .map_err(plain)?;
        }
    }
    out.flush()?;
    out.get_ref().sync_all()
}

fn plain(error: TiffError) -> io::Error {
    match error {
        TiffError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
