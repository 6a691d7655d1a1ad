//! How well a classifier does on cells that it never saw, whether its confidence can be believed, and what it finds new.

use std::fmt::Write as _;

use ndarray::{Array2, Axis};

use super::{Estimate, EvaluateParams, LEVEL, ROUNDS, check_fold, estimate, number_groups};
use crate::files::{make_folder, write_whole};
use crate::screen::networks::{Classified, Networks};
use crate::train::{CellSet, read_cells, stack};
use crate::{Context, EngineError};

/// Bins of the calibration error (METHODS.md section 3).
const BINS: usize = 15;
/// Rounds of the chance band of the calibration error.
const NULL_ROUNDS: usize = 1000;
/// Error level of the prediction sets.
const ALPHA: f64 = 0.1;
/// Level whose realised value is printed.
const NOVELTY_LEVEL: f64 = 0.05;
/// FDR at which new cells are declared.
const NOVELTY_FDR: f64 = 0.1;
/// An imaging fault, not a phenotype: told apart from the untaught classes.
const FAULT_CLASS: &str = "OutOfFocus";

/// A figure of known against novel scores.
type Detection = dyn Fn(&[f64], &[f64]) -> Option<f64>;

/// Figures of one taught class.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ClassFigures {
    /// Name of the class.
    pub class: String,
    /// Test cells.
    pub n: usize,
    /// Share that is called so.
    pub recall: Option<f64>,
    /// Share of those called so that are right.
    pub precision: f64,
    /// Harmonic mean.
    pub f1: Option<f64>,
    /// Share whose prediction set holds the class.
    pub coverage: Option<f64>,
    /// Share with p_known at or below 0.05: called new although taught.
    pub called_new: Option<f64>,
}

/// How one score tells known from untaught cells.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct NoveltyScore {
    /// Name of the score; larger = more unlike the taught.
    pub score: String,
    /// Area under the ROC curve, all untaught classes but the imaging fault.
    pub auroc: Estimate,
    /// Share of untaught cells found at 1 % false alarms.
    pub found_at_1: Estimate,
    /// Share found at 5 % false alarms.
    pub found_at_5: Estimate,
    /// Each untaught class apart.
    pub classes: Vec<NoveltyClass>,
}

/// One untaught class under one score.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct NoveltyClass {
    /// Name of the class.
    pub class: String,
    /// Its cells.
    pub n: usize,
    /// Area under the ROC curve.
    pub auroc: Estimate,
    /// Share found at 5 % false alarms.
    pub found_at_5: Estimate,
}

/// Everything that `evaluate classify` says.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ClassifyReport {
    /// Bundle.
    pub bundle: String,
    /// Known test cells.
    pub cells: usize,
    /// Their groups.
    pub groups: usize,
    /// Share called right.
    pub accuracy: Estimate,
    /// Mean F1 of the classes.
    pub macro_f1: Estimate,
    /// Mean negative log-likelihood, nats.
    pub nll: Estimate,
    /// Brier score, 0 to 2.
    pub brier: Estimate,
    /// Slope of correctness on the logit of confidence: 1 = calibrated, above = under-confident.
    pub calibration_slope: Estimate,
    /// Mean confidence minus accuracy.
    pub confidence_minus_accuracy: Estimate,
    /// Expected calibration error, 15 equal-mass bins.
    pub ece: Option<f64>,
    /// What chance alone gives at this n: 5 %, 50 %, 95 %.
    pub ece_chance: Option<[f64; 3]>,
    /// Smooth calibration error.
    pub smooth_ece: Option<f64>,
    /// Share of cells whose 90 % set holds the true class.
    pub coverage: Estimate,
    /// Mean number of classes in a set.
    pub mean_set_size: f64,
    /// Share of empty sets.
    pub empty_sets: f64,
    /// Each taught class.
    pub classes: Vec<ClassFigures>,
    /// Untaught test cells, the imaging fault left out.
    pub untaught_cells: usize,
    /// Share of known cells with p_known ≤ 0.05; 0.05 is right.
    pub realised_level: Estimate,
    /// Each novelty score.
    pub novelty: Vec<NoveltyScore>,
    /// False share among the cells declared new at FDR 0.1 over known and untaught cells together.
    pub false_discovery_proportion: Option<f64>,
    /// Share of untaught cells declared new there.
    pub power: Option<f64>,
}

