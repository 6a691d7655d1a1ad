//! From frames to detections: given or found label images, measured.

use std::collections::BTreeMap;

use image::{Connectivity, Labels, connected_components};
use ndarray::Array2;
use rayon::prelude::*;
use track::{Detections, Frame};

use super::TrackParams;
use super::movie::{LabelMovie, Movie};
use super::observed::Observed;
use super::outlines::Outlines;
use super::sizing::Sizing;
use crate::files::read_whole;
use crate::screen::networks::{Networks, Segmented};
use crate::{Context, EngineError};

/// One label on two pieces: two cells when the smaller piece has at least this share of the larger one, and lies
/// farther from it than the larger one is wide.
const PIECE_SHARE: f64 = 0.2;
/// Two objects with one centre are told apart by this shift, pixels.
const APART: f64 = 1e-3;

/// Makes detections of movies.
pub(super) struct Observer {
    labels: Option<LabelMovie>,
    networks: Option<Networks>,
    sizing: Sizing,
}

/// One frame, measured.
struct Seen {
    frame: Frame,
    labels: Vec<u32>,
    outlines: Outlines,
    pixel_size_um: Option<f32>,
    input: Vec<(String, String)>,
    warnings: Vec<String>,
}

impl Observer {
    /// Opens the label images or loads the networks that are asked for.
    ///
    /// Errors: labels that are not there, a bundle that cannot be used.
    pub(super) fn new(params: &TrackParams) -> Result<Self, EngineError> {
        Ok(match &params.labels_from {
            Some(path) => Self {
                labels: Some(LabelMovie::open(path)?),
                networks: None,
                sizing: Sizing::default(),
            },
            None => Self {
                labels: None,
                networks: Some(Networks::load(Some(&params.bundle), None, &params.networks)?),
                sizing: Sizing::default(),
            },
        })
    }

    /// Measures the objects of every frame.
    ///
    /// Errors: a file that cannot be used, frames of different size, label images that do not belong to the frames.
    pub(super) fn observe(&mut self, movie: &Movie, context: &Context) -> Result<Observed, EngineError> {
        let n = match &self.labels {
            Some(labels) if movie.frames.is_empty() => labels.frames.len(),
            _ => movie.frames.len(),
        };
        if let Some(labels) = &self.labels {
            self.check_partners(labels, movie)?;
        }
        if let Some(networks) = &self.networks {
            self.sizing = Sizing::of(movie, networks)?;
        }
        context.progress.begin(
            if self.labels.is_some() {
                "measuring"
            } else {
                "segmenting"
            },
            n as u64,
        );
        let seen: Vec<Option<Seen>> = (0..n)
            .into_par_iter()
            .map(|t| {
                if context.cancelled() {
                    return Err(EngineError::Interrupted);
                }
                let seen = self.frame(movie, t);
                context.progress.advance(1);
                seen
            })
            .collect::<Result<_, _>>()?;
        context.progress.end();
        let name = |t: usize| {
            let labels = self.labels.as_ref().and_then(|labels| labels.frames[t].as_ref());
            let pixels = movie.frames.get(t).and_then(Option::as_ref);
            pixels.or(labels).map(|source| source.name()).unwrap_or_default()
        };
        let names: Vec<String> = (0..n).map(name).collect();
        let mut warnings = movie.warnings.clone();
        if self.sizing.shrink > 1 {
            warnings.push(format!(
                "nuclei are large: frames were shrunk {} times to find them",
                self.sizing.shrink
            ));
        }
        if let Some(labels) = self.labels.as_ref().filter(|_| movie.warnings.is_empty()) {
            warnings.extend(labels.warnings.iter().cloned());
        }
        assemble(movie, seen, names, warnings)
    }

