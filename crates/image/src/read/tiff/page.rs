//! What one TIFF page is, checked for sense before a pixel is read.

use super::directory::{Directory, Source, tag};
use crate::read::ReadLimits;
use crate::read::fault::Fault;
use crate::read::raw::check_size;

/// How the bits of a sample are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SampleKind {
    Unsigned,
    Signed,
    Float,
}

/// What the first samples of a pixel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Photometric {
    WhiteIsZero,
    BlackIsZero,
    Rgb,
    Palette,
    /// Luma and chroma inside JPEG, which come out as RGB.
    JpegColor,
}

/// Compressions that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Lzw,
    Deflate,
    PackBits,
    Jpeg,
}

/// Differences instead of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Predictor {
    None,
    Horizontal,
    FloatingPoint,
}

/// A page: its geometry, its samples and where its strips or tiles are.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bits: u16,
    pub(super) kind: SampleKind,
    /// Samples a pixel, with alpha.
    pub(super) samples: usize,
    pub(super) photometric: Photometric,
    /// 0 unspecified, 1 and 2 alpha; one for each sample beyond the photometric ones.
    pub(super) extra_samples: Vec<u64>,
    pub(super) compression: Compression,
    pub(super) predictor: Predictor,
    /// Each sample in its own strips or tiles.
    pub(super) is_planar: bool,
    pub(super) is_tiled: bool,
    /// Width and height of a tile, or of a strip.
    pub(super) chunk: (u32, u32),
    pub(super) offsets: Vec<u64>,
    pub(super) byte_counts: Vec<u64>,
    pub(super) warnings: Vec<String>,
}

impl Page {
    /// Samples a pixel within one strip or tile.
    pub(super) fn samples_in_chunk(&self) -> usize {
        if self.is_planar { 1 } else { self.samples }
    }

    /// Bytes of one row of a strip or tile, once decompressed.
    pub(super) fn chunk_row_bytes(&self) -> u64 {
        (u64::from(self.chunk.0) * self.samples_in_chunk() as u64 * u64::from(self.bits)).div_ceil(8)
    }

    /// Strips or tiles across, and down.
    pub(super) fn chunk_grid(&self) -> (u32, u32) {
        (
            self.width.div_ceil(self.chunk.0),
            self.height.div_ceil(self.chunk.1),
        )
    }
}

/// Width and height of a page, without looking at the rest.
pub(super) fn page_size(source: &Source, directory: &Directory) -> Result<(u64, u64), Fault> {
    let required = |tag| {
        let value = directory.number(source, tag)?;
        value.ok_or_else(|| Fault::Damaged(format!("the required tag {} is missing", tag::name(tag))))
    };
    Ok((required(tag::IMAGE_WIDTH)?, required(tag::IMAGE_LENGTH)?))
}

/// Reads and checks what a directory says about its page.
pub(super) fn page(source: &Source, directory: &Directory, limits: &ReadLimits) -> Result<Page, Fault> {
    let number = |tag, default| {
        directory
            .number(source, tag)
            .map(|value| value.unwrap_or(default))
    };
    let (width, height) = page_size(source, directory)?;
    let samples = number(tag::SAMPLES_PER_PIXEL, 1)?;
    if samples == 0 {
        return Err(Fault::Damaged("the header says 0 samples per pixel".to_owned()));
    }
    check_size(width, height, samples, limits)?;
    let bits = bits(source, directory, samples)?;
    let kind = sample_kind(source, directory, samples)?;
    check_depth(bits, kind)?;
    let compression = compression(number(tag::COMPRESSION, 1)?)?;
    let photometric = photometric(
        number(tag::PHOTOMETRIC, if samples >= 3 { 2 } else { 1 })?,
        compression,
    )?;
    let colors = if matches!(photometric, Photometric::Rgb | Photometric::JpegColor) {
        3
    } else {
        1
    };
    if samples < colors {
        return Err(Fault::Damaged(format!(
            "{samples} samples per pixel are too few for {photometric:?}"
        )));
    }
    let mut extra_samples = directory.numbers(source, tag::EXTRA_SAMPLES)?.unwrap_or_default();
    // Without a word on it, the fourth sample of a color is alpha and the further samples of a gray pixel are channels.
    extra_samples.resize(
        (samples - colors) as usize,
        if colors == 3 && samples == 4 { 2 } else { 0 },
    );
    if number(tag::FILL_ORDER, 1)? != 1 && (bits < 8 || compression != Compression::None) {
        return Err(Fault::Unsupported(
            "FillOrder 2 (bits of a byte reversed)".to_owned(),
            "save it with FillOrder 1",
        ));
    }
    let predictor = match number(tag::PREDICTOR, 1)? {
        1 => Predictor::None,
        _ if matches!(
            compression,
            Compression::None | Compression::PackBits | Compression::Jpeg
        ) =>
        {
            Predictor::None
        }
        2 if bits >= 8 => Predictor::Horizontal,
        3 if kind == SampleKind::Float => Predictor::FloatingPoint,
        other => {
            return Err(Fault::Damaged(format!(
                "predictor {other} does not go with {bits}-bit samples"
            )));
        }
    };
    if compression == Compression::Jpeg && (bits != 8 || kind != SampleKind::Unsigned) {
        return Err(Fault::Unsupported(
            format!("JPEG compression of {bits}-bit samples"),
            SAVE_AGAIN,
        ));
    }
    let mut page = Page {
        width: width as u32,
        height: height as u32,
        bits,
        kind,
        samples: samples as usize,
        photometric,
        extra_samples,
        compression,
        predictor,
        is_planar: samples > 1 && number(tag::PLANAR_CONFIGURATION, 1)? == 2,
        is_tiled: directory.has(tag::TILE_WIDTH) || directory.has(tag::TILE_OFFSETS),
        chunk: (0, 0),
        offsets: Vec::new(),
        byte_counts: Vec::new(),
        warnings: Vec::new(),
    };
    find_chunks(source, directory, limits, &mut page)?;
    Ok(page)
}

