//! Which links and which pairs of daughters are worth weighing at all.
//!
//! A link is kept unless it is hopeless: against an end and a new beginning, or against better links of both its objects.
//! Links over missed frames are looked for only where an object has no clear continuation, or no clear origin, in the
//! neighbouring frame; in an easy movie that is a few objects of a thousand.

use std::ops::Range;

use rayon::prelude::*;

use crate::model::Model;
use crate::motion::UNKNOWN;
use crate::scene::{Grid, Scene};

/// Log ratio below which a link is hopeless against the better links of both of its objects.
const HOPELESS: f64 = -14.0;
/// Log ratio below which a link is hopeless against an end and a beginning, or a division against its alternatives.
const HOPELESS_ALONE: f64 = -5.0;
/// Log ratio by which a clear link surpasses every other of its two objects.
const CLEAR: f64 = 9.0;
/// Objects a circle of search holds on average, at most.
const CROWD: f64 = 30.0;

/// A link that may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub from: u32,
    pub to: u32,
    pub gap: u8,
    /// Log weight but for the step before.
    pub log_weight: f64,
    /// Log likelihood ratio of looks, which is part of it.
    pub looks: f64,
}

/// A division that may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair {
    pub mother: u32,
    pub daughters: [u32; 2],
    pub gaps: [u8; 2],
    /// Log weight but for place: rates, missed frames, looks.
    pub log_weight: f64,
}

/// Candidates of a stretch of frames.
pub(crate) struct Candidates {
    /// Sorted by earlier, then later object.
    pub links: Vec<Candidate>,
    /// Sorted by mother, then daughters.
    pub pairs: Vec<Pair>,
}

/// Best and second best log weight of the links on one side of an object.
#[derive(Clone, Copy)]
struct Best {
    first: f64,
    partner: u32,
    second: f64,
}

const NONE: Best = Best {
    first: f64::NEG_INFINITY,
    partner: u32::MAX,
    second: f64::NEG_INFINITY,
};

impl Best {
    fn add(&mut self, weight: f64, partner: u32) {
        if weight > self.first {
            (self.second, self.first, self.partner) = (self.first, weight, partner);
        } else if weight > self.second {
            self.second = weight;
        }
    }

    /// The best weight when one partner is left out.
    fn without(&self, partner: u32) -> f64 {
        if self.partner == partner {
            self.second
        } else {
            self.first
        }
    }
}

/// Searches a stretch of frames.
pub(crate) struct Search<'a> {
    pub scene: &'a Scene,
    pub model: &'a Model,
    pub frames: Range<usize>,
    pub max_speed: Option<f64>,
    pub divisions: bool,
}

