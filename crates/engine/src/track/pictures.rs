//! Pictures of a tracked movie: frames with outlines and numbers, crops around doubtful places.

use std::collections::BTreeMap;

use image::{PixelBox, common_contrast, encode_png_rgb, to_u8};
use ndarray::{Array2, Array3};
use report::{Picture, TRACK_COLORS, TrackMark, TrackedFrame};

use super::linked::Linked;
use super::movie::Movie;
use super::review::ReviewItem;

/// Frames of the strip.
const FRAMES: usize = 6;
/// Longer side of a frame in the report, pixels.
const FRAME_PX: usize = 480;
/// Side of a crop around a doubtful place, in typical diameters of a cell and in pixels at least.
const CROP_DIAMETERS: f64 = 3.5;
const CROP_LEAST: f64 = 40.0;
/// Pixels of a crop in the report.
const CROP_PX: usize = 96;
/// Frames of a crop strip: one before, those of the link, one after.
const CROP_FRAMES: u32 = 5;
/// More numbers than these cannot be read.
const MOST_NUMBERS: usize = 120;

/// What the pictures are made from.
pub(super) struct Painter<'a> {
    linked: &'a Linked<'a>,
    movie: Option<&'a Movie>,
    /// Colour of each track's family.
    color: Vec<usize>,
    /// Planes that were read, by frame.
    planes: BTreeMap<usize, Option<Array2<f32>>>,
    contrast: (f32, f32),
}

impl<'a> Painter<'a> {
    /// Colours for families, the contrast of a few frames for all.
    pub(super) fn new(linked: &'a Linked<'a>, movie: Option<&'a Movie>) -> Self {
        let mut color = Vec::with_capacity(linked.tracks.tracks.len());
        let mut families = 0;
        for track in &linked.tracks.tracks {
            color.push(match track.parent {
                Some(parent) => color[parent as usize - 1],
                None => {
                    families += 1;
                    (families - 1) % TRACK_COLORS.len()
                }
            });
        }
        let mut painter = Self {
            linked,
            movie: movie.filter(|movie| !movie.frames.is_empty()),
            color,
            planes: BTreeMap::new(),
            contrast: (0.0, 1.0),
        };
        let chosen = painter.chosen();
        let planes: Vec<Array2<f32>> = chosen.iter().filter_map(|&t| painter.plane(t).cloned()).collect();
        let views: Vec<_> = planes.iter().map(|plane| plane.view()).collect();
        painter.contrast = common_contrast(&views, 1.0, 99.7);
        painter
    }

    /// Colour of a track's family.
    pub(super) fn color(&self, track: u32) -> usize {
        self.color[track as usize - 1]
    }

    /// Frames of the strip: evenly over the movie, first and last included, those with cells.
    fn chosen(&self) -> Vec<usize> {
        let n = self.linked.observed.len();
        let mut chosen: Vec<usize> = (0..FRAMES)
            .map(|k| if n > 1 { k * (n - 1) / (FRAMES - 1) } else { 0 })
            .collect();
        chosen.dedup();
        chosen
    }

    /// Pixels of a frame, remembered; a frame that cannot be read again is left black.
    fn plane(&mut self, t: usize) -> Option<&Array2<f32>> {
        let movie = self.movie?;
        self.planes
            .entry(t)
            .or_insert_with(|| movie.pixels(t).ok().flatten().map(|(plane, _)| plane))
            .as_ref()
    }

    /// The part of a frame in a box, `scale` pixels of the picture for one of the frame; outlines of tracks that are not among
    /// `bright` are grey, unless it is empty.
    fn paint(&mut self, t: usize, part: PixelBox, scale: f64, bright: &[u32]) -> Array3<u8> {
        let linked = self.linked;
        let contrast = self.contrast;
        let gray = self
            .plane(t)
            .map(|plane| to_u8(plane.view(), contrast.0, contrast.1));
        let (rows, columns) = (
            ((part.rows() as f64 * scale).round() as usize).max(1),
            ((part.cols() as f64 * scale).round() as usize).max(1),
        );
        // Track numbers of the part: objects that are no cell have none, but keep an outline.
        let mut map: Array2<u32> = Array2::zeros((part.rows(), part.cols()));
        if let Some(outlines) = &linked.observed.outlines {
            for (index, runs) in outlines[t].runs.iter().enumerate() {
                let track = linked.track_of[t][index];
                let number = if track > 0 { track } else { u32::MAX };
                for &(row, start, end) in runs {
                    let row = row as usize;
                    if row < part.row0 || row >= part.row1 {
                        continue;
                    }
                    for column in (start as usize).max(part.col0)..(end as usize).min(part.col1) {
                        map[(row - part.row0, column - part.col0)] = number;
                    }
                }
            }
        }
        let source =
            |at: usize, whole: usize| ((at as f64 + 0.5) / scale).floor().min(whole as f64 - 1.0) as usize;
        let label = |row: usize, column: usize| map[(source(row, part.rows()), source(column, part.cols()))];
        let half = (0.5 / scale).floor() as usize;
        Array3::from_shape_fn((rows, columns, 3), |(row, column, channel)| {
            let own = label(row, column);
            let differs = |r: usize, c: usize| r < rows && c < columns && label(r, c) != own;
            let is_edge = own > 0
                && (differs(row + 1, column)
                    || differs(row, column + 1)
                    || (row > 0 && differs(row - 1, column))
                    || (column > 0 && differs(row, column - 1)));
            if is_edge {
                return if own == u32::MAX || !(bright.is_empty() || bright.contains(&own)) {
                    110
                } else {
                    TRACK_COLORS[self.color[own as usize - 1]][channel]
                };
            }
            match &gray {
                Some(gray) => {
                    let (r, c) = (
                        part.row0 + source(row, part.rows()),
                        part.col0 + source(column, part.cols()),
                    );
                    mean_around(gray, r, c, half)
                }
                None if own > 0 && own < u32::MAX => TRACK_COLORS[self.color[own as usize - 1]][channel] / 3,
                None => 0,
            }
        })
    }

