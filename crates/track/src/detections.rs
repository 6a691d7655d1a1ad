//! What the tracker is given: the objects of every frame and what is known of them.

use crate::TrackError;

/// Largest number of objects in one movie: candidate links are stored with 32-bit indices.
const OBJECT_LIMIT: usize = 50_000_000;

/// The objects of one frame, by columns. Columns other than the positions may be empty: then nothing is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Frame {
    /// Centroids, pixels to the right of the left edge. Finite.
    pub x: Vec<f64>,
    /// Centroids, pixels below the upper edge. Finite.
    pub y: Vec<f64>,
    /// Areas in square pixels, above 0; NaN where unknown.
    pub area: Vec<f64>,
    /// Mean intensities (background taken off, if the caller can), above 0; NaN where unknown.
    pub intensity: Vec<f64>,
    /// Probability that the object is a cell in division (prometaphase to anaphase), 0 to 1; NaN where unknown.
    pub mitosis: Vec<f64>,
    /// Probability that the object is a cell at all, 0 to 1, as a segmentation with calibrated doubt gives it; NaN where unknown.
    pub existence: Vec<f64>,
    /// Further features (shape, embedding), one inner vector for each name in [`Detections::feature_names`]; NaN where unknown.
    pub features: Vec<Vec<f64>>,
    /// Pairs of objects of this frame of which at most one is real: several segmentations of one cell.
    pub conflicts: Vec<(u32, u32)>,
}

impl Frame {
    /// A frame of points without features.
    pub fn from_points(points: &[(f64, f64)]) -> Self {
        Self {
            x: points.iter().map(|p| p.0).collect(),
            y: points.iter().map(|p| p.1).collect(),
            ..Self::default()
        }
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// Whether the frame has no object.
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }
}

/// The detections of a movie.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detections {
    /// Frames in time order, equally spaced in time; a frame that was not taken is an empty one.
    pub frames: Vec<Frame>,
    /// Width and height of the field in pixels. Without it the box around all detections is taken for the field.
    pub field: Option<(f64, f64)>,
    /// Names of the columns of [`Frame::features`].
    pub feature_names: Vec<String>,
}

impl Detections {
    /// Frames of points without features.
    pub fn from_points(frames: &[Vec<(f64, f64)>]) -> Self {
        Self {
            frames: frames.iter().map(|f| Frame::from_points(f)).collect(),
            ..Self::default()
        }
    }

    /// Number of objects in all frames.
    pub fn len(&self) -> usize {
        self.frames.iter().map(Frame::len).sum()
    }

    /// Whether no frame has an object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks lengths, ranges, indices and copies.
    ///
    /// # Errors
    /// The first fault in frame order.
    pub fn check(&self) -> Result<(), TrackError> {
        if self.frames.is_empty() {
            return Err(TrackError::NoFrames);
        }
        if self.len() > OBJECT_LIMIT {
            return Err(TrackError::TooManyObjects {
                objects: self.len(),
                limit: OBJECT_LIMIT,
            });
        }
        for (option, value) in self
            .field
            .map_or(vec![], |(w, h)| vec![("field width", w), ("field height", h)])
        {
            if !(value.is_finite() && value > 0.0) {
                return Err(TrackError::OptionOutOfRange {
                    option,
                    value,
                    range: "a number of pixels above 0",
                });
            }
        }
        for (t, frame) in self.frames.iter().enumerate() {
            self.check_columns(t, frame)?;
            check_positions(t, frame)?;
            check_range(t, "area", &frame.area, |v| v > 0.0 && v.is_finite(), "above 0")?;
            check_range(
                t,
                "intensity",
                &frame.intensity,
                |v| v > 0.0 && v.is_finite(),
                "above 0",
            )?;
            check_range(
                t,
                "mitosis",
                &frame.mitosis,
                |v| (0.0..=1.0).contains(&v),
                "0 to 1",
            )?;
            check_range(
                t,
                "existence",
                &frame.existence,
                |v| (0.0..=1.0).contains(&v),
                "0 to 1",
            )?;
            for &(a, b) in &frame.conflicts {
                check_index(t, "conflict", a, frame.len())?;
                check_index(t, "conflict", b, frame.len())?;
            }
        }
        Ok(())
    }

    fn check_columns(&self, t: usize, frame: &Frame) -> Result<(), TrackError> {
        let n = frame.len();
        let wrong = |column: &str, found: usize, expected: usize| TrackError::ColumnLength {
            frame: t,
            column: column.to_owned(),
            found,
            expected,
        };
        if frame.y.len() != n {
            return Err(wrong("y", frame.y.len(), n));
        }
        let optional = [
            ("area", frame.area.len()),
            ("intensity", frame.intensity.len()),
            ("mitosis", frame.mitosis.len()),
            ("existence", frame.existence.len()),
        ];
        for (name, found) in optional {
            if found != 0 && found != n {
                return Err(wrong(name, found, n));
            }
        }
        if !frame.features.is_empty() && frame.features.len() != self.feature_names.len() {
            return Err(wrong(
                "feature columns",
                frame.features.len(),
                self.feature_names.len(),
            ));
        }
        for (name, column) in self.feature_names.iter().zip(&frame.features) {
            if column.len() != n {
                return Err(wrong(name, column.len(), n));
            }
        }
        Ok(())
    }
}

fn check_positions(t: usize, frame: &Frame) -> Result<(), TrackError> {
    for (object, (&x, &y)) in frame.x.iter().zip(&frame.y).enumerate() {
        if !(x.is_finite() && y.is_finite()) {
            return Err(TrackError::PositionNotFinite {
                frame: t,
                object,
                x,
                y,
            });
        }
    }
    let mut order: Vec<usize> = (0..frame.len()).collect();
    order.sort_by(|&a, &b| {
        frame.x[a]
            .total_cmp(&frame.x[b])
            .then(frame.y[a].total_cmp(&frame.y[b]))
            .then(a.cmp(&b))
    });
    for pair in order.windows(2) {
        let (a, b) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
        if frame.x[a] == frame.x[b] && frame.y[a] == frame.y[b] && !in_conflict(frame, a, b) {
            return Err(TrackError::DoubledObject {
                frame: t,
                first: a,
                second: b,
                x: frame.x[a],
                y: frame.y[a],
            });
        }
    }
    Ok(())
}

fn in_conflict(frame: &Frame, a: usize, b: usize) -> bool {
    let named = |p: (u32, u32)| (p.0 as usize, p.1 as usize);
    frame
        .conflicts
        .iter()
        .any(|&p| named(p) == (a, b) || named(p) == (b, a))
}

fn check_range(
    t: usize,
    column: &'static str,
    values: &[f64],
    right: impl Fn(f64) -> bool,
    range: &'static str,
) -> Result<(), TrackError> {
    match values.iter().position(|&v| !v.is_nan() && !right(v)) {
        None => Ok(()),
        Some(object) => Err(TrackError::ValueOutOfRange {
            frame: t,
            object,
            column,
            value: values[object],
            range,
        }),
    }
}

fn check_index(t: usize, relation: &'static str, object: u32, objects: usize) -> Result<(), TrackError> {
    if (object as usize) < objects {
        return Ok(());
    }
    Err(TrackError::NoSuchObject {
        frame: t,
        relation,
        object: object as usize,
        objects,
    })
}
