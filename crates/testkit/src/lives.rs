//! Cells that crawl, divide and die in a dish larger than the field: where each nucleus really is and what it looks like, frame by frame.

use std::collections::BTreeMap;

use crate::chance::Chance;
use crate::design::Design;
use crate::motion::{Motion, Stride};
use crate::nuclei::{Nuclei, Nucleus, PHASES, Phase};

/// The dish is larger than the field by this much on each side, so that cells come and go.
const MARGIN_UM: f64 = 40.0;
/// Longest step of the simulation in minutes.
const STEP_MIN: f64 = 2.5;
/// Daughters become two objects when their plates are this far apart (µm); they part with this time constant and then are free (min).
const FIRST_SEPARATION_UM: f64 = 5.0;
const PARTING_MIN: f64 = 6.0;
const PARTED_MIN: f64 = 12.0;
/// Chromatin of a daughter spreads to an interphase nucleus over this time (min; assumed).
const SPREADING_MIN: f64 = 40.0;
/// Share of mitosis spent as a plate (assumed).
const METAPHASE_SHARE: f64 = 0.35;
/// A rounded cell crawls at this share of its speed, a dying one at that (assumed).
const ROUNDED: f64 = 0.3;
const DYING: f64 = 0.15;
/// A dead nucleus is visible for this long on average (min; assumed).
const CORPSE_MIN: f64 = 120.0;
/// Share of an overlap that neighbours give back in a step, and the share of their radii at which they feel one another.
const PUSH: f64 = 0.25;
const CONTACT: f64 = 0.85;
/// Spread of cell cycle lengths (coefficient of variation) and likeness of sisters: log standard deviations of area and grey value at birth.
const CYCLE_CV: f64 = 0.15;
const SISTER_AREA_SD: f64 = 0.08;
const SISTER_MEAN_SD: f64 = 0.06;
/// Frame-to-frame noise beyond the outline's own: log standard deviation of the mean grey value, standard deviation of log odds (assumed).
const MEAN_NOISE: f64 = 0.04;
const LOGIT_NOISE: f64 = 0.5;

/// A nucleus in a frame, as it really is.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Number of the cell, unique over the movie; a daughter is another cell.
    pub cell: usize,
    /// Column of the centre in pixels, before drift.
    pub x: f64,
    /// Row of the centre in pixels, before drift.
    pub y: f64,
    /// What it is doing.
    pub phase: Phase,
    /// Area in pixels.
    pub area: f64,
    /// Mean grey value.
    pub mean: f64,
    /// Eccentricity.
    pub eccentricity: f64,
    /// Solidity.
    pub solidity: f64,
    /// Class probabilities in the order of [`Phase`].
    pub probability: [f64; PHASES],
}

/// The true movie.
#[derive(Clone, Debug)]
pub struct Lives {
    /// Width and height of the field in pixels.
    pub field_px: [f64; 2],
    /// Micrometres a pixel.
    pub um_per_px: f64,
    /// Radius of the median nucleus in pixels.
    pub radius_px: f64,
    /// All nuclei of each frame in the dish, in the field or not.
    pub frames: Vec<Vec<Seen>>,
    /// Mother of each cell that was born in the movie.
    pub mother: BTreeMap<usize, usize>,
}

#[derive(Clone, Debug)]
struct Cell {
    number: usize,
    at: [f64; 2],
    stride: Stride,
    born: f64,
    divides: f64,
    mitosis: f64,
    dies: f64,
    gone: f64,
    /// Set while the daughters part: centre, direction, final distance.
    parting: Option<([f64; 2], [f64; 2], f64)>,
    interphase: Nucleus,
    prometaphase: Nucleus,
    metaphase: Nucleus,
    anaphase: Nucleus,
    apoptosis: Nucleus,
    area_factor: f64,
    mean_factor: f64,
    radius_um: f64,
}

