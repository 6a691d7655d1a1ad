//! Operations that steps really perform.

use super::execute::{convolved_size, winograd_grid};
use super::step::{Epilogue, Step};
use super::vector::BLOCK;
use super::winograd;
use super::workspace::Layout;
use super::{Packed, RealOperations};

/// Operations of one step.
pub(super) fn operations(step: &Step, packed: &Packed, layout: &Layout) -> RealOperations {
    let pixels = |to: &Epilogue| {
        let (rows, columns) = convolved_size(layout, to);
        layout.batch * rows * columns
    };
    match (step, packed) {
        (Step::First { node, to }, _) => RealOperations {
            products: (pixels(to) * node.weights.len()) as u64,
            transforms: 0,
        },
        (Step::Convolve { to, .. }, Packed::Direct(weights)) => RealOperations {
            products: (pixels(to) * weights.values.len()) as u64,
            transforms: 0,
        },
        (Step::Convolve { view, .. }, Packed::Winograd(weights, _, head)) => {
            let tiles = winograd_grid(view, layout).tiles();
            RealOperations {
                products: (tiles
                    * (weights.products() + head.as_ref().map_or(0, |head| 16 * head.values.len())))
                    as u64,
                transforms: (tiles * BLOCK * winograd::transform_operations(weights)) as u64,
            }
        }
        _ => RealOperations::default(),
    }
}
