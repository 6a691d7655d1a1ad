//! A site's object table: CLI.md's columns that need pixels or networks.

use image::Labels;
use measure::Features;
use plate::Site;
use polars::prelude::*;

use super::networks::{Classified, Segmented};

/// Start of the columns that hold, for every class, the conformal p-value from which the second stage makes the sets:
/// so another coverage reads no pixel. They are not in `objects.parquet`.
pub(crate) const CONFORMAL_P: &str = "Metadata_Phenotype_ConformalP_";

/// Start of the columns of calibrated class probabilities.
pub(crate) const CLASS_P: &str = "Metadata_Phenotype_P_";

/// Quality of the picture of each object.
pub(crate) struct ObjectQuality {
    /// Sharpness of its box.
    pub(crate) focus: Vec<f32>,
    /// Share of its pixels at full scale.
    pub(crate) saturated_share: Vec<f32>,
}

/// Builds the table; rows are in label order, whatever is not known is null.
///
/// Errors: polars refuses two columns of one name, which two channels of one name would make.
pub(crate) fn site_table(
    site: &Site,
    labels: &Labels,
    features: &Features,
    segmented: &Segmented,
    quality: &ObjectQuality,
    classified: Option<&Classified>,
) -> PolarsResult<DataFrame> {
    let n = labels.n as usize;
    let same_text = |name: &str, text: String| Column::new(name.into(), vec![text; n]);
    let same_number = |name: &str, number: i32| Column::new(name.into(), vec![number; n]);
    let mut columns = vec![
        same_text("Metadata_Plate", site.plate.clone()),
        same_text("Metadata_Well", site.well.to_string()),
        same_number("Metadata_Site", site.site),
        same_number("Metadata_Timepoint", site.timepoint),
    ];
    for (index, name) in features.names.iter().enumerate() {
        columns.push(optional_f32(name, features.values.column(index).iter().copied()));
    }
    let objects = &features.objects;
    columns.extend([
        Column::new(
            "Metadata_ObjectNumber".into(),
            objects.iter().map(|o| o.label).collect::<Vec<u32>>(),
        ),
        Column::new(
            "Metadata_Location_X".into(),
            objects.iter().map(|o| o.center_col).collect::<Vec<f32>>(),
        ),
        Column::new(
            "Metadata_Location_Y".into(),
            objects.iter().map(|o| o.center_row).collect::<Vec<f32>>(),
        ),
        Column::new(
            "Metadata_Location_TouchesBorder".into(),
            objects.iter().map(|o| o.touches_border).collect::<Vec<bool>>(),
        ),
        optional_f32("Metadata_Quality_Focus", quality.focus.iter().copied()),
        optional_f32(
            "Metadata_Quality_SaturatedShare",
            quality.saturated_share.iter().copied(),
        ),
        column_or_null(
            "Metadata_Segmentation_Agreement",
            segmented.agreement.as_deref(),
            n,
        ),
        column_or_null(
            "Metadata_Segmentation_BorderEntropy",
            segmented.border_entropy.as_deref(),
            n,
        ),
    ]);
    for (threshold, name) in ["P50", "P70", "P90"].iter().enumerate() {
        let p = segmented.p_iou.as_ref().map(|p| p[threshold].as_slice());
        columns.push(column_or_null(&format!("Metadata_Segmentation_{name}"), p, n));
    }
    if let Some(classified) = classified {
        columns.extend(class_columns(classified));
    }
    DataFrame::new(n, columns)
}

/// Columns of classes, doubt and the unlikeness to what was taught.
pub(crate) fn class_columns(classified: &Classified) -> Vec<Column> {
    let probability = &classified.probability;
    let top: Vec<usize> = probability
        .rows()
        .into_iter()
        .map(|row| (0..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best }))
        .collect();
    let names: Vec<&str> = top
        .iter()
        .map(|&class| classified.classes[class].as_str())
        .collect();
    let confidence = top
        .iter()
        .enumerate()
        .map(|(object, &class)| probability[(object, class)] as f32);
    let mut columns = vec![
        Column::new("Metadata_Phenotype_Class".into(), names),
        optional_f32("Metadata_Phenotype_Confidence", confidence),
    ];
    for (class, name) in classified.classes.iter().enumerate() {
        let p = probability.column(class);
        columns.push(optional_f32(
            &format!("{CLASS_P}{name}"),
            p.iter().map(|&p| p as f32),
        ));
    }
    for (name, entropy) in [
        ("EntropyTotal", &classified.total),
        ("EntropyAleatoric", &classified.aleatoric),
        ("EntropyEpistemic", &classified.epistemic),
    ] {
        columns.push(optional_f32(
            &format!("Metadata_Phenotype_{name}"),
            entropy.iter().map(|&nats| nats as f32),
        ));
    }
    for (class, name) in classified.classes.iter().enumerate() {
        let p = classified.conformal_p.column(class);
        columns.push(Column::new(format!("{CONFORMAL_P}{name}").into(), p.to_vec()));
    }
    columns.push(Column::new(
        "Metadata_Novelty_P_Known".into(),
        classified.p_known.clone(),
    ));
    columns
}

/// A column of f32 whose values that are not finite are null.
fn optional_f32(name: &str, values: impl Iterator<Item = f32>) -> Column {
    let values: Vec<Option<f32>> = values.map(|value| value.is_finite().then_some(value)).collect();
    Column::new(name.into(), values)
}

fn column_or_null(name: &str, values: Option<&[f32]>, n: usize) -> Column {
    match values {
        Some(values) => optional_f32(name, values.iter().copied()),
        None => Column::new(name.into(), vec![None::<f32>; n]),
    }
}

/// The table's file as bytes: parquet, zstd, the same for any number of threads.
///
/// Errors: polars cannot encode it.
pub(crate) fn table_bytes(table: &mut DataFrame) -> PolarsResult<Vec<u8>> {
    table.rechunk_mut();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Zstd(None))
        .set_parallel(false)
        .finish(table)?;
    Ok(bytes)
}
