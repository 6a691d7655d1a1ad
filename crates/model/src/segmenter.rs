//! Running an ensemble of segmentation networks on an image.

use ndarray::{Array4, ArrayView2, ArrayViewMut2, s};

use crate::bundle::Bundle;
use crate::device::DeviceChoice;
use crate::ensemble::{Ensemble, Method};
use crate::error::ModelError;
use crate::network::SegmentationNetwork;
use crate::reflection::reflect;
use crate::tiles::{Tile, Tiling};
use crate::weights::Weights;

/// Maps of every member and draw, as probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct MapSamples {
    /// Probability that a pixel lies in a nucleus: member × draw × row × column.
    pub foreground: Array4<f32>,
    /// Probability that a pixel lies where two nuclei touch: member × draw × row × column.
    pub touch: Array4<f32>,
}

/// An ensemble of segmentation networks, ready to run.
pub struct Segmenter {
    ensemble: Ensemble<SegmentationNetwork>,
    budget: usize,
}

impl Segmenter {
    /// Bytes of buffers beyond which an image is cut into tiles, unless told otherwise: 1 GiB.
    pub const BUDGET: usize = 1 << 30;

    /// Prepares a bundle.
    ///
    /// Errors: a bundle of another task, a device that is not there, weights that do not fit the network.
    pub fn new(bundle: &Bundle, device: &DeviceChoice) -> Result<Self, ModelError> {
        Self::with_method(bundle, device, Method::default())
    }

    /// Prepares a bundle to be computed in another way: the second opinion on [`new`](Self::new).
    ///
    /// Errors: as [`new`](Self::new).
    pub fn with_method(bundle: &Bundle, device: &DeviceChoice, method: Method) -> Result<Self, ModelError> {
        Ok(Self {
            ensemble: Ensemble::new(bundle, device, method)?,
            budget: Self::BUDGET,
        })
    }

    /// Prepares members that are not in a bundle yet.
    ///
    /// Errors: a device that is not there, weights that do not fit the network.
    pub fn from_weights(
        network: SegmentationNetwork,
        members: &[Weights],
        seed: u64,
        device: &DeviceChoice,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            ensemble: Ensemble::from_weights(network, members, seed, (device, Method::default()))?,
            budget: Self::BUDGET,
        })
    }

    /// The same segmenter with another bound, in bytes, on the buffers of one call. A bound below what the smallest tile
    /// needs is as that. Maps do not depend on it.
    #[must_use]
    pub fn with_budget(mut self, bytes: usize) -> Self {
        self.budget = bytes;
        self
    }

    /// Dropout draws that the bundle asks for.
    pub fn draws(&self) -> usize {
        self.ensemble.draws
    }

    /// Bytes of the buffers of one call on an image of that size, maps of the result not counted; `None` on a GPU.
    pub fn working_set(&self, rows: usize, columns: usize) -> Option<usize> {
        self.bytes_of(self.tiling(rows, columns).largest())
    }

    /// Maps of one image from the given members (all where `None`), `draws` dropout draws each; 0 draws: dropout off.
    ///
    /// `normalized`: rows × columns, as the training images were normalised. Any size; the image is padded at the bottom
    /// and the right by reflection. What lies before the dropout is computed once a member. An image whose buffers
    /// would exceed the budget is computed in tiles; the maps are the same, bit for bit.
    ///
    /// Errors: a network that cannot run.
    pub fn predict(
        &self,
        normalized: ArrayView2<f32>,
        members: Option<&[usize]>,
        draws: usize,
    ) -> Result<MapSamples, ModelError> {
        let all: Vec<usize> = (0..self.ensemble.len()).collect();
        let members = members.unwrap_or(&all);
        let (rows, columns) = normalized.dim();
        let samples = (members.len(), draws.max(1), rows, columns);
        let mut out = MapSamples {
            foreground: Array4::zeros(samples),
            touch: Array4::zeros(samples),
        };
        if out.foreground.is_empty() {
            return Ok(out);
        }
        let mut pixels = Vec::new();
        for tile in self.tiling(rows, columns).tiles() {
            read_tile(normalized, &tile, &mut pixels);
            let (high, wide) = tile.shape();
            for (slot, &member) in members.iter().enumerate() {
                let of_member = self.ensemble.draws_of(member, draws);
                let mut sink = |draw: usize, _: usize, values: &[f32]| {
                    let (foreground, touch) = values.split_at(high * wide);
                    for (map, target) in [(foreground, &mut out.foreground), (touch, &mut out.touch)] {
                        write_tile(map, &tile, target.slice_mut(s![slot, draw, .., ..]));
                    }
                };
                self.ensemble
                    .run(member, (1, high, wide), &pixels, &of_member, &mut sink)?;
            }
        }
        Ok(out)
    }

    /// Bytes that a tile's buffers take: the plan's and the tile's pixels.
    fn bytes_of(&self, (rows, columns): (usize, usize)) -> Option<usize> {
        Some(self.ensemble.working_set((1, rows, columns))? + rows * columns * size_of::<f32>())
    }

    fn tiling(&self, rows: usize, columns: usize) -> Tiling {
        let multiple = SegmentationNetwork::MULTIPLE;
        let padded = (
            rows.next_multiple_of(multiple),
            columns.next_multiple_of(multiple),
        );
        match self.ensemble.graph() {
            Some(graph) => Tiling::within(self.budget, padded, graph, |shape| {
                self.bytes_of(shape).unwrap_or(0)
            }),
            None => Tiling::whole(padded),
        }
    }
}

/// The pixels of a tile, reflected beyond the image.
fn read_tile(image: ArrayView2<f32>, tile: &Tile, pixels: &mut Vec<f32>) {
    let (rows, columns) = image.dim();
    pixels.clear();
    for row in tile.rows.read.clone() {
        let source = image.row(reflect(row as i64, rows));
        let inside = tile.columns.read.start.min(columns)..tile.columns.read.end.min(columns);
        pixels.extend(source.slice(s![inside]));
        let beyond = tile.columns.read.start.max(columns)..tile.columns.read.end;
        pixels.extend(beyond.map(|column| source[reflect(column as i64, columns)]));
    }
}

/// Copies the part of a tile's map that is right into the map of the image.
fn write_tile(values: &[f32], tile: &Tile, mut target: ArrayViewMut2<f32>) {
    let (rows, columns) = target.dim();
    let wide = tile.columns.read.len();
    let kept = tile.columns.write.start..tile.columns.write.end.min(columns);
    let from = kept.start - tile.columns.read.start;
    for row in tile.rows.write.start..tile.rows.write.end.min(rows) {
        let start = (row - tile.rows.read.start) * wide + from;
        let source = &values[start..start + kept.len()];
        for (to, from) in target.slice_mut(s![row, kept.clone()]).iter_mut().zip(source) {
            *to = *from;
        }
    }
}
