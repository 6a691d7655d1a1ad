//! A line with a band over one axis.

use super::axis::{Axis, tick_label};
use super::canvas::{Align, draw};
use crate::number::short;
use crate::{Curve, ReportError, Scale};

/// Draws the curve; the vertical axis begins at 0.
pub(crate) fn curve(curve: &Curve) -> Result<String, ReportError> {
    let (width, height) = (440.0, 280.0);
    let (left, right, top, bottom) = (52.0, width - 12.0, 28.0, height - 38.0);
    let points: Vec<(f64, f64, f64, f64)> = curve
        .points
        .iter()
        .copied()
        .filter(|p| [p.0, p.1, p.2, p.3].iter().all(|value| value.is_finite()))
        .collect();
    let (first, last) = match (points.first(), points.last()) {
        (Some(first), Some(last)) if last.0 > first.0 => (first.0, last.0),
        (Some(only), _) => (only.0 - 0.5, only.0 + 0.5),
        _ => (0.0, 1.0),
    };
    let x_axis = Axis::fixed((first, last), (left, right));
    let values = points.iter().flat_map(|p| [0.0, p.1, p.3]);
    let y_axis = Axis::over(values, Scale::Number, (bottom, top));
    let said = |p: Option<&(f64, f64, f64, f64)>| {
        p.map_or(String::new(), |p| {
            format!(
                "{} at {} ({} to {})",
                short(p.1),
                short(p.0),
                short(p.2),
                short(p.3)
            )
        })
    };
    let alt = format!(
        "{} over {}: from {} to {}.",
        curve.y_label,
        curve.x_label,
        said(points.first()),
        said(points.last())
    );
    draw("curve", (width, height), &alt, |canvas| {
        for tick in y_axis.ticks(5) {
            canvas.line((left, y_axis.at(tick)), (right, y_axis.at(tick)), "gr");
            canvas.text(
                (left - 6.0, y_axis.at(tick)),
                &tick_label(tick, Scale::Number),
                Align::Right,
                10.5,
                "t",
            );
        }
        let band: Vec<(f64, f64)> = points
            .iter()
            .map(|p| (x_axis.at(p.0), y_axis.at(p.3)))
            .chain(points.iter().rev().map(|p| (x_axis.at(p.0), y_axis.at(p.2))))
            .collect();
        if band.len() > 2 {
            canvas.polygon(&band, "band", None);
        }
        let line: Vec<(f64, f64)> = points.iter().map(|p| (x_axis.at(p.0), y_axis.at(p.1))).collect();
        canvas.path(&line, "curve");
        if let [only] = line.as_slice() {
            canvas.circle(*only, 3.0, "hit", None);
        }
        canvas.line((left, bottom), (right, bottom), "ax");
        for tick in x_axis.ticks(6) {
            canvas.line((x_axis.at(tick), bottom), (x_axis.at(tick), bottom + 4.0), "ax");
            canvas.text(
                (x_axis.at(tick), bottom + 12.0),
                &tick_label(tick, Scale::Number),
                Align::Center,
                10.5,
                "t",
            );
        }
        canvas.text(
            (right, bottom + 29.0),
            &format!("{} →", curve.x_label),
            Align::Right,
            10.5,
            "tm",
        );
        canvas.text(
            (4.0, top - 14.0),
            &format!("↑ {}", curve.y_label),
            Align::Left,
            10.5,
            "tm",
        );
    })
}
