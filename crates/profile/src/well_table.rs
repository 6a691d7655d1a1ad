//! `wells.parquet` and `wells.csv`: one row a well, every estimate with its 90 % interval and its number of cells.

use std::collections::BTreeSet;

use polars::prelude::{Column, DataFrame};
use uncertainty::{MAD_TO_SD, mad, median, wilson};

use crate::class_mix::ClassMix;
use crate::columns::{column, table};
use crate::count_tests::count_of_well;
use crate::feature_choice::RobustScale;
use crate::plate_layout::{PlateLayout, mean_by_well};
use crate::share_tests::Z_90;
use crate::{GatherParams, ProfileError};

/// What the well table is made of.
pub(crate) struct WellTableInput<'a> {
    pub layout: &'a PlateLayout,
    pub sites: &'a DataFrame,
    pub params: &'a GatherParams,
    pub p_controls: &'a [Option<f64>],
    pub p_known: &'a [Option<f64>],
    pub score: &'a [Option<f64>],
    pub confidence: Option<&'a [Option<f64>]>,
    /// Rows of flagged candidates; they are taken out before class fractions are estimated.
    pub flagged: &'a BTreeSet<usize>,
    pub flags_made: bool,
    pub mix: Option<&'a ClassMix>,
    pub feature_names: &'a [String],
    pub kept: &'a [usize],
    pub values: ndarray::ArrayView2<'a, f32>,
    pub scales: &'a [Option<RobustScale>],
}

/// An estimate of each well: value, lower, upper, cells.
type Estimate = Option<(f64, f64, f64, usize)>;

/// Four columns `X`, `X_Lower`, `X_Upper`, `X_N`.
fn push(columns: &mut Vec<Column>, name: &str, estimates: &[Estimate]) {
    let part = |f: fn(&(f64, f64, f64, usize)) -> f64| {
        estimates
            .iter()
            .map(|e| e.as_ref().map(f).filter(|v| v.is_finite()))
            .collect::<Vec<Option<f64>>>()
    };
    columns.push(column(name, part(|e| e.0)));
    columns.push(column(format!("{name}_Lower"), part(|e| e.1)));
    columns.push(column(format!("{name}_Upper"), part(|e| e.2)));
    columns.push(column(
        format!("{name}_N"),
        estimates
            .iter()
            .map(|e| e.as_ref().map_or(0, |e| e.3 as u32))
            .collect::<Vec<u32>>(),
    ));
}

/// Share of `values` for which `is` holds, with Wilson's 90 % interval.
fn share(values: &[f64], is: impl Fn(f64) -> bool) -> Estimate {
    let (k, n) = (values.iter().filter(|&&v| is(v)).count(), values.len());
    let (low, high) = wilson(k as u64, n as u64, Z_90);
    (n > 0).then(|| (k as f64 / n as f64, low, high, n))
}

/// Mean of values in 0..=1 with a normal 90 % interval; no interval narrower than nothing is known: one cell gives (0, 1).
fn mean(values: &[f64]) -> Estimate {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let m = values.iter().sum::<f64>() / n as f64;
    if n == 1 {
        return Some((m, 0.0, 1.0, 1));
    }
    let sd = (values.iter().map(|v| (v - m) * (v - m)).sum::<f64>() / (n - 1) as f64).sqrt();
    let half = Z_90 * sd / (n as f64).sqrt();
    Some((m, (m - half).max(0.0), (m + half).min(1.0), n))
}

/// Median with the distribution-free 90 % interval between two order statistics (the whole range below five values).
fn median_interval(values: &[f64]) -> Estimate {
    let middle = median(values)?;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let low = ((n as f64 / 2.0 - Z_90 * (n as f64).sqrt() / 2.0).floor().max(0.0)) as usize;
    let high = n - 1 - low.min(n - 1);
    Some((middle, sorted[low.min(high)], sorted[high.max(low.min(n - 1))], n))
}

