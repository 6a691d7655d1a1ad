//! Published laws of how cells crawl. Lengths in µm, times in minutes.
//!
//! Speed and persistence are given per movie; the ranges that movies draw them from, with their sources, are in [`crate::design`].

use serde::{Deserialize, Serialize};

use crate::chance::Chance;

/// How a cell moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Law {
    /// Persistent random walk: each velocity component is an Ornstein-Uhlenbeck process (Fürth 1920, Z. Physik 2:244).
    PersistentWalk,
    /// The same with an activity that wanders in log-normal fashion along each path, which gives heavy tails
    /// (Metzner et al. 2015, Nat. Commun. 6:7516: superstatistical walks).
    Superstatistical,
    /// Straight runs at a cell's own speed, exponential in time, with a new direction after each (run and tumble; heterogeneous speeds as in
    /// Partridge et al. 2022, PLoS ONE 17:e0272587).
    RunAndTumble,
    /// Runs whose lengths follow a truncated power law of exponent 2..3, with pauses between (Huda et al. 2018, Nat. Commun. 9:4539:
    /// metastatic cells, fitted exponents 2.2..3.0).
    LevyWalk,
    /// Velocity process whose increments have exponential tails, as fibroblasts and keratinocytes show (Selmeczi et al. 2005, Biophys. J. 89:912).
    ExponentialTails,
    /// A smooth flow shared by neighbours plus a persistent walk of each cell's own: cells of a sheet (Angelini et al. 2010, PRL 104:168104).
    Collective,
}

/// Share of the mean square speed that the flow carries in [`Law::Collective`].
const SHARED: f64 = 0.6;
/// Range of wave lengths of the flow in µm (about 5 to 20 cells across).
const WAVE_UM: [f64; 2] = [100.0, 400.0];
/// Standard deviation of log activity along a path and its correlation time in minutes (assumed; heavier tails than any Gaussian walk).
const ACTIVITY_SD: f64 = 0.8;
const ACTIVITY_MIN: f64 = 60.0;
/// Spread of speeds between cells of one movie: standard deviation of the log (assumed for every law).
const BETWEEN_CELLS_SD: f64 = 0.35;

/// A law with its speed and persistence.
#[derive(Clone, Debug)]
pub struct Motion {
    law: Law,
    /// Root mean square speed in µm/min.
    speed: f64,
    /// Persistence time in minutes.
    persistence: f64,
    /// Exponent of the run lengths of [`Law::LevyWalk`].
    exponent: f64,
    waves: Vec<Wave>,
}

/// One plane wave of the shared flow; perpendicular to its direction of travel, so that the flow neither gathers nor thins cells.
#[derive(Clone, Debug)]
struct Wave {
    number: [f64; 2],
    amplitude: f64,
    phase: f64,
    per_min: f64,
}

/// What one cell remembers of its motion.
#[derive(Clone, Copy, Debug)]
pub struct Stride {
    velocity: [f64; 2],
    speed_factor: f64,
    log_activity: f64,
    left_min: f64,
}

impl Motion {
    /// A law with a root mean square speed (µm/min) and a persistence time (min); `chance` draws what the movie shares.
    pub fn new(law: Law, speed: f64, persistence: f64, chance: &mut Chance) -> Self {
        let waves = (0..8).map(|_| {
            let direction = chance.direction();
            let length = chance.log_uniform(WAVE_UM[0], WAVE_UM[1]);
            let number = direction.map(|component| component * std::f64::consts::TAU / length);
            // Eight waves of equal power, each with a mean square of half its squared amplitude.
            let amplitude = speed * (SHARED * 2.0 / 8.0).sqrt();
            let per_min = std::f64::consts::TAU / (persistence * chance.uniform(4.0, 12.0));
            Wave {
                number,
                amplitude,
                phase: chance.uniform(0.0, std::f64::consts::TAU),
                per_min,
            }
        });
        let waves = if law == Law::Collective {
            waves.collect()
        } else {
            Vec::new()
        };
        Self {
            law,
            speed,
            persistence,
            exponent: chance.uniform(2.2, 3.0),
            waves,
        }
    }

    /// The state of a cell that enters the movie.
    pub fn start(&self, chance: &mut Chance) -> Stride {
        let mut stride = Stride {
            velocity: [0.0; 2],
            speed_factor: chance.factor(BETWEEN_CELLS_SD),
            log_activity: ACTIVITY_SD * chance.normal(),
            left_min: 0.0,
        };
        match self.law {
            Law::RunAndTumble | Law::LevyWalk => self.turn(&mut stride, chance),
            _ => {
                let sd = self.own_speed(&stride) / 2.0_f64.sqrt();
                stride.velocity = [sd * chance.normal(), sd * chance.normal()];
            }
        }
        stride
    }

