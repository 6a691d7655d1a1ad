//! Which pages of a TIFF are the image: one page, a stack that its description explains, or a question that nobody answers.

use std::path::Path;

use super::directory::{Directory, Source, tag};
use super::page::{Compression, Page, page_size};
use super::{imagej, ome};
use crate::read::fault::Fault;
use crate::read::raw::{PlainPages, check_size};
use crate::read::{PlaneAxes, ReadLimits};

/// The planes of the image.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stack {
    /// Directory of each plane.
    pub(super) pages: Vec<usize>,
    /// Offsets of planes that lie one behind the other behind the first directory, instead of `pages`.
    pub(super) contiguous: Option<Vec<u64>>,
    pub(super) axes: Option<PlaneAxes>,
    pub(super) channel_names: Vec<String>,
    pub(super) pixel_size_um: Option<f32>,
    /// µm of the unit that resolutions refer to.
    pub(super) unit_um: Option<f64>,
    pub(super) warnings: Vec<String>,
}

/// Decides on the pages. `first` is the page of the first directory.
pub(super) fn find(
    source: &Source,
    directories: &[Directory],
    first: &Page,
    path: &Path,
    limits: &ReadLimits,
    plain: PlainPages,
) -> Result<Stack, Fault> {
    let (width, height) = (u64::from(first.width), u64::from(first.height));
    let mut stack = Stack::default();
    let mut sizes_agree = true;
    for (index, directory) in directories.iter().enumerate() {
        let (page_width, page_height) = page_size(source, directory)?;
        let is_reduced = directory.number(source, tag::NEW_SUBFILE_TYPE)?.unwrap_or(0) & 1 == 1;
        if index > 0 && (is_reduced || (page_width < width && page_height < height)) {
            continue;
        }
        sizes_agree &= (page_width, page_height) == (width, height);
        stack.pages.push(index);
    }
    let (n, n_previews) = (stack.pages.len(), directories.len() - stack.pages.len());
    let directory = directories
        .first()
        .ok_or_else(|| Fault::Damaged("it holds no image".to_owned()))?;
    let metamorph_planes = directory.count(tag::METAMORPH_PLANES);
    if metamorph_planes > 1 {
        let what = format!("a MetaMorph stack of {metamorph_planes} planes behind one page");
        return Err(Fault::Ambiguous(
            what,
            "save the planes as single files or as OME-TIFF",
        ));
    }
    let description = match directory.text(source, tag::IMAGE_DESCRIPTION) {
        Some(Ok(text)) => text,
        Some(Err(warning)) => {
            stack.warnings.push(warning);
            String::new()
        }
        None => String::new(),
    };
    if ome::is_ome(&description) {
        let pages = ome::Pages {
            n,
            width,
            height,
            samples: first.samples,
        };
        let ome = ome::read(&description, pages, path)?;
        stack.pages = ome
            .page_of_plane
            .iter()
            .filter_map(|&page| stack.pages.get(page).copied())
            .collect();
        stack.axes = ome.axes.filter(|_| n > 1);
        (stack.channel_names, stack.pixel_size_um) = (ome.channel_names, ome.pixel_size_um);
        stack.warnings.extend(ome.warnings);
    } else if let Some(imagej) = imagej::read(&description)? {
        stack.unit_um = imagej.unit_um;
        stack.axes = Some(imagej.axes).filter(|_| imagej.images > 1);
        if n == 1 && imagej.images > 1 {
            stack.contiguous = Some(contiguous_planes(source, first, imagej.images)?);
        } else if imagej.images != n as u64 {
            return Err(Fault::Metadata(format!(
                "the ImageJ description claims {} images, the file holds {n} pages",
                imagej.images
            )));
        }
    } else if n > 1 && plain == PlainPages::Refused {
        let what =
            format!("{n} pages, the first of {width} x {height} pixels, and nothing says what they are");
        return Err(Fault::Ambiguous(
            what,
            "save one plane a file, or a stack as OME-TIFF",
        ));
    }
    if !sizes_agree && n > 1 {
        let what = format!("{n} pages of different sizes");
        return Err(Fault::Ambiguous(what, "save pages of one size"));
    }
    if n_previews > 0 {
        stack.warnings.push(format!(
            "of {} pages, {n_previews} are smaller or marked as previews and are not read",
            directories.len()
        ));
    }
    let planes = stack.contiguous.as_ref().map_or(stack.pages.len(), Vec::len) as u64;
    check_size(width, height, planes.saturating_mul(first.samples as u64), limits)?;
    Ok(stack)
}

/// Offsets of the planes of an ImageJ stack that has one directory: uncompressed, one behind the other.
fn contiguous_planes(source: &Source, page: &Page, images: u64) -> Result<Vec<u64>, Fault> {
    let lies = |why: String| Fault::Metadata(format!("the ImageJ description claims {images} images, {why}"));
    if page.compression != Compression::None || page.is_tiled || page.is_planar {
        return Err(lies(
            "the file has one page, and only uncompressed strips can have more behind them".to_owned(),
        ));
    }
    let is_contiguous = page
        .offsets
        .iter()
        .zip(&page.byte_counts)
        .zip(page.offsets.iter().skip(1))
        .all(|((&offset, &count), &next)| offset.checked_add(count) == Some(next));
    let start = page.offsets.first().copied().unwrap_or(0);
    let plane_bytes = page.chunk_row_bytes() * u64::from(page.height);
    let held = (source.bytes.len() as u64).saturating_sub(start) / plane_bytes.max(1);
    if !is_contiguous || held < images {
        return Err(lies(format!(
            "the file holds {}",
            if is_contiguous { held } else { 1 }
        )));
    }
    Ok((0..images).map(|index| start + index * plane_bytes).collect())
}
