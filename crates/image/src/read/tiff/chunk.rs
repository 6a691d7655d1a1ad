//! Strips and tiles: out of the file, decompressed to exactly the bytes that the page needs.

use std::borrow::Cow;

use flate2::{Decompress, FlushDecompress, Status};
use weezl::{BitOrder, LzwStatus, decode};

use super::directory::{Directory, Source, tag};
use super::page::{Compression, Page, Photometric};
use crate::read::ReadLimits;
use crate::read::fault::Fault;
use crate::read::jpeg::{self, Components};

/// A strip or tile, decompressed.
pub(super) struct Chunk<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// The stream goes on after the last byte that is needed.
    pub(super) has_surplus: bool,
}

impl<'a> Chunk<'a> {
    fn exactly(bytes: impl Into<Cow<'a, [u8]>>, has_surplus: bool) -> Self {
        Self {
            bytes: bytes.into(),
            has_surplus,
        }
    }
}

/// Strip or tile number `index` as `rows` rows of [`Page::chunk_row_bytes`] bytes.
pub(super) fn read<'a>(
    source: &Source<'a>,
    directory: &Directory,
    page: &Page,
    index: usize,
    rows: u32,
    limits: &ReadLimits,
) -> Result<Chunk<'a>, Fault> {
    let what = if page.is_tiled { "tile" } else { "strip" };
    let (offset, count) = match (page.offsets.get(index), page.byte_counts.get(index)) {
        (Some(&offset), Some(&count)) => (offset, count),
        _ => return Err(Fault::Damaged(format!("{what} {index} is not listed"))),
    };
    let stored = source.slice(offset, count).ok_or_else(|| {
        let len = source.bytes.len();
        Fault::EndsEarly(format!(
            "{what} {index} is said to be {count} bytes at offset {offset}, the file has {len} bytes"
        ))
    })?;
    let row_bytes = page.chunk_row_bytes();
    let n = usize::try_from(row_bytes * u64::from(rows))
        .map_err(|_| Fault::TooLarge(format!("{what} {index}")))?;
    let place = |fault: Fault| match fault {
        Fault::EndsEarly(reason) => Fault::EndsEarly(format!("{what} {index}: {reason}")),
        Fault::Damaged(reason) => Fault::Damaged(format!("{what} {index}: {reason}")),
        other => other,
    };
    match page.compression {
        Compression::None => {
            let needed = stored.get(..n).ok_or_else(|| place(too_short(stored.len(), n)))?;
            // A few bytes more are padding, a row more is not.
            Ok(Chunk::exactly(
                needed,
                stored.len() as u64 >= n as u64 + row_bytes.max(4),
            ))
        }
        Compression::Deflate => inflate(stored, n).map_err(place),
        Compression::Lzw => lzw(stored, n).map_err(place),
        Compression::PackBits => packbits(stored, n).map_err(place),
        Compression::Jpeg => {
            let tables = directory.bytes(source, tag::JPEG_TABLES);
            jpeg_chunk(stored, tables, page, rows, limits).map_err(place)
        }
    }
}

fn too_short(found: usize, needed: usize) -> Fault {
    Fault::EndsEarly(format!("it holds {found} of the {needed} bytes of its pixels"))
}

/// Zlib; stops one byte after what is needed, so that a bomb costs nothing.
fn inflate(stored: &[u8], n: usize) -> Result<Chunk<'static>, Fault> {
    let mut inflater = Decompress::new(true);
    let mut bytes = vec![0; n];
    let mut beyond = [0];
    loop {
        let (used, made) = (inflater.total_in() as usize, inflater.total_out() as usize);
        let input = stored.get(used..).unwrap_or_default();
        let output = if made < n {
            bytes.get_mut(made..).unwrap_or_default()
        } else {
            &mut beyond
        };
        let status = inflater
            .decompress(input, output, FlushDecompress::None)
            .map_err(|_| {
                Fault::Damaged("the deflate stream has an invalid code or a wrong checksum".to_owned())
            })?;
        let found = inflater.total_out() as usize;
        if found > n {
            return Ok(Chunk::exactly(bytes, true));
        }
        if status == Status::StreamEnd {
            if found < n {
                return Err(Fault::Damaged(format!(
                    "the deflate stream holds {found} of {n} bytes"
                )));
            }
            return Ok(Chunk::exactly(bytes, false));
        }
        if inflater.total_in() as usize == used && found == made {
            return Err(too_short(found, n));
        }
    }
}

