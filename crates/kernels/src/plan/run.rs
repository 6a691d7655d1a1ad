//! Running a plan: steps in order, each cut into tasks over the threads of rayon's current pool.

use rayon::prelude::*;

use super::direct::{self, DirectBlock};
use super::draws::{self, Draw};
use super::first_layer::FirstRows;
use super::fusion::{Epilogue, Source, Step, Term};
use super::head::{self, Head};
use super::multiply;
use super::packing::WinogradWeights;
use super::pointwise::{EmitImage, MeanBlock, Planar, PoolBlock, StoreBlock, TermRead};
use super::vector::{BLOCK, dispatch};
use super::winograd::{self, Grid, Read, WinogradBlock};
use super::winograd_output::Target;
use super::workspace::{Buffer, Layout, Place};
use super::{Packed, Plan, RealOperations, Workspace};
use crate::convolution::Activation;

/// Floats that tasks share and write to at places of their own.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

// SAFETY: an address; the tasks of a step write to disjoint places.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    fn get(self) -> *mut f32 {
        self.0
    }
}

/// Rows of the first layer in one task.
const FIRST_ROWS: usize = 16;

impl Workspace {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.layout.bytes()
    }

    /// Runs tasks, each with scratch that no other task uses meanwhile.
    fn tasks(&self, count: usize, task: impl Fn(usize, *mut f32) + Sync) {
        let take = || {
            let mut free = self
                .scratch
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            free.pop().unwrap_or_else(|| Buffer::zeroed(self.layout.scratch))
        };
        let give = |buffer| {
            let mut free = self
                .scratch
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            free.push(buffer);
        };
        if count <= 1 || rayon::current_num_threads() == 1 {
            let buffer = take();
            (0..count).for_each(|index| task(index, buffer.pointer()));
            give(buffer);
        } else {
            (0..count).into_par_iter().for_each(|index| {
                let buffer = take();
                task(index, buffer.pointer());
                give(buffer);
            });
        }
    }
}

impl Plan {
    /// Runs the batch.
    ///
    /// `images`: (batch, channels, rows, columns). `draws[draw][slot]`: one factor per channel for each mask; without draws,
    /// masks do nothing and there is one draw. `sink(draw, output, values)` gets (batch, channels, rows, columns), draw by draw
    /// and in each by output; an output that no mask reaches comes once, with draw 0. The work runs on rayon's current pool;
    /// results do not depend on the number of threads, and an image's not on the batch that it is in.
    ///
    /// Panics if the workspace is another structure's or a length does not fit.
    pub fn run(
        &self,
        workspace: &mut Workspace,
        images: &[f32],
        draws: &[Vec<Vec<f32>>],
        sink: &mut dyn FnMut(usize, usize, &[f32]),
    ) {
        let layout = &workspace.layout;
        let own = self.layout(layout.batch, layout.rows, layout.columns);
        assert!(
            own == *layout,
            "the workspace was made for another structure of network"
        );
        let channels = self.steps.image_channels;
        assert_eq!(
            images.len(),
            layout.batch * channels * layout.rows * layout.columns,
            "values of the images"
        );
        let slots = self.graph.mask_channels();
        for draw in draws {
            assert_eq!(draw.len(), slots.len(), "masks of a draw");
            for (factors, &channels) in draw.iter().zip(&slots) {
                assert_eq!(factors.len(), channels, "factors of a mask");
            }
        }
        let base = Shared(workspace.values.pointer());
        self.border(workspace, images, base);
        for index in 0..self.steps.shared {
            self.step(workspace, index, images, base, None);
        }
        let mut next = 0;
        while next < draws.len().max(1) {
            let together = self.together(&draws[next.min(draws.len())..]);
            if let (Some((slot, kept, count)), Some(shared)) = (together, &self.shared_draws) {
                let drawn = self
                    .steps
                    .outputs
                    .iter()
                    .position(|output| output.drawn)
                    .expect("a mask reaches it");
                let (_, shape) = workspace.layout.outputs[drawn];
                let len = workspace.layout.batch * shape.len();
                if workspace.drawn.len() < count * len {
                    workspace.drawn = Buffer::zeroed(count * len);
                }
                let to = Shared(workspace.drawn.pointer());
                self.draw_together(
                    workspace,
                    shared,
                    base,
                    (slot, kept),
                    &draws[next..next + count],
                    (to, len),
                );
                for draw in 0..count {
                    self.report(
                        workspace,
                        base,
                        next + draw,
                        Some((drawn, to.get().wrapping_add(draw * len))),
                        sink,
                    );
                }
                next += count;
            } else {
                for index in self.steps.shared..self.steps.steps.len() {
                    self.step(workspace, index, images, base, draws.get(next));
                }
                self.report(workspace, base, next, None, sink);
                next += 1;
            }
        }
    }

