//! From the choice to tracks: chains of links, their filled gaps, their mothers, and the doubt about each.

use crate::calibration::{
    DivisionContext, division_probability, faults, link_probability, other_division_probability,
};
use crate::decode::{Choice, Destiny};
use crate::fitted::FittedModel;
use crate::gaps::{between, late_daughter};
use crate::graph::Graph;
use crate::marginals::Marginals;
use crate::model::Model;
use crate::scene::Scene;
use crate::swaps::with_exchanges;
use crate::{Alternative, Detections, Division, Link, ObjectId, RunnerUp, Track, TrackedObject, Tracks};

/// Probability from which a division that was not chosen is listed.
const LISTED: f64 = 0.01;

struct Assembly<'a> {
    detections: &'a Detections,
    scene: &'a Scene,
    graph: &'a Graph,
    m: &'a Marginals,
    choice: &'a Choice,
    /// Probabilities of edges, exchanges counted.
    edge: Vec<f64>,
    frame: Vec<u32>,
    track_of: Vec<u32>,
}

/// Builds the result.
pub(crate) fn assemble(
    detections: &Detections,
    scene: &Scene,
    model: &Model,
    graph: &Graph,
    m: &Marginals,
    choice: &Choice,
    fitted: FittedModel,
) -> Tracks {
    let mut frame = Vec::with_capacity(graph.len());
    for t in 0..scene.frames() {
        frame.extend(std::iter::repeat_n(t as u32, scene.objects(t).len()));
    }
    let mut a = Assembly {
        detections,
        scene,
        graph,
        m,
        choice,
        edge: with_exchanges(graph, m, choice),
        frame,
        track_of: vec![0; graph.len()],
    };
    let mut tracks = Tracks {
        objects: vec![],
        tracks: vec![],
        links: vec![],
        divisions: vec![],
        other_divisions: vec![],
        reality: (0..scene.frames())
            .map(|t| m.real[scene.objects(t)].to_vec())
            .collect(),
        drift: scene.drift.iter().map(|d| (d[0], d[1])).collect(),
        model: fitted,
    };
    for i in 0..graph.len() {
        let goes_on = choice.origin[i].is_some_and(|e| !graph.edges[e as usize].daughter);
        if choice.kept[i] && !goes_on {
            a.add_track(i, &mut tracks);
        }
    }
    a.add_divisions(faults(model), &mut tracks);
    tracks
}

