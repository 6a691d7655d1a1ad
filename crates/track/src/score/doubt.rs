//! Whether the probabilities of links and divisions mean what they say, and whether the wrong ones are found by looking where they are low.

use rand_chacha::ChaCha8Rng;
use uncertainty::{below, calibration_slope, ece_equal_mass, percentile};

use super::division::same_division;
use super::matching::Matching;
use super::tracking::Tracking;

/// Share of the links that a person would look at: least certain first.
const LOOKED_AT: f64 = 0.02;
/// Bins of equal mass for the calibration error; fine, as most probabilities lie close to 1.
const BINS: usize = 50;

/// A result's claim that an object of one frame is the cell of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkClaim {
    /// Frame and track of the earlier object.
    pub from: (usize, u32),
    /// Frame and track of the later one; another track for a mother's link to her child.
    pub to: (usize, u32),
    /// Probability that the link is right, from 0 to 1.
    pub probability: f64,
}

/// A result's claim that a track ends by dividing.
#[derive(Clone, Debug, PartialEq)]
pub struct DivisionClaim {
    /// The mother's track.
    pub mother: u32,
    /// Probability that she divides so, from 0 to 1.
    pub probability: f64,
}

/// A probability and what came true, in one movie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// The movie: rows of one movie are not independent.
    pub movie: usize,
    /// The probability that was given.
    pub probability: f64,
    /// What was claimed is so.
    pub right: bool,
}

/// Whether a link joins a cell to itself or a mother to her child.
///
/// `None` where the earlier object covers no single true cell: there is no truth about it. A link from a true cell to a false object, a merge or another
/// cell is wrong. A link over a gap is right when the cell is the same, or when the true mother's last frame and her child's first lie within it.
pub fn judge_link(truth: &Tracking, matching: &Matching, link: &LinkClaim) -> Option<bool> {
    let (from_frame, to_frame) = (link.from.0, link.to.0);
    let cell = matching.get(from_frame)?.only_truth(link.from.1)?;
    let Some(other) = matching.get(to_frame)?.only_truth(link.to.1) else {
        return Some(false);
    };
    let born_within = || {
        let (Some(mother), Some(child)) = (truth.tracks.get(&cell), truth.tracks.get(&other)) else {
            return false;
        };
        child.parent == Some(cell) && mother.last >= from_frame && child.first <= to_frame
    };
    Some(cell == other || born_within())
}

/// Whether the division of `claim.mother` in the result is one of the truth within `tolerance` frames.
///
/// `None` when the result has no such division.
pub fn judge_division(
    truth: &Tracking,
    result: &Tracking,
    matching: &Matching,
    tolerance: usize,
    claim: &DivisionClaim,
) -> Option<bool> {
    let of_result = result.divisions();
    let theirs = of_result.get(&claim.mother)?;
    let right = truth.divisions().iter().any(|(&mother, children)| {
        same_division(
            truth,
            result,
            matching,
            tolerance,
            (mother, children),
            (claim.mother, theirs),
        )
    });
    Some(right)
}

/// What probabilities are worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoubtScores {
    /// Claims.
    pub n: usize,
    /// Wrong ones.
    pub wrong: usize,
    /// Mean probability.
    pub mean_probability: f64,
    /// Share that is right.
    pub share_right: f64,
    /// Expected calibration error over 50 bins of equal mass.
    pub ece: f64,
    /// Mean squared difference of probability and outcome.
    pub brier: f64,
    /// Slope of the logistic regression of the outcome on the log odds; `None` when it cannot be estimated (all right, or separated).
    pub slope: Option<f64>,
    /// Share of the wrong claims among the 2 % least certain; ties at the limit count by their part. `None` when none is wrong.
    pub wrong_in_least_certain: Option<f64>,
}

/// Scores claims of any number of movies; `None` without claims or with a probability outside 0..=1.
pub fn score_doubt(judged: &[Judged]) -> Option<DoubtScores> {
    if judged.is_empty()
        || judged
            .iter()
            .any(|claim| !(0.0..=1.0).contains(&claim.probability))
    {
        return None;
    }
    let n = judged.len() as f64;
    let probability: Vec<f64> = judged.iter().map(|claim| claim.probability).collect();
    let right: Vec<bool> = judged.iter().map(|claim| claim.right).collect();
    let outcome = |right: bool| f64::from(u8::from(right));
    let share_right = right.iter().map(|&right| outcome(right)).sum::<f64>() / n;
    let squared = probability
        .iter()
        .zip(&right)
        .map(|(p, &right)| (p - outcome(right)).powi(2));
    Some(DoubtScores {
        n: judged.len(),
        wrong: right.iter().filter(|&&right| !right).count(),
        mean_probability: probability.iter().sum::<f64>() / n,
        share_right,
        ece: ece_equal_mass(&probability, &right, BINS)?,
        brier: squared.sum::<f64>() / n,
        slope: calibration_slope(&probability, &right).map(|fit| fit.slope),
        wrong_in_least_certain: wrong_in_least_certain(&probability, &right, LOOKED_AT),
    })
}

