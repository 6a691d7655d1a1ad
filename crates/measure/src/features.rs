//! The feature table of one label image.

use image::{Labels, Quality, object_quality};
use ndarray::{Array2, ArrayView2};

use crate::error::MeasureError;
use crate::intensity::{
    EDGE_NAMES, VALUE_NAMES, correlation, edge_features, mass_displacement, value_features, values_at,
};
use crate::object::ObjectPixels;
use crate::ring::rings;
use crate::shape::{Ellipse, SHAPE_NAMES, shape_features};

/// Position of the mean among [`VALUE_NAMES`].
const MEAN: usize = 1;

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeasureParams {
    /// Width of the ring around each nucleus, in pixels.
    pub ring_px: u32,
    /// Index of the nuclear channel; focus and saturation of the objects are read from it.
    pub nucleus_channel: usize,
}

impl Default for MeasureParams {
    fn default() -> Self {
        Self {
            ring_px: 5,
            nucleus_channel: 0,
        }
    }
}

/// Where an object is and how large; lengths in pixels, areas in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ObjectGeometry {
    /// Number in the label image.
    pub label: u32,
    /// Mean row of its pixel centres.
    pub center_row: f32,
    /// Mean column of its pixel centres.
    pub center_col: f32,
    /// Pixels.
    pub area: u32,
    /// First row, first column, one past the last row, one past the last column.
    pub bbox: (usize, usize, usize, usize),
    /// It has a pixel on the border of the image, so that part of it may be missing.
    pub touches_border: bool,
    /// Length of the major axis of the ellipse with the same second moments.
    pub major_axis: f32,
    /// Length of its minor axis.
    pub minor_axis: f32,
    /// Sharpness of its surroundings in the nuclear channel ([`image::Quality::focus`]); compare within a plate.
    pub focus: f32,
    /// Share of its pixels at full scale in the nuclear channel, in [0, 1].
    pub saturated_share: f32,
}

/// One row of features per object.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// Names of the columns of `values`: `Nuclei_AreaShape_*`, `Nuclei_Intensity_*_<channel>`, `Cytoplasm_*`.
    pub names: Vec<String>,
    /// Objects × features, in label order; NaN where a feature is not defined for an object.
    pub values: Array2<f32>,
    /// Geometry of each object, in label order.
    pub objects: Vec<ObjectGeometry>,
}

/// Measures every object of `labels` in every channel.
///
/// Shapes: each channel has the rows and columns of `labels`. Channel names end the names of their features.
/// Units: lengths in pixels, intensities as in the channels. A ring without pixels gives NaN.
/// Errors: a channel of another size, a doubled channel name, a nuclear channel that does not exist.
/// Cost: grows with the pixels of the objects and their rings, not with the image.
pub fn measure(
    labels: &Labels,
    channels: &[(String, ArrayView2<f32>)],
    params: &MeasureParams,
) -> Result<Features, MeasureError> {
    check(labels, channels, params)?;
    let names = feature_names(channels.iter().map(|(name, _)| name.as_str()));
    let objects = ObjectPixels::all(labels);
    let rings = rings(labels, &objects, params.ring_px);
    let quality = object_quality(labels, channels[params.nucleus_channel].1);
    let mut values = Array2::from_elem((objects.len(), names.len()), f32::NAN);
    let mut geometry = Vec::with_capacity(objects.len());
    for (index, object) in objects.iter().enumerate() {
        let ellipse = Ellipse::of(object);
        let row = object_row(labels, object, &rings[index], &ellipse, channels);
        debug_assert_eq!(row.len(), names.len());
        for (slot, value) in values.row_mut(index).iter_mut().zip(row) {
            // An infinite ratio is not a measurement.
            *slot = if value.is_finite() { value as f32 } else { f32::NAN };
        }
        geometry.push(object_geometry(
            index,
            object,
            &ellipse,
            &quality[index],
            labels.shape(),
        ));
    }
    Ok(Features {
        names,
        values,
        objects: geometry,
    })
}

fn check(
    labels: &Labels,
    channels: &[(String, ArrayView2<f32>)],
    params: &MeasureParams,
) -> Result<(), MeasureError> {
    let (label_rows, label_cols) = labels.shape();
    for (index, (channel, plane)) in channels.iter().enumerate() {
        let (rows, cols) = plane.dim();
        if (rows, cols) != (label_rows, label_cols) {
            return Err(MeasureError::ShapeDiffers {
                channel: channel.clone(),
                rows,
                cols,
                label_rows,
                label_cols,
            });
        }
        if channels[..index].iter().any(|(earlier, _)| earlier == channel) {
            return Err(MeasureError::DoubledChannel {
                channel: channel.clone(),
            });
        }
    }
    if params.nucleus_channel >= channels.len() {
        return Err(MeasureError::NoSuchChannel {
            index: params.nucleus_channel,
            channels: channels.len(),
        });
    }
    Ok(())
}

