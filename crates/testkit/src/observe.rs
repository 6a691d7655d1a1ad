//! What a microscope and a segmentation make of the true nuclei: misses, false objects, merges, splits, jitter, drift, jumps.

use std::collections::{BTreeMap, BTreeSet};

use crate::chance::Chance;
use crate::design::Faults;
use crate::lives::{Lives, Seen};
use crate::nuclei::PHASES;

/// Two nuclei can merge when their centres are nearer than this share of the sum of their radii.
const TOUCHING: f64 = 1.15;
/// A merged pair that still touches in the next frame is merged again with this probability (assumed: the same segmentation sees nearly the same picture).
const MERGED_AGAIN: f64 = 0.75;
/// False objects have 5 to 60 % of a nucleus's area (assumed).
const FALSE_AREA: [f64; 2] = [0.05, 0.6];

/// One object as a tracker gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// Frame, from 0.
    pub frame: usize,
    /// Column of the centre in pixels.
    pub x: f64,
    /// Row of the centre in pixels.
    pub y: f64,
    /// Area in pixels.
    pub area: f64,
    /// Mean grey value.
    pub mean: f64,
    /// Eccentricity.
    pub eccentricity: f64,
    /// Solidity.
    pub solidity: f64,
    /// Class probabilities in the order of [`crate::nuclei::Phase`].
    pub probability: [f64; PHASES],
    /// True track of the nucleus (0: a false object); the larger of two merged ones.
    pub track: u32,
    /// The second nucleus of a merge, else 0.
    pub second: u32,
}

/// Where the field looks in a frame, relative to the first, in pixels.
pub(crate) fn stage(faults: &Faults, frame: usize) -> [f64; 2] {
    let jump = match faults.jump {
        Some((first, by)) if frame >= first => by,
        _ => [0.0; 2],
    };
    [0, 1].map(|axis| faults.drift_px[axis] * frame as f64 + jump[axis])
}

/// The detections of a movie, frame by frame, in random order within a frame. `track_of(cell, frame)` names the true track of a visible nucleus.
pub(crate) fn observe(
    lives: &Lives,
    faults: &Faults,
    track_of: &BTreeMap<(usize, usize), u32>,
    chance: &mut Chance,
) -> Vec<Detection> {
    let mut missed_before = BTreeSet::new();
    let mut merged_before = BTreeSet::new();
    let mut debris: Vec<([f64; 2], Detection)> = Vec::new();
    let mut detections = Vec::new();
    for (frame, seen) in lives.frames.iter().enumerate() {
        let shift = stage(faults, frame);
        let visible: Vec<&Seen> = seen
            .iter()
            .filter(|nucleus| track_of.contains_key(&(nucleus.cell, frame)))
            .collect();
        let mut missed_now = BTreeSet::new();
        let mut of_frame: Vec<Detection> = Vec::new();
        for nucleus in &visible {
            let again = missed_before.contains(&nucleus.cell) && chance.happens(faults.missed_again);
            if again || chance.happens(faults.missed) {
                missed_now.insert(nucleus.cell);
                continue;
            }
            let near_edge = (0..2)
                .map(|axis| {
                    let at = [nucleus.x, nucleus.y][axis] - shift[axis];
                    at.min(lives.field_px[axis] - at)
                })
                .fold(f64::INFINITY, f64::min);
            // A nucleus on the border shows between half and all of itself.
            let shown =
                0.5 + 0.5 * (near_edge / (nucleus.area / std::f64::consts::PI).sqrt()).clamp(0.0, 1.0);
            of_frame.push(Detection {
                frame,
                x: nucleus.x - shift[0] + faults.jitter_px * chance.normal(),
                y: nucleus.y - shift[1] + faults.jitter_px * chance.normal(),
                area: nucleus.area * shown,
                mean: nucleus.mean,
                eccentricity: nucleus.eccentricity,
                solidity: nucleus.solidity,
                probability: nucleus.probability,
                track: track_of[&(nucleus.cell, frame)],
                second: 0,
            });
        }
        missed_before = missed_now;
        merge(&mut of_frame, faults.merged, &mut merged_before, chance);
        split(&mut of_frame, faults.split, chance);
        // Debris that stays, then new false objects; they lie on the dish and drift with it.
        debris.retain(|_| chance.happens(1.0 - 1.0 / faults.false_frames));
        let wanted = faults.false_objects * visible.len() as f64 / faults.false_frames;
        for _ in 0..chance.poisson(wanted) {
            let at = [0, 1].map(|axis| chance.uniform(0.0, lives.field_px[axis]) + shift[axis]);
            let Some(like) = visible.get(chance.below(visible.len().max(1))) else {
                continue;
            };
            let area = (like.area * chance.uniform(FALSE_AREA[0], FALSE_AREA[1])).max(12.0);
            let looks = Detection {
                frame,
                x: 0.0,
                y: 0.0,
                area,
                mean: like.mean * chance.uniform(0.2, 0.9),
                eccentricity: chance.uniform(0.3, 0.95),
                solidity: chance.uniform(0.75, 0.97),
                probability: like.probability,
                track: 0,
                second: 0,
            };
            debris.push((at, looks));
        }
        for (at, looks) in &debris {
            let jitter = [
                faults.jitter_px * chance.normal(),
                faults.jitter_px * chance.normal(),
            ];
            let [x, y] = [0, 1].map(|axis| at[axis] - shift[axis] + jitter[axis]);
            if (0.0..lives.field_px[0]).contains(&x) && (0.0..lives.field_px[1]).contains(&y) {
                of_frame.push(Detection {
                    frame,
                    x,
                    y,
                    ..looks.clone()
                });
            }
        }
        for detection in &mut of_frame {
            detection.x = detection.x.clamp(0.0, lives.field_px[0]);
            detection.y = detection.y.clamp(0.0, lives.field_px[1]);
        }
        chance.shuffle(&mut of_frame);
        detections.append(&mut of_frame);
    }
    detections
}

