//! The markers of a JPEG stream up to its end: size, precision, components, tables, orientation.
//!
//! Source: ITU-T T.81 (1992), annex B; EXIF 2.32, section 4.5 for the orientation.

use super::entropy::{self, HuffmanTable, ScanComponent};
use crate::read::ReadLimits;
use crate::read::fault::Fault;
use crate::read::raw::check_size;

/// One component of the frame.
#[derive(Clone, Debug)]
pub(super) struct Component {
    id: u8,
    pub(super) horizontal: u8,
    pub(super) vertical: u8,
}

/// What the stream declares.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) components: Vec<Component>,
    pub(super) is_progressive: bool,
    pub(super) has_end_marker: bool,
    /// EXIF orientation, 1 to 8.
    pub(super) orientation: Option<u16>,
}

/// Tables that are in force.
#[derive(Default)]
struct Tables {
    dc: [Option<HuffmanTable>; 4],
    ac: [Option<HuffmanTable>; 4],
    restart_interval: usize,
}

/// Walks all markers. The entropy-coded blocks of sequential images are counted, so that a stream that lacks blocks is found out.
pub(super) fn check(bytes: &[u8], limits: &ReadLimits) -> Result<Frame, Fault> {
    let cut = || {
        Fault::EndsEarly(format!(
            "the stream of {} bytes stops inside its header",
            bytes.len()
        ))
    };
    let mut frame: Option<Frame> = None;
    let mut tables = Tables::default();
    let mut orientation = None;
    let mut seen: Vec<u8> = Vec::new();
    let mut at = 2;
    loop {
        let Some(marker) = next_marker(bytes, &mut at) else {
            // Without a single complete scan there is no image; after one, only the end marker may lack.
            let frame = frame.ok_or_else(cut)?;
            return if frame
                .components
                .iter()
                .all(|component| seen.contains(&component.id))
            {
                Ok(Frame { orientation, ..frame })
            } else {
                Err(Fault::EndsEarly("not all components have a scan".to_owned()))
            };
        };
        match marker {
            0xd9 => {
                let frame = frame
                    .ok_or_else(|| Fault::Damaged("the stream ends without a frame header".to_owned()))?;
                if frame
                    .components
                    .iter()
                    .all(|component| seen.contains(&component.id))
                {
                    return Ok(Frame {
                        has_end_marker: true,
                        orientation,
                        ..frame
                    });
                }
                return Err(Fault::Damaged(
                    "the stream ends before all components were scanned".to_owned(),
                ));
            }
            // Markers without content: TEM, restart markers out of place, a second start.
            0x01 | 0xd0..=0xd8 => continue,
            _ => {}
        }
        let length = bytes
            .get(at..)
            .and_then(<[u8]>::first_chunk::<2>)
            .ok_or_else(cut)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length < 2 {
            return Err(Fault::Damaged(format!(
                "the segment at byte {at} says it has {length} bytes, at least 2 are needed"
            )));
        }
        let segment = bytes.get(at + 2..at + length).ok_or_else(cut)?;
        at += length;
        match marker {
            0xc4 => huffman_tables(segment, &mut tables)?,
            0xc0..=0xcf if marker != 0xc8 && marker != 0xcc => {
                if frame.is_some() {
                    return Err(Fault::Damaged("there are two frame headers".to_owned()));
                }
                frame = Some(frame_header(marker, segment, limits)?);
            }
            0xdd => {
                if let Some(interval) = segment.first_chunk::<2>() {
                    tables.restart_interval = usize::from(u16::from_be_bytes(*interval));
                }
            }
            0xe1 if orientation.is_none() => orientation = exif_orientation(segment),
            0xda => {
                let frame = frame
                    .as_ref()
                    .ok_or_else(|| Fault::Damaged("a scan comes before the frame header".to_owned()))?;
                at = scan(bytes, at, segment, frame, &tables, &mut seen)?;
            }
            _ => {}
        }
    }
}

/// The next marker code at or after `at`, which is moved behind it; bytes between segments are skipped.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let rest = bytes.get(*at..)?;
        let start = rest.iter().position(|&byte| byte == 0xff)?;
        let fill = rest
            .get(start..)?
            .iter()
            .take_while(|&&byte| byte == 0xff)
            .count();
        let code = *rest.get(start + fill)?;
        *at += start + fill + 1;
        if code != 0 {
            return Some(code);
        }
    }
}