impl Lives {
    /// Lives through a design; `chance` is the stream of this part alone.
    pub fn of(design: &Design, nuclei: &Nuclei, chance: &mut Chance) -> Self {
        let um_per_px = nuclei.um_per_px();
        let radius_px = (nuclei.median_area() / std::f64::consts::PI).sqrt();
        let spacing_um = design.spacing * 2.0 * radius_px * um_per_px;
        let area = design.cells as f64 * spacing_um * spacing_um;
        // Fields are 4 : 3.
        let field = [(area * 4.0 / 3.0).sqrt(), (area * 3.0 / 4.0).sqrt()];
        let motion = Motion::new(design.law, design.speed, design.persistence_min, chance);
        let mut dish = Dish {
            design,
            nuclei,
            motion,
            field,
            cells: Vec::new(),
            next: 0,
            mother: BTreeMap::new(),
        };
        dish.fill(spacing_um, chance);
        let steps = (design.interval_min / STEP_MIN).ceil().max(1.0);
        let dt = design.interval_min / steps;
        for _ in 0..20 {
            dish.push_apart();
        }
        let mut frames = Vec::with_capacity(design.frames);
        for frame in 0..design.frames {
            let now = frame as f64 * design.interval_min;
            frames.push(
                dish.cells
                    .iter()
                    .map(|cell| cell.look(now, um_per_px, chance))
                    .collect(),
            );
            for step in 0..steps as usize {
                dish.step(now + step as f64 * dt, dt, chance);
            }
        }
        let field_px = field.map(|side| side / um_per_px);
        Self {
            field_px,
            um_per_px,
            radius_px,
            frames,
            mother: dish.mother,
        }
    }
}

struct Dish<'a> {
    design: &'a Design,
    nuclei: &'a Nuclei,
    motion: Motion,
    field: [f64; 2],
    cells: Vec<Cell>,
    next: usize,
    mother: BTreeMap<usize, usize>,
}

