//! The global shift of a frame against the one before: stage drift and stage jumps.
//!
//! Cells move each on its own, the stage moves all of them alike. Slow drift is the median displacement of mutual nearest
//! neighbours. A jump of more than the distance between cells makes nearest neighbours meaningless; then all differences of positions vote
//! for a shift (the peak of the cross-correlation of the two point patterns) and the median is taken about it.

use rayon::prelude::*;

use crate::scene::Grid;

/// Objects of a frame that vote at most: the number of votes is its square.
const VOTERS: usize = 600;
/// A shift below this many standard errors is taken for none.
const SIGNIFICANT: f64 = 3.0;

/// Shift of each frame against the one before, (0, 0) for the first and wherever it cannot be told.
pub(crate) fn estimate_drift(frames: &[Vec<[f64; 2]>]) -> Vec<[f64; 2]> {
    let pairs: Vec<[f64; 2]> = frames
        .par_windows(2)
        .map(|pair| shift_between(&pair[0], &pair[1]))
        .collect();
    let mut drift = vec![[0.0; 2]; frames.len()];
    for (t, shift) in pairs.into_iter().enumerate() {
        drift[t + 1] = shift;
    }
    drift
}

/// Shift from pattern `a` to pattern `b`.
fn shift_between(a: &[[f64; 2]], b: &[[f64; 2]]) -> [f64; 2] {
    if a.len() < 4 || b.len() < 4 {
        return [0.0; 2];
    }
    let grid = Grid::new(b, 0);
    let here = Agreement::of(a, b, &grid, [0.0; 2]);
    let mut best = here.clone();
    // Where most objects find a partner close by, there was no jump; else look for one.
    if here.typical > 0.25 * here.spacing {
        let voted = vote(a, b, here.spacing);
        let jumped = Agreement::of(a, b, &grid, voted);
        if jumped.typical < 0.5 * here.typical {
            best = jumped;
        }
    }
    best.significant_shift()
}

/// How well two patterns agree after a shift.
#[derive(Clone)]
struct Agreement {
    median: [f64; 2],
    error: f64,
    /// Median distance of mutual nearest neighbours after the shift.
    typical: f64,
    /// Typical distance between objects of one frame.
    spacing: f64,
}

impl Agreement {
    fn of(a: &[[f64; 2]], b: &[[f64; 2]], to: &Grid, shift: [f64; 2]) -> Self {
        let back = Grid::new(a, 0);
        let mut moves = Vec::with_capacity(a.len());
        for (i, p) in a.iter().enumerate() {
            let Some((j, _)) = to.nearest([p[0] + shift[0], p[1] + shift[1]]) else {
                continue;
            };
            let q = b[j as usize];
            let mutual = back
                .nearest([q[0] - shift[0], q[1] - shift[1]])
                .is_some_and(|(k, _)| k as usize == i);
            if mutual {
                moves.push([q[0] - p[0], q[1] - p[1]]);
            }
        }
        let spacing = nearest_in_pattern(a, &back);
        if moves.is_empty() {
            return Self {
                median: [0.0; 2],
                error: f64::INFINITY,
                typical: f64::INFINITY,
                spacing,
            };
        }
        let median = [
            median_of(moves.iter().map(|m| m[0])),
            median_of(moves.iter().map(|m| m[1])),
        ];
        let apart = |m: &[f64; 2]| ((m[0] - median[0]).powi(2) + (m[1] - median[1]).powi(2)).sqrt();
        let typical = median_of(moves.iter().map(apart));
        let missing = a.len().min(b.len()) as f64 / moves.len() as f64;
        // Standard error of a median: 1.2533 sd / sqrt(n); the median radius of a 2-D normal is 1.1774 sd.
        let error = 1.2533 * (typical / 1.1774) / (moves.len() as f64).sqrt();
        Self {
            median,
            error,
            typical: typical * missing,
            spacing,
        }
    }

    fn significant_shift(&self) -> [f64; 2] {
        let length = (self.median[0].powi(2) + self.median[1].powi(2)).sqrt();
        if length > SIGNIFICANT * self.error {
            self.median
        } else {
            [0.0; 2]
        }
    }
}

