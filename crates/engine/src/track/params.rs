//! What can be asked of `track`, and what it hands back.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::counts::Counts;
use super::linked::Linked;
use crate::{EngineError, NetworkParams};

/// What to track.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackParams {
    /// Frames as files, folders of frames, multi-page TIFF files or folders of plates with time points.
    pub movies: Vec<PathBuf>,
    /// A table of detections in place of pictures.
    pub detections: Option<PathBuf>,
    /// Label images of any tool: a folder with one a frame, or a multi-page TIFF.
    pub labels_from: Option<PathBuf>,
    /// Folder for the results.
    pub out: PathBuf,
    /// Bundle that finds nuclei where no labels are given.
    pub bundle: String,
    /// How the networks are used.
    pub networks: NetworkParams,
    /// Layout of plates: name or file; `None` = the one that explains the files, or a plain folder of frames.
    pub layout: Option<String>,
    /// The channel of a plate that shows nuclei.
    pub nuclei: Option<String>,
    /// Hours from one frame to the next.
    pub frame_interval_h: Option<f64>,
    /// Micrometers a pixel, if the files do not say it.
    pub pixel_size_um: Option<f64>,
    /// Largest step from one frame to the next, pixels.
    pub max_speed: Option<f64>,
    /// Whether cells can divide.
    pub divisions: bool,
    /// Seed of the bootstraps.
    pub seed: u64,
    /// Whether to write report.html.
    pub report: bool,
    /// Whether to write into a folder that holds other files.
    pub force: bool,
}

impl TrackParams {
    /// Everything at its default, written to `out`.
    pub fn new(out: impl Into<PathBuf>) -> Self {
        Self {
            movies: Vec::new(),
            detections: None,
            labels_from: None,
            out: out.into(),
            bundle: crate::ScreenParams::SEGMENT_WITH.to_owned(),
            networks: NetworkParams::default(),
            layout: None,
            nuclei: None,
            frame_interval_h: None,
            pixel_size_um: None,
            max_speed: None,
            divisions: true,
            seed: 1,
            report: true,
            force: false,
        }
    }
}

/// What was found in one movie.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TrackSummary {
    /// Folder of the results.
    pub out: PathBuf,
    /// Frames.
    pub frames: usize,
    /// Detections.
    pub objects: usize,
    /// Tracks.
    pub tracks: usize,
    /// Links within tracks.
    pub links: usize,
    /// Positions that were filled in.
    pub filled: usize,
    /// Divisions in the tracks.
    pub divisions: usize,
    /// Expected number of divisions, from the probabilities.
    pub divisions_expected: f64,
    /// Its 90 % interval.
    pub divisions_range: (u32, u32),
    /// Links below a probability of 0.95.
    pub doubtful_links: usize,
    /// Expected number of wrong links.
    pub wrong_links_expected: f64,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// The report, if one was written.
    pub report: Option<PathBuf>,
}

impl TrackSummary {
    pub(super) fn of(linked: &Linked, counts: &Counts, out: &Path, warnings: Vec<String>) -> Self {
        let tracks = linked.tracks;
        Self {
            out: out.to_owned(),
            frames: linked.observed.len(),
            objects: linked.observed.detections.len(),
            tracks: tracks.tracks.len(),
            links: tracks.links.len(),
            filled: tracks
                .objects
                .iter()
                .filter(|object| object.detection.is_none())
                .count(),
            divisions: tracks.divisions.len(),
            divisions_expected: counts.divisions,
            divisions_range: counts.divisions_range,
            doubtful_links: tracks.links.iter().filter(|link| link.probability < 0.95).count(),
            wrong_links_expected: tracks
                .links
                .iter()
                .map(|link| 1.0 - link.probability)
                .sum::<f64>()
                + 0.0,
            warnings,
            report: None,
        }
    }
}

/// A number and the unit behind it.
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let trimmed = text.trim();
    let digits = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let number: f64 = trimmed[..digits].parse().ok()?;
    (number.is_finite() && number > 0.0).then(|| (number, trimmed[digits..].trim()))
}

/// Hours from `5min`, `30 s`, `0.5h`; minutes without a unit.
///
/// Errors: not a number above 0, or another unit.
pub fn parse_frame_interval(text: &str) -> Result<f64, EngineError> {
    let hours = number_and_unit(text).and_then(|(number, unit)| match unit {
        "s" | "sec" => Some(number / 3600.0),
        "" | "min" => Some(number / 60.0),
        "h" => Some(number),
        _ => None,
    });
    hours.ok_or_else(|| EngineError::Option {
        option: "--frame-interval",
        value: text.to_owned(),
        what: "not a time; say 30s, 5min or 0.5h".to_owned(),
    })
}

/// Pixels a frame from `12` or `12px` (a frame), or from `30um/h` where interval and pixel size are known.
///
/// Errors: not a number above 0, another unit, a unit of the world without interval or pixel size.
pub fn parse_speed(text: &str, interval_h: Option<f64>, pixel_um: Option<f64>) -> Result<f64, EngineError> {
    let refuse = |what: &str| EngineError::Option {
        option: "--max-speed",
        value: text.to_owned(),
        what: what.to_owned(),
    };
    let (number, unit) = number_and_unit(text)
        .ok_or_else(|| refuse("not a speed; say pixels a frame, as 12, or micrometers an hour, as 30um/h"))?;
    let world = || {
        interval_h
            .zip(pixel_um)
            .map(|(hours, um)| hours / um)
            .ok_or_else(|| refuse("micrometers need --frame-interval and --pixel-size"))
    };
    match unit {
        "" | "px" | "px/frame" => Ok(number),
        "um/h" | "µm/h" => Ok(number * world()?),
        "um/min" | "µm/min" => Ok(number * 60.0 * world()?),
        _ => Err(refuse(
            "unknown unit; say pixels a frame, as 12, or micrometers an hour, as 30um/h",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_speeds_have_units() {
        assert_eq!(parse_frame_interval("30min").unwrap(), 0.5);
        assert_eq!(parse_frame_interval("90 s").unwrap(), 0.025);
        assert!(
            parse_frame_interval("soon")
                .unwrap_err()
                .to_string()
                .contains("soon")
        );
        assert_eq!(parse_speed("12", None, None).unwrap(), 12.0);
        assert_eq!(parse_speed("26um/h", Some(0.5), Some(1.3)).unwrap(), 10.0);
        assert!(
            parse_speed("26um/h", None, Some(1.3))
                .unwrap_err()
                .to_string()
                .contains("--frame-interval")
        );
        assert!(parse_speed("-3", None, None).is_err());
    }
}
