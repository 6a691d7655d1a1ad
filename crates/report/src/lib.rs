//! Room `report`: the one-file HTML report of a run.
//!
//! [`ReportData`] holds everything the page shows, as plain structs with the pictures already encoded as PNG;
//! [`render()`] turns it into one HTML document that needs no network, no script and no other file. What is `None`
//! or empty leaves no trace on the page; what could not be estimated is shown with its reason.
//!
//! **Invariants.** Values to values: no file, no clock, no randomness, so equal data give equal bytes. Every name
//! is text: the template escapes it, the figures escape it, the JSON block escapes it. No figure relies on colour
//! alone. **Not here:** no statistics and no decision; numbers are shown as they come.
#![forbid(unsafe_code)]

mod data;
mod error;
mod figure;
mod number;
mod page;
mod png_size;
mod render;
mod render_tracks;
mod text;
mod wording;

pub use data::*;
pub use error::ReportError;
pub use render::render;
pub use render_tracks::render_tracks;
