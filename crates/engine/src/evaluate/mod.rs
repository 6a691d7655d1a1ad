//! Held-out figures: every number with its n and an interval over whole groups.

mod classify;
mod segment;
mod track;
mod track_files;

use std::path::PathBuf;

pub use self::track::{
    Corrections, DivisionFigures, DoubtFigures, EvaluateTrackParams, TrackReport, evaluate_track,
};
pub use classify::{ClassFigures, ClassifyReport, NoveltyClass, NoveltyScore, evaluate_classify};
pub use segment::{ApFigures, OutlineCalibration, SegmentReport, evaluate_segment};

/// Rounds of every group bootstrap (METHODS.md section 16 asks for 2000; figures move in the third digit from 1000 on).
const ROUNDS: usize = 2000;
/// Level of every interval.
const LEVEL: f64 = 0.95;

/// What an evaluation is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluateParams {
    /// Folder with labelled data.
    pub data: PathBuf,
    /// Bundle, by name or folder.
    pub bundle: String,
    /// CSV with folds; `None` = everything in the folder is test data.
    pub splits: Option<PathBuf>,
    /// Fold that is looked at where there are splits.
    pub fold: u32,
    /// Folder for predictions that other scorers can read; `None` = none are written.
    pub out: Option<PathBuf>,
    /// How the networks are used.
    pub networks: crate::NetworkParams,
    /// Seed of the bootstraps.
    pub seed: u64,
}

/// A figure with the interval of a bootstrap over groups.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Estimate {
    /// The figure; `None` = not estimable.
    pub value: Option<f64>,
    /// Lower end of the 95 % interval.
    pub lower: Option<f64>,
    /// Upper end.
    pub upper: Option<f64>,
    /// What it was computed from (cells, images).
    pub n: usize,
}

/// A statistic of rows with its interval over groups.
fn estimate(groups: &[u32], seed: u64, name: &str, statistic: impl Fn(&[usize]) -> Option<f64>) -> Estimate {
    let all: Vec<usize> = (0..groups.len()).collect();
    let mut random = uncertainty::stream(seed, name);
    let interval = uncertainty::bootstrap_groups(groups, ROUNDS, LEVEL, &mut random, |rows| statistic(rows));
    Estimate {
        value: statistic(&all).filter(|value| value.is_finite()),
        lower: interval.map(|(lower, _)| lower),
        upper: interval.map(|(_, upper)| upper),
        n: groups.len(),
    }
}

/// Numbers for names, in sorted order of the names.
fn number_groups(names: &[&str]) -> Vec<u32> {
    let mut sorted: Vec<&str> = names.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    names
        .iter()
        .map(|name| sorted.binary_search(name).unwrap_or(0) as u32)
        .collect()
}

/// A fold that the bundle was trained on cannot test it.
fn check_fold(params: &EvaluateParams, bundle: &model::Bundle) -> Result<(), crate::EngineError> {
    let folds = &bundle.manifest.member_folds;
    if params.splits.is_none() || params.fold == 0 || folds.iter().all(|fold| *fold == params.fold) {
        return Ok(());
    }
    Err(crate::EngineError::Option {
        option: "--fold",
        value: params.fold.to_string(),
        what: "members of this bundle were trained on that fold; only fold 0 was seen by none".to_owned(),
    })
}
