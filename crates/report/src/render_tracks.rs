//! From a tracked movie to its HTML document.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};

use crate::page::TrackPage;
use crate::text::without_controls;
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
    let page = TrackPage::of(data)?;
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    let style = Value::from_safe_string(STYLE.to_owned());
    let context = context! { page => Value::from(Serde(page)), style };
    Ok(without_controls(
        environment.get_template("tracks.html")?.render(context)?,
    ))
}