/// Share of the wrong claims that the least certain `share` of all claims holds. Claims of equal probability at the limit are taken in their mean
/// proportion, so that the answer does not depend on their order.
fn wrong_in_least_certain(probability: &[f64], right: &[bool], share: f64) -> Option<f64> {
    let wrong = right.iter().filter(|&&right| !right).count();
    if wrong == 0 {
        return None;
    }
    let mut order: Vec<usize> = (0..probability.len()).collect();
    order.sort_by(|&a, &b| probability[a].total_cmp(&probability[b]));
    let mut room = share * probability.len() as f64;
    let mut found = 0.0;
    for tie in order.chunk_by(|&a, &b| probability[a] == probability[b]) {
        if room <= 0.0 {
            break;
        }
        let wrong_here = tie.iter().filter(|&&at| !right[at]).count() as f64;
        found += wrong_here * (room / tie.len() as f64).min(1.0);
        room -= tie.len() as f64;
    }
    Some(found / wrong as f64)
}

/// Percentile intervals from resampling whole movies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoubtIntervals {
    /// Mean probability minus share right.
    pub excess: (f64, f64),
    /// Slope; `None` when half of the rounds have none.
    pub slope: Option<(f64, f64)>,
    /// Share of the wrong claims among the 2 % least certain.
    pub wrong_in_least_certain: Option<(f64, f64)>,
}

/// Intervals at `level` (0..1) of [`score_doubt`]'s figures from `rounds` bootstraps of whole movies; `None` with fewer than two movies.
///
/// `rng` from [`uncertainty::stream`].
pub fn doubt_intervals(
    judged: &[Judged],
    level: f64,
    rounds: usize,
    rng: &mut ChaCha8Rng,
) -> Option<DoubtIntervals> {
    let mut sorted = judged.to_vec();
    sorted.sort_by_key(|claim| claim.movie);
    let movies: Vec<&[Judged]> = sorted.chunk_by(|a, b| a.movie == b.movie).collect();
    if movies.len() < 2 {
        return None;
    }
    let (mut excess, mut slope, mut found) = (Vec::new(), Vec::new(), Vec::new());
    let mut drawn = Vec::with_capacity(judged.len());
    for _ in 0..rounds {
        drawn.clear();
        for _ in 0..movies.len() {
            drawn.extend_from_slice(movies[below(rng, movies.len())]);
        }
        let Some(scores) = score_doubt(&drawn) else {
            continue;
        };
        excess.push(scores.mean_probability - scores.share_right);
        slope.extend(scores.slope);
        found.extend(scores.wrong_in_least_certain);
    }
    let interval = |values: &mut Vec<f64>| {
        if values.len() * 2 < rounds {
            return None;
        }
        values.sort_by(f64::total_cmp);
        Some((
            percentile(values, (1.0 - level) / 2.0)?,
            percentile(values, (1.0 + level) / 2.0)?,
        ))
    };
    Some(DoubtIntervals {
        excess: interval(&mut excess)?,
        slope: interval(&mut slope),
        wrong_in_least_certain: interval(&mut found),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use uncertainty::{stream, uniform};

    fn claims(n: usize, told: impl Fn(f64) -> f64) -> Vec<Judged> {
        let mut rng = stream(2, "claims");
        (0..n)
            .map(|at| {
                let p = 1.0 - 0.5 * uniform(&mut rng).powi(3);
                Judged {
                    movie: at % 20,
                    probability: told(p),
                    right: uniform(&mut rng) < p,
                }
            })
            .collect()
    }

    #[test]
    fn honest_probabilities_have_slope_one_and_boasts_a_lower_one() {
        let honest = score_doubt(&claims(40_000, |p| p)).unwrap();
        assert!((honest.slope.unwrap() - 1.0).abs() < 0.06, "{honest:?}");
        assert!((honest.mean_probability - honest.share_right).abs() < 0.005 && honest.ece < 0.015);
        let boast = |p: f64| 1.0 / (1.0 + ((1.0 - p) / p).powf(2.0));
        let boasting = score_doubt(&claims(40_000, boast)).unwrap();
        assert!((boasting.slope.unwrap() - 0.5).abs() < 0.04, "{boasting:?}");
        assert!(boasting.mean_probability > boasting.share_right + 0.02);
    }

    #[test]
    fn intervals_by_movie_hold_the_truth() {
        let mut rng = stream(1, "intervals");
        let intervals = doubt_intervals(&claims(20_000, |p| p), 0.99, 400, &mut rng).unwrap();
        assert!(
            intervals.excess.0 < 0.0 && intervals.excess.1 > 0.0,
            "{intervals:?}"
        );
        // Binomial standard error of the share right: root of 0.875 * 0.125 / 20 000 = 0.0023, five of them between the ends.
        let width = intervals.excess.1 - intervals.excess.0;
        assert!((0.006..0.018).contains(&width), "{intervals:?}");
        let slope = intervals.slope.unwrap();
        assert!(slope.0 < 1.0 && slope.1 > 1.0, "{intervals:?}");
        let one_movie = [Judged {
            movie: 1,
            probability: 0.5,
            right: true,
        }];
        assert_eq!(doubt_intervals(&one_movie, 0.9, 20, &mut rng), None);
    }

    #[test]
    fn ties_at_the_limit_count_by_their_part() {
        // 100 claims: 2 may be looked at; 4 share the lowest probability, 2 of them wrong, 1 wrong elsewhere.
        let probability: Vec<f64> = (0..100).map(|at| if at < 4 { 0.5 } else { 0.9 }).collect();
        let right: Vec<bool> = (0..100).map(|at| !(at < 2 || at == 50)).collect();
        assert_eq!(
            wrong_in_least_certain(&probability, &right, 0.02),
            Some(1.0 / 3.0)
        );
        assert_eq!(wrong_in_least_certain(&probability, &[true; 100], 0.02), None);
    }
}
