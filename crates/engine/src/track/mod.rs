//! Cells through time: a movie or a table of detections in, tracks with the doubt about every link and division out.

mod counts;
mod ctc;
mod linked;
mod motion;
pub(crate) mod movie;
mod objects;
mod observed;
mod outlines;
mod params;
mod pictures;
mod report_data;
mod review;
mod run_file;
mod sizing;
mod table;
mod tables;

use std::path::Path;

pub(crate) use movie::LabelMovie;
pub use params::{TrackParams, TrackSummary, parse_frame_interval, parse_speed};

use self::linked::Linked;
use self::movie::{Movie, find_movies};
use self::observed::Observed;
use crate::files::write_whole;
use crate::segment::claim_empty;
use crate::{Context, EngineError};

/// Everything that a tracking writes.
const OWN: &[&str] = &[
    "tracks.csv",
    "tracks.parquet",
    "lineages.csv",
    "review.csv",
    "motion.csv",
    "counts.csv",
    "napari_tracks.csv",
    "napari_graph.json",
    "ctc",
    "report.html",
    "run.json",
];

/// Tracks the cells of movies or of a table of detections; of several movies each gets a folder of its own.
///
/// Errors: inputs that cannot be used (nothing is written then), a folder that cannot be written, networks that cannot be run.
pub fn track(params: &TrackParams, context: &Context) -> Result<Vec<TrackSummary>, EngineError> {
    if let Some(path) = &params.detections {
        let observed = table::read_detections(path)?;
        return Ok(vec![track_one(params, observed, None, &params.out, context)?]);
    }
    let movies = find_movies(params)?;
    let mut observer = objects::Observer::new(params)?;
    let several = movies.len() > 1;
    let mut summaries = Vec::new();
    for movie in movies {
        let out = if several {
            params.out.join(&movie.name)
        } else {
            params.out.clone()
        };
        let observed = observer.observe(&movie, context)?;
        summaries.push(track_one(params, observed, Some(&movie), &out, context)?);
    }
    Ok(summaries)
}

fn track_one(
    params: &TrackParams,
    observed: Observed,
    movie: Option<&Movie>,
    out: &Path,
    context: &Context,
) -> Result<TrackSummary, EngineError> {
    context.progress.begin("linking", 1);
    let options = track::TrackOptions {
        max_speed: params.max_speed,
        divisions: params.divisions,
        ..track::TrackOptions::default()
    };
    let tracks = track::track(&observed.detections, &options)?;
    context.progress.advance(1);
    context.progress.end();
    if context.cancelled() {
        return Err(EngineError::Interrupted);
    }
    let linked = Linked::new(&observed, &tracks);
    let clock = motion::Clock {
        hours: params.frame_interval_h,
        um: params.pixel_size_um.or(observed.pixel_size_um),
    };
    let counts = counts::counts(&linked);
    let items = review::review(&linked);
    let of_tracks = motion::motion(&linked);

    claim_empty(out, params.force, OWN)?;
    tables::write_tracks(&linked, out)?;
    tables::write_lineages(&linked, out)?;
    tables::write_motion(&of_tracks, &clock, out)?;
    tables::write_review(&linked, &items, out)?;
    tables::write_counts(&linked, &counts, out)?;
    tables::write_napari(&linked, out)?;
    let mut warnings = observed.warnings.clone();
    warnings.extend(ctc::write(&linked, &out.join("ctc"))?);
    if observed.len() == 1 {
        warnings
            .push("one frame only: there is nothing to link, every object is a track of its own".to_owned());
    }
    if tracks.tracks.is_empty() {
        warnings.push("no object in any frame: the tables have no row".to_owned());
    }
    let mut summary = TrackSummary::of(&linked, &counts, out, warnings);
    if params.report {
        let data = report_data::report_data(&report_data::Told {
            params,
            linked: &linked,
            movie,
            clock: &clock,
            counts: &counts,
            items: &items,
            motion: &of_tracks,
            warnings: &summary.warnings,
        })?;
        let html = report::render_tracks(&data)?;
        let path = out.join("report.html");
        write_whole(&path, html.as_bytes())?;
        summary.report = Some(path);
    }
    run_file::write(params, &linked, &summary, out)?;
    Ok(summary)
}
