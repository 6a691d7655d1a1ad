//! Images in, label images out: the segmentation alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::{Labels, ReadLimits, encode_png_rgb, outline_mask, read_gray};
use ndarray::{Array2, Array3};
use polars::prelude::*;

use crate::files::{make_folder, names_in_output, write_whole};
use crate::screen::networks::{Networks, Segmented};
use crate::screen::site::write_label_image;
use crate::{Context, EngineError, NetworkParams, RunSummary, SkippedSite};

/// What to segment.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentParams {
    /// Images of one plane each.
    pub images: Vec<PathBuf>,
    /// Folder for the results.
    pub out: PathBuf,
    /// Bundle: name or folder.
    pub bundle: String,
    /// How the networks are used.
    pub networks: NetworkParams,
    /// Whether to write into a folder that holds other files.
    pub force: bool,
}

/// Finds nuclei in images: `labels/<image>.tif`, `overlays/<image>.png`, `objects.parquet` and `objects.csv`.
///
/// An image that cannot be read is left out and named.
///
/// Errors: see [`EngineError`].
pub fn segment(params: &SegmentParams, context: &Context) -> Result<RunSummary, EngineError> {
    let stems = unique_stems(&params.images)?;
    let networks = Networks::load(Some(&params.bundle), None, &params.networks)?;
    claim_empty(
        &params.out,
        params.force,
        &["labels", "overlays", "objects.parquet", "objects.csv"],
    )?;
    let (labels_folder, overlays) = (params.out.join("labels"), params.out.join("overlays"));
    make_folder(&overlays)?;
    let mut summary = RunSummary {
        out: params.out.clone(),
        sites: params.images.len(),
        ..RunSummary::default()
    };
    let mut all: Option<DataFrame> = None;
    context.progress.begin("images", params.images.len() as u64);
    for (path, stem) in params.images.iter().zip(&stems) {
        if context.cancelled() {
            return Err(EngineError::Interrupted);
        }
        match read_gray(path, &ReadLimits::default()) {
            Ok((plane, info)) => {
                summary
                    .warnings
                    .extend(info.warnings.iter().map(|what| format!("{path:?}: {what}")));
                context.progress.detail(&networks.working_set_line(plane.dim()));
                let normalized = image::normalize_nuclear(plane.view());
                let segmented = if normalized.constant {
                    summary.warnings.push(format!(
                        "{path:?}: the image is constant: no object was looked for"
                    ));
                    Segmented::given(Labels::empty(plane.dim()))
                } else {
                    networks.segment(normalized.pixels.view(), None)?
                };
                if segmented.labels.n == 0 && !normalized.constant {
                    summary.warnings.push(format!("{path:?}: no nucleus was found"));
                }
                write_label_image(&labels_folder, stem, &segmented.labels)?;
                let png = encode_png_rgb(overlay(&normalized.pixels, &segmented.labels).view());
                write_whole(&overlays.join(format!("{stem}.png")), &png)?;
                let table = object_table(path, &segmented)?;
                summary.objects += table.height();
                summary.sites_new += 1;
                match &mut all {
                    Some(all) => {
                        all.vstack_mut(&table).map_err(table_error)?;
                    }
                    None => all = Some(table),
                }
            }
            Err(error) => {
                context.progress.note(&format!("skipped: {error}"));
                summary.skipped.push(SkippedSite {
                    site: stem.clone(),
                    plate: String::new(),
                    well: String::new(),
                    reason: error.to_string(),
                });
            }
        }
        context.progress.advance(1);
    }
    context.progress.end();
    let Some(mut all) = all else {
        let first = summary
            .skipped
            .first()
            .map(|skipped| skipped.reason.clone())
            .unwrap_or_default();
        return Err(EngineError::AllSkipped {
            path: params.out.clone(),
            sites: params.images.len(),
            first,
        });
    };
    all.rechunk_mut();
    profile::write_parquet(&mut all, &params.out.join("objects.parquet"))?;
    profile::write_csv(&mut all, &params.out.join("objects.csv"))?;
    Ok(summary)
}

pub(crate) fn table_error(source: PolarsError) -> EngineError {
    EngineError::Profile(Box::new(profile::ProfileError::Table {
        table: "objects",
        source,
    }))
}

