//! Running a plan: steps in order, each cut into tasks over the threads of rayon's current pool.

use rayon::prelude::*;

use super::draws::{self, Draw};
use super::packing::WinogradWeights;
use super::step::Step;
use super::vector::BLOCK;
use super::winograd::Read;
use super::workspace::Buffer;
use super::{Plan, Workspace};

/// Floats that tasks share and write to at places of their own.
#[derive(Clone, Copy)]
pub(super) struct Shared(pub(super) *mut f32);

// SAFETY: an address; the tasks of a step write to disjoint places.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub(super) fn get(self) -> *mut f32 {
        self.0
    }
}

impl Workspace {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.layout.bytes()
    }

    /// Runs tasks, each with scratch that no other task uses meanwhile.
    pub(super) fn tasks(&self, count: usize, task: impl Fn(usize, *mut f32) + Sync) {
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
}
