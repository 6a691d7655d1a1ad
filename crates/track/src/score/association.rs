//! Measures of whole tracks: found from end to end, followed without a break, HOTA, CHOTA, cell-cycle lengths.

use std::collections::{BTreeMap, BTreeSet};

use super::matching::Matching;
use super::tracking::Tracking;

/// F1 of tracks that one result track follows through every frame, with the same first and last frame (CT); `None` without any track.
///
/// Source: Ulman et al. 2017, Nat. Methods 14:1141.
pub fn complete_tracks(truth: &Tracking, result: &Tracking, matching: &Matching) -> Option<f64> {
    let followers = followers(truth, matching);
    let whole = followers.iter().filter(|(track, followed)| {
        let Some(&Some(first)) = followed.first() else {
            return false;
        };
        followed.iter().all(|&by| by == Some(first))
            && result.tracks.get(&first).is_some_and(|theirs| {
                let ours = &truth.tracks[track];
                (theirs.first, theirs.last) == (ours.first, ours.last)
            })
    });
    let tracks = truth.tracks.len() + result.tracks.len();
    (tracks > 0).then(|| 2.0 * whole.count() as f64 / tracks as f64)
}

/// Mean over the found true tracks of the longest share that one result track follows without interruption (TF); 0 when none is found.
///
/// As py-ctcmetrics has it: result tracks are gone through by number, and one that follows a whole true track counts for no later one.
/// Source: Ulman et al. 2017.
pub fn track_fractions(truth: &Tracking, matching: &Matching) -> f64 {
    let mut longest: BTreeMap<u32, BTreeMap<u32, f64>> = BTreeMap::new();
    for (track, followed) in followers(truth, matching) {
        let span = &truth.tracks[&track];
        let length = (span.last - span.first + 1) as f64;
        let mut run = 0_usize;
        let mut before = None;
        for by in followed {
            run = match by {
                Some(_) if by == before => run + 1,
                Some(_) => 1,
                None => 0,
            };
            if let Some(result) = by {
                let best = longest.entry(result).or_default().entry(track).or_insert(0.0);
                *best = best.max(run as f64 / length);
            }
            before = by;
        }
    }
    let mut fractions: BTreeMap<u32, f64> = BTreeMap::new();
    for of_result in longest.values() {
        for (&track, &fraction) in of_result {
            let best = fractions.entry(track).or_insert(0.0);
            if *best >= 1.0 {
                continue;
            }
            *best = best.max(fraction);
            if fraction >= 1.0 {
                break;
            }
        }
    }
    if fractions.is_empty() {
        0.0
    } else {
        fractions.values().sum::<f64>() / fractions.len() as f64
    }
}

/// For each true track the result track that stands for it and for nothing else, in each frame in which it has an object.
fn followers(truth: &Tracking, matching: &Matching) -> BTreeMap<u32, Vec<Option<u32>>> {
    let mut followers: BTreeMap<u32, Vec<Option<u32>>> = BTreeMap::new();
    for (objects, matched) in truth.frames.iter().zip(matching) {
        for object in objects {
            let by = matched
                .result_of(object.track)
                .filter(|&by| matched.only_truth(by).is_some());
            followers.entry(object.track).or_default().push(by);
        }
    }
    followers.retain(|track, _| truth.tracks.contains_key(track));
    followers
}

/// Objects that pairs of tracks share; lines without branches are one track. 0 on the result's side: missed; on the truth's side: false.
struct Shared {
    pairs: BTreeMap<(u32, u32), f64>,
    of_truth: BTreeMap<u32, f64>,
    of_result: BTreeMap<u32, f64>,
    all: f64,
}

fn shared(truth: &Tracking, result: &Tracking, matching: &Matching) -> Shared {
    let (true_lines, lines) = (truth.line_heads(), result.line_heads());
    let line = |of: &BTreeMap<u32, u32>, track: u32| of.get(&track).copied().unwrap_or(track);
    let mut shared = Shared {
        pairs: BTreeMap::new(),
        of_truth: BTreeMap::new(),
        of_result: BTreeMap::new(),
        all: 0.0,
    };
    for (frame, matched) in matching.iter().enumerate() {
        let objects = |tracking: &Tracking| tracking.frames.get(frame).cloned().unwrap_or_default();
        for object in objects(truth) {
            let by = matched.result_of(object.track).map_or(0, |by| line(&lines, by));
            *shared
                .pairs
                .entry((line(&true_lines, object.track), by))
                .or_default() += 1.0;
        }
        for object in objects(result) {
            if !matched.covered_by.contains_key(&object.track) {
                *shared.pairs.entry((0, line(&lines, object.track))).or_default() += 1.0;
            }
        }
    }
    for (&(true_line, line), &n) in &shared.pairs {
        *shared.of_truth.entry(true_line).or_default() += n;
        *shared.of_result.entry(line).or_default() += n;
        shared.all += n;
    }
    shared
}

