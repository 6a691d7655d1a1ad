//! The graph of a stretch of a movie: objects, links between them, and each object's weights of origin × destiny.
//!
//! Every object is false, or has one origin (begins here, or one of its incoming edges) and one destiny (ends here,
//! one outgoing link, or one pair of daughter edges). An edge joins two objects: it is used by both or by neither. Origin and destiny
//! are weighed together, as a step depends on the step before.

use std::ops::Range;

use crate::candidates::{Candidates, log_place};
use crate::divisions::DivisionLaw;
use crate::model::Model;
use crate::motion::{NEWBORN, UNKNOWN};
use crate::scene::Scene;

/// An edge from an object to a later one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edge {
    /// Earlier object, numbered within the stretch.
    pub from: u32,
    /// Later object, numbered within the stretch.
    pub to: u32,
    /// Frames between.
    pub gap: u8,
    /// Whether the later object is a daughter of the earlier one, not the same cell.
    pub daughter: bool,
}

/// A pair of daughters: two edges of one mother.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DaughterPair {
    pub edges: [u32; 2],
}

/// The graph. Object `i` of it is object `base + i` of the scene.
pub(crate) struct Graph {
    pub base: usize,
    pub frames: Range<usize>,
    /// Sorted by earlier object; an object's links stand before its daughter edges.
    pub edges: Vec<Edge>,
    /// Edges that leave object `i`: `out_start[i]..out_start[i + 1]`.
    pub out_start: Vec<u32>,
    /// Number of links (not daughter edges) among them.
    pub out_links: Vec<u32>,
    /// Edges that reach object `i`: `incoming[in_start[i]..in_start[i + 1]]`.
    pub in_start: Vec<u32>,
    pub incoming: Vec<u32>,
    /// Pairs of object `i`: `pair_start[i]..pair_start[i + 1]`.
    pub pair_start: Vec<u32>,
    pub pairs: Vec<DaughterPair>,
    /// Weights, rows: begins here, then incoming edges; columns: ends here, then links, then pairs.
    pub weights: Vec<f32>,
    pub weight_start: Vec<usize>,
    /// Weight of an object's being false.
    pub false_weight: Vec<f64>,
    /// Objects of which at most one is real.
    pub conflicts: Vec<(u32, u32)>,
}

/// Weights are stored in single precision: larger logarithms are cut.
const LOG_LIMIT: f64 = 80.0;

impl Graph {
    /// Number of objects.
    pub fn len(&self) -> usize {
        self.false_weight.len()
    }

    /// Edges that reach an object.
    pub fn incoming(&self, i: usize) -> &[u32] {
        &self.incoming[self.in_start[i] as usize..self.in_start[i + 1] as usize]
    }

    /// Numbers of the links that leave an object.
    pub fn links(&self, i: usize) -> Range<usize> {
        let from = self.out_start[i] as usize;
        from..from + self.out_links[i] as usize
    }

    /// Numbers of all edges that leave an object.
    pub fn outgoing(&self, i: usize) -> Range<usize> {
        self.out_start[i] as usize..self.out_start[i + 1] as usize
    }

    /// Numbers of the pairs of a mother.
    pub fn pairs(&self, i: usize) -> Range<usize> {
        self.pair_start[i] as usize..self.pair_start[i + 1] as usize
    }

    /// The weights of an object and the number of their columns.
    pub fn table(&self, i: usize) -> (&[f32], usize) {
        let columns = 1 + self.out_links[i] as usize + self.pairs(i).len();
        (
            &self.weights[self.weight_start[i]..self.weight_start[i + 1]],
            columns,
        )
    }

    /// Builds the graph of a stretch from its candidates. `existence` and `conflicts` are indexed as in the scene.
    pub fn build(
        scene: &Scene,
        model: &Model,
        frames: Range<usize>,
        found: &Candidates,
        existence: &[f64],
        conflicts: &[(u32, u32)],
    ) -> Self {
        let base = scene.start[frames.start];
        let end = scene.start[frames.end];
        let n = end - base;
        let mut graph = Self {
            base,
            frames,
            edges: Vec::with_capacity(found.links.len() + 2 * found.pairs.len()),
            out_start: vec![0],
            out_links: Vec::with_capacity(n),
            in_start: vec![],
            incoming: vec![],
            pair_start: vec![0],
            pairs: Vec::with_capacity(found.pairs.len()),
            weights: vec![],
            weight_start: vec![0],
            false_weight: Vec::with_capacity(n),
            conflicts: vec![],
        };
        graph.add_edges(n, found);
        graph.add_incoming(n);
        let within = |o: u32| (base..end).contains(&(o as usize));
        graph.conflicts = conflicts
            .iter()
            .filter(|c| within(c.0))
            .map(|c| (c.0 - base as u32, c.1 - base as u32))
            .collect();
        let mut competing = vec![false; n];
        for &(a, b) in &graph.conflicts {
            competing[a as usize] = true;
            competing[b as usize] = true;
        }
        for (i, &rivals) in competing.iter().enumerate() {
            let known = existence.get(base + i).copied().filter(|e| !e.is_nan());
            graph.false_weight.push(match known {
                Some(e) => ((1.0 - e) / e.max(1e-6)).max(1e-6),
                None if rivals => 1.0,
                None => model.false_objects.weight(scene.nearest[base + i]),
            });
        }
        graph.fill_weights(scene, model, found);
        graph
    }

