//! Damages an annotated movie by the arithmetic rules of `scripts/score_oracle.py`: no random numbers, the same result in both programs.

use std::collections::{BTreeMap, BTreeSet};

/// First frame, last frame, parent (0 for none) by track.
pub type Tracks = BTreeMap<u32, (usize, usize, u32)>;
/// In each frame the new number of every true object, 0 when it is gone.
pub type Renamed = Vec<BTreeMap<u32, u32>>;

/// The damaged identities and their tracks.
pub fn edits(present: &[BTreeSet<u32>], tracks: &Tracks, flags: &[String]) -> (Renamed, Tracks) {
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    let n = present.len();
    let mut new: Renamed = present
        .iter()
        .map(|frame| frame.iter().map(|&k| (k, k)).collect())
        .collect();
    let mut parent: BTreeMap<u32, u32> = tracks.iter().map(|(&k, track)| (k, track.2)).collect();
    if has("late") {
        late(&mut new, tracks, &parent);
    }
    if has("swap") {
        swap(&mut new, &mut parent, present, tracks);
    }
    if has("merge") {
        for t in (2..n).step_by(5) {
            for &k in present[t].iter().filter(|&&k| k % 8 == 3) {
                if present[t].contains(&(k + 1)) && new[t][&k] > 0 {
                    let into = new[t][&k];
                    new[t].insert(k + 1, into);
                }
            }
        }
    }
    if has("drop") {
        for (t, frame) in present.iter().enumerate() {
            for &k in frame
                .iter()
                .filter(|&&k| (7 * k as usize + 13 * t).is_multiple_of(19))
            {
                new[t].insert(k, 0);
            }
        }
    }
    without_gaps(new, tracks, &parent)
}

/// Mothers of even number live a frame longer in place of one daughter; the other daughter's first frame is lost.
fn late(new: &mut Renamed, tracks: &Tracks, parent: &BTreeMap<u32, u32>) {
    let mothers: BTreeSet<u32> = parent
        .values()
        .copied()
        .filter(|&mother| mother > 0 && mother % 2 == 0)
        .collect();
    for mother in mothers {
        let children: Vec<u32> = parent
            .iter()
            .filter(|(_, of)| **of == mother)
            .map(|(&k, _)| k)
            .collect();
        let &[a, b] = children.as_slice() else { continue };
        let start = tracks[&a].0;
        if tracks[&b].0 == start && start == tracks[&mother].1 + 1 && tracks[&a].1.min(tracks[&b].1) > start {
            new[start].insert(a, 0);
            new[start].insert(b, mother);
        }
    }
}

/// From the middle of the movie on, some neighbouring numbers change places.
fn swap(new: &mut Renamed, parent: &mut BTreeMap<u32, u32>, present: &[BTreeSet<u32>], tracks: &Tracks) {
    let half = present.len() / 2;
    for &k in tracks.keys().filter(|&&k| k % 6 == 1) {
        if !(present[half].contains(&k) && present[half].contains(&(k + 1))) {
            continue;
        }
        let other = |of: u32| {
            if of == k || of == k + 1 {
                2 * k + 1 - of
            } else {
                of
            }
        };
        for frame in &mut new[half..] {
            frame.values_mut().for_each(|name| *name = other(*name));
        }
        for (child, of) in parent.iter_mut() {
            if tracks[child].0 > half {
                *of = other(*of);
            }
        }
    }
}

/// Cuts every track at its gaps; a later piece is the child of the one before.
fn without_gaps(new: Renamed, tracks: &Tracks, parent: &BTreeMap<u32, u32>) -> (Renamed, Tracks) {
    let mut frames: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
    for (t, frame) in new.iter().enumerate() {
        for &k in frame.values().filter(|&&k| k > 0) {
            frames.entry(k).or_default().insert(t);
        }
    }
    let mut top = *tracks.keys().chain(frames.keys()).max().unwrap();
    let mut rename: BTreeMap<(usize, u32), u32> = BTreeMap::new();
    let mut out: BTreeMap<u32, (usize, usize, Option<u32>)> = BTreeMap::new();
    let mut last_run: BTreeMap<u32, u32> = BTreeMap::new();
    for (&k, frames) in &frames {
        let frames: Vec<usize> = frames.iter().copied().collect();
        let mut before = None;
        for run in frames.chunk_by(|a, b| a + 1 == *b) {
            let name = if before.is_none() { k } else { top + 1 };
            top = top.max(name);
            out.insert(name, (run[0], run[run.len() - 1], before));
            run.iter().for_each(|&t| {
                rename.insert((t, k), name);
            });
            before = Some(name);
        }
        last_run.insert(k, before.unwrap());
    }
    let resolved = out.iter().map(|(&k, &(first, last, before))| {
        let mother = parent
            .get(&k)
            .and_then(|of| last_run.get(of))
            .copied()
            .filter(|mother| out[mother].1 < first);
        (k, (first, last, before.or(mother).unwrap_or(0)))
    });
    let renamed = new.iter().enumerate().map(|(t, frame)| {
        frame
            .iter()
            .map(|(&k, name)| (k, rename.get(&(t, *name)).copied().unwrap_or(0)))
            .collect()
    });
    (renamed.collect(), resolved.collect())
}
