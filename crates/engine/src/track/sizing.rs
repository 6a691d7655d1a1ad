//! How large nuclei are, and the scale at which they are looked for.
//!
//! A network that was taught on nuclei of some twenty pixels takes the texture of a nucleus of fifty for many nuclei. Frames
//! with large nuclei are shrunk by a whole number before the networks see them, and objects are grown back.

use image::Labels;
use ndarray::Array2;

use super::movie::Movie;
use crate::EngineError;
use crate::screen::diameter::diameter_of_area;
use crate::screen::networks::{Networks, Segmented};

/// Frames that the size is taken from.
const FRAMES: usize = 5;
/// Diameter that frames are shrunk to, pixels; nuclei up to half as large again stay as they are.
const TAUGHT_PX: f64 = 24.0;

/// The scale of a movie.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sizing {
    /// Pixels of the frame for one that the networks see.
    pub(super) shrink: usize,
    /// Area of a typical nucleus in pixels that the networks see.
    pub(super) typical_area: Option<f64>,
}

impl Sizing {
    /// Looks at a few frames with one member of the ensemble.
    ///
    /// Errors: networks that cannot be run; a frame that cannot be read is named when its turn comes.
    pub(super) fn of(movie: &Movie, networks: &Networks) -> Result<Self, EngineError> {
        let mut sizing = Self {
            shrink: 1,
            typical_area: None,
        };
        for round in 0..2 {
            let area = sizing.typical(movie, networks)?;
            let Some(area) = area else { return Ok(sizing) };
            let shrink = (diameter_of_area(area) / TAUGHT_PX).round().max(1.0) as usize;
            if round == 0 && shrink > 1 {
                // Pieces of torn nuclei count less than their area tells: the second look is at the right scale.
                sizing.shrink = shrink;
                continue;
            }
            sizing.typical_area = Some(area);
            break;
        }
        Ok(sizing)
    }

    /// Area that half of all nuclear pixels lie in objects of at most: pieces weigh little.
    fn typical(&self, movie: &Movie, networks: &Networks) -> Result<Option<f64>, EngineError> {
        let n = movie.frames.len();
        let mut areas: Vec<u64> = Vec::new();
        for k in 0..FRAMES.min(n) {
            let Ok(Some((plane, _))) = movie.pixels(k * n / FRAMES.min(n)) else {
                continue;
            };
            if let Some(found) = self.look(networks, &plane, Some(1))? {
                areas.extend(found.labels.areas().iter().map(|&area| u64::from(area)));
            }
        }
        areas.sort_unstable();
        let half = areas.iter().sum::<u64>() / 2;
        let mut sum = 0;
        let middle = areas.iter().find(|&&area| {
            sum += area;
            sum >= half
        });
        Ok(middle.map(|&area| area as f64))
    }

    /// Segments a frame at this scale; `None` for a constant one.
    fn look(
        &self,
        networks: &Networks,
        plane: &Array2<f32>,
        members: Option<usize>,
    ) -> Result<Option<Segmented>, EngineError> {
        let small;
        let seen = if self.shrink > 1 {
            small = shrunk(plane, self.shrink);
            &small
        } else {
            plane
        };
        let normalized = image::normalize_nuclear(seen.view());
        if normalized.constant {
            return Ok(None);
        }
        networks
            .segment_sized(normalized.pixels.view(), members, self.typical_area)
            .map(Some)
    }

    /// Finds the nuclei of a frame.
    ///
    /// Errors: networks that cannot be run.
    pub(super) fn find(&self, networks: &Networks, plane: &Array2<f32>) -> Result<Segmented, EngineError> {
        let Some(mut found) = self.look(networks, plane, None)? else {
            return Ok(Segmented::given(Labels::empty(plane.dim())));
        };
        if self.shrink > 1 {
            let (k, map) = (self.shrink, &found.labels.map);
            let grown = Array2::from_shape_fn(plane.dim(), |(row, column)| map[(row / k, column / k)]);
            // The first pixels of objects keep their order, so that the numbers do too.
            found.labels = Labels {
                map: grown,
                n: found.labels.n,
            };
        }
        Ok(found)
    }
}

/// Means of squares of `k` pixels; those at the right and lower border may be cut.
fn shrunk(plane: &Array2<f32>, k: usize) -> Array2<f32> {
    let (rows, columns) = plane.dim();
    Array2::from_shape_fn((rows.div_ceil(k), columns.div_ceil(k)), |(row, column)| {
        let (mut sum, mut n) = (0.0f64, 0.0);
        for r in row * k..((row + 1) * k).min(rows) {
            for c in column * k..((column + 1) * k).min(columns) {
                sum += f64::from(plane[(r, c)]);
                n += 1.0;
            }
        }
        (sum / n) as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn shrinking_averages_and_keeps_the_border() {
        let plane = array![[1.0, 3.0, 5.0], [1.0, 3.0, 7.0], [4.0, 6.0, 9.0f32]];
        assert_eq!(shrunk(&plane, 2), array![[2.0, 6.0], [5.0, 9.0]]);
    }
}
