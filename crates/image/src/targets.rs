//! What the segmentation network is taught to paint, made from a label image.

use ndarray::{Array2, Array3, Axis};

use crate::components::{Connectivity, neighbor};
use crate::distance::{Beyond, distance_in_objects};
use crate::labels::Labels;

/// The four target maps of a label image: 4 × rows × columns, in [0, 1].
///
/// 0: foreground · 1: touch (the 5 × 5 window holds two different objects) · 2: ring (object pixel whose 3 × 3 window
/// holds another object or background) · 3: distance to outside the object over its maximum in the object.
/// What lies beyond the border of the image is unknown and makes neither ring nor distance.
/// Source: RECIPES B2 "Targets".
pub fn segmentation_targets(labels: &Labels) -> Array3<f32> {
    let (rows, cols) = labels.shape();
    let mut targets = Array3::<f32>::zeros((4, rows, cols));
    targets
        .index_axis_mut(Axis(0), 0)
        .assign(&labels.map.mapv(|l| f32::from(l > 0)));
    targets.index_axis_mut(Axis(0), 1).assign(&touch(&labels.map));
    let ring = Array2::from_shape_fn((rows, cols), |pixel| {
        let label = labels.map[pixel];
        let differs =
            |step| neighbor(pixel, step, (rows, cols)).is_some_and(|next| labels.map[next] != label);
        f32::from(label > 0 && Connectivity::Eight.steps().iter().any(|&step| differs(step)))
    });
    targets.index_axis_mut(Axis(0), 2).assign(&ring);
    let distance = distance_in_objects(labels, Beyond::Unknown);
    let mut farthest = vec![0f32; labels.n as usize + 1];
    for (&label, &d) in labels.map.iter().zip(&distance) {
        farthest[label as usize] = farthest[label as usize].max(d);
    }
    let relative = Array2::from_shape_fn((rows, cols), |pixel| match labels.map[pixel] as usize {
        0 => 0.0,
        // An object that fills the image has no outside.
        label if farthest[label].is_infinite() => 1.0,
        label => distance[pixel] / farthest[label],
    });
    targets.index_axis_mut(Axis(0), 3).assign(&relative);
    targets
}

/// 1 where the 5 × 5 window (cut at the border) holds two different object numbers, else 0.
fn touch(map: &Array2<u32>) -> Array2<f32> {
    const REACH: usize = 2;
    let (rows, cols) = map.dim();
    // Lowest and highest object number of the window, along rows and then along columns.
    let mut low = map.mapv(|l| if l == 0 { u32::MAX } else { l });
    let mut high = map.clone();
    for axis in [1, 0] {
        let length = if axis == 1 { cols } else { rows };
        let (from_low, from_high) = (low.clone(), high.clone());
        for ((row, col), value) in low.indexed_iter_mut() {
            let at = if axis == 1 { col } else { row };
            for i in at.saturating_sub(REACH)..(at + REACH + 1).min(length) {
                let pixel = if axis == 1 { (row, i) } else { (i, col) };
                *value = (*value).min(from_low[pixel]);
                high[(row, col)] = high[(row, col)].max(from_high[pixel]);
            }
        }
    }
    Array2::from_shape_fn((rows, cols), |p| f32::from(high[p] > 0 && low[p] < high[p]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn four_maps_of_two_touching_objects() {
        let labels = Labels::relabel(array![[1, 1, 1, 2, 2, 2, 0, 0, 0, 0]]);
        let t = segmentation_targets(&labels);
        let row = |map: usize| t.index_axis(Axis(0), map).row(0).to_vec();
        assert_eq!(row(0), [1., 1., 1., 1., 1., 1., 0., 0., 0., 0.]);
        assert_eq!(row(1), [0., 1., 1., 1., 1., 0., 0., 0., 0., 0.]);
        assert_eq!(row(2), [0., 0., 1., 1., 0., 1., 0., 0., 0., 0.]);
        assert_eq!(row(3), [1., 2. / 3., 1. / 3., 0.5, 1., 0.5, 0., 0., 0., 0.]);
    }

    #[test]
    fn touch_equals_its_definition() {
        let map = Array2::from_shape_fn((17, 23), |(r, c)| ((r / 5 * 3 + c / 6) % 4) as u32);
        let fast = touch(&map);
        for ((r, c), &value) in fast.indexed_iter() {
            let bounds = crate::labels::PixelBox {
                row0: r,
                col0: c,
                row1: r + 1,
                col1: c + 1,
            };
            let window = bounds.grown(2, (17, 23)).of(map.view());
            let mut numbers: Vec<u32> = window.iter().copied().filter(|l| *l > 0).collect();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(value, f32::from(numbers.len() > 1), "at {r},{c}");
        }
    }

    #[test]
    fn an_object_that_fills_the_image_is_far_from_outside() {
        let t = segmentation_targets(&Labels::relabel(Array2::ones((3, 3))));
        assert!(t.index_axis(Axis(0), 3).iter().all(|v| *v == 1.0));
        assert!(t.index_axis(Axis(0), 2).iter().all(|v| *v == 0.0));
    }
}
