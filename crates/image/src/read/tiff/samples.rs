//! From the bytes of strips and tiles to planes of samples: bit depth, byte order, predictors, planar or interleaved.

use super::chunk;
use super::directory::{Directory, Source};
use super::page::{Page, Predictor, SampleKind};
use crate::read::ReadLimits;
use crate::read::fault::Fault;
use crate::read::raw::Samples;

/// All samples of a page, a plane each, and whether a strip or tile held more data than it should.
pub(super) fn decode(
    source: &Source,
    directory: &Directory,
    page: &Page,
    limits: &ReadLimits,
) -> Result<(Vec<Samples>, bool), Fault> {
    let n = page.width as usize * page.height as usize;
    check_file_holds_chunks(source, page)?;
    let empty = || match page.kind {
        SampleKind::Unsigned => Samples::Unsigned(vec![0; n]),
        SampleKind::Signed => Samples::Signed(vec![0; n]),
        SampleKind::Float => Samples::Float(vec![0.0; n]),
    };
    let mut planes: Vec<Samples> = (0..page.samples).map(|_| empty()).collect();
    let (across, down) = page.chunk_grid();
    let per_plane = across as usize * down as usize;
    let row_bytes = page.chunk_row_bytes() as usize;
    let in_chunk = page.samples_in_chunk();
    let mut has_surplus = false;
    let mut words: Vec<u64> = Vec::new();
    for (index, _) in page.offsets.iter().enumerate() {
        let (place, first_plane) = (
            index % per_plane,
            if page.is_planar { index / per_plane } else { 0 },
        );
        let left = (place % across as usize) * page.chunk.0 as usize;
        let top = (place / across as usize) * page.chunk.1 as usize;
        let inside = (page.height as usize)
            .saturating_sub(top)
            .min(page.chunk.1 as usize);
        // The last strip is short, the last tile is padded.
        let rows = if page.is_tiled {
            page.chunk.1
        } else {
            inside as u32
        };
        let mut chunk = chunk::read(source, directory, page, index, rows, limits)?;
        has_surplus |= chunk.has_surplus;
        if page.predictor == Predictor::FloatingPoint {
            let bytes = chunk.bytes.to_mut();
            bytes
                .chunks_exact_mut(row_bytes)
                .for_each(|row| undo_float_predictor(row, page.bits, in_chunk));
        }
        for (nth, row) in chunk.bytes.chunks_exact(row_bytes).take(inside).enumerate() {
            words.clear();
            // The floating-point predictor leaves its samples big-endian, whatever the file is.
            let big_endian = source.big_endian || page.predictor == Predictor::FloatingPoint;
            unpack(row, page.bits, big_endian, &mut words);
            if page.predictor == Predictor::Horizontal {
                undo_horizontal_predictor(&mut words, page.bits, in_chunk);
            }
            let columns = (page.width as usize - left).min(page.chunk.0 as usize);
            let start = (top + nth) * page.width as usize + left;
            for (sample, plane) in planes.iter_mut().skip(first_plane).take(in_chunk).enumerate() {
                let column = words.iter().skip(sample).step_by(in_chunk).copied();
                place_row(plane, start, columns, column, page.bits);
            }
        }
    }
    Ok((planes, has_surplus))
}

/// Uncompressed strips that are not in the file are found out before the planes are allocated.
fn check_file_holds_chunks(source: &Source, page: &Page) -> Result<(), Fault> {
    let what = if page.is_tiled { "tile" } else { "strip" };
    let len = source.bytes.len() as u64;
    for (index, (&offset, &count)) in page.offsets.iter().zip(&page.byte_counts).enumerate() {
        if offset.checked_add(count).is_none_or(|end| end > len) {
            return Err(Fault::EndsEarly(format!(
                "{what} {index} is said to be {count} bytes at offset {offset}, the file has {len} bytes"
            )));
        }
    }
    Ok(())
}

/// Bit patterns of the samples of a row.
fn unpack(row: &[u8], bits: u16, big_endian: bool, words: &mut Vec<u64>) {
    match bits {
        1 | 2 | 4 => {
            let (bits, mask) = (u32::from(bits), (1u64 << bits) - 1);
            for &byte in row {
                words.extend((1..=8 / bits).map(|nth| (u64::from(byte) >> (8 - nth * bits)) & mask));
            }
        }
        8 => words.extend(row.iter().map(|&byte| u64::from(byte))),
        _ => {
            let fold = |word: u64, &byte: &u8| word << 8 | u64::from(byte);
            let parts = row.chunks_exact(usize::from(bits / 8));
            if big_endian {
                words.extend(parts.map(|part| part.iter().fold(0, fold)));
            } else {
                words.extend(parts.map(|part| part.iter().rev().fold(0, fold)));
            }
        }
    }
}

