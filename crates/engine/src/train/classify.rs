//! Training of a classifier bundle.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    ClassificationNetwork, ClassificationRecipe, ClassificationReference, ClassificationSample,
    ClassificationTrust, Classifier, CropNormalization, Manifest, Network, Task, Trust, Weights,
    train_classifier,
};
use ndarray::{Array2, Array3};

use super::ensemble::{MemberPlan, train_members};
use super::folds::FOLDS;
use super::labelled_cells::{CellSet, LabelledCell, read_cells};
use super::{TrainOutcome, TrainParams, ensemble};
use crate::{Context, EngineError};

/// Members of a classifier: two for each held-out fold.
const MEMBERS: usize = 8;
/// Dropout draws of a bundle; the eight symmetries are draws as well.
const DRAWS: usize = 2;
/// A crop's nucleus lies within this many pixels of the middle, or the crop does not count for the diameter.
const MIDDLE_PX: usize = 4;

/// Trains an ensemble on labelled cells and writes it as a bundle.
///
/// Member k never sees fold 1 + (k mod 4), none sees fold 0; temperature, conformal and novelty references are out-of-fold
/// scores of the cells of folds 1 to 4.
///
/// Errors: data that cannot be read or is too little, an output that cannot be written, a stop by the caller.
pub fn train_classify(params: &TrainParams, context: &Context) -> Result<TrainOutcome, EngineError> {
    let set = read_cells(&params.data, params.splits.as_deref())?;
    let cells: Vec<&LabelledCell> = set
        .cells
        .iter()
        .filter(|cell| !cell.novel && FOLDS.contains(&cell.fold))
        .collect();
    let name = params.bundle_name();
    let network = ClassificationNetwork::new(set.classes.len());
    let mut recipe = ClassificationRecipe::default();
    if let Some(epochs) = params.length {
        recipe.epochs = epochs;
    }
    let plans = ensemble::plans(params.members.unwrap_or(MEMBERS), params.seed);
    let samples = to_samples(&cells, &set);
    let from = params.start_weights(&Network::Classification(network.clone()))?;
    let device = params.device.into();
    params.isa.pin()?;
    let steps = (cells.len() * 3 / 4 / recipe.batch * recipe.epochs) as u64;
    let work = params.work_folder()?;
    let members = train_members(
        &plans,
        &work,
        params.thread_count(),
        steps,
        context,
        &|plan, resume, listener| {
            let training: Vec<&ClassificationSample> = cells
                .iter()
                .zip(&samples)
                .filter(|(cell, _)| cell.fold != plan.held_out)
                .map(|(_, sample)| sample)
                .collect();
            let start = from.as_ref().map(|from| &from[plan.index % from.len()]);
            train_classifier(
                &training,
                &network,
                &recipe,
                plan.seed,
                (start, resume),
                device,
                listener,
            )
        },
    )?;
    let members: Vec<Weights> = members.iter().map(Weights::rounded).collect();
    let (trust, held_out) = calibrate(&cells, &samples, &network, &plans, &members, params, context)?;
    let groups: BTreeSet<&str> = cells.iter().map(|cell| cell.group.as_str()).collect();
    let manifest = Manifest {
        draws: DRAWS,
        classes: set.classes.clone(),
        crop_diameter_px: median_diameter(&cells),
        crop_normalization: Some(CropNormalization::CentralMaximum),
        groups: groups.into_iter().map(str::to_owned).collect(),
        held_out: held_out.clone(),
        ..params.manifest(Task::Classify, Network::Classification(network), &plans)
    };
    params.write_bundle(manifest, &members, &Trust::Classification(trust))?;
    Ok(TrainOutcome {
        name,
        members: members.len(),
        samples: cells.len(),
        held_out,
    })
}

fn to_samples(cells: &[&LabelledCell], set: &CellSet) -> Vec<ClassificationSample> {
    cells
        .iter()
        .map(|cell| ClassificationSample {
            crop: cell.crop.clone(),
            label: set
                .classes
                .iter()
                .position(|class| *class == cell.class)
                .unwrap_or(usize::MAX),
        })
        .collect()
}

/// Stacks crops for the classifier: objects × 64 × 64.
pub(crate) fn stack(crops: &[&Array2<f32>]) -> Array3<f32> {
    let mut out = Array3::zeros((crops.len(), model::CROP_PX, model::CROP_PX));
    for (mut to, crop) in out.outer_iter_mut().zip(crops) {
        to.assign(crop);
    }
    out
}

