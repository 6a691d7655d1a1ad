//! A table of detections: frame, x, y and what is known of each object, under the names that common tools use.

use std::collections::BTreeMap;
use std::path::Path;

use polars::prelude::*;
use track::{Detections, Frame};

use super::observed::Observed;
use crate::EngineError;
use crate::files::read_whole;

/// Frames between the first and the last, at most: beyond this the column holds seconds or dates, not frame numbers.
const MAX_FRAMES: i64 = 1_000_000;
/// Names of columns, lower case, best first. An ending counts where it begins with a `*`.
const FRAME: &[&str] = &[
    "frame",
    "metadata_timepoint",
    "metadata_frame",
    "timepoint",
    "time_point",
    "frame_number",
    "metadata_t",
    "imagenumber",
    "t",
    "time",
];
const X: &[&str] = &[
    "x",
    "metadata_location_x",
    "centroid_x",
    "centroid-1",
    "center_x",
    "pos_x",
    "position_x",
    "location_x",
    "*location_center_x",
    "*areashape_center_x",
];
const Y: &[&str] = &[
    "y",
    "metadata_location_y",
    "centroid_y",
    "centroid-0",
    "center_y",
    "pos_y",
    "position_y",
    "location_y",
    "*location_center_y",
    "*areashape_center_y",
];
const AREA: &[&str] = &["area", "area_px", "*areashape_area"];
const INTENSITY: &[&str] = &[
    "intensity",
    "mean_intensity",
    "intensity_mean",
    "mean_intensity_ch1",
    "*intensity_meanintensity",
];
const EXISTENCE: &[&str] = &["existence", "metadata_segmentation_p50", "segmentation_p50"];
const MITOSIS: &[&str] = &["mitosis", "p_mitosis"];
const LABEL: &[&str] = &[
    "label",
    "metadata_objectnumber",
    "objectnumber",
    "object_id",
    "object",
    "id",
];
/// Shapes and textures that stay with a cell.
const FEATURES: &[&str] = &[
    "eccentricity",
    "solidity",
    "extent",
    "compactness",
    "circularity",
    "roundness",
    "aspect_ratio",
    "formfactor",
    "form_factor",
    "perimeter",
    "major_axis",
    "minor_axis",
    "major_axis_length",
    "minor_axis_length",
    "axis_major_length",
    "axis_minor_length",
    "majoraxislength",
    "minoraxislength",
    "intensity_std",
    "std_intensity",
];
/// Beginnings of names of numbers that a network made.
const EMBEDDINGS: &[&str] = &["embedding", "feature_"];

/// Columns of text, one inner vector a column.
struct Raw {
    names: Vec<String>,
    columns: Vec<Vec<String>>,
    /// Number of the first row, as a person counts.
    first_row: usize,
}

/// Reads detections from a CSV, a TSV or a parquet file.
///
/// Errors: a file that cannot be read, a column that is missing, a row with a value that is none; the row is named as an editor counts lines.
pub(super) fn read_detections(path: &Path) -> Result<Observed, EngineError> {
    let bytes = read_whole(path)?;
    let raw = if bytes.starts_with(b"PAR1") {
        parquet(path, &bytes)?
    } else {
        separated(path, &bytes)?
    };
    let mut observed = Parsed::of(path, raw)?.observed()?;
    observed.inputs.insert(
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        blake3::hash(&bytes).to_hex().to_string(),
    );
    Ok(observed)
}

fn separated(path: &Path, bytes: &[u8]) -> Result<Raw, EngineError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let count = |separator: u8| first.iter().filter(|&&b| b == separator).count();
    let separator = [b',', b'\t', b';']
        .into_iter()
        .max_by_key(|&separator| count(separator))
        .unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let broken = |error: csv::Error| {
        EngineError::unusable(
            path,
            format!("is not a table ({error})"),
            "save it as CSV with one header line and as many cells in every row",
        )
    };
    let names: Vec<String> = reader
        .headers()
        .map_err(broken)?
        .iter()
        .map(str::to_owned)
        .collect();
    let mut columns = vec![Vec::new(); names.len()];
    for record in reader.records() {
        for (column, cell) in columns.iter_mut().zip(&record.map_err(broken)?) {
            column.push(cell.to_owned());
        }
    }
    Ok(Raw {
        names,
        columns,
        first_row: 2,
    })
}