    fn check_partners(&self, labels: &LabelMovie, movie: &Movie) -> Result<(), EngineError> {
        if movie.frames.is_empty() || movie.frames.len() == labels.frames.len() {
            return Ok(());
        }
        let path = labels
            .frames
            .iter()
            .flatten()
            .next()
            .map(|source| source.path().to_owned())
            .unwrap_or_default();
        Err(EngineError::unusable(
            path.parent().unwrap_or(&path),
            format!(
                "holds {} label images for {} frames",
                labels.frames.len(),
                movie.frames.len()
            ),
            "give one label image a frame, in the order of the frames",
        ))
    }

    fn frame(&self, movie: &Movie, t: usize) -> Result<Option<Seen>, EngineError> {
        let pixels = if movie.frames.is_empty() {
            None
        } else {
            movie.pixels(t)?
        };
        let given = match &self.labels {
            Some(labels) => labels.map(t)?,
            None => None,
        };
        if pixels.is_none() && given.is_none() {
            return Ok(None);
        }
        let mut warnings = Vec::new();
        let mut input = Vec::new();
        let sources = [
            movie.frames.get(t).and_then(Option::as_ref),
            self.labels.as_ref().and_then(|labels| labels.frames[t].as_ref()),
        ];
        for (kind, source) in ["", "labels/"].iter().zip(sources) {
            if let Some(source) = source {
                let digest = blake3::hash(&read_whole(source.path())?);
                input.push((
                    format!("{kind}{}", super::movie::file_name(source.path())),
                    digest.to_hex().to_string(),
                ));
            }
        }
        let (segmented, numbers) = match (given, &pixels) {
            (Some(map), _) => {
                let name = sources[1].map(|source| source.name()).unwrap_or_default();
                if let Some((plane, _)) = &pixels
                    && plane.dim() != map.dim()
                {
                    return Err(size_differs(&name, map.dim(), "its frame", plane.dim()));
                }
                let (labels, numbers) = split_far_pieces(&map, &name, &mut warnings);
                (Segmented::given(labels), numbers)
            }
            (None, Some((plane, _))) => {
                let found = match &self.networks {
                    Some(networks) => self.sizing.find(networks, plane)?,
                    None => Segmented::given(Labels::empty(plane.dim())),
                };
                let numbers = (1..=found.labels.n).collect();
                (found, numbers)
            }
            (None, None) => return Ok(None),
        };
        let outlines = Outlines::of(&segmented.labels);
        let frame = measured(&segmented, &outlines, pixels.as_ref().map(|p| &p.0));
        Ok(Some(Seen {
            frame,
            labels: numbers,
            outlines,
            pixel_size_um: pixels.and_then(|pixels| pixels.1),
            input,
            warnings,
        }))
    }
}

fn size_differs(name: &str, found: (usize, usize), other: &str, expected: (usize, usize)) -> EngineError {
    EngineError::unusable(
        name,
        format!(
            "is {} x {} pixels, {other} is {} x {}",
            found.1, found.0, expected.1, expected.0
        ),
        "all frames of a movie must have one size; crop or leave it out",
    )
}

/// Positions, sizes, looks.
fn measured(segmented: &Segmented, outlines: &Outlines, plane: Option<&Array2<f32>>) -> Frame {
    let moments = outlines.moments();
    let mut frame = Frame {
        x: moments.iter().map(|m| m.x).collect(),
        y: moments.iter().map(|m| m.y).collect(),
        area: moments.iter().map(|m| m.area).collect(),
        features: vec![moments.iter().map(|m| m.roundness).collect()],
        ..Frame::default()
    };
    if let Some(p_iou) = &segmented.p_iou {
        frame.existence = p_iou[0].iter().map(|&p| f64::from(p)).collect();
    }
    let Some(plane) = plane else {
        frame.features.push(vec![f64::NAN; moments.len()]);
        return frame;
    };
    let outside = segmented
        .labels
        .map
        .iter()
        .zip(plane)
        .filter(|(label, _)| **label == 0);
    let background =
        image::percentiles(outside.map(|(_, &value)| value), [50.0]).map_or(0.0, |[value]| value);
    let mut contrast = Vec::with_capacity(moments.len());
    for index in 0..outlines.len() {
        let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for pixel in outlines.pixels(index) {
            let value = f64::from(plane[pixel] - background);
            n += 1.0;
            sum += value;
            squares += value * value;
        }
        let mean = sum / n;
        let spread = (squares / n - mean * mean).max(0.0).sqrt();
        // A logarithm is taken of the mean; an object as dark as the background has none.
        frame.intensity.push(if mean > 0.0 { mean } else { f64::NAN });
        contrast.push(if mean > 0.0 { spread / mean } else { f64::NAN });
    }
    frame.features.push(contrast);
    frame
}