/// Higher order tracking accuracy at the matching's one threshold: root of Σ over matched objects of their tracks' Jaccard index, over TP + FP + FN.
///
/// Tracks that continue each other (one child) count as one. `None` without objects. Source: Luiten et al. 2021, IJCV 129:548.
pub fn hota(truth: &Tracking, result: &Tracking, matching: &Matching) -> Option<f64> {
    let shared = shared(truth, result, matching);
    let mut sum = 0.0;
    for (&(true_line, line), &n) in &shared.pairs {
        if true_line > 0 && line > 0 {
            sum += n * n / (shared.of_truth[&true_line] + shared.of_result[&line] - n);
        }
    }
    (shared.all > 0.0).then(|| (sum / shared.all).sqrt())
}

/// HOTA in which a track's company is its whole descent: ancestors and descendants on both sides.
///
/// `None` without objects. Source: Kaiser et al. 2024, "CHOTA: A Higher Order Accuracy Metric for Cell Tracking".
pub fn chota(truth: &Tracking, result: &Tracking, matching: &Matching) -> Option<f64> {
    let shared = shared(truth, result, matching);
    let (true_kin, kin) = (kin(truth), kin(result));
    let alone = |track: u32| BTreeSet::from([track]);
    let kin_of = |kin: &BTreeMap<u32, BTreeSet<u32>>, track: u32| {
        kin.get(&track).cloned().unwrap_or_else(|| alone(track))
    };
    let mut sum = 0.0;
    for (&(true_line, line), &n) in &shared.pairs {
        if true_line == 0 || line == 0 {
            continue;
        }
        let (ours, theirs) = (kin_of(&true_kin, true_line), kin_of(&kin, line));
        let all = |of: &BTreeMap<u32, f64>, kin: &BTreeSet<u32>| {
            kin.iter().filter_map(|track| of.get(track)).sum::<f64>()
        };
        let both: f64 = ours
            .iter()
            .flat_map(|&true_line| shared.pairs.range((true_line, 0)..=(true_line, u32::MAX)))
            .filter(|((_, line), _)| theirs.contains(line))
            .map(|(_, n)| n)
            .sum();
        sum += n * both / (all(&shared.of_truth, &ours) + all(&shared.of_result, &theirs) - both);
    }
    (shared.all > 0.0).then(|| (sum / shared.all).sqrt())
}

/// Every unbranched line with its ancestors and descendants.
fn kin(tracking: &Tracking) -> BTreeMap<u32, BTreeSet<u32>> {
    let heads = tracking.line_heads();
    let lines: BTreeSet<u32> = heads.values().copied().collect();
    let mut kin: BTreeMap<u32, BTreeSet<u32>> =
        lines.iter().map(|&line| (line, BTreeSet::from([line]))).collect();
    for &line in &lines {
        let mut above = line;
        // As many steps as there are lines, so that a circle of parents ends.
        for _ in 0..lines.len() {
            let Some(parent) = tracking.tracks[&above].parent else {
                break;
            };
            above = heads[&parent];
            kin.entry(line).or_default().insert(above);
            kin.entry(above).or_default().insert(line);
        }
    }
    kin
}

/// 1 − the largest gap between the cumulative histograms of cell-cycle lengths (CCA): tracks that begin and end with a division.
///
/// `None` when the truth has no whole cycle, 0 when the result has none. Source: Ulman et al. 2017.
pub fn cell_cycle_accuracy(truth: &Tracking, result: &Tracking) -> Option<f64> {
    let (ours, theirs) = (cycles(truth), cycles(result));
    if ours.is_empty() {
        return None;
    }
    if theirs.is_empty() {
        return Some(0.0);
    }
    let longest = ours.iter().chain(&theirs).copied().max().unwrap_or(0);
    let share = |of: &[usize], length: usize| {
        of.iter().filter(|&&other| other <= length).count() as f64 / of.len() as f64
    };
    let gap = (0..=longest)
        .map(|length| (share(&ours, length) - share(&theirs, length)).abs())
        .fold(0.0, f64::max);
    Some(1.0 - gap)
}

fn cycles(tracking: &Tracking) -> Vec<usize> {
    let divisions = tracking.divisions();
    let whole = tracking.tracks.iter().filter(|(track, span)| {
        divisions.contains_key(track) && span.parent.is_some_and(|parent| divisions.contains_key(&parent))
    });
    whole.map(|(_, span)| span.last - span.first).collect()
}
