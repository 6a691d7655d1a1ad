//! TIFF and BigTIFF directories: where they are and what their entries hold, every offset checked against the file.
//!
//! Source: TIFF 6.0 (Adobe 1992), section 2; BigTIFF (libtiff 4.0 specification).

use std::collections::BTreeSet;

use crate::read::ReadLimits;
use crate::read::fault::Fault;

/// The bytes of a TIFF and how its numbers are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) big_endian: bool,
    pub(super) big_tiff: bool,
}

impl<'a> Source<'a> {
    /// A number of `n` bytes (1, 2, 4 or 8) at `at`; `None` past the end.
    pub(super) fn number(&self, at: u64, n: usize) -> Option<u64> {
        let part = self.slice(at, n as u64)?;
        let fold = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        Some(if self.big_endian {
            part.iter().fold(0, fold)
        } else {
            part.iter().rev().fold(0, fold)
        })
    }

    /// `n` bytes at `at`; `None` where they are not all in the file.
    pub(super) fn slice(&self, at: u64, n: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(at).ok()?;
        let end = usize::try_from(at.checked_add(n)?).ok()?;
        self.bytes.get(start..end)
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// One entry of a directory.
#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    /// Where its values begin.
    at: u64,
}

/// One directory: a page and what is said about it.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    entries: Vec<Entry>,
    /// First byte and one past the last byte.
    pub(super) extent: (u64, u64),
}

/// Tags that are looked at.
pub(super) mod tag {
    pub(in super::super) const NEW_SUBFILE_TYPE: u16 = 254;
    pub(in super::super) const IMAGE_WIDTH: u16 = 256;
    pub(in super::super) const IMAGE_LENGTH: u16 = 257;
    pub(in super::super) const BITS_PER_SAMPLE: u16 = 258;
    pub(in super::super) const COMPRESSION: u16 = 259;
    pub(in super::super) const PHOTOMETRIC: u16 = 262;
    pub(in super::super) const FILL_ORDER: u16 = 266;
    pub(in super::super) const IMAGE_DESCRIPTION: u16 = 270;
    pub(in super::super) const STRIP_OFFSETS: u16 = 273;
    pub(in super::super) const ORIENTATION: u16 = 274;
    pub(in super::super) const SAMPLES_PER_PIXEL: u16 = 277;
    pub(in super::super) const ROWS_PER_STRIP: u16 = 278;
    pub(in super::super) const STRIP_BYTE_COUNTS: u16 = 279;
    pub(in super::super) const MAX_SAMPLE_VALUE: u16 = 281;
    pub(in super::super) const X_RESOLUTION: u16 = 282;
    pub(in super::super) const PLANAR_CONFIGURATION: u16 = 284;
    pub(in super::super) const RESOLUTION_UNIT: u16 = 296;
    pub(in super::super) const PREDICTOR: u16 = 317;
    pub(in super::super) const TILE_WIDTH: u16 = 322;
    pub(in super::super) const TILE_LENGTH: u16 = 323;
    pub(in super::super) const TILE_OFFSETS: u16 = 324;
    pub(in super::super) const TILE_BYTE_COUNTS: u16 = 325;
    pub(in super::super) const EXTRA_SAMPLES: u16 = 338;
    pub(in super::super) const SAMPLE_FORMAT: u16 = 339;
    pub(in super::super) const JPEG_TABLES: u16 = 347;
    pub(in super::super) const METAMORPH_PLANES: u16 = 33629;

    /// The name of the specification.
    pub(in super::super) fn name(tag: u16) -> &'static str {
        match tag {
            NEW_SUBFILE_TYPE => "NewSubfileType",
            IMAGE_WIDTH => "ImageWidth",
            IMAGE_LENGTH => "ImageLength",
            BITS_PER_SAMPLE => "BitsPerSample",
            COMPRESSION => "Compression",
            PHOTOMETRIC => "PhotometricInterpretation",
            FILL_ORDER => "FillOrder",
            IMAGE_DESCRIPTION => "ImageDescription",
            STRIP_OFFSETS => "StripOffsets (strips)",
            ORIENTATION => "Orientation",
            SAMPLES_PER_PIXEL => "SamplesPerPixel",
            ROWS_PER_STRIP => "RowsPerStrip",
            STRIP_BYTE_COUNTS => "StripByteCounts (strips)",
            MAX_SAMPLE_VALUE => "MaxSampleValue",
            X_RESOLUTION => "XResolution",
            PLANAR_CONFIGURATION => "PlanarConfiguration",
            RESOLUTION_UNIT => "ResolutionUnit",
            PREDICTOR => "Predictor",
            TILE_WIDTH => "TileWidth (tiles)",
            TILE_LENGTH => "TileLength (tiles)",
            TILE_OFFSETS => "TileOffsets (tiles)",
            TILE_BYTE_COUNTS => "TileByteCounts (tiles)",
            EXTRA_SAMPLES => "ExtraSamples",
            SAMPLE_FORMAT => "SampleFormat",
            JPEG_TABLES => "JPEGTables",
            _ => "a private tag",
        }
    }
}

