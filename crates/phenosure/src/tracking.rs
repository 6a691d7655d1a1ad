//! `track`: from arguments to the engine and back to words.

use anyhow::Result;
use engine::evaluate::EvaluateTrackParams;
use engine::{ExitCode, TrackParams, TrackSummary, parse_frame_interval, parse_pixel_size, parse_speed};

use crate::arguments::{EvaluateTrack, Track};
use crate::console::Console;
use crate::printing;

/// Follows cells through movies.
pub fn track(arguments: &Track, console: &Console) -> Result<ExitCode> {
    let summaries = engine::track(&params(arguments)?, &console.context())?;
    for summary in &summaries {
        say(console, summary);
    }
    if console.wants_json() {
        match summaries.as_slice() {
            [one] => printing::json(console, one),
            all => printing::json(console, &all),
        }
    }
    Ok(ExitCode::Done)
}

fn params(arguments: &Track) -> Result<TrackParams> {
    let interval = arguments
        .frame_interval
        .as_deref()
        .map(parse_frame_interval)
        .transpose()?;
    let pixel = arguments
        .pixel_size
        .as_deref()
        .map(parse_pixel_size)
        .transpose()?;
    let pixel_size_um = pixel.map(f64::from);
    let max_speed = arguments
        .max_speed
        .as_deref()
        .map(|text| parse_speed(text, interval, pixel_size_um))
        .transpose()?;
    Ok(TrackParams {
        movies: arguments.movies.clone(),
        detections: arguments.detections.clone(),
        labels_from: arguments.labels_from.clone(),
        bundle: arguments.segment_with.clone(),
        networks: arguments.networks.settings().network_params()?,
        layout: arguments.layout.clone(),
        nuclei: arguments.nuclei.clone(),
        frame_interval_h: interval,
        pixel_size_um,
        max_speed,
        divisions: !arguments.no_divisions,
        seed: arguments.seed,
        report: !arguments.no_report,
        force: arguments.force,
        ..TrackParams::new(&arguments.out)
    })
}

/// What an evaluation is asked to do.
pub fn test_params(arguments: &EvaluateTrack) -> Result<EvaluateTrackParams> {
    Ok(EvaluateTrackParams {
        truth: arguments.truth.clone(),
        result: arguments.result.clone(),
        bundle: arguments.bundle.clone(),
        radius: arguments.radius,
        out: arguments.out.clone(),
        networks: arguments.networks.settings().network_params()?,
        seed: arguments.seed,
    })
}

fn say(console: &Console, summary: &TrackSummary) {
    console.say(&format!(
        "{} frames, {} objects: {} tracks, {} links, {} filled positions, {} divisions",
        summary.frames, summary.objects, summary.tracks, summary.links, summary.filled, summary.divisions
    ));
    console.say(&format!(
        "Doubt: about {:.1} of the links are wrong, {} are below 95 %; {:.1} divisions expected [{} to {}, 90 %]",
        summary.wrong_links_expected,
        summary.doubtful_links,
        summary.divisions_expected,
        summary.divisions_range.0,
        summary.divisions_range.1
    ));
    printing::list(console, "Warnings:", &summary.warnings);
    match &summary.report {
        Some(report) => console.say(&format!("Report: {}", report.display())),
        None => console.say(&format!("Results: {}", summary.out.display())),
    }
}