/// The columns that [`measure`] gives for these channels, in order.
pub fn feature_names<'a>(channels: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let channels: Vec<&str> = channels.into_iter().collect();
    let mut names: Vec<String> = SHAPE_NAMES
        .iter()
        .map(|name| format!("Nuclei_AreaShape_{name}"))
        .collect();
    for channel in &channels {
        let nucleus = VALUE_NAMES.iter().chain(&EDGE_NAMES).chain(&["MassDisplacement"]);
        names.extend(nucleus.map(|name| format!("Nuclei_Intensity_{name}_{channel}")));
        names.extend(
            VALUE_NAMES
                .iter()
                .map(|name| format!("Cytoplasm_Intensity_{name}_{channel}")),
        );
        names.push(format!("Nuclei_Intensity_NucleusRingRatio_{channel}"));
        names.push(format!("Nuclei_Intensity_NucleusRingDifference_{channel}"));
    }
    for (a, b) in pairs(channels.len()) {
        for place in ["Nuclei", "Cytoplasm"] {
            names.push(format!(
                "{place}_Correlation_Correlation_{}_{}",
                channels[a], channels[b]
            ));
        }
    }
    names
}

/// The features of one object, in the order of [`feature_names`].
fn object_row(
    labels: &Labels,
    object: &ObjectPixels,
    ring: &[(usize, usize)],
    ellipse: &Ellipse,
    channels: &[(String, ArrayView2<f32>)],
) -> Vec<f64> {
    if object.pixels.is_empty() {
        // A hand-made label image may skip a number.
        return vec![f64::NAN; feature_names(channels.iter().map(|(name, _)| name.as_str())).len()];
    }
    let mut row = shape_features(object, ellipse).to_vec();
    let edge: Vec<(usize, usize)> = object
        .pixels
        .iter()
        .copied()
        .filter(|&pixel| is_edge(labels, pixel))
        .collect();
    let inside: Vec<Vec<f64>> = channels
        .iter()
        .map(|(_, plane)| values_at(*plane, &object.pixels))
        .collect();
    let around: Vec<Vec<f64>> = channels
        .iter()
        .map(|(_, plane)| values_at(*plane, ring))
        .collect();
    for (index, (_, plane)) in channels.iter().enumerate() {
        let nucleus = value_features(&inside[index]);
        let cytoplasm = value_features(&around[index]);
        row.extend(nucleus);
        row.extend(edge_features(&values_at(*plane, &edge)));
        row.push(mass_displacement(
            &object.pixels,
            &inside[index],
            (ellipse.row, ellipse.col),
        ));
        row.extend(cytoplasm);
        let (mean, ring_mean) = (nucleus[MEAN], cytoplasm[MEAN]);
        row.push(mean / ring_mean);
        row.push(mean - ring_mean);
    }
    for (a, b) in pairs(channels.len()) {
        row.push(correlation(&inside[a], &inside[b]));
        row.push(correlation(&around[a], &around[b]));
    }
    row
}

/// All pairs of channels, first before second.
fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |a| (a + 1..n).map(move |b| (a, b)))
}

/// Whether a pixel has a 4-neighbour inside the image that is not of its object (CellProfiler's inner boundary).
fn is_edge(labels: &Labels, (row, col): (usize, usize)) -> bool {
    let (rows, cols) = labels.shape();
    let label = labels.map[(row, col)];
    (row > 0 && labels.map[(row - 1, col)] != label)
        || (row + 1 < rows && labels.map[(row + 1, col)] != label)
        || (col > 0 && labels.map[(row, col - 1)] != label)
        || (col + 1 < cols && labels.map[(row, col + 1)] != label)
}

fn object_geometry(
    index: usize,
    object: &ObjectPixels,
    ellipse: &Ellipse,
    quality: &Quality,
    (rows, cols): (usize, usize),
) -> ObjectGeometry {
    let b = object.bounds;
    ObjectGeometry {
        label: index as u32 + 1,
        center_row: ellipse.row as f32,
        center_col: ellipse.col as f32,
        area: object.pixels.len() as u32,
        bbox: (b.row0, b.col0, b.row1, b.col1),
        touches_border: b.row0 == 0 || b.col0 == 0 || b.row1 == rows || b.col1 == cols,
        major_axis: ellipse.major as f32,
        minor_axis: ellipse.minor as f32,
        focus: quality.focus,
        saturated_share: quality.saturated_share,
    }
}
