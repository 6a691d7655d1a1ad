//! One step of a plan, cut into tasks over the threads of rayon's current pool.

use super::direct::{self, DirectBlock};
use super::draws::Draw;
use super::first_layer::FirstRows;
use super::head::{self, Head};
use super::multiply;
use super::packing::WinogradWeights;
use super::pointwise::{EmitImage, MeanBlock, Planar, PoolBlock, StoreBlock, TermRead};
use super::run::{Part, Shared};
use super::step::{Epilogue, Source, Step, Term};
use super::vector::{BLOCK, dispatch};
use super::winograd::{self, Read, WinogradBlock};
use super::winograd_output::{Grid, Target};
use super::workspace::{Buffer, Layout, Place};
use super::{Packed, Plan, Workspace};
use crate::convolution::Activation;

/// Rows of the first layer in one task.
const FIRST_ROWS: usize = 16;

impl Plan {
    fn target(&self, part: &Part, to: &Epilogue, bias: &Buffer) -> Target {
        Target {
            bias: bias.pointer(),
            residual: to.residual.map(|map| part.place(map)),
            relu: to.relu,
            full: to.full.map(|map| part.place(map)),
            pooled: to.pooled.map(|map| part.place(map)),
        }
    }

    /// A term with its factors in this draw.
    fn term(&self, part: &Part, term: &Term, source: &Source, draw: Option<&Vec<Vec<f32>>>) -> TermRead {
        let factors = term.mask.zip(draw).map(|(slot, draw)| {
            let lanes = source.lanes.channels();
            lanes
                .iter()
                .map(|channel| channel.map_or(0.0, |c| draw[slot][c]))
                .collect()
        });
        TermRead {
            place: part.place(term.map),
            upsampled: term.upsampled,
            factors,
        }
    }

    /// A Winograd convolution of blocks of inputs, with its head if it has one.
    pub(super) fn winograd(
        &self,
        workspace: &Workspace,
        index: usize,
        part: Part,
        weights: &WinogradWeights,
        reads: &[Read],
        draws: &[Draw],
    ) {
        let (layout, base, isa) = (part.layout, part.base, self.isa);
        let (Step::Convolve { view, to, head, .. }, Packed::Winograd(_, _, head_weights)) =
            (&self.steps.steps[index], &self.packed[index])
        else {
            unreachable!("a step with another step's weights");
        };
        let target = self.target(&part, to, &weights.bias);
        let grid = winograd_grid(view, layout);
        let (begin, end) = grid.range(part.images());
        let (tiles, per_task) = (end - begin, weights.cut.tiles);
        let head_calls = multiply::cut(isa, 1, head::PIXELS);
        let head = head
            .as_ref()
            .zip(head_weights.as_ref())
            .map(|(head, weights)| Head {
                weights,
                calls: &head_calls,
                input_blocks: head.node.channels_in.div_ceil(BLOCK),
                channels: head.node.channels_out,
                relu: head.node.activation == Activation::Relu,
                sigmoid: head.sigmoid,
                shuffle: head.shuffle,
                planes: base.get().wrapping_add(layout.outputs[head.output].0),
                size: (grid.rows, grid.columns),
            });
        let whole = winograd::Calls::new(isa, weights, per_task);
        let rest = winograd::Calls::new(isa, weights, tiles % per_task);
        workspace.tasks(tiles.div_ceil(per_task), |task, scratch| {
            let first = begin + task * per_task;
            let count = per_task.min(end - first);
            let block = WinogradBlock {
                reads,
                weights,
                calls: if count == per_task { &whole } else { &rest },
                target,
                head,
                draws,
                grid,
                first,
                tiles: count,
                end,
                scratch,
            };
            // SAFETY: maps, weights and scratch were laid out for this layer; tasks write different tiles.
            unsafe { dispatch(isa, block) };
        });
    }