    fn add_edges(&mut self, n: usize, found: &Candidates) {
        let (mut link, mut pair) = (0, 0);
        for i in 0..n {
            let id = (self.base + i) as u32;
            let first = self.edges.len();
            while link < found.links.len() && found.links[link].from == id {
                let c = &found.links[link];
                self.edges.push(Edge {
                    from: i as u32,
                    to: c.to - self.base as u32,
                    gap: c.gap,
                    daughter: false,
                });
                link += 1;
            }
            self.out_links.push((self.edges.len() - first) as u32);
            let daughters = self.edges.len();
            while pair < found.pairs.len() && found.pairs[pair].mother == id {
                let p = &found.pairs[pair];
                let edges = [0, 1].map(|k| {
                    let to = p.daughters[k] - self.base as u32;
                    let known = (daughters..self.edges.len()).find(|&e| self.edges[e].to == to);
                    known.unwrap_or_else(|| {
                        self.edges.push(Edge {
                            from: i as u32,
                            to,
                            gap: p.gaps[k],
                            daughter: true,
                        });
                        self.edges.len() - 1
                    }) as u32
                });
                self.pairs.push(DaughterPair { edges });
                pair += 1;
            }
            self.out_start.push(self.edges.len() as u32);
            self.pair_start.push(self.pairs.len() as u32);
        }
    }

    fn add_incoming(&mut self, n: usize) {
        self.in_start = vec![0; n + 1];
        for e in &self.edges {
            self.in_start[e.to as usize + 1] += 1;
        }
        for i in 0..n {
            self.in_start[i + 1] += self.in_start[i];
        }
        let mut next = self.in_start.clone();
        self.incoming = vec![0; self.edges.len()];
        for (number, e) in self.edges.iter().enumerate() {
            let slot = &mut next[e.to as usize];
            self.incoming[*slot as usize] = number as u32;
            *slot += 1;
        }
    }

    fn fill_weights(&mut self, scene: &Scene, model: &Model, found: &Candidates) {
        let last = self.frames.end - 1;
        let (mut link0, mut pair0) = (0, 0);
        let area = scene.area_per_object.ln();
        for frame in self.frames.clone() {
            for object in scene.objects(frame) {
                let i = object - self.base;
                let links = &found.links[link0..link0 + self.out_links[i] as usize];
                let pairs = &found.pairs[pair0..pair0 + self.pairs(i).len()];
                link0 += links.len();
                pair0 += pairs.len();
                let ends = [false, true].map(|newborn| model.end_weight(scene, object, frame, last, newborn));
                let stay = model.log_stay(scene, object);
                for row in 0..=self.incoming(i).len() {
                    let (class, velocity, scale) = if row == 0 {
                        (
                            UNKNOWN,
                            [0.0; 2],
                            model.origin_weight(scene, object, frame, self.frames.start),
                        )
                    } else {
                        let e = &self.edges[self.incoming(i)[row - 1] as usize];
                        if e.daughter {
                            (NEWBORN, [0.0; 2], 1.0)
                        } else {
                            let s = scene.step(self.base + e.from as usize, object);
                            let v = [s[0] / e.gap as f64, s[1] / e.gap as f64];
                            (model.motion.class(v), v, 1.0)
                        }
                    };
                    self.weights
                        .push((scale * ends[usize::from(class == NEWBORN)]) as f32);
                    for c in links {
                        let step = scene.step(object, c.to as usize);
                        let gap = c.gap as usize;
                        let log = model.motion.log_density(class, velocity, gap, step)
                            + area
                            + model.log_seen_after(scene, object, c.to as usize, gap)
                            + stay
                            + c.looks;
                        self.weights
                            .push((scale * log.clamp(-LOG_LIMIT, LOG_LIMIT).exp()) as f32);
                    }
                    for p in pairs {
                        let ahead = {
                            let k = model.motion.persistence[class][0];
                            [k * velocity[0], k * velocity[1]]
                        };
                        let place = log_place(scene, model, object, p.daughters, p.gaps, ahead);
                        let mut log = p.log_weight + place.unwrap_or(-LOG_LIMIT);
                        if class == NEWBORN {
                            log += DivisionLaw::log_newborn_mother();
                        }
                        self.weights
                            .push((scale * log.clamp(-LOG_LIMIT, LOG_LIMIT).exp()) as f32);
                    }
                }
                self.weight_start.push(self.weights.len());
            }
        }
    }
}
