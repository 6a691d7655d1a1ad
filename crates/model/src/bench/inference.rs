//! A forward pass to be timed.

use kernels::{Isa, Plan, RealOperations, Workspace};

use super::{Definition, images};
use crate::error::ModelError;
use crate::network::Draw;
use crate::weights::Weights;

/// A member with the factors of its draws.
struct Member {
    plan: Plan,
    draws: Vec<Vec<Vec<f32>>>,
    multiply_adds: u64,
}

/// Members, draws and images, ready to run.
pub struct InferenceBench {
    members: Vec<Member>,
    workspace: Workspace,
    images: Vec<f32>,
    size: usize,
    batch: usize,
}

impl InferenceBench {
    pub(super) fn new(
        definition: &Definition,
        members: &[Weights],
        seed: u64,
        (size, batch, draws): (usize, usize, usize),
    ) -> Result<Self, ModelError> {
        let prepare = |(index, weights): (usize, &Weights)| -> Result<Member, ModelError> {
            let recorded = definition.graph(weights)?;
            let factors = |draw| {
                recorded.factors(Some(Draw {
                    seed,
                    member: index as u32,
                    draw,
                }))
            };
            Ok(Member {
                plan: Plan::compile(&recorded.graph, Isa::detect()),
                draws: (0..draws as u32).map(factors).collect(),
                multiply_adds: recorded.graph.multiply_adds(size, size),
            })
        };
        let members: Vec<Member> = members
            .iter()
            .enumerate()
            .map(prepare)
            .collect::<Result<_, _>>()?;
        let Some(first) = members.first() else {
            return Err(ModelError::NoMember);
        };
        let planar = images(definition.input_channels(), size, batch)?.permute((0, 3, 1, 2))?;
        Ok(Self {
            workspace: first.plan.workspace(batch, size, size),
            members,
            images: planar.flatten_all()?.to_vec1()?,
            size,
            batch,
        })
    }

    /// Multiply-adds of a call as plainly computed, every draw from the image on: what a speed is stated against.
    pub fn multiply_adds(&self) -> u64 {
        let of_member = |member: &Member| member.multiply_adds * member.draws.len().max(1) as u64;
        self.members.iter().map(of_member).sum::<u64>() * self.batch as u64
    }

    /// What a call of one member with one draw really computes.
    pub fn real_operations(&self) -> RealOperations {
        self.members[0]
            .plan
            .real_operations(self.batch, self.size, self.size)
    }

    /// Bytes of the buffers that a call uses.
    pub fn working_set(&self) -> usize {
        self.members[0].plan.working_set(self.batch, self.size, self.size)
    }

    /// One call: all members, all draws, all images. Returns the sum of the first values of all results.
    pub fn run(&mut self) -> f32 {
        let mut sum = 0.0;
        for member in &self.members {
            member.plan.run(
                &mut self.workspace,
                &self.images,
                &member.draws,
                &mut |_, _, values| {
                    sum += values.first().copied().unwrap_or(0.0);
                },
            );
        }
        sum
    }

    /// Images a call, and the side of each in pixels.
    pub(super) fn batch_and_size(&self) -> (usize, usize) {
        (self.batch, self.size)
    }

    /// The images, (batch, channels, rows, columns).
    pub(super) fn images(&self) -> &[f32] {
        &self.images
    }

    /// The first member's results without dropout, (batch, values an image).
    pub(super) fn outputs(&mut self) -> Vec<f32> {
        let mut outputs = Vec::new();
        let plan = &self.members[0].plan;
        plan.run(&mut self.workspace, &self.images, &[], &mut |_, _, values| {
            outputs.extend_from_slice(values);
        });
        outputs
    }
}
