//! Plans: a network compiled for one instruction set, the fastest way to run it on a CPU.
//!
//! Maps stay in blocks of sixteen channels from the first to the last layer. Convolutions of 3 × 3 with stride 1 are
//! Winograd F(4 × 4, 3 × 3) (a quarter of the multiplications), others are direct; what follows a convolution is
//! computed while its values are in registers.

mod cost;
mod direct;
mod draws;
mod execute;
mod first_layer;
mod fusion;
mod head;
mod multiply;
mod packing;
mod pointwise;
mod run;
mod step;
mod vector;
mod winograd;
mod winograd_input;
mod winograd_output;
mod workspace;

use std::sync::Mutex;

use crate::graph::Graph;
use crate::simd::Isa;
use fusion::fuse;
use packing::{Cut, DirectWeights, WinogradWeights};
use step::{Epilogue, Lanes, Step, Steps};
use workspace::{Buffer, Layout};

/// How 3 × 3 convolutions are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// Winograd where it is possible.
    Fastest,
    /// Never Winograd: the second opinion.
    Direct,
}

/// Weights of a step, in the order in which it reads them.
enum Packed {
    Nothing,
    First {
        weights: Buffer,
        bias: Buffer,
    },
    Direct(DirectWeights),
    /// With the view's block for each block of inputs as read, and the head's weights.
    Winograd(WinogradWeights, Vec<usize>, Option<DirectWeights>),
}

/// A graph compiled for one instruction set: layers fused, weights packed. Knows no image size.
pub struct Plan {
    graph: Graph,
    isa: Isa,
    steps: Steps,
    packed: Vec<Packed>,
    /// The step whose products all draws share, and its weights for that: the sum's maps apart.
    shared_draws: Option<(usize, WinogradWeights)>,
}

/// Memory of a run, planned once and reused; fits every plan compiled from a graph of the same structure.
pub struct Workspace {
    layout: Layout,
    values: Buffer,
    scratch: Mutex<Vec<Buffer>>,
    /// Results of draws that are computed together; made when first needed.
    drawn: Buffer,
}

/// Operations that a run really performs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RealOperations {
    /// Multiply-adds of weights and values.
    pub products: u64,
    /// Additions and multiplications of Winograd transforms.
    pub transforms: u64,
}

impl Plan {
    /// Compiles a graph. Panics if the machine lacks `isa` or the graph has no input.
    pub fn compile(graph: &Graph, isa: Isa) -> Self {
        Self::new(graph, isa, Method::Fastest)
    }

    /// Compiles a graph without Winograd: what the fast plan is compared with.
    pub fn compile_direct(graph: &Graph, isa: Isa) -> Self {
        Self::new(graph, isa, Method::Direct)
    }

    fn new(graph: &Graph, isa: Isa, method: Method) -> Self {
        assert!(isa.available(), "this machine lacks {isa:?}");
        let steps = fuse(graph, method);
        let packed = steps.steps.iter().map(|step| pack(step, isa)).collect();
        let shared_draws =
            draws::shared_step(&steps).map(|index| (index, pack_apart(&steps.steps[index], isa)));
        // The weights now stand in `packed`; the graph is kept for its shapes alone.
        Self {
            graph: graph.clone(),
            isa,
            steps,
            packed,
            shared_draws,
        }
    }

    /// The instruction set that it was compiled for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Buffers for batches of this many images of `rows` × `columns`.
    pub fn workspace(&self, batch: usize, rows: usize, columns: usize) -> Workspace {
        let layout = self.layout(batch, rows, columns);
        let values = Buffer::zeroed(layout.total);
        let workers = rayon::current_num_threads();
        let scratch = (0..workers).map(|_| Buffer::zeroed(layout.scratch)).collect();
        Workspace {
            layout,
            values,
            scratch: Mutex::new(scratch),
            drawn: Buffer::zeroed(0),
        }
    }

    /// Bytes of the workspace, known without allocating it. Draws that share products add their results: up to sixteen
    /// times those of one draw.
    pub fn working_set(&self, batch: usize, rows: usize, columns: usize) -> usize {
        self.layout(batch, rows, columns).bytes()
    }

    /// Operations really performed for a batch and one draw.
    pub fn real_operations(&self, batch: usize, rows: usize, columns: usize) -> RealOperations {
        let layout = self.layout(batch, rows, columns);
        let mut total = RealOperations::default();
        for (step, packed) in self.steps.steps.iter().zip(&self.packed) {
            let step_total = cost::operations(step, packed, &layout);
            total.products += step_total.products;
            total.transforms += step_total.transforms;
        }
        total
    }