impl Search<'_> {
    /// Finds candidates.
    pub fn run(&self) -> Candidates {
        let grids: Vec<Grid> = self
            .frames
            .clone()
            .into_par_iter()
            .map(|t| {
                Grid::new(
                    &self.scene.position[self.scene.objects(t)],
                    self.scene.objects(t).start,
                )
            })
            .collect();
        let near = self.links_over_one_frame(&grids);
        let (mut forward, mut backward) = self.bests(&near);
        let far = self.links_over_gaps(&grids, &near, &forward, &backward);
        let mut links = near;
        links.extend(far);
        links.par_sort_unstable_by_key(|c| (c.from, c.to));
        links.dedup_by_key(|c| (c.from, c.to));
        (forward, backward) = self.bests(&links);
        let base = self.base();
        links.retain(|c| {
            let rivals = forward[c.from as usize - base]
                .first
                .min(backward[c.to as usize - base].first);
            c.log_weight > rivals + HOPELESS
        });
        let pairs = if self.divisions {
            self.pairs(&grids, &links, &backward)
        } else {
            vec![]
        };
        Candidates { links, pairs }
    }

    fn base(&self) -> usize {
        self.scene.start[self.frames.start]
    }

    fn grid<'g>(&self, grids: &'g [Grid], frame: usize) -> &'g Grid {
        &grids[frame - self.frames.start]
    }

    fn bests(&self, links: &[Candidate]) -> (Vec<Best>, Vec<Best>) {
        let base = self.base();
        let n = self.scene.start[self.frames.end] - base;
        let (mut forward, mut backward) = (vec![NONE; n], vec![NONE; n]);
        for c in links {
            forward[c.from as usize - base].add(c.log_weight, c.to);
            backward[c.to as usize - base].add(c.log_weight, c.from);
        }
        (forward, backward)
    }

    /// Log weight of ending here and beginning there, the alternative to a link.
    fn log_apart(&self, from: usize, to: usize) -> f64 {
        self.model.leave.at(self.scene.border[from]).ln() + self.model.enter.at(self.scene.border[to]).ln()
    }

    fn reach(&self, gap: usize) -> f64 {
        let m = self.model;
        let floor = m.leave.inner.ln() + m.enter.inner.ln() + HOPELESS_ALONE
            - self.scene.area_per_object.ln()
            - m.log_seen_after(gap);
        // Looks can add to a link, so the reach is a little longer with them.
        let looks = 0.7 * m.appearance.len() as f64;
        let reach = m.motion.laws[UNKNOWN][gap - 1].reach(floor - looks);
        let crowd = (CROWD * self.scene.area_per_object / std::f64::consts::PI).sqrt();
        let cap = self.max_speed.map_or(f64::INFINITY, |v| v * gap as f64);
        reach.min(crowd * (gap as f64).sqrt()).min(cap)
    }

    fn weigh(&self, from: usize, to: usize, gap: usize) -> Option<Candidate> {
        let looks = self.model.appearance.log_link(from, to);
        let log_weight = self.model.log_link(self.scene, from, to, gap, looks);
        (log_weight > self.log_apart(from, to) + HOPELESS_ALONE).then_some(Candidate {
            from: from as u32,
            to: to as u32,
            gap: gap as u8,
            log_weight,
            looks,
        })
    }

    fn links_over_one_frame(&self, grids: &[Grid]) -> Vec<Candidate> {
        let radius = self.reach(1);
        let frames: Vec<Vec<Candidate>> = (self.frames.start..self.frames.end.saturating_sub(1))
            .into_par_iter()
            .map(|t| {
                let grid = self.grid(grids, t + 1);
                let mut found = vec![];
                for i in self.scene.objects(t) {
                    let from = found.len();
                    grid.within(self.scene.position[i], radius, |j, _| {
                        found.extend(self.weigh(i, j as usize, 1));
                    });
                    found[from..].sort_unstable_by_key(|c| c.to);
                }
                found
            })
            .collect();
        frames.concat()
    }

    /// For each object whether it has one clear continuation (forward) or origin (backward), which is clear on both sides.
    fn clear(&self, near: &[Candidate], forward: &[Best], backward: &[Best]) -> (Vec<bool>, Vec<bool>) {
        let base = self.base();
        let (mut continues, mut comes) = (vec![false; forward.len()], vec![false; forward.len()]);
        for c in near {
            let (i, j) = (c.from as usize - base, c.to as usize - base);
            let rival = forward[i].without(c.to).max(backward[j].without(c.from));
            let apart = self
                .log_apart(c.from as usize, c.to as usize)
                .max(self.model.false_rate.ln());
            if c.log_weight > rival.max(apart) + CLEAR {
                continues[i] = true;
                comes[j] = true;
            }
        }
        (continues, comes)
    }

    fn links_over_gaps(
        &self,
        grids: &[Grid],
        near: &[Candidate],
        forward: &[Best],
        backward: &[Best],
    ) -> Vec<Candidate> {
        let (continues, comes) = self.clear(near, forward, backward);
        let base = self.base();
        let reach: Vec<f64> = (0..=self.model.gaps)
            .map(|g| if g < 2 { 0.0 } else { self.reach(g) })
            .collect();
        let frames: Vec<Vec<Candidate>> = self
            .frames
            .clone()
            .into_par_iter()
            .map(|t| {
                let mut found = vec![];
                for i in self.scene.objects(t) {
                    for gap in 2..=self.model.gaps {
                        if !continues[i - base] && t + gap < self.frames.end {
                            self.grid(grids, t + gap)
                                .within(self.scene.position[i], reach[gap], |j, _| {
                                    found.extend(self.weigh(i, j as usize, gap));
                                });
                        }
                        if !comes[i - base] && t >= self.frames.start + gap {
                            self.grid(grids, t - gap)
                                .within(self.scene.position[i], reach[gap], |j, _| {
                                    found.extend(self.weigh(j as usize, i, gap));
                                });
                        }
                    }
                }
                found
            })
            .collect();
        frames.concat()
    }

    fn pairs(&self, grids: &[Grid], links: &[Candidate], backward: &[Best]) -> Vec<Pair> {
        let mut starts = vec![0usize; backward.len() + 1];
        let base = self.base();
        for c in links {
            starts[c.from as usize - base + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let frames: Vec<Vec<Pair>> = (self.frames.start..self.frames.end.saturating_sub(1))
            .into_par_iter()
            .map(|t| {
                let mut found = vec![];
                for i in self.scene.objects(t) {
                    let own = &links[starts[i - base]..starts[i - base + 1]];
                    self.pairs_of(grids, t, i, own, backward, &mut found);
                }
                found
            })
            .collect();
        frames.concat()
    }

    /// Pairs of objects one or two frames on, near the mother and not too far from each other.
    fn pairs_of(
        &self,
        grids: &[Grid],
        t: usize,
        i: usize,
        own: &[Candidate],
        backward: &[Best],
        out: &mut Vec<Pair>,
    ) {
        let (scene, model) = (self.scene, self.model);
        let mut near: Vec<(u32, u8)> = vec![];
        let reach = model.division_law.reach();
        for gap in 1..=2usize.min(model.gaps) {
            if t + gap < self.frames.end {
                self.grid(grids, t + gap)
                    .within(scene.position[i], reach, |j, _| near.push((j, gap as u8)));
            }
        }
        if near.len() < 2 {
            return;
        }
        near.sort_unstable();
        let base = self.base();
        let link = |j: u32| {
            own.iter()
                .find(|c| c.to == j)
                .map_or(f64::NEG_INFINITY, |c| c.log_weight)
        };
        let leave = model.leave.at(scene.border[i]).ln();
        // What else may have become of a daughter: she entered, is false, or was taken from another cell, which then ended.
        let otherwise = |j: u32| {
            let enter = model
                .enter
                .at(scene.border[j as usize])
                .max(model.false_rate)
                .ln();
            enter.max(backward[j as usize - base].without(i as u32) + model.leave.inner.ln())
        };
        for (a, &(j, gj)) in near.iter().enumerate() {
            for &(k, gk) in &near[a + 1..] {
                let Some(log_place) = self.log_place(i, [j, k], [gj, gk], [0.0; 2]) else {
                    continue;
                };
                let looks = model.appearance.log_division(i, [j as usize, k as usize]);
                let missed = (1.0 - model.detected).max(1e-9).ln();
                let seen = 2.0 * model.detected.ln()
                    + match (gj, gk) {
                        (1, 1) => 0.0,
                        (2, 2) => missed + (2.0 - model.detected).ln(),
                        _ => missed,
                    };
                let log_weight = model.divide.ln() + seen + looks;
                let (oj, ok) = (otherwise(j), otherwise(k));
                let rival = (link(j) + ok).max(link(k) + oj).max(leave + oj + ok);
                if log_weight + log_place > rival + HOPELESS_ALONE - 2.0 {
                    out.push(Pair {
                        mother: i as u32,
                        daughters: [j, k],
                        gaps: [gj, gk],
                        log_weight,
                    });
                }
            }
        }
    }

    /// Log weight of the place of two daughters, for a mother who moved on by `ahead`; `None` if they are too far apart.
    pub fn log_place(
        &self,
        mother: usize,
        daughters: [u32; 2],
        gaps: [u8; 2],
        ahead: [f64; 2],
    ) -> Option<f64> {
        log_place(self.scene, self.model, mother, daughters, gaps, ahead)
    }
}

/// See [`Search::log_place`].
pub(crate) fn log_place(
    scene: &Scene,
    model: &Model,
    mother: usize,
    daughters: [u32; 2],
    gaps: [u8; 2],
    ahead: [f64; 2],
) -> Option<f64> {
    let (apart, r2) = place_of(scene, mother, daughters, ahead);
    let law = &model.division_law;
    if apart > law.reach() {
        return None;
    }
    let later = gaps[0].max(gaps[1]) as usize;
    let uneven = gaps[0].abs_diff(gaps[1]) as usize;
    Some(law.log_density(apart, r2, later, uneven) + 2.0 * scene.area_per_object.ln())
}

/// Distance of the daughters from each other, and squared distance of their midpoint from the mother's expected place.
pub(crate) fn place_of(scene: &Scene, mother: usize, daughters: [u32; 2], ahead: [f64; 2]) -> (f64, f64) {
    let a = scene.step(mother, daughters[0] as usize);
    let b = scene.step(mother, daughters[1] as usize);
    let apart = ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt();
    let middle = [(a[0] + b[0]) / 2.0 - ahead[0], (a[1] + b[1]) / 2.0 - ahead[1]];
    (apart, middle[0].powi(2) + middle[1].powi(2))
}
