//! What OME-XML in the first page says about planes, channels and the size of a pixel.
//!
//! Source: OME schema 2016-06 and the OME-TIFF specification.

use std::path::Path;

use super::xml::{self, Element, XmlFault};
use crate::read::PlaneAxes;
use crate::read::fault::Fault;
use crate::read::raw::plausible_pixel_size;

/// Whether a description is meant as OME-XML.
pub(super) fn is_ome(description: &str) -> bool {
    let start = description.trim_start();
    (start.starts_with("<?xml") || start.starts_with('<'))
        && (start.contains("<OME") || start.contains(":OME"))
}

/// Which planes the pages are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ome {
    /// Page of each plane, channels fastest, then focal planes, then time.
    pub(super) page_of_plane: Vec<usize>,
    pub(super) axes: Option<PlaneAxes>,
    pub(super) channel_names: Vec<String>,
    pub(super) pixel_size_um: Option<f32>,
    pub(super) warnings: Vec<String>,
}

/// The pages as they are in the file: number, width, height and samples a pixel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pages {
    pub(super) n: usize,
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) samples: usize,
}

/// The attributes of Pixels, its channels and where its planes are.
#[derive(Default)]
struct Pixels {
    size: [u64; 5],
    order: String,
    pixel_size_um: Option<f32>,
    channels: Vec<(String, u64)>,
    plane_blocks: Vec<PlaneBlock>,
}

/// A TiffData element: `n` planes from page `page` on, from the plane (channel, slice, frame) on.
struct PlaneBlock {
    page: Option<u64>,
    first: [u64; 3],
    n: Option<u64>,
    file: Option<String>,
}

/// Reads the description and checks it against the pages and the folder of the file.
pub(super) fn read(description: &str, pages: Pages, path: &Path) -> Result<Ome, Fault> {
    let one_page = |why: String| {
        if pages.n == 1 {
            let warnings = vec![format!("{why}; channel name and pixel size are unknown")];
            Ok(Ome {
                page_of_plane: vec![0],
                warnings,
                ..Ome::default()
            })
        } else {
            let hint = "export the file again as one OME-TIFF with its metadata";
            Err(Fault::Ambiguous(format!("{} pages, and {why}", pages.n), hint))
        }
    };
    let elements = match xml::elements(description) {
        Ok(elements) => elements,
        Err(fault @ XmlFault::Entity(_)) => return Err(Fault::Metadata(format!("OME-XML: {fault}"))),
        Err(XmlFault::Broken(what)) => return one_page(format!("its OME-XML is broken ({what})")),
    };
    if let Some(companion) = elements.iter().find(|element| element.name == "BinaryOnly") {
        let name = companion.attribute("MetadataFile").unwrap_or("a companion file");
        return one_page(format!(
            "its OME metadata are in another file ({name}), which is not read"
        ));
    }
    let mut images = images(&elements);
    let pixels = match (images.pop(), images.len()) {
        (Some(pixels), 0) => pixels,
        (None, _) => return one_page("its OME-XML describes no image".to_owned()),
        (Some(_), more) => {
            let what = format!("its OME-XML describes {} images", more + 1);
            return Err(Fault::Ambiguous(what, "export one field of view a file"));
        }
    };
    let is_set = check_files(&pixels, path)?;
    let [width, height, size_c, size_z, size_t] = pixels.size;
    // A channel of several samples (RGB) is one plane.
    let declared: u64 = pixels
        .channels
        .iter()
        .fold(0, |sum, (_, samples)| sum.saturating_add(*samples));
    let samples = (pages.samples as u64).max(1);
    let mut c = if declared == size_c && declared > 0 {
        pixels.channels.len() as u64
    } else {
        size_c
    };
    if c.saturating_mul(size_z).saturating_mul(size_t) != pages.n as u64 && c % samples == 0 {
        // Channels that are the samples of one page.
        c /= samples;
    }
    let n = c.saturating_mul(size_z).saturating_mul(size_t);
    let fits = if is_set {
        n >= pages.n as u64
    } else {
        n == pages.n as u64
    };
    if !fits || (width, height) != (pages.width, pages.height) {
        return Err(Fault::Metadata(format!(
            "OME-XML claims {n} planes of {width} x {height} pixels, the file holds {} of {} x {}",
            pages.n, pages.width, pages.height
        )));
    }
    let mut ome = Ome {
        pixel_size_um: pixels.pixel_size_um,
        ..Ome::default()
    };
    if is_set {
        // Other planes are in other files, which the layout of the plate finds by itself.
        ome.page_of_plane = (0..pages.n).collect();
        return Ok(ome);
    }
    ome.channel_names = pixels.channels.iter().map(|(name, _)| name.clone()).collect();
    if ome.channel_names.iter().all(String::is_empty) {
        ome.channel_names.clear();
    }
    ome.axes = Some(PlaneAxes {
        channels: c as u32,
        slices: size_z as u32,
        frames: size_t as u32,
    });
    ome.page_of_plane = page_of_plane(&pixels, [c, size_z, size_t], pages.n)?;
    Ok(ome)
}

