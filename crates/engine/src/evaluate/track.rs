//! How good a tracking is against a truth, and whether its probabilities mean what they say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use track::score::{
    DivisionClaim, FrameOverlap, LinkClaim, Matching, Scores, TrackPoint, Tracking, judge_division,
    judge_link, match_overlaps, match_points, score, score_doubt,
};

use super::track_files::{Claims, read_claims, read_label_folder, read_points};
use super::{Estimate, estimate};
use crate::track::{TrackParams, track};
use crate::{Context, EngineError};

/// Rounds of the chance band of the calibration error.
const NULL_ROUNDS: usize = 200;
/// Bins of the calibration error: fine, as most probabilities lie close to 1.
const BINS: usize = 50;
/// A division is right when it lies so many frames from the true one.
const TOLERANCE: usize = 1;

/// What an evaluation of a tracking is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluateTrackParams {
    /// A folder with label images and man_track.txt, or a CSV with track_id, frame, x, y, parent_id.
    pub truth: PathBuf,
    /// A folder that `track` wrote, a folder of masks with res_track.txt, or a CSV; `None` = track now.
    pub result: Option<PathBuf>,
    /// Where there is no result: bundle that finds nuclei in `TRUTH/frames`; `None` = the objects of the truth are linked.
    pub bundle: Option<String>,
    /// Largest distance of a position from its true one, pixels.
    pub radius: f64,
    /// Folder for the tracking that is made now; `None` = it is not kept.
    pub out: Option<PathBuf>,
    /// How the networks are used.
    pub networks: crate::NetworkParams,
    /// Seed of the bootstraps.
    pub seed: u64,
}

/// The corrections that turn a result into the truth.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Corrections {
    /// Cells to cut out of merged ones.
    pub splits: usize,
    /// Cells that were missed.
    pub missed: usize,
    /// Objects that are no cell.
    pub false_objects: usize,
    /// Links to remove.
    pub extra_links: usize,
    /// Links to add.
    pub missing_links: usize,
    /// Links within a track that should be a mother's, or the other way about.
    pub wrong_kind: usize,
}

/// Divisions at one tolerance.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DivisionFigures {
    /// Frames that a division may lie off.
    pub kind: String,
    /// F1; `None` without a true division.
    pub f1: Option<f64>,
    /// Found, of the true ones, of the result's.
    pub found: usize,
    /// True ones.
    pub truth: usize,
    /// Of the result.
    pub result: usize,
}

/// What probabilities are worth.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DoubtFigures {
    /// Claims that the truth can judge.
    pub judged: usize,
    /// Wrong ones.
    pub wrong: usize,
    /// Mean probability.
    pub mean_probability: Estimate,
    /// Share that is right.
    pub share_right: Estimate,
    /// Mean probability minus share right, with its interval over true families.
    pub probability_minus_share: Estimate,
    /// Expected calibration error.
    pub ece: Option<f64>,
    /// What chance alone gives at this n: 5 %, 50 %, 95 %.
    pub ece_chance: Option<[f64; 3]>,
    /// Mean squared difference of probability and outcome.
    pub brier: Estimate,
    /// The same for the share right as everybody's probability.
    pub brier_of_the_mean: f64,
    /// Calibration slope; `None` where it cannot be estimated (all right).
    pub slope: Option<f64>,
    /// Share of the wrong ones among the 2 % least certain; `None` when none is wrong.
    pub wrong_in_least_certain_2_percent: Option<f64>,
}