/// Evaluates a classifier on held-out cells.
///
/// Errors: data or bundle that cannot be used, a fold that the bundle was trained on.
pub fn evaluate_classify(params: &EvaluateParams, context: &Context) -> Result<ClassifyReport, EngineError> {
    let bundle = crate::bundles::find(&params.bundle)?;
    check_fold(params, &bundle)?;
    let set = read_cells(&params.data, params.splits.as_deref())?;
    let mut cells: Vec<usize> = (0..set.cells.len()).collect();
    if params.splits.is_some() {
        cells.retain(|&cell| set.cells[cell].fold == params.fold);
    }
    let networks = Networks::of_bundles(None, Some(&bundle), &params.networks)?;
    let crops = stack(
        &cells
            .iter()
            .map(|&cell| &set.cells[cell].crop)
            .collect::<Vec<_>>(),
    );
    context.progress.begin("classifying", cells.len() as u64);
    let classified = networks.classify_crops(crops.view())?;
    context.progress.advance(cells.len() as u64);
    context.progress.end();
    let test = TestCells::new(&set, &cells, &classified);
    if test.known.is_empty() {
        return Err(EngineError::Unusable {
            path: params.data.clone(),
            what: "no cell of a class that the bundle was taught".to_owned(),
            remedy: format!("its classes are {}", classified.classes.join(", ")),
        });
    }
    if let Some(out) = &params.out {
        make_folder(out)?;
        write_whole(&out.join("pred.csv"), test.predictions(&set, &cells).as_bytes())?;
    }
    Ok(test.report(&bundle.manifest.name, params.seed))
}

/// Test cells with what the bundle says of them. Rows count over all test cells.
struct TestCells<'a> {
    classified: &'a Classified,
    /// Class index, `None` for an untaught class.
    label: Vec<Option<usize>>,
    class: Vec<&'a str>,
    group: Vec<u32>,
    known: Vec<usize>,
    untaught: Vec<usize>,
    faults: Vec<usize>,
    scores: Vec<(&'static str, Vec<f64>)>,
}

impl<'a> TestCells<'a> {
    fn new(set: &'a CellSet, cells: &[usize], classified: &'a Classified) -> Self {
        let class: Vec<&str> = cells.iter().map(|&cell| set.cells[cell].class.as_str()).collect();
        let label: Vec<Option<usize>> = class
            .iter()
            .map(|class| classified.classes.iter().position(|known| known == class))
            .collect();
        let rows = 0..cells.len();
        let known = rows.clone().filter(|&row| label[row].is_some()).collect();
        let untaught = rows
            .clone()
            .filter(|&row| label[row].is_none() && class[row] != FAULT_CLASS)
            .collect();
        let faults = rows.filter(|&row| class[row] == FAULT_CLASS).collect();
        let groups: Vec<&str> = cells.iter().map(|&cell| set.cells[cell].group.as_str()).collect();
        let scores = vec![
            ("energy", classified.energy.clone()),
            (
                "1 - p_known",
                classified.p_known.iter().map(|p| 1.0 - p).collect(),
            ),
            ("entropy", classified.total.to_vec()),
            ("mutual information", classified.epistemic.to_vec()),
            (
                "1 - confidence",
                classified
                    .probability
                    .rows()
                    .into_iter()
                    .map(|p| 1.0 - p.fold(0.0f64, |a, &b| a.max(b)))
                    .collect(),
            ),
        ];
        Self {
            classified,
            label,
            class,
            group: number_groups(&groups),
            known,
            untaught,
            faults,
            scores,
        }
    }

    /// The table that other scorers read.
    fn predictions(&self, set: &CellSet, cells: &[usize]) -> String {
        let mut text = "cell_id,true,novel".to_owned();
        for class in &self.classified.classes {
            let _ = write!(text, ",p_{class}");
        }
        for (score, _) in &self.scores {
            let _ = write!(text, ",{}", score.replace(' ', "_"));
        }
        text.push('\n');
        for (row, &cell) in cells.iter().enumerate() {
            let cell = &set.cells[cell];
            let _ = write!(
                text,
                "{},{},{}",
                cell.id,
                cell.class,
                u8::from(self.label[row].is_none())
            );
            for p in self.classified.probability.row(row) {
                let _ = write!(text, ",{p}");
            }
            for (_, values) in &self.scores {
                let _ = write!(text, ",{}", values[row]);
            }
            text.push('\n');
        }
        text
    }

