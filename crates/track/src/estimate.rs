//! The model estimated anew from the marginals of a movie: one round of (generalised) expectation maximisation.
//!
//! Rates are posterior means under Beta and Gamma priors that are worth a few dozen objects, so a movie of two frames is tracked by what
//! is known of cells in general and a long one by what it shows.

use crate::appearance::{Appearance, FeatureData};
use crate::candidates::place_of;
use crate::contact::ContactData;
use crate::divisions::{DivisionData, DivisionLaw};
use crate::fragments::FalseData;
use crate::graph::Graph;
use crate::marginals::Marginals;
use crate::model::{BorderRate, Model};
use crate::motion::{CLASSES, Distances, NEWBORN, Regression, StepLaw, UNKNOWN};
use crate::scene::Scene;

/// Worth of the prior of the general step law, in steps.
const PRIOR_STEPS: f64 = 5.0;
/// Worth of the general step law as prior of a speed class, in steps.
const PRIOR_CLASS_STEPS: f64 = 20.0;
/// Probability from which a link is followed to measure chains of steps.
const SURE: f64 = 0.5;

/// A Gamma prior of a rate: events over exposure.
#[derive(Clone, Copy)]
struct RatePrior {
    events: f64,
    exposure: f64,
}

impl RatePrior {
    fn mean(self, events: f64, exposure: f64) -> f64 {
        (self.events + events) / (self.exposure + exposure)
    }
}

const INNER: RatePrior = RatePrior {
    events: 0.5,
    exposure: 1000.0,
};
const EDGE: RatePrior = RatePrior {
    events: 1.0,
    exposure: 20.0,
};
const DIVIDE: RatePrior = RatePrior {
    events: 1.0,
    exposure: 500.0,
};
const MISSED: RatePrior = RatePrior {
    events: 0.9,
    exposure: 30.0,
};
const REACH_EVENTS: f64 = 2.0;

/// Events at the edge of the field and inside.
#[derive(Clone, Copy, Default)]
struct BorderEvents {
    inner: f64,
    edge: f64,
    depth: f64,
    exposure: f64,
    edge_exposure: f64,
}

impl BorderEvents {
    fn expose(&mut self, rate: &BorderRate, distance: f64, weight: f64) {
        self.exposure += weight;
        self.edge_exposure += weight * (-distance / rate.reach).exp();
    }

    fn add(&mut self, rate: &BorderRate, distance: f64, weight: f64) {
        let share = rate.edge_share(distance);
        self.inner += weight * (1.0 - share);
        self.edge += weight * share;
        self.depth += weight * share * distance;
    }

    fn merge(&mut self, o: &Self) {
        self.inner += o.inner;
        self.edge += o.edge;
        self.depth += o.depth;
        self.exposure += o.exposure;
        self.edge_exposure += o.edge_exposure;
    }

    fn rate(&self, reach: f64) -> BorderRate {
        BorderRate {
            inner: INNER.mean(self.inner, self.exposure).min(0.2),
            edge: EDGE.mean(self.edge, self.edge_exposure).min(0.9),
            reach,
        }
    }
}

/// Expected counts under the marginals.
pub(crate) struct Evidence {
    enter: BorderEvents,
    leave: BorderEvents,
    contact: ContactData,
    real: f64,
    false_objects: FalseData,
    seen: f64,
    missed: f64,
    divisions: f64,
    may_divide: f64,
    mitotic_mothers: (f64, f64),
    regression: Vec<Vec<Regression>>,
    steps: Vec<Vec<Distances>>,
    division: DivisionData,
    looks: Vec<FeatureData>,
}

/// The likeliest origin and destiny of an object, if they are sure links over one frame.
struct Chains {
    next: Vec<u32>,
    velocity: Vec<(usize, [f64; 2])>,
}

impl Evidence {
    /// Counts of a stretch of the movie.
    pub fn collect(scene: &Scene, model: &Model, graph: &Graph, m: &Marginals) -> Self {
        let axis = model.motion.axis();
        let mut e = Self {
            enter: BorderEvents::default(),
            leave: BorderEvents::default(),
            contact: ContactData::default(),
            real: 0.0,
            false_objects: FalseData::default(),
            seen: 0.0,
            missed: 0.0,
            divisions: 0.0,
            may_divide: 0.0,
            mitotic_mothers: (0.0, 0.0),
            regression: vec![vec![Regression::default(); model.gaps]; CLASSES],
            steps: vec![vec![Distances::new(axis); model.gaps]; CLASSES],
            division: DivisionData::new(axis),
            looks: model.appearance.data(),
        };
        e.count_objects(scene, model, graph, m);
        e.count_edges(scene, model, graph, m);
        let chains = Chains::follow(scene, model, graph, m);
        e.measure_persistence(scene, graph, &chains, model.gaps);
        let persistence = e.persistence(model);
        e.measure_steps(scene, graph, &chains, &persistence);
        e
    }