/// LZW, most significant bit first, with the early change of code size.
fn lzw(stored: &[u8], n: usize) -> Result<Chunk<'static>, Fault> {
    let mut decoder = decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
    let mut bytes = vec![0; n];
    let mut beyond = [0];
    let (mut used, mut made) = (0, 0);
    loop {
        let input = stored.get(used..).unwrap_or_default();
        let output = if made < n {
            bytes.get_mut(made..).unwrap_or_default()
        } else {
            &mut beyond
        };
        let result = decoder.decode_bytes(input, output);
        used += result.consumed_in;
        made += result.consumed_out;
        if made > n {
            return Ok(Chunk::exactly(bytes, true));
        }
        match result.status {
            // After the last pixel it does not matter what comes instead of the end code.
            _ if made == n && (result.consumed_in == 0 || result.status.is_err()) => {
                return Ok(Chunk::exactly(bytes, false));
            }
            Err(_) => return Err(Fault::Damaged("the LZW stream has an invalid code".to_owned())),
            Ok(LzwStatus::Done) if made < n => return Err(too_short(made, n)),
            Ok(LzwStatus::Done) => return Ok(Chunk::exactly(bytes, false)),
            Ok(LzwStatus::NoProgress | LzwStatus::Ok)
                if result.consumed_in == 0 && result.consumed_out == 0 =>
            {
                return Err(too_short(made, n));
            }
            Ok(_) => {}
        }
    }
}

/// Runs of bytes (TIFF 6.0, section 9).
fn packbits(stored: &[u8], n: usize) -> Result<Chunk<'static>, Fault> {
    let mut bytes = Vec::with_capacity(n);
    let mut rest = stored;
    while bytes.len() < n {
        let (&control, after) = rest.split_first().ok_or_else(|| too_short(bytes.len(), n))?;
        rest = match control {
            128 => after,
            0..=127 => {
                let (literal, after) = after
                    .split_at_checked(usize::from(control) + 1)
                    .ok_or_else(|| too_short(bytes.len(), n))?;
                bytes.extend(literal);
                after
            }
            129..=255 => {
                let (&value, after) = after.split_first().ok_or_else(|| too_short(bytes.len(), n))?;
                bytes.extend(std::iter::repeat_n(value, 257 - usize::from(control)));
                after
            }
        };
    }
    let has_surplus = bytes.len() > n || rest.len() > 1;
    bytes.truncate(n);
    Ok(Chunk::exactly(bytes, has_surplus))
}

/// A JPEG stream, completed by the tables that all strips share.
fn jpeg_chunk(
    stored: &[u8],
    tables: Option<&[u8]>,
    page: &Page,
    rows: u32,
    limits: &ReadLimits,
) -> Result<Chunk<'static>, Fault> {
    let joined;
    let stream = match (tables, stored.strip_prefix(b"\xff\xd8")) {
        (Some(tables), Some(rest)) => {
            joined = [tables.strip_suffix(b"\xff\xd9").unwrap_or(tables), rest].concat();
            &joined
        }
        (_, Some(_)) => stored,
        (_, None) => return Err(Fault::Damaged("it does not begin with a JPEG marker".to_owned())),
    };
    let components = match page.photometric {
        Photometric::JpegColor => Components::AsDeclared,
        _ => Components::Unconverted,
    };
    let decoded = jpeg::decode_stream(stream, components, limits)?;
    let samples = page.samples_in_chunk();
    if decoded.width != page.chunk.0 || decoded.height < rows || decoded.samples != samples {
        return Err(Fault::Damaged(format!(
            "the JPEG stream has {} x {} x {} samples instead of {} x {rows} x {samples}",
            decoded.width, decoded.height, decoded.samples, page.chunk.0
        )));
    }
    let mut bytes = decoded.pixels;
    bytes.truncate(rows as usize * page.chunk.0 as usize * samples);
    Ok(Chunk::exactly(bytes, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packbits_takes_literals_runs_and_no_operation() {
        // The example of TIFF 6.0, section 9.
        let packed = b"\xfe\xaa\x02\x80\x00\x2a\xfd\xaa\x03\x80\x00\x2a\x22\xf7\xaa";
        let bytes = b"\xaa\xaa\xaa\x80\x00\x2a\xaa\xaa\xaa\xaa\x80\x00\x2a\x22\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa";
        let chunk = packbits(packed, bytes.len()).unwrap();
        assert_eq!(chunk.bytes.as_ref(), bytes);
        assert!(!chunk.has_surplus);
        assert!(
            packbits(b"\x80\x80\x7f", 1).is_err(),
            "a literal run without its bytes"
        );
    }

    #[test]
    fn inflation_stops_after_the_bytes_that_are_needed() {
        use std::io::Write;
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![7; 1 << 20]).unwrap();
        let stored = encoder.finish().unwrap();
        let chunk = inflate(&stored, 100).unwrap();
        assert!(chunk.has_surplus && chunk.bytes.iter().all(|&byte| byte == 7));
        assert!(!inflate(&stored, 1 << 20).unwrap().has_surplus);
        assert!(inflate(&stored, (1 << 20) + 1).is_err());
    }
}