    /// Velocity in µm/min over the next `dt` minutes for a cell at `at` (µm) at time `t` (min).
    pub fn step(&self, stride: &mut Stride, at: [f64; 2], t: f64, dt: f64, chance: &mut Chance) -> [f64; 2] {
        match self.law {
            Law::PersistentWalk => self.relax(stride, dt, 1.0, [chance.normal(), chance.normal()]),
            Law::Superstatistical => {
                let keep = (-dt / ACTIVITY_MIN).exp();
                stride.log_activity =
                    keep * stride.log_activity + ACTIVITY_SD * (1.0 - keep * keep).sqrt() * chance.normal();
                // Divided by the root mean square of the log-normal factor, so that the speed stays the movie's.
                let activity = (stride.log_activity - ACTIVITY_SD * ACTIVITY_SD).exp();
                self.relax(stride, dt, activity, [chance.normal(), chance.normal()]);
            }
            Law::ExponentialTails => {
                // Laplace increments of unit variance.
                let mut laplace = || {
                    let size = chance.exponential(0.5_f64.sqrt());
                    if chance.happens(0.5) { size } else { -size }
                };
                let noise = [laplace(), laplace()];
                self.relax(stride, dt, 1.0, noise);
            }
            Law::RunAndTumble | Law::LevyWalk => {
                stride.left_min -= dt;
                if stride.left_min <= 0.0 {
                    self.turn(stride, chance);
                }
            }
            Law::Collective => {
                self.relax(
                    stride,
                    dt,
                    (1.0 - SHARED).sqrt(),
                    [chance.normal(), chance.normal()],
                );
                let flow = self.flow(at, t);
                return [stride.velocity[0] + flow[0], stride.velocity[1] + flow[1]];
            }
        }
        stride.velocity
    }

    fn own_speed(&self, stride: &Stride) -> f64 {
        self.speed * stride.speed_factor
    }

    /// One exact step of the Ornstein-Uhlenbeck process with unit-variance noise.
    fn relax(&self, stride: &mut Stride, dt: f64, factor: f64, noise: [f64; 2]) {
        let keep = (-dt / self.persistence).exp();
        let sd = factor * self.own_speed(stride) / 2.0_f64.sqrt() * (1.0 - keep * keep).sqrt();
        for (component, noise) in stride.velocity.iter_mut().zip(noise) {
            *component = keep * *component + sd * noise;
        }
    }

    /// A new run.
    fn turn(&self, stride: &mut Stride, chance: &mut Chance) {
        let paused = self.law == Law::LevyWalk && stride.velocity != [0.0; 2] && chance.happens(0.5);
        let speed = if paused { 0.0 } else { self.own_speed(stride) };
        stride.velocity = chance.direction().map(|component| component * speed);
        stride.left_min = match self.law {
            Law::LevyWalk if !paused => {
                chance.power_law(self.exponent, self.persistence / 4.0, self.persistence * 40.0)
            }
            _ => chance.exponential(self.persistence),
        };
    }

    fn flow(&self, at: [f64; 2], t: f64) -> [f64; 2] {
        let mut flow = [0.0; 2];
        for wave in &self.waves {
            let phase = wave.number[0] * at[0] + wave.number[1] * at[1] + wave.phase + wave.per_min * t;
            let size = wave.number[0].hypot(wave.number[1]);
            flow[0] -= wave.amplitude * wave.number[1] / size * phase.sin();
            flow[1] += wave.amplitude * wave.number[0] / size * phase.sin();
        }
        flow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Root mean square speed and kurtosis of the displacement component over `lag` steps of a minute.
    fn walk(law: Law) -> (f64, f64) {
        let mut chance = Chance::new(5, "walks");
        let (mut squares, mut fourth, mut n) = (0.0, 0.0, 0.0);
        for _ in 0..12 {
            let motion = Motion::new(law, 0.4, 20.0, &mut chance);
            for _ in 0..80 {
                let mut stride = motion.start(&mut chance);
                let start = [chance.uniform(0.0, 500.0), chance.uniform(0.0, 500.0)];
                for minute in 0..60 {
                    let v = motion.step(&mut stride, start, f64::from(minute), 1.0, &mut chance);
                    squares += v[0] * v[0] + v[1] * v[1];
                    fourth += v[0].powi(4) + v[1].powi(4);
                    n += 1.0;
                }
            }
        }
        (
            (squares / n).sqrt(),
            (fourth / (2.0 * n)) / (squares / (2.0 * n)).powi(2),
        )
    }

    #[test]
    fn speeds_are_the_ones_asked_for_and_tails_differ_by_law() {
        // Factors between cells: root mean square exp(0.35²) = 1.13 times the movie's speed.
        for law in [
            Law::PersistentWalk,
            Law::Superstatistical,
            Law::RunAndTumble,
            Law::ExponentialTails,
            Law::Collective,
        ] {
            let (speed, _) = walk(law);
            assert!((0.34..0.56).contains(&speed), "{law:?} {speed}");
        }
        let (paused, _) = walk(Law::LevyWalk);
        assert!((0.2..0.46).contains(&paused), "{paused}");
        let (_, gauss) = walk(Law::PersistentWalk);
        let (_, heavy) = walk(Law::Superstatistical);
        assert!(heavy > gauss * 1.5, "{heavy} {gauss}");
    }
}
