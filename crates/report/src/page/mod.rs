//! What the template is given: every number already written, every figure drawn, every picture a data address.
//!
//! Two kinds of strings reach the template: text, which it escapes, and [`minijinja::Value`]s marked as safe, which
//! are figures and data addresses made here and nowhere else.

mod cells;
mod head;
mod hits;
mod plates;
mod summary;
mod tracks;
mod trust;

pub(crate) use tracks::TrackPage;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::Value;
use serde::Serialize;

use crate::png_size::png_size;
use crate::{Estimable, Picture, ReportData, ReportError};

/// The whole page.
#[derive(Serialize)]
pub(crate) struct Page {
    title: String,
    subtitle: Option<String>,
    verdict: head::VerdictView,
    hits: Option<hits::HitsView>,
    not_estimable: Vec<head::NotEstimableView>,
    candidates: Option<hits::CandidatesView>,
    plates: Vec<plates::PlateSection>,
    planted: Option<hits::PlantedView>,
    doses: Vec<hits::DoseGroup>,
    galleries: Vec<cells::GalleryView>,
    scatter: Option<cells::ScatterView>,
    reliability: Option<trust::ReliabilityView>,
    entropy: Option<trust::EntropyView>,
    skipped: Vec<head::SkippedView>,
    warnings: Vec<String>,
    run: head::RunView,
    credits: Vec<head::CreditView>,
    json: Value,
}

impl Page {
    /// Draws and writes everything. *Errors*: see [`crate::render()`].
    pub fn of(data: &ReportData) -> Result<Self, ReportError> {
        Ok(Self {
            title: data.title.clone(),
            subtitle: data.subtitle.clone(),
            verdict: head::verdict(&data.verdict),
            hits: data.hits.as_ref().map(hits::hits).transpose()?,
            not_estimable: data.not_estimable.iter().map(head::not_estimable).collect(),
            candidates: data.candidates.as_ref().map(hits::candidates).transpose()?,
            plates: plates::sections(&data.plates)?,
            planted: data.planted.as_ref().map(hits::planted).transpose()?,
            doses: hits::doses(&data.doses)?,
            galleries: data
                .galleries
                .iter()
                .map(cells::gallery)
                .collect::<Result<_, _>>()?,
            scatter: data.scatter.as_ref().map(cells::scatter).transpose()?,
            reliability: data.reliability.as_ref().map(trust::reliability).transpose()?,
            entropy: data.entropy.as_ref().map(trust::entropy).transpose()?,
            skipped: data.skipped.iter().map(head::skipped).collect(),
            warnings: data.warnings.clone(),
            run: head::run(&data.run),
            credits: data.credits.iter().map(head::credit).collect(),
            json: safe(summary::json(data)?),
        })
    }
}

/// Marks markup that was made here as not to be escaped.
fn safe(markup: String) -> Value {
    Value::from_safe_string(markup)
}

/// A picture as the template shows it.
#[derive(Serialize)]
pub(crate) struct PictureView {
    src: Value,
    width: u32,
    height: u32,
    alt: String,
}

/// Checks and encodes one picture; `what` says where it stands.
fn picture(picture: &Picture, what: impl FnOnce() -> String) -> Result<PictureView, ReportError> {
    let Some((width, height)) = png_size(&picture.png) else {
        return Err(ReportError::NotPng {
            what: what(),
            length: picture.png.len(),
        });
    };
    let src = safe(format!("data:image/png;base64,{}", STANDARD.encode(&picture.png)));
    Ok(PictureView {
        src,
        width,
        height,
        alt: picture.alt.clone(),
    })
}

/// Several pictures of one place.
fn pictures(all: &[Picture], what: &str) -> Result<Vec<PictureView>, ReportError> {
    all.iter().map(|one| picture(one, || what.to_owned())).collect()
}

/// The reason, if there is no value.
fn reason<T>(estimable: &Estimable<T>) -> Option<String> {
    match estimable {
        Estimable::Value(_) => None,
        Estimable::NotEstimable(reason) => Some(reason.clone()),
    }
}