impl Dish<'_> {
    /// Sows cells at random with ages of a growing population.
    fn fill(&mut self, spacing: f64, chance: &mut Chance) {
        let sides = self.field.map(|side| side + 2.0 * MARGIN_UM);
        let n = (sides[0] * sides[1] / (spacing * spacing)).round() as usize;
        for _ in 0..n {
            let at = [0, 1].map(|axis| chance.uniform(-MARGIN_UM, self.field[axis] + MARGIN_UM));
            let interphase = self.nuclei.draw(Phase::Interphase, chance).clone();
            let mut cell = self.cell(at, interphase, chance);
            let cycle = cell.divides;
            // Density of ages in a growing population falls as 2^(-age / cycle).
            let age = -cycle * (1.0 - chance.uniform(0.0, 0.5)).log2();
            cell.born -= age;
            cell.divides -= age;
            self.cells.push(cell);
        }
    }

    /// A cell born at time 0; the caller moves its times.
    fn cell(&mut self, at: [f64; 2], interphase: Nucleus, chance: &mut Chance) -> Cell {
        self.next += 1;
        let cycle = (self.design.cycle_h * 60.0 * (1.0 + CYCLE_CV * chance.normal()))
            .max(0.4 * self.design.cycle_h * 60.0);
        let dies = if self.design.deaths > 0.0 {
            chance.exponential(60.0 / self.design.deaths)
        } else {
            f64::INFINITY
        };
        let radius_um = (interphase.area / std::f64::consts::PI).sqrt() * self.nuclei.um_per_px();
        Cell {
            number: self.next,
            at,
            stride: self.motion.start(chance),
            born: 0.0,
            divides: cycle,
            mitosis: self.design.mitosis_min * chance.factor(0.2),
            dies,
            gone: dies + 30.0 + chance.exponential(CORPSE_MIN),
            parting: None,
            mean_factor: interphase.mean / self.nuclei.median_mean(),
            interphase,
            prometaphase: self.nuclei.draw(Phase::Prometaphase, chance).clone(),
            metaphase: self.nuclei.draw(Phase::Metaphase, chance).clone(),
            anaphase: self.nuclei.draw(Phase::Anaphase, chance).clone(),
            apoptosis: self.nuclei.draw(Phase::Apoptosis, chance).clone(),
            area_factor: 1.0,
            radius_um,
        }
    }

    fn step(&mut self, now: f64, dt: f64, chance: &mut Chance) {
        let after = now + dt;
        let mut daughters = Vec::new();
        let mut cells = std::mem::take(&mut self.cells);
        for cell in &mut cells {
            if let Some((centre, axis, most)) = cell.parting {
                let age = after - cell.born;
                let apart =
                    FIRST_SEPARATION_UM + (most - FIRST_SEPARATION_UM) * (1.0 - (-age / PARTING_MIN).exp());
                cell.at = [
                    centre[0] + axis[0] * apart / 2.0,
                    centre[1] + axis[1] * apart / 2.0,
                ];
                if age >= PARTED_MIN {
                    cell.parting = None;
                }
                continue;
            }
            let velocity = self.motion.step(&mut cell.stride, cell.at, now, dt, chance);
            let share = match cell.phase(now) {
                Phase::Interphase => 1.0,
                Phase::Apoptosis => DYING,
                _ => ROUNDED,
            };
            for ((at, velocity), side) in cell.at.iter_mut().zip(velocity).zip(self.field) {
                *at += velocity * share * dt;
                // The walls of the dish throw back.
                let (low, high) = (-MARGIN_UM, side + MARGIN_UM);
                if *at < low {
                    *at = (2.0 * low - *at).min(high);
                } else if *at > high {
                    *at = (2.0 * high - *at).max(low);
                }
            }
            if after >= cell.divides && cell.dies > after {
                self.divide(cell, after, &mut daughters, chance);
            }
        }
        cells.retain(|cell| cell.gone > after);
        cells.extend(daughters);
        self.cells = cells;
        self.push_apart();
    }

    /// Replaces a mother by two daughters that look alike and lie on both sides of her.
    fn divide(&mut self, mother: &mut Cell, now: f64, daughters: &mut Vec<Cell>, chance: &mut Chance) {
        mother.gone = now;
        let axis = chance.direction();
        let apart = (self.design.separation_um * chance.factor(0.15)).max(FIRST_SEPARATION_UM + 1.0);
        for side in [-1.0, 1.0] {
            let mut nucleus = mother.interphase.clone();
            nucleus.area *= chance.factor(SISTER_AREA_SD);
            nucleus.mean *= chance.factor(SISTER_MEAN_SD);
            let towards = axis.map(|component| component * side);
            let at = [0, 1].map(|k| mother.at[k] + towards[k] * FIRST_SEPARATION_UM / 2.0);
            let mut cell = self.cell(at, nucleus, chance);
            cell.anaphase = mother.anaphase.clone();
            cell.anaphase.area *= chance.factor(SISTER_AREA_SD);
            cell.anaphase.mean *= chance.factor(SISTER_MEAN_SD);
            cell.born = now;
            cell.divides += now;
            cell.dies += now;
            cell.gone += now;
            cell.parting = Some((mother.at, towards, apart));
            self.mother.insert(cell.number, mother.number);
            daughters.push(cell);
        }
    }

    /// Neighbours that overlap give way; a grid keeps this linear in the number of cells.
    fn push_apart(&mut self) {
        let side = 2.0 * CONTACT * self.cells.iter().map(|cell| cell.radius_um).fold(1.0, f64::max);
        let tile = |at: [f64; 2]| [(at[0] / side).floor() as i64, (at[1] / side).floor() as i64];
        let mut grid: BTreeMap<[i64; 2], Vec<usize>> = BTreeMap::new();
        for (number, cell) in self.cells.iter().enumerate() {
            grid.entry(tile(cell.at)).or_default().push(number);
        }
        let mut moves = vec![[0.0; 2]; self.cells.len()];
        for (a, cell) in self.cells.iter().enumerate() {
            let home = tile(cell.at);
            for near in (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| [home[0] + dx, home[1] + dy])) {
                for &b in grid.get(&near).into_iter().flatten().filter(|&&b| b > a) {
                    let other = &self.cells[b];
                    let away = [cell.at[0] - other.at[0], cell.at[1] - other.at[1]];
                    let distance = away[0].hypot(away[1]).max(1e-9);
                    let overlap = CONTACT * (cell.radius_um + other.radius_um) - distance;
                    if overlap > 0.0 {
                        for axis in 0..2 {
                            let push = PUSH * overlap * away[axis] / distance;
                            moves[a][axis] += push;
                            moves[b][axis] -= push;
                        }
                    }
                }
            }
        }
        for (cell, by) in self.cells.iter_mut().zip(moves) {
            if cell.parting.is_none() {
                cell.at = [cell.at[0] + by[0], cell.at[1] + by[1]];
            }
        }
    }
}