/// Everything that `evaluate track` says.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TrackReport {
    /// How objects were matched.
    pub matched_by: String,
    /// Frames.
    pub frames: usize,
    /// True objects.
    pub true_objects: usize,
    /// True tracks.
    pub true_tracks: usize,
    /// Tracks of the result.
    pub tracks: usize,
    /// Tracking accuracy of the Cell Tracking Challenge.
    pub tra: Option<f64>,
    /// Its part of objects.
    pub det: Option<f64>,
    /// Its part of links.
    pub lnk: Option<f64>,
    /// Weighted corrections.
    pub aogm: f64,
    /// The corrections one by one.
    pub corrections: Corrections,
    /// Divisions at tolerance 0, 1, 2.
    pub divisions: Vec<DivisionFigures>,
    /// F1 of tracks found from end to end.
    pub complete_tracks: Option<f64>,
    /// Mean longest share of a track followed without a break.
    pub track_fractions: f64,
    /// Higher order tracking accuracy.
    pub hota: Option<f64>,
    /// The same over lineages.
    pub chota: Option<f64>,
    /// Cell-cycle accuracy; `None` without a whole cycle in the truth.
    pub cell_cycle_accuracy: Option<f64>,
    /// Probabilities of links; `None` for a result without probabilities.
    pub link_probability: Option<DoubtFigures>,
    /// Probabilities of divisions, right within one frame.
    pub division_probability: Option<DoubtFigures>,
}

/// Scores a tracking, or tracks the truth's objects now and scores that.
///
/// Errors: files that cannot be used, another number of frames.
pub fn evaluate_track(params: &EvaluateTrackParams, context: &Context) -> Result<TrackReport, EngineError> {
    let kept;
    let result = match &params.result {
        Some(result) => result.as_path(),
        None => {
            kept = Made::now(params, context)?;
            kept.folder()
        }
    };
    let (truth, found, matching, matched_by) = if params.truth.is_file() {
        by_points(params, result)?
    } else {
        by_overlap(params, result)?
    };
    let scores = score(&truth, &found, &matching);
    let claims = read_claims(result)?;
    Ok(report(
        Compared {
            truth: &truth,
            found: &found,
            matching: &matching,
            seed: params.seed,
        },
        matched_by,
        &scores,
        claims.as_ref(),
    ))
}

/// A tracking that is made for the evaluation.
enum Made {
    Kept(PathBuf),
    Passing(tempfile::TempDir),
}

impl Made {
    fn now(params: &EvaluateTrackParams, context: &Context) -> Result<Self, EngineError> {
        let made = match &params.out {
            Some(out) => Self::Kept(out.clone()),
            None => Self::Passing(tempfile::tempdir().map_err(|source| EngineError::Write {
                path: std::env::temp_dir(),
                source,
            })?),
        };
        let mut request = TrackParams::new(made.folder());
        request.report = params.out.is_some();
        request.networks = params.networks.clone();
        request.seed = params.seed;
        match &params.bundle {
            Some(bundle) => {
                request.movies = vec![params.truth.join("frames")];
                request.bundle = bundle.clone();
            }
            None if params.truth.is_file() => request.detections = Some(params.truth.clone()),
            None => request.labels_from = Some(super::track_files::label_folder(&params.truth)?),
        }
        track(&request, context)?;
        Ok(made)
    }

    fn folder(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Passing(folder) => folder.path(),
        }
    }
}

type Pair = (Tracking, Tracking, Matching, String);

fn by_points(params: &EvaluateTrackParams, result: &Path) -> Result<Pair, EngineError> {
    let table = if result.is_dir() {
        result.join("tracks.csv")
    } else {
        result.to_owned()
    };
    let points = |path: &Path| -> Result<Tracking, EngineError> {
        let points: Vec<TrackPoint> = read_points(path)?;
        Ok(Tracking::from_points(&points)?)
    };
    let (mut truth, mut found) = (points(&params.truth)?, points(&table)?);
    let n = truth.frames().len().max(found.frames().len());
    truth.pad_to(n);
    found.pad_to(n);
    let matching = match_points(&truth, &found, params.radius);
    let how = format!("position, at most {} px away", params.radius);
    Ok((truth, found, matching, how))
}