    fn layout(&self, batch: usize, rows: usize, columns: usize) -> Layout {
        let shapes = self.graph.shapes(rows, columns);
        let mut border = None;
        let mut scratch = 0;
        for (step, packed) in self.steps.steps.iter().zip(&self.packed) {
            let needed = match (step, packed) {
                (Step::First { node, .. }, _) => {
                    border = border.max(Some(node.kernel / 2));
                    0
                }
                (Step::Convolve { node, view, .. }, Packed::Direct(_)) => {
                    let inputs = view.iter().map(|source| source.lanes.blocks()).sum();
                    direct::scratch(node.kernel, inputs, node.channels_out.div_ceil(vector::BLOCK))
                }
                (_, Packed::Winograd(weights, _, head)) => {
                    let inputs = weights.groups.iter().map(|group| group.blocks).sum();
                    let head = head.as_ref().map_or(0, |_| head::scratch(inputs));
                    winograd::scratch(weights, weights.cut.tiles) + head
                }
                _ => 0,
            };
            scratch = scratch.max(needed);
        }
        if let Some((_, weights)) = &self.shared_draws {
            let blocks = weights.groups.iter().map(|group| group.blocks).sum();
            scratch = scratch.max(winograd::scratch(weights, weights.cut.tiles) + head::scratch(blocks));
        }
        Layout::new(&self.steps, &shapes, batch, border, scratch)
    }
}

fn pack(step: &Step, isa: Isa) -> Packed {
    match step {
        Step::First { node, .. } => Packed::First {
            weights: packing::first_layer(node),
            bias: packing::bias(node),
        },
        Step::Convolve {
            node,
            view,
            winograd,
            head,
            ..
        } => {
            let lanes = Lanes(view.iter().flat_map(|source| source.lanes.0.clone()).collect());
            if !winograd {
                return Packed::Direct(DirectWeights::new(node, &lanes, isa));
            }
            let (mut plain, mut upsampled, mut block) = (Vec::new(), Vec::new(), 0);
            for source in view {
                let all_upsampled = source.terms.iter().all(|term| term.upsampled);
                let list = if all_upsampled { &mut upsampled } else { &mut plain };
                list.extend(block..block + source.lanes.blocks());
                block += source.lanes.blocks();
            }
            let count = plain.len();
            let order = [plain, upsampled].concat();
            let mut cut = winograd_cut(isa, order.len(), node.channels_out.div_ceil(vector::BLOCK));
            let head = head.as_ref().map(|head| {
                cut.output_groups = usize::MAX;
                DirectWeights::new(&head.node, &Lanes(vec![head.node.channels_in]), isa)
            });
            let weights = WinogradWeights::new(node, &lanes, &order, count, isa, cut);
            Packed::Winograd(weights, order, head)
        }
        _ => Packed::Nothing,
    }
}

/// Weights of a convolution of a sum, as if it read the map and then the upsampled map.
fn pack_apart(step: &Step, isa: Isa) -> WinogradWeights {
    let Step::Convolve { node, view, .. } = step else {
        unreachable!("only convolutions share products between draws");
    };
    let lanes = &view[0].lanes;
    let order: Vec<usize> = (0..lanes.blocks()).chain(0..lanes.blocks()).collect();
    let cut = Cut {
        output_groups: usize::MAX,
        ..winograd_cut(isa, order.len(), node.channels_out.div_ceil(vector::BLOCK))
    };
    WinogradWeights::new(node, lanes, &order, lanes.blocks(), isa, cut)
}

/// Sizes of a Winograd task, such that transforms and products stay in the second-level cache (1 MiB or more): few inputs
/// are transformed at once and multiplied group by group; many are taken in chunks, so that weights, which lie farther
/// away then, are read less often.
fn winograd_cut(isa: Isa, inputs: usize, outputs: usize) -> Cut {
    let _ = outputs;
    // Multiples of the kernels' rows.
    let (few, many) = if isa == Isa::Avx512 { (28, 56) } else { (30, 54) };
    if inputs <= 12 {
        Cut {
            tiles: few,
            input_blocks: inputs,
            output_groups: if isa == Isa::Avx512 { 1 } else { 2 },
        }
    } else {
        Cut {
            tiles: many,
            input_blocks: 8,
            output_groups: usize::MAX,
        }
    }
}

impl Epilogue {
    fn stored(&self) -> usize {
        self.full
            .or(self.pooled)
            .expect("a convolution is stored somewhere")
    }
}
