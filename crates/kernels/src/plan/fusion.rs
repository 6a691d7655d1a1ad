//! From layers to steps: which layers are computed together.
//!
//! Concatenations, sums of a map with an upsampled one, and whole-channel masks are never stored where a Winograd
//! convolution reads them: they become the convolution's list of sources. Bias, residual sum, activation and 2 × 2
//! maximum become its epilogue. What does not fit such a pattern is computed by a step of its own.

use super::Method;
use super::step::{
    Epilogue, HeadStep, Lanes, Map, MapId, Output, Pointwise, Source, Step, Steps, Term, View,
};
use super::vector::BLOCK;
use crate::convolution::Activation;
use crate::graph::{ConvolutionNode, Graph, NodeId, Operation};

/// Most channels of an image that the first-layer kernel takes.
const FIRST_CHANNELS: usize = 4;

/// Most channels that a fused head reads: all must be there at once.
const HEAD_INPUTS: usize = 32;

struct Builder<'a> {
    graph: &'a Graph,
    method: Method,
    readers: Vec<Vec<NodeId>>,
    values: Vec<Option<View>>,
    steps: Vec<Step>,
    maps: Vec<Map>,
    packed_image: Option<MapId>,
}

/// Fuses the layers of a graph.
pub(crate) fn fuse(graph: &Graph, method: Method) -> Steps {
    let count = graph.operations().count();
    let mut readers = vec![Vec::new(); count];
    for (id, operation) in graph.operations() {
        for input in inputs(operation) {
            readers[input.0].push(id);
        }
    }
    for &output in graph.outputs() {
        readers[output.0].push(output); // a reader that no pattern matches
    }
    let mut builder = Builder {
        graph,
        method,
        readers,
        values: vec![None; count],
        steps: Vec::new(),
        maps: Vec::new(),
        packed_image: None,
    };
    let mut image_channels = 0;
    let mut tails: Vec<(NodeId, bool, bool)> = Vec::new();
    let mut in_tail = vec![false; count];
    for &output in graph.outputs() {
        let (mut at, mut sigmoid, mut shuffle) = (output, false, false);
        while builder.readers[at.0].len() == 1 {
            match graph.operation(at) {
                Operation::Sigmoid(x) if !sigmoid => (sigmoid, in_tail[at.0], at) = (true, true, *x),
                Operation::PixelShuffle2(x) if !shuffle => (shuffle, in_tail[at.0], at) = (true, true, *x),
                _ => break,
            }
        }
        tails.push((at, sigmoid, shuffle));
    }
    for (id, operation) in graph.operations() {
        if let Operation::Input { channels } = operation {
            image_channels = *channels;
        }
        if !in_tail[id.0] && builder.values[id.0].is_none() {
            builder.layer(id, operation);
        }
    }
    let mut outputs = Vec::new();
    for (output, (from, sigmoid, shuffle)) in tails.into_iter().enumerate() {
        let from = builder.stored(from);
        builder.steps.push(Step::Emit {
            from,
            output,
            sigmoid,
            shuffle,
        });
        outputs.push(Output {
            node: graph.outputs()[output],
            drawn: builder.maps[from].drawn,
        });
    }
    let Builder { mut steps, maps, .. } = builder;
    fuse_heads(&mut steps);
    let drawn = |step: &Step| match step {
        Step::Emit { from, .. } => maps[*from].drawn,
        Step::Convolve { head: Some(head), .. } => outputs[head.output].drawn,
        _ => step.writes().iter().any(|&map| maps[map].drawn),
    };
    let (after, mut before): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(drawn);
    let shared = before.len();
    before.extend(after);
    Steps {
        steps: before,
        shared,
        maps,
        outputs,
        image_channels,
    }
}

/// Joins a convolution, the 1 × 1 convolution that alone reads it, and the result that alone reads that.
fn fuse_heads(steps: &mut Vec<Step>) {
    let readers = |steps: &[Step], map: MapId| -> Vec<usize> {
        (0..steps.len())
            .filter(|&index| steps[index].reads().contains(&map))
            .collect()
    };
    let mut at = 0;
    while at < steps.len() {
        let found = head_of(steps, at, &readers);
        if let Some((head_at, emit_at, fused)) = found {
            if let Step::Convolve { to, head, .. } = &mut steps[at] {
                *to = Epilogue {
                    full: None,
                    ..to.clone()
                };
                *head = Some(fused);
            }
            steps.remove(emit_at.max(head_at));
            steps.remove(emit_at.min(head_at));
        }
        at += 1;
    }
}

