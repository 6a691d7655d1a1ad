//! A small axis with an estimate, its interval and the controls' value: one line of a table.

use super::axis::{Axis, tick_label};
use super::canvas::{Align, draw};
use crate::number::{interval, scaled};
use crate::{Effect, ReportError};

/// Draws the glyph of one effect on the axis that all effects of its name share.
///
/// `values` are all values, interval ends and control values of the effects of that name.
pub(crate) fn interval_glyph(effect: &Effect, values: &[f64], is_hit: bool) -> Result<String, ReportError> {
    let (width, height, y) = (200.0, 34.0, 11.0);
    let axis = Axis::over(values.iter().copied(), effect.scale, (8.0, width - 8.0));
    let mut alt = format!("{}: {}", effect.name, scaled(effect.estimate.value, effect.scale));
    if let Some(interval) = interval(&effect.estimate, effect.scale) {
        alt.push_str(&format!(", interval {interval}"));
    }
    if let Some(control) = effect.control {
        alt.push_str(&format!("; controls {}", scaled(control, effect.scale)));
    }
    draw("interval", (width, height), &alt, |canvas| {
        let (low, high) = axis.domain();
        canvas.line((axis.at(low), y + 10.0), (axis.at(high), y + 10.0), "ax");
        let ticks = axis.ticks(3);
        for (place, tick) in ticks.iter().enumerate() {
            let x = axis.at(*tick);
            canvas.line((x, y + 10.0), (x, y + 13.0), "ax");
            let align = match place {
                0 if x < 14.0 => Align::Left,
                _ if place + 1 == ticks.len() && x > width - 20.0 => Align::Right,
                _ => Align::Center,
            };
            let x = if align == Align::Left {
                x - 6.0
            } else if align == Align::Right {
                x + 6.0
            } else {
                x
            };
            canvas.text((x, y + 18.5), &tick_label(*tick, effect.scale), align, 8.5, "tm");
        }
        if let Some(control) = effect.control.filter(|value| value.is_finite()) {
            canvas.line((axis.at(control), 1.0), (axis.at(control), y + 10.0), "ref");
        }
        if let Some((lower, upper)) = effect
            .estimate
            .interval
            .filter(|(a, b)| a.is_finite() && b.is_finite())
        {
            canvas.line((axis.at(lower), y), (axis.at(upper), y), "whisker");
        }
        if effect.estimate.value.is_finite() {
            canvas.circle(
                (axis.at(effect.estimate.value), y),
                4.5,
                if is_hit { "hit" } else { "nohit" },
                Some(&alt),
            );
        }
    })
}
