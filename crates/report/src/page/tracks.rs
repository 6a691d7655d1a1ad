//! A tracked movie as the template shows it.

use minijinja::Value;
use serde::Serialize;

use super::{PictureView, head, picture, pictures, reason, safe};
use crate::figure::{curve, lineage_tree, link_histogram, track_marks, ways};
use crate::number::{count, plain};
use crate::{Curve, Estimable, ReportError, ReviewRow, TrackReport, TrackedFrame};

/// The whole page.
#[derive(Serialize)]
pub(crate) struct TrackPage {
    title: String,
    subtitle: Option<String>,
    class: &'static str,
    sign: &'static str,
    sentence: String,
    facts: Vec<(String, String, String)>,
    frames: Vec<FrameView>,
    ways: Option<Value>,
    ways_caption: String,
    families: Option<Value>,
    families_reason: Option<String>,
    families_caption: String,
    links: Option<Value>,
    review: Vec<ReviewView>,
    review_caption: String,
    counts: Option<CurveView>,
    displacement: Option<CurveView>,
    displacement_reason: Option<String>,
    warnings: Vec<String>,
    run: head::RunView,
    credits: Vec<head::CreditView>,
}

#[derive(Serialize)]
struct FrameView {
    picture: PictureView,
    caption: String,
    marks: Option<Value>,
}

#[derive(Serialize)]
struct ReviewView {
    kind: String,
    frame: String,
    probability: String,
    is_bad: bool,
    what: String,
    instead: String,
    instead_probability: Option<String>,
    pictures: Vec<PictureView>,
}

#[derive(Serialize)]
struct CurveView {
    figure: Value,
    caption: String,
}

impl TrackPage {
    /// Draws and writes everything. *Errors*: see [`crate::render_tracks`].
    pub fn of(data: &TrackReport) -> Result<Self, ReportError> {
        let (families, families_caption) = match &data.families {
            Estimable::Value(families) => {
                let caption = if families.families.len() < families.total {
                    format!(
                        "The {} largest of {} families that divide. ",
                        families.families.len(),
                        families.total
                    )
                } else {
                    String::new()
                };
                (Some(safe(lineage_tree(families)?)), caption)
            }
            Estimable::NotEstimable(_) => (None, String::new()),
        };
        let ways_caption = data.ways.as_ref().map_or(String::new(), |ways| {
            if ways.ways.len() < ways.total {
                format!(
                    "{} of {} tracks are drawn.",
                    count(ways.ways.len() as u64),
                    count(ways.total as u64)
                )
            } else {
                format!("{} tracks.", count(ways.total as u64))
            }
        });
        let (class, sign) = if data.has_doubt {
            ("limit", "!")
        } else {
            ("pass", "✓")
        };
        Ok(Self {
            title: data.title.clone(),
            subtitle: data.subtitle.clone(),
            class,
            sign,
            sentence: data.sentence.clone(),
            facts: data.facts.clone(),
            frames: data.frames.iter().map(frame).collect::<Result<_, _>>()?,
            ways: data.ways.as_ref().map(ways).transpose()?.map(safe),
            ways_caption,
            families,
            families_reason: reason(&data.families),
            families_caption,
            links: match data.link_bins.as_slice() {
                [] => None,
                bins => Some(safe(link_histogram(bins)?)),
            },
            review: data.review.iter().map(review).collect::<Result<_, _>>()?,
            review_caption: if data.review.len() < data.review_total {
                format!(
                    "The first {} of {} rows of review.csv.",
                    data.review.len(),
                    count(data.review_total as u64)
                )
            } else {
                format!("All {} rows of review.csv.", data.review_total)
            },
            counts: data.counts.as_ref().map(drawn).transpose()?,
            displacement: match &data.displacement {
                Estimable::Value(curve) => Some(drawn(curve)?),
                Estimable::NotEstimable(_) => None,
            },
            displacement_reason: reason(&data.displacement),
            warnings: data.warnings.clone(),
            run: head::run(&data.run),
            credits: data.credits.iter().map(head::credit).collect(),
        })
    }
}

fn drawn(data: &Curve) -> Result<CurveView, ReportError> {
    Ok(CurveView {
        figure: safe(curve(data)?),
        caption: data.caption.clone(),
    })
}

fn frame(frame: &TrackedFrame) -> Result<FrameView, ReportError> {
    let picture = picture(&frame.picture, || frame.caption.clone())?;
    let size = (f64::from(picture.width), f64::from(picture.height));
    Ok(FrameView {
        marks: if frame.marks.is_empty() {
            None
        } else {
            Some(safe(track_marks(frame, size)?))
        },
        picture,
        caption: frame.caption.clone(),
    })
}

fn review(row: &ReviewRow) -> Result<ReviewView, ReportError> {
    Ok(ReviewView {
        kind: row.kind.clone(),
        frame: row.frame.clone(),
        probability: finely(row.probability),
        is_bad: row.probability < 0.8,
        what: row.what.clone(),
        instead: row.instead.clone(),
        instead_probability: row.instead_probability.map(finely),
        pictures: pictures(&row.pictures, &row.what)?,
    })
}

/// A probability as per cent with one decimal: 99.8 % and 100 % are not the same doubt.
fn finely(probability: f64) -> String {
    format!("{} %", plain(100.0 * probability, 1))
}
