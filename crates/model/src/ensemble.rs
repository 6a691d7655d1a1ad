//! The members of one architecture on a device: compiled plans on the processor, candle's operations on a GPU.

use std::sync::{Mutex, PoisonError};

use candle_core::{Device, Result as CandleResult, Tensor};
use kernels::{Graph, Isa, Plan, Workspace};

use crate::bundle::Bundle;
use crate::device::DeviceChoice;
use crate::error::ModelError;
use crate::network::{Draw, InferencePass, Network, Recorded};
use crate::weights::Weights;

/// Receives one result of one draw: draw, result, values (image, channel, row, column). A result that no dropout reaches
/// comes once, with draw 0.
pub(crate) type Sink<'a> = dyn FnMut(usize, usize, &[f32]) + 'a;

/// What an ensemble asks of its architecture.
pub(crate) trait Architecture: Clone {
    /// The task's word, for messages.
    const TASK: &'static str;
    /// This architecture, if it is the bundle's.
    fn of(network: &Network) -> Option<&Self>;
    /// A member as a graph whose results the ensemble reports.
    fn record(&self, weights: &Weights) -> CandleResult<Recorded>;
    /// The same results by candle's operations. `x`: (image, row, column, 1).
    fn run_by_candle(
        &self,
        pass: &mut InferencePass,
        x: &Tensor,
        draws: &[Option<Draw>],
        sink: &mut Sink,
    ) -> CandleResult<()>;
}

/// How networks are computed on the processor; on a GPU it is always candle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Plans with the fewest operations: what everything uses.
    #[default]
    Plan,
    /// Plans of direct convolutions.
    DirectPlan,
    /// Layer by layer through candle.
    Candle,
}

/// Images, rows, columns of one call.
pub(crate) type BatchShape = (usize, usize, usize);

/// Bytes of idle buffers for other sizes than that of a call that are kept.
const OTHERS: usize = 256 << 20;

struct PlannedMember {
    plan: Plan,
    recorded: Recorded,
}

enum Members {
    Planned {
        members: Vec<PlannedMember>,
        /// Buffers of earlier calls; a call takes one of its shape or makes its own.
        idle: Mutex<Vec<(BatchShape, Workspace)>>,
    },
    Candle {
        members: Vec<InferencePass>,
        device: Device,
    },
}

/// Members that are ready to run.
pub(crate) struct Ensemble<N> {
    pub(crate) network: N,
    members: Members,
    seed: u64,
    /// Dropout draws that the bundle asks for.
    pub(crate) draws: usize,
}

impl<N: Architecture> Ensemble<N> {
    /// Prepares the members of a bundle.
    ///
    /// Errors: a bundle of another task, a device that is not there, weights that do not fit the network.
    pub(crate) fn new(bundle: &Bundle, device: &DeviceChoice, method: Method) -> Result<Self, ModelError> {
        let manifest = &bundle.manifest;
        let Some(network) = N::of(&manifest.network) else {
            return Err(ModelError::WrongTask {
                name: manifest.name.clone(),
                found: manifest.task.name(),
                wanted: N::TASK,
            });
        };
        let mut ensemble =
            Self::from_weights(network.clone(), &bundle.weights, manifest.seed, (device, method))?;
        ensemble.draws = manifest.draws;
        Ok(ensemble)
    }

    /// Prepares members that are not in a bundle yet; they ask for one draw.
    ///
    /// Errors: a device that is not there, weights that do not fit the network.
    pub(crate) fn from_weights(
        network: N,
        weights: &[Weights],
        seed: u64,
        (device, method): (&DeviceChoice, Method),
    ) -> Result<Self, ModelError> {
        let device = device.open()?;
        let compile: fn(&Graph, Isa) -> Plan = match method {
            Method::Plan => Plan::compile,
            Method::DirectPlan | Method::Candle => Plan::compile_direct,
        };
        let members = if device.is_cpu() && method != Method::Candle {
            let member = |weights: &Weights| -> CandleResult<PlannedMember> {
                let recorded = network.record(weights)?;
                Ok(PlannedMember {
                    plan: compile(&recorded.graph, Isa::detect()),
                    recorded,
                })
            };
            Members::Planned {
                members: weights.iter().map(member).collect::<CandleResult<_>>()?,
                idle: Mutex::default(),
            }
        } else {
            let passes = weights.iter().map(|weights| InferencePass::new(weights, &device));
            Members::Candle {
                members: passes.collect::<CandleResult<_>>()?,
                device,
            }
        };
        Ok(Self {
            network,
            members,
            seed,
            draws: 1,
        })
    }

    /// Number of members.
    pub(crate) fn len(&self) -> usize {
        match &self.members {
            Members::Planned { members, .. } => members.len(),
            Members::Candle { members, .. } => members.len(),
        }
    }

    /// The masks of the first `n` draws of a member.
    pub(crate) fn draws_of(&self, member: usize, n: usize) -> Vec<Option<Draw>> {
        let draw = |draw| Draw {
            seed: self.seed,
            member: member as u32,
            draw,
        };
        (0..n as u32).map(|index| Some(draw(index))).collect()
    }

    /// Runs one member on a batch of one-channel images (image, row, column); no draw among `draws`: dropout off.
    ///
    /// Errors: a network that cannot run.
    pub(crate) fn run(
        &self,
        member: usize,
        shape: BatchShape,
        images: &[f32],
        draws: &[Option<Draw>],
        sink: &mut Sink,
    ) -> Result<(), ModelError> {
        let (batch, rows, columns) = shape;
        match &self.members {
            Members::Planned { members, idle } => {
                let PlannedMember { plan, recorded } = &members[member];
                let factors: Vec<_> = draws.iter().map(|&draw| recorded.factors(draw)).collect();
                let lock = || idle.lock().unwrap_or_else(PoisonError::into_inner);
                let found = {
                    let mut idle = lock();
                    // Buffers for other sizes stay only while they are small (a call's last, shorter batch), and
                    // large ones go before others are made.
                    let mut others = 0;
                    idle.retain(|(of, workspace)| {
                        others += if *of == shape { 0 } else { workspace.bytes() };
                        others <= OTHERS
                    });
                    let place = idle.iter().position(|(of, _)| *of == shape);
                    place.map(|place| idle.swap_remove(place).1)
                };
                let mut workspace = found.unwrap_or_else(|| plan.workspace(batch, rows, columns));
                plan.run(&mut workspace, images, &factors, sink);
                lock().push((shape, workspace));
            }
            Members::Candle { members, device } => {
                let x = Tensor::from_slice(images, (batch, rows, columns, 1), device)?;
                let mut pass = members[member].clone();
                self.network.run_by_candle(&mut pass, &x, draws, sink)?;
            }
        }
        Ok(())
    }

    /// Bytes of the buffers of one call, where they are known: on the processor.
    pub(crate) fn working_set(&self, (batch, rows, columns): BatchShape) -> Option<usize> {
        match &self.members {
            Members::Planned { members, .. } => {
                let first = members.first()?;
                Some(first.plan.working_set(batch, rows, columns))
            }
            Members::Candle { .. } => None,
        }
    }

    /// The graph that all members share but for their weights, where there are plans.
    pub(crate) fn graph(&self) -> Option<&Graph> {
        match &self.members {
            Members::Planned { members, .. } => Some(&members.first()?.recorded.graph),
            Members::Candle { .. } => None,
        }
    }
}
