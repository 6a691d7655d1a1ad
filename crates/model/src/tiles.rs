//! Cutting a large image into tiles whose maps are those of the whole image, bit for bit.

use std::collections::BTreeMap;
use std::ops::Range;

use kernels::{Graph, NodeId, Operation};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use crate::reflection::reflect;

/// Tiles begin at multiples of this many pixels: every layer then cuts its map into the same blocks as in the whole image.
const GRID: usize = 64;
/// Rows and columns of the outputs that a fast convolution computes together: each depends, if only by rounding, on
/// all inputs of its block.
const BLOCK: i64 = 4;

/// One axis of a tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Pixels that the network sees.
    pub read: Range<usize>,
    /// Pixels whose maps are kept.
    pub write: Range<usize>,
}

/// A part of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub rows: Extent,
    pub columns: Extent,
}

impl Tile {
    /// Rows and columns that the network sees.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.rows.read.len(), self.columns.read.len())
    }

    /// Its pixels, reflected beyond the image.
    pub(crate) fn read(&self, image: ArrayView2<f32>, pixels: &mut Vec<f32>) {
        let (rows, columns) = image.dim();
        let wide = &self.columns.read;
        pixels.clear();
        for row in self.rows.read.clone() {
            let source = image.row(reflect(row as i64, rows));
            pixels.extend(source.slice(s![wide.start.min(columns)..wide.end.min(columns)]));
            let beyond = wide.start.max(columns)..wide.end;
            pixels.extend(beyond.map(|column| source[reflect(column as i64, columns)]));
        }
    }

    /// Puts the part of its map that is right into the map of the image, value by value.
    pub(crate) fn write(&self, map: &[f32], mut image: ArrayViewMut2<f32>, put: impl Fn(&mut f32, f32)) {
        let (rows, columns) = image.dim();
        let kept = self.columns.write.start..self.columns.write.end.min(columns);
        for row in self.rows.write.start..self.rows.write.end.min(rows) {
            let start =
                (row - self.rows.read.start) * self.columns.read.len() + kept.start - self.columns.read.start;
            for (to, from) in image
                .slice_mut(s![row, kept.clone()])
                .iter_mut()
                .zip(&map[start..])
            {
                put(to, *from);
            }
        }
    }
}

/// How an image is cut.
#[derive(Clone, Debug)]
pub(crate) struct Tiling {
    rows: Vec<Extent>,
    columns: Vec<Extent>,
}

impl Tiling {
    /// One tile.
    pub(crate) fn whole((rows, columns): (usize, usize)) -> Self {
        let whole = |n: usize| {
            vec![Extent {
                read: 0..n,
                write: 0..n,
            }]
        };
        Self {
            rows: whole(rows),
            columns: whole(columns),
        }
    }

    /// As few and as square tiles as keep `bytes` of the largest one within the budget, or the smallest possible ones.
    pub(crate) fn within(
        budget: usize,
        (rows, columns): (usize, usize),
        graph: &Graph,
        bytes: impl Fn((usize, usize)) -> usize,
    ) -> Self {
        let Some(halo) = reach(graph).map(|reach| reach.next_multiple_of(GRID)) else {
            return Self::whole((rows, columns));
        };
        let side = |n: usize, parts: usize| n.div_ceil(parts).next_multiple_of(GRID);
        let (mut down, mut across) = (1, 1);
        loop {
            let tiling = Self {
                rows: cut(rows, side(rows, down), halo),
                columns: cut(columns, side(columns, across), halo),
            };
            let (high, wide) = (side(rows, down), side(columns, across));
            if bytes(tiling.largest()) <= budget || (high == GRID && wide == GRID) {
                return tiling;
            }
            if high >= wide {
                down += 1;
            } else {
                across += 1;
            }
        }
    }

    /// Rows and columns of the largest tile, as the network sees it.
    pub(crate) fn largest(&self) -> (usize, usize) {
        let longest = |extents: &[Extent]| extents.iter().map(|extent| extent.read.len()).max();
        (
            longest(&self.rows).unwrap_or(0),
            longest(&self.columns).unwrap_or(0),
        )
    }

    /// The tiles, row by row.
    pub(crate) fn tiles(&self) -> impl Iterator<Item = Tile> + '_ {
        self.rows.iter().flat_map(|rows| {
            self.columns.iter().map(|columns| Tile {
                rows: rows.clone(),
                columns: columns.clone(),
            })
        })
    }
}

/// Cuts 0..n into parts of `side`, each seen with `halo` pixels on both sides where the image has them.
fn cut(n: usize, side: usize, halo: usize) -> Vec<Extent> {
    if side >= n {
        return Tiling::whole((n, n)).rows;
    }
    (0..n)
        .step_by(side)
        .map(|start| {
            let end = (start + side).min(n);
            Extent {
                read: start.saturating_sub(halo)..(end + halo).min(n),
                write: start..end,
            }
        })
        .collect()
}