/// A tile is decompressed as a whole, also where it hangs over the edge of a small image; real ones have a few MiB at most.
const MOST_TILE_BYTES: u64 = 256 << 20;

const SAVE_AGAIN: &str = "save it uncompressed, or with LZW or deflate";

fn bits(source: &Source, directory: &Directory, samples: u64) -> Result<u16, Fault> {
    let bits = directory
        .numbers(source, tag::BITS_PER_SAMPLE)?
        .unwrap_or_else(|| vec![1]);
    let bits = bits.get(..bits.len().min(samples as usize)).unwrap_or_default();
    let first = bits.first().copied().unwrap_or(1);
    if bits.iter().any(|&other| other != first) {
        let listed: Vec<String> = bits.iter().take(8).map(u64::to_string).collect();
        return Err(Fault::Unsupported(
            format!("a mixture of bits per sample ({})", listed.join(", ")),
            "save all channels with the same depth",
        ));
    }
    match first {
        1 | 2 | 4 | 8 | 16 | 32 | 64 => Ok(first as u16),
        0 => Err(Fault::Damaged("the header says 0 bits per sample".to_owned())),
        _ => Err(Fault::Unsupported(
            format!("a depth of {first} bits per sample, packed,"),
            "save it with 8 or 16 bits",
        )),
    }
}

fn sample_kind(source: &Source, directory: &Directory, samples: u64) -> Result<SampleKind, Fault> {
    let formats = directory
        .numbers(source, tag::SAMPLE_FORMAT)?
        .unwrap_or_else(|| vec![1]);
    let formats = formats
        .get(..formats.len().min(samples as usize))
        .unwrap_or_default();
    let first = formats.first().copied().unwrap_or(1);
    if formats.iter().any(|&other| other != first) {
        return Err(Fault::Unsupported(
            "a mixture of sample formats".to_owned(),
            "save all channels alike",
        ));
    }
    match first {
        1 | 4 => Ok(SampleKind::Unsigned),
        2 => Ok(SampleKind::Signed),
        3 => Ok(SampleKind::Float),
        5 | 6 => Err(Fault::Unsupported(
            "complex numbers as samples".to_owned(),
            "save magnitudes",
        )),
        other => Err(Fault::Damaged(format!("SampleFormat {other} is not defined"))),
    }
}

fn check_depth(bits: u16, kind: SampleKind) -> Result<(), Fault> {
    let is_read = match kind {
        SampleKind::Unsigned => bits <= 32,
        SampleKind::Signed => matches!(bits, 8 | 16 | 32),
        SampleKind::Float => matches!(bits, 16 | 32 | 64),
    };
    if is_read {
        return Ok(());
    }
    Err(Fault::Unsupported(
        format!("a depth of {bits} bits for {kind:?} samples"),
        "save it with 8, 16 or 32 bits",
    ))
}

