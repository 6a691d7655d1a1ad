//! Tracks in space: numbers over a picture, ways in the field.

use super::canvas::{Align, draw};
use crate::{ReportError, TrackedFrame, Ways};

/// Classes of text over dark pictures, by colour.
const TEXTS: [&str; 8] = ["o0", "o1", "o2", "o3", "o4", "o5", "o6", "o7"];
/// Classes of lines, by colour.
const LINES: [&str; 8] = ["l0", "l1", "l2", "l3", "l4", "l5", "l6", "l7"];
/// Longer side of the figure of ways, pixels.
const WAYS_PX: f64 = 560.0;

/// Draws the track numbers of a frame on a sheet of the picture's size (width, height).
pub(crate) fn track_marks(frame: &TrackedFrame, size: (f64, f64)) -> Result<String, ReportError> {
    let alt = format!("Numbers of {} tracks over {}", frame.marks.len(), frame.caption);
    let text = (size.0.max(size.1) / 38.0).clamp(8.0, 14.0);
    draw("track numbers", size, &alt, |canvas| {
        for mark in &frame.marks {
            let at = (mark.x, mark.y);
            canvas.text(
                at,
                &mark.track.to_string(),
                Align::Center,
                text,
                TEXTS[mark.color % TEXTS.len()],
            );
            canvas.circle(at, text * 0.8, "over", Some(&mark.title));
        }
    })
}

/// Draws where cells went.
pub(crate) fn ways(ways: &Ways) -> Result<String, ReportError> {
    let (width, height) = (ways.size.0.max(1.0), ways.size.1.max(1.0));
    let scale = WAYS_PX / width.max(height);
    let sheet = (width * scale + 2.0, height * scale + 2.0);
    let alt = format!(
        "Ways of {} of {} tracks in a field of {width:.0} by {height:.0} pixels",
        ways.ways.len(),
        ways.total
    );
    draw("ways", sheet, &alt, |canvas| {
        canvas.outline((1.0, 1.0), (width * scale, height * scale), "box");
        for (color, positions) in &ways.ways {
            let path: Vec<(f64, f64)> = positions
                .iter()
                .map(|(x, y)| (1.0 + x * scale, 1.0 + y * scale))
                .collect();
            canvas.path(&path, LINES[color % LINES.len()]);
            if let Some(&end) = path.last() {
                canvas.circle(
                    end,
                    1.6,
                    ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"][color % 8],
                    None,
                );
            }
        }
    })
}