/// Pixels beyond a tile, on each side, on which its maps depend, for tiles that begin and end on the grid; `None` where
/// that is the whole image.
///
/// The interval that each layer needs is followed from the results back to the input; convolutions widen theirs to
/// whole blocks first.
fn reach(graph: &Graph) -> Option<usize> {
    let shapes = graph.shapes(GRID, GRID);
    let layers: Vec<(NodeId, &Operation, i64)> = graph
        .operations()
        .zip(&shapes)
        .map(|((id, operation), shape)| (id, operation, shape.rows as i64))
        .collect();
    let mut needed: BTreeMap<NodeId, (i64, i64)> = layers
        .iter()
        .filter(|(id, _, _)| graph.outputs().contains(id))
        .map(|&(id, _, rows)| (id, (0, rows)))
        .collect();
    let mut reach = 0;
    for (id, operation, rows) in layers.iter().rev() {
        let Some(&(from, to)) = needed.get(id) else {
            continue;
        };
        let mut need = |id: &NodeId, from: i64, to: i64| {
            let (low, high) = needed.entry(*id).or_insert((from, to));
            (*low, *high) = (from.min(*low), to.max(*high));
        };
        match operation {
            Operation::Input { .. } => reach = reach.max(-from).max(to - rows),
            Operation::Convolution(x, node) => {
                let (stride, pad) = (node.stride as i64, (node.kernel / 2) as i64);
                let first = from.div_euclid(BLOCK) * BLOCK;
                let last = (to + BLOCK - 1).div_euclid(BLOCK) * BLOCK - 1;
                need(x, first * stride - pad, last * stride + pad + 1);
            }
            Operation::Upsample2(x) | Operation::PixelShuffle2(x) => {
                need(x, from.div_euclid(2), (to + 1).div_euclid(2));
            }
            Operation::MaxPool2(x) => need(x, 2 * from, 2 * to),
            Operation::Concatenate(a, b) | Operation::Add(a, b) => {
                need(a, from, to);
                need(b, from, to);
            }
            Operation::Relu(x) | Operation::Sigmoid(x) | Operation::ChannelMask(x, _) => need(x, from, to),
            Operation::GlobalMean(_) => return None,
        }
    }
    usize::try_from(reach).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernels::{Activation, ConvolutionNode};

    fn convolution(graph: &mut Graph, x: NodeId, kernel: usize, stride: usize) -> NodeId {
        graph.push(Operation::Convolution(
            x,
            ConvolutionNode {
                channels_in: 1,
                channels_out: 1,
                kernel,
                stride,
                weights: vec![1.0; kernel * kernel].into(),
                bias: [0.0].into(),
                activation: Activation::Identity,
            },
        ))
    }

    /// By hand: one convolution needs its padding; a second one needs the whole block beside the grid, and its padding.
    #[test]
    fn reach_counts_whole_blocks() {
        let mut graph = Graph::default();
        let image = graph.push(Operation::Input { channels: 1 });
        let one = convolution(&mut graph, image, 3, 1);
        let mut two = graph.clone();
        graph.output(one);
        assert_eq!(reach(&graph), Some(1));
        let second = convolution(&mut two, one, 3, 1);
        two.output(second);
        assert_eq!(reach(&two), Some(5));
    }

    /// A convolution at half resolution reaches twice as far.
    #[test]
    fn reach_follows_the_scale() {
        let mut graph = Graph::default();
        let image = graph.push(Operation::Input { channels: 1 });
        let half = graph.push(Operation::MaxPool2(image));
        let map = convolution(&mut graph, half, 3, 1);
        let full = graph.push(Operation::Upsample2(map));
        graph.output(full);
        assert_eq!(reach(&graph), Some(2));
    }

    #[test]
    fn tiles_cover_the_image_once_and_fit_the_budget() {
        let mut graph = Graph::default();
        let image = graph.push(Operation::Input { channels: 1 });
        let map = convolution(&mut graph, image, 3, 1);
        graph.output(map);
        let bytes = |(rows, columns): (usize, usize)| rows * columns;
        let tiling = Tiling::within(60_000, (336, 528), &graph, bytes);
        let mut seen = vec![0; 336 * 528];
        for tile in tiling.tiles() {
            assert!(bytes(tile.shape()) <= 60_000 && tile.rows.read.start % GRID == 0);
            assert!(tile.columns.read.start % GRID == 0);
            for row in tile.rows.write.clone() {
                for column in tile.columns.write.clone() {
                    seen[row * 528 + column] += 1;
                }
            }
        }
        assert!(tiling.tiles().count() > 1 && seen.iter().all(|&n| n == 1));
        // What no tile can fit is cut as small as can be.
        let smallest = Tiling::within(1, (336, 528), &graph, bytes);
        assert_eq!(smallest.tiles().count(), 6 * 9);
        assert_eq!(
            Tiling::within(usize::MAX, (336, 528), &graph, bytes)
                .tiles()
                .count(),
            1
        );
    }
}