fn frame_header(marker: u8, segment: &[u8], limits: &ReadLimits) -> Result<Frame, Fault> {
    let Some((&[precision, h1, h0, w1, w0, n], rest)) = segment.split_first_chunk::<6>() else {
        return Err(Fault::Damaged("the frame header is too short".to_owned()));
    };
    let (height, width) = (u16::from_be_bytes([h1, h0]), u16::from_be_bytes([w1, w0]));
    check_size(u64::from(width), u64::from(height), u64::from(n).max(1), limits)?;
    let kind = match marker {
        0xc0..=0xc2 => None,
        0xc3 => Some("lossless JPEG"),
        0xc9..=0xcb => Some("JPEG with arithmetic coding"),
        _ => Some("hierarchical or differential JPEG"),
    };
    if let Some(kind) = kind {
        return Err(Fault::Unsupported(kind.to_owned(), "save it as PNG or TIFF"));
    }
    if precision != 8 {
        return Err(Fault::Unsupported(
            format!("JPEG with {precision} bits a sample"),
            "save it as 16-bit PNG or TIFF",
        ));
    }
    match n {
        1 | 3 => {}
        4 => {
            return Err(Fault::Unsupported(
                "JPEG with four components (CMYK, print colors)".to_owned(),
                "export the gray channels as PNG or TIFF",
            ));
        }
        _ => {
            return Err(Fault::Unsupported(
                format!("JPEG with {n} components"),
                "export gray or RGB images as PNG or TIFF",
            ));
        }
    }
    let mut components = Vec::new();
    for part in rest.chunks_exact(3).take(usize::from(n)) {
        let &[id, sampling, _] = part else { continue };
        let (horizontal, vertical) = (sampling >> 4, sampling & 15);
        if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) {
            return Err(Fault::Damaged(format!(
                "component {id} has sampling factors {horizontal} x {vertical}"
            )));
        }
        components.push(Component {
            id,
            horizontal,
            vertical,
        });
    }
    if components.len() != usize::from(n) {
        return Err(Fault::Damaged(
            "the frame header is too short for its components".to_owned(),
        ));
    }
    Ok(Frame {
        width,
        height,
        components,
        is_progressive: marker == 0xc2,
        has_end_marker: false,
        orientation: None,
    })
}

fn huffman_tables(mut segment: &[u8], tables: &mut Tables) -> Result<(), Fault> {
    while let Some((&class_and_slot, rest)) = segment.split_first() {
        let (table, rest) = HuffmanTable::parse(rest)?;
        let slots = if class_and_slot >> 4 == 0 {
            &mut tables.dc
        } else {
            &mut tables.ac
        };
        let slot = slots
            .get_mut(usize::from(class_and_slot & 15))
            .ok_or_else(|| Fault::Damaged(format!("Huffman table {class_and_slot:#04x} has no such slot")))?;
        *slot = Some(table);
        segment = rest;
    }
    Ok(())
}

/// Goes through one scan and returns where the next marker is.
fn scan(
    bytes: &[u8],
    at: usize,
    segment: &[u8],
    frame: &Frame,
    tables: &Tables,
    seen: &mut Vec<u8>,
) -> Result<usize, Fault> {
    let damaged = |what: &str| Fault::Damaged(format!("a scan header {what}"));
    let (&n, rest) = segment.split_first().ok_or_else(|| damaged("is empty"))?;
    let mut parts = Vec::new();
    for part in rest.chunks_exact(2).take(usize::from(n)) {
        let &[id, slots] = part else { continue };
        let component = frame
            .components
            .iter()
            .find(|component| component.id == id)
            .ok_or_else(|| damaged("names an unknown component"))?;
        seen.push(id);
        parts.push((component, usize::from(slots >> 4), usize::from(slots & 15)));
    }
    if parts.is_empty() || parts.len() != usize::from(n) {
        return Err(damaged("is too short"));
    }
    let entropy_coded = bytes.get(at..).unwrap_or_default();
    if frame.is_progressive {
        return Ok(at + entropy::length(entropy_coded));
    }
    let mut scan_components = Vec::new();
    for (component, dc, ac) in parts {
        let table = |slots: &'_ [Option<HuffmanTable>; 4], slot: usize, kind: &str| {
            slots.get(slot).and_then(Option::as_ref).cloned().ok_or_else(|| {
                Fault::Damaged(format!(
                    "component {} has no Huffman table for {kind}",
                    component.id
                ))
            })
        };
        scan_components.push(ScanComponent {
            horizontal: component.horizontal,
            vertical: component.vertical,
            dc: table(&tables.dc, dc, "DC")?,
            ac: table(&tables.ac, ac, "AC")?,
        });
    }
    let most = |factor: fn(&Component) -> u8| frame.components.iter().map(factor).max().unwrap_or(1);
    let (most_h, most_v) = (
        most(|component| component.horizontal),
        most(|component| component.vertical),
    );
    let used = entropy::count_blocks(
        entropy_coded,
        &scan_components,
        entropy::Grid {
            width: frame.width,
            height: frame.height,
            most_h,
            most_v,
        },
        tables.restart_interval,
    )?;
    Ok(at + used)
}

/// The orientation in an EXIF segment, if it is there and not 0.
fn exif_orientation(segment: &[u8]) -> Option<u16> {
    let tiff = segment.strip_prefix(b"Exif\0\0")?;
    let little = match tiff.first_chunk::<4>()? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let u16_at = |at: usize| {
        let pair = *tiff.get(at..)?.first_chunk::<2>()?;
        Some(if little {
            u16::from_le_bytes(pair)
        } else {
            u16::from_be_bytes(pair)
        })
    };
    let four = *tiff.get(4..)?.first_chunk::<4>()?;
    let directory = if little {
        u32::from_le_bytes(four)
    } else {
        u32::from_be_bytes(four)
    } as usize;
    let n = usize::from(u16_at(directory)?);
    (0..n)
        .map(|entry| directory + 2 + 12 * entry)
        .find(|&entry| u16_at(entry) == Some(274))
        .and_then(|entry| u16_at(entry + 8))
        .filter(|&orientation| orientation != 0)
}