    /// Frames of the movie with outlines and numbers.
    pub(super) fn strip(&mut self) -> Vec<TrackedFrame> {
        let Some((rows, columns)) = self.linked.observed.shape else {
            return Vec::new();
        };
        let scale = (FRAME_PX as f64 / rows.max(columns) as f64).min(1.0);
        let whole = PixelBox {
            row0: 0,
            col0: 0,
            row1: rows,
            col1: columns,
        };
        self.chosen()
            .into_iter()
            .map(|t| {
                let mut picture = self.paint(t, whole, scale, &[]);
                let mut marks = Vec::new();
                let linked = self.linked;
                for object in linked
                    .tracks
                    .objects
                    .iter()
                    .filter(|object| object.frame as usize == t)
                {
                    let color = self.color(object.track);
                    if object.detection.is_none() {
                        dotted(
                            &mut picture,
                            (object.x * scale, object.y * scale),
                            7.0,
                            TRACK_COLORS[color],
                        );
                    }
                    marks.push(TrackMark {
                        x: (object.x + 0.5) * scale,
                        y: (object.y + 0.5) * scale,
                        track: object.track,
                        color,
                        title: format!("track {}", object.track),
                    });
                }
                if marks.len() > MOST_NUMBERS {
                    marks.clear();
                }
                let number = linked.observed.number(t as u32);
                TrackedFrame {
                    picture: Picture {
                        png: encode_png_rgb(picture.view()),
                        alt: format!("frame {number} with the outlines of its tracks"),
                    },
                    caption: match linked.observed.names.get(t).filter(|name| !name.is_empty()) {
                        Some(name) => format!("frame {number} ({name})"),
                        None => format!("frame {number}"),
                    },
                    marks,
                }
            })
            .collect()
    }

    /// The frames around a doubtful place: one before, those of the link or division, one after.
    pub(super) fn crops(&mut self, item: &ReviewItem) -> Vec<Picture> {
        let observed = self.linked.observed;
        let Some((rows, columns)) = observed.shape else {
            return Vec::new();
        };
        let area = &observed.detections.frames[item.frame as usize].area;
        let typical = uncertainty::median(area).unwrap_or(100.0);
        let side = (CROP_DIAMETERS * (4.0 * typical / std::f64::consts::PI).sqrt()).max(CROP_LEAST);
        let range = |at: f64, whole: usize| {
            let side = (side.round() as usize).min(whole).max(1);
            let start = (at - side as f64 / 2.0).round().clamp(0.0, (whole - side) as f64) as usize;
            (start, start + side)
        };
        let ((row0, row1), (col0, col1)) = (range(item.y, rows), range(item.x, columns));
        let part = PixelBox {
            row0,
            col0,
            row1,
            col1,
        };
        let scale = CROP_PX as f64 / part.rows().max(part.cols()) as f64;
        let first = item.frame.saturating_sub(1);
        let last = (item.frame + item.gap + 1)
            .min(observed.len() as u32 - 1)
            .min(first + CROP_FRAMES - 1);
        (first..=last)
            .map(|t| Picture {
                png: encode_png_rgb(self.paint(t as usize, part, scale, &item.tracks).view()),
                alt: format!("frame {}", observed.number(t)),
            })
            .collect()
    }
}

/// Mean of a square of pixels around one, cut at the border.
fn mean_around(gray: &Array2<u8>, row: usize, column: usize, half: usize) -> u8 {
    if half == 0 {
        return gray[(row, column)];
    }
    let (rows, columns) = gray.dim();
    let (mut sum, mut n) = (0u32, 0u32);
    for r in row.saturating_sub(half)..(row + half + 1).min(rows) {
        for c in column.saturating_sub(half)..(column + half + 1).min(columns) {
            sum += u32::from(gray[(r, c)]);
            n += 1;
        }
    }
    (sum / n.max(1)) as u8
}

/// A dotted circle where a cell was filled in.
fn dotted(picture: &mut Array3<u8>, (x, y): (f64, f64), radius: f64, color: [u8; 3]) {
    let (rows, columns, _) = picture.dim();
    for step in 0..16 {
        let angle = f64::from(step) * std::f64::consts::TAU / 16.0;
        let (column, row) = (
            (x + radius * angle.cos()).round(),
            (y + radius * angle.sin()).round(),
        );
        if row >= 0.0 && column >= 0.0 && (row as usize) < rows && (column as usize) < columns {
            for channel in 0..3 {
                picture[(row as usize, column as usize, channel)] = color[channel];
            }
        }
    }
}
