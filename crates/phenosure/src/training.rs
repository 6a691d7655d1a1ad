//! `train` and `evaluate`: from arguments to the engine and back to words.

use anyhow::Result;
use engine::ExitCode;
use engine::evaluate::{EvaluateParams, evaluate_classify, evaluate_segment, evaluate_track};
use engine::train::{TrainParams, train_classify, train_segment};

use crate::arguments::{Evaluate, EvaluateArguments, EvaluateTask, Train, TrainArguments, TrainTask};
use crate::console::Console;
use crate::printing;

/// Trains a bundle.
pub fn train(train: &Train, console: &Console) -> Result<ExitCode> {
    let outcome = match &train.task {
        TrainTask::Segment(arguments) => train_segment(&params(arguments)?, &console.context())?,
        TrainTask::Classify(arguments) => train_classify(&params(arguments)?, &console.context())?,
    };
    printing::training(console, &outcome);
    Ok(ExitCode::Done)
}

fn params(arguments: &TrainArguments) -> Result<TrainParams> {
    Ok(TrainParams {
        data: arguments.data.clone(),
        out: arguments.out.clone(),
        splits: arguments.splits.clone(),
        members: arguments.members,
        name: arguments.name.clone(),
        seed: arguments.seed,
        length: arguments.length,
        from: arguments.from.clone(),
        device: arguments.device.parse()?,
        isa: arguments.isa.parse()?,
        threads: arguments.threads,
        sources: arguments.source.clone(),
        licence: arguments.licence.clone(),
        force: arguments.force,
    })
}

/// Evaluates a bundle.
pub fn evaluate(evaluate: &Evaluate, console: &Console) -> Result<ExitCode> {
    match &evaluate.task {
        EvaluateTask::Segment(arguments) => {
            printing::figures(
                console,
                &evaluate_segment(&test_params(arguments)?, &console.context())?,
            );
        }
        EvaluateTask::Classify(arguments) => {
            printing::figures(
                console,
                &evaluate_classify(&test_params(arguments)?, &console.context())?,
            );
        }
        EvaluateTask::Track(arguments) => {
            printing::figures(
                console,
                &evaluate_track(&crate::tracking::test_params(arguments)?, &console.context())?,
            );
        }
    }
    Ok(ExitCode::Done)
}

fn test_params(arguments: &EvaluateArguments) -> Result<EvaluateParams> {
    Ok(EvaluateParams {
        data: arguments.data.clone(),
        bundle: arguments.bundle.clone(),
        splits: arguments.splits.clone(),
        fold: arguments.fold,
        out: arguments.out.clone(),
        networks: arguments.networks.settings().network_params()?,
        seed: arguments.seed,
    })
}