/// Median distance to the nearest other object of the same frame.
fn nearest_in_pattern(points: &[[f64; 2]], grid: &Grid) -> f64 {
    let every = points.len().div_ceil(VOTERS);
    let distances = points.iter().enumerate().step_by(every).map(|(i, p)| {
        let mut radius = 1e-9 + grid.nearest([p[0] + 1e-9, p[1]]).map_or(0.0, |(_, d2)| d2.sqrt());
        loop {
            radius = radius * 2.0 + 1e-6;
            let mut best = f64::INFINITY;
            grid.within(*p, radius, |j, d2| {
                if j as usize != i {
                    best = best.min(d2);
                }
            });
            if best.is_finite() || radius > 1e12 {
                return best.sqrt();
            }
        }
    });
    median_of(distances.filter(|d| d.is_finite()))
}

/// The shift that most differences of positions agree on, to a quarter of the spacing.
fn vote(a: &[[f64; 2]], b: &[[f64; 2]], spacing: f64) -> [f64; 2] {
    let bin = (spacing / 4.0).max(1e-6);
    let thin = |points: &[[f64; 2]]| -> Vec<[f64; 2]> {
        points
            .iter()
            .step_by(points.len().div_ceil(VOTERS))
            .copied()
            .collect()
    };
    // Only one side may be thinned, or partners are lost.
    let (few, all) = (thin(a), b);
    let mut votes: Vec<(i32, i32)> = Vec::with_capacity(few.len() * all.len());
    for p in &few {
        for q in all {
            votes.push((
                ((q[0] - p[0]) / bin).round() as i32,
                ((q[1] - p[1]) / bin).round() as i32,
            ));
        }
    }
    votes.sort_unstable();
    let count =
        |key: (i32, i32)| (votes.partition_point(|&v| v <= key) - votes.partition_point(|&v| v < key)) as u32;
    let mut best = (0u32, (0, 0));
    let mut i = 0;
    while i < votes.len() {
        let key = votes[i];
        let end = votes.partition_point(|&v| v <= key);
        let mut sum = 0;
        if end - i >= 2 {
            for dx in -1..=1 {
                for dy in -1..=1 {
                    sum += count((key.0 + dx, key.1 + dy));
                }
            }
        }
        if sum > best.0 {
            best = (sum, key);
        }
        i = end;
    }
    [best.1.0 as f64 * bin, best.1.1 as f64 * bin]
}

/// Median; 0 of nothing.
pub(crate) fn median_of(values: impl Iterator<Item = f64>) -> f64 {
    let mut v: Vec<f64> = values.collect();
    if v.is_empty() {
        return 0.0;
    }
    let middle = v.len() / 2;
    let (_, m, _) = v.select_nth_unstable_by(middle, f64::total_cmp);
    *m
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern() -> Vec<[f64; 2]> {
        // A spiral of the golden angle: even, but without a period.
        (0..150)
            .map(|k| (f64::from(k).sqrt() * 30.0, f64::from(k) * 2.399_963))
            .map(|(r, a)| [r * a.cos(), r * a.sin()])
            .collect()
    }

    fn moved(by: [f64; 2]) -> Vec<[f64; 2]> {
        let each = |(k, p): (usize, &[f64; 2])| {
            [
                p[0] + by[0] + (k % 3) as f64 - 1.0,
                p[1] + by[1] + (k % 5) as f64 - 2.0,
            ]
        };
        pattern().iter().enumerate().map(each).collect()
    }

    #[test]
    fn slow_drift_and_a_stage_jump_are_found() {
        for by in [[3.0, -2.0], [90.0, 40.0], [-150.0, 10.0]] {
            let shift = shift_between(&pattern(), &moved(by));
            assert!(
                (shift[0] - by[0]).abs() < 1.1 && (shift[1] - by[1]).abs() < 1.1,
                "{shift:?} for {by:?}"
            );
        }
    }

    #[test]
    fn moving_cells_alone_are_no_drift() {
        assert_eq!(shift_between(&pattern(), &moved([0.0, 0.0])), [0.0, 0.0]);
    }

    #[test]
    fn too_few_objects_say_nothing() {
        assert_eq!(shift_between(&[[0.0, 0.0]], &[[9.0, 9.0]]), [0.0, 0.0]);
    }
}
