//! Watershed from markers: objects grow from seeds until they meet.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ndarray::{Array2, ArrayView2};

use crate::components::{Connectivity, neighbor};
use crate::labels::Labels;

/// Floods `mask` from `markers`, lowest `height` first, through pixels that share an edge.
///
/// Returns the number of the marker that reached each pixel; 0 outside `mask` and where no marker can reach.
/// Shapes: all three have the same rows and columns. A pixel takes the number of the neighbour from which it was
/// reached; pixels of equal height are taken in the order in which they were reached, markers in reading order, so
/// that the result depends on nothing else. Cost: n log n in the pixels of the mask.
///
/// # Panics
/// If the shapes differ.
/// Source: Meyer 1991; the queue is the one of Soille & Ansoult 1990 with first-come ties.
pub fn watershed(height: ArrayView2<f32>, markers: &Labels, mask: ArrayView2<bool>) -> Array2<u32> {
    let shape = mask.dim();
    assert_eq!(height.dim(), shape, "height and mask must have the same shape");
    assert_eq!(
        markers.shape(),
        shape,
        "markers and mask must have the same shape"
    );
    let mut result = Array2::<u32>::zeros(shape);
    let mut queue: BinaryHeap<Reverse<(u32, u32, usize, usize)>> = BinaryHeap::new();
    let mut age = 0u32;
    for ((row, col), &marker) in markers.map.indexed_iter() {
        if marker > 0 && mask[(row, col)] {
            result[(row, col)] = marker;
            queue.push(Reverse((sort_key(height[(row, col)]), age, row, col)));
            age += 1;
        }
    }
    while let Some(Reverse((_, _, row, col))) = queue.pop() {
        let label = result[(row, col)];
        for &step in Connectivity::Four.steps() {
            if let Some(next) = neighbor((row, col), step, shape)
                && mask[next]
                && result[next] == 0
            {
                result[next] = label;
                queue.push(Reverse((sort_key(height[next]), age, next.0, next.1)));
                age += 1;
            }
        }
    }
    result
}

/// An integer that orders as the float does (IEEE total order; −0 and 0 are made equal).
fn sort_key(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 {
        !bits
    } else {
        bits | 0x8000_0000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn keys_order_as_floats() {
        let values = [
            f32::NEG_INFINITY,
            -2.5,
            -1e-30,
            0.0,
            1e-30,
            0.7,
            3.0,
            f32::INFINITY,
        ];
        assert!(values.windows(2).all(|p| sort_key(p[0]) < sort_key(p[1])));
        assert_eq!(sort_key(-0.0), sort_key(0.0));
    }

    #[test]
    fn floods_meet_on_the_ridge() {
        let height = array![[0.0, 1.0, 2.0, 5.0, 2.0, 1.0, 0.0f32]];
        let markers = Labels::relabel(array![[1, 0, 0, 0, 0, 0, 2]]);
        let mask = Array2::from_elem((1, 7), true);
        let flooded = watershed(height.view(), &markers, mask.view());
        assert_eq!(flooded.iter().copied().take(3).collect::<Vec<_>>(), vec![1, 1, 1]);
        assert_eq!(flooded.iter().copied().skip(4).collect::<Vec<_>>(), vec![2, 2, 2]);
        assert!(flooded[(0, 3)] > 0);
    }

    #[test]
    fn stays_in_the_mask_and_leaves_unreached_parts() {
        let mask = array![[true, true, false, true]];
        let markers = Labels::relabel(array![[1, 0, 0, 0]]);
        let flooded = watershed(Array2::zeros((1, 4)).view(), &markers, mask.view());
        assert_eq!(flooded, array![[1, 1, 0, 0]]);
    }
}
