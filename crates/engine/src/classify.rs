//! Objects in, classes out: the classification alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::{ReadLimits, crop_at, read_gray, read_labels};
use ndarray::{Array2, Array3};
use polars::prelude::*;

use crate::files::read_whole;
use crate::gather::with_sets;
use crate::screen::diameter_of_area;
use crate::screen::networks::{Classified, Networks};
use crate::screen::site::find_label_file;
use crate::screen::table::class_columns;
use crate::segment::{centers, claim_empty, table_error};
use crate::{Context, EngineError, NetworkParams, RunSummary, SkippedSite};

/// Where the objects come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objects {
    /// Label images, named like the images, in that folder.
    Labels(PathBuf),
    /// Each image is one object.
    Crops,
    /// A CSV with `image`, `x`, `y`; images relative to it.
    Table(PathBuf),
}

/// What to classify.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassifyParams {
    /// Images; none for [`Objects::Table`].
    pub images: Vec<PathBuf>,
    /// Where the objects are in them.
    pub objects: Objects,
    /// Folder for the results.
    pub out: PathBuf,
    /// Bundle: name or folder.
    pub bundle: String,
    /// Typical diameter of a nucleus in pixels; `None` = median of the label images, or no scaling.
    pub diameter_px: Option<f32>,
    /// Share of objects whose set must hold the true class.
    pub set_coverage: f64,
    /// How the networks are used.
    pub networks: NetworkParams,
    /// Whether to write into a folder that holds other files.
    pub force: bool,
}

/// One image with the places of its objects (row, column) and their numbers.
struct Found {
    name: String,
    plane: Array2<f32>,
    centers: Vec<(f32, f32)>,
    areas: Vec<u32>,
}

/// Names the classes of objects: `objects.parquet` and `objects.csv` with probabilities, entropies, sets and the p-value
/// against the taught classes.
///
/// An image that cannot be used is left out and named.
///
/// Errors: see [`EngineError`].
pub fn classify(params: &ClassifyParams, context: &Context) -> Result<RunSummary, EngineError> {
    let networks = Networks::load(None, Some(&params.bundle), &params.networks)?;
    let (sources, mut summary) = (
        sources(params)?,
        RunSummary {
            out: params.out.clone(),
            ..RunSummary::default()
        },
    );
    summary.sites = sources.len();
    let mut found = Vec::new();
    for (path, places) in sources {
        match find(params, &path, places) {
            Ok(image) => found.push(image),
            Err(reason) => {
                context.progress.note(&format!("skipped: {reason}"));
                let site = path
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned())
                    .unwrap_or_default();
                summary.skipped.push(SkippedSite {
                    site,
                    plate: String::new(),
                    well: String::new(),
                    reason,
                });
            }
        }
    }
    if found.is_empty() {
        let first = summary
            .skipped
            .first()
            .map(|skipped| skipped.reason.clone())
            .unwrap_or_default();
        return Err(EngineError::AllSkipped {
            path: params.out.clone(),
            sites: summary.sites,
            first,
        });
    }
    claim_empty(&params.out, params.force, &["objects.parquet", "objects.csv"])?;
    let measured: Vec<f64> = found
        .iter()
        .flat_map(|image| &image.areas)
        .map(|&area| diameter_of_area(f64::from(area)))
        .collect();
    let diameter = params
        .diameter_px
        .or_else(|| uncertainty::median(&measured).map(|median| median as f32));
    context.progress.begin("images", found.len() as u64);
    let mut all: Option<DataFrame> = None;
    for image in &found {
        if context.cancelled() {
            return Err(EngineError::Interrupted);
        }
        let classified = match &params.objects {
            Objects::Crops => networks.classify_crops(whole_crop(&image.plane).view())?,
            _ => match networks.classify(image.plane.view(), &image.centers, diameter, None)? {
                Some(classified) => classified,
                None => continue,
            },
        };
        let table = table(image, &classified).map_err(table_error)?;
        summary.objects += table.height();
        summary.sites_new += 1;
        match &mut all {
            Some(all) => {
                all.vstack_mut(&table).map_err(table_error)?;
            }
            None => all = Some(table),
        }
        context.progress.advance(1);
    }
    context.progress.end();
    let mut all = with_sets(all.unwrap_or_default(), params.set_coverage).map_err(table_error)?;
    all.rechunk_mut();
    profile::write_parquet(&mut all, &params.out.join("objects.parquet"))?;
    profile::write_csv(&mut all, &params.out.join("objects.csv"))?;
    Ok(summary)
}

/// A whole image as one crop of the network's size: the longer side fills it.
fn whole_crop(plane: &Array2<f32>) -> Array3<f32> {
    let (rows, cols) = plane.dim();
    let scale = rows.max(cols) as f32 / model::CROP_PX as f32;
    let center = ((rows as f32 - 1.0) / 2.0, (cols as f32 - 1.0) / 2.0);
    crop_at(plane.view(), center, model::CROP_PX, scale.max(f32::MIN_POSITIVE)).insert_axis(ndarray::Axis(0))
}