    /// Runs a step, in a draw if masks reach it.
    pub(super) fn step(
        &self,
        workspace: &Workspace,
        index: usize,
        images: &[f32],
        part: Part,
        draw: Option<&Vec<Vec<f32>>>,
    ) {
        let (layout, base, isa, maps) = (part.layout, part.base, self.isa, &self.steps.maps);
        let place = |map: usize| part.place(map);
        let read_terms = |source: &Source| -> Vec<TermRead> {
            let terms = source.terms.iter();
            terms.map(|term| self.term(&part, term, source, draw)).collect()
        };
        let (first_image, end_image) = part.images();
        let image_count = end_image - first_image;
        match (&self.steps.steps[index], &self.packed[index]) {
            (Step::First { node, to }, Packed::First { weights, bias }) => {
                let target = self.target(&part, to, bias);
                let (rows, columns) = convolved_size(layout, to);
                let row = layout.columns + 2 * layout.image_border;
                let plane = (layout.rows + 2 * layout.image_border) * row;
                let inset = (layout.image_border - node.kernel / 2) * (row + 1);
                let per_image = rows.div_ceil(FIRST_ROWS);
                let weights = Shared(weights.pointer());
                workspace.tasks(image_count * per_image, |task, _| {
                    let image = first_image + task / per_image;
                    let first = task % per_image * FIRST_ROWS;
                    let start = layout.image + image * node.channels_in * plane + inset;
                    let rows_of_task = FirstRows {
                        image: base.get().wrapping_add(start),
                        row,
                        plane,
                        channels: node.channels_in,
                        kernel: node.kernel,
                        stride: node.stride,
                        weights: weights.get(),
                        blocks: node.channels_out.div_ceil(BLOCK),
                        target,
                        size: (rows, columns),
                        image_index: image,
                        rows: (first, rows.min(first + FIRST_ROWS)),
                    };
                    // SAFETY: image, weights and maps were laid out for this layer; tasks write different rows.
                    unsafe { dispatch(isa, rows_of_task) };
                });
            }
            (Step::Convolve { node, view, to, .. }, Packed::Direct(weights)) => {
                let target = self.target(&part, to, &weights.bias);
                let size = convolved_size(layout, to);
                let reads: Vec<(Place, usize)> = view
                    .iter()
                    .flat_map(|source| {
                        let place = place(source.terms[0].map);
                        (0..source.lanes.blocks()).map(move |block| (place, block))
                    })
                    .collect();
                let begin = first_image * size.0 * size.1;
                let end = end_image * size.0 * size.1;
                let pixels = end - begin;
                let whole = direct::Calls::new(isa, weights, direct::PIXELS);
                let rest = direct::Calls::new(isa, weights, pixels % direct::PIXELS);
                workspace.tasks(pixels.div_ceil(direct::PIXELS), |task, scratch| {
                    let first = begin + task * direct::PIXELS;
                    let count = direct::PIXELS.min(end - first);
                    let block = DirectBlock {
                        reads: &reads,
                        weights,
                        calls: if count == direct::PIXELS { &whole } else { &rest },
                        target,
                        kernel: node.kernel,
                        stride: node.stride,
                        size,
                        first,
                        pixels: count,
                        scratch,
                    };
                    // SAFETY: maps, weights and scratch were laid out for this layer; tasks write different pixels.
                    unsafe { dispatch(isa, block) };
                });
            }
            (Step::Convolve { view, .. }, Packed::Winograd(weights, order, _)) => {
                let sources: Vec<Vec<TermRead>> = view.iter().map(read_terms).collect();
                let mut by_block = Vec::new();
                for (source, terms) in view.iter().zip(&sources) {
                    for block in 0..source.lanes.blocks() {
                        let mut read = Read::default();
                        for term in terms {
                            let factors = term.factors.as_ref().map(|f| f[block * BLOCK..].as_ptr());
                            let value = Some((term.place, block, factors));
                            if term.upsampled {
                                read.upsampled = value;
                            } else {
                                read.plain = value;
                            }
                        }
                        by_block.push(read);
                    }
                }
                let reads: Vec<Read> = order.iter().map(|&block| by_block[block]).collect();
                self.winograd(workspace, index, part, weights, &reads, &[]);
            }
            (Step::Pack { to }, _) => {
                let (to, lanes) = (place(*to), maps[*to].lanes.lanes());
                let len = lanes.len() * to.rows * to.columns;
                workspace.tasks(image_count, |task, _| {
                    let image = first_image + task;
                    let planar = Planar {
                        place: to,
                        lanes: &lanes,
                        image,
                        // Only read through this pointer.
                        planes: images[image * len..][..len].as_ptr().cast_mut(),
                    };
                    // SAFETY: the image has this many values; the map was laid out for it.
                    unsafe { planar.pack() };
                });
            }
            (Step::Store { view, function, to }, _) => {
                let sources: Vec<Vec<TermRead>> = view.iter().map(read_terms).collect();
                let mut of_channel = Vec::new();
                for (index, source) in view.iter().enumerate() {
                    of_channel.extend(source.lanes.lanes().into_iter().map(|lane| (index, lane)));
                }
                let channels = maps[*to].lanes.channels();
                let from: Vec<Option<(usize, usize)>> = channels
                    .iter()
                    .map(|channel| channel.map(|c| of_channel[c]))
                    .collect();
                let (blocks, to) = (layout.blocks(*to), place(*to));
                workspace.tasks(image_count * blocks, |task, _| {
                    let block = task % blocks;
                    let store = StoreBlock {
                        from: &from[block * BLOCK..][..BLOCK],
                        sources: &sources,
                        function: *function,
                        to,
                        image: first_image + task / blocks,
                        block,
                    };
                    // SAFETY: the maps were laid out for this step; tasks write different blocks.
                    unsafe { dispatch(isa, store) };
                });
            }
            (Step::Pool { from, to }, _) => {
                let (blocks, from, to) = (layout.blocks(*to), place(*from), place(*to));
                workspace.tasks(image_count * blocks, |task, _| {
                    let (image, block) = (first_image + task / blocks, task % blocks);
                    // SAFETY: the maps were laid out for this step; tasks write different blocks.
                    unsafe {
                        dispatch(
                            isa,
                            PoolBlock {
                                from,
                                to,
                                image,
                                block,
                            },
                        )
                    };
                });
            }
            (Step::Mean { from, to }, _) => {
                let (blocks, from, to) = (layout.blocks(*to), place(*from), place(*to));
                workspace.tasks(image_count * blocks, |task, _| {
                    let (image, block) = (first_image + task / blocks, task % blocks);
                    // SAFETY: the maps were laid out for this step; tasks write different blocks.
                    unsafe {
                        dispatch(
                            isa,
                            MeanBlock {
                                from,
                                to,
                                image,
                                block,
                            },
                        )
                    };
                });
            }
            (Step::Shuffle { from, to }, _) => {
                let (lanes, to_lanes) = (maps[*from].lanes.lanes(), maps[*to].lanes.lanes());
                let (from, to) = (place(*from), place(*to));
                workspace.tasks(image_count, |task, _| {
                    let image = first_image + task;
                    let planar = Planar {
                        place: from,
                        lanes: &lanes,
                        image,
                        planes: std::ptr::null_mut(),
                    };
                    // SAFETY: the maps were laid out for this step; tasks write different images.
                    unsafe { planar.shuffle(to, &to_lanes) };
                });
            }
            (
                Step::Emit {
                    from,
                    output,
                    sigmoid,
                    shuffle,
                },
                _,
            ) => {
                let lanes = maps[*from].lanes.lanes();
                let (start, shape) = layout.outputs[*output];
                let from = place(*from);
                workspace.tasks(image_count, |task, _| {
                    let image = first_image + task;
                    let emit = EmitImage {
                        from: Planar {
                            place: from,
                            lanes: &lanes,
                            image,
                            planes: base.get().wrapping_add(start + image * shape.len()),
                        },
                        sigmoid: *sigmoid,
                        shuffle: *shuffle,
                    };
                    // SAFETY: the map and the planes were laid out for this step; tasks write different images.
                    unsafe { dispatch(isa, emit) };
                });
            }
            _ => unreachable!("a step with another step's weights"),
        }
    }
}

/// Rows and columns of what a convolution stores.
pub(super) fn convolved_size(layout: &Layout, to: &Epilogue) -> (usize, usize) {
    layout.size(to.stored())
}

/// Tiles of a convolution: with stride 1 the output is as large as the input.
pub(super) fn winograd_grid(view: &[Source], layout: &Layout) -> Grid {
    let term = &view[0].terms[0];
    let factor = if term.upsampled { 2 } else { 1 };
    let (rows, columns) = layout.size(term.map);
    Grid {
        images: layout.batch,
        rows: factor * rows,
        columns: factor * columns,
    }
}
