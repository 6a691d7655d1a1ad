//! Lineages over time: a line a cell, a fork a division, doubt where it is.

use std::collections::BTreeMap;

use super::axis::{Axis, tick_label};
use super::canvas::{Align, Canvas, draw};
use crate::number::percent;
use crate::{Families, Family, ReportError, Scale};

/// Classes of lines by family.
const LINES: [&str; 8] = ["l0", "l1", "l2", "l3", "l4", "l5", "l6", "l7"];
/// Height of one cell's line.
const ROW: f64 = 15.0;
/// Room between families.
const GAP: f64 = 10.0;
/// Divisions below this probability are marked.
const SURE: f64 = 0.95;

/// Height of every track of a family: leaves below each other, a mother in the middle of her daughters.
fn rows(family: &Family) -> (BTreeMap<u32, f64>, f64) {
    let mut daughters: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for branch in &family.branches {
        if let Some(parent) = branch.parent {
            daughters.entry(parent).or_default().push(branch.track);
        }
    }
    let mut rows = BTreeMap::new();
    let mut next = 0.0;
    // Daughters stand after their mothers in the list, so that going backwards meets them first; leaves are numbered in the
    // order of a walk from the root.
    let mut stack: Vec<u32> = family
        .branches
        .first()
        .map(|root| root.track)
        .into_iter()
        .collect();
    let mut order = Vec::new();
    while let Some(track) = stack.pop() {
        order.push(track);
        match daughters.get(&track) {
            Some(of_track) => stack.extend(of_track.iter().rev()),
            None => {
                rows.insert(track, next);
                next += 1.0;
            }
        }
    }
    for track in order.into_iter().rev() {
        if let Some(of_track) = daughters.get(&track) {
            let heights: Vec<f64> = of_track.iter().filter_map(|d| rows.get(d)).copied().collect();
            let middle = heights.iter().sum::<f64>() / heights.len().max(1) as f64;
            rows.insert(track, middle);
        }
    }
    (rows, next)
}

/// Draws the trees.
pub(crate) fn lineage_tree(families: &Families) -> Result<String, ReportError> {
    let placed: Vec<(BTreeMap<u32, f64>, f64)> = families.families.iter().map(rows).collect();
    let leaves: f64 = placed.iter().map(|(_, leaves)| leaves).sum();
    let (width, top) = (900.0, 8.0);
    let bottom = top + ROW * leaves + GAP * placed.len() as f64;
    let height = bottom + 40.0;
    let (left, right) = (34.0, width - 40.0);
    let (first, last) = families.frames;
    let axis = Axis::fixed((first, last.max(first + 1e-9)), (left, right));
    let alt = format!(
        "Lineage trees of {} of {} families that divide; time runs to the right, a fork is a division.",
        families.families.len(),
        families.total
    );
    draw("lineage tree", (width, height), &alt, |canvas| {
        for tick in axis.ticks(10) {
            canvas.line((axis.at(tick), top), (axis.at(tick), bottom), "gr");
            canvas.text(
                (axis.at(tick), bottom + 11.0),
                &tick_label(tick, Scale::Number),
                Align::Center,
                10.5,
                "t",
            );
        }
        canvas.text(
            (right, bottom + 28.0),
            &format!("{} →", families.axis),
            Align::Right,
            10.5,
            "tm",
        );
        let mut start = top;
        for (family, (rows, leaves)) in families.families.iter().zip(&placed) {
            let at = |track: u32| start + ROW * (rows.get(&track).copied().unwrap_or(0.0) + 0.5);
            draw_family(canvas, family, &axis, &at, LINES[family.color % LINES.len()]);
            start += ROW * leaves + GAP;
        }
    })
}

fn draw_family(
    canvas: &mut Canvas<'_>,
    family: &Family,
    axis: &Axis,
    at: &impl Fn(u32) -> f64,
    line: &'static str,
) {
    for branch in &family.branches {
        let y = at(branch.track);
        canvas.line((axis.at(branch.first), y), (axis.at(branch.last), y), line);
        if let Some(parent) = branch.parent {
            let mother = family.branches.iter().find(|other| other.track == parent);
            let x = mother.map_or(branch.first, |mother| mother.last);
            let (x, start) = (axis.at(x), axis.at(branch.first));
            canvas.line((x, at(parent)), (x, y), line);
            canvas.line((x, y), (start, y), line);
        }
        for &(time, probability) in &branch.doubtful {
            let title = format!("track {}: a link of {}", branch.track, percent(probability));
            canvas.circle((axis.at(time), y), 3.4, "doubt", Some(&title));
        }
        if branch.parent.is_none() {
            canvas.text(
                (axis.at(branch.first) - 5.0, y),
                &branch.track.to_string(),
                Align::Right,
                10.0,
                "tm",
            );
        } else if branch.division.is_none() {
            canvas.text(
                (axis.at(branch.last) + 5.0, y),
                &branch.track.to_string(),
                Align::Left,
                10.0,
                "tm",
            );
        }
    }
    for branch in &family.branches {
        let Some(probability) = branch.division else {
            continue;
        };
        let (x, y) = (axis.at(branch.last), at(branch.track));
        let title = format!("track {} divides: {}", branch.track, percent(probability));
        let is_sure = probability >= SURE;
        canvas.circle((x, y), 3.2, if is_sure { "fork" } else { "doubt" }, Some(&title));
        if !is_sure {
            canvas.text((x - 6.0, y - 6.0), &percent(probability), Align::Right, 9.5, "t");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Branch;

    #[test]
    fn a_mother_stands_in_the_middle_of_her_daughters() {
        let branch = |track: u32, parent: Option<u32>| Branch {
            track,
            parent,
            ..Branch::default()
        };
        let family = Family {
            color: 0,
            branches: vec![
                branch(1, None),
                branch(2, Some(1)),
                branch(3, Some(1)),
                branch(4, Some(3)),
                branch(5, Some(3)),
            ],
        };
        let (rows, leaves) = rows(&family);
        assert_eq!(leaves, 3.0);
        assert_eq!(rows[&2], 0.0);
        assert_eq!(rows[&3], 1.5);
        assert_eq!(rows[&1], 0.75);
    }
}
