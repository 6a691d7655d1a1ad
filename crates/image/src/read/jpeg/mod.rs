//! JPEG: structure by `markers`, completeness by `entropy`, pixels by `zune-jpeg`.

mod entropy;
mod markers;

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::fault::Fault;
use super::raw::{RawImage, Samples};
use super::{ImageFormat, ReadLimits};

/// What three components mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Components {
    /// As the stream says (usually luma and chroma, converted to RGB).
    AsDeclared,
    /// Red, green and blue as they are: a TIFF said so.
    Unconverted,
}

/// Decoded samples of a JPEG stream, 8 bits each, interleaved.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) width: u32,
    pub(super) height: u32,
    /// 1 or 3.
    pub(super) samples: usize,
    pub(super) pixels: Vec<u8>,
    pub(super) warnings: Vec<String>,
}

/// Decodes a JPEG file.
pub(super) fn decode(bytes: &[u8], limits: &ReadLimits) -> Result<RawImage, Fault> {
    let decoded = decode_stream(bytes, Components::AsDeclared, limits)?;
    let mut image = RawImage::new(ImageFormat::Jpeg, decoded.width, decoded.height, 8);
    image.full_scale = Some(255.0);
    image.is_lossy = true;
    image.is_rgb = decoded.samples == 3;
    image.warnings = decoded.warnings;
    image.planes = (0..decoded.samples)
        .map(|plane| {
            let samples = decoded.pixels.iter().skip(plane).step_by(decoded.samples);
            Samples::Unsigned(samples.map(|&value| u32::from(value)).collect())
        })
        .collect();
    Ok(image)
}

/// Decodes a JPEG stream, of a file or of a TIFF strip. Every block must be in the stream: nothing is filled with gray.
pub(super) fn decode_stream(
    bytes: &[u8],
    components: Components,
    limits: &ReadLimits,
) -> Result<Decoded, Fault> {
    let frame = markers::check(bytes, limits)?;
    let mut warnings = Vec::new();
    if let Some(orientation) = frame.orientation.filter(|&orientation| orientation != 1) {
        warnings.push(format!(
            "orientation {orientation} is noted; pixels are read as stored, not turned"
        ));
    }
    // The decoder wants the marker; whether all blocks are there was checked without it.
    let completed;
    let bytes = if frame.has_end_marker {
        bytes
    } else if frame.is_progressive {
        let what = format!(
            "the file has {} bytes and no end marker, and a progressive image needs all its scans",
            bytes.len()
        );
        return Err(Fault::EndsEarly(what));
    } else {
        warnings.push("the file ends early: its end marker is missing, all pixels are there".to_owned());
        completed = [bytes, b"\xff\xd9"].concat();
        &completed
    };
    let n_samples = frame.components.len();
    let colors = match (n_samples, components) {
        (1, _) => ColorSpace::Luma,
        (_, Components::AsDeclared) => ColorSpace::RGB,
        (_, Components::Unconverted) => ColorSpace::YCbCr,
    };
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(colors);
    let damaged = |error: zune_jpeg::errors::DecodeErrors| {
        Fault::Damaged(format!("the pixels cannot be decoded: {error:?}"))
    };
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let pixels = decoder.decode().map_err(damaged)?;
    let (width, height) = (u32::from(frame.width), u32::from(frame.height));
    if pixels.len() != width as usize * height as usize * n_samples {
        return Err(Fault::Damaged(format!(
            "{} samples were decoded instead of {width} x {height} x {n_samples}",
            pixels.len()
        )));
    }
    Ok(Decoded {
        width,
        height,
        samples: n_samples,
        pixels,
        warnings,
    })
}
