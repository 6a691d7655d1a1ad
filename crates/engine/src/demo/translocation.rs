//! What is known about the BBBC013 wells, held against what the run found: translocation, doses, controls.

use std::collections::BTreeMap;
use std::path::Path;

use polars::prelude::{DataFrame, DataType};

use super::doses::{mean, pearson, spearman};
use super::outcome::Check;
use super::real_plate::MapRow;
use crate::EngineError;

/// Columns of objects.parquet that are read.
const WELL: &str = "Metadata_Well";
const P_CONTROLS: &str = "Metadata_Novelty_P_Controls";
const IN_NUCLEUS: &str = "Nuclei_Intensity_MeanIntensity_GFP";
const IN_RING: &str = "Cytoplasm_Intensity_MeanIntensity_GFP";

/// Level at which a cell counts as unlike the controls.
const LEVEL: f64 = 0.05;
/// Most cells unlike the controls in a control well, and fewest in a well that responds: what the issue of this demo asks for.
const MOST_IN_CONTROLS: f64 = 0.10;
const FEWEST_IN_RESPONDERS: f64 = 0.60;
/// Dose rank from which both drugs respond (the midpoint lies between ranks 4 and 5).
const RESPONDS_FROM: u32 = 5;
/// Rank of the positive controls.
const POSITIVE: u32 = 10;

/// One well of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct WellMeasure {
    /// Cells.
    pub(super) cells: usize,
    /// Median over cells of GFP in the nucleus over GFP in the ring.
    pub(super) median_ratio: f64,
    /// Mean over cells of its natural logarithm.
    pub(super) mean_log_ratio: f64,
    /// Share of cells with P_Controls at most [`LEVEL`]; `None` where no cell has a p-value.
    pub(super) unlike_controls: Option<f64>,
}

/// The same two values as measured once with another program (Otsu, distance watershed, ring of 5 px).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reference {
    median_ratio: f64,
    mean_log_ratio: f64,
}

/// Reads the run's object table and sums it up by well.
///
/// Missing values: cells without a ratio (a ring without light) are left out of the ratios.
/// Errors: the table is not there or lacks a column.
pub(super) fn measure(run: &Path) -> Result<BTreeMap<String, WellMeasure>, EngineError> {
    let path = run.join("objects.parquet");
    let unusable =
        |what: String| EngineError::unusable(&path, what, "run the demonstration again with --force");
    let table = profile::read_parquet(&path).map_err(|error| unusable(error.to_string()))?;
    let wells = texts(&table, WELL).map_err(unusable)?;
    let nucleus = numbers(&table, IN_NUCLEUS).map_err(unusable)?;
    let ring = numbers(&table, IN_RING).map_err(unusable)?;
    let p = numbers(&table, P_CONTROLS).map_err(unusable)?;

    let mut rows: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (row, well) in wells.into_iter().enumerate() {
        rows.entry(well).or_default().push(row);
    }
    Ok(rows
        .into_iter()
        .filter_map(|(well, rows)| {
            let ratios: Vec<f64> = rows
                .iter()
                .filter_map(|&row| Some(nucleus[row]? / ring[row]?))
                .filter(|ratio| ratio.is_finite() && *ratio > 0.0)
                .collect();
            let p: Vec<f64> = rows.iter().filter_map(|&row| p[row]).collect();
            let unlike = p.iter().filter(|&&p| p <= LEVEL).count() as f64 / p.len() as f64;
            let measure = WellMeasure {
                cells: rows.len(),
                median_ratio: uncertainty::median(&ratios)?,
                mean_log_ratio: mean(&ratios.iter().map(|ratio| ratio.ln()).collect::<Vec<_>>()),
                unlike_controls: (!p.is_empty()).then_some(unlike),
            };
            Some((well, measure))
        })
        .collect())
}

/// A column as numbers, missing where it is null or NaN; the message names a column that is not there.
pub(super) fn numbers(table: &DataFrame, name: &str) -> Result<Vec<Option<f64>>, String> {
    let column = table
        .column(name)
        .and_then(|column| column.cast(&DataType::Float64));
    let column = column.map_err(|error| format!("column {name:?}: {error}"))?;
    let values = column
        .f64()
        .map_err(|error| format!("column {name:?}: {error}"))?;
    Ok(values
        .iter()
        .map(|value| value.filter(|value| !value.is_nan()))
        .collect())
}

/// A column as text; null becomes empty.
pub(super) fn texts(table: &DataFrame, name: &str) -> Result<Vec<String>, String> {
    let column = table
        .column(name)
        .map_err(|error| format!("column {name:?}: {error}"))?;
    let values = column
        .str()
        .map_err(|error| format!("column {name:?}: {error}"))?;
    Ok(values
        .iter()
        .map(|value| value.unwrap_or_default().to_owned())
        .collect())
}

