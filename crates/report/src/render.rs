//! From data to the HTML document.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;

use crate::page::Page;
use crate::text::without_controls;
use crate::{ReportData, ReportError};

const TEMPLATES: [(&str, &str); 5] = [
    ("report.html", include_str!("../templates/report.html")),
    ("marks.html", include_str!("../templates/marks.html")),
    (
        "first_screen.html",
        include_str!("../templates/first_screen.html"),
    ),
    ("plates.html", include_str!("../templates/plates.html")),
    (
        "cells_and_trust.html",
        include_str!("../templates/cells_and_trust.html"),
    ),
];
const STYLE: &str = include_str!("../templates/style.css");

/// Renders the whole report as one HTML document.
///
/// The document holds its style, figures and pictures; it loads nothing and runs no script. The same data give the
/// same bytes. *Errors*: a picture that is no PNG, a heat map of the wrong length, a well outside its plate.
pub fn render(data: &ReportData) -> Result<String, ReportError> {
    document(&TEMPLATES, STYLE, Page::of(data)?)
}

/// The first template, filled with a page and its style; the others are what it includes.
pub(crate) fn document(
    templates: &[(&'static str, &'static str)],
    style: &str,
    page: impl Serialize,
) -> Result<String, ReportError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    for &(name, source) in templates {
        environment.add_template(name, source)?;
    }
    let style = Value::from_safe_string(style.to_owned());
    let context = context! { page => Value::from(Serde(page)), style };
    Ok(without_controls(
        environment.get_template(templates[0].0)?.render(context)?,
    ))
}