    /// How many of the next draws can be computed together: with the masked slot and its factor.
    fn together(&self, draws: &[Vec<Vec<f32>>]) -> Option<(usize, f32, usize)> {
        let (index, _) = self.shared_draws.as_ref()?;
        let Step::Convolve { view, .. } = &self.steps.steps[*index] else {
            return None;
        };
        let (_, _, slot) = draws::terms(&view[0].terms)?;
        let kept = draws::kept_factor(&draws.first()?[slot])?;
        let same = draws.iter().take(draws::AT_ONCE);
        let count = same
            .take_while(|draw| draws::kept_factor(&draw[slot]) == Some(kept))
            .count();
        Some((slot, kept, count))
    }

    /// Hands the results of one draw to the sink; `elsewhere` says which of them lies outside the workspace's own results.
    fn report(
        &self,
        workspace: &Workspace,
        base: Shared,
        draw: usize,
        elsewhere: Option<(usize, *mut f32)>,
        sink: &mut dyn FnMut(usize, usize, &[f32]),
    ) {
        for (index, output) in self.steps.outputs.iter().enumerate() {
            if draw == 0 || output.drawn {
                let (start, shape) = workspace.layout.outputs[index];
                let len = workspace.layout.batch * shape.len();
                let values = match elsewhere {
                    Some((other, values)) if other == index => values,
                    _ => base.get().wrapping_add(start),
                };
                // SAFETY: the result lies in the workspace, and no task runs now.
                sink(draw, index, unsafe { std::slice::from_raw_parts(values, len) });
            }
        }
    }

    /// Copies the images into planes with zeros around.
    fn border(&self, workspace: &Workspace, images: &[f32], base: Shared) {
        if !self
            .steps
            .steps
            .iter()
            .any(|step| matches!(step, Step::First { .. }))
        {
            return;
        }
        let layout = &workspace.layout;
        let (border, rows, columns) = (layout.image_border, layout.rows, layout.columns);
        let row_length = columns + 2 * border;
        workspace.tasks(layout.batch * self.steps.image_channels, |plane, _| {
            for row in 0..rows {
                let to = layout.image + (plane * (rows + 2 * border) + row + border) * row_length + border;
                let from = &images[(plane * rows + row) * columns..][..columns];
                // SAFETY: the row lies in the workspace's planes, and this task alone writes it.
                unsafe {
                    base.get()
                        .add(to)
                        .copy_from_nonoverlapping(from.as_ptr(), columns)
                };
            }
        });
    }

    fn target(&self, layout: &Layout, base: Shared, to: &Epilogue, bias: &Buffer) -> Target {
        Target {
            bias: bias.pointer(),
            residual: to.residual.map(|map| layout.place(base.get(), map)),
            relu: to.relu,
            full: to.full.map(|map| layout.place(base.get(), map)),
            pooled: to.pooled.map(|map| layout.place(base.get(), map)),
        }
    }

    /// A term with its factors in this draw.
    fn term(
        &self,
        layout: &Layout,
        base: Shared,
        term: &Term,
        source: &Source,
        draw: Option<&Vec<Vec<f32>>>,
    ) -> TermRead {
        let factors = term.mask.zip(draw).map(|(slot, draw)| {
            let lanes = source.lanes.channels();
            lanes
                .iter()
                .map(|channel| channel.map_or(0.0, |c| draw[slot][c]))
                .collect()
        });
        TermRead {
            place: layout.place(base.get(), term.map),
            upsampled: term.upsampled,
            factors,
        }
    }