/// Places of the head and the result behind a step, and what they become.
fn head_of(
    steps: &[Step],
    at: usize,
    readers: &impl Fn(&[Step], MapId) -> Vec<usize>,
) -> Option<(usize, usize, HeadStep)> {
    let Step::Convolve {
        node,
        winograd: true,
        to,
        ..
    } = &steps[at]
    else {
        return None;
    };
    if to.residual.is_some() || to.pooled.is_some() || node.channels_out > HEAD_INPUTS {
        return None;
    }
    let [head_at] = readers(steps, to.full?)[..] else {
        return None;
    };
    let Step::Convolve {
        node: head,
        winograd: false,
        to: head_to,
        ..
    } = &steps[head_at]
    else {
        return None;
    };
    if head.kernel != 1 || head.stride != 1 || head.channels_out > BLOCK || head_to.residual.is_some() {
        return None;
    }
    let [emit_at] = readers(steps, head_to.full?)[..] else {
        return None;
    };
    let Step::Emit {
        output,
        sigmoid,
        shuffle,
        ..
    } = &steps[emit_at]
    else {
        return None;
    };
    let fused = HeadStep {
        node: ConvolutionNode {
            activation: if head_to.relu {
                Activation::Relu
            } else {
                Activation::Identity
            },
            ..head.clone()
        },
        output: *output,
        sigmoid: *sigmoid,
        shuffle: *shuffle,
    };
    Some((head_at, emit_at, fused))
}

fn inputs(operation: &Operation) -> Vec<NodeId> {
    match operation {
        Operation::Input { .. } => Vec::new(),
        Operation::Concatenate(a, b) | Operation::Add(a, b) => vec![*a, *b],
        Operation::Convolution(x, _)
        | Operation::Upsample2(x)
        | Operation::MaxPool2(x)
        | Operation::Relu(x)
        | Operation::Sigmoid(x)
        | Operation::GlobalMean(x)
        | Operation::ChannelMask(x, _)
        | Operation::PixelShuffle2(x) => vec![*x],
    }
}