/// Joins touching pairs such that a share `p` of them is merged; each nucleus joins once. `before`: the pairs that were merged in the frame before, by true
/// tracks; becomes those of this frame.
fn merge(detections: &mut Vec<Detection>, p: f64, before: &mut BTreeSet<[u32; 2]>, chance: &mut Chance) {
    if p <= 0.0 {
        return;
    }
    detections.sort_by(|a, b| a.x.total_cmp(&b.x));
    let radius = |detection: &Detection| (detection.area / std::f64::consts::PI).sqrt();
    let widest = detections.iter().map(radius).fold(0.0, f64::max);
    let mut gone = vec![false; detections.len()];
    let mut now = BTreeSet::new();
    // Merges begin as often as they end.
    let begins = p * (1.0 - MERGED_AGAIN) / (1.0 - p).max(1.0 - MERGED_AGAIN);
    for a in 0..detections.len() {
        for b in a + 1..detections.len() {
            if detections[b].x - detections[a].x > 2.0 * TOUCHING * widest {
                break;
            }
            if gone[a] || gone[b] || detections[a].second > 0 || detections[b].second > 0 {
                continue;
            }
            let (one, two) = (&detections[a], &detections[b]);
            let distance = (one.x - two.x).hypot(one.y - two.y);
            let pair = [one.track.min(two.track), one.track.max(two.track)];
            let p = if before.contains(&pair) {
                MERGED_AGAIN
            } else {
                begins
            };
            if distance > TOUCHING * (radius(one) + radius(two)) || !chance.happens(p) {
                continue;
            }
            now.insert(pair);
            let (large, small) = if one.area >= two.area {
                (one, two)
            } else {
                (two, one)
            };
            let area = one.area + two.area;
            let share = |of: fn(&Detection) -> f64| (of(one) * one.area + of(two) * two.area) / area;
            let joined = Detection {
                x: share(|detection| detection.x),
                y: share(|detection| detection.y),
                area,
                mean: share(|detection| detection.mean),
                // Two discs side by side: a long, notched object.
                eccentricity: (0.75 + 0.2 * chance.uniform(0.0, 1.0)).max(large.eccentricity),
                solidity: (large.solidity - 0.03 - 0.06 * chance.uniform(0.0, 1.0)).max(0.5),
                track: large.track,
                second: small.track,
                ..large.clone()
            };
            detections[a] = joined;
            gone[b] = true;
        }
    }
    *before = now;
    let mut number = 0;
    detections.retain(|_| {
        number += 1;
        !gone[number - 1]
    });
}

/// Cuts nuclei in two with probability `p`; the larger piece keeps the truth.
fn split(detections: &mut Vec<Detection>, p: f64, chance: &mut Chance) {
    let mut pieces = Vec::new();
    for detection in detections.iter_mut() {
        if p <= 0.0 || !chance.happens(p) {
            continue;
        }
        let share = chance.uniform(0.5, 0.75);
        let axis = chance.direction();
        let radius = (detection.area / std::f64::consts::PI).sqrt();
        let piece = Detection {
            x: detection.x - axis[0] * radius * share,
            y: detection.y - axis[1] * radius * share,
            area: detection.area * (1.0 - share),
            track: 0,
            second: 0,
            ..detection.clone()
        };
        detection.x += axis[0] * radius * (1.0 - share);
        detection.y += axis[1] * radius * (1.0 - share);
        detection.area *= share;
        pieces.push(piece);
    }
    detections.append(&mut pieces);
}