/// Bytes of a value of a type; 0 for types that TIFF does not have.
fn type_bytes(kind: u16) -> u64 {
    match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 0,
    }
}

/// Bytes of an unsigned type, `None` for any other type.
fn unsigned_bytes(kind: u16) -> Option<usize> {
    match kind {
        1 => Some(1),
        3 => Some(2),
        4 | 13 => Some(4),
        16 | 18 => Some(8),
        _ => None,
    }
}

/// Entries of one directory that are read at most: real ones have some dozens, and overlapping directories of a small file could
/// otherwise fill the memory.
const MOST_ENTRIES: u64 = 4096;
/// Values of one entry that are read at most; strips of the largest image that the limits allow are far fewer.
const MOST_VALUES: u64 = 1 << 26;

impl Directory {
    fn entry(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }

    /// Whether the tag is there.
    pub(super) fn has(&self, tag: u16) -> bool {
        self.entry(tag).is_some()
    }

    /// Number of values that the tag says it has.
    pub(super) fn count(&self, tag: u16) -> u64 {
        self.entry(tag).map_or(0, |entry| entry.count)
    }

    /// All values of an unsigned tag; `None` where the tag is missing.
    pub(super) fn numbers(&self, source: &Source, tag: u16) -> Result<Option<Vec<u64>>, Fault> {
        let Some(entry) = self.entry(tag) else {
            return Ok(None);
        };
        let (name, Entry { kind, count, .. }) = (tag::name(tag), *entry);
        let n = unsigned_bytes(kind)
            .ok_or_else(|| Fault::Damaged(format!("tag {name} has type {kind}, which is no whole number")))?;
        if count == 0 {
            return Err(Fault::Damaged(format!("tag {name} has no value")));
        }
        let bytes = (count <= MOST_VALUES)
            .then(|| source.slice(entry.at, count * n as u64))
            .flatten();
        let bytes = bytes.ok_or_else(|| {
            let len = source.len();
            Fault::EndsEarly(format!(
                "tag {name} says it has {count} values, the file has {len} bytes"
            ))
        })?;
        let fold = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        let value = |part: &[u8]| {
            if source.big_endian {
                part.iter().fold(0, fold)
            } else {
                part.iter().rev().fold(0, fold)
            }
        };
        Ok(Some(bytes.chunks_exact(n).map(value).collect()))
    }

    /// The first value of an unsigned tag; `None` where the tag is missing.
    pub(super) fn number(&self, source: &Source, tag: u16) -> Result<Option<u64>, Fault> {
        let Some(entry) = self.entry(tag) else {
            return Ok(None);
        };
        // Only one value is wanted, whatever the count says.
        let one = Self {
            entries: vec![Entry {
                count: entry.count.min(1),
                ..*entry
            }],
            extent: self.extent,
        };
        Ok(one
            .numbers(source, tag)?
            .and_then(|values| values.first().copied()))
    }

    /// The text of a tag: `None` where it is missing, an error text where it is not in the file.
    pub(super) fn text(&self, source: &Source, tag: u16) -> Option<Result<String, String>> {
        let entry = self.entry(tag)?;
        let bytes = if matches!(entry.kind, 1 | 2 | 7) {
            source.slice(entry.at, entry.count)
        } else {
            None
        };
        Some(match bytes {
            Some(bytes) => {
                let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
                Ok(String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned())
            }
            None => Err(format!(
                "the description ({}) says it has {} bytes that the file does not have; it is not read",
                tag::name(tag),
                entry.count
            )),
        })
    }

    /// The bytes of a tag, if they are in the file.
    pub(super) fn bytes<'a>(&self, source: &Source<'a>, tag: u16) -> Option<&'a [u8]> {
        let entry = self.entry(tag)?;
        source.slice(entry.at, entry.count.checked_mul(type_bytes(entry.kind))?)
    }

    /// The first value of a rational tag, if it is finite and above 0.
    pub(super) fn rational(&self, source: &Source, tag: u16) -> Option<f64> {
        let entry = self
            .entry(tag)
            .filter(|entry| entry.kind == 5 && entry.count > 0)?;
        let (above, below) = (
            source.number(entry.at, 4)?,
            source.number(entry.at.checked_add(4)?, 4)?,
        );
        let value = above as f64 / below as f64;
        (value.is_finite() && value > 0.0).then_some(value)
    }
}

