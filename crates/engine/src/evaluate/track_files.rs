//! Files of trackings: trajectory tables, label folders with their track files, and the probabilities that `track` writes.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use track::score::{DivisionClaim, LinkClaim, TrackPoint};

use crate::EngineError;
use crate::files::{names_in, read_whole};
use crate::track::LabelMovie;

/// Where a folder keeps its label images, tried in order.
const LABEL_FOLDERS: [&str; 4] = ["labels", "TRA", "ctc", ""];
/// Names of track files.
const TRACK_FILES: [&str; 2] = ["man_track.txt", "res_track.txt"];

/// The probabilities of a tracking.
pub(super) struct Claims {
    /// Links within tracks.
    pub(super) links: Vec<LinkClaim>,
    /// Divisions.
    pub(super) divisions: Vec<DivisionClaim>,
}

/// A table's header and rows.
struct Rows {
    path: PathBuf,
    header: Vec<String>,
    rows: Vec<csv::StringRecord>,
}

impl Rows {
    fn read(path: &Path) -> Result<Self, EngineError> {
        let bytes = read_whole(path)?;
        let broken = |error: csv::Error| {
            EngineError::unusable(
                path,
                format!("is not a table ({error})"),
                "save it as CSV with a header",
            )
        };
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(bytes.as_slice());
        let header = reader
            .headers()
            .map_err(broken)?
            .iter()
            .map(str::to_owned)
            .collect();
        Ok(Self {
            path: path.to_owned(),
            header,
            rows: reader.records().collect::<Result<_, _>>().map_err(broken)?,
        })
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.header
            .iter()
            .position(|found| found.eq_ignore_ascii_case(name))
    }

    fn need(&self, name: &str) -> Result<usize, EngineError> {
        self.column(name).ok_or_else(|| {
            EngineError::unusable(
                &self.path,
                format!("has no column {name:?} (columns: {})", self.header.join(", ")),
                "a trajectory table has track_id, frame, x, y and, for divisions, parent_id",
            )
        })
    }

    fn number(&self, row: usize, column: usize) -> Result<f64, EngineError> {
        let cell = self.rows[row].get(column).unwrap_or_default();
        cell.parse::<f64>()
            .ok()
            .filter(|value| value.is_finite())
            .ok_or_else(|| {
                EngineError::unusable(
                    &self.path,
                    format!(
                        "row {}: {} is {cell:?}, which is no number",
                        row + 2,
                        self.header[column]
                    ),
                    "correct the cell or remove the row",
                )
            })
    }

    fn whole(&self, row: usize, column: usize) -> Result<u32, EngineError> {
        let value = self.number(row, column)?;
        if value.fract() == 0.0 && (0.0..4e9).contains(&value) {
            return Ok(value as u32);
        }
        Err(EngineError::unusable(
            &self.path,
            format!(
                "row {}: {} is {value}, which is no whole number from 0",
                row + 2,
                self.header[column]
            ),
            "number tracks from 1 and frames from 0",
        ))
    }
}

/// Rows of a trajectory table: track_id, frame, x, y and parent_id where it has one.
///
/// Errors: a file, column or cell that cannot be used.
pub(super) fn read_points(path: &Path) -> Result<Vec<TrackPoint>, EngineError> {
    let table = Rows::read(path)?;
    let [track, frame, x, y] = ["track_id", "frame", "x", "y"].map(|name| table.need(name));
    let (track, frame, x, y) = (track?, frame?, x?, y?);
    let parent = table.column("parent_id");
    (0..table.rows.len())
        .map(|row| {
            Ok(TrackPoint {
                track: table.whole(row, track)?,
                frame: table.whole(row, frame)? as usize,
                x: table.number(row, x)?,
                y: table.number(row, y)?,
                parent: match parent {
                    Some(column) if !table.rows[row].get(column).unwrap_or_default().is_empty() => {
                        table.whole(row, column)?
                    }
                    _ => 0,
                },
            })
        })
        .collect()
}

