//! Entropy of groups of cells in two parts that add up.

use super::axis::{Axis, tick_label};
use super::canvas::{Align, Ink, draw};
use crate::number::{count, plain};
use crate::text::shorten;
use crate::{EntropySplit, ReportError, Scale};

/// Draws one stacked bar a group.
pub(crate) fn entropy_bars(split: &EntropySplit) -> Result<String, ReportError> {
    const STEP: f64 = 24.0;
    let (width, left, top) = (400.0, 132.0, 24.0);
    let bottom = top + STEP * split.groups.len() as f64;
    let total = |aleatoric: f64, epistemic: f64| aleatoric.max(0.0) + epistemic.max(0.0);
    // Entropies are no shares: they go beyond 1.
    let sums = split
        .groups
        .iter()
        .map(|group| total(group.aleatoric, group.epistemic));
    let axis = Axis::over(sums.chain([0.0]), Scale::Number, (left, width - 40.0));
    let described: Vec<String> = split
        .groups
        .iter()
        .map(|group| {
            format!(
                "{} {} + {}",
                group.name,
                plain(group.aleatoric, 2),
                plain(group.epistemic, 2)
            )
        })
        .collect();
    let alt = format!(
        "Mean entropy in nats, aleatoric + epistemic: {}.",
        described.join(", ")
    );
    draw("entropy split", (width, bottom + 36.0), &alt, |canvas| {
        canvas.rect((left, 5.0), (10.0, 10.0), Ink::Class("c0"), None);
        canvas.text((left + 14.0, 10.0), "aleatoric", Align::Left, 10.5, "t");
        canvas.rect((left + 84.0, 5.0), (10.0, 10.0), Ink::Class("c1"), None);
        canvas.text((left + 98.0, 10.0), "epistemic", Align::Left, 10.5, "t");
        for tick in axis.ticks(4) {
            canvas.line((axis.at(tick), top), (axis.at(tick), bottom), "gr");
            canvas.text(
                (axis.at(tick), bottom + 9.0),
                &tick_label(tick, Scale::Number),
                Align::Center,
                10.0,
                "t",
            );
        }
        for (place, group) in split.groups.iter().enumerate() {
            let y = top + STEP * place as f64 + 4.0;
            let title = format!("{}: {} cells", group.name, count(group.cells));
            canvas.text(
                (left - 6.0, y + 8.0),
                &shorten(&group.name, 21),
                Align::Right,
                10.5,
                "t",
            );
            if !(group.aleatoric.is_finite() && group.epistemic.is_finite()) {
                canvas.text((left + 4.0, y + 8.0), "not estimable", Align::Left, 10.0, "tm");
                continue;
            }
            let (middle, end) = (
                axis.at(group.aleatoric.max(0.0)),
                axis.at(total(group.aleatoric, group.epistemic)),
            );
            canvas.rect((left, y), (middle - left, 16.0), Ink::Class("c0"), Some(&title));
            canvas.rect((middle, y), (end - middle, 16.0), Ink::Class("c1"), Some(&title));
            let sum = plain(total(group.aleatoric, group.epistemic), 2);
            canvas.text((end + 5.0, y + 8.0), &sum, Align::Left, 10.0, "t");
        }
        canvas.line((left, top), (left, bottom), "ax");
        let scale = format!("nats (largest possible {})", plain(split.maximum, 2));
        canvas.text((left, bottom + 25.0), &scale, Align::Left, 10.0, "tm");
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EntropyGroup;

    #[test]
    fn entropies_beyond_one_are_drawn_in_full() {
        let group = |aleatoric, epistemic| EntropyGroup {
            name: "g".into(),
            aleatoric,
            epistemic,
            cells: 1,
        };
        let split = EntropySplit {
            groups: vec![group(1.5, 0.5), group(0.75, 0.25)],
            maximum: 2.5,
            note: None,
        };
        let svg = entropy_bars(&split).unwrap();
        let widths: Vec<f64> = svg
            .lines()
            .filter(|line| line.starts_with("<rect") && line.contains("height=\"160\""))
            .map(|line| {
                line.split_once("width=\"")
                    .unwrap()
                    .1
                    .split_once('"')
                    .unwrap()
                    .0
                    .parse()
                    .unwrap()
            })
            .collect();
        assert_eq!(widths.len(), 4, "{svg}");
        assert!((widths[0] / widths[2] - 2.0).abs() < 0.01, "{widths:?}");
        assert!((widths[0] / widths[1] - 3.0).abs() < 0.01, "{widths:?}");
    }
}
