//! A folder in the format of the Cell Tracking Challenge: `maskNNN.tif` and `res_track.txt`.
//!
//! A label has no gap: where an object was missed, the shape that it had before is put at the filled place, on free pixels. Where
//! no pixel is free, the label ends and a new one begins whose P is the old one.

use std::collections::BTreeMap;
use std::path::Path;

use image::{Labels, write_labels};
use ndarray::Array2;
use rayon::prelude::*;

use super::linked::Linked;
use super::outlines::Outlines;
use crate::EngineError;
use crate::files::{make_folder, names_in_output, write_whole};

/// Largest field that is written for a table of points, and the pixels of all its frames.
const MAX_FIELD: f64 = (1u64 << 26) as f64;
const MAX_PIXELS: f64 = (1u64 << 32) as f64;
/// Radius of the discs that stand for points, pixels.
const DISC: (f64, f64) = (1.0, 6.0);

/// Pixels of one frame by the index of the object in `tracks.objects`.
type Painted = Vec<(usize, Vec<(usize, usize)>)>;

/// Writes the folder; returns what a person should know.
///
/// Errors: it cannot be written.
pub(super) fn write(linked: &Linked, folder: &Path) -> Result<Vec<String>, EngineError> {
    let mut warnings = Vec::new();
    let (shape, radius) = match linked.observed.shape {
        Some(shape) => (shape, 0.0),
        None => match field_of_points(linked) {
            Ok(field) => field,
            Err(why) => return Ok(vec![why]),
        },
    };
    let n = linked.observed.len();
    let mut by_frame: Vec<Vec<usize>> = vec![Vec::new(); n];
    for (index, object) in linked.tracks.objects.iter().enumerate() {
        by_frame[object.frame as usize].push(index);
    }
    let paint = |t: usize| -> Painted {
        match &linked.observed.outlines {
            Some(outlines) => shapes(linked, &outlines[t], outlines, &by_frame[t]),
            None => discs(linked, shape, radius, &by_frame[t]),
        }
    };
    let frames: Vec<Painted> = (0..n).into_par_iter().map(paint).collect();
    let mut shown = vec![false; linked.tracks.objects.len()];
    for (index, pixels) in frames.iter().flatten() {
        shown[*index] = !pixels.is_empty();
    }
    let (label_of, lines) = labels(linked, &shown);
    let hidden = shown.iter().filter(|shown| !**shown).count();
    if hidden > 0 {
        warnings.push(format!(
            "ctc: {hidden} positions have no free pixel: their labels end there and go on under new ones"
        ));
    }
    if lines.len() > usize::from(u16::MAX) {
        warnings.push(format!(
            "ctc: {} labels do not fit 16 bits: the masks have 32",
            lines.len()
        ));
    }
    make_folder(folder)?;
    remove_old(folder)?;
    let digits = if n > 1000 { 4 } else { 3 };
    frames
        .par_iter()
        .enumerate()
        .try_for_each(|(t, painted)| -> Result<(), EngineError> {
            let mut map = Array2::zeros(shape);
            for (index, pixels) in painted {
                for &pixel in pixels {
                    map[pixel] = label_of[*index];
                }
            }
            let n = map.iter().copied().max().unwrap_or(0);
            write_labels(&folder.join(format!("mask{t:0digits$}.tif")), &Labels { map, n })?;
            Ok(())
        })?;
    let text: String = lines
        .iter()
        .map(|(label, first, last, parent)| format!("{label} {first} {last} {parent}\n"))
        .collect();
    write_whole(&folder.join("res_track.txt"), text.as_bytes())?;
    Ok(warnings)
}

/// Masks of an earlier start would count as frames of this one.
fn remove_old(folder: &Path) -> Result<(), EngineError> {
    for name in names_in_output(folder)? {
        if name.starts_with("mask") && name.ends_with(".tif") {
            let path = folder.join(name);
            std::fs::remove_file(&path).map_err(|source| EngineError::Write { path, source })?;
        }
    }
    Ok(())
}

/// A line of `res_track.txt`: label, first frame, last frame, parent.
type Line = (u32, u32, u32, u32);

/// Label of every object, and the lines L B E P: a track keeps its id up to its first gap.
fn labels(linked: &Linked, shown: &[bool]) -> (Vec<u32>, Vec<Line>) {
    let mut label_of = vec![0; shown.len()];
    let mut next = linked.tracks.tracks.len() as u32;
    let mut last_label: BTreeMap<u32, u32> = BTreeMap::new();
    let mut lines = Vec::new();
    for track in &linked.tracks.tracks {
        let span = linked.span[track.id as usize - 1].clone();
        let visible: Vec<usize> = span.filter(|&index| shown[index]).collect();
        let frame = |index: usize| linked.tracks.objects[index].frame;
        let mut parent = track
            .parent
            .and_then(|parent| last_label.get(&parent))
            .copied()
            .unwrap_or(0);
        for (piece, run) in visible.chunk_by(|&a, &b| frame(b) == frame(a) + 1).enumerate() {
            let label = if piece == 0 {
                track.id
            } else {
                next += 1;
                next
            };
            run.iter().for_each(|&index| label_of[index] = label);
            lines.push((label, frame(run[0]), frame(run[run.len() - 1]), parent));
            parent = label;
            last_label.insert(track.id, label);
        }
    }
    lines.sort_unstable();
    (label_of, lines)
}