/// The folder in a data or result folder that holds the label images.
///
/// Errors: there is none.
pub(super) fn label_folder(folder: &Path) -> Result<PathBuf, EngineError> {
    let holds_images = |path: &Path| -> Result<bool, EngineError> {
        Ok(names_in(path)?
            .iter()
            .any(|name| name.ends_with(".tif") || name.ends_with(".tiff") || name.ends_with(".png")))
    };
    for below in LABEL_FOLDERS {
        let path = if below.is_empty() {
            folder.to_owned()
        } else {
            folder.join(below)
        };
        if path.is_dir() && holds_images(&path)? {
            return Ok(path);
        }
    }
    Err(EngineError::unusable(
        folder,
        "holds no label images (in labels/, TRA/, ctc/ or directly)",
        "name a folder with label images and man_track.txt or res_track.txt",
    ))
}

/// Lines of a track file: label, first frame, last frame, parent.
type TrackLines = Vec<(u32, usize, usize, u32)>;

/// Label images of a folder and the lines of its track file.
///
/// Errors: images or track file that are not there or cannot be used.
pub(super) fn read_label_folder(folder: &Path) -> Result<(Vec<Array2<u32>>, TrackLines), EngineError> {
    let images = label_folder(folder)?;
    let movie = LabelMovie::open(&images)?;
    let mut maps: Vec<Option<Array2<u32>>> = Vec::new();
    for t in 0..movie.frames.len() {
        maps.push(movie.map(t)?);
    }
    let shape = maps.iter().flatten().next().map_or((1, 1), |map| map.dim());
    let maps = maps
        .into_iter()
        .map(|map| map.unwrap_or_else(|| Array2::zeros(shape)))
        .collect();
    let files = TRACK_FILES
        .iter()
        .flat_map(|name| [images.join(name), folder.join(name)]);
    let Some(file) = files.into_iter().find(|path| path.is_file()) else {
        return Err(EngineError::unusable(
            folder,
            "has no man_track.txt or res_track.txt",
            "write one line a track: label, first frame, last frame, parent or 0",
        ));
    };
    Ok((maps, track_lines(&file)?))
}

fn track_lines(path: &Path) -> Result<TrackLines, EngineError> {
    let text = String::from_utf8_lossy(&read_whole(path)?).into_owned();
    let mut lines = Vec::new();
    for (index, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let numbers: Option<Vec<u32>> = line
            .split_whitespace()
            .map(|word| {
                let value: f64 = word.parse().ok()?;
                (value.fract() == 0.0 && (0.0..4e9).contains(&value)).then_some(value as u32)
            })
            .collect();
        match numbers.as_deref() {
            Some(&[label, first, last, parent]) if label > 0 && first <= last => {
                lines.push((label, first as usize, last as usize, parent));
            }
            _ => {
                return Err(EngineError::unusable(
                    path,
                    format!("line {}: {line:?} is not \"L B E P\"", index + 1),
                    "write label, first frame, last frame, and parent or 0, as whole numbers",
                ));
            }
        }
    }
    Ok(lines)
}

/// Probabilities of a folder that `track` wrote; `None` for any other result.
///
/// Errors: its tables cannot be used.
pub(super) fn read_claims(result: &Path) -> Result<Option<Claims>, EngineError> {
    let (tracks, lineages) = (result.join("tracks.csv"), result.join("lineages.csv"));
    if !tracks.is_file() || !lineages.is_file() {
        return Ok(None);
    }
    let table = Rows::read(&tracks)?;
    let Some(probability) = table.column("link_probability") else {
        return Ok(None);
    };
    let (track, frame, filled) = (
        table.need("track_id")?,
        table.need("frame")?,
        table.need("filled")?,
    );
    let mut links = Vec::new();
    let mut before: Option<(u32, usize)> = None;
    for row in 0..table.rows.len() {
        if table.rows[row].get(filled) == Some("true") {
            continue;
        }
        let here = (table.whole(row, track)?, table.whole(row, frame)? as usize);
        if let Some((same, earlier)) = before
            && same == here.0
        {
            links.push(LinkClaim {
                from: (earlier, same),
                to: (here.1, here.0),
                probability: table.number(row, probability)?,
            });
        }
        before = Some(here);
    }
    let table = Rows::read(&lineages)?;
    let (label, division) = (table.need("L")?, table.need("division_probability")?);
    let mut divisions = Vec::new();
    for row in 0..table.rows.len() {
        if !table.rows[row].get(division).unwrap_or_default().is_empty() {
            divisions.push(DivisionClaim {
                mother: table.whole(row, label)?,
                probability: table.number(row, division)?,
            });
        }
    }
    Ok(Some(Claims { links, divisions }))
}