/// The table.
pub(crate) fn well_table(input: &WellTableInput) -> Result<DataFrame, ProfileError> {
    let layout = input.layout;
    let wells = &layout.wells;
    let text = |f: &dyn Fn(usize) -> Option<String>| (0..wells.len()).map(f).collect::<Vec<Option<String>>>();
    let mut columns = vec![
        column("Metadata_Plate", text(&|w| Some(wells[w].info.plate.clone()))),
        column("Metadata_Well", text(&|w| Some(wells[w].info.well.clone()))),
        column(
            "Metadata_Row",
            wells.iter().map(|w| w.info.row + 1).collect::<Vec<u32>>(),
        ),
        column(
            "Metadata_Column",
            wells.iter().map(|w| w.info.column + 1).collect::<Vec<u32>>(),
        ),
        column("Metadata_Treatment", text(&|w| wells[w].info.treatment.clone())),
        column(
            "Metadata_Dose",
            wells
                .iter()
                .map(|w| w.info.dose.filter(|d| d.is_finite()))
                .collect::<Vec<_>>(),
        ),
        column("Metadata_Unit", text(&|w| wells[w].info.unit.clone())),
        column(
            "Metadata_Role",
            text(&|w| Some(wells[w].info.role.name().to_owned())),
        ),
        column(
            "Metadata_Sites",
            wells.iter().map(|w| w.info.sites).collect::<Vec<u32>>(),
        ),
        column(
            "Metadata_SitesSkipped",
            wells.iter().map(|w| w.info.sites_skipped).collect::<Vec<u32>>(),
        ),
        column(
            "Metadata_SitesRead",
            wells.iter().map(|w| w.sites_read).collect::<Vec<u32>>(),
        ),
    ];
    let extra: BTreeSet<&String> = wells.iter().flat_map(|w| w.info.extra.keys()).collect();
    for name in extra {
        let named = if name.starts_with("Metadata_") {
            name.clone()
        } else {
            format!("Metadata_{name}")
        };
        if columns.iter().all(|c| c.name().as_str() != named) {
            columns.push(column(named, text(&|w| wells[w].info.extra.get(name).cloned())));
        }
    }

    // Counts: null where nothing was read, which is not the same as no object.
    let counts: Vec<Option<u32>> = wells
        .iter()
        .map(|w| (w.sites_read > 0).then_some(w.rows.len() as u32))
        .collect();
    columns.push(column("Count_Objects", counts.clone()));
    let ratios: Vec<Estimate> = (0..wells.len())
        .map(|w| {
            count_of_well(layout, w, input.params).map(|(test, _)| {
                // The test's interval is at 95 %; the table's is at 90 %, by the normal law of the log ratio.
                let shrink = |end: f64| {
                    if end > 0.0 && end.is_finite() && test.ratio > 0.0 {
                        test.ratio * (end / test.ratio).powf(Z_90 / uncertainty::Z_95)
                    } else {
                        end
                    }
                };
                (
                    test.ratio,
                    shrink(test.lower),
                    shrink(test.upper),
                    wells[w].rows.len(),
                )
            })
        })
        .collect();
    push(&mut columns, "Count_Ratio", &ratios);
    let count_z: Vec<Option<f64>> = (0..wells.len())
        .map(|w| {
            let controls: Vec<f64> = layout.plates[wells[w].plate]
                .controls
                .iter()
                .filter_map(|&c| counts[c].map(f64::from))
                .collect();
            let spread = MAD_TO_SD * mad(&controls)?;
            (controls.len() >= 3 && spread > 0.0).then_some(())?;
            Some((f64::from(counts[w]?) - median(&controls)?) / spread)
        })
        .collect();
    columns.push(column("Count_RobustZ", count_z));

    let cells =
        |w: usize, of: &[Option<f64>]| -> Vec<f64> { wells[w].rows.iter().filter_map(|&r| of[r]).collect() };
    let both: Vec<Option<f64>> = input
        .p_controls
        .iter()
        .zip(input.p_known)
        .map(|(c, k)| larger(*c, *k))
        .collect();
    let estimates = |f: &dyn Fn(usize) -> Estimate| (0..wells.len()).map(f).collect::<Vec<Estimate>>();
    for (name, of) in [
        ("P_Controls", input.p_controls),
        ("P_Known", input.p_known),
        ("P_Novel", both.as_slice()),
    ] {
        push(
            &mut columns,
            &format!("Novelty_{name}_ShareBelow05"),
            &estimates(&|w| share(&cells(w, of), |p| p <= 0.05)),
        );
        push(
            &mut columns,
            &format!("Novelty_{name}_Mean"),
            &estimates(&|w| mean(&cells(w, of))),
        );
    }
    push(
        &mut columns,
        "Novelty_Score_Median",
        &estimates(&|w| median_interval(&cells(w, input.score))),
    );
    push(
        &mut columns,
        "Novelty_ShareFlagged",
        &estimates(&|w| {
            let marks: Vec<f64> = wells[w]
                .rows
                .iter()
                .map(|r| f64::from(u8::from(input.flagged.contains(r))))
                .collect();
            if input.flags_made {
                share(&marks, |m| m > 0.5)
            } else {
                None
            }
        }),
    );
    if let Some(confidence) = input.confidence {
        push(
            &mut columns,
            "Phenotype_Confidence_Mean",
            &estimates(&|w| mean(&cells(w, confidence))),
        );
    }
    if let Some(mix) = input.mix {
        let fractions: Vec<_> = wells
            .iter()
            .map(|w| {
                mix.fractions(
                    &w.rows
                        .iter()
                        .copied()
                        .filter(|r| !input.flagged.contains(r))
                        .collect::<Vec<_>>(),
                )
            })
            .collect();
        for (k, class) in mix.classes.iter().enumerate() {
            let of_class: Vec<Estimate> = fractions
                .iter()
                .map(|f| {
                    f.as_ref()
                        .map(|(shares, n)| (shares[k].share, shares[k].lower, shares[k].upper, *n))
                })
                .collect();
            push(&mut columns, &format!("Phenotype_Fraction_{class}"), &of_class);
        }
    }

    for name in input.sites.get_column_names() {
        if name.starts_with("Metadata_")
            || !input
                .sites
                .column(name)
                .is_ok_and(|c| c.dtype().is_primitive_numeric())
        {
            continue;
        }
        let means = mean_by_well(input.sites, name, layout)?;
        columns.push(column(
            name.as_str(),
            means.iter().map(|m| m.0).collect::<Vec<_>>(),
        ));
        columns.push(column(
            format!("{name}_N"),
            means.iter().map(|m| m.1).collect::<Vec<u32>>(),
        ));
    }
    for (place, &j) in input.kept.iter().enumerate() {
        push(
            &mut columns,
            &format!("RobustZ_{}", input.feature_names[j]),
            &estimates(&|w| {
                let scale = input.scales[wells[w].plate].as_ref()?;
                let z: Vec<f64> = wells[w]
                    .rows
                    .iter()
                    .filter_map(|&r| scale.z(place, f64::from(input.values[[r, place]])))
                    .collect();
                median_interval(&z)
            }),
        );
    }
    table("wells", wells.len(), columns)
}

/// The larger of two p-values; the one that is there when the other is not.
pub(crate) fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_median_holds_it_and_is_the_range_for_few_values() {
        let values: Vec<f64> = (0..101).map(f64::from).collect();
        let (m, low, high, n) = median_interval(&values).unwrap();
        assert_eq!((m, n), (50.0, 101));
        // Binomial(101, 1/2): 42 and 58 are the 5 % ends.
        assert!(
            (41.0..=43.0).contains(&low) && (57.0..=59.0).contains(&high),
            "{low} {high}"
        );
        assert_eq!(median_interval(&[3.0, 1.0]).unwrap(), (2.0, 1.0, 3.0, 2));
        assert_eq!(median_interval(&[3.0]).unwrap(), (3.0, 3.0, 3.0, 1));
        assert!(median_interval(&[]).is_none());
    }

    #[test]
    fn a_missing_p_value_leaves_the_other_one() {
        assert_eq!(larger(Some(0.1), Some(0.3)), Some(0.3));
        assert_eq!(larger(None, Some(0.3)), Some(0.3));
        assert_eq!(larger(None, None), None);
    }
}