/// The Pixels elements with what is below them.
fn images(elements: &[Element]) -> Vec<Pixels> {
    let mut images: Vec<Pixels> = Vec::new();
    for element in elements {
        let number = |name: &str| {
            element
                .attribute(name)
                .and_then(|value| value.trim().parse::<u64>().ok())
        };
        if element.name == "Pixels" {
            images.push(Pixels {
                size: ["SizeX", "SizeY", "SizeC", "SizeZ", "SizeT"].map(|name| number(name).unwrap_or(1)),
                order: element.attribute("DimensionOrder").unwrap_or("XYCZT").to_owned(),
                pixel_size_um: pixel_size(element),
                ..Pixels::default()
            });
            continue;
        }
        let Some(pixels) = images.last_mut() else { continue };
        match element.name.as_str() {
            "Channel" => {
                let name = element.attribute("Name").unwrap_or_default().to_owned();
                pixels
                    .channels
                    .push((name, number("SamplesPerPixel").unwrap_or(1)));
            }
            "TiffData" => pixels.plane_blocks.push(PlaneBlock {
                page: number("IFD"),
                first: ["FirstC", "FirstZ", "FirstT"].map(|name| number(name).unwrap_or(0)),
                n: number("PlaneCount"),
                file: None,
            }),
            "UUID" => {
                if let (Some(block), Some(file)) =
                    (pixels.plane_blocks.last_mut(), element.attribute("FileName"))
                {
                    block.file = Some(file.to_owned());
                }
            }
            _ => {}
        }
    }
    images
}

/// PhysicalSizeX in µm.
fn pixel_size(pixels: &Element) -> Option<f32> {
    let size: f64 = pixels.attribute("PhysicalSizeX")?.trim().parse().ok()?;
    let um = match pixels.attribute("PhysicalSizeXUnit").unwrap_or("µm") {
        "µm" | "μm" | "um" | "micron" => 1.0,
        "nm" => 1e-3,
        "mm" => 1e3,
        "cm" => 1e4,
        "m" => 1e6,
        _ => return None,
    };
    plausible_pixel_size(size * um)
}

/// Whether the planes are spread over several files, all of which must be beside this one.
fn check_files(pixels: &Pixels, path: &Path) -> Result<bool, Fault> {
    let mut names: Vec<&str> = pixels
        .plane_blocks
        .iter()
        .filter_map(|block| block.file.as_deref())
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in &names {
        if name.contains(['/', '\\', ':', '\0']) || matches!(*name, "" | "." | "..") {
            return Err(Fault::Metadata(format!(
                "OME-XML refers to {name:?}, which lies outside of the file's own folder"
            )));
        }
    }
    // A single name is this file's own, also where it was renamed since.
    if names.len() < 2 {
        return Ok(false);
    }
    let missing: Vec<&str> = names
        .into_iter()
        .filter(|name| !path.with_file_name(name).is_file())
        .collect();
    if missing.is_empty() {
        return Ok(true);
    }
    Err(Fault::Metadata(format!(
        "OME-XML says that planes are in {}, which cannot be found",
        missing.join(", ")
    )))
}