fn parquet(path: &Path, bytes: &[u8]) -> Result<Raw, EngineError> {
    let broken = |error: PolarsError| {
        EngineError::unusable(
            path,
            format!("is not a parquet table ({error})"),
            "write it again",
        )
    };
    let table = ParquetReader::new(std::io::Cursor::new(bytes))
        .finish()
        .map_err(broken)?;
    let mut raw = Raw {
        names: Vec::new(),
        columns: Vec::new(),
        first_row: 1,
    };
    for column in table.columns() {
        let cells = column.as_materialized_series();
        if cells.dtype().is_nested() {
            continue;
        }
        raw.names.push(column.name().to_string());
        raw.columns.push(
            cells
                .iter()
                .map(|cell| match cell {
                    AnyValue::Null => String::new(),
                    AnyValue::String(text) => text.to_owned(),
                    AnyValue::Boolean(truth) => u8::from(truth).to_string(),
                    other => other
                        .extract::<f64>()
                        .map_or_else(String::new, |number| number.to_string()),
                })
                .collect(),
        );
    }
    Ok(raw)
}

/// The columns that are known, as numbers.
struct Parsed<'a> {
    path: &'a Path,
    frame: Vec<i64>,
    x: Vec<f64>,
    y: Vec<f64>,
    /// Row of each object as a person counts.
    row: Vec<usize>,
    area: Vec<f64>,
    intensity: Vec<f64>,
    existence: Vec<f64>,
    mitosis: Vec<f64>,
    label: Vec<u32>,
    features: Vec<(String, Vec<f64>)>,
    warnings: Vec<String>,
}