impl Cell {
    fn phase(&self, now: f64) -> Phase {
        if now >= self.dies {
            Phase::Apoptosis
        } else if now >= self.divides - METAPHASE_SHARE * self.mitosis {
            Phase::Metaphase
        } else if now >= self.divides - self.mitosis {
            Phase::Prometaphase
        } else if self.parting.is_some() {
            Phase::Anaphase
        } else {
            Phase::Interphase
        }
    }

    /// What the nucleus looks like now: a real nucleus of its phase, scaled by the cell's size, age and brightness, with the measured noise of an
    /// outline.
    fn look(&self, now: f64, um_per_px: f64, chance: &mut Chance) -> Seen {
        let phase = self.phase(now);
        let age = ((now - self.born) / (self.divides - self.born)).clamp(0.0, 1.0);
        let like = match phase {
            Phase::Interphase => &self.interphase,
            Phase::Prometaphase => &self.prometaphase,
            Phase::Metaphase => &self.metaphase,
            Phase::Anaphase => &self.anaphase,
            Phase::Apoptosis => &self.apoptosis,
        };
        let (mut area, mut mean) = (like.area, like.mean);
        match phase {
            Phase::Interphase => {
                // Nuclei double their area over a cycle; the measured one is of middle age.
                area *= self.area_factor * 2.0_f64.powf(age - 0.45);
                let spread = ((now - self.born - PARTED_MIN) / SPREADING_MIN).clamp(0.0, 1.0);
                if spread < 1.0 && now - self.born < PARTED_MIN + SPREADING_MIN {
                    area = self.anaphase.area.powf(1.0 - spread) * area.powf(spread);
                    mean = (self.anaphase.mean * self.mean_factor).powf(1.0 - spread) * mean.powf(spread);
                }
            }
            _ => mean *= self.mean_factor,
        }
        let outline = if like.area_noise.is_nan() {
            0.05
        } else {
            like.area_noise
        };
        let (area_noise, mean_noise) = (chance.factor(outline), chance.factor(MEAN_NOISE));
        let shape =
            |value: f64, sd: f64, chance: &mut Chance| (value + sd * chance.normal()).clamp(0.01, 0.999);
        Seen {
            cell: self.number,
            x: self.at[0] / um_per_px,
            y: self.at[1] / um_per_px,
            phase,
            area: (area * area_noise).max(12.0),
            mean: mean * mean_noise / area_noise.sqrt(),
            eccentricity: shape(like.eccentricity, 0.04, chance),
            solidity: shape(like.solidity, 0.01, chance),
            probability: noisy(&like.probability, chance),
        }
    }
}

/// Probabilities whose log odds are shaken.
fn noisy(probability: &[f64; PHASES], chance: &mut Chance) -> [f64; PHASES] {
    let shaken = probability.map(|p| p.max(1e-6) * chance.factor(LOGIT_NOISE));
    let sum: f64 = shaken.iter().sum();
    shaken.map(|p| p / sum)
}