/// Page of each plane in the order channel, slice, frame; `size` is their number in that order.
fn page_of_plane(pixels: &Pixels, size: [u64; 3], n_pages: usize) -> Result<Vec<usize>, Fault> {
    let [c, z, t] = size;
    // Position of channel, slice and frame in the order in which planes follow one another.
    let order: Vec<usize> = pixels.order.chars().filter_map(|axis| "CZT".find(axis)).collect();
    let order = if order.len() == 3 { order } else { vec![0, 1, 2] };
    let size_of = |axis: usize| size.get(axis).copied().unwrap_or(1).max(1);
    // The plane `step` places after `first`, as a rank in the output's order.
    let rank = |first: [u64; 3], step: u64| -> Option<usize> {
        let mut position = 0;
        let mut stride = 1;
        for &axis in &order {
            position += first.get(axis).copied().unwrap_or(0) * stride;
            stride *= size_of(axis);
        }
        let mut left = position.checked_add(step)?;
        let mut at = [0u64; 3];
        for &axis in &order {
            *at.get_mut(axis)? = left % size_of(axis);
            left /= size_of(axis);
        }
        let [channel, slice, frame] = at;
        (left == 0).then_some((channel + c * (slice + z * frame)) as usize)
    };
    let lost =
        |what: String| Fault::Metadata(format!("OME-XML does not say which page is which plane: {what}"));
    let mut pages: Vec<Option<usize>> = vec![None; (c * z * t) as usize];
    let whole = [PlaneBlock {
        page: Some(0),
        first: [0; 3],
        n: Some(n_pages as u64),
        file: None,
    }];
    let blocks = if pixels.plane_blocks.is_empty() {
        &whole[..]
    } else {
        &pixels.plane_blocks
    };
    for block in blocks {
        // Without an IFD the block means all pages; with one and without a count, that page.
        let n = block
            .n
            .unwrap_or(if block.page.is_some() { 1 } else { n_pages as u64 });
        for step in 0..n.min(n_pages as u64 + 1) {
            let page = block.page.unwrap_or(0).saturating_add(step);
            if page >= n_pages as u64 {
                return Err(lost(format!("page {page} is asked for, there are {n_pages}")));
            }
            if block.first.iter().zip(size).any(|(&first, size)| first >= size) {
                return Err(lost(format!(
                    "plane {:?} is outside of {size:?} channels, slices and frames",
                    block.first
                )));
            }
            let place = rank(block.first, step).and_then(|rank| pages.get_mut(rank));
            let place = place.ok_or_else(|| lost("more planes are listed than there are".to_owned()))?;
            if place
                .replace(page as usize)
                .is_some_and(|before| before != page as usize)
            {
                return Err(lost(format!("a plane is on two pages, {page} is one of them")));
            }
        }
    }
    pages
        .into_iter()
        .collect::<Option<Vec<usize>>>()
        .ok_or_else(|| lost("some planes are on no page".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(order: &str, body: &str) -> String {
        format!(
            "<OME><Image><Pixels DimensionOrder='{order}' SizeX='8' SizeY='4' SizeC='2' SizeZ='3' SizeT='1' \
             PhysicalSizeX='325' PhysicalSizeXUnit='nm'><Channel Name='DAPI'/><Channel Name='GFP'/>{body}</Pixels></Image></OME>"
        )
    }

    const PAGES: Pages = Pages {
        n: 6,
        width: 8,
        height: 4,
        samples: 1,
    };

    #[test]
    fn planes_come_channels_fastest_whatever_the_order_of_the_pages() {
        let by_order = |order| read(&xml(order, "<TiffData/>"), PAGES, Path::new("a.tif")).unwrap();
        assert_eq!(by_order("XYCZT").page_of_plane, [0, 1, 2, 3, 4, 5]);
        assert_eq!(by_order("XYZCT").page_of_plane, [0, 3, 1, 4, 2, 5]);
        let ome = by_order("XYZTC");
        assert_eq!(ome.page_of_plane, [0, 3, 1, 4, 2, 5]);
        assert_eq!(ome.channel_names, ["DAPI", "GFP"]);
        assert_eq!(
            ome.axes,
            Some(PlaneAxes {
                channels: 2,
                slices: 3,
                frames: 1
            })
        );
        assert_eq!(ome.pixel_size_um, Some(0.325));
    }

    #[test]
    fn blocks_may_name_any_page() {
        let body: String = (0..6)
            .map(|page| {
                format!(
                    "<TiffData IFD='{page}' FirstC='{}' FirstZ='{}' PlaneCount='1'/>",
                    1 - page % 2,
                    2 - page / 2
                )
            })
            .collect();
        let ome = read(&xml("XYCZT", &body), PAGES, Path::new("a.tif")).unwrap();
        assert_eq!(ome.page_of_plane, [5, 4, 3, 2, 1, 0]);
    }

    #[test]
    fn planes_without_a_page_or_with_two_are_refused() {
        for body in [
            "<TiffData IFD='0' PlaneCount='5'/>",
            "<TiffData IFD='2' PlaneCount='6'/>",
            "<TiffData FirstC='7'/>",
        ] {
            assert!(
                matches!(
                    read(&xml("XYCZT", body), PAGES, Path::new("a.tif")),
                    Err(Fault::Metadata(_))
                ),
                "{body}"
            );
        }
        let doubled = "<TiffData PlaneCount='6' IFD='0'/><TiffData IFD='1' PlaneCount='1'/>";
        assert!(matches!(
            read(&xml("XYCZT", doubled), PAGES, Path::new("a.tif")),
            Err(Fault::Metadata(_))
        ));
    }
}