/// Reads `reference_measurements.csv`; the file is ours, so its columns are known.
pub(super) fn parse_reference(text: &str) -> BTreeMap<String, Reference> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let [well, _, _, _, _, median_ratio, mean_log_ratio, ..] = cells.as_slice() else {
                return None;
            };
            let reference = Reference {
                median_ratio: median_ratio.parse().ok()?,
                mean_log_ratio: mean_log_ratio.parse().ok()?,
            };
            Some(((*well).to_owned(), reference))
        })
        .collect()
}

/// The lines of text and the checks.
pub(super) fn compare(
    map: &[MapRow],
    measured: &BTreeMap<String, WellMeasure>,
    reference: &BTreeMap<String, Reference>,
    seed: u64,
) -> (Vec<String>, Vec<Check>) {
    let mut lines = Vec::new();
    let mut checks = Vec::new();
    separation(map, measured, reference, seed, &mut lines);
    lines.push(String::new());
    doses(map, measured, &mut lines, &mut checks);
    lines.push(String::new());

    let pairs: Vec<(f64, f64)> = measured
        .iter()
        .filter_map(|(well, measure)| Some((measure.mean_log_ratio, reference.get(well)?.mean_log_ratio)))
        .collect();
    let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    let agreement = pearson(&ours, &theirs);
    lines.push(format!(
        "Mean log ratio against the reference over {} wells: correlation {}",
        ours.len(),
        agreement.map_or("not estimable".to_owned(), |r| format!("{r:.3}"))
    ));

    let extreme = |chosen: &dyn Fn(&MapRow) -> bool, fold: fn(f64, f64) -> f64| {
        let shares = map
            .iter()
            .filter(|row| chosen(row))
            .map(|row| measured.get(&row.well).and_then(|m| m.unlike_controls));
        shares
            .collect::<Option<Vec<f64>>>()
            .and_then(|shares| shares.into_iter().reduce(fold))
    };
    let share = format!("share of cells with P_Controls <= {LEVEL}");
    checks.push(Check::at_most(
        format!("{share}, highest untreated well"),
        extreme(&|row| row.is_untreated(), f64::max),
        MOST_IN_CONTROLS,
    ));
    checks.push(Check::at_least(
        format!("{share}, lowest positive-control well"),
        extreme(&|row| row.rank == POSITIVE, f64::min),
        FEWEST_IN_RESPONDERS,
    ));
    checks.push(Check::at_least(
        format!("{share}, lowest well of dose rank {RESPONDS_FROM} and more"),
        extreme(&|row| (RESPONDS_FROM..POSITIVE).contains(&row.rank), f64::min),
        FEWEST_IN_RESPONDERS,
    ));
    checks.push(Check::at_least(
        "correlation of the mean log ratio with the reference, by well",
        agreement,
        0.95,
    ));
    (lines, checks)
}

