//! Which object of one label image is which of another, and how many were found.

use std::collections::BTreeMap;

use crate::assignment::best_assignment;
use crate::labels::Labels;

/// Objects found at one IoU threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ApCounts {
    /// Matched pairs of a true and a predicted object.
    pub tp: u64,
    /// Predicted objects without a partner.
    pub fp: u64,
    /// True objects without a partner.
    pub fn_: u64,
    /// Sum of the IoU of the matched pairs.
    pub iou_sum: f64,
}

impl ApCounts {
    /// TP / (TP + FP + FN); 1 when there was nothing to find and nothing was found.
    pub fn average_precision(&self) -> f64 {
        let all = self.tp + self.fp + self.fn_;
        if all == 0 {
            1.0
        } else {
            self.tp as f64 / all as f64
        }
    }

    /// Panoptic quality: summed IoU / (TP + FP/2 + FN/2); 1 when there was nothing to find and nothing was found.
    pub fn panoptic_quality(&self) -> f64 {
        let all = self.tp as f64 + 0.5 * self.fp as f64 + 0.5 * self.fn_ as f64;
        if all == 0.0 { 1.0 } else { self.iou_sum / all }
    }

    /// Counts of two images together.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            tp: self.tp + other.tp,
            fp: self.fp + other.fp,
            fn_: self.fn_ + other.fn_,
            iou_sum: self.iou_sum + other.iou_sum,
        }
    }
}

/// All pairs of overlapping objects with their IoU, ordered by (object of `a`, object of `b`).
///
/// # Panics
/// If the shapes differ.
pub fn overlaps(a: &Labels, b: &Labels) -> Vec<(u32, u32, f64)> {
    assert_eq!(a.shape(), b.shape(), "label images must have the same shape");
    let (areas_a, areas_b) = (a.areas(), b.areas());
    // Runs of the same pair are counted before they are looked up.
    let mut shared: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    let (mut pair, mut run) = ((0, 0), 0);
    for (&la, &lb) in a.map.iter().zip(&b.map) {
        if (la, lb) == pair {
            run += 1;
            continue;
        }
        if pair.0 > 0 && pair.1 > 0 {
            *shared.entry(pair).or_default() += run;
        }
        (pair, run) = ((la, lb), 1);
    }
    if pair.0 > 0 && pair.1 > 0 {
        *shared.entry(pair).or_default() += run;
    }
    let iou = |(la, lb): (u32, u32), both: u32| {
        let union = areas_a[la as usize - 1] + areas_b[lb as usize - 1] - both;
        f64::from(both) / f64::from(union)
    };
    shared
        .into_iter()
        .map(|((la, lb), both)| (la, lb, iou((la, lb), both)))
        .collect()
}

/// For each object of `a` that overlaps any of `b`: the one of greatest IoU, as (object of a, object of b, IoU).
///
/// Two objects of `a` may have the same partner; see [`match_one_to_one`]. Ties go to the lower number.
///
/// # Panics
/// If the shapes differ.
pub fn match_iou(a: &Labels, b: &Labels) -> Vec<(u32, u32, f32)> {
    let mut best: Vec<(u32, u32, f64)> = Vec::new();
    for (la, lb, iou) in overlaps(a, b) {
        match best.last_mut() {
            Some(last) if last.0 == la => {
                if iou > last.2 {
                    *last = (la, lb, iou);
                }
            }
            _ => best.push((la, lb, iou)),
        }
    }
    best.into_iter()
        .map(|(la, lb, iou)| (la, lb, iou as f32))
        .collect()
}

/// A largest one-to-one matching among the pairs with IoU ≥ `threshold` (and > 0); among those, one of greatest sum.
///
/// Returned as (object of a, object of b, IoU), ordered by the object of `a`.
///
/// # Panics
/// If the shapes differ.
pub fn match_one_to_one(a: &Labels, b: &Labels, threshold: f32) -> Vec<(u32, u32, f32)> {
    let pairs = one_to_one(&overlaps(a, b), decimal(threshold), a.n.min(b.n));
    pairs
        .into_iter()
        .map(|(la, lb, iou)| (la, lb, iou as f32))
        .collect()
}

/// Objects found, at each IoU threshold.
///
/// The same numbers as `score_segmentation.py` gives: a largest one-to-one matching among the pairs with IoU at or
/// above the threshold; a threshold means its decimal value (0.8, not the nearest `f32`).
///
/// # Panics
/// If the shapes differ.
pub fn average_precision(truth: &Labels, pred: &Labels, thresholds: &[f32]) -> Vec<ApCounts> {
    let all = overlaps(truth, pred);
    let count = |&threshold: &f32| {
        let pairs = one_to_one(&all, decimal(threshold), truth.n.min(pred.n));
        let tp = pairs.len() as u64;
        ApCounts {
            tp,
            fp: u64::from(pred.n) - tp,
            fn_: u64::from(truth.n) - tp,
            iou_sum: pairs.iter().map(|p| p.2).sum(),
        }
    };
    thresholds.iter().map(count).collect()
}

