//! TIFF: which pages are the image (`stack`), what a page is (`page`), its bytes (`chunk`) and its samples (`samples`).
//!
//! The `tiff` crate writes our label images and is the oracle of the tests. It does not read here, because it gives in silence
//! what must be said or refused: surplus and missing data, overlapping offsets, planes behind a single page.

mod chunk;
mod directory;
mod imagej;
mod ome;
mod page;
mod samples;
mod stack;
mod xml;

use std::path::Path;

use self::directory::{Directory, Source, tag};
use self::page::{Compression, Page, Photometric, SampleKind};
use self::stack::Stack;
use super::fault::Fault;
use super::raw::{PlainPages, Purpose, RawImage, Samples, plausible_pixel_size, unsigned_range};
use super::{ImageFormat, ReadLimits};

/// Decodes a TIFF or BigTIFF: one page, or the pages of a stack whose description says what they are.
pub(super) fn decode(
    bytes: &[u8],
    path: &Path,
    limits: &ReadLimits,
    purpose: Purpose,
    plain: PlainPages,
) -> Result<RawImage, Fault> {
    let (source, directories) = directory::directories(bytes, limits)?;
    let Some(directory) = directories.first() else {
        return Err(Fault::Damaged("it holds no image".to_owned()));
    };
    let page = page::page(&source, directory, limits)?;
    let stack = stack::find(&source, &directories, &page, path, limits, plain)?;
    let mut image = RawImage::new(ImageFormat::Tiff, page.width, page.height, page.bits);
    image.full_scale = match page.kind {
        SampleKind::Unsigned => Some(unsigned_range(page.bits)),
        SampleKind::Signed => Some(unsigned_range(page.bits - 1)),
        SampleKind::Float => None,
    };
    image.is_lossy = page.compression == Compression::Jpeg;
    image.channel_names = stack.channel_names.clone();
    image.axes = stack.axes;
    image.pixel_size_um = stack
        .pixel_size_um
        .or_else(|| pixel_size(&source, directory, stack.unit_um));
    image.warnings.extend(stack.warnings.iter().cloned());
    if let Some(orientation) = directory
        .number(&source, tag::ORIENTATION)?
        .filter(|&orientation| orientation != 1)
    {
        image.warnings.push(format!(
            "orientation {orientation} is noted; pixels are read as stored, not turned"
        ));
    }
    let mut is_rgb = false;
    for (directory, page) in pages(&source, &directories, page, &stack, limits)? {
        warn_of_overlap(&source, &directories, &page, &mut image.warnings);
        let (planes, has_surplus) = samples::decode(&source, directory, &page, limits)?;
        if has_surplus {
            image.warnings.push(
                "a strip or tile holds more data than its pixels need; the surplus is ignored".to_owned(),
            );
        }
        image.warnings.extend(page.warnings.iter().cloned());
        is_rgb = interpret(&page, planes, purpose, &mut image);
    }
    image.is_rgb = is_rgb && image.planes.len() == 3;
    if let Some(axes) = &mut image.axes {
        // A page of several channels: they run fastest.
        let n_pages = u64::from(axes.channels) * u64::from(axes.slices) * u64::from(axes.frames);
        let per_page = image.planes.len() as u64 / n_pages.max(1);
        axes.channels = axes.channels.saturating_mul(per_page.max(1) as u32);
    }
    use_max_sample_value(&source, directory, &page_kind(&image), &mut image)?;
    let mut seen = std::collections::BTreeSet::new();
    image.warnings.retain(|warning| seen.insert(warning.clone()));
    Ok(image)
}

/// Whether samples are unsigned, which is all that the full scale asks for.
fn page_kind(image: &RawImage) -> SampleKind {
    match image.planes.first() {
        Some(Samples::Unsigned(_)) => SampleKind::Unsigned,
        Some(Samples::Signed(_)) => SampleKind::Signed,
        _ => SampleKind::Float,
    }
}

/// The pages of the stack in the order of its planes, each with the directory it comes from.
fn pages<'a>(
    source: &Source,
    directories: &'a [Directory],
    first: Page,
    stack: &Stack,
    limits: &ReadLimits,
) -> Result<Vec<(&'a Directory, Page)>, Fault> {
    let mut pages = Vec::new();
    if let Some(offsets) = &stack.contiguous {
        let Some(directory) = directories.first() else {
            return Ok(pages);
        };
        let plane_bytes = first.chunk_row_bytes() * u64::from(first.height);
        for &offset in offsets {
            let (chunk, offsets, byte_counts) =
                ((first.width, first.height), vec![offset], vec![plane_bytes]);
            pages.push((
                directory,
                Page {
                    chunk,
                    offsets,
                    byte_counts,
                    ..first.clone()
                },
            ));
        }
        return Ok(pages);
    }
    for &index in &stack.pages {
        let Some(directory) = directories.get(index) else {
            continue;
        };
        let page = if index == 0 {
            first.clone()
        } else {
            page::page(source, directory, limits)?
        };
        let alike = |page: &Page| {
            (
                page.width,
                page.height,
                page.bits,
                page.kind,
                page.samples,
                page.photometric,
            )
        };
        if alike(&page) != alike(&first) {
            return Err(Fault::Unsupported(
                format!(
                    "a stack whose page {} differs from the first in size or kind",
                    index + 1
                ),
                "save pages of one kind",
            ));
        }
        pages.push((directory, page));
    }
    Ok(pages)
}

