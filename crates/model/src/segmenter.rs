//! Running an ensemble of segmentation networks on an image.

use ndarray::{Array3, Array4, ArrayView2, s};

use crate::bundle::Bundle;
use crate::device::DeviceChoice;
use crate::ensemble::{Ensemble, Method};
use crate::error::ModelError;
use crate::network::SegmentationNetwork;
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

/// Means over the draws of each member, as probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberMaps {
    /// Mean probability that a pixel lies in a nucleus: member × row × column.
    pub foreground: Array3<f32>,
    /// Mean probability that a pixel lies where two nuclei touch: member × row × column.
    pub touch: Array3<f32>,
}

/// An ensemble of segmentation networks, ready to run.
pub struct Segmenter {
    ensemble: Ensemble<SegmentationNetwork>,
    budget: usize,
}

/// Maps of one tile from one member and draw.
struct TileSample<'a> {
    /// Place of the member among those that were asked for.
    slot: usize,
    draw: usize,
    tile: &'a Tile,
    foreground: &'a [f32],
    touch: &'a [f32],
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
        let (rows, columns) = normalized.dim();
        let members = self.chosen(members);
        let samples = (members.len(), draws.max(1), rows, columns);
        let mut out = MapSamples {
            foreground: Array4::zeros(samples),
            touch: Array4::zeros(samples),
        };
        self.walk(normalized, &members, draws, &mut |sample| {
            let maps = [
                (sample.foreground, &mut out.foreground),
                (sample.touch, &mut out.touch),
            ];
            for (values, target) in maps {
                let target = target.slice_mut(s![sample.slot, sample.draw, .., ..]);
                sample.tile.write(values, target, |to, from| *to = from);
            }
        })?;
        Ok(out)
    }

    /// As [`predict`](Self::predict), but of each member the mean over its draws alone: the memory of one draw.
    ///
    /// Errors: a network that cannot run.
    pub fn predict_means(
        &self,
        normalized: ArrayView2<f32>,
        members: Option<&[usize]>,
        draws: usize,
    ) -> Result<MemberMaps, ModelError> {
        let (rows, columns) = normalized.dim();
        let members = self.chosen(members);
        let mut out = MemberMaps {
            foreground: Array3::zeros((members.len(), rows, columns)),
            touch: Array3::zeros((members.len(), rows, columns)),
        };
        self.walk(normalized, &members, draws, &mut |sample| {
            let maps = [
                (sample.foreground, &mut out.foreground),
                (sample.touch, &mut out.touch),
            ];
            for (values, target) in maps {
                let target = target.slice_mut(s![sample.slot, .., ..]);
                sample.tile.write(values, target, |to, from| *to += from);
            }
        })?;
        if draws > 1 {
            let n = draws as f32;
            out.foreground.mapv_inplace(|sum| sum / n);
            out.touch.mapv_inplace(|sum| sum / n);
        }
        Ok(out)
    }

    fn chosen(&self, members: Option<&[usize]>) -> Vec<usize> {
        members.map_or_else(|| (0..self.ensemble.len()).collect(), <[usize]>::to_vec)
    }

    /// Runs all tiles, members and draws; `each` gets them one by one.
    fn walk(
        &self,
        normalized: ArrayView2<f32>,
        members: &[usize],
        draws: usize,
        each: &mut dyn FnMut(&TileSample),
    ) -> Result<(), ModelError> {
        if normalized.is_empty() {
            return Ok(());
        }
        let mut pixels = Vec::new();
        let (rows, columns) = normalized.dim();
        for tile in self.tiling(rows, columns).tiles() {
            tile.read(normalized, &mut pixels);
            let (high, wide) = tile.shape();
            for (slot, &member) in members.iter().enumerate() {
                let of_member = self.ensemble.draws_of(member, draws);
                let mut sink = |draw: usize, _: usize, values: &[f32]| {
                    let (foreground, touch) = values.split_at(high * wide);
                    each(&TileSample {
                        slot,
                        draw,
                        tile: &tile,
                        foreground,
                        touch,
                    });
                };
                self.ensemble
                    .run(member, (1, high, wide), &pixels, &of_member, &mut sink)?;
            }
        }
        Ok(())
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
