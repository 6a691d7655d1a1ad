//! `run.json` of a tracking: what was read, what was asked for, what was learned of the movie.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::linked::Linked;
use super::params::{TrackParams, TrackSummary};
use crate::EngineError;
use crate::files::{read_whole, write_whole};

/// Version of the file.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct RunFile<'a> {
    format: u32,
    program: String,
    command: &'static str,
    arguments: serde_json::Value,
    /// Digest (blake3) of every file that was read.
    inputs: &'a BTreeMap<String, String>,
    /// What was learned of the movie.
    model: serde_json::Value,
    counts: serde_json::Value,
    warnings: &'a [String],
    /// Digest of every table that was written.
    files: BTreeMap<&'static str, String>,
}

/// Writes the file last, when all others are there. It holds no time, no thread count and no place on a disk.
pub(super) fn write(
    params: &TrackParams,
    linked: &Linked,
    summary: &TrackSummary,
    out: &Path,
) -> Result<(), EngineError> {
    let model = &linked.tracks.model;
    let mut files = BTreeMap::new();
    for name in [
        "tracks.csv",
        "lineages.csv",
        "review.csv",
        "motion.csv",
        "counts.csv",
    ] {
        files.insert(
            name,
            blake3::hash(&read_whole(&out.join(name))?).to_hex().to_string(),
        );
    }
    let segmented = params.detections.is_none() && params.labels_from.is_none();
    let file = RunFile {
        format: FORMAT,
        program: format!("phenosure {}", env!("CARGO_PKG_VERSION")),
        command: "track",
        arguments: json!({
            "objects": match (&params.detections, &params.labels_from) {
                (Some(_), _) => "detections",
                (None, Some(_)) => "labels",
                _ => "segmented",
            },
            "bundle": segmented.then_some(&params.bundle),
            "members": params.networks.members,
            "draws": params.networks.draws,
            "layout": params.layout,
            "nuclei": params.nuclei,
            "frame_interval_h": params.frame_interval_h,
            "pixel_size_um": params.pixel_size_um,
            "max_speed_px": params.max_speed,
            "divisions": params.divisions,
            "seed": params.seed,
        }),
        inputs: &linked.observed.inputs,
        model: json!({
            "rounds": model.rounds,
            "step_px_quantiles_50_90_99": model.step_quantiles,
            "persistence_slow_to_fast": model.persistence,
            "detection_probability": model.detection_probability,
            "false_objects_per_cell": model.false_per_cell,
            "appearing_per_frame": model.appearing,
            "vanishing_per_frame": model.vanishing,
            "entering_per_frame_at_edge": model.entering,
            "leaving_per_frame_at_edge": model.leaving,
            "edge_depth_px": model.edge_depth,
            "division_probability_per_frame": model.division_probability,
            "sister_distance_px": model.sister_distance.0,
            "sister_distance_factor": model.sister_distance.1,
            "features": model.features,
        }),
        counts: json!({
            "frames": summary.frames,
            "objects": summary.objects,
            "tracks": summary.tracks,
            "links": summary.links,
            "filled": summary.filled,
            "divisions": summary.divisions,
            "divisions_expected": summary.divisions_expected,
            "divisions_90_percent": [summary.divisions_range.0, summary.divisions_range.1],
        }),
        warnings: &summary.warnings,
        files,
    };
    let text = serde_json::to_string_pretty(&file).unwrap_or_default();
    write_whole(&out.join("run.json"), text.as_bytes())
}
