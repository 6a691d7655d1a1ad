//! Reliability diagram with consistency band and the number of cells a bin.

use super::axis::Axis;
use super::canvas::{Align, Ink, draw};
use crate::number::{count, percent};
use crate::{Reliability, ReportError};

/// Draws the diagram.
pub(crate) fn reliability_diagram(reliability: &Reliability) -> Result<String, ReportError> {
    let (width, height) = (360.0, 410.0);
    let (left, right, top, bottom) = (46.0, width - 10.0, 10.0, 310.0);
    let x_axis = Axis::fixed((0.0, 1.0), (left, right));
    let y_axis = Axis::fixed((0.0, 1.0), (bottom, top));
    let bins = || {
        reliability
            .bins
            .iter()
            .filter(|bin| bin.confidence.is_finite() && bin.share.is_finite())
    };
    let described: Vec<String> = bins()
        .map(|bin| {
            format!(
                "{} right at confidence {}",
                percent(bin.share),
                percent(bin.confidence)
            )
        })
        .collect();
    let alt = format!(
        "Reliability diagram of {} cells: {}.",
        count(reliability.cells),
        described.join(", ")
    );
    draw("reliability diagram", (width, height), &alt, |canvas| {
        for tick in x_axis.ticks(5) {
            canvas.line((left, y_axis.at(tick)), (right, y_axis.at(tick)), "gr");
            canvas.line((x_axis.at(tick), top), (x_axis.at(tick), bottom), "gr");
            canvas.text(
                (left - 5.0, y_axis.at(tick)),
                &percent(tick),
                Align::Right,
                10.0,
                "t",
            );
        }
        let ends = reliability
            .band
            .iter()
            .filter(|point| point.low.is_finite() && point.high.is_finite());
        let mut corners: Vec<(f64, f64)> = ends
            .clone()
            .map(|point| (x_axis.at(point.confidence), y_axis.at(point.high)))
            .collect();
        corners.extend(
            ends.rev()
                .map(|point| (x_axis.at(point.confidence), y_axis.at(point.low))),
        );
        if corners.len() > 2 {
            canvas.polygon(
                &corners,
                "band",
                Some("where a perfectly calibrated forecast falls in 95 % of repetitions"),
            );
        }
        canvas.line((left, bottom), (right, top), "ref");
        let line: Vec<(f64, f64)> = bins()
            .map(|bin| (x_axis.at(bin.confidence), y_axis.at(bin.share)))
            .collect();
        canvas.path(&line, "trend");
        for (bin, at) in bins().zip(&line) {
            let (lower, upper) = bin.interval;
            if lower.is_finite() && upper.is_finite() {
                canvas.line((at.0, y_axis.at(lower)), (at.0, y_axis.at(upper)), "whisker");
            }
            let title = format!(
                "confidence {}: {} right ({} to {}), {} cells",
                percent(bin.confidence),
                percent(bin.share),
                percent(lower),
                percent(upper),
                count(bin.cells)
            );
            canvas.circle(*at, 4.0, "hit", Some(&title));
        }
        canvas.text(
            (left + 5.0, top + 9.0),
            "share that was right",
            Align::Left,
            10.5,
            "tm",
        );

        // Number of cells a bin, below on the same axis.
        let (floor, ceiling) = (370.0, 326.0);
        let most = bins().map(|bin| bin.cells).max().unwrap_or(0).max(1);
        for bin in bins() {
            let tall = (floor - ceiling) * bin.cells as f64 / most as f64;
            let title = format!(
                "{} cells at confidence {}",
                count(bin.cells),
                percent(bin.confidence)
            );
            canvas.rect(
                (x_axis.at(bin.confidence) - 1.5, floor - tall),
                (3.0, tall.max(0.5)),
                Ink::Class("bar"),
                Some(&title),
            );
        }
        canvas.text(
            (left + 5.0, ceiling + 2.0),
            &format!("cells a bin (tallest {})", count(most)),
            Align::Left,
            10.0,
            "tm",
        );
        canvas.line((left, floor), (right, floor), "ax");
        for tick in x_axis.ticks(5) {
            canvas.text(
                (x_axis.at(tick), floor + 10.0),
                &percent(tick),
                Align::Center,
                10.0,
                "t",
            );
        }
        canvas.text(
            ((left + right) / 2.0, floor + 27.0),
            "confidence",
            Align::Center,
            10.5,
            "tm",
        );
    })
}