fn object_table(path: &Path, segmented: &Segmented) -> Result<DataFrame, EngineError> {
    let labels = &segmented.labels;
    let n = labels.n as usize;
    let (areas, centers) = (labels.areas(), centers(labels));
    let optional = |values: Option<&[f32]>| -> Vec<Option<f32>> {
        values.map_or_else(
            || vec![None; n],
            |values| values.iter().map(|v| v.is_finite().then_some(*v)).collect(),
        )
    };
    let p = |threshold: usize| optional(segmented.p_iou.as_ref().map(|p| p[threshold].as_slice()));
    let image = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let columns = vec![
        Column::new("Metadata_Image".into(), vec![image; n]),
        Column::new(
            "Metadata_ObjectNumber".into(),
            (1..=labels.n).collect::<Vec<u32>>(),
        ),
        Column::new(
            "Metadata_Location_X".into(),
            centers.iter().map(|c| c.1).collect::<Vec<f32>>(),
        ),
        Column::new(
            "Metadata_Location_Y".into(),
            centers.iter().map(|c| c.0).collect::<Vec<f32>>(),
        ),
        Column::new(
            "Nuclei_AreaShape_Area".into(),
            areas.iter().map(|&area| area as f32).collect::<Vec<f32>>(),
        ),
        Column::new(
            "Metadata_Segmentation_Agreement".into(),
            optional(segmented.agreement.as_deref()),
        ),
        Column::new(
            "Metadata_Segmentation_BorderEntropy".into(),
            optional(segmented.border_entropy.as_deref()),
        ),
        Column::new("Metadata_Segmentation_P50".into(), p(0)),
        Column::new("Metadata_Segmentation_P70".into(), p(1)),
        Column::new("Metadata_Segmentation_P90".into(), p(2)),
    ];
    DataFrame::new(n, columns).map_err(table_error)
}

/// Mean row and column of each object, in label order.
pub(crate) fn centers(labels: &Labels) -> Vec<(f32, f32)> {
    let mut sums = vec![(0.0f64, 0.0f64, 0.0f64); labels.n as usize];
    for ((row, col), &label) in labels.map.indexed_iter() {
        if label > 0 {
            let sum = &mut sums[label as usize - 1];
            sum.0 += row as f64;
            sum.1 += col as f64;
            sum.2 += 1.0;
        }
    }
    sums.into_iter()
        .map(|(row, col, n)| ((row / n) as f32, (col / n) as f32))
        .collect()
}

/// The image in grey with outlines in yellow.
fn overlay(normalized: &Array2<f32>, labels: &Labels) -> Array3<u8> {
    let outlines = outline_mask(labels);
    let (rows, cols) = normalized.dim();
    Array3::from_shape_fn((rows, cols, 3), |(row, col, channel)| {
        let gray = (normalized[(row, col)].clamp(0.0, 1.0) * 255.0).round() as u8;
        if outlines[(row, col)] {
            [255, 220, 0][channel]
        } else {
            gray
        }
    })
}

/// The stem of each image; two images with one stem would overwrite each other.
fn unique_stems(images: &[PathBuf]) -> Result<Vec<String>, EngineError> {
    let mut first: BTreeMap<String, &Path> = BTreeMap::new();
    let mut stems = Vec::new();
    for path in images {
        let stem = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        if let Some(other) = first.insert(stem.clone(), path) {
            return Err(EngineError::unusable(
                path,
                format!("has the same name as {other:?} but for folder and ending"),
                "segment them into two folders",
            ));
        }
        stems.push(stem);
    }
    Ok(stems)
}

/// Refuses a folder that holds other files than `own`, unless forced; makes it.
pub(crate) fn claim_empty(out: &Path, force: bool, own: &[&str]) -> Result<(), EngineError> {
    if !force
        && let Some(first) = names_in_output(out)?
            .iter()
            .find(|name| !name.starts_with('.') && !own.contains(&name.as_str()))
    {
        let what = format!("holds other files (first: {first:?})");
        return Err(EngineError::OutputTaken {
            path: out.to_owned(),
            what,
        });
    }
    make_folder(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_images_of_one_name_are_refused() {
        let message = unique_stems(&["a/x.tif".into(), "b/x.png".into()])
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("b/x.png") && message.contains("a/x.tif"),
            "{message}"
        );
        assert_eq!(
            unique_stems(&["a/x.tif".into(), "a/y.tif".into()]).unwrap(),
            ["x", "y"]
        );
    }

    #[test]
    fn centers_are_means_of_pixels() {
        let labels = Labels::relabel(ndarray::array![[1, 1, 0], [0, 0, 2]]);
        assert_eq!(centers(&labels), [(0.0, 0.5), (1.0, 2.0)]);
    }
}
