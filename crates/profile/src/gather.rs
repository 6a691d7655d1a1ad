//! The gather stage from end to end.

use polars::prelude::DataFrame;

use crate::{GatherParams, Gathered, ProfileError, WellInfo};

/// Makes the final tables of a run from its stacked site tables.
///
/// `objects`: CLI.md's columns up to `Metadata_Phenotype_*` and (raw) `Metadata_Novelty_P_Known`, all sites
/// stacked in site order; every numeric column that does not start with `Metadata_` is a feature; a NaN is read as
/// missing. An optional bool column `Metadata_Location_TouchesBorder` marks cut objects.
/// `site_quality`: one row a site that was read, also of sites without cells: `Metadata_Plate`, `Metadata_Well`,
/// `Metadata_Site`, `Metadata_Timepoint`, and f32 or f64 columns, of which `Quality_Focus` (larger = sharper)
/// and `Quality_SaturatedShare` (0..1) are judged; all are averaged by well.
/// `wells`: the plate map joined with what is on disk, one entry a well.
///
/// Errors: a missing column, a doubled well, a parameter outside its range, or a failure inside polars or linfa.
pub fn gather(
    objects: DataFrame,
    site_quality: DataFrame,
    wells: &[WellInfo],
    params: &GatherParams,
) -> Result<Gathered, ProfileError> {
    let _ = (objects, site_quality, wells, params);
    unimplemented!()
}