fn by_overlap(params: &EvaluateTrackParams, result: &Path) -> Result<Pair, EngineError> {
    if result.is_file() {
        return Err(EngineError::unusable(
            result,
            "is a table, but the truth is a folder of label images",
            "give the truth's tracks.csv, or a folder of masks as the result",
        ));
    }
    let (truth_maps, truth_lines) = read_label_folder(&params.truth)?;
    let (maps, lines) = read_label_folder(result)?;
    if maps.len() != truth_maps.len() {
        return Err(EngineError::unusable(
            result,
            format!("holds {} frames, the truth {}", maps.len(), truth_maps.len()),
            "score frames of the same movie",
        ));
    }
    let mut overlaps = Vec::with_capacity(maps.len());
    let (mut true_ids, mut ids) = (Vec::new(), Vec::new());
    for (t, (truth, found)) in truth_maps.iter().zip(&maps).enumerate() {
        if truth.dim() != found.dim() {
            return Err(EngineError::unusable(
                result,
                format!(
                    "frame {t} is {} x {} pixels, that of the truth {} x {}",
                    found.dim().1,
                    found.dim().0,
                    truth.dim().1,
                    truth.dim().0
                ),
                "score frames of the same movie",
            ));
        }
        let mut area: BTreeMap<u32, u64> = BTreeMap::new();
        let mut other: BTreeMap<u32, u64> = BTreeMap::new();
        let mut shared: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for (&a, &b) in truth.iter().zip(found) {
            if a > 0 {
                *area.entry(a).or_default() += 1;
            }
            if b > 0 {
                *other.entry(b).or_default() += 1;
            }
            if a > 0 && b > 0 {
                *shared.entry((a, b)).or_default() += 1;
            }
        }
        true_ids.push(area.keys().copied().collect::<Vec<u32>>());
        ids.push(other.keys().copied().collect::<Vec<u32>>());
        overlaps.push(FrameOverlap {
            truth_area: area,
            shared: shared.into_iter().map(|((a, b), n)| (a, b, n)).collect(),
        });
    }
    let truth = Tracking::from_labels(&true_ids, &truth_lines)?;
    let found = Tracking::from_labels(&ids, &lines)?;
    let matching = match_overlaps(&truth, &overlaps)?;
    Ok((
        truth,
        found,
        matching,
        "overlap, more than half of the true object".to_owned(),
    ))
}

struct Compared<'a> {
    truth: &'a Tracking,
    found: &'a Tracking,
    matching: &'a Matching,
    seed: u64,
}

fn report(compared: Compared, matched_by: String, scores: &Scores, claims: Option<&Claims>) -> TrackReport {
    let graph = &scores.graph;
    let divisions = scores
        .divisions
        .iter()
        .enumerate()
        .map(|(tolerance, counts)| DivisionFigures {
            kind: match tolerance {
                0 => "in the same frame".to_owned(),
                1 => "within 1 frame".to_owned(),
                n => format!("within {n} frames"),
            },
            f1: counts.f1(),
            found: counts.found,
            truth: counts.truth,
            result: counts.result,
        });
    TrackReport {
        matched_by,
        frames: compared.truth.frames().len(),
        true_objects: compared.truth.n_vertices(),
        true_tracks: compared.truth.tracks().len(),
        tracks: compared.found.tracks().len(),
        tra: graph.tra(),
        det: graph.det(),
        lnk: graph.lnk(),
        aogm: graph.aogm(),
        corrections: Corrections {
            splits: graph.splits,
            missed: graph.missed,
            false_objects: graph.false_objects,
            extra_links: graph.extra_edges,
            missing_links: graph.missing_edges,
            wrong_kind: graph.wrong_kind,
        },
        divisions: divisions.collect(),
        complete_tracks: scores.complete_tracks,
        track_fractions: scores.track_fractions,
        hota: scores.hota,
        chota: scores.chota,
        cell_cycle_accuracy: scores.cell_cycle_accuracy,
        link_probability: claims.and_then(|claims| links(&compared, &claims.links)),
        division_probability: claims.and_then(|claims| division_doubt(&compared, &claims.divisions)),
    }
}

