//! Members of an ensemble trained side by side, each from its own checkpoint.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::{ModelError, Step, Verdict, Weights};

use super::folds::FOLDS;
use crate::files::write_whole;
use crate::{Context, EngineError};

/// Steps between two checkpoints.
const CHECKPOINT_STEPS: usize = 200;
/// Steps whose mean loss is one point of the curve.
const CURVE_STEPS: usize = 50;

/// One member: which fold it never sees and its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemberPlan {
    pub(super) index: usize,
    pub(super) held_out: u32,
    pub(super) seed: u64,
}

/// Plans of `members` members: each fold is held out in turn, each member has its own seed.
pub(super) fn plans(members: usize, seed: u64) -> Vec<MemberPlan> {
    let plan = |index: usize| MemberPlan {
        index,
        held_out: FOLDS[index % FOLDS.len()],
        seed: seed.wrapping_add(index as u64),
    };
    (0..members.max(1)).map(plan).collect()
}

/// Trains one member from a checkpoint if there is one, telling each step.
pub(super) type Training<'a> = dyn Fn(&MemberPlan, Option<&[u8]>, &mut dyn FnMut(&Step) -> Verdict) -> Result<Weights, ModelError>
    + Sync
    + 'a;

/// Trains all members, as many at once as there are threads; `work` keeps checkpoints and curves.
///
/// A member that is finished already is read from its checkpoint. The order of work does not change a result: a member
/// depends on its plan alone.
pub(super) fn train_members(
    plans: &[MemberPlan],
    work: &Path,
    threads: usize,
    steps: u64,
    context: &Context,
    training: &Training,
) -> Result<Vec<Weights>, EngineError> {
    std::fs::create_dir_all(work).map_err(|source| EngineError::Write {
        path: work.to_owned(),
        source,
    })?;
    context.progress.begin("training", steps * plans.len() as u64);
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<Weights, EngineError>>>> =
        Mutex::new(plans.iter().map(|_| None).collect());
    let workers = threads.clamp(1, plans.len().max(1));
    let threads_each = (threads / workers).max(1);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                // A pool of its own: members do not wait for each other's kernels.
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads_each).build();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(plan) = plans.get(index) else { break };
                    let work_on = || train_member(plan, work, context, training);
                    let result = match &pool {
                        Ok(pool) => pool.install(work_on),
                        Err(_) => work_on(),
                    };
                    if let Ok(mut results) = results.lock() {
                        results[index] = Some(result);
                    }
                }
            });
        }
    });
    context.progress.end();
    let results = results
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    results
        .into_iter()
        .map(|result| result.unwrap_or(Err(EngineError::Interrupted)))
        .collect()
}

fn train_member(
    plan: &MemberPlan,
    work: &Path,
    context: &Context,
    training: &Training,
) -> Result<Weights, EngineError> {
    let path = work.join(format!("member_{}.checkpoint", plan.index));
    let curve_path = work.join(format!("member_{}.curve.csv", plan.index));
    let stored = std::fs::read(&path).ok();
    let mut curve = match (&stored, std::fs::read_to_string(&curve_path)) {
        (Some(_), Ok(text)) => text,
        _ => "step,loss\n".to_owned(),
    };
    let mut write_error = None;
    let (mut sum, mut counted, mut told) = (0.0f64, 0usize, 0usize);
    let mut listener = |step: &Step| {
        if told == 0 {
            // What an earlier run did counts as done.
            context.progress.advance(step.step as u64);
        } else {
            context.progress.advance((step.step - told) as u64);
        }
        told = step.step;
        (sum, counted) = (sum + f64::from(step.loss), counted + 1);
        if step.step.is_multiple_of(CURVE_STEPS) {
            curve.push_str(&format!("{},{:.5}\n", step.step, sum / counted as f64));
            (sum, counted) = (0.0, 0);
        }
        let stop = context.cancelled();
        if stop || step.step == step.steps || step.step.is_multiple_of(CHECKPOINT_STEPS) {
            let written = step
                .checkpoint()
                .map_err(|error| EngineError::Network {
                    name: "checkpoint".to_owned(),
                    what: error.to_string(),
                })
                .and_then(|bytes| write_whole(&path, &bytes))
                .and_then(|()| write_whole(&curve_path, curve.as_bytes()));
            if let Err(error) = written {
                write_error = Some(error);
                return Verdict::Stop;
            }
        }
        if stop { Verdict::Stop } else { Verdict::Continue }
    };
    let result = training(plan, stored.as_deref(), &mut listener);
    if let Some(error) = write_error {
        return Err(error);
    }
    match result {
        Ok(weights) => Ok(weights),
        Err(ModelError::Stopped { .. }) => Err(EngineError::Interrupted),
        Err(error) => Err(EngineError::Network {
            name: format!("member {}", plan.index),
            what: error.to_string(),
        }),
    }
}