impl Builder<'_> {
    fn layer(&mut self, id: NodeId, operation: &Operation) {
        match operation {
            Operation::Input { .. } => {}
            Operation::Convolution(x, node) => self.convolution(id, *x, node),
            Operation::Upsample2(x) => {
                let mut view = self.view(*x);
                for source in &mut view {
                    if source.terms.iter().any(|term| term.upsampled) {
                        *source = self.store(id, vec![source.clone()], Some(*x));
                    }
                    source.terms.iter_mut().for_each(|term| term.upsampled = true);
                }
                self.values[id.0] = Some(view);
            }
            Operation::Concatenate(a, b) => {
                let mut view = self.view(*a);
                view.extend(self.view(*b));
                self.values[id.0] = Some(view);
            }
            Operation::Add(a, b) => {
                let (mut a_view, mut b_view) = (self.view(*a), self.view(*b));
                if a_view.len() != b_view.len() || a_view.iter().zip(&b_view).any(|(a, b)| a.lanes != b.lanes)
                {
                    a_view = vec![self.relaid(*a, a_view)];
                    b_view = vec![self.relaid(*b, b_view)];
                }
                for (a, b) in a_view.iter_mut().zip(b_view) {
                    a.terms.extend(b.terms);
                    if !a.fits_winograd() {
                        *a = self.store(id, vec![a.clone()], None);
                    }
                }
                self.values[id.0] = Some(a_view);
            }
            Operation::ChannelMask(x, slot) => {
                let mut view = self.view(*x);
                if view.len() > 1 || view[0].terms.iter().any(|term| term.mask.is_some()) {
                    view = vec![self.relaid(*x, view)];
                }
                view[0].terms.iter_mut().for_each(|term| term.mask = Some(*slot));
                self.values[id.0] = Some(view);
            }
            Operation::Relu(x) => self.pointwise(id, *x, Pointwise::Relu),
            Operation::Sigmoid(x) => self.pointwise(id, *x, Pointwise::Sigmoid),
            Operation::MaxPool2(x) => {
                let from = self.stored(*x);
                let to = self.map_like(id, from);
                self.steps.push(Step::Pool { from, to });
            }
            Operation::GlobalMean(x) => {
                let from = self.stored(*x);
                let to = self.map_like(id, from);
                self.steps.push(Step::Mean { from, to });
            }
            Operation::PixelShuffle2(x) => {
                let from = self.stored(*x);
                let to = self.map(id, Lanes(vec![self.graph.channels(id)]), self.maps[from].drawn);
                self.steps.push(Step::Shuffle { from, to });
                self.values[id.0] = Some(self.whole(to));
            }
        }
    }

    fn pointwise(&mut self, id: NodeId, x: NodeId, function: Pointwise) {
        let view = self.view(x);
        let to = self.map_of(id, &view);
        self.steps.push(Step::Store { view, function, to });
        self.values[id.0] = Some(self.whole(to));
    }

    fn map(&mut self, node: NodeId, lanes: Lanes, drawn: bool) -> MapId {
        self.maps.push(Map { node, lanes, drawn });
        self.maps.len() - 1
    }

    fn map_like(&mut self, node: NodeId, from: MapId) -> MapId {
        let to = self.map(node, self.maps[from].lanes.clone(), self.maps[from].drawn);
        self.values[node.0] = Some(self.whole(to));
        to
    }

    fn map_of(&mut self, node: NodeId, view: &View) -> MapId {
        let lanes = view.iter().flat_map(|source| source.lanes.0.clone()).collect();
        self.map(node, Lanes(lanes), self.drawn(view))
    }

    fn drawn(&self, view: &View) -> bool {
        let mut terms = view.iter().flat_map(|source| &source.terms);
        terms.any(|term| term.mask.is_some() || self.maps[term.map].drawn)
    }

    fn whole(&self, map: MapId) -> View {
        vec![Source {
            terms: vec![Term {
                map,
                upsampled: false,
                mask: None,
            }],
            lanes: self.maps[map].lanes.clone(),
        }]
    }

    /// Stores sources as one map with the shape of `like` (or of `node`) and returns it.
    fn store(&mut self, node: NodeId, view: View, like: Option<NodeId>) -> Source {
        let to = self.map_of(like.unwrap_or(node), &view);
        self.steps.push(Step::Store {
            view,
            function: Pointwise::Copy,
            to,
        });
        self.whole(to).remove(0)
    }

    /// The view as one source whose channels lie without gaps.
    fn relaid(&mut self, node: NodeId, view: View) -> Source {
        let lanes = Lanes(vec![self.graph.channels(node)]);
        if view.len() == 1 && view[0].lanes == lanes && view[0].terms.iter().all(|t| t.mask.is_none()) {
            return view[0].clone();
        }
        let to = self.map(node, lanes, self.drawn(&view));
        self.steps.push(Step::Store {
            view,
            function: Pointwise::Copy,
            to,
        });
        self.whole(to).remove(0)
    }

    /// A layer's values as sources.
    fn view(&mut self, node: NodeId) -> View {
        if let Some(view) = &self.values[node.0] {
            return view.clone();
        }
        assert!(
            matches!(self.graph.operation(node), Operation::Input { .. }),
            "a layer is computed before it is read"
        );
        let to = match self.packed_image {
            Some(map) => map,
            None => {
                let map = self.map(node, Lanes(vec![self.graph.channels(node)]), false);
                self.steps.push(Step::Pack { to: map });
                self.packed_image = Some(map);
                map
            }
        };
        self.whole(to)
    }

    /// A layer's values as one stored map.
    fn stored(&mut self, node: NodeId) -> MapId {
        let view = self.view(node);
        if let [source] = &view[..]
            && let Some(map) = source.plain()
        {
            return map;
        }
        let source = self.store(node, view, None);
        self.values[node.0] = Some(vec![source.clone()]);
        source.terms[0].map
    }

    fn convolution(&mut self, id: NodeId, x: NodeId, node: &ConvolutionNode) {
        let is_image = matches!(self.graph.operation(x), Operation::Input { .. });
        let first = is_image && node.channels_in <= FIRST_CHANNELS && node.stride <= 2;
        let winograd = self.method == Method::Fastest && node.kernel == 3 && node.stride == 1 && !first;
        let mut view = if first { Vec::new() } else { self.view(x) };
        if !winograd {
            for source in &mut view {
                if source.plain().is_none() {
                    *source = self.store(x, vec![source.clone()], None);
                }
            }
        }
        let mut drawn = self.drawn(&view);
        // What follows the sums, as far as nobody else reads what lies between.
        let mut epilogue = Epilogue {
            relu: node.activation == Activation::Relu,
            ..Epilogue::default()
        };
        let lanes = Lanes(vec![node.channels_out]);
        let mut last = id;
        while let [reader] = self.readers[last.0][..]
            && !epilogue.relu
        {
            match self.graph.operation(reader) {
                Operation::Add(a, b) if a != b && reader != last && epilogue.residual.is_none() => {
                    let other = if *a == last { *b } else { *a };
                    let Some([source]) = self.values[other.0].as_deref() else {
                        break;
                    };
                    let Some(map) = source.plain() else { break };
                    if source.lanes != lanes {
                        break;
                    }
                    epilogue.residual = Some(map);
                    drawn |= self.maps[map].drawn;
                }
                Operation::Relu(_) if reader != last => epilogue.relu = true,
                _ => break,
            }
            last = reader;
        }
        let pool = self.readers[last.0]
            .iter()
            .copied()
            .find(|&reader| matches!(self.graph.operation(reader), Operation::MaxPool2(_)) && reader != last);
        if let Some(pool) = pool
            && winograd
        {
            let to = self.map(pool, lanes.clone(), drawn);
            epilogue.pooled = Some(to);
            self.values[pool.0] = Some(self.whole(to));
        }
        if epilogue.pooled.is_none() || self.readers[last.0].len() > 1 {
            let to = self.map(last, lanes, drawn);
            epilogue.full = Some(to);
            let whole = self.whole(to);
            self.values[last.0] = Some(whole);
        }
        // Layers between are read by nobody else: any value marks them as done.
        let done = epilogue.full.or(epilogue.pooled).map(|map| self.whole(map));
        let mut at = id;
        while at != last {
            self.values[at.0] = done.clone();
            at = self.readers[at.0][0];
        }
        if self.values[last.0].is_none() {
            self.values[last.0] = done;
        }
        self.steps.push(if first {
            Step::First {
                node: node.clone(),
                to: epilogue,
            }
        } else {
            Step::Convolve {
                node: node.clone(),
                view,
                winograd,
                to: epilogue,
                head: None,
            }
        });
    }
}