/// The first ancestor of every true track.
fn roots(truth: &Tracking) -> BTreeMap<u32, u32> {
    let root = |mut track: u32| {
        // A circle of parents ends after as many steps as there are tracks.
        for _ in 0..truth.tracks().len() {
            match truth.tracks().get(&track).and_then(|track| track.parent) {
                Some(parent) => track = parent,
                None => break,
            }
        }
        track
    };
    truth.tracks().keys().map(|&track| (track, root(track))).collect()
}

fn links(compared: &Compared, claims: &[LinkClaim]) -> Option<DoubtFigures> {
    let roots = roots(compared.truth);
    let judged = claims.iter().filter_map(|claim| {
        let right = judge_link(compared.truth, compared.matching, claim)?;
        let cell = compared.matching.get(claim.from.0)?.only_truth(claim.from.1)?;
        Some((
            roots.get(&cell).copied().unwrap_or(cell),
            claim.probability,
            right,
        ))
    });
    doubt(&judged.collect::<Vec<_>>(), compared.seed, "links")
}

fn division_doubt(compared: &Compared, claims: &[DivisionClaim]) -> Option<DoubtFigures> {
    let roots = roots(compared.truth);
    let judged = claims.iter().filter_map(|claim| {
        let right = judge_division(
            compared.truth,
            compared.found,
            compared.matching,
            TOLERANCE,
            claim,
        )?;
        let last = compared.found.tracks().get(&claim.mother)?.last;
        let cell = compared
            .matching
            .get(last)
            .and_then(|frame| frame.only_truth(claim.mother));
        // A mother that is no true cell stands for herself.
        let family = cell.map_or(u32::MAX - claim.mother, |cell| {
            roots.get(&cell).copied().unwrap_or(cell)
        });
        Some((family, claim.probability, right))
    });
    doubt(&judged.collect::<Vec<_>>(), compared.seed, "divisions")
}

/// Figures of claims: (true family, probability, right); `None` without any.
fn doubt(judged: &[(u32, f64, bool)], seed: u64, name: &str) -> Option<DoubtFigures> {
    let rows: Vec<track::score::Judged> = judged
        .iter()
        .map(|&(_, probability, right)| track::score::Judged {
            movie: 0,
            probability,
            right,
        })
        .collect();
    let scores = score_doubt(&rows)?;
    let groups: Vec<u32> = judged.iter().map(|row| row.0).collect();
    let probability: Vec<f64> = judged.iter().map(|row| row.1).collect();
    let right: Vec<bool> = judged.iter().map(|row| row.2).collect();
    let outcome: Vec<f64> = right.iter().map(|&right| f64::from(u8::from(right))).collect();
    let mean = |rows: &[usize], of: &dyn Fn(usize) -> f64| {
        (!rows.is_empty()).then(|| rows.iter().map(|&row| of(row)).sum::<f64>() / rows.len() as f64)
    };
    let with_interval = |what: &str, of: &dyn Fn(usize) -> f64| {
        estimate(&groups, seed, &format!("{name} {what}"), |rows| mean(rows, of))
    };
    let mut random = uncertainty::stream(seed, &format!("{name} calibration error by chance"));
    let band = uncertainty::ece_null_band(&probability, &right, BINS, NULL_ROUNDS, &mut random);
    Some(DoubtFigures {
        judged: scores.n,
        wrong: scores.wrong,
        mean_probability: with_interval("probability", &|row| probability[row]),
        share_right: with_interval("right", &|row| outcome[row]),
        probability_minus_share: with_interval("excess", &|row| probability[row] - outcome[row]),
        ece: Some(scores.ece),
        ece_chance: band.map(|band| [band.low, band.median, band.high]),
        brier: with_interval("brier", &|row| (probability[row] - outcome[row]).powi(2)),
        brier_of_the_mean: scores.share_right * (1.0 - scores.share_right),
        slope: scores.slope,
        wrong_in_least_certain_2_percent: scores.wrong_in_least_certain,
    })
}
