//! The tables of a tracked movie.

use std::path::Path;

use polars::prelude::*;

use super::linked::Linked;
use super::motion::{Clock, TrackMotion};
use super::review::ReviewItem;
use crate::EngineError;
use crate::files::write_whole;

/// Probabilities are written with so many digits: beyond them they are noise of the arithmetic.
pub(super) fn rounded(probability: f64) -> f64 {
    (probability * 1e6).round() / 1e6
}

fn table(rows: usize, columns: Vec<Column>) -> Result<DataFrame, EngineError> {
    DataFrame::new(rows, columns).map_err(|source| {
        EngineError::Profile(Box::new(profile::ProfileError::Table {
            table: "tracks",
            source,
        }))
    })
}

/// Writes a table as CSV.
fn csv(mut table: DataFrame, path: &Path) -> Result<(), EngineError> {
    Ok(profile::write_csv(&mut table, path)?)
}

/// Writes `tracks.csv` and `tracks.parquet`: one row an object and frame; filled ones are marked.
pub(super) fn write_tracks(linked: &Linked, out: &Path) -> Result<(), EngineError> {
    let objects = &linked.tracks.objects;
    let observed = linked.observed;
    let links = &linked.tracks.links;
    let of_detection = |column: &dyn Fn(&track::Frame) -> &Vec<f64>| -> Vec<Option<f64>> {
        objects
            .iter()
            .map(|object| {
                let frame = &observed.detections.frames[object.frame as usize];
                let value = column(frame).get(object.detection? as usize).copied();
                value.filter(|value| value.is_finite())
            })
            .collect()
    };
    let mut step: Vec<Option<f64>> = Vec::with_capacity(objects.len());
    for track in &linked.tracks.tracks {
        step.push(None);
        let steps = linked.steps(track.id);
        step.extend(steps.iter().map(|(dx, dy)| Some(rounded(dx.hypot(*dy)))));
    }
    let runner_up = |index: usize| linked.arriving[index].map(|link| links[link].runner_up);
    let mut columns = vec![
        Column::new(
            "track_id".into(),
            objects.iter().map(|o| o.track).collect::<Vec<u32>>(),
        ),
        Column::new(
            "frame".into(),
            objects
                .iter()
                .map(|o| observed.number(o.frame))
                .collect::<Vec<i64>>(),
        ),
        Column::new(
            "x".into(),
            objects.iter().map(|o| rounded(o.x)).collect::<Vec<f64>>(),
        ),
        Column::new(
            "y".into(),
            objects.iter().map(|o| rounded(o.y)).collect::<Vec<f64>>(),
        ),
        Column::new(
            "parent_id".into(),
            objects
                .iter()
                .map(|o| linked.tracks.tracks[o.track as usize - 1].parent.unwrap_or(0))
                .collect::<Vec<u32>>(),
        ),
        Column::new(
            "link_probability".into(),
            (0..objects.len())
                .map(|index| linked.past(index).map(rounded))
                .collect::<Vec<Option<f64>>>(),
        ),
        Column::new(
            "runner_up".into(),
            (0..objects.len())
                .map(|index| runner_up(index).map(|second| linked.alternative(second.kind)))
                .collect::<Vec<Option<String>>>(),
        ),
        Column::new(
            "runner_up_probability".into(),
            (0..objects.len())
                .map(|index| runner_up(index).map(|second| rounded(second.probability)))
                .collect::<Vec<Option<f64>>>(),
        ),
        Column::new(
            "presence_probability".into(),
            objects
                .iter()
                .map(|o| rounded(o.probability))
                .collect::<Vec<f64>>(),
        ),
        Column::new(
            "filled".into(),
            objects
                .iter()
                .map(|o| o.detection.is_none())
                .collect::<Vec<bool>>(),
        ),
        Column::new(
            "label".into(),
            objects
                .iter()
                .map(|o| {
                    let labels = &observed.labels[o.frame as usize];
                    labels.get(o.detection? as usize).copied()
                })
                .collect::<Vec<Option<u32>>>(),
        ),
        Column::new("step_px".into(), step),
    ];
    let frames = &observed.detections.frames;
    if frames.iter().any(|frame| !frame.area.is_empty()) {
        columns.push(Column::new("area".into(), of_detection(&|frame| &frame.area)));
    }
    if frames.iter().any(|frame| !frame.intensity.is_empty()) {
        columns.push(Column::new(
            "intensity".into(),
            of_detection(&|frame| &frame.intensity),
        ));
    }
    let mut all = table(objects.len(), columns)?;
    profile::write_parquet(&mut all, &out.join("tracks.parquet"))?;
    csv(all, &out.join("tracks.csv"))
}