/// Reads the header and the whole chain of directories.
pub(super) fn directories<'a>(
    bytes: &'a [u8],
    limits: &ReadLimits,
) -> Result<(Source<'a>, Vec<Directory>), Fault> {
    let len = bytes.len();
    let in_header = || Fault::EndsEarly(format!("the file has {len} bytes, fewer than its header"));
    let mut source = Source {
        bytes,
        big_endian: bytes.starts_with(b"MM"),
        big_tiff: false,
    };
    let version = source.number(2, 2).ok_or_else(in_header)?;
    source.big_tiff = version == 43;
    if source.big_tiff {
        let (size, zero) = (
            source.number(4, 2).ok_or_else(in_header)?,
            source.number(6, 2).ok_or_else(in_header)?,
        );
        if size != 8 || zero != 0 {
            return Err(Fault::Damaged(format!(
                "the BigTIFF header names {size}-byte offsets, only 8 are defined"
            )));
        }
    }
    let (first, n) = if source.big_tiff { (8, 8) } else { (4, 4) };
    let mut at = source.number(first, n).ok_or_else(in_header)?;
    let mut seen = BTreeSet::new();
    let mut pages: Vec<Directory> = Vec::new();
    while at != 0 {
        if !seen.insert(at) {
            return Err(Fault::Damaged(format!(
                "the directories form a loop: the one at byte {at} comes again"
            )));
        }
        if pages.len() as u64 >= u64::from(limits.max_planes) {
            return Err(Fault::TooLarge(format!(
                "more than {} pages, at most so many are read",
                limits.max_planes
            )));
        }
        let (page, next) = directory(&source, at)?;
        pages.push(page);
        at = next;
    }
    if pages.is_empty() {
        return Err(Fault::Damaged(
            "it holds no image (the offset of the first directory is 0)".to_owned(),
        ));
    }
    Ok((source, pages))
}

/// The directory at `at` and the offset of the next one.
fn directory(source: &Source, at: u64) -> Result<(Directory, u64), Fault> {
    let len = source.len();
    if at >= len {
        return Err(Fault::EndsEarly(format!(
            "a directory is said to be at offset {at}, the file has {len} bytes"
        )));
    }
    let cut = || {
        Fault::EndsEarly(format!(
            "the directory at offset {at} is not complete in the {len} bytes of the file"
        ))
    };
    let (count_bytes, entry_bytes, word) = if source.big_tiff { (8, 20, 8) } else { (2, 12, 4) };
    let n = source.number(at, count_bytes).ok_or_else(cut)?;
    let start = at.checked_add(count_bytes as u64).ok_or_else(cut)?;
    let end = n
        .checked_mul(entry_bytes)
        .and_then(|bytes| start.checked_add(bytes))
        .ok_or_else(cut)?;
    let next = source.number(end, word).ok_or_else(cut)?;
    if n > MOST_ENTRIES {
        return Err(Fault::TooLarge(format!(
            "the directory at offset {at} has {n} entries, at most {MOST_ENTRIES} are read"
        )));
    }
    let mut entries = Vec::new();
    for index in 0..n {
        let entry_at = start + index * entry_bytes;
        let number = |at: u64, n: usize| source.number(entry_at + at, n).ok_or_else(cut);
        let (tag, kind, count) = (number(0, 2)? as u16, number(2, 2)? as u16, number(4, word)?);
        let value_at = entry_at + 4 + word as u64;
        let is_inside = count
            .checked_mul(type_bytes(kind))
            .is_some_and(|bytes| bytes <= word as u64);
        let at = if is_inside {
            value_at
        } else {
            source.number(value_at, word).ok_or_else(cut)?
        };
        entries.push(Entry { tag, kind, count, at });
    }
    Ok((
        Directory {
            entries,
            extent: (at, end + word as u64),
        },
        next,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_beyond_all_reason_are_refused_before_they_are_read() {
        let n = MOST_ENTRIES + 1;
        let mut bytes = b"II*\0\x08\0\0\0".to_vec();
        bytes.extend((n as u16).to_le_bytes());
        bytes.resize(bytes.len() + 12 * n as usize + 4, 0);
        assert!(matches!(
            directories(&bytes, &ReadLimits::default()),
            Err(Fault::TooLarge(_))
        ));
        bytes.truncate(1000);
        assert!(matches!(
            directories(&bytes, &ReadLimits::default()),
            Err(Fault::EndsEarly(_))
        ));
    }
}