/// The outlines of a frame, and for filled objects the nearest shape of the same track on free pixels.
fn shapes(linked: &Linked, here: &Outlines, all: &[Outlines], objects: &[usize]) -> Painted {
    let mut taken = Array2::from_elem(here.shape, false);
    let mut painted = Painted::new();
    for &index in objects {
        if let Some(detection) = linked.tracks.objects[index].detection {
            let pixels: Vec<(usize, usize)> = here.pixels(detection as usize).collect();
            pixels.iter().for_each(|&pixel| taken[pixel] = true);
            painted.push((index, pixels));
        }
    }
    for &index in objects {
        let object = &linked.tracks.objects[index];
        if object.detection.is_some() {
            continue;
        }
        let of_track = linked.objects(object.track).iter();
        let nearest = of_track
            .filter(|other| other.detection.is_some())
            .min_by_key(|other| (other.frame.abs_diff(object.frame), other.frame));
        let Some((other, detection)) = nearest.and_then(|other| Some((other, other.detection?))) else {
            painted.push((index, Vec::new()));
            continue;
        };
        let (down, right) = (
            (object.y - other.y).round() as isize,
            (object.x - other.x).round() as isize,
        );
        let moved = all[other.frame as usize]
            .pixels(detection as usize)
            .filter_map(|(row, column)| {
                Some((row.checked_add_signed(down)?, column.checked_add_signed(right)?))
            })
            .filter(|&pixel| taken.get(pixel) == Some(&false));
        let pixels: Vec<(usize, usize)> = moved.collect();
        pixels.iter().for_each(|&pixel| taken[pixel] = true);
        painted.push((index, pixels));
    }
    painted
}

/// Rows and columns that hold all points, and the radius of their discs; or why there are none.
fn field_of_points(linked: &Linked) -> Result<((usize, usize), f64), String> {
    let (mut right, mut bottom) = (0.0f64, 0.0f64);
    for object in &linked.tracks.objects {
        if object.x < 0.0 || object.y < 0.0 {
            return Err(format!(
                "ctc: no masks are written, because a position is negative: ({:.1}, {:.1})",
                object.x, object.y
            ));
        }
        (right, bottom) = (right.max(object.x), bottom.max(object.y));
    }
    let cells = linked.observed.detections.len().max(1) as f64 / linked.observed.len().max(1) as f64;
    let room = ((right + 1.0) * (bottom + 1.0) / cells).sqrt();
    let radius = (room / 6.0).clamp(DISC.0, DISC.1);
    let (rows, columns) = ((bottom + radius).ceil() + 1.0, (right + radius).ceil() + 1.0);
    if rows * columns > MAX_FIELD || rows * columns * linked.observed.len() as f64 > MAX_PIXELS {
        return Err(format!(
            "ctc: no masks are written, because the positions span {columns:.0} x {rows:.0} pixels in {} frames",
            linked.observed.len()
        ));
    }
    Ok(((rows as usize, columns as usize), radius))
}

/// Discs around points; where two meet, the nearer point has the pixel, the first of equals.
fn discs(linked: &Linked, shape: (usize, usize), radius: f64, objects: &[usize]) -> Painted {
    let mut owner: BTreeMap<(usize, usize), (f64, usize)> = BTreeMap::new();
    for (slot, &index) in objects.iter().enumerate() {
        let object = &linked.tracks.objects[index];
        let range = |at: f64, end: usize| {
            let from = (at - radius).ceil().max(0.0) as usize;
            let to = ((at + radius).floor() as usize + 1).min(end);
            from..to
        };
        for row in range(object.y, shape.0) {
            for column in range(object.x, shape.1) {
                let distance = (row as f64 - object.y).hypot(column as f64 - object.x);
                if distance > radius {
                    continue;
                }
                let held = owner.entry((row, column)).or_insert((f64::INFINITY, slot));
                if distance < held.0 {
                    *held = (distance, slot);
                }
            }
        }
    }
    let mut painted: Painted = objects.iter().map(|&index| (index, Vec::new())).collect();
    for (pixel, (_, slot)) in owner {
        painted[slot].1.push(pixel);
    }
    painted
}