impl<'a> Parsed<'a> {
    fn of(path: &'a Path, raw: Raw) -> Result<Self, EngineError> {
        let lower: Vec<String> = raw.names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let find = |known: &[&str]| {
            known.iter().find_map(|name| match name.strip_prefix('*') {
                Some(ending) => lower
                    .iter()
                    .position(|found| found.ends_with(ending) || found.contains(&format!("{ending}_"))),
                None => lower.iter().position(|found| found == name),
            })
        };
        let needed = |what: &str, known: &[&str]| {
            find(known).ok_or_else(|| {
                EngineError::unusable(
                    path,
                    format!("has no column {what:?} (columns: {})", raw.names.join(", ")),
                    format!("name it {what}, or as CellProfiler, scikit-image or TrackMate do"),
                )
            })
        };
        let (frame, x, y) = (needed("frame", FRAME)?, needed("x", X)?, needed("y", Y)?);
        // TrackMate writes three more lines of names below its header.
        let is_number = |row: usize| raw.columns[frame][row].parse::<f64>().is_ok();
        let rows = raw.columns[frame].len();
        let skipped = if lower[x] == "position_x" {
            (0..rows.min(3)).take_while(|&row| !is_number(row)).count()
        } else {
            0
        };
        let kept: Vec<usize> = (skipped..rows)
            .filter(|&row| raw.columns.iter().any(|column| !column[row].is_empty()))
            .collect();
        let line = |row: usize| row + raw.first_row;
        let cell = |column: usize, row: usize| raw.columns[column][row].as_str();
        let wrong = |column: usize, row: usize, what: &str, remedy: &str| {
            EngineError::unusable(
                path,
                format!(
                    "row {}: {} is {:?}, {what}",
                    line(row),
                    raw.names[column],
                    cell(column, row)
                ),
                remedy,
            )
        };
        let position = |column: usize| -> Result<Vec<f64>, EngineError> {
            let parse = |&row: &usize| {
                cell(column, row)
                    .parse::<f64>()
                    .ok()
                    .filter(|value| value.is_finite() && value.abs() < 1e9)
                    .ok_or_else(|| {
                        wrong(
                            column,
                            row,
                            "which is no position",
                            "remove the row or correct its position",
                        )
                    })
            };
            kept.iter().map(parse).collect()
        };
        let whole = |column: usize, row: usize| {
            cell(column, row)
                .parse::<f64>()
                .ok()
                .filter(|value| value.fract() == 0.0 && value.abs() < 9e15)
                .map(|value| value as i64)
        };
        let frames = kept
            .iter()
            .map(|&row| {
                whole(frame, row).ok_or_else(|| {
                    wrong(
                        frame,
                        row,
                        "which is no whole number",
                        "number the frames 0, 1, 2 and so on",
                    )
                })
            })
            .collect::<Result<Vec<i64>, _>>()?;
        let optional =
            |column: usize, range: std::ops::RangeInclusive<f64>| -> Result<Vec<f64>, EngineError> {
                let parse = |&row: &usize| match cell(column, row) {
                    "" | "NA" | "None" | "null" => Ok(f64::NAN),
                    text => match text.parse::<f64>() {
                        Ok(value) if value.is_nan() || range.contains(&value) => Ok(value),
                        _ => Err(wrong(
                            column,
                            row,
                            &format!("but must be {} to {}", range.start(), range.end()),
                            "correct the value or leave the cell empty",
                        )),
                    },
                };
                kept.iter().map(parse).collect()
            };
        let known = |names: &[&str], range: std::ops::RangeInclusive<f64>| match find(names) {
            Some(column) => optional(column, range),
            None => Ok(Vec::new()),
        };
        let positive = f64::MIN_POSITIVE..=f64::MAX;
        let mut features = Vec::new();
        let mut used: Vec<usize> = [FRAME, X, Y, AREA, INTENSITY, EXISTENCE, MITOSIS, LABEL]
            .iter()
            .filter_map(|names| find(names))
            .collect();
        for (column, name) in lower.iter().enumerate() {
            let bare = name
                .rsplit_once("areashape_")
                .map_or(name.as_str(), |(_, bare)| bare);
            let is_feature = FEATURES.contains(&bare)
                || name.contains("intensity_stdintensity")
                || EMBEDDINGS.iter().any(|start| name.starts_with(start));
            if is_feature && !used.contains(&column) {
                let values = kept
                    .iter()
                    .map(|&row| {
                        cell(column, row)
                            .parse::<f64>()
                            .ok()
                            .filter(|value| value.is_finite())
                            .unwrap_or(f64::NAN)
                    })
                    .collect();
                features.push((raw.names[column].clone(), values));
                used.push(column);
            }
        }
        let ignored: Vec<&str> = (0..lower.len())
            .filter(|column| !used.contains(column))
            .map(|column| raw.names[column].as_str())
            .collect();
        let mut warnings = Vec::new();
        if !ignored.is_empty() {
            warnings.push(format!("columns that are not used: {}", ignored.join(", ")));
        }
        Ok(Self {
            path,
            frame: frames,
            x: position(x)?,
            y: position(y)?,
            row: kept.iter().map(|&row| line(row)).collect(),
            area: known(AREA, positive.clone())?,
            intensity: match find(INTENSITY) {
                // Logarithms are taken of intensities; those of 0 or below (background taken off) tell nothing.
                Some(column) => optional(column, f64::MIN..=f64::MAX)?
                    .into_iter()
                    .map(|value| if value > 0.0 { value } else { f64::NAN })
                    .collect(),
                None => Vec::new(),
            },
            existence: known(EXISTENCE, 0.0..=1.0)?,
            mitosis: known(MITOSIS, 0.0..=1.0)?,
            label: match find(LABEL) {
                Some(column) => kept
                    .iter()
                    .map(|&row| {
                        whole(column, row)
                            .and_then(|id| u32::try_from(id).ok())
                            .unwrap_or(0)
                    })
                    .collect(),
                None => kept.iter().map(|&row| line(row) as u32).collect(),
            },
            features,
            warnings,
        })
    }

