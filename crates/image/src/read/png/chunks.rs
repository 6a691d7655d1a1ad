//! The structure of a PNG: chunks, their checksums, and whether the pixel stream holds what the header promises.
//!
//! The `png` crate forgives what must not be forgiven here (a wrong zlib checksum, surplus pixels) and stops at what does not
//! matter (broken text or color profiles), so it only gets the critical chunks, after they were checked.
//! Source: PNG specification, third edition (W3C 2025), sections 5 and 11.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::read::ReadLimits;
use crate::read::fault::Fault;
use crate::read::raw::check_size;

/// Color types of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Color {
    Gray,
    Rgb,
    Palette,
    GrayAlpha,
    Rgba,
}

impl Color {
    /// Samples a pixel, with alpha.
    pub(super) fn samples(self) -> usize {
        match self {
            Self::Gray | Self::Palette => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }

    pub(super) fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba)
    }
}

/// The header, checked.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) depth: u16,
    pub(super) color: Color,
    interlaced: bool,
}

impl Header {
    /// Bytes of a row of `width` pixels, without the filter byte.
    pub(super) fn row_bytes(&self, width: u32) -> u64 {
        (u64::from(width) * self.color.samples() as u64 * u64::from(self.depth)).div_ceil(8)
    }

    /// Bytes of the inflated pixel stream.
    fn stream_bytes(&self) -> u64 {
        if !self.interlaced {
            return (1 + self.row_bytes(self.width)) * u64::from(self.height);
        }
        // First column, first row, column step and row step of the seven passes of Adam7.
        const PASSES: [(u32, u32, u32, u32); 7] = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ];
        let pass_bytes = |&(x, y, dx, dy): &(u32, u32, u32, u32)| {
            let columns = self.width.saturating_sub(x).div_ceil(dx);
            let rows = self.height.saturating_sub(y).div_ceil(dy);
            if columns == 0 {
                0
            } else {
                (1 + self.row_bytes(columns)) * u64::from(rows)
            }
        };
        PASSES.iter().map(pass_bytes).sum()
    }
}

/// What the chunks of a file say.
#[derive(Debug)]
pub(super) struct Chunks<'a> {
    pub(super) header: Header,
    /// Red, green, blue, …; empty unless the colors are a palette.
    pub(super) palette: &'a [u8],
    /// Content of tRNS.
    pub(super) transparency: Option<&'a [u8]>,
    /// From pHYs, if in meters.
    pub(super) pixels_per_meter: Option<u32>,
    pub(super) is_animated: bool,
    /// The pixel stream goes on after the last pixel.
    pub(super) has_surplus: bool,
    /// A PNG of the critical chunks alone.
    pub(super) critical: Vec<u8>,
}

/// Bytes of chunk length, name and checksum.
const CHUNK_FRAME: usize = 12;

/// Walks the chunks up to IEND and checks the pixel stream.
pub(super) fn check<'a>(bytes: &'a [u8], limits: &ReadLimits) -> Result<Chunks<'a>, Fault> {
    let mut at = 8;
    let (name, content, next) = chunk_at(bytes, at)?;
    if name != b"IHDR" {
        return Err(Fault::Damaged(format!(
            "the first chunk is {} and not IHDR",
            printable(name)
        )));
    }
    let mut chunks = Chunks {
        header: header(content, limits)?,
        palette: &[],
        transparency: None,
        pixels_per_meter: None,
        is_animated: false,
        has_surplus: false,
        critical: bytes.get(..next).unwrap_or_default().to_vec(),
    };
    at = next;
    let mut pixel_chunks: Vec<&[u8]> = Vec::new();
    loop {
        let (name, content, next) = chunk_at(bytes, at)?;
        match name {
            b"IEND" => break,
            b"IDAT" => pixel_chunks.push(content),
            b"PLTE" if chunks.header.color == Color::Palette => chunks.palette = content,
            b"tRNS" => chunks.transparency = Some(content),
            b"acTL" => chunks.is_animated = true,
            b"pHYs" => {
                if let &[a, b, c, d, _, _, _, _, 1] = content {
                    chunks.pixels_per_meter = Some(u32::from_be_bytes([a, b, c, d])).filter(|&n| n > 0);
                }
            }
            _ => {}
        }
        if matches!(name, b"IDAT" | b"PLTE") {
            chunks.critical.extend(bytes.get(at..next).unwrap_or_default());
        }
        at = next;
    }
    // An empty IEND, whatever the file's own one looks like.
    chunks.critical.extend(b"\0\0\0\0IEND\xae\x42\x60\x82");
    if chunks.header.color == Color::Palette && chunks.palette.is_empty() {
        return Err(Fault::Damaged(
            "the colors are palette entries and there is no palette".to_owned(),
        ));
    }
    chunks.has_surplus = check_pixel_stream(&pixel_chunks, chunks.header.stream_bytes())?;
    Ok(chunks)
}