/// The `f64` that the shortest decimal form of `value` stands for.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// The matching of [`match_one_to_one`] over `pairs` ordered by object of a; `fewer` = objects of the poorer image.
fn one_to_one(pairs: &[(u32, u32, f64)], threshold: f64, fewer: u32) -> Vec<(u32, u32, f64)> {
    let allowed: Vec<(u32, u32, f64)> = pairs
        .iter()
        .copied()
        .filter(|p| p.2 >= threshold && p.2 > 0.0)
        .collect();
    // Every pair is worth 1, so that most pairs win, plus a share of its IoU that sums to less than 1.
    let gain = |iou: f64| 1.0 + iou / (2.0 * f64::from(fewer));
    let mut matched = Vec::new();
    for group in connected_groups(&allowed) {
        if let [pair] = group[..] {
            matched.push(pair);
            continue;
        }
        let position = |values: &mut Vec<u32>| {
            values.sort_unstable();
            values.dedup();
        };
        let (mut rows, mut cols): (Vec<u32>, Vec<u32>) = group.iter().map(|p| (p.0, p.1)).unzip();
        position(&mut rows);
        position(&mut cols);
        let mut gains = vec![vec![0.0; cols.len()]; rows.len()];
        for &(la, lb, iou) in &group {
            if let (Ok(r), Ok(c)) = (rows.binary_search(&la), cols.binary_search(&lb)) {
                gains[r][c] = gain(iou);
            }
        }
        for (r, c) in best_assignment(&gains) {
            if gains[r][c] > 0.0 {
                matched.extend(group.iter().filter(|p| (p.0, p.1) == (rows[r], cols[c])));
            }
        }
    }
    matched.sort_unstable_by_key(|p| (p.0, p.1));
    matched
}

/// Splits pairs into groups that share no object, each in the order of the pairs.
fn connected_groups(pairs: &[(u32, u32, f64)]) -> Vec<Vec<(u32, u32, f64)>> {
    // Union of pair numbers through the first pair seen with each object.
    let mut root: Vec<usize> = (0..pairs.len()).collect();
    let find = |root: &mut Vec<usize>, mut i: usize| {
        while root[i] != i {
            root[i] = root[root[i]];
            i = root[i];
        }
        i
    };
    let (mut first_a, mut first_b) = (BTreeMap::new(), BTreeMap::new());
    for (i, &(la, lb, _)) in pairs.iter().enumerate() {
        for other in [*first_a.entry(la).or_insert(i), *first_b.entry(lb).or_insert(i)] {
            let (x, y) = (find(&mut root, i), find(&mut root, other));
            root[x.max(y)] = x.min(y);
        }
    }
    let mut groups: BTreeMap<usize, Vec<(u32, u32, f64)>> = BTreeMap::new();
    for (i, pair) in pairs.iter().enumerate() {
        let top = find(&mut root, i);
        groups.entry(top).or_default().push(*pair);
    }
    groups.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn iou_and_best_partners() {
        let a = Labels::relabel(array![[1, 1, 1, 1, 2, 2, 0, 3]]);
        let b = Labels::relabel(array![[1, 1, 1, 2, 2, 2, 3, 0]]);
        assert_eq!(
            overlaps(&a, &b),
            vec![(1, 1, 0.75), (1, 2, 1.0 / 6.0), (2, 2, 2.0 / 3.0)]
        );
        assert_eq!(match_iou(&a, &b), vec![(1, 1, 0.75), (2, 2, 2.0 / 3.0)]);
        let counts = average_precision(&a, &b, &[0.5, 0.7, 0.75]);
        assert_eq!((counts[0].tp, counts[0].fp, counts[0].fn_), (2, 1, 1));
        assert_eq!((counts[1].tp, counts[2].tp), (1, 1));
        assert_eq!(counts[0].average_precision(), 0.5);
    }

    #[test]
    fn the_largest_matching_beats_the_greatest_pair() {
        // a1 may take b1 (.5) or b2 (.4); a2 may only take b1 (.45): both must be matched at 0.3.
        let pairs = [(1, 1, 0.5), (1, 2, 0.4), (2, 1, 0.45)];
        assert_eq!(one_to_one(&pairs, 0.3, 2), vec![(1, 2, 0.4), (2, 1, 0.45)]);
        assert_eq!(one_to_one(&pairs, 0.5, 2), vec![(1, 1, 0.5)]);
    }

    #[test]
    fn thresholds_are_decimal() {
        // IoU is exactly 4/5, which is below the f32 that is nearest to 0.8.
        let a = Labels::relabel(array![[1, 1, 1, 1, 1]]);
        let b = Labels::relabel(array![[1, 1, 1, 1, 0]]);
        assert!(f64::from(0.8f32) > 0.8);
        assert_eq!(average_precision(&a, &b, &[0.8])[0].tp, 1);
    }

    #[test]
    fn empty_images() {
        let none = Labels::empty((2, 2));
        let one = Labels::relabel(array![[1, 0], [0, 0]]);
        assert_eq!(
            average_precision(&none, &none, &[0.5])[0].average_precision(),
            1.0
        );
        assert_eq!(average_precision(&one, &none, &[0.5])[0].average_precision(), 0.0);
        assert_eq!(average_precision(&none, &one, &[0.5])[0].fp, 1);
    }
}
