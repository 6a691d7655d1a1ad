//! PNG: structure and checksums by `chunks`, pixels by the `png` crate, palettes and alpha here.

mod chunks;

use std::io::Cursor;

use self::chunks::{Chunks, Color};
use super::fault::Fault;
use super::raw::{Purpose, RawImage, Samples, plausible_pixel_size, unsigned_range};
use super::{ImageFormat, ReadLimits};

/// Decodes a PNG. Text, color profiles and gamma are never looked at: pixels are sensor counts.
pub(super) fn decode(bytes: &[u8], limits: &ReadLimits, purpose: Purpose) -> Result<RawImage, Fault> {
    let chunks = chunks::check(bytes, limits)?;
    let packed = pixel_bytes(&chunks)?;
    let samples = unpack(&packed, &chunks)?;
    drop(packed);
    let header = &chunks.header;
    let mut image = RawImage::new(ImageFormat::Png, header.width, header.height, header.depth);
    image.full_scale = Some(unsigned_range(header.depth));
    image.pixel_size_um = chunks
        .pixels_per_meter
        .and_then(|n| plausible_pixel_size(1e6 / f64::from(n)));
    if chunks.has_surplus {
        image.warnings.push(
            "the pixel stream holds more data than the image has pixels; the surplus is ignored".to_owned(),
        );
    }
    if chunks.is_animated {
        image
            .warnings
            .push("the file is an animation; only its still image is read".to_owned());
    }
    if header.color == Color::Palette {
        expand_palette(samples, &chunks, purpose, &mut image)?;
        return Ok(image);
    }
    let top = (1u32 << header.depth) - 1;
    let mut planes = split(&samples, header.color.samples());
    if header.color.has_alpha()
        && let Some(alpha) = planes.pop()
        && alpha.iter().any(|&value| value != top)
    {
        image.warnings.push(
            "the alpha channel is not opaque; it is dropped and nothing is multiplied by it".to_owned(),
        );
    } else if chunks.transparency.is_some() {
        image
            .warnings
            .push("a transparent color is declared (alpha); it is ignored".to_owned());
    }
    image.is_rgb = planes.len() == 3;
    image.planes = planes.into_iter().map(Samples::Unsigned).collect();
    Ok(image)
}

/// The unfiltered rows, packed as in the file, from the critical chunks alone.
fn pixel_bytes(chunks: &Chunks) -> Result<Vec<u8>, Fault> {
    let damaged =
        |error: png::DecodingError| Fault::Damaged(format!("the pixels cannot be decoded: {error}"));
    let limits = png::Limits { bytes: usize::MAX };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(chunks.critical.as_slice()), limits);
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let n = reader
        .output_buffer_size()
        .ok_or_else(|| Fault::TooLarge("the rows do not fit memory".to_owned()))?;
    let mut packed = vec![0; n];
    reader.next_frame(&mut packed).map_err(damaged)?;
    Ok(packed)
}

/// One number a sample, in the order of the file (interleaved).
fn unpack(packed: &[u8], chunks: &Chunks) -> Result<Vec<u32>, Fault> {
    let header = &chunks.header;
    let in_row = header.width as usize * header.color.samples();
    let row_bytes = header.row_bytes(header.width) as usize;
    let mut samples = Vec::with_capacity(in_row * header.height as usize);
    for row in packed.chunks_exact(row_bytes).take(header.height as usize) {
        match header.depth {
            16 => samples.extend(row.chunks_exact(2).map(|pair| match *pair {
                [high, low] => u32::from(high) << 8 | u32::from(low),
                _ => 0,
            })),
            8 => samples.extend(row.iter().map(|&byte| u32::from(byte))),
            bits => {
                let (bits, mask) = (u32::from(bits), (1u32 << bits) - 1);
                let each = row.iter().flat_map(|&byte| {
                    (1..=8 / bits).map(move |nth| (u32::from(byte) >> (8 - nth * bits)) & mask)
                });
                samples.extend(each.take(in_row));
            }
        }
    }
    if samples.len() != in_row * header.height as usize {
        return Err(Fault::Damaged(
            "fewer pixels were decoded than the header promises".to_owned(),
        ));
    }
    Ok(samples)
}

/// Interleaved samples to planes.
fn split(samples: &[u32], n_planes: usize) -> Vec<Vec<u32>> {
    (0..n_planes)
        .map(|plane| samples.iter().skip(plane).step_by(n_planes).copied().collect())
        .collect()
}

/// Indices to the colors of the palette; a palette of grays gives one plane. Labels stay indices.
fn expand_palette(
    indices: Vec<u32>,
    chunks: &Chunks,
    purpose: Purpose,
    image: &mut RawImage,
) -> Result<(), Fault> {
    let colors: Vec<[u8; 3]> = chunks
        .palette
        .chunks_exact(3)
        .filter_map(|color| <[u8; 3]>::try_from(color).ok())
        .collect();
    if let Some(&beyond) = indices.iter().find(|&&index| index as usize >= colors.len()) {
        let n = colors.len();
        return Err(Fault::Damaged(format!(
            "a pixel points to entry {beyond} of a palette of {n} entries"
        )));
    }
    if purpose == Purpose::Labels {
        image.planes = vec![Samples::Unsigned(indices)];
        return Ok(());
    }
    image.bits = 8;
    image.full_scale = Some(255.0);
    if chunks
        .transparency
        .is_some_and(|alphas| alphas.iter().any(|&alpha| alpha != 255))
    {
        image
            .warnings
            .push("the palette has an alpha channel that is not opaque; it is dropped".to_owned());
    }
    let plane = |channel: usize| {
        let table: Vec<u32> = colors
            .iter()
            .map(|color| color.get(channel).map_or(0, |&value| u32::from(value)))
            .collect();
        Samples::Unsigned(
            indices
                .iter()
                .map(|&index| table.get(index as usize).copied().unwrap_or(0))
                .collect(),
        )
    };
    if colors
        .iter()
        .all(|[red, green, blue]| red == green && green == blue)
    {
        image.planes = vec![plane(0)];
    } else {
        image.planes = vec![plane(0), plane(1), plane(2)];
        image.is_rgb = true;
        image.warnings.push(
            "the colors come from a palette and are read as RGB; a lookup table is not an intensity scale"
                .to_owned(),
        );
    }
    Ok(())
}
