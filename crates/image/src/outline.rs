//! Outlines of objects, to be drawn over a picture.

use ndarray::Array2;

use crate::components::{Connectivity, neighbor};
use crate::labels::Labels;

/// True on the object pixels that share an edge with another object or background; the border of the image is no edge.
pub fn outline_mask(labels: &Labels) -> Array2<bool> {
    let shape = labels.shape();
    Array2::from_shape_fn(shape, |pixel| {
        let label = labels.map[pixel];
        label > 0 && is_edge(&labels.map, pixel, shape, label)
    })
}

/// Whether a pixel of `label` has a 4-neighbour inside the image with another value.
fn is_edge(map: &Array2<u32>, pixel: (usize, usize), shape: (usize, usize), label: u32) -> bool {
    Connectivity::Four
        .steps()
        .iter()
        .any(|&step| neighbor(pixel, step, shape).is_some_and(|next| map[next] != label))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn outline_is_the_inner_edge() {
        let labels = Labels::relabel(array![[1, 1, 1, 0], [1, 1, 1, 2], [1, 1, 1, 2],]);
        let expected = array![
            [false, false, true, false],
            [false, false, true, true],
            [false, false, true, true],
        ];
        assert_eq!(outline_mask(&labels), expected);
    }
}
