//! Estimates with intervals beside the planted truth, for one quantity.

use super::axis::{Axis, tick_label};
use super::canvas::{Align, draw};
use crate::number::{interval, scaled};
use crate::text::shorten;
use crate::{Estimable, PlantedRow, ReportError};

/// Draws the rows of one quantity; all have its scale.
pub(crate) fn truth_plot(quantity: &str, rows: &[&PlantedRow]) -> Result<String, ReportError> {
    const STEP: f64 = 22.0;
    let (width, left, top) = (420.0, 140.0, 26.0);
    let bottom = top + STEP * rows.len() as f64;
    let scale = rows.first().map_or(crate::Scale::Number, |row| row.scale);
    let values = rows.iter().flat_map(|row| {
        let mut values = vec![row.truth];
        if let Estimable::Value(estimate) = row.estimate {
            values.push(estimate.value);
            values.extend(
                estimate
                    .interval
                    .map(|(lower, upper)| [lower, upper])
                    .into_iter()
                    .flatten(),
            );
        }
        values
    });
    let axis = Axis::over(values, scale, (left, width - 14.0));
    let described: Vec<String> = rows
        .iter()
        .map(|row| match &row.estimate {
            Estimable::Value(estimate) => {
                format!(
                    "{} {} (truth {})",
                    row.treatment,
                    scaled(estimate.value, scale),
                    scaled(row.truth, scale)
                )
            }
            Estimable::NotEstimable(_) => format!(
                "{} not estimable (truth {})",
                row.treatment,
                scaled(row.truth, scale)
            ),
        })
        .collect();
    let alt = format!(
        "Estimate and planted truth, {quantity}: {}.",
        described.join(", ")
    );
    draw("planted truth", (width, bottom + 22.0), &alt, |canvas| {
        let diamond = |x: f64, y: f64| [(x, y - 6.0), (x + 4.5, y), (x, y + 6.0), (x - 4.5, y)];
        canvas.polygon(&diamond(left + 5.0, 10.0), "truth", None);
        canvas.text((left + 14.0, 10.0), "truth", Align::Left, 10.5, "t");
        canvas.line((left + 58.0, 10.0), (left + 78.0, 10.0), "whisker");
        canvas.circle((left + 68.0, 10.0), 4.0, "hit", None);
        canvas.text(
            (left + 84.0, 10.0),
            "estimate with interval",
            Align::Left,
            10.5,
            "t",
        );
        for tick in axis.ticks(5) {
            canvas.line((axis.at(tick), top), (axis.at(tick), bottom), "gr");
            canvas.text(
                (axis.at(tick), bottom + 10.0),
                &tick_label(tick, scale),
                Align::Center,
                10.0,
                "t",
            );
        }
        for (place, row) in rows.iter().enumerate() {
            let y = top + STEP * (place as f64 + 0.5);
            canvas.text(
                (left - 8.0, y),
                &shorten(&row.treatment, 22),
                Align::Right,
                10.5,
                "t",
            );
            canvas.polygon(
                &diamond(axis.at(row.truth), y),
                "truth",
                Some(&format!("truth {}", scaled(row.truth, scale))),
            );
            let Estimable::Value(estimate) = &row.estimate else {
                // On the side where the truth is not.
                let (x, align) = if axis.at(row.truth) < width / 2.0 + 40.0 {
                    (width - 14.0, Align::Right)
                } else {
                    (left + 4.0, Align::Left)
                };
                canvas.text((x, y), "not estimable", align, 10.0, "tm");
                continue;
            };
            let mut title = format!("{}: {}", row.treatment, scaled(estimate.value, scale));
            if let Some(interval) = interval(estimate, scale) {
                title.push_str(&format!(" ({interval})"));
            }
            if let Some((lower, upper)) = estimate.interval.filter(|(a, b)| a.is_finite() && b.is_finite()) {
                canvas.line((axis.at(lower), y), (axis.at(upper), y), "whisker");
            }
            canvas.circle((axis.at(estimate.value), y), 4.0, "hit", Some(&title));
        }
    })
}