/// Gives pieces of one label that lie far apart numbers of their own, and says so; returns the labels with the number that each had.
fn split_far_pieces(map: &Array2<u32>, name: &str, warnings: &mut Vec<String>) -> (Labels, Vec<u32>) {
    let whole = Labels::relabel(map.clone());
    let pieces = connected_components(map.mapv(|label| label > 0).view(), Connectivity::Eight);
    // Touching cells are one component of the mask, so pieces are counted within each label.
    let mut separate = whole.map.clone();
    let outlines = Outlines::of(&whole);
    let mut next = whole.n + 1;
    for index in 0..outlines.len() {
        let mut parts: BTreeMap<u32, Vec<(usize, usize)>> = BTreeMap::new();
        for pixel in outlines.pixels(index) {
            parts.entry(pieces.map[pixel]).or_default().push(pixel);
        }
        if parts.len() < 2 {
            continue;
        }
        let mut parts: Vec<Vec<(usize, usize)>> = parts.into_values().collect();
        parts.sort_by_key(|part| (std::cmp::Reverse(part.len()), part[0]));
        let largest = parts[0].len() as f64;
        let width = (4.0 * largest / std::f64::consts::PI).sqrt();
        for part in &parts[1..] {
            if (part.len() as f64) < PIECE_SHARE * largest || gap(&parts[0], part) <= width {
                continue;
            }
            let first = &outlines.runs[index][0];
            warnings.push(format!(
                "{name}: label {} is on two places far apart: taken as two cells",
                map[(first.0 as usize, first.1 as usize)]
            ));
            for &pixel in part {
                separate[pixel] = next;
            }
            next += 1;
        }
    }
    let labels = Labels::relabel(separate);
    let mut numbers = vec![0; labels.n as usize];
    for (&label, &number) in labels.map.iter().zip(map) {
        if label > 0 {
            numbers[label as usize - 1] = number;
        }
    }
    (labels, numbers)
}

/// Distance of two sets of pixels, by their boxes.
fn gap(a: &[(usize, usize)], b: &[(usize, usize)]) -> f64 {
    let range = |pixels: &[(usize, usize)], pick: fn(&(usize, usize)) -> usize| {
        let low = pixels.iter().map(pick).min().unwrap_or(0) as f64;
        let high = pixels.iter().map(pick).max().unwrap_or(0) as f64;
        (low, high)
    };
    let apart = |pick: fn(&(usize, usize)) -> usize| {
        let ((a0, a1), (b0, b1)) = (range(a, pick), range(b, pick));
        (b0 - a1).max(a0 - b1).max(0.0)
    };
    apart(|p| p.0).hypot(apart(|p| p.1))
}