impl Assembly<'_> {
    fn id(&self, i: usize) -> ObjectId {
        let frame = self.frame[i];
        ObjectId {
            frame,
            index: (i - self.scene.start[frame as usize]) as u32,
        }
    }

    fn raw(&self, i: usize) -> [f64; 2] {
        let id = self.id(i);
        let f = &self.detections.frames[id.frame as usize];
        [f.x[id.index as usize], f.y[id.index as usize]]
    }

    /// A drift-free position as it was seen in a frame.
    fn seen_in(&self, p: [f64; 2], frame: u32) -> [f64; 2] {
        let shift = self.scene.drift[..=frame as usize]
            .iter()
            .fold([0.0; 2], |s, d| [s[0] + d[0], s[1] + d[1]]);
        [p[0] + shift[0], p[1] + shift[1]]
    }

    fn object(&self, track: u32, i: usize) -> TrackedObject {
        let id = self.id(i);
        let [x, y] = self.raw(i);
        TrackedObject {
            track,
            frame: id.frame,
            detection: Some(id.index),
            x,
            y,
            probability: self.m.real[i],
        }
    }

    fn filled(&self, track: u32, frame: u32, place: [f64; 2], probability: f64) -> TrackedObject {
        let [x, y] = self.seen_in(place, frame);
        TrackedObject {
            track,
            frame,
            detection: None,
            x,
            y,
            probability,
        }
    }

    fn add_track(&mut self, start: usize, out: &mut Tracks) {
        let track = out.tracks.len() as u32 + 1;
        let first_link = out.links.len();
        let mut parent = None;
        let mut first = self.frame[start];
        if let Some(e) = self.choice.origin[start] {
            let mother = self.graph.edges[e as usize].from as usize;
            parent = Some(self.track_of[mother]);
            for object in self.before_first(track, start, mother) {
                first = first.min(object.frame);
                out.objects.push(object);
            }
        }
        let mut at = start;
        loop {
            self.track_of[at] = track;
            out.objects.push(self.object(track, at));
            match self.choice.destiny[at] {
                Some(Destiny::Link(e)) => {
                    let next = self.graph.edges[e as usize].to as usize;
                    let link = self.link(track, e as usize);
                    self.fill(track, at, next, link.probability, &mut out.objects);
                    out.links.push(link);
                    at = next;
                }
                Some(Destiny::Pair(p)) => {
                    out.objects.extend(self.after_last(track, at, p as usize));
                    break;
                }
                None => break,
            }
        }
        let last = out.objects.last().map_or(first, |o| o.frame);
        let links = &out.links[first_link..];
        let weakest = links
            .iter()
            .enumerate()
            .min_by(|a, b| a.1.probability.total_cmp(&b.1.probability).then(a.0.cmp(&b.0)))
            .map(|(k, _)| first_link + k);
        let probability = links.iter().map(|l| l.probability).product();
        out.tracks.push(Track {
            id: track,
            parent,
            first,
            last,
            weakest_link: weakest,
            probability,
        });
    }

    fn fill(&self, track: u32, a: usize, b: usize, probability: f64, out: &mut Vec<TrackedObject>) {
        let (from, to) = (self.frame[a], self.frame[b]);
        for t in from + 1..to {
            let part = f64::from(t - from) / f64::from(to - from);
            let place = between(self.scene.position[a], self.scene.position[b], part);
            out.push(self.filled(track, t, place, probability));
        }
    }

    /// The daughters of a pair and the frame in which the earlier is first seen.
    fn daughters(&self, pair: usize) -> ([usize; 2], u32) {
        let d = self.graph.pairs[pair]
            .edges
            .map(|e| self.graph.edges[e as usize].to as usize);
        (d, self.frame[d[0]].min(self.frame[d[1]]))
    }

    /// A mother who was missed in her last frame: both daughters are seen two frames after her.
    fn after_last(&self, track: u32, mother: usize, pair: usize) -> Vec<TrackedObject> {
        let (d, first) = self.daughters(pair);
        let middle = between(self.scene.position[d[0]], self.scene.position[d[1]], 0.5);
        let from = self.frame[mother];
        (from + 1..first)
            .map(|t| {
                let part = f64::from(t - from) / f64::from(first - from);
                let place = between(self.scene.position[mother], middle, part);
                self.filled(track, t, place, self.m.pair[pair].min(1.0))
            })
            .collect()
    }

    /// A daughter who was missed in her first frame: her sister was seen one frame earlier.
    fn before_first(&self, track: u32, start: usize, mother: usize) -> Vec<TrackedObject> {
        let Some(Destiny::Pair(pair)) = self.choice.destiny[mother] else {
            return vec![];
        };
        let (d, first) = self.daughters(pair as usize);
        let sister = if d[0] == start { d[1] } else { d[0] };
        let p = &self.scene.position;
        (first..self.frame[start])
            .map(|t| {
                let place = late_daughter(p[mother], p[sister], p[start]);
                self.filled(track, t, place, self.m.pair[pair as usize].min(1.0))
            })
            .collect()
    }

    fn link(&self, track: u32, e: usize) -> Link {
        let edge = self.graph.edges[e];
        let (from, to) = (edge.from as usize, edge.to as usize);
        Link {
            track,
            from: self.id(from),
            to: self.id(to),
            probability: link_probability(self.edge[e], edge.gap > 1),
            runner_up: self.runner_up(e, from, to),
        }
    }

    fn runner_up(&self, own: usize, from: usize, to: usize) -> RunnerUp {
        let (g, m) = (self.graph, self.m);
        let mut best = RunnerUp {
            kind: Alternative::Ends,
            probability: m.ends[from],
        };
        let mut offer = |kind: Alternative, probability: f64| {
            if probability > best.probability {
                best = RunnerUp { kind, probability };
            }
        };
        offer(Alternative::Begins, m.begins[to]);
        offer(Alternative::NotReal, 1.0 - m.real[from].min(m.real[to]));
        for e in g.links(from).filter(|&e| e != own) {
            offer(
                Alternative::Continues(self.id(g.edges[e].to as usize)),
                self.edge[e],
            );
        }
        for p in g.pairs(from) {
            let [a, b] = g.pairs[p].edges.map(|e| self.id(g.edges[e as usize].to as usize));
            offer(Alternative::Divides(a, b), m.pair[p]);
        }
        for &e in g.incoming(to).iter().filter(|&&e| e as usize != own) {
            offer(
                Alternative::ComesFrom(self.id(g.edges[e as usize].from as usize)),
                self.edge[e as usize],
            );
        }
        best.probability = best.probability.clamp(0.0, 1.0);
        best
    }

    fn add_divisions(&self, faults: f64, out: &mut Tracks) {
        for i in 0..self.graph.len() {
            for p in self.graph.pairs(i) {
                let (daughters, _) = self.daughters(p);
                let chosen = self.choice.destiny[i] == Some(Destiny::Pair(p as u32));
                let marginal = self.m.pair[p].min(1.0);
                if !chosen && marginal < LISTED {
                    continue;
                }
                let probability = if chosen {
                    division_probability(marginal, self.context(i, daughters, faults, out))
                } else {
                    other_division_probability(marginal)
                };
                // What the neighbouring frames add is shrunk as the division itself.
                let event = self.event_probability(i).max(marginal);
                let event = (probability * event / marginal.max(1e-12)).min(1.0);
                let mut ids = daughters.map(|d| (self.id(d), self.track_of[d]));
                ids.sort_unstable();
                let division = Division {
                    mother: self.id(i),
                    daughters: ids.map(|d| d.0),
                    tracks: chosen.then_some([self.track_of[i], ids[0].1, ids[1].1]),
                    probability,
                    event_probability: event,
                };
                if chosen {
                    out.divisions.push(division)
                } else {
                    out.other_divisions.push(division)
                }
            }
        }
    }

    fn context(&self, mother: usize, daughters: [usize; 2], faults: f64, out: &Tracks) -> DivisionContext {
        let track = |i: usize| &out.tracks[self.track_of[i] as usize - 1];
        DivisionContext {
            without_past: track(mother).parent.is_none() && track(mother).first == self.frame[mother],
            late_daughter: daughters.iter().any(|&d| self.frame[d] > self.frame[mother] + 1),
            faults,
        }
    }

    /// Marginal probability that the cell of this object divides here or up to two links before or after it.
    fn event_probability(&self, i: usize) -> f64 {
        let g = self.graph;
        let here = |i: usize| g.pairs(i).map(|p| self.m.pair[p]).sum::<f64>();
        let mut sum = here(i);
        let mut at = i;
        for _ in 0..2 {
            let Some(e) = self.choice.origin[at] else { break };
            at = g.edges[e as usize].from as usize;
            sum += here(at);
            if g.edges[e as usize].daughter {
                break;
            }
        }
        let mut ahead = vec![i];
        for _ in 0..2 {
            ahead = ahead
                .into_iter()
                .flat_map(|at| match self.choice.destiny[at] {
                    Some(Destiny::Link(e)) => vec![g.edges[e as usize].to as usize],
                    Some(Destiny::Pair(p)) => self.daughters(p as usize).0.to_vec(),
                    None => vec![],
                })
                .collect();
            sum += ahead.iter().map(|&j| here(j)).sum::<f64>();
        }
        sum.min(1.0)
    }
}