/// Adds the planes of a page, without alpha and with bright as large; returns whether they are red, green and blue.
fn interpret(page: &Page, planes: Vec<Samples>, purpose: Purpose, image: &mut RawImage) -> bool {
    let colors = if matches!(page.photometric, Photometric::Rgb | Photometric::JpegColor) {
        3
    } else {
        1
    };
    let top = unsigned_range(page.bits);
    let mut kept = 0;
    for (index, mut plane) in planes.into_iter().enumerate() {
        let is_alpha = index >= colors
            && page
                .extra_samples
                .get(index - colors)
                .is_some_and(|&kind| matches!(kind, 1 | 2));
        if is_alpha {
            let is_opaque = match &plane {
                Samples::Unsigned(values) => values.iter().all(|&value| f64::from(value) == top),
                Samples::Signed(_) => false,
                Samples::Float(values) => values.iter().all(|&value| value == 1.0),
            };
            if !is_opaque {
                image.warnings.push(
                    "the alpha channel is not opaque; it is dropped and nothing is multiplied by it"
                        .to_owned(),
                );
            }
            continue;
        }
        if page.photometric == Photometric::WhiteIsZero && purpose == Purpose::Intensities {
            image.warnings.push(match &mut plane {
                Samples::Unsigned(values) => {
                    values.iter_mut().for_each(|value| *value = top as u32 - *value);
                    "the file is WhiteIsZero; it is inverted so that bright is large".to_owned()
                }
                _ => "the file is WhiteIsZero; its samples have no top to invert at and are read as they are"
                    .to_owned(),
            });
        }
        kept += 1;
        image.planes.push(plane);
    }
    if page.photometric == Photometric::Palette && purpose == Purpose::Intensities {
        image
            .warnings
            .push("the file has a palette (lookup table); the indices are taken as intensities".to_owned());
    }
    colors == 3 && kept == 3
}

/// Takes a sensor's range that is smaller than the words it is stored in: MaxSampleValue of the form 2^n - 1.
///
/// Other values are some image's maximum, which is no scale.
fn use_max_sample_value(
    source: &Source,
    directory: &Directory,
    kind: &SampleKind,
    image: &mut RawImage,
) -> Result<(), Fault> {
    if *kind != SampleKind::Unsigned || image.bits <= 8 {
        return Ok(());
    }
    let Some(most) = directory.number(source, tag::MAX_SAMPLE_VALUE)? else {
        return Ok(());
    };
    if !most.checked_add(1).is_some_and(u64::is_power_of_two)
        || !(255..unsigned_range(image.bits) as u64).contains(&most)
    {
        return Ok(());
    }
    let above = |plane: &Samples| match plane {
        Samples::Unsigned(values) => values.iter().filter(|&&value| u64::from(value) > most).count(),
        _ => 0,
    };
    match image.planes.iter().map(above).sum::<usize>() {
        0 => image.full_scale = Some(most as f64),
        n => image.warnings.push(format!(
            "MaxSampleValue says {most} and {n} samples are above it; it is ignored"
        )),
    }
    Ok(())
}

/// Size of a pixel in µm from XResolution; `unit_um` is the unit that ImageJ names.
fn pixel_size(source: &Source, directory: &Directory, unit_um: Option<f64>) -> Option<f32> {
    let per_unit = directory.rational(source, tag::X_RESOLUTION)?;
    let unit_um = match (
        unit_um,
        directory
            .number(source, tag::RESOLUTION_UNIT)
            .ok()
            .flatten()
            .unwrap_or(2),
    ) {
        (Some(um), _) => um,
        (None, 2) => 25_400.0,
        (None, 3) => 10_000.0,
        _ => return None,
    };
    plausible_pixel_size(unit_um / per_unit)
}

/// Warns of pixels that share bytes with the header or a directory: legal, and hardly meant.
fn warn_of_overlap(source: &Source, directories: &[Directory], page: &Page, warnings: &mut Vec<String>) {
    let mut taken: Vec<(u64, u64)> = directories.iter().map(|directory| directory.extent).collect();
    taken.push((0, if source.big_tiff { 16 } else { 8 }));
    taken.sort_unstable();
    for (index, (&offset, &count)) in page.offsets.iter().zip(&page.byte_counts).enumerate() {
        // The first taken range that ends behind the offset; ranges of directories do not overlap one another in sane files.
        let next = taken.partition_point(|&(_, end)| end <= offset);
        if taken
            .get(next)
            .is_some_and(|&(start, _)| start < offset.saturating_add(count))
        {
            warnings.push(format!(
                "the pixels of strip or tile {index} overlap the header or a directory of the file"
            ));
            return;
        }
    }
}