/// Z' of the translocation for each drug, ours with its interval beside the reference.
fn separation(
    map: &[MapRow],
    measured: &BTreeMap<String, WellMeasure>,
    reference: &BTreeMap<String, Reference>,
    seed: u64,
    lines: &mut Vec<String>,
) {
    lines.push(
        "Z' of the GFP translocation (GFP in the nucleus over GFP in the ring), positive against untreated wells of the same drug".to_owned(),
    );
    lines.push(
        "[90 % interval if wells are normal]; beside it the reference measured with another program (not published figures):".to_owned(),
    );
    for block in blocks(map) {
        let wells = |positive: bool| {
            map.iter().filter(move |row| {
                row.block == block
                    && if positive {
                        row.rank == POSITIVE
                    } else {
                        row.is_untreated()
                    }
            })
        };
        let ours = |positive, value: fn(&WellMeasure) -> f64| -> Vec<f64> {
            wells(positive)
                .filter_map(|row| measured.get(&row.well))
                .map(value)
                .collect()
        };
        let theirs = |positive, value: fn(&Reference) -> f64| -> Vec<f64> {
            wells(positive)
                .filter_map(|row| reference.get(&row.well))
                .map(value)
                .collect()
        };
        type Kind = (&'static str, fn(&WellMeasure) -> f64, fn(&Reference) -> f64);
        let kinds: [Kind; 2] = [
            ("median ratio", |m| m.median_ratio, |r| r.median_ratio),
            ("mean log ratio", |m| m.mean_log_ratio, |r| r.mean_log_ratio),
        ];
        for (kind, of_ours, of_theirs) in kinds {
            let (positive, negative) = (ours(true, of_ours), ours(false, of_ours));
            let mut rng = uncertainty::stream(seed, &format!("demo/z_prime/{block}/{kind}"));
            let interval = profile::z_prime_interval(&positive, &negative, &mut rng);
            let text = match (uncertainty::z_prime(&positive, &negative), interval) {
                (Some(z), Some((low, high))) => format!("{z:.2} [{low:.2}, {high:.2}]"),
                _ => "not estimable".to_owned(),
            };
            let theirs = uncertainty::z_prime(&theirs(true, of_theirs), &theirs(false, of_theirs));
            let reference = theirs.map_or("not estimable".to_owned(), |z| format!("{z:.2}"));
            lines.push(format!(
                "  {block:<10} {kind:<15} {text:<22} reference {reference}   ({} positive, {} untreated wells)",
                positive.len(),
                negative.len()
            ));
        }
    }
    lines.push("  With two positive wells a Z' is loose: read the interval, not the figure.".to_owned());
}

/// Share of cells unlike the controls by dose, and whether it follows the dose.
fn doses(
    map: &[MapRow],
    measured: &BTreeMap<String, WellMeasure>,
    lines: &mut Vec<String>,
    checks: &mut Vec<Check>,
) {
    lines.push(format!(
        "Cells unlike this plate's untreated wells (share with P_Controls <= {LEVEL}, mean of the replicate wells), lowest to highest dose:"
    ));
    for block in blocks(map) {
        let share = |rank: u32| {
            let rows = map.iter().filter(|row| row.block == block && row.rank == rank);
            let shares: Option<Vec<f64>> = rows.map(|row| measured.get(&row.well)?.unlike_controls).collect();
            shares
                .filter(|shares| !shares.is_empty())
                .map(|shares| mean(&shares))
        };
        let by_dose: Vec<Option<f64>> = (1..POSITIVE).map(share).collect();
        let text: Vec<String> = by_dose
            .iter()
            .map(|share| share.map_or("  - ".to_owned(), |share| format!("{share:.2}")))
            .collect();
        let ranked: Vec<(f64, f64)> = (1..)
            .zip(&by_dose)
            .filter_map(|(rank, share)| Some((f64::from(rank), (*share)?)))
            .collect();
        let (ranks, shares): (Vec<f64>, Vec<f64>) = ranked.into_iter().unzip();
        let order = spearman(&ranks, &shares);
        lines.push(format!(
            "  {block:<10} {}   rank correlation with the dose {}",
            text.join(" "),
            order.map_or("not estimable".to_owned(), |rho| format!("{rho:.2}"))
        ));
        checks.push(Check::at_least(
            format!("{block}: rank correlation of that share with the dose"),
            order,
            0.8,
        ));
    }
}

/// The drugs, in the order of the plate.
fn blocks(map: &[MapRow]) -> Vec<&str> {
    let mut blocks: Vec<&str> = Vec::new();
    for row in map {
        if !blocks.contains(&row.block.as_str()) {
            blocks.push(&row.block);
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::archive::{Archive, BBBC013};
    use crate::demo::real_plate::parse_map;

    fn truth() -> (Vec<MapRow>, BTreeMap<String, Reference>) {
        let archive = Archive::open(BBBC013).unwrap();
        let map = parse_map(archive.text("platemap.csv").unwrap());
        (
            map,
            parse_reference(archive.text("reference_measurements.csv").unwrap()),
        )
    }

    /// A run that measured exactly the reference values; the share follows the log ratio.
    fn as_the_reference(reference: &BTreeMap<String, Reference>) -> BTreeMap<String, WellMeasure> {
        reference
            .iter()
            .map(|(well, reference)| {
                let unlike_controls = Some((reference.mean_log_ratio / 2.0).clamp(0.05, 1.0));
                let Reference {
                    median_ratio,
                    mean_log_ratio,
                } = *reference;
                (
                    well.clone(),
                    WellMeasure {
                        cells: 100,
                        median_ratio,
                        mean_log_ratio,
                        unlike_controls,
                    },
                )
            })
            .collect()
    }

    #[test]
    fn the_reference_gives_the_z_primes_of_its_source_note() {
        let (map, reference) = truth();
        assert_eq!(reference.len(), 48);
        let (lines, _) = compare(&map, &as_the_reference(&reference), &reference, 0);
        let line = |start: &str| lines.iter().find(|line| line.starts_with(start)).unwrap().clone();
        // SOURCE.md of the data: wortmannin .92 and .95, LY294002 .92 and .81; 2 positive and 4 untreated wells.
        assert!(
            line("  wortmannin median").contains("reference 0.92   (2 positive, 4 untreated wells)"),
            "{lines:#?}"
        );
        assert!(line("  wortmannin mean").contains("reference 0.95"));
        assert!(line("  LY294002   median").contains("reference 0.92"));
        assert!(line("  LY294002   mean").contains("reference 0.81"));
        assert!(
            line("  LY294002   mean").contains("  0.81 ["),
            "the same values give the same Z'"
        );
    }

    #[test]
    fn a_run_like_the_reference_passes_and_a_blind_one_fails() {
        let (map, reference) = truth();
        let mut measured = as_the_reference(&reference);
        let (_, checks) = compare(&map, &measured, &reference, 0);
        assert!(checks.iter().all(|check| check.holds), "{checks:#?}");
        measured
            .values_mut()
            .for_each(|well| well.unlike_controls = Some(0.05));
        let (_, checks) = compare(&map, &measured, &reference, 0);
        assert_eq!(
            checks.iter().filter(|check| !check.holds).count(),
            4,
            "{checks:#?}"
        );
        measured.values_mut().for_each(|well| well.unlike_controls = None);
        let (_, checks) = compare(&map, &measured, &reference, 0);
        assert_eq!(
            checks.iter().filter(|check| check.found.is_none()).count(),
            5,
            "{checks:#?}"
        );
    }
}