/// The images in order, each with the places that a table gives.
#[expect(clippy::type_complexity, reason = "path and optional places, used once")]
fn sources(params: &ClassifyParams) -> Result<Vec<(PathBuf, Option<Vec<(f32, f32)>>)>, EngineError> {
    let Objects::Table(table) = &params.objects else {
        return Ok(params.images.iter().map(|path| (path.clone(), None)).collect());
    };
    let bytes = read_whole(table)?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(bytes.as_slice());
    let broken =
        |error: csv::Error| EngineError::unusable(table, error.to_string(), "give a CSV with image, x, y");
    let headers = reader.headers().map_err(broken)?.clone();
    let column = |names: &[&str]| {
        headers
            .iter()
            .position(|header| names.contains(&header.trim_start_matches('\u{feff}').to_lowercase().as_str()))
            .ok_or_else(|| {
                let there: Vec<&str> = headers.iter().collect();
                EngineError::unusable(
                    table,
                    format!("no column {:?}; it has {}", names[0], there.join(", ")),
                    "give a CSV with image, x, y",
                )
            })
    };
    let image = column(&["image", "metadata_image", "file"])?;
    let x = column(&["x", "metadata_location_x", "location_center_x"])?;
    let y = column(&["y", "metadata_location_y", "location_center_y"])?;
    let folder = table.parent().unwrap_or(Path::new(""));
    let mut images: BTreeMap<PathBuf, Vec<(f32, f32)>> = BTreeMap::new();
    for (index, row) in reader.records().enumerate() {
        let row = row.map_err(broken)?;
        let number = |at: usize| {
            let text = row.get(at).unwrap_or_default();
            text.parse::<f32>()
                .ok()
                .filter(|value| value.is_finite())
                .ok_or_else(|| {
                    EngineError::unusable(
                        table,
                        format!("line {}: {text:?} is not a position", index + 2),
                        "give pixels from 0",
                    )
                })
        };
        let place = (number(y)?, number(x)?);
        images
            .entry(folder.join(row.get(image).unwrap_or_default()))
            .or_default()
            .push(place);
    }
    if images.is_empty() {
        return Err(EngineError::unusable(
            table,
            "holds no row",
            "give a CSV with image, x, y",
        ));
    }
    Ok(images
        .into_iter()
        .map(|(path, places)| (path, Some(places)))
        .collect())
}

/// Reads an image and settles where its objects are.
fn find(params: &ClassifyParams, path: &Path, places: Option<Vec<(f32, f32)>>) -> Result<Found, String> {
    let (plane, _) = read_gray(path, &ReadLimits::default()).map_err(|error| error.to_string())?;
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let (rows, cols) = plane.dim();
    let (centers, areas) = match (&params.objects, places) {
        (Objects::Labels(folder), _) => {
            let stem = path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default();
            let file = find_label_file(folder, std::slice::from_ref(&stem)).ok_or_else(|| {
                format!("no label image for {path:?}: {stem:?} was looked for in {folder:?}")
            })?;
            let labels = read_labels(&file, &ReadLimits::default()).map_err(|error| error.to_string())?;
            if labels.shape() != plane.dim() {
                let (label_rows, label_cols) = labels.shape();
                return Err(format!(
                    "{file:?} is {label_cols} x {label_rows} pixels, {path:?} is {cols} x {rows}"
                ));
            }
            (centers(&labels), labels.areas())
        }
        (_, Some(places)) => {
            let outside = places
                .iter()
                .find(|(y, x)| *y < 0.0 || *x < 0.0 || *y >= rows as f32 || *x >= cols as f32);
            if let Some((y, x)) = outside {
                return Err(format!(
                    "{path:?}: position x {x}, y {y} lies outside of its {cols} x {rows} pixels"
                ));
            }
            (places, Vec::new())
        }
        _ => (
            vec![((rows as f32 - 1.0) / 2.0, (cols as f32 - 1.0) / 2.0)],
            Vec::new(),
        ),
    };
    Ok(Found {
        name,
        plane,
        centers,
        areas,
    })
}

fn table(image: &Found, classified: &Classified) -> PolarsResult<DataFrame> {
    let n = image.centers.len();
    let mut columns = vec![
        Column::new("Metadata_Image".into(), vec![image.name.clone(); n]),
        Column::new(
            "Metadata_ObjectNumber".into(),
            (1..=n as u32).collect::<Vec<u32>>(),
        ),
        Column::new(
            "Metadata_Location_X".into(),
            image.centers.iter().map(|c| c.1).collect::<Vec<f32>>(),
        ),
        Column::new(
            "Metadata_Location_Y".into(),
            image.centers.iter().map(|c| c.0).collect::<Vec<f32>>(),
        ),
    ];
    columns.extend(class_columns(classified));
    DataFrame::new(n, columns)
}