    fn report(&self, bundle: &str, seed: u64) -> ClassifyReport {
        let probability = self.classified.probability.select(Axis(0), &self.known);
        let label: Vec<usize> = self.known.iter().filter_map(|&row| self.label[row]).collect();
        let group: Vec<u32> = self.known.iter().map(|&row| self.group[row]).collect();
        let top = uncertainty::top_class(probability.view());
        let confidence: Vec<f64> = top.iter().map(|(_, p)| *p).collect();
        let hit: Vec<bool> = top
            .iter()
            .zip(&label)
            .map(|((class, _), label)| class == label)
            .collect();
        let of =
            |name: &str, statistic: &dyn Fn(&[usize]) -> Option<f64>| estimate(&group, seed, name, statistic);
        let rows_of = |rows: &[usize]| -> (Array2<f64>, Vec<usize>) {
            (
                probability.select(Axis(0), rows),
                rows.iter().map(|&row| label[row]).collect(),
            )
        };
        let with = |f: fn(ndarray::ArrayView2<f64>, &[usize]) -> Option<f64>| {
            move |rows: &[usize]| {
                let (probability, label) = rows_of(rows);
                f(probability.view(), &label)
            }
        };
        let picked = |rows: &[usize]| -> (Vec<f64>, Vec<bool>) {
            (
                rows.iter().map(|&row| confidence[row]).collect(),
                rows.iter().map(|&row| hit[row]).collect(),
            )
        };
        let null = uncertainty::ece_null_band(
            &confidence,
            &hit,
            BINS,
            NULL_ROUNDS,
            &mut uncertainty::stream(seed, "calibration error by chance"),
        );
        let conformal = self.classified.conformal_p.select(Axis(0), &self.known);
        let covered: Vec<bool> = label
            .iter()
            .enumerate()
            .map(|(row, &label)| conformal[[row, label]] > ALPHA)
            .collect();
        let sizes: Vec<usize> = conformal
            .rows()
            .into_iter()
            .map(|p| p.iter().filter(|p| **p > ALPHA).count())
            .collect();
        let called_new: Vec<bool> = self
            .known
            .iter()
            .map(|&row| self.classified.p_known[row] <= NOVELTY_LEVEL)
            .collect();
        let share = |flags: &[bool], rows: &[usize]| {
            let hits = rows.iter().filter(|&&row| flags[row]).count();
            (!rows.is_empty()).then(|| hits as f64 / rows.len() as f64)
        };
        let scores = uncertainty::classification_scores(probability.view(), &label);
        let classes = scores
            .iter()
            .flat_map(|scores| scores.per_class.iter().enumerate())
            .map(|(class, figures)| {
                let rows: Vec<usize> = (0..label.len()).filter(|&row| label[row] == class).collect();
                ClassFigures {
                    class: self.classified.classes[class].clone(),
                    n: figures.n,
                    recall: figures.recall,
                    precision: figures.precision,
                    f1: figures.f1,
                    coverage: share(&covered, &rows),
                    called_new: share(&called_new, &rows),
                }
            })
            .collect();
        let n = label.len().max(1) as f64;
        let (false_discovery_proportion, power) = self.discoveries();
        ClassifyReport {
            bundle: bundle.to_owned(),
            cells: label.len(),
            groups: number_of_distinct(&group),
            accuracy: of("accuracy", &with(uncertainty::accuracy)),
            macro_f1: of("macro F1", &with(uncertainty::macro_f1)),
            nll: of("NLL", &with(uncertainty::nll)),
            brier: of("Brier", &with(uncertainty::brier)),
            calibration_slope: of("slope", &|rows| {
                let (confidence, hit) = picked(rows);
                uncertainty::calibration_slope(&confidence, &hit).map(|fit| fit.slope)
            }),
            confidence_minus_accuracy: of("confidence - accuracy", &|rows| {
                let (confidence, hit) = picked(rows);
                let n = rows.len() as f64;
                Some(confidence.iter().sum::<f64>() / n - hit.iter().filter(|hit| **hit).count() as f64 / n)
            }),
            ece: uncertainty::ece_equal_mass(&confidence, &hit, BINS),
            ece_chance: null.map(|band| [band.low, band.median, band.high]),
            smooth_ece: uncertainty::smooth_ece(&confidence, &hit),
            coverage: of("coverage", &|rows| share(&covered, rows)),
            mean_set_size: sizes.iter().sum::<usize>() as f64 / n,
            empty_sets: sizes.iter().filter(|size| **size == 0).count() as f64 / n,
            classes,
            untaught_cells: self.untaught.len(),
            realised_level: of("realised level", &|rows| share(&called_new, rows)),
            novelty: self.novelty(seed),
            false_discovery_proportion,
            power,
        }
    }