/// Writes `lineages.csv`: L B E P of the Cell Tracking Challenge with the doubt about each.
pub(super) fn write_lineages(linked: &Linked, out: &Path) -> Result<(), EngineError> {
    let tracks = &linked.tracks.tracks;
    let (observed, links) = (linked.observed, &linked.tracks.links);
    let division = |of: &[Option<usize>]| -> Vec<Option<f64>> {
        of.iter()
            .map(|division| Some(rounded(linked.tracks.divisions[(*division)?].probability)))
            .collect()
    };
    let weakest = |track: &track::Track| track.weakest_link.map(|link| &links[link]);
    let columns = vec![
        Column::new("L".into(), tracks.iter().map(|t| t.id).collect::<Vec<u32>>()),
        Column::new(
            "B".into(),
            tracks
                .iter()
                .map(|t| observed.number(t.first))
                .collect::<Vec<i64>>(),
        ),
        Column::new(
            "E".into(),
            tracks
                .iter()
                .map(|t| observed.number(t.last))
                .collect::<Vec<i64>>(),
        ),
        Column::new(
            "P".into(),
            tracks.iter().map(|t| t.parent.unwrap_or(0)).collect::<Vec<u32>>(),
        ),
        Column::new("birth_probability".into(), division(&linked.born)),
        Column::new("division_probability".into(), division(&linked.divides)),
        Column::new(
            "weakest_link".into(),
            tracks
                .iter()
                .map(|t| weakest(t).map(|link| rounded(link.probability)))
                .collect::<Vec<Option<f64>>>(),
        ),
        Column::new(
            "weakest_link_frame".into(),
            tracks
                .iter()
                .map(|t| weakest(t).map(|link| observed.number(link.to.frame)))
                .collect::<Vec<Option<i64>>>(),
        ),
        Column::new(
            "track_probability".into(),
            tracks
                .iter()
                .map(|t| rounded(t.probability))
                .collect::<Vec<f64>>(),
        ),
    ];
    csv(table(tracks.len(), columns)?, &out.join("lineages.csv"))
}

/// Writes `motion.csv`: how each cell moved and how long it lived.
pub(super) fn write_motion(motion: &[TrackMotion], clock: &Clock, out: &Path) -> Result<(), EngineError> {
    let numbers = |pick: &dyn Fn(&TrackMotion) -> Option<f64>| -> Vec<Option<f64>> {
        motion.iter().map(|row| pick(row).map(rounded)).collect()
    };
    let (length, time) = (clock.length_unit(), clock.time_unit());
    let columns = vec![
        Column::new(
            "track_id".into(),
            motion.iter().map(|m| m.track).collect::<Vec<u32>>(),
        ),
        Column::new(
            "frames".into(),
            motion.iter().map(|m| m.frames).collect::<Vec<u32>>(),
        ),
        Column::new(
            format!("duration_{time}").as_str().into(),
            numbers(&|m| Some(clock.time(f64::from(m.frames - 1)))),
        ),
        Column::new(
            format!("path_{length}").as_str().into(),
            numbers(&|m| Some(clock.length(m.path))),
        ),
        Column::new(
            format!("displacement_{length}").as_str().into(),
            numbers(&|m| Some(clock.length(m.displacement))),
        ),
        Column::new("directionality".into(), numbers(&|m| m.directionality())),
        Column::new(
            format!("mean_speed_{length}_per_{time}").as_str().into(),
            numbers(&|m| m.mean_step().map(|step| clock.speed(step))),
        ),
        Column::new(
            format!("cell_cycle_{time}").as_str().into(),
            numbers(&|m| m.cycle_frames.map(|frames| clock.time(f64::from(frames)))),
        ),
        Column::new("cell_cycle_probability".into(), numbers(&|m| m.cycle_probability)),
    ];
    csv(table(motion.len(), columns)?, &out.join("motion.csv"))
}