fn compression(code: u64) -> Result<Compression, Fault> {
    let name = match code {
        1 => return Ok(Compression::None),
        5 => return Ok(Compression::Lzw),
        7 => return Ok(Compression::Jpeg),
        8 | 32946 => return Ok(Compression::Deflate),
        32773 => return Ok(Compression::PackBits),
        2..=4 => "fax",
        6 => "old-style JPEG, obsolete",
        33003 | 33005 | 34712 => "JPEG 2000",
        34887 => "LERC",
        34925 => "LZMA",
        50000 => "Zstandard",
        50001 => "WebP",
        50002 => "JPEG XL",
        _ => "unknown",
    };
    Err(Fault::Unsupported(
        format!("compression {code} ({name})"),
        SAVE_AGAIN,
    ))
}

fn photometric(code: u64, compression: Compression) -> Result<Photometric, Fault> {
    let name = match code {
        0 => return Ok(Photometric::WhiteIsZero),
        1 => return Ok(Photometric::BlackIsZero),
        2 => return Ok(Photometric::Rgb),
        3 => return Ok(Photometric::Palette),
        6 if compression == Compression::Jpeg => return Ok(Photometric::JpegColor),
        4 => "a transparency mask",
        5 => "CMYK (print colors)",
        6 => "YCbCr (video colors)",
        8..=10 => "a Lab color space",
        32803 => "a raw color filter array",
        _ => "an unknown color space",
    };
    Err(Fault::Unsupported(
        format!("PhotometricInterpretation {code}, {name},"),
        "save gray channels or RGB",
    ))
}

/// Fills in the geometry of strips or tiles and where they are.
fn find_chunks(
    source: &Source,
    directory: &Directory,
    limits: &ReadLimits,
    page: &mut Page,
) -> Result<(), Fault> {
    let (offsets_tag, counts_tag, what) = if page.is_tiled {
        let side = |tag| directory.number(source, tag).map(|side| side.unwrap_or(0));
        let (width, height) = (side(tag::TILE_WIDTH)?, side(tag::TILE_LENGTH)?);
        if width == 0 || height == 0 {
            return Err(Fault::Damaged(format!(
                "the header says a tile has {width} x {height} pixels"
            )));
        }
        let most = u64::from(limits.max_side_px);
        if width > most || height > most || width * height > limits.max_plane_px {
            return Err(Fault::TooLarge(format!("a tile of {width} x {height} pixels")));
        }
        page.chunk = (width as u32, height as u32);
        let bytes = page.chunk_row_bytes().saturating_mul(height);
        if bytes > MOST_TILE_BYTES {
            return Err(Fault::TooLarge(format!(
                "a tile of {width} x {height} pixels and {bytes} bytes"
            )));
        }
        (tag::TILE_OFFSETS, tag::TILE_BYTE_COUNTS, "tiles")
    } else {
        let rows = directory
            .number(source, tag::ROWS_PER_STRIP)?
            .unwrap_or(u64::from(u32::MAX));
        if rows == 0 {
            return Err(Fault::Damaged("the header says RowsPerStrip is 0".to_owned()));
        }
        page.chunk = (page.width, rows.min(u64::from(page.height)) as u32);
        (tag::STRIP_OFFSETS, tag::STRIP_BYTE_COUNTS, "strips")
    };
    let (across, down) = page.chunk_grid();
    let planes = if page.is_planar { page.samples as u64 } else { 1 };
    let needed = u64::from(across) * u64::from(down) * planes;
    let mut list = |tag: u16| -> Result<Vec<u64>, Fault> {
        let n = directory.count(tag);
        if !directory.has(tag) {
            return Err(Fault::Damaged(format!(
                "the required tag {} is missing",
                tag::name(tag)
            )));
        }
        if n < needed {
            let name = tag::name(tag);
            return Err(Fault::Damaged(format!(
                "tag {name} lists {n} {what}, the image needs {needed}"
            )));
        }
        if n > needed {
            page.warnings.push(format!(
                "tag {} lists {n} {what}, only the first {needed} are needed",
                tag::name(tag)
            ));
        }
        let mut values = directory.numbers(source, tag)?.unwrap_or_default();
        values.truncate(needed as usize);
        Ok(values)
    };
    let offsets = list(offsets_tag)?;
    let mut byte_counts = list(counts_tag)?;
    if page.compression == Compression::None && byte_counts.iter().all(|&count| count == 0) {
        for (count, index) in byte_counts.iter_mut().zip(0u64..) {
            let row = (index / u64::from(across)) % u64::from(down) * u64::from(page.chunk.1);
            let rows = if page.is_tiled {
                page.chunk.1.into()
            } else {
                (u64::from(page.height) - row).min(page.chunk.1.into())
            };
            *count = page.chunk_row_bytes() * rows;
        }
        page.warnings.push(
            "StripByteCounts is 0; the size of the strips follows from the size of the image".to_owned(),
        );
    }
    (page.offsets, page.byte_counts) = (offsets, byte_counts);
    Ok(())
}
