//! How cells moved: path, speed, directionality, mean squared displacement, length of the cell cycle.

use super::linked::Linked;

/// Lags of the mean squared displacement: at most this share of the frames, and at most this many.
const LAG_SHARE: usize = 2;
const MOST_LAGS: usize = 60;
/// Pairs of positions that a lag needs for its mean to be shown.
const LEAST_PAIRS: usize = 20;
/// Rounds of the bootstrap over whole tracks.
const ROUNDS: usize = 400;

/// Frames and pixels in the units of the world, where they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Clock {
    /// Hours from one frame to the next.
    pub(super) hours: Option<f64>,
    /// Micrometers a pixel.
    pub(super) um: Option<f64>,
}

impl Clock {
    /// Word for a unit of time.
    pub(super) fn time_unit(&self) -> &'static str {
        if self.hours.is_some() { "h" } else { "frames" }
    }

    /// Word for a unit of length.
    pub(super) fn length_unit(&self) -> &'static str {
        if self.um.is_some() { "um" } else { "px" }
    }

    /// Frames as time.
    pub(super) fn time(&self, frames: f64) -> f64 {
        frames * self.hours.unwrap_or(1.0)
    }

    /// Pixels as length.
    pub(super) fn length(&self, pixels: f64) -> f64 {
        pixels * self.um.unwrap_or(1.0)
    }

    /// Pixels a frame as speed.
    pub(super) fn speed(&self, pixels: f64) -> f64 {
        self.length(pixels) / self.hours.unwrap_or(1.0)
    }
}

/// The motion of one track, in pixels and frames, drift of the field taken off.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TrackMotion {
    /// The track.
    pub(super) track: u32,
    /// Frames from first to last, both counted.
    pub(super) frames: u32,
    /// Length of the way.
    pub(super) path: f64,
    /// Distance from first to last position.
    pub(super) displacement: f64,
    /// Frames from birth to division where both were seen.
    pub(super) cycle_frames: Option<u32>,
    /// Probability that both divisions and every link between them are right.
    pub(super) cycle_probability: Option<f64>,
}

impl TrackMotion {
    /// Displacement over path: 1 is straight, near 0 goes nowhere. `None` for a cell that did not move or has one frame.
    pub(super) fn directionality(&self) -> Option<f64> {
        (self.path > 0.0).then(|| self.displacement / self.path)
    }

    /// Mean length of a step; `None` for one frame.
    pub(super) fn mean_step(&self) -> Option<f64> {
        (self.frames > 1).then(|| self.path / f64::from(self.frames - 1))
    }
}

/// Motion of every track.
pub(super) fn motion(linked: &Linked) -> Vec<TrackMotion> {
    linked
        .tracks
        .tracks
        .iter()
        .map(|track| {
            let steps = linked.steps(track.id);
            let (dx, dy) = steps
                .iter()
                .fold((0.0, 0.0), |sum, step| (sum.0 + step.0, sum.1 + step.1));
            let index = track.id as usize - 1;
            let ends = linked.born[index].zip(linked.divides[index]);
            let divisions = &linked.tracks.divisions;
            TrackMotion {
                track: track.id,
                frames: track.last - track.first + 1,
                path: steps.iter().map(|(dx, dy)| dx.hypot(*dy)).sum(),
                displacement: f64::hypot(dx, dy),
                cycle_frames: ends.map(|_| track.last - track.first + 1),
                cycle_probability: ends.map(|(born, divides)| {
                    divisions[born].probability * divisions[divides].probability * track.probability
                }),
            }
        })
        .collect()
}

/// Mean squared displacement at one lag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MsdPoint {
    /// Frames.
    pub(super) lag: u32,
    /// Mean over all pairs of positions of one cell so far apart in time, square pixels.
    pub(super) mean: f64,
    /// 90 % interval over whole tracks.
    pub(super) interval: (f64, f64),
}

/// Mean squared displacement by lag, drift taken off; overlapping pairs, tracks resampled for the interval.
///
/// Source: Saxton 1997, Biophys. J. 72:1744 (time and ensemble average).
pub(super) fn mean_squared_displacement(linked: &Linked, seed: u64) -> Vec<MsdPoint> {
    let lags = (linked.observed.len() / LAG_SHARE).min(MOST_LAGS);
    // For each track and lag: sum of squares and number of pairs.
    let sums: Vec<Vec<(f64, f64)>> = linked
        .tracks
        .tracks
        .iter()
        .map(|track| {
            let mut at = vec![(0.0, 0.0)];
            for (dx, dy) in linked.steps(track.id) {
                let last = at[at.len() - 1];
                at.push((last.0 + dx, last.1 + dy));
            }
            (1..=lags)
                .map(|lag| {
                    let pairs = at.iter().zip(at.iter().skip(lag));
                    let squares = pairs.map(|(a, b)| (b.0 - a.0).powi(2) + (b.1 - a.1).powi(2));
                    squares.fold((0.0, 0.0), |sum, square| (sum.0 + square, sum.1 + 1.0))
                })
                .collect()
        })
        .collect();
    let groups: Vec<u32> = (0..sums.len() as u32).collect();
    let mut points = Vec::new();
    for lag in 0..lags {
        let mean = |rows: &[usize]| {
            let (sum, n) = rows.iter().fold((0.0, 0.0), |all, &row| {
                let own = sums[row][lag];
                (all.0 + own.0, all.1 + own.1)
            });
            (n > 0.0).then(|| sum / n)
        };
        let all: Vec<usize> = (0..sums.len()).collect();
        let pairs: f64 = sums.iter().map(|of_track| of_track[lag].1).sum();
        if pairs < LEAST_PAIRS as f64 {
            break;
        }
        let mut random = uncertainty::stream(seed, &format!("mean squared displacement {lag}"));
        let interval = uncertainty::bootstrap_groups(&groups, ROUNDS, 0.9, &mut random, |rows| mean(rows));
        if let (Some(mean), Some(interval)) = (mean(&all), interval) {
            points.push(MsdPoint {
                lag: lag as u32 + 1,
                mean,
                interval,
            });
        }
    }
    points
}