    /// Each score on known cells against untaught ones; both are resampled by group.
    fn novelty(&self, seed: u64) -> Vec<NoveltyScore> {
        let mut names: Vec<&str> = self
            .untaught
            .iter()
            .chain(&self.faults)
            .map(|&row| self.class[row])
            .collect();
        names.sort_unstable();
        names.dedup();
        let against = |score: &str, values: &[f64], novel: &[usize], what: &str| {
            let rows: Vec<usize> = self.known.iter().chain(novel).copied().collect();
            let groups: Vec<u32> = rows.iter().map(|&row| self.group[row]).collect();
            let split = |picked: &[usize]| -> (Vec<f64>, Vec<f64>) {
                let (known, novel): (Vec<usize>, Vec<usize>) = picked
                    .iter()
                    .map(|&index| rows[index])
                    .partition(|&row| self.label[row].is_some());
                let value = |rows: Vec<usize>| rows.into_iter().map(|row| values[row]).collect();
                (value(known), value(novel))
            };
            let at = |level: f64| {
                move |known: &[f64], novel: &[f64]| uncertainty::share_found_at(known, novel, level)
            };
            let of = |name: &str, f: &Detection| {
                let mut estimate = estimate(&groups, seed, &format!("{score} {what} {name}"), |picked| {
                    let (known, novel) = split(picked);
                    f(&known, &novel)
                });
                estimate.n = novel.len();
                estimate
            };
            (
                of("AUROC", &uncertainty::auroc),
                of("1 %", &at(0.01)),
                of("5 %", &at(0.05)),
            )
        };
        if names.is_empty() {
            return Vec::new();
        }
        self.scores
            .iter()
            .map(|(score, values)| {
                let (auroc, found_at_1, found_at_5) = against(score, values, &self.untaught, "all");
                let classes = names
                    .iter()
                    .map(|class| {
                        let rows: Vec<usize> = (0..self.class.len())
                            .filter(|&row| self.class[row] == *class)
                            .collect();
                        let (auroc, _, found_at_5) = against(score, values, &rows, class);
                        NoveltyClass {
                            class: (*class).to_owned(),
                            n: rows.len(),
                            auroc,
                            found_at_5,
                        }
                    })
                    .collect();
                NoveltyScore {
                    score: (*score).to_owned(),
                    auroc,
                    found_at_1,
                    found_at_5,
                    classes,
                }
            })
            .collect()
    }

    /// Benjamini and Hochberg on p_known over known and untaught cells: false share among the declared, share found.
    fn discoveries(&self) -> (Option<f64>, Option<f64>) {
        if self.untaught.is_empty() {
            return (None, None);
        }
        let rows: Vec<usize> = self.known.iter().chain(&self.untaught).copied().collect();
        let p: Vec<f64> = rows.iter().map(|&row| self.classified.p_known[row]).collect();
        let declared: Vec<usize> = uncertainty::benjamini_hochberg(&p)
            .iter()
            .zip(&rows)
            .filter(|(q, _)| **q <= NOVELTY_FDR)
            .map(|(_, &row)| row)
            .collect();
        let wrong = declared.iter().filter(|&&row| self.label[row].is_some()).count();
        let found = declared.len() - wrong;
        let proportion = (!declared.is_empty()).then(|| wrong as f64 / declared.len() as f64);
        (proportion, Some(found as f64 / self.untaught.len() as f64))
    }
}

fn number_of_distinct(groups: &[u32]) -> usize {
    let mut groups = groups.to_vec();
    groups.sort_unstable();
    groups.dedup();
    groups.len()
}

/// Words for the intervals in printed tables.
impl ClassifyReport {
    /// Rounds and level of the intervals, for the table's caption.
    pub fn interval_words() -> String {
        format!(
            "{:.0} % intervals from {ROUNDS} resamples of whole groups",
            100.0 * LEVEL
        )
    }
}
