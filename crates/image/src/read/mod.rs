//! Files to pixels: TIFF, PNG and JPEG, told apart by content.
//!
//! A decoder sees bytes and gives [`raw::RawImage`] or a [`fault::Fault`]; the path is known only here, in `file` and, for the
//! files that an OME-TIFF refers to, in `tiff`. The whole file is in memory before it is looked at, so that every offset is
//! checked against what is there.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used)]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used)
)]

mod fault;
mod file;
mod intensity;
mod jpeg;
mod labels;
mod movie;
mod png;
mod raw;
mod tiff;

use std::path::Path;

use ndarray::Array2;

pub use self::labels::{read_label_map, read_labels, write_labels};
pub use self::movie::{read_label_movie, read_movie};
use self::raw::{PlainPages, Purpose, RawImage};
use crate::error::ImageError;

/// What a file may ask for at most. Checked on its header, before anything is allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Longest side in pixels.
    pub max_side_px: u32,
    /// Pixels of one plane.
    pub max_plane_px: u64,
    /// Samples of all planes together (4 bytes each once read).
    pub max_samples: u64,
    /// Planes of one file.
    pub max_planes: u32,
    /// Size of the file in bytes.
    pub max_file_bytes: u64,
}

impl Default for ReadLimits {
    /// 65 500 px a side, 2^27 px a plane, 2^28 samples, 1024 planes, 4 GiB a file.
    fn default() -> Self {
        Self {
            max_side_px: 65_500,
            max_plane_px: 1 << 27,
            max_samples: 1 << 28,
            max_planes: 1024,
            max_file_bytes: 4 << 30,
        }
    }
}

/// File formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageFormat {
    /// Portable network graphics.
    Png,
    /// TIFF or BigTIFF.
    Tiff,
    /// JPEG (lossy).
    Jpeg,
}

impl ImageFormat {
    /// The format's usual name: `PNG`, `TIFF`, `JPEG`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Tiff => "TIFF",
            Self::Jpeg => "JPEG",
        }
    }
}

/// What the planes of a file mean, where the file says so (ImageJ or OME). Channels run fastest, then focal planes, then time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PlaneAxes {
    /// Channels.
    pub channels: u32,
    /// Focal planes.
    pub slices: u32,
    /// Time points.
    pub frames: u32,
}

/// Everything about an image but its pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadImageInfo {
    /// Format of the content (not of the name).
    pub format: ImageFormat,
    /// Height in pixels.
    pub height_px: usize,
    /// Width in pixels.
    pub width_px: usize,
    /// Number of planes in the file as read (1 gray, 3 RGB, n otherwise).
    pub planes: usize,
    /// The sample value that became 1.0 (255, 4095, 65535, …); `None` for floating point, which is kept as it is.
    pub full_scale: Option<f32>,
    /// Bits a sample in the file.
    pub bits: u16,
    /// Pixel size in µm where the file states a plausible one.
    pub pixel_size_um: Option<f32>,
    /// Channel names where the file states them (OME); plain text, to be escaped by whoever shows them.
    pub channel_names: Vec<String>,
    /// Meaning of the planes where the file states it.
    pub axes: Option<PlaneAxes>,
    /// Oddities that do not stop the reading, one sentence each, without the file's name.
    pub warnings: Vec<String>,
}

/// An image as it lies in its file.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadImage {
    /// Planes of equal shape (height × width): 1 gray, 3 RGB, n in the order of `axes`, else of the file. Integers are scaled to
    /// [0, 1] of the sample type's range (signed ones keep values below 0); floating point is as it is, always finite.
    pub planes: Vec<Array2<f32>>,
    /// See [`ReadImageInfo::format`].
    pub format: ImageFormat,
    /// See [`ReadImageInfo::full_scale`].
    pub full_scale: Option<f32>,
    /// See [`ReadImageInfo::bits`].
    pub bits: u16,
    /// See [`ReadImageInfo::pixel_size_um`].
    pub pixel_size_um: Option<f32>,
    /// See [`ReadImageInfo::channel_names`].
    pub channel_names: Vec<String>,
    /// See [`ReadImageInfo::axes`].
    pub axes: Option<PlaneAxes>,
    /// True when three planes are red, green and blue of one picture.
    pub is_rgb: bool,
    /// See [`ReadImageInfo::warnings`].
    pub warnings: Vec<String>,
}

