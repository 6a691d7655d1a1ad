//! From the maps of the segmentation network to objects.

use ndarray::{ArrayView2, Zip};

use crate::components::{Connectivity, connected_components};
use crate::labels::Labels;
use crate::watershed::watershed;

/// How the maps are read. The optimum is flat (RECIPES B2), so these rarely need a change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecodeParams {
    /// A pixel belongs to an object when its foreground probability is above this; the same bound makes seeds.
    pub foreground: f32,
    /// How much of the touch probability is taken off the foreground before seeds are looked for.
    pub touch_weight: f32,
    /// Smallest seed, in pixels.
    pub seed_min_px: u32,
    /// Smallest object, in pixels.
    pub min_object_px: u32,
}

impl Default for DecodeParams {
    fn default() -> Self {
        Self {
            foreground: 0.5,
            touch_weight: 2.0,
            seed_min_px: 5,
            min_object_px: 30,
        }
    }
}

/// Objects from a foreground map and a map of where objects touch.
///
/// Seeds are the 4-connected parts of `foreground − touch_weight · touch > bound`; they grow by [`watershed`] over
/// `touch − foreground` inside the mask `foreground > bound`; parts of the mask without a seed become objects of
/// their own; small objects are dropped. Shapes: both maps rows × columns, probabilities. A NaN counts as background.
///
/// # Panics
/// If the shapes differ.
/// Source: RECIPES B2 "Decoder".
pub fn decode_touch(foreground: ArrayView2<f32>, touch: ArrayView2<f32>, params: &DecodeParams) -> Labels {
    let mask = foreground.mapv(|f| f > params.foreground);
    let seed_mask = Zip::from(foreground)
        .and(touch)
        .map_collect(|f, t| f - params.touch_weight * t > params.foreground);
    let seeds =
        connected_components(seed_mask.view(), Connectivity::Four).without_smaller_than(params.seed_min_px);
    let height = Zip::from(foreground).and(touch).map_collect(|f, t| t - f);
    let mut map = watershed(height.view(), &seeds, mask.view());
    let seedless = Zip::from(&map).and(&mask).map_collect(|&l, &m| m && l == 0);
    let rest = connected_components(seedless.view(), Connectivity::Four);
    Zip::from(&mut map).and(&rest.map).for_each(|l, &r| {
        if r > 0 {
            *l = seeds.n + r;
        }
    });
    Labels::relabel(map).without_smaller_than(params.min_object_px)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn fill(map: &mut Array2<f32>, (row0, col0, row1, col1): (usize, usize, usize, usize), value: f32) {
        crate::labels::PixelBox {
            row0,
            col0,
            row1,
            col1,
        }
        .of_mut(map.view_mut())
        .fill(value);
    }

    /// A 10 × 20 bar with a touch line between columns 9 and 10, and a separate 6 × 6 square without a seed.
    fn maps() -> (Array2<f32>, Array2<f32>) {
        let mut foreground = Array2::from_elem((20, 40), 0.05);
        fill(&mut foreground, (2, 2, 12, 22), 0.95);
        fill(&mut foreground, (12, 30, 18, 36), 0.7);
        let mut touch = Array2::from_elem((20, 40), 0.0);
        fill(&mut touch, (2, 11, 12, 13), 0.9);
        fill(&mut touch, (12, 30, 18, 36), 0.2);
        (foreground, touch)
    }

    #[test]
    fn touching_pair_is_cut_and_seedless_part_kept() {
        let (foreground, touch) = maps();
        let labels = decode_touch(foreground.view(), touch.view(), &DecodeParams::default());
        assert_eq!(labels.areas(), vec![100, 100, 36]);
        assert_ne!(labels.map[(5, 11)], labels.map[(5, 12)]);
    }

    #[test]
    fn small_objects_are_dropped_and_empty_maps_give_none() {
        let (foreground, touch) = maps();
        let params = DecodeParams {
            min_object_px: 37,
            ..DecodeParams::default()
        };
        assert_eq!(decode_touch(foreground.view(), touch.view(), &params).n, 2);
        let nothing = Array2::from_elem((5, 5), f32::NAN);
        assert_eq!(
            decode_touch(nothing.view(), nothing.view(), &DecodeParams::default()).n,
            0
        );
    }
}
