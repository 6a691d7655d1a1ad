//! Depth-first order of a batch: the first steps of a plan run band by band, each on some images, so that what one step
//! writes is still in the cache when the next reads it. Maps that only these steps use keep one band.
//!
//! Later steps, with small maps and large weights, take the whole batch at once.

use super::step::{MapId, Step, Steps};
use super::vector::BLOCK;
use crate::graph::MapShape;

/// Bytes of the largest map in a band, for each worker: about what second-level caches hold, where a step finds what the
/// one before wrote last.
const BAND_BYTES: usize = 3 << 20;
/// Maps no larger than this for a whole batch, for each worker, need no bands.
const SMALL: usize = 3 << 20;

/// First image and end of what is computed at once.
pub(crate) type Band = (usize, usize);

/// The steps that run band by band.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bands {
    /// Steps before this one run band by band.
    pub end: usize,
    /// Images of a band.
    pub images: usize,
    /// For each map, whether it keeps one band: no other step uses it.
    inner: Vec<bool>,
}

impl Bands {
    /// Bands for the steps that write large maps, for this many workers.
    pub fn new(steps: &Steps, shapes: &[MapShape], batch: usize, workers: usize) -> Self {
        let bytes = |map: MapId| {
            let shape = shapes[steps.maps[map].node.0];
            4 * BLOCK * steps.maps[map].lanes.blocks() * shape.rows * shape.columns
        };
        let large = |step: &&Step| {
            let written = step.writes();
            written.iter().any(|&map| bytes(map) * batch > SMALL * workers)
        };
        let shared = &steps.steps[..steps.shared];
        let end = shared.iter().take_while(large).count();
        let (first, rest) = steps.steps.split_at(end);
        let largest = first.iter().flat_map(Step::writes).map(bytes).max();
        let images = largest.map_or(batch, |largest| BAND_BYTES * workers / largest);
        if images == 0 || images >= batch {
            return Self::default();
        }
        let uses = |step: &Step, map| step.reads().contains(&map) || step.writes().contains(&map);
        let inner = |map| !rest.iter().any(|step| uses(step, map));
        Self {
            end,
            images,
            inner: (0..steps.maps.len()).map(inner).collect(),
        }
    }

    /// The bands of a batch.
    pub fn of(&self, batch: usize) -> impl Iterator<Item = Band> {
        let count = if self.end > 0 { batch } else { 0 };
        let images = self.images;
        (0..count)
            .step_by(images.max(1))
            .map(move |first| (first, batch.min(first + images)))
    }

    /// Whether a map keeps one band.
    pub fn keep(&self, map: MapId) -> bool {
        self.inner.get(map).is_some_and(|&inner| inner)
    }
}