    fn count_objects(&mut self, scene: &Scene, model: &Model, graph: &Graph, m: &Marginals) {
        let last = graph.frames.end - 1;
        for frame in graph.frames.clone() {
            for object in scene.objects(frame) {
                let i = object - graph.base;
                let (d, real) = (scene.border[object], m.real[i]);
                self.real += real;
                self.contact.expose(&model.contact, scene.nearest[object], real);
                self.false_objects
                    .add(&model.false_objects, scene.nearest[object], 1.0 - real);
                if frame > graph.frames.start {
                    let rate = model.enter.at(d);
                    let all = model.origin_weight(scene, object, frame, graph.frames.start);
                    self.enter.expose(&model.enter, d, real);
                    self.enter.add(&model.enter, d, m.begins[i] * rate / all);
                }
                if frame < last {
                    let rate = model.leave.at(d);
                    let all = model.end_weight(scene, object, frame, last, false);
                    self.leave.expose(&model.leave, d, real);
                    self.leave.add(&model.leave, d, m.ends[i] * (rate / all).min(1.0));
                    self.may_divide += real;
                }
            }
        }
    }

    fn count_edges(&mut self, scene: &Scene, model: &Model, graph: &Graph, m: &Marginals) {
        for (edge, &p) in graph.edges.iter().zip(&m.edge) {
            if edge.daughter {
                continue;
            }
            self.seen += p;
            let (from, to) = (graph.base + edge.from as usize, graph.base + edge.to as usize);
            for end in [from, to] {
                let misses = 0.5 * p * f64::from(edge.gap - 1);
                let touching = model.contact.missed(scene.nearest[end]) / model.missed(scene, end).max(1e-9);
                self.missed += misses * (1.0 - touching.min(1.0));
                self.contact.add(scene.nearest[end], misses * touching.min(1.0));
            }
            if edge.gap == 1 {
                let s = scene.step(from, to);
                self.steps[UNKNOWN][0].add(s[0] * s[0] + s[1] * s[1], p);
                model.appearance.add_link(&mut self.looks, from, to, p);
            }
        }
        for i in 0..graph.len() {
            for number in graph.pairs(i) {
                let p = m.pair[number];
                let edges = graph.pairs[number].edges.map(|e| graph.edges[e as usize]);
                self.divisions += p;
                let mother = graph.base + i;
                let daughters = edges.map(|e| (graph.base + e.to as usize) as u32);
                if edges.iter().all(|e| e.gap == 1) {
                    let (apart, r2) = place_of(scene, mother, daughters, [0.0; 2]);
                    self.division.add(apart, r2, p);
                }
                model
                    .appearance
                    .add_division(&mut self.looks, mother, daughters.map(|d| d as usize), p);
                if let Some(mitosis) = model.appearance.mitosis_of(mother) {
                    self.mitotic_mothers.0 += p;
                    self.mitotic_mothers.1 += p * mitosis;
                }
            }
        }
    }

    fn measure_persistence(&mut self, scene: &Scene, graph: &Graph, chains: &Chains, gaps: usize) {
        for i in 0..graph.len() {
            let (class, v) = chains.velocity[i];
            if class <= NEWBORN {
                continue;
            }
            chains.walk(i, gaps, |gap, j| {
                let s = scene.step(graph.base + i, graph.base + j);
                let r = &mut self.regression[class][gap - 1];
                r.xy += s[0] * v[0] + s[1] * v[1];
                r.xx += v[0] * v[0] + v[1] * v[1];
            });
        }
    }

    /// Persistence by class and gap, shrunk to none by twenty typical steps.
    fn persistence(&self, model: &Model) -> Vec<Vec<f64>> {
        let shrink = PRIOR_CLASS_STEPS * model.motion.typical.powi(2);
        self.regression
            .iter()
            .map(|row| {
                row.iter()
                    .enumerate()
                    .map(|(g, r)| (r.xy / (r.xx + shrink)).clamp(-1.0, (g + 1) as f64))
                    .collect()
            })
            .collect()
    }