    /// Frame number of the first frame, and the step from one to the next.
    fn clock(&self) -> Result<(i64, i64, usize), EngineError> {
        let mut numbers = self.frame.clone();
        numbers.sort_unstable();
        numbers.dedup();
        let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) else {
            return Err(EngineError::unusable(
                self.path,
                "has no row",
                "give at least one detection",
            ));
        };
        let step = numbers
            .windows(2)
            .fold(0, |step, pair| gcd(step, pair[1] - pair[0]))
            .max(1);
        let span = (last - first) / step + 1;
        let distinct = numbers.len() as i64;
        if span > MAX_FRAMES || span > 20 * distinct + 100 {
            return Err(EngineError::unusable(
                self.path,
                format!("has {distinct} frames numbered from {first} to {last}"),
                "number the frames 0, 1, 2 and so on (not seconds or dates), evenly spaced in time",
            ));
        }
        Ok((first, step, span as usize))
    }

    fn observed(mut self) -> Result<Observed, EngineError> {
        let (first, step, n) = self.clock()?;
        if step > 1 {
            self.warnings.push(format!(
                "frames are numbered in steps of {step}: taken as neighbours"
            ));
        }
        let mut order: Vec<usize> = (0..self.frame.len()).collect();
        order.sort_by_key(|&at| self.frame[at]);
        self.check_doubles(&order)?;
        let mut frames = vec![Frame::default(); n];
        let mut labels = vec![Vec::new(); n];
        let has = |column: &[f64]| !column.is_empty();
        for frame in &mut frames {
            frame.features = vec![Vec::new(); self.features.len()];
        }
        for &at in &order {
            let t = ((self.frame[at] - first) / step) as usize;
            let frame = &mut frames[t];
            frame.x.push(self.x[at]);
            frame.y.push(self.y[at]);
            for (column, into) in [
                (&self.area, &mut frame.area),
                (&self.intensity, &mut frame.intensity),
                (&self.existence, &mut frame.existence),
                (&self.mitosis, &mut frame.mitosis),
            ] {
                if has(column) {
                    into.push(column[at]);
                }
            }
            for ((_, column), into) in self.features.iter().zip(&mut frame.features) {
                into.push(column[at]);
            }
            labels[t].push(self.label[at]);
        }
        let empty: Vec<String> = (0..n)
            .filter(|&t| frames[t].is_empty())
            .map(|t| (first + t as i64 * step).to_string())
            .collect();
        if !empty.is_empty() {
            self.warnings.push(format!(
                "{} of {n} frames have no row and count as frames in which nothing was seen (first: {})",
                empty.len(),
                empty[0]
            ));
        }
        Ok(Observed {
            detections: Detections {
                frames,
                field: None,
                feature_names: self.features.iter().map(|(name, _)| name.clone()).collect(),
            },
            labels,
            first_frame: first,
            frame_step: step,
            outlines: None,
            shape: None,
            pixel_size_um: None,
            names: Vec::new(),
            inputs: BTreeMap::new(),
            warnings: self.warnings,
        })
    }

    /// Two rows at one place of one frame are one object that was written twice.
    fn check_doubles(&self, order: &[usize]) -> Result<(), EngineError> {
        let mut seen: BTreeMap<(i64, u64, u64), usize> = BTreeMap::new();
        for &at in order {
            let key = (self.frame[at], self.x[at].to_bits(), self.y[at].to_bits());
            if let Some(other) = seen.insert(key, at) {
                return Err(EngineError::unusable(
                    self.path,
                    format!(
                        "rows {} and {} are both at ({}, {}) in frame {}",
                        self.row[other], self.row[at], self.x[at], self.y[at], self.frame[at]
                    ),
                    "remove the copy",
                ));
            }
        }
        Ok(())
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
