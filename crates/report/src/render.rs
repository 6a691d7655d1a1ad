//! From data to the HTML document.

use crate::{ReportData, ReportError};

/// Renders the whole report as one HTML document.
///
/// The document holds its style, figures and pictures; it loads nothing and runs no script. The same data give the
/// same bytes. *Errors*: a picture that is no PNG, a heat map of the wrong length, a well outside its plate.
pub fn render(data: &ReportData) -> Result<String, ReportError> {
    crate::page::check(data)?;
    unimplemented!()
}
