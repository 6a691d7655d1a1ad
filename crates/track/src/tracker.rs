//! The whole: drift, rounds of estimation on a part of the movie, the final solution on all of it.

use std::ops::Range;

use rayon::prelude::*;

use crate::appearance::Appearance;
use crate::candidates::Search;
use crate::decode::choose;
use crate::drift::median_of;
use crate::estimate::Evidence;
use crate::fitted::FittedModel;
use crate::graph::Graph;
use crate::lineage::assemble;
use crate::marginals::{Marginals, marginals};
use crate::model::Model;
use crate::scene::{Grid, Scene};
use crate::{Detections, TrackError, TrackOptions, Tracks};

/// Objects the model is estimated from, about; a longer movie is estimated from three stretches of it.
const LEARN_FROM: usize = 60_000;
/// Frames of a stretch, at least.
const SHORTEST: usize = 12;

/// Tracks the objects of a movie.
///
/// Cost grows with the number of objects and, slightly more than in proportion, with how crowded they are compared with their steps. Memory is about
/// 600 bytes an object.
///
/// # Errors
/// Detections or options that are faulty (see [`Detections::check`]); a movie without any object is tracked, and has no track.
pub fn track(detections: &Detections, options: &TrackOptions) -> Result<Tracks, TrackError> {
    detections.check()?;
    options.check()?;
    let scene = Scene::new(detections);
    let tracker = Tracker::new(detections, options, &scene);
    let (model, fitted) = tracker.learn();
    let (graph, m) = tracker.solve(&model, 0..scene.frames(), true);
    let choice = choose(&graph, &m);
    Ok(assemble(detections, &scene, &model, &graph, &m, &choice, fitted))
}

struct Tracker<'a> {
    scene: &'a Scene,
    options: &'a TrackOptions,
    existence: Vec<f64>,
    conflicts: Vec<(u32, u32)>,
    prior: Model,
}

impl<'a> Tracker<'a> {
    fn new(detections: &Detections, options: &'a TrackOptions, scene: &'a Scene) -> Self {
        let mut existence = vec![];
        if detections.frames.iter().any(|f| !f.existence.is_empty()) {
            for f in &detections.frames {
                if f.existence.is_empty() {
                    existence.extend(std::iter::repeat_n(f64::NAN, f.len()));
                } else {
                    existence.extend(&f.existence);
                }
            }
        }
        let mut conflicts = vec![];
        for (t, f) in detections.frames.iter().enumerate() {
            let base = scene.start[t] as u32;
            conflicts.extend(
                f.conflicts
                    .iter()
                    .filter(|c| c.0 != c.1)
                    .map(|c| (base + c.0.min(c.1), base + c.0.max(c.1))),
            );
        }
        conflicts.sort_unstable();
        conflicts.dedup();
        let typical = typical_step(scene);
        let appearance = Appearance::new(detections, scene);
        let prior = Model::prior(scene, typical, options.max_missed + 1, appearance);
        Self {
            scene,
            options,
            existence,
            conflicts,
            prior,
        }
    }

    fn solve(&self, model: &Model, frames: Range<usize>, divisions: bool) -> (Graph, Marginals) {
        let divisions = divisions && self.options.divisions;
        let search = Search::new(
            self.scene,
            model,
            frames.clone(),
            self.options.max_speed,
            divisions,
        );
        let found = search.run();
        let graph = Graph::build(
            self.scene,
            model,
            frames,
            &found,
            &self.existence,
            &self.conflicts,
        );
        let m = marginals(&graph);
        (graph, m)
    }

    fn learn(&self) -> (Model, FittedModel) {
        let mut model = self.prior.clone();
        let mut quantiles = [0.0; 3];
        for round in 0..self.options.rounds {
            let mut all: Option<Evidence> = None;
            for stretch in self.stretches() {
                let (graph, m) = self.solve(&model, stretch, round > 0);
                let evidence = Evidence::collect(self.scene, &model, &graph, &m);
                match &mut all {
                    None => all = Some(evidence),
                    Some(sum) => sum.merge(&evidence),
                }
            }
            if let Some(evidence) = all {
                model = evidence.fit(&self.prior, &model);
                quantiles = [0.5, 0.9, 0.99].map(|q| evidence.step_quantile(q).unwrap_or(0.0));
            }
        }
        let fitted = FittedModel::new(self.scene, &model, self.options.rounds, quantiles);
        (model, fitted)
    }

    /// The parts of the movie the model is estimated from: all of it, or its beginning, middle and end.
    fn stretches(&self) -> Vec<Range<usize>> {
        let frames = self.scene.frames();
        let objects = self.scene.position.len();
        let length = (LEARN_FROM * frames / objects.max(1) / 3).max(SHORTEST);
        if objects <= LEARN_FROM || 3 * length >= frames {
            return std::iter::once(0..frames).collect();
        }
        let middle = (frames - length) / 2;
        vec![0..length, middle..middle + length, frames - length..frames]
    }
}

/// Median distance of mutual nearest neighbours of neighbouring frames, drift taken off; never quite 0.
fn typical_step(scene: &Scene) -> f64 {
    let every = (scene.frames() / 40).max(1);
    let frames: Vec<usize> = (0..scene.frames().saturating_sub(1)).step_by(every).collect();
    let steps: Vec<Vec<f64>> = frames
        .into_par_iter()
        .map(|t| {
            let (a, b) = (scene.objects(t), scene.objects(t + 1));
            let there = Grid::new(&scene.position[b.clone()], b.start);
            let here = Grid::new(&scene.position[a.clone()], a.start);
            let mut steps = vec![];
            for i in a {
                let Some((j, d2)) = there.nearest(scene.position[i]) else {
                    continue;
                };
                let mutual = here
                    .nearest(scene.position[j as usize])
                    .is_some_and(|(k, _)| k as usize == i);
                if mutual {
                    steps.push(d2.sqrt());
                }
            }
            steps
        })
        .collect();
    let floor = 1e-3 * scene.area_per_object.sqrt();
    median_of(steps.concat().into_iter()).max(floor)
}