/// Scores every cell by the members that never saw its fold; temperature and references follow from those scores.
fn calibrate(
    cells: &[&LabelledCell],
    samples: &[ClassificationSample],
    network: &ClassificationNetwork,
    plans: &[MemberPlan],
    members: &[Weights],
    params: &TrainParams,
    context: &Context,
) -> Result<(ClassificationTrust, BTreeMap<String, f64>), EngineError> {
    let failed = |what: String| EngineError::Network {
        name: params.bundle_name(),
        what,
    };
    let classifier = Classifier::from_weights(network.clone(), members, params.seed, &params.device.into())
        .map_err(|error| failed(error.to_string()))?;
    let mut log_probability = Array2::<f64>::zeros((cells.len(), network.classes));
    let mut one_pass = Array2::<f64>::zeros((cells.len(), network.classes));
    let mut energy = vec![0.0f32; cells.len()];
    let mut scored = vec![false; cells.len()];
    context.progress.begin("out-of-fold scores", FOLDS.len() as u64);
    for fold in FOLDS {
        let blind: Vec<usize> = plans
            .iter()
            .filter(|plan| plan.held_out == fold)
            .map(|plan| plan.index)
            .collect();
        let rows: Vec<usize> = (0..cells.len()).filter(|&row| cells[row].fold == fold).collect();
        context.progress.advance(1);
        if blind.is_empty() || rows.is_empty() {
            continue;
        }
        let crops = stack(&rows.iter().map(|&row| &samples[row].crop).collect::<Vec<_>>());
        let out = classifier
            .predict(crops.view(), Some(&blind), DRAWS)
            .map_err(|error| failed(error.to_string()))?;
        let pooled = uncertainty::pool(out.probability.view());
        let single = classifier
            .predict(crops.view(), Some(&blind[..1]), 0)
            .map_err(|error| failed(error.to_string()))?;
        for (slot, &row) in rows.iter().enumerate() {
            log_probability
                .row_mut(row)
                .assign(&pooled.log_probability().row(slot));
            let upright = single
                .probability
                .index_axis(ndarray::Axis(0), 0)
                .index_axis_move(ndarray::Axis(0), 0)
                .index_axis_move(ndarray::Axis(0), slot);
            one_pass.row_mut(row).assign(&upright.mapv(f64::from));
            energy[row] = out.energy.column(slot).mean().unwrap_or(0.0);
            scored[row] = true;
        }
    }
    context.progress.end();
    let rows: Vec<usize> = (0..cells.len()).filter(|&row| scored[row]).collect();
    let pick = |array: &Array2<f64>| array.select(ndarray::Axis(0), &rows);
    let (log_probability, one_pass) = (pick(&log_probability), pick(&one_pass));
    let label: Vec<usize> = rows.iter().map(|&row| samples[row].label).collect();
    let fit = uncertainty::Temperature::fit(log_probability.view(), &label)
        .ok_or_else(|| failed("no temperature can be fitted on the out-of-fold scores".to_owned()))?;
    let calibrated = fit.temperature.apply(log_probability.view());
    let mut held_out = BTreeMap::new();
    let mut note = |name: &str, value: Option<f64>| {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            held_out.insert(name.to_owned(), (value * 1e4).round() / 1e4);
        }
    };
    let pooled = log_probability.mapv(f64::exp);
    note("oof_cells", Some(rows.len() as f64));
    note(
        "oof_one_pass_accuracy",
        uncertainty::accuracy(one_pass.view(), &label),
    );
    note(
        "oof_one_pass_macro_f1",
        uncertainty::macro_f1(one_pass.view(), &label),
    );
    note("oof_one_pass_nll", uncertainty::nll(one_pass.view(), &label));
    note("oof_accuracy", uncertainty::accuracy(pooled.view(), &label));
    note("oof_macro_f1", uncertainty::macro_f1(pooled.view(), &label));
    note("oof_nll", uncertainty::nll(pooled.view(), &label));
    note("oof_calibrated_nll", uncertainty::nll(calibrated.view(), &label));
    note("temperature", Some(fit.temperature.0));
    let groups: BTreeSet<&str> = cells.iter().map(|cell| cell.group.as_str()).collect();
    let groups: Vec<&str> = groups.into_iter().collect();
    let group_of = |row: usize| groups.binary_search(&cells[row].group.as_str()).unwrap_or(0) as u32;
    let reference = ClassificationReference {
        log_probability: log_probability.mapv(|value| value as f32),
        label,
        group: rows.iter().map(|&row| group_of(row)).collect(),
        fold: rows.iter().map(|&row| cells[row].fold).collect(),
        energy: rows.iter().map(|&row| energy[row]).collect(),
    };
    Ok((
        ClassificationTrust {
            temperature: fit.temperature.0,
            reference,
        },
        held_out,
    ))
}

/// Median diameter (of the circle of equal area) of the nuclei in the middle of the crops, in pixels.
fn median_diameter(cells: &[&LabelledCell]) -> Option<f32> {
    let mut diameters: Vec<f32> = cells
        .iter()
        .filter_map(|cell| {
            let labels = image::segment_otsu(cell.crop.view());
            let (rows, columns) = cell.crop.dim();
            let near = |at: usize, n: usize| at.abs_diff(n / 2) <= MIDDLE_PX;
            let middle = labels
                .map
                .indexed_iter()
                .find(|((row, column), label)| **label > 0 && near(*row, rows) && near(*column, columns))?;
            let area = labels.map.iter().filter(|label| *label == middle.1).count() as f32;
            Some(2.0 * (area / std::f32::consts::PI).sqrt())
        })
        .collect();
    diameters.sort_by(f32::total_cmp);
    diameters.get(diameters.len() / 2).copied()
}
