//! From a tracked movie to its HTML document.

use crate::page::TrackPage;
use crate::render::document;
use crate::{ReportError, TrackReport};

const TEMPLATES: [(&str, &str); 2] = [
    ("tracks.html", include_str!("../templates/tracks.html")),
    ("marks.html", include_str!("../templates/marks.html")),
];
const STYLE: &str = concat!(
    include_str!("../templates/style.css"),
    include_str!("../templates/tracks.css")
);

/// Renders the report of a tracked movie as one HTML document.
///
/// As [`crate::render()`]: it holds all it needs, loads nothing, runs no script, and the same data give the same bytes.
/// *Errors*: a picture that is no PNG.
pub fn render_tracks(data: &TrackReport) -> Result<String, ReportError> {
    document(&TEMPLATES, STYLE, TrackPage::of(data)?)
}