/// Sums up the differences along a row (TIFF 6.0, section 14).
fn undo_horizontal_predictor(words: &mut [u64], bits: u16, samples: usize) {
    let mask = if bits >= 64 { u64::MAX } else { (1u64 << bits) - 1 };
    let mut before = vec![0u64; samples];
    for pixel in words.chunks_mut(samples) {
        for (word, last) in pixel.iter_mut().zip(&mut before) {
            *word = word.wrapping_add(*last) & mask;
            *last = *word;
        }
    }
}

/// Sums up the byte differences of a row and puts the bytes of each sample together, most significant first
/// (Adobe Photoshop TIFF Technical Note 3, 2005).
fn undo_float_predictor(row: &mut [u8], bits: u16, samples: usize) {
    let mut before = vec![0u8; samples];
    for pixel in row.chunks_mut(samples) {
        for (byte, last) in pixel.iter_mut().zip(&mut before) {
            *byte = byte.wrapping_add(*last);
            *last = *byte;
        }
    }
    let width = usize::from(bits / 8);
    let n = row.len() / width;
    let planes = row.to_vec();
    for (index, sample) in row.chunks_exact_mut(width).enumerate() {
        for (significance, byte) in sample.iter_mut().enumerate() {
            *byte = planes.get(significance * n + index).copied().unwrap_or(0);
        }
    }
}

/// Writes the first `columns` samples of a row into a plane from position `start` on.
fn place_row(plane: &mut Samples, start: usize, columns: usize, words: impl Iterator<Item = u64>, bits: u16) {
    match plane {
        Samples::Unsigned(values) => {
            let row = values.get_mut(start..start + columns).unwrap_or_default();
            row.iter_mut()
                .zip(words)
                .for_each(|(value, word)| *value = word as u32);
        }
        Samples::Signed(values) => {
            let row = values.get_mut(start..start + columns).unwrap_or_default();
            let unused = 32 - u32::from(bits.min(32));
            row.iter_mut()
                .zip(words)
                .for_each(|(value, word)| *value = ((word as u32) << unused) as i32 >> unused);
        }
        Samples::Float(values) => {
            let row = values.get_mut(start..start + columns).unwrap_or_default();
            row.iter_mut().zip(words).for_each(|(value, word)| {
                *value = match bits {
                    16 => half_to_f64(word as u16),
                    32 => f64::from(f32::from_bits(word as u32)),
                    _ => f64::from_bits(word),
                }
            });
        }
    }
}

/// IEEE 754 binary16.
fn half_to_f64(word: u16) -> f64 {
    let sign = if word >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(word >> 10 & 31), f64::from(word & 1023));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_exact() {
        for (word, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 2f64.powi(-24)),
            (0x0400, 2f64.powi(-14)),
        ] {
            assert_eq!(half_to_f64(word), value, "{word:#06x}");
        }
        assert!(half_to_f64(0x7e00).is_nan() && half_to_f64(0xfc00) == f64::NEG_INFINITY);
    }

    #[test]
    fn the_horizontal_predictor_runs_along_each_sample_and_wraps() {
        let mut words = vec![10, 200, 5, 100, 250, 1];
        undo_horizontal_predictor(&mut words, 8, 2);
        assert_eq!(words, [10, 200, 15, 44, 9, 45]);
    }

    #[test]
    fn the_floating_point_predictor_is_undone() {
        let values = [1.0f32, -2.5, 3e8, 1e-20];
        let n = values.len();
        // As a writer does it: bytes by significance, then differences from right to left.
        let mut row = vec![0u8; 4 * n];
        for (index, value) in values.iter().enumerate() {
            for (significance, byte) in value.to_be_bytes().into_iter().enumerate() {
                row[significance * n + index] = byte;
            }
        }
        for at in (1..row.len()).rev() {
            row[at] = row[at].wrapping_sub(row[at - 1]);
        }
        undo_float_predictor(&mut row, 32, 1);
        let mut words = Vec::new();
        unpack(&row, 32, true, &mut words);
        assert_eq!(words, values.map(|value| u64::from(value.to_bits())));
    }

    #[test]
    fn signs_are_kept() {
        let mut plane = Samples::Signed(vec![0; 3]);
        place_row(&mut plane, 0, 3, [0xffff, 0x8000, 0x7fff].into_iter(), 16);
        assert_eq!(plane, Samples::Signed(vec![-1, -32768, 32767]));
    }
}
