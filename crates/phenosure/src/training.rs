//! `train` and `evaluate`: from arguments to the engine and back to words.

use anyhow::Result;
use engine::ExitCode;
use engine::train::{TrainParams, train_classify, train_segment};

use crate::arguments::{Evaluate, Train, TrainArguments, TrainTask};
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
        threads: arguments.threads,
        sources: arguments.source.clone(),
        licence: arguments.licence.clone(),
        force: arguments.force,
    })
}

/// Evaluates a bundle.
pub fn evaluate(evaluate: &Evaluate, console: &Console) -> Result<ExitCode> {
    let _ = (evaluate, console);
    anyhow::bail!("evaluate is not wired yet")
}