/// Name and content of the chunk at `at`, and where the next one begins. Checksums of ancillary chunks do not matter.
fn chunk_at(bytes: &[u8], at: usize) -> Result<(&[u8; 4], &[u8], usize), Fault> {
    let cut = || {
        Fault::EndsEarly(format!(
            "the file has {} bytes and no end marker (IEND)",
            bytes.len()
        ))
    };
    let rest = bytes.get(at..).ok_or_else(cut)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    let (name, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    if !name.iter().all(u8::is_ascii_alphabetic) {
        return Err(Fault::Damaged(format!(
            "at byte {at} a chunk name should stand, not {}",
            printable(name)
        )));
    }
    let length = u32::from_be_bytes(*length) as usize;
    let content = rest.get(..length).ok_or_else(cut)?;
    let checksum = rest
        .get(length..)
        .and_then(<[u8]>::first_chunk::<4>)
        .ok_or_else(cut)?;
    let is_critical = name.first().is_some_and(u8::is_ascii_uppercase);
    if is_critical {
        let mut crc = Crc::new();
        crc.update(name);
        crc.update(content);
        if crc.sum() != u32::from_be_bytes(*checksum) {
            return Err(Fault::Damaged(format!(
                "the checksum of chunk {} at byte {at} is wrong",
                printable(name)
            )));
        }
    }
    Ok((name, content, at + CHUNK_FRAME + length))
}

fn printable(name: &[u8]) -> String {
    name.escape_ascii().to_string()
}

fn header(content: &[u8], limits: &ReadLimits) -> Result<Header, Fault> {
    let &[
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
        depth,
        color,
        compression,
        filter,
        interlace,
    ] = content
    else {
        return Err(Fault::Damaged(format!(
            "the header (IHDR) has {} bytes instead of 13",
            content.len()
        )));
    };
    let (width, height) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
    let (color, depths): (Color, &[u8]) = match color {
        0 => (Color::Gray, &[1, 2, 4, 8, 16]),
        2 => (Color::Rgb, &[8, 16]),
        3 => (Color::Palette, &[1, 2, 4, 8]),
        4 => (Color::GrayAlpha, &[8, 16]),
        6 => (Color::Rgba, &[8, 16]),
        other => {
            return Err(Fault::Damaged(format!(
                "the header names color type {other}, which PNG does not have"
            )));
        }
    };
    if !depths.contains(&depth) {
        return Err(Fault::Damaged(format!(
            "the header names bit depth {depth}, which PNG does not have for {color:?}"
        )));
    }
    if compression != 0 || filter != 0 || interlace > 1 {
        return Err(Fault::Damaged(format!(
            "the header names compression {compression}, filter {filter}, interlace {interlace}, which PNG does not have"
        )));
    }
    check_size(
        u64::from(width),
        u64::from(height),
        color.samples() as u64,
        limits,
    )?;
    Ok(Header {
        width,
        height,
        depth: u16::from(depth),
        color,
        interlaced: interlace == 1,
    })
}

/// Inflates the pixel stream into nothing: it must hold `expected` bytes and end with the right checksum.
///
/// Returns whether it goes on after them; nothing is inflated beyond that point.
fn check_pixel_stream(pixel_chunks: &[&[u8]], expected: u64) -> Result<bool, Fault> {
    let mut inflater = Decompress::new(true);
    let mut sink = vec![0u8; 1 << 16];
    for content in pixel_chunks {
        let mut rest = *content;
        loop {
            let (consumed, produced) = (inflater.total_in(), inflater.total_out());
            let status = inflater
                .decompress(rest, &mut sink, FlushDecompress::None)
                .map_err(|_| {
                    Fault::Damaged("the compressed pixels or their checksum are wrong".to_owned())
                })?;
            if inflater.total_out() > expected {
                return Ok(true);
            }
            if status == Status::StreamEnd {
                let found = inflater.total_out();
                if found < expected {
                    return Err(Fault::Damaged(format!(
                        "the pixel stream holds {found} of {expected} bytes"
                    )));
                }
                return Ok(false);
            }
            let used = (inflater.total_in() - consumed) as usize;
            rest = rest.get(used..).unwrap_or_default();
            if used == 0 && inflater.total_out() == produced {
                break;
            }
        }
    }
    let found = inflater.total_out();
    Err(Fault::EndsEarly(format!(
        "the pixel stream stops after {found} of {expected} bytes, without its end mark"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pixel_stream_of_adam7_has_a_filter_byte_for_every_row_of_every_pass() {
        let mut header = Header {
            width: 8,
            height: 8,
            depth: 8,
            color: Color::Gray,
            interlaced: true,
        };
        // 64 samples and 1 + 1 + 1 + 2 + 2 + 4 + 4 rows.
        assert_eq!(header.stream_bytes(), 64 + 15);
        header.width = 1;
        // Only the passes that start in column 0 have pixels: rows 0; 4; 2, 6; 1, 3, 5, 7.
        assert_eq!(header.stream_bytes(), 2 * 8);
        header.interlaced = false;
        assert_eq!(header.stream_bytes(), 16);
    }
}
