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
const HOPELESS: f64 = -9.0;
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

/// What is known of the links when pairs are sought.
struct Context<'g> {
    grids: &'g [Grid],
    /// How much other cells would lose without an object.
    claims: Vec<Best>,
    /// The object that one clearly continues.
    owner: Vec<u32>,
}

/// Searches a stretch of frames.
pub(crate) struct Search<'a> {
    scene: &'a Scene,
    model: &'a Model,
    frames: Range<usize>,
    max_speed: Option<f64>,
    divisions: bool,
    /// Log weights of each object's ending, beginning and staying.
    ends: Vec<f64>,
    begins: Vec<f64>,
    stays: Vec<f64>,
}

impl<'a> Search<'a> {
    /// Prepares a search.
    pub fn new(
        scene: &'a Scene,
        model: &'a Model,
        frames: Range<usize>,
        max_speed: Option<f64>,
        divisions: bool,
    ) -> Self {
        let objects = scene.start[frames.start]..scene.start[frames.end];
        Self {
            scene,
            model,
            frames,
            max_speed,
            divisions,
            ends: objects
                .clone()
                .map(|i| model.leave.at(scene.border[i]).ln())
                .collect(),
            begins: objects
                .clone()
                .map(|i| model.enter.at(scene.border[i]).ln())
                .collect(),
            stays: objects.map(|i| model.log_stay(scene, i)).collect(),
        }
    }

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
            let owner = self.clear_owner(&links, &forward, &backward);
            let claims = self.claims(&links, &forward);
            let context = Context {
                grids: &grids,
                claims,
                owner,
            };
            self.pairs(&links, &context)
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
        self.ends[from - self.base()] + self.begins[to - self.base()]
    }

    /// What a log weight has beside the log density of the step: an upper bound over objects.
    fn offset(&self, gap: usize) -> f64 {
        // Looks add this much at most for most links.
        let looks = 0.7 * self.model.appearance.len() as f64;
        self.scene.area_per_object.ln() + self.model.log_seen_after_at_most(gap) + looks
    }

    /// Distance at which a link's log weight falls to `floor`, within the limits of speed and crowding.
    fn radius(&self, gap: usize, floor: f64) -> f64 {
        let floor = floor.max(self.model.leave.inner.ln() + self.model.enter.inner.ln() + HOPELESS_ALONE);
        let reach = self.model.motion.laws[UNKNOWN][gap - 1].reach(floor - self.offset(gap));
        let crowd = (CROWD * self.scene.area_per_object / std::f64::consts::PI).sqrt();
        let cap = self.max_speed.map_or(f64::INFINITY, |v| v * gap as f64);
        reach.min(crowd * (gap as f64).sqrt()).min(cap)
    }

    fn weigh(&self, from: usize, to: usize, gap: usize) -> Option<Candidate> {
        let looks = self.model.appearance.log_link(from, to);
        let log_weight = self
            .model
            .motion
            .log_density(UNKNOWN, [0.0; 2], gap, self.scene.step(from, to))
            + self.scene.area_per_object.ln()
            + self.model.log_seen_after(self.scene, from, to, gap)
            + self.stays[from - self.base()]
            + looks;
        (log_weight > self.log_apart(from, to) + HOPELESS_ALONE).then_some(Candidate {
            from: from as u32,
            to: to as u32,
            gap: gap as u8,
            log_weight,
            looks,
        })
    }

    /// Links to the next frame: near ones for all; far ones only for objects that have no good one, as others would lose against it.
    fn links_over_one_frame(&self, grids: &[Grid]) -> Vec<Candidate> {
        let law = &self.model.motion.laws[UNKNOWN][0];
        let usual = law.log_density((2.0 * self.model.motion.typical).powi(2)) + self.offset(1);
        let near = self.radius(1, usual + HOPELESS);
        let found = self.around_all(grids, |_, _, gap| if gap == 1 { near } else { 0.0 }, 1, false);
        let (forward, backward) = self.bests(&found);
        let all = self.radius(1, f64::NEG_INFINITY);
        if all <= near {
            return found;
        }
        let far = self.around_all(
            grids,
            |i, back, _| {
                let best = if back { backward[i].first } else { forward[i].first };
                if best > usual {
                    0.0
                } else {
                    self.radius(1, best + HOPELESS).min(all)
                }
            },
            1,
            true,
        );
        [found, far].concat()
    }

    /// Links over each gap from `first` on, within a radius that depends on object, direction (true: back) and gap.
    fn around_all(
        &self,
        grids: &[Grid],
        radius: impl Fn(usize, bool, usize) -> f64 + Sync,
        first: usize,
        back: bool,
    ) -> Vec<Candidate> {
        let base = self.base();
        let gaps = if first == 1 {
            1..=1
        } else {
            first..=self.model.gaps
        };
        let frames: Vec<Vec<Candidate>> = self
            .frames
            .clone()
            .into_par_iter()
            .map(|t| {
                let mut found = vec![];
                for i in self.scene.objects(t) {
                    let p = self.scene.position[i];
                    for gap in gaps.clone() {
                        let ahead = radius(i - base, false, gap);
                        if ahead > 0.0 && t + gap < self.frames.end {
                            self.grid(grids, t + gap).within(p, ahead, |j, _| {
                                found.extend(self.weigh(i, j as usize, gap));
                            });
                        }
                        let behind = if back { radius(i - base, true, gap) } else { 0.0 };
                        if behind > 0.0 && t >= self.frames.start + gap {
                            self.grid(grids, t - gap).within(p, behind, |j, _| {
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

    /// For each object whether it has one clear continuation (forward) or origin (backward), which is clear on both sides.
    fn clear(&self, near: &[Candidate], forward: &[Best], backward: &[Best]) -> (Vec<bool>, Vec<bool>) {
        let base = self.base();
        let (mut continues, mut comes) = (vec![false; forward.len()], vec![false; forward.len()]);
        for c in near {
            let (i, j) = (c.from as usize - base, c.to as usize - base);
            let rival = forward[i].without(c.to).max(backward[j].without(c.from));
            let apart = self
                .log_apart(c.from as usize, c.to as usize)
                .max(self.model.false_objects.noise.ln());
            if c.log_weight > rival.max(apart) + CLEAR {
                continues[i] = true;
                comes[j] = true;
            }
        }
        (continues, comes)
    }

    /// For each object how much other cells would lose if it were not theirs: the log weight of the link less that of their next best
    /// destiny, best and second best.
    fn claims(&self, links: &[Candidate], forward: &[Best]) -> Vec<Best> {
        let base = self.base();
        let mut claims = vec![NONE; forward.len()];
        for c in links {
            let i = c.from as usize - base;
            let instead = self.ends[i].max(forward[i].without(c.to));
            claims[c.to as usize - base].add(c.log_weight - instead, c.from);
        }
        claims
    }

    /// For each object the one it clearly continues, if there is one.
    fn clear_owner(&self, links: &[Candidate], forward: &[Best], backward: &[Best]) -> Vec<u32> {
        let base = self.base();
        let mut owner = vec![u32::MAX; backward.len()];
        for c in links {
            let (i, j) = (c.from as usize - base, c.to as usize - base);
            let rival = forward[i].without(c.to).max(backward[j].without(c.from));
            let apart = self
                .log_apart(c.from as usize, c.to as usize)
                .max(self.model.false_objects.noise.ln());
            if c.log_weight > rival.max(apart) + CLEAR {
                owner[j] = c.from;
            }
        }
        owner
    }

    fn links_over_gaps(
        &self,
        grids: &[Grid],
        near: &[Candidate],
        forward: &[Best],
        backward: &[Best],
    ) -> Vec<Candidate> {
        if self.model.gaps < 2 {
            return vec![];
        }
        let (continues, comes) = self.clear(near, forward, backward);
        let radius = |i: usize, back: bool, gap: usize| {
            let (clear, best) = if back {
                (comes[i], backward[i].first)
            } else {
                (continues[i], forward[i].first)
            };
            if clear {
                0.0
            } else {
                self.radius(gap, best + HOPELESS)
            }
        };
        self.around_all(grids, radius, 2, true)
    }

    fn pairs(&self, links: &[Candidate], context: &Context) -> Vec<Pair> {
        let mut starts = vec![0usize; context.claims.len() + 1];
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
                    self.pairs_of(context, t, i, own, &mut found);
                }
                found
            })
            .collect();
        frames.concat()
    }

    /// Pairs of objects one or two frames on, near the mother and not too far from each other.
    fn pairs_of(&self, context: &Context, t: usize, i: usize, own: &[Candidate], out: &mut Vec<Pair>) {
        let (scene, model) = (self.scene, self.model);
        let base = self.base();
        let mut near: Vec<(u32, u8)> = vec![];
        let reach = model.division_law.reach();
        for gap in 1..=2usize.min(model.gaps) {
            if t + gap < self.frames.end {
                self.grid(context.grids, t + gap)
                    .within(scene.position[i], reach, |j, _| {
                        let taken = context.owner[j as usize - base];
                        if taken == u32::MAX || taken == i as u32 {
                            near.push((j, gap as u8));
                        }
                    });
            }
        }
        if near.len() < 2 {
            return;
        }
        near.sort_unstable();
        let link = |j: u32| {
            own.iter()
                .find(|c| c.to == j)
                .map_or(f64::NEG_INFINITY, |c| c.log_weight)
        };
        let leave = self.ends[i - base];
        // What else may have become of a daughter: she entered, is false, or continues another cell.
        let otherwise = |j: u32| {
            let enters = self.begins[j as usize - base].max(model.false_objects.noise.ln());
            enters.max(context.claims[j as usize - base].without(i as u32))
        };
        for (a, &(j, gj)) in near.iter().enumerate() {
            for &(k, gk) in &near[a + 1..] {
                let Some(log_place) = log_place(scene, model, i, [j, k], [gj, gk], [0.0; 2]) else {
                    continue;
                };
                let looks = model.appearance.log_division(i, [j as usize, k as usize]);
                let missed = model.missed(scene, i).max(1e-9).ln();
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
}

/// Log weight of the place of two daughters, for a mother who moved on by `ahead`; `None` if they are too far apart.
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
