//! Images with label images beside them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::folds::{folds_by_group, read_splits};
use super::labelled_cells::sorted;
use super::table::Table;
use crate::EngineError;

/// Endings of a label image's stem beside its image.
const LABEL_SUFFIXES: [&str; 3] = ["_masks", "_label", "_labels"];
const EXTENSIONS: [&str; 5] = ["png", "tif", "tiff", "jpg", "jpeg"];

/// One image with its label image.
#[derive(Clone, Debug)]
pub(crate) struct LabelledImage {
    pub(crate) name: String,
    pub(crate) image: PathBuf,
    pub(crate) labels: PathBuf,
    pub(crate) group: String,
    pub(crate) fold: u32,
    pub(crate) modality: model::Modality,
    /// Kind of picture as the index names it, for figures by source.
    pub(crate) kind: String,
}

/// Finds the pairs of a folder: `images/` with `labels/`, or `<stem>_masks.tif` and the like beside the image; folds, groups
/// and modalities from `splits`, or from `index.csv`, else each image is its own group.
pub(crate) fn read_images(data: &Path, splits: Option<&Path>) -> Result<Vec<LabelledImage>, EngineError> {
    let pairs = find_pairs(data)?;
    let unusable = |what: String| EngineError::Unusable {
        path: data.to_owned(),
        what,
        remedy: "put label images in labels/ under the image's name, or beside the image as <stem>_masks.tif"
            .to_owned(),
    };
    if pairs.is_empty() {
        return Err(unusable("no image with a label image was found".to_owned()));
    }
    let index = data.join("index.csv");
    let known = if index.is_file() {
        modalities(&index)?
    } else {
        BTreeMap::new()
    };
    let places = splits.map(read_splits).transpose()?;
    let mut groups = Vec::with_capacity(pairs.len());
    for (name, ..) in &pairs {
        let place = places.as_ref().and_then(|places| places.get(name));
        groups.push(
            place
                .and_then(|place| place.group.clone())
                .unwrap_or_else(|| name.clone()),
        );
    }
    let by_group = folds_by_group(&groups);
    let mut images = Vec::with_capacity(pairs.len());
    for (((name, image, labels), group), fold) in pairs.into_iter().zip(groups).zip(by_group) {
        let place = match &places {
            Some(places) => match places.get(&name) {
                Some(place) => Some(place.clone()),
                None => return Err(unusable(format!("image {name:?} is not in the splits table"))),
            },
            None => None,
        };
        let kind = place
            .as_ref()
            .and_then(|place| place.modality.clone())
            .or_else(|| known.get(&name).cloned());
        let modality = match kind.as_deref() {
            Some("stained") => model::Modality::Stained,
            Some("brightfield") => model::Modality::Brightfield,
            _ => model::Modality::Fluorescence,
        };
        images.push(LabelledImage {
            name,
            image,
            labels,
            group,
            fold: place.map_or(fold, |place| place.fold),
            modality,
            kind: kind.unwrap_or_else(|| "fluorescence".to_owned()),
        });
    }
    Ok(images)
}

fn modalities(index: &Path) -> Result<BTreeMap<String, String>, EngineError> {
    let table = Table::read(index)?;
    let (name, modality) = (table.find(&["name"]), table.find(&["modality"]));
    Ok(table
        .rows
        .iter()
        .filter_map(|row| {
            Some((
                Table::text(row, name)?.to_owned(),
                Table::text(row, modality)?.to_owned(),
            ))
        })
        .collect())
}

fn find_pairs(data: &Path) -> Result<Vec<(String, PathBuf, PathBuf)>, EngineError> {
    let (images, labels) = (data.join("images"), data.join("labels"));
    let (images, labels) = if images.is_dir() {
        (images, labels)
    } else {
        (data.to_owned(), data.join("labels"))
    };
    let by_stem = |folder: &Path| -> Result<BTreeMap<String, PathBuf>, EngineError> {
        let is_image = |path: &PathBuf| {
            let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
            path.is_file() && extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
        };
        Ok(sorted(folder)?
            .into_iter()
            .filter(is_image)
            .map(|path| {
                (
                    path.file_stem()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned(),
                    path,
                )
            })
            .collect())
    };
    let beside = by_stem(&images)?;
    let apart = if labels.is_dir() {
        by_stem(&labels)?
    } else {
        BTreeMap::new()
    };
    let mut pairs = Vec::new();
    for (stem, image) in &beside {
        let named = LABEL_SUFFIXES.iter().find_map(|suffix| {
            let name = format!("{stem}{suffix}");
            beside.get(&name).or_else(|| apart.get(&name))
        });
        if let Some(labels) = named.or_else(|| apart.get(stem)) {
            pairs.push((stem.clone(), image.clone(), labels.clone()));
        }
    }
    Ok(pairs)
}
