//! How many links have which probability; counts on a logarithmic axis, since nearly all links are sure.

use super::axis::Axis;
use super::canvas::{Align, Ink, draw};
use crate::number::count;
use crate::{LinkBin, ReportError};

/// Draws a bar for every range.
pub(crate) fn link_histogram(bins: &[LinkBin]) -> Result<String, ReportError> {
    let row = 24.0;
    let (width, height) = (440.0, 30.0 + row * bins.len() as f64 + 22.0);
    let (left, right, top) = (108.0, width - 64.0, 26.0);
    let most = bins.iter().map(|bin| bin.links).max().unwrap_or(0).max(1) as f64;
    let decades = most.log10().ceil().max(1.0);
    // A bar of one link has a length too: the axis begins at one third.
    let axis = Axis::fixed((-0.5, decades), (left, right));
    let described: Vec<String> = bins
        .iter()
        .map(|bin| format!("{}: {}", bin.range, count(bin.links)))
        .collect();
    let alt = format!("Links by probability: {}.", described.join("; "));
    draw("link histogram", (width, height), &alt, |canvas| {
        let bottom = top + row * bins.len() as f64;
        let mut decade = 0.0;
        while decade <= decades {
            canvas.line((axis.at(decade), top), (axis.at(decade), bottom), "gr");
            canvas.text(
                (axis.at(decade), bottom + 11.0),
                &count(10f64.powf(decade) as u64),
                Align::Center,
                10.5,
                "t",
            );
            decade += 1.0;
        }
        for (place, bin) in bins.iter().enumerate() {
            let middle = top + row * (place as f64 + 0.5);
            canvas.text((left - 8.0, middle), &bin.range, Align::Right, 11.0, "t");
            let end = if bin.links == 0 {
                left
            } else {
                axis.at((bin.links as f64).log10())
            };
            if end > left {
                let title = format!("{} links", count(bin.links));
                let ink = Ink::Class(if place < 4 { "c1" } else { "c0" });
                canvas.rect((left, middle - 8.0), (end - left, 16.0), ink, Some(&title));
            }
            canvas.text((end + 6.0, middle), &count(bin.links), Align::Left, 11.0, "t");
        }
        canvas.line((left, top), (left, bottom), "ax");
        canvas.text((left - 8.0, top - 12.0), "probability", Align::Right, 10.5, "tm");
        canvas.text(
            (left + 4.0, top - 12.0),
            "links (logarithmic)",
            Align::Left,
            10.5,
            "tm",
        );
    })
}