fn assemble(
    movie: &Movie,
    seen: Vec<Option<Seen>>,
    names: Vec<String>,
    mut warnings: Vec<String>,
) -> Result<Observed, EngineError> {
    let mut shape: Option<((usize, usize), usize)> = None;
    for (t, frame) in seen.iter().enumerate() {
        let Some(frame) = frame else { continue };
        match shape {
            None => shape = Some((frame.outlines.shape, t)),
            Some((expected, first)) if expected != frame.outlines.shape => {
                return Err(size_differs(
                    &names[t],
                    frame.outlines.shape,
                    &names[first],
                    expected,
                ));
            }
            Some(_) => {}
        }
    }
    let shape = shape.map_or((1, 1), |(shape, _)| shape);
    let has_pixels = !movie.frames.is_empty();
    let mut observed = Observed {
        detections: Detections {
            frames: Vec::with_capacity(seen.len()),
            field: Some((shape.1 as f64, shape.0 as f64)),
            feature_names: vec!["roundness".to_owned(), "contrast".to_owned()],
        },
        labels: Vec::with_capacity(seen.len()),
        first_frame: 0,
        frame_step: 1,
        outlines: None,
        shape: Some(shape),
        pixel_size_um: movie.pixel_size_um,
        names,
        inputs: BTreeMap::new(),
        warnings: Vec::new(),
    };
    let mut outlines = Vec::with_capacity(seen.len());
    for frame in seen {
        let Some(mut frame) = frame else {
            observed.detections.frames.push(Frame {
                features: vec![Vec::new(); 2],
                ..Frame::default()
            });
            observed.labels.push(Vec::new());
            outlines.push(Outlines {
                shape,
                runs: Vec::new(),
            });
            continue;
        };
        separate_centres(&mut frame.frame);
        observed.detections.frames.push(frame.frame);
        observed.labels.push(frame.labels);
        outlines.push(frame.outlines);
        observed.pixel_size_um = observed.pixel_size_um.or(frame.pixel_size_um.map(f64::from));
        observed.inputs.extend(frame.input);
        warnings.extend(frame.warnings);
    }
    if !has_pixels {
        observed.detections.feature_names.truncate(1);
        observed
            .detections
            .frames
            .iter_mut()
            .for_each(|frame| frame.features.truncate(1));
    }
    let empty = observed
        .detections
        .frames
        .iter()
        .filter(|frame| frame.is_empty())
        .count();
    if empty > 0 && empty < outlines.len() {
        warnings.push(format!("no object in {empty} of {} frames", outlines.len()));
    }
    observed.outlines = Some(outlines);
    observed.warnings = warnings;
    Ok(observed)
}

/// A ring around a disc has its centre: both are kept, told apart by less than any measurement.
fn separate_centres(frame: &mut Frame) {
    let mut seen: BTreeMap<(u64, u64), u32> = BTreeMap::new();
    for index in 0..frame.x.len() {
        let times = seen
            .entry((frame.x[index].to_bits(), frame.y[index].to_bits()))
            .or_default();
        frame.x[index] += APART * f64::from(*times);
        *times += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_label_on_two_far_places_is_two_cells_and_a_torn_one_is_not() {
        let mut map = Array2::zeros((20, 60));
        for (row, column) in [(2, 2), (2, 40), (12, 2)] {
            for r in 0..5 {
                for c in 0..5 {
                    map[(row + r, column + c)] = if row == 12 { 9 } else { 7 };
                }
            }
        }
        map[(14, 8)] = 9;
        let mut warnings = Vec::new();
        let (labels, numbers) = split_far_pieces(&map, "t003.png", &mut warnings);
        assert_eq!((labels.n, numbers), (3, vec![7, 7, 9]));
        assert!(warnings.len() == 1 && warnings[0].contains("label 7") && warnings[0].contains("t003.png"));
    }

    #[test]
    fn looks_are_measured_above_the_background() {
        let labels = Labels::relabel(array![[1, 1, 0, 0, 0], [0, 0, 0, 2, 0]]);
        let plane = array![[5.0, 7.0, 2.0, 2.0, 2.0], [2.0, 2.0, 2.0, 1.0, 2.0f32]];
        let frame = measured(
            &Segmented::given(labels.clone()),
            &Outlines::of(&labels),
            Some(&plane),
        );
        assert_eq!(frame.intensity[0], 4.0);
        assert!(frame.intensity[1].is_nan(), "darker than the background");
        assert_eq!(frame.area, [2.0, 1.0]);
    }
}