    /// A Winograd convolution of blocks of inputs, with its head if it has one.
    fn winograd(
        &self,
        workspace: &Workspace,
        index: usize,
        base: Shared,
        weights: &WinogradWeights,
        reads: &[Read],
        draws: &[Draw],
    ) {
        let (layout, isa) = (&workspace.layout, self.isa);
        let (Step::Convolve { view, to, head, .. }, Packed::Winograd(_, _, head_weights)) =
            (&self.steps.steps[index], &self.packed[index])
        else {
            unreachable!("a step with another step's weights");
        };
        let target = self.target(layout, base, to, &weights.bias);
        let grid = winograd_grid(view, layout);
        let (tiles, per_task) = (grid.tiles(), weights.cut.tiles);
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
            let first = task * per_task;
            let count = per_task.min(tiles - first);
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
                scratch,
            };
            // SAFETY: maps, weights and scratch were laid out for this layer; tasks write different tiles.
            unsafe { dispatch(isa, block) };
        });
    }

    /// Draws that keep channels with one common factor, all at once: their results go to `to`, one after the other.
    fn draw_together(
        &self,
        workspace: &Workspace,
        (index, weights): &(usize, WinogradWeights),
        base: Shared,
        (slot, kept): (usize, f32),
        draws: &[Vec<Vec<f32>>],
        (to, len): (Shared, usize),
    ) {
        let Step::Convolve { view, .. } = &self.steps.steps[*index] else {
            unreachable!("only convolutions share products between draws");
        };
        let source = &view[0];
        let (plain, upsampled, _) = draws::terms(&source.terms).expect("the plan was compiled for this sum");
        let (plain, upsampled) = (
            workspace.layout.place(base.get(), plain.map),
            workspace.layout.place(base.get(), upsampled.map),
        );
        let blocks = source.lanes.blocks();
        let factors = vec![kept; blocks * BLOCK];
        let mut reads = vec![Read::default(); 2 * blocks];
        for block in 0..blocks {
            reads[block].plain = Some((plain, block, None));
            reads[blocks + block].upsampled =
                Some((upsampled, block, Some(factors[block * BLOCK..].as_ptr())));
        }
        let lanes = source.lanes.lanes();
        let draws: Vec<Draw> = draws
            .iter()
            .enumerate()
            .map(|(draw, factors)| Draw {
                dropped: (0..lanes.len())
                    .filter(|&channel| factors[slot][channel] == 0.0)
                    .map(|channel| lanes[channel])
                    .collect(),
                planes: to.get().wrapping_add(draw * len),
            })
            .collect();
        self.winograd(workspace, *index, base, weights, &reads, &draws);
    }

    fn step(
        &self,
        workspace: &Workspace,
        index: usize,
        images: &[f32],
        base: Shared,
        draw: Option<&Vec<Vec<f32>>>,
    ) {
        let (layout, isa, maps) = (&workspace.layout, self.isa, &self.steps.maps);
        let place = |map: usize| layout.place(base.get(), map);
        match (&self.steps.steps[index], &self.packed[index]) {
            (Step::First { node, to }, Packed::First { weights, bias }) => {
                let target = self.target(layout, base, to, bias);
                let (rows, columns) = convolved_size(layout, to);
                let row = layout.columns + 2 * layout.image_border;
                let plane = (layout.rows + 2 * layout.image_border) * row;
                let inset = (layout.image_border - node.kernel / 2) * (row + 1);
                let per_image = rows.div_ceil(FIRST_ROWS);
                let weights = Shared(weights.pointer());
                workspace.tasks(layout.batch * per_image, |task, _| {
                    let (image, first) = (task / per_image, task % per_image * FIRST_ROWS);
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
                let target = self.target(layout, base, to, &weights.bias);
                let size = convolved_size(layout, to);
                let reads: Vec<(Place, usize)> = view
                    .iter()
                    .flat_map(|source| {
                        let place = place(source.terms[0].map);
                        (0..source.lanes.blocks()).map(move |block| (place, block))
                    })
                    .collect();
                let pixels = layout.batch * size.0 * size.1;
                let whole = direct::Calls::new(isa, weights, direct::PIXELS);
                let rest = direct::Calls::new(isa, weights, pixels % direct::PIXELS);
                workspace.tasks(pixels.div_ceil(direct::PIXELS), |task, scratch| {
                    let first = task * direct::PIXELS;
                    let count = direct::PIXELS.min(pixels - first);
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
                let sources: Vec<Vec<TermRead>> = view
                    .iter()
                    .map(|source| {
                        source
                            .terms
                            .iter()
                            .map(|term| self.term(layout, base, term, source, draw))
                            .collect()
                    })
                    .collect();
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
                self.winograd(workspace, index, base, weights, &reads, &[]);
            }
            (Step::Pack { to }, _) => {
                let (to, lanes) = (place(*to), maps[*to].lanes.lanes());
                let len = lanes.len() * to.rows * to.columns;
                workspace.tasks(layout.batch, |image, _| {
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
                let sources: Vec<Vec<TermRead>> = view
                    .iter()
                    .map(|source| {
                        source
                            .terms
                            .iter()
                            .map(|term| self.term(layout, base, term, source, draw))
                            .collect()
                    })
                    .collect();
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
                workspace.tasks(layout.batch * blocks, |task, _| {
                    let block = task % blocks;
                    let store = StoreBlock {
                        from: &from[block * BLOCK..][..BLOCK],
                        sources: &sources,
                        function: *function,
                        to,
                        image: task / blocks,
                        block,
                    };
                    // SAFETY: the maps were laid out for this step; tasks write different blocks.
                    unsafe { dispatch(isa, store) };
                });
            }
            (Step::Pool { from, to }, _) => {
                let (blocks, from, to) = (layout.blocks(*to), place(*from), place(*to));
                workspace.tasks(layout.batch * blocks, |task, _| {
                    let (image, block) = (task / blocks, task % blocks);
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
                workspace.tasks(layout.batch * blocks, |task, _| {
                    let (image, block) = (task / blocks, task % blocks);
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
                workspace.tasks(layout.batch, |image, _| {
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
                workspace.tasks(layout.batch, |image, _| {
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

fn convolved_size(layout: &Layout, to: &Epilogue) -> (usize, usize) {
    layout.size(to.stored())
}

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

/// Tiles of a convolution: with stride 1 the output is as large as the input.
fn winograd_grid(view: &[Source], layout: &Layout) -> Grid {
    let term = &view[0].terms[0];
    let factor = if term.upsampled { 2 } else { 1 };
    let (rows, columns) = layout.size(term.map);
    Grid {
        images: layout.batch,
        rows: factor * rows,
        columns: factor * columns,
    }
}
