//! Cells in two dimensions. A cluster has a colour and a shape, so that it is told apart without colour.

use super::axis::Axis;
use super::canvas::{Align, Canvas, draw};
use crate::{ReportError, Scale, Scatter};

/// Classes of the style sheet, in the order of Okabe and Ito's palette as adapted there.
const COLORS: [&str; 8] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];

/// Draws the mark of the cluster at a place in the list of clusters.
fn mark(canvas: &mut Canvas<'_>, (x, y): (f64, f64), radius: f64, place: usize, title: Option<&str>) {
    let class = COLORS[place % COLORS.len()];
    let around = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points
            .iter()
            .map(|(dx, dy)| (x + dx * radius, y + dy * radius))
            .collect()
    };
    let shape: &[(f64, f64)] = match (place + place / COLORS.len()) % 5 {
        0 => return canvas.circle((x, y), radius, class, title),
        1 => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        2 => &[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
        3 => &[(0.0, -1.3), (1.1, 0.0), (0.0, 1.3), (-1.1, 0.0)],
        _ => &[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)],
    };
    canvas.polygon(&around(shape), class, title);
}

/// Draws the scatter.
pub(crate) fn scatter_plot(scatter: &Scatter) -> Result<String, ReportError> {
    let (width, height) = (420.0, 380.0);
    let (left, right, top, bottom) = (14.0, width - 8.0, 24.0, height - 26.0);
    let finite = || {
        scatter
            .points
            .iter()
            .filter(|point| point.x.is_finite() && point.y.is_finite())
    };
    let x_axis = Axis::over(
        finite().map(|point| point.x),
        Scale::Number,
        (left + 6.0, right - 6.0),
    );
    let y_axis = Axis::over(
        finite().map(|point| point.y),
        Scale::Number,
        (bottom - 6.0, top + 6.0),
    );
    let flagged = finite().filter(|point| point.is_flagged).count();
    let alt = format!(
        "Scatter of {} cells over {} and {}, in {} clusters; {flagged} flagged cells carry a ring.",
        finite().count(),
        scatter.x_label,
        scatter.y_label,
        scatter.clusters.len()
    );
    draw("cluster scatter", (width, height), &alt, |canvas| {
        canvas.outline((left, top), (right - left, bottom - top), "box");
        canvas.text(
            (right, bottom + 14.0),
            &format!("{} →", scatter.x_label),
            Align::Right,
            10.5,
            "tm",
        );
        canvas.text(
            (left, top - 11.0),
            &format!("↑ {}", scatter.y_label),
            Align::Left,
            10.5,
            "tm",
        );
        for point in finite().filter(|point| point.cluster.is_none()) {
            canvas.circle((x_axis.at(point.x), y_axis.at(point.y)), 1.2, "dot", None);
        }
        for point in finite() {
            let Some(cluster) = point.cluster else { continue };
            let Some(place) = scatter.clusters.iter().position(|known| known.id == cluster) else {
                continue;
            };
            mark(canvas, (x_axis.at(point.x), y_axis.at(point.y)), 2.1, place, None);
        }
        for point in finite().filter(|point| point.is_flagged) {
            canvas.circle((x_axis.at(point.x), y_axis.at(point.y)), 4.2, "flagring", None);
        }
    })
}

/// Draws the mark of one cluster alone, for its line of the table.
pub(crate) fn cluster_key(place: usize, name: &str) -> Result<String, ReportError> {
    draw(
        "cluster key",
        (14.0, 14.0),
        &format!("mark of {name}"),
        |canvas| mark(canvas, (7.0, 7.0), 4.2, place, None),
    )
}
