//! Connected components of a mask.

use ndarray::{Array2, ArrayView2};

use crate::labels::Labels;

/// Which pixels count as neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connectivity {
    /// Pixels that share an edge.
    Four,
    /// Pixels that share an edge or a corner.
    Eight,
}

impl Connectivity {
    /// The steps (row, column) to the neighbours of a pixel.
    pub fn steps(self) -> &'static [(isize, isize)] {
        const STEPS: [(isize, isize); 8] = [
            (-1, 0),
            (0, -1),
            (0, 1),
            (1, 0),
            (-1, -1),
            (-1, 1),
            (1, -1),
            (1, 1),
        ];
        match self {
            Self::Four => &STEPS[..4],
            Self::Eight => &STEPS,
        }
    }
}

/// The pixel one `step` away from (`row`, `col`), or `None` outside a `shape` (rows, columns) image.
pub(crate) fn neighbor(
    (row, col): (usize, usize),
    step: (isize, isize),
    shape: (usize, usize),
) -> Option<(usize, usize)> {
    let r = row.checked_add_signed(step.0)?;
    let c = col.checked_add_signed(step.1)?;
    (r < shape.0 && c < shape.1).then_some((r, c))
}

/// The connected parts of `mask` as objects in reading order.
///
/// Cost: linear in the number of pixels.
pub fn connected_components(mask: ArrayView2<bool>, connectivity: Connectivity) -> Labels {
    let shape = mask.dim();
    let mut map = Array2::<u32>::zeros(shape);
    let mut n = 0;
    let mut stack = Vec::new();
    for ((row, col), &inside) in mask.indexed_iter() {
        if !inside || map[(row, col)] != 0 {
            continue;
        }
        n += 1;
        map[(row, col)] = n;
        stack.push((row, col));
        while let Some(pixel) = stack.pop() {
            for &step in connectivity.steps() {
                if let Some(next) = neighbor(pixel, step, shape)
                    && mask[next]
                    && map[next] == 0
                {
                    map[next] = n;
                    stack.push(next);
                }
            }
        }
    }
    Labels { map, n }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn corners_join_only_with_eight_neighbours() {
        let mask = array![[true, false, true], [false, true, true], [true, false, false]];
        let four = connected_components(mask.view(), Connectivity::Four);
        assert_eq!(four.map, array![[1, 0, 2], [0, 2, 2], [3, 0, 0]]);
        assert_eq!(connected_components(mask.view(), Connectivity::Eight).n, 1);
    }
}
