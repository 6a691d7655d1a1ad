//! Dose-order plot: the doses of one treatment in order, equally spaced, with intervals and the controls' range.

use super::axis::{Axis, tick_label};
use super::canvas::{Align, draw};
use crate::number::{interval, scaled};
use crate::text::shorten;
use crate::{DosePanel, ReportError};

/// Every value that must fit the axis of a panel; panels of one effect share the union.
pub(crate) fn shared_dose_values(panel: &DosePanel) -> Vec<f64> {
    panel
        .points
        .iter()
        .filter_map(|point| point.estimate)
        .chain(panel.control)
        .flat_map(|estimate| {
            let (lower, upper) = estimate.interval.unwrap_or((estimate.value, estimate.value));
            [estimate.value, lower, upper]
        })
        .collect()
}

/// Draws one panel on an axis over `values`.
pub(crate) fn dose_order(panel: &DosePanel, values: &[f64]) -> Result<String, ReportError> {
    let (width, height) = (360.0, 230.0);
    let (left, right, top, bottom) = (46.0, width - 10.0, 14.0, height - 40.0);
    let axis = Axis::over(values.iter().copied(), panel.scale, (bottom, top));
    // The places of the doses, in the order given.
    let mut labels: Vec<&str> = Vec::new();
    for point in &panel.points {
        if !labels.contains(&point.label.as_str()) {
            labels.push(&point.label);
        }
    }
    let spacing = (right - left) / labels.len().max(1) as f64;
    let x_of = |place: usize| left + spacing * (place as f64 + 0.5);

    let mut alt = format!("Dose order of {}, {}: ", panel.treatment, panel.effect);
    let written: Vec<String> = panel
        .points
        .iter()
        .map(|point| match point.estimate {
            Some(estimate) => format!("{} {}", point.label, scaled(estimate.value, panel.scale)),
            None => format!("{} not estimable", point.label),
        })
        .collect();
    alt.push_str(&written.join(", "));
    if let Some(control) = panel.control {
        alt.push_str(&format!("; controls {}", scaled(control.value, panel.scale)));
    }
    draw("dose order", (width, height), &alt, |canvas| {
        for tick in axis.ticks(5) {
            canvas.line((left, axis.at(tick)), (right, axis.at(tick)), "gr");
            canvas.text(
                (left - 5.0, axis.at(tick)),
                &tick_label(tick, panel.scale),
                Align::Right,
                10.0,
                "t",
            );
        }
        if let Some(control) = panel.control.filter(|control| control.value.is_finite()) {
            if let Some((lower, upper)) = control.interval {
                let corners = [
                    (left, axis.at(upper)),
                    (right, axis.at(upper)),
                    (right, axis.at(lower)),
                    (left, axis.at(lower)),
                ];
                canvas.polygon(&corners, "band", Some("range of the control wells"));
            }
            canvas.line(
                (left, axis.at(control.value)),
                (right, axis.at(control.value)),
                "ref",
            );
            canvas.text(
                (right, axis.at(control.value) - 6.0),
                "controls",
                Align::Right,
                9.5,
                "tm",
            );
        }
        canvas.line((left, bottom), (right, bottom), "ax");
        let length = (spacing / 5.2).max(2.0) as usize;
        let every = if spacing < 16.0 { 2 } else { 1 };
        for (place, label) in labels.iter().enumerate().step_by(every) {
            canvas.text(
                (x_of(place), bottom + 10.0),
                &shorten(label, length),
                Align::Center,
                9.5,
                "t",
            );
        }
        let unit = if panel.unit.is_empty() {
            String::new()
        } else {
            format!(" ({})", panel.unit)
        };
        canvas.text(
            ((left + right) / 2.0, bottom + 27.0),
            &format!("dose{unit}, in order, equally spaced"),
            Align::Center,
            10.0,
            "tm",
        );

        let mut means: Vec<(f64, f64)> = Vec::new();
        let mut marks = Vec::new();
        for (place, label) in labels.iter().enumerate() {
            let here: Vec<_> = panel
                .points
                .iter()
                .filter(|point| point.label == *label)
                .collect();
            let known: Vec<f64> = here
                .iter()
                .filter_map(|point| point.estimate)
                .map(|e| e.value)
                .filter(|v| v.is_finite())
                .collect();
            if !known.is_empty() {
                means.push((
                    x_of(place),
                    axis.at(known.iter().sum::<f64>() / known.len() as f64),
                ));
            }
            for (turn, point) in here.iter().enumerate() {
                let shift = (turn as f64 - (here.len() as f64 - 1.0) / 2.0)
                    * (spacing * 0.5 / here.len() as f64).min(7.0);
                marks.push((x_of(place) + shift, *point));
            }
        }
        canvas.path(&means, "trend");
        for (x, point) in marks {
            let Some(estimate) = point.estimate.filter(|estimate| estimate.value.is_finite()) else {
                continue;
            };
            let mut title = format!(
                "{} {} {} {}: {}",
                point.well,
                panel.treatment,
                point.label,
                panel.unit,
                scaled(estimate.value, panel.scale)
            );
            if let Some(interval) = interval(&estimate, panel.scale) {
                title.push_str(&format!(" ({interval})"));
            }
            if let Some((lower, upper)) = estimate.interval.filter(|(a, b)| a.is_finite() && b.is_finite()) {
                canvas.line((x, axis.at(lower)), (x, axis.at(upper)), "whisker");
            }
            let class = if point.is_hit { "hit" } else { "nohit" };
            canvas.circle((x, axis.at(estimate.value)), 4.0, class, Some(&title));
        }
    })
}