    fn measure_steps(&mut self, scene: &Scene, graph: &Graph, chains: &Chains, persistence: &[Vec<f64>]) {
        let gaps = persistence[0].len();
        for i in 0..graph.len() {
            let (class, v) = chains.velocity[i];
            chains.walk(i, gaps, |gap, j| {
                let s = scene.step(graph.base + i, graph.base + j);
                if gap > 1 {
                    self.steps[UNKNOWN][gap - 1].add(s[0] * s[0] + s[1] * s[1], 1.0);
                }
                if class != UNKNOWN {
                    let k = persistence[class][gap - 1];
                    let r2 = (s[0] - k * v[0]).powi(2) + (s[1] - k * v[1]).powi(2);
                    self.steps[class][gap - 1].add(r2, 1.0);
                }
            });
        }
    }

    /// Adds the counts of another stretch.
    pub fn merge(&mut self, o: &Self) {
        self.enter.merge(&o.enter);
        self.leave.merge(&o.leave);
        self.contact.merge(&o.contact);
        self.real += o.real;
        self.false_objects.merge(&o.false_objects);
        self.seen += o.seen;
        self.missed += o.missed;
        self.divisions += o.divisions;
        self.may_divide += o.may_divide;
        self.mitotic_mothers.0 += o.mitotic_mothers.0;
        self.mitotic_mothers.1 += o.mitotic_mothers.1;
        for (a, b) in self
            .regression
            .iter_mut()
            .flatten()
            .zip(o.regression.iter().flatten())
        {
            a.xy += b.xy;
            a.xx += b.xx;
        }
        for (a, b) in self.steps.iter_mut().flatten().zip(o.steps.iter().flatten()) {
            a.merge(b);
        }
        self.division.merge(&o.division);
        Appearance::merge(&mut self.looks, &o.looks);
    }

    /// The model that fits the counts; `prior` is the model before anything was seen.
    pub fn fit(&self, prior: &Model, before: &Model) -> Model {
        let mut model = before.clone();
        let gaps = model.gaps;
        let events = self.enter.edge + self.leave.edge;
        let reach = (REACH_EVENTS * prior.enter.reach + self.enter.depth + self.leave.depth)
            / (REACH_EVENTS + events);
        let reach = reach.max(0.25 * model.motion.typical);
        model.enter = self.enter.rate(reach);
        model.leave = self.leave.rate(reach);
        model.contact = before.contact.fit(&self.contact, &prior.contact);
        model.detected = 1.0 - MISSED.mean(self.missed, self.seen + self.missed).clamp(1e-4, 0.5);
        model.false_objects = before
            .false_objects
            .fit(&self.false_objects, self.real, &prior.false_objects);
        model.divide = DIVIDE.mean(self.divisions, self.may_divide).min(0.2);
        for gap in 0..gaps {
            let general = StepLaw::fit(
                &self.steps[UNKNOWN][gap],
                &prior.motion.laws[UNKNOWN][gap],
                PRIOR_STEPS,
            );
            for class in 1..CLASSES {
                model.motion.laws[class][gap] =
                    StepLaw::fit(&self.steps[class][gap], &general, PRIOR_CLASS_STEPS);
            }
            model.motion.laws[UNKNOWN][gap] = general;
        }
        model.motion.persistence = self.persistence(before);
        model.division_law = DivisionLaw::fit(&self.division, &prior.division_law, model.motion.axis());
        let (n, sum) = self.mitotic_mothers;
        let mothers = (n > 0.0).then(|| (4.0 * 0.6 + sum) / (4.0 + n));
        model.appearance.fit(&self.looks, mothers);
        model
    }

    /// Distance below which a share `q` of the steps over one frame lies.
    pub fn step_quantile(&self, q: f64) -> Option<f64> {
        self.steps[UNKNOWN][0].quantile(q)
    }
}

impl Chains {
    fn follow(scene: &Scene, model: &Model, graph: &Graph, m: &Marginals) -> Self {
        let n = graph.len();
        let mut chains = Self {
            next: vec![u32::MAX; n],
            velocity: vec![(UNKNOWN, [0.0; 2]); n],
        };
        for (edge, &p) in graph.edges.iter().zip(&m.edge) {
            if p <= SURE || edge.gap != 1 {
                continue;
            }
            let to = edge.to as usize;
            if edge.daughter {
                chains.velocity[to] = (NEWBORN, [0.0; 2]);
            } else {
                chains.next[edge.from as usize] = edge.to;
                let v = scene.step(graph.base + edge.from as usize, graph.base + to);
                chains.velocity[to] = (model.motion.class(v), v);
            }
        }
        chains
    }

    /// Visits the objects 1 … `gaps` frames on, as far as the chain is sure.
    fn walk(&self, from: usize, gaps: usize, mut visit: impl FnMut(usize, usize)) {
        let mut at = from;
        for gap in 1..=gaps {
            let next = self.next[at];
            if next == u32::MAX {
                return;
            }
            at = next as usize;
            visit(gap, at);
        }
    }
}