/// Writes `review.csv`: the links and divisions most worth a look, worst first.
pub(super) fn write_review(linked: &Linked, items: &[ReviewItem], out: &Path) -> Result<(), EngineError> {
    let text = |pick: &dyn Fn(&ReviewItem) -> String| -> Vec<String> { items.iter().map(pick).collect() };
    let columns = vec![
        Column::new("kind".into(), text(&|item| item.kind.name().to_owned())),
        Column::new(
            "frame".into(),
            items
                .iter()
                .map(|item| linked.observed.number(item.frame))
                .collect::<Vec<i64>>(),
        ),
        Column::new(
            "x".into(),
            items.iter().map(|i| rounded(i.x)).collect::<Vec<f64>>(),
        ),
        Column::new(
            "y".into(),
            items.iter().map(|i| rounded(i.y)).collect::<Vec<f64>>(),
        ),
        Column::new(
            "track_id".into(),
            items
                .iter()
                .map(|i| i.tracks.first().copied())
                .collect::<Vec<Option<u32>>>(),
        ),
        Column::new(
            "probability".into(),
            items.iter().map(|i| rounded(i.probability)).collect::<Vec<f64>>(),
        ),
        Column::new("what".into(), text(&|item| item.what.clone())),
        Column::new("instead".into(), text(&|item| item.instead.clone())),
        Column::new(
            "instead_probability".into(),
            items
                .iter()
                .map(|i| i.instead_probability.map(rounded))
                .collect::<Vec<Option<f64>>>(),
        ),
    ];
    csv(table(items.len(), columns)?, &out.join("review.csv"))
}

/// Writes `counts.csv`: cells and divisions of every frame with 90 % intervals.
pub(super) fn write_counts(
    linked: &Linked,
    counts: &super::counts::Counts,
    out: &Path,
) -> Result<(), EngineError> {
    let rows = &counts.frames;
    let columns = vec![
        Column::new(
            "frame".into(),
            (0..rows.len() as u32)
                .map(|frame| linked.observed.number(frame))
                .collect::<Vec<i64>>(),
        ),
        Column::new(
            "cells".into(),
            rows.iter().map(|r| rounded(r.cells)).collect::<Vec<f64>>(),
        ),
        Column::new(
            "cells_lower".into(),
            rows.iter().map(|r| r.range.0).collect::<Vec<u32>>(),
        ),
        Column::new(
            "cells_upper".into(),
            rows.iter().map(|r| r.range.1).collect::<Vec<u32>>(),
        ),
        Column::new(
            "divisions".into(),
            rows.iter().map(|r| rounded(r.divisions)).collect::<Vec<f64>>(),
        ),
    ];
    csv(table(rows.len(), columns)?, &out.join("counts.csv"))
}

/// Writes `napari_tracks.csv` (track_id, t, y, x: the array of a Tracks layer) and `napari_graph.json` (daughter: [mother]).
pub(super) fn write_napari(linked: &Linked, out: &Path) -> Result<(), EngineError> {
    let objects = &linked.tracks.objects;
    let columns = vec![
        Column::new(
            "track_id".into(),
            objects.iter().map(|o| o.track).collect::<Vec<u32>>(),
        ),
        Column::new("t".into(), objects.iter().map(|o| o.frame).collect::<Vec<u32>>()),
        Column::new(
            "y".into(),
            objects.iter().map(|o| rounded(o.y)).collect::<Vec<f64>>(),
        ),
        Column::new(
            "x".into(),
            objects.iter().map(|o| rounded(o.x)).collect::<Vec<f64>>(),
        ),
    ];
    csv(table(objects.len(), columns)?, &out.join("napari_tracks.csv"))?;
    let graph: serde_json::Map<String, serde_json::Value> = linked
        .tracks
        .tracks
        .iter()
        .filter_map(|track| Some((track.id.to_string(), serde_json::json!([track.parent?]))))
        .collect();
    let text = serde_json::to_string(&graph).unwrap_or_default();
    write_whole(&out.join("napari_graph.json"), text.as_bytes())
}
