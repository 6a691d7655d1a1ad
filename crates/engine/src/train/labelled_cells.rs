//! Labelled cells: an index of crops, positions in images, or a folder of crops by class.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use image::{ReadLimits, crop_at, read_gray};
use ndarray::Array2;

use super::folds::{folds_by_group, read_splits};
use super::table::Table;
use crate::EngineError;

/// One cell that a person named.
#[derive(Clone, Debug)]
pub(crate) struct LabelledCell {
    pub(crate) id: String,
    /// 64 × 64 grey values.
    pub(crate) crop: Array2<f32>,
    pub(crate) class: String,
    pub(crate) group: String,
    pub(crate) fold: u32,
    /// Of a class that is not taught.
    pub(crate) novel: bool,
}

/// All labelled cells of a folder, in the order of their table, and the taught classes, sorted.
#[derive(Clone, Debug)]
pub(crate) struct CellSet {
    pub(crate) cells: Vec<LabelledCell>,
    pub(crate) classes: Vec<String>,
}

struct Entry {
    id: String,
    file: PathBuf,
    class: String,
    group: Option<String>,
    novel: bool,
    position: Option<(f32, f32)>,
}

/// Reads `labels.csv` or `index.csv` of a folder (file or image; class or label; optionally x, y, group, role), or crops in
/// folders named by class, with folds from `splits` or by group.
pub(crate) fn read_cells(data: &Path, splits: Option<&Path>) -> Result<CellSet, EngineError> {
    let table = ["labels.csv", "index.csv"]
        .iter()
        .map(|name| data.join(name))
        .find(|path| path.is_file());
    let entries = match table {
        Some(path) => from_table(data, &path)?,
        None => from_folders(data)?,
    };
    let unusable = |what: String| EngineError::Unusable {
        path: data.to_owned(),
        what,
        remedy: "give a folder with labels.csv (file, label, group) or crops in folders named by class"
            .to_owned(),
    };
    if entries.is_empty() {
        return Err(unusable("no labelled cells".to_owned()));
    }
    let places = splits.map(read_splits).transpose()?;
    let groups: Vec<String> = entries
        .iter()
        .map(|entry| {
            let place = places.as_ref().and_then(|places| places.get(&entry.id));
            place
                .and_then(|place| place.group.clone())
                .or_else(|| entry.group.clone())
                .unwrap_or_else(|| entry.id.clone())
        })
        .collect();
    let by_group = folds_by_group(&groups);
    let mut fields: BTreeMap<PathBuf, Array2<f32>> = BTreeMap::new();
    let mut cells = Vec::with_capacity(entries.len());
    for ((entry, group), fold) in entries.into_iter().zip(groups).zip(by_group) {
        let place = match &places {
            Some(places) => match places.get(&entry.id) {
                Some(place) => Some(place.clone()),
                None => {
                    return Err(unusable(format!(
                        "cell {:?} is not in the splits table",
                        entry.id
                    )));
                }
            },
            None => None,
        };
        let crop = read_crop(&entry, &mut fields)?;
        cells.push(LabelledCell {
            crop,
            group,
            fold: place.as_ref().map_or(fold, |place| place.fold),
            novel: entry.novel || place.is_some_and(|place| place.novel),
            id: entry.id,
            class: entry.class,
        });
    }
    let classes: BTreeSet<String> = cells
        .iter()
        .filter(|cell| !cell.novel)
        .map(|cell| cell.class.clone())
        .collect();
    if classes.len() < 2 {
        return Err(unusable(format!(
            "{} taught class(es), at least 2 are needed",
            classes.len()
        )));
    }
    Ok(CellSet {
        cells,
        classes: classes.into_iter().collect(),
    })
}

fn read_crop(entry: &Entry, fields: &mut BTreeMap<PathBuf, Array2<f32>>) -> Result<Array2<f32>, EngineError> {
    let read = || {
        read_gray(&entry.file, &ReadLimits::default())
            .map(|(pixels, _)| pixels)
            .map_err(|error| EngineError::Unusable {
                path: entry.file.clone(),
                what: error.to_string(),
                remedy: "remove the cell from the table or replace the image".to_owned(),
            })
    };
    let middle = |n: usize| (n as f32 - 1.0) / 2.0;
    match entry.position {
        None => {
            let pixels = read()?;
            let center = (middle(pixels.nrows()), middle(pixels.ncols()));
            if pixels.dim() == (model::CROP_PX, model::CROP_PX) {
                return Ok(pixels);
            }
            Ok(crop_at(pixels.view(), center, model::CROP_PX, 1.0))
        }
        Some((x, y)) => {
            if !fields.contains_key(&entry.file) {
                fields.insert(entry.file.clone(), read()?);
            }
            Ok(crop_at(fields[&entry.file].view(), (y, x), model::CROP_PX, 1.0))
        }
    }
}

fn from_table(data: &Path, path: &Path) -> Result<Vec<Entry>, EngineError> {
    let table = Table::read(path)?;
    let (file, class) = (table.need(&["file", "image"])?, table.need(&["class", "label"])?);
    let (id, group, role) = (
        table.find(&["cell_id", "id"]),
        table.find(&["group"]),
        table.find(&["role"]),
    );
    // An index of crops may tell where in its field a crop was taken: those positions are not ours to crop at.
    let positions = table
        .find(&["image"])
        .and_then(|_| Some((table.find(&["x"])?, table.find(&["y"])?)));
    let mut entries = Vec::with_capacity(table.rows.len());
    for (index, row) in table.rows.iter().enumerate() {
        let name = row.get(file).unwrap_or_default();
        let label = Table::text(row, Some(class));
        let Some(label) = label else {
            return Err(table.bad_row(index, "the class is empty".to_owned()));
        };
        let position = match positions {
            Some((x, y)) => {
                let number = |column: usize| row.get(column).and_then(|text| text.parse::<f32>().ok());
                match (number(x), number(y)) {
                    (Some(x), Some(y)) if x.is_finite() && y.is_finite() => Some((x, y)),
                    _ => return Err(table.bad_row(index, "x or y is not a number".to_owned())),
                }
            }
            None => None,
        };
        entries.push(Entry {
            id: Table::text(row, id).map_or_else(|| format!("{name}#{}", index + 1), str::to_owned),
            file: data.join(name),
            class: label.to_owned(),
            group: Table::text(row, group).map(str::to_owned),
            novel: Table::text(row, role) == Some("novel"),
            position,
        });
    }
    Ok(entries)
}

fn from_folders(data: &Path) -> Result<Vec<Entry>, EngineError> {
    let mut entries = Vec::new();
    for folder in sorted(data)?.into_iter().filter(|path| path.is_dir()) {
        let class = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for file in sorted(&folder)?.into_iter().filter(|path| path.is_file()) {
            let id = format!(
                "{class}/{}",
                file.file_name().unwrap_or_default().to_string_lossy()
            );
            entries.push(Entry {
                id,
                file,
                class: class.clone(),
                group: None,
                novel: false,
                position: None,
            });
        }
    }
    Ok(entries)
}

/// Paths in a folder, sorted by name.
pub(super) fn sorted(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let read = |source| EngineError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(read)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(read)?;
    paths.sort();
    Ok(paths)
}