impl ReadImage {
    /// Everything but the pixels.
    pub fn info(&self) -> ReadImageInfo {
        let (height_px, width_px) = self.planes.first().map_or((0, 0), Array2::dim);
        ReadImageInfo {
            format: self.format,
            height_px,
            width_px,
            planes: self.planes.len(),
            full_scale: self.full_scale,
            bits: self.bits,
            pixel_size_um: self.pixel_size_um,
            channel_names: self.channel_names.clone(),
            axes: self.axes,
            warnings: self.warnings.clone(),
        }
    }

    /// The same image with another sample value as 1.0: 4095 for a 12-bit camera whose file says nothing about it.
    ///
    /// `full_scale` must be finite and above 0, else the image is returned as it was; so is floating point, which has no scale.
    pub fn with_full_scale(mut self, full_scale: f32) -> Self {
        if let Some(old) = self.full_scale
            && full_scale.is_finite()
            && full_scale > 0.0
        {
            let factor = f64::from(old) / f64::from(full_scale);
            for plane in &mut self.planes {
                plane.mapv_inplace(|value| (f64::from(value) * factor) as f32);
            }
            self.full_scale = Some(full_scale);
        }
        self
    }
}

/// Reads all planes of an image file; the content decides on the format, the extension only earns a warning.
///
/// Missing values: pixels that are not finite take the value of the nearest finite one, with a warning that counts them.
/// Errors: see [`ImageError`]; a file that is cut, damaged, ambiguous or over `limits` is never read in part.
/// Cost: the file and its samples are in memory at once.
pub fn read_image(path: &Path, limits: &ReadLimits) -> Result<ReadImage, ImageError> {
    let raw = read_raw(path, limits, Purpose::Intensities, PlainPages::Refused)?;
    intensity::to_intensities(raw).map_err(|fault| fault.at(path))
}

/// Reads an image that is one gray plane (RGB becomes the mean of its three planes).
///
/// Errors: as [`read_image`]; [`ImageError::NotOnePlane`] where there are several planes that are not RGB.
pub fn read_gray(path: &Path, limits: &ReadLimits) -> Result<(Array2<f32>, ReadImageInfo), ImageError> {
    let image = read_image(path, limits)?;
    let info = image.info();
    let n_planes = image.planes.len();
    let mut planes = image.planes.into_iter();
    let gray = match (planes.next(), planes.next(), planes.next()) {
        (Some(plane), None, None) => plane,
        (Some(mut red), Some(green), Some(blue)) if image.is_rgb => {
            // In f64, so that three equal planes give exactly that plane.
            ndarray::Zip::from(&mut red)
                .and(&green)
                .and(&blue)
                .for_each(|r, &g, &b| {
                    *r = ((f64::from(*r) + f64::from(g) + f64::from(b)) / 3.0) as f32;
                });
            red
        }
        _ => {
            return Err(ImageError::NotOnePlane {
                path: path.to_path_buf(),
                planes: n_planes,
            });
        }
    };
    Ok((gray, info))
}

/// The samples of a file, unscaled, with the warnings that follow from its structure.
fn read_raw(
    path: &Path,
    limits: &ReadLimits,
    purpose: Purpose,
    plain: PlainPages,
) -> Result<RawImage, ImageError> {
    let bytes = file::load(path, limits)?;
    let format = file::recognize(&bytes, path)?;
    let mut raw = match format {
        ImageFormat::Png => png::decode(&bytes, limits, purpose),
        ImageFormat::Jpeg => jpeg::decode(&bytes, limits),
        ImageFormat::Tiff => tiff::decode(&bytes, path, limits, purpose, plain),
    }
    .map_err(|fault| fault.at(path))?;
    raw.warnings.extend(file::extension_warning(path, format));
    if raw.is_lossy {
        raw.warnings
            .push("JPEG compression is lossy: intensities are not the camera's".to_owned());
    }
    Ok(raw)
}
