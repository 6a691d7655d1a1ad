//! One network alone.

use std::path::Path;

use model::{BenchNetwork, ModelError, Task};
use serde::Serialize;

use super::clock::{Times, median, time};
use super::{BenchParams, check_memory, option};
use crate::files::write_whole;
use crate::{Context, Device, EngineError};

/// How fast one network runs; a call is all members, all draws and the whole batch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkTiming {
    /// `unet`, `resnet` or the bundle.
    pub network: String,
    /// Side of the images in pixels.
    pub size: usize,
    /// Images a call.
    pub batch: usize,
    /// Members a call.
    pub members: usize,
    /// Dropout draws a member; 0 = dropout off.
    pub draws: usize,
    /// Whether a call is a step of training.
    pub train: bool,
    /// Instruction set of the kernels.
    pub isa: String,
    /// Threads.
    pub threads: usize,
    /// Wall time of each timed call in milliseconds.
    pub ms: Vec<f64>,
    /// Processor time of each timed call in milliseconds, all threads together; empty where the system has no such clock.
    pub cpu_ms: Vec<f64>,
    /// Median wall time an image in milliseconds.
    pub ms_an_image: f64,
    /// Multiply-adds of a call as plainly computed, every draw from the image on; a training step counts its forward pass.
    pub multiply_adds: u64,
    /// What a forward pass really computes; `None` for training.
    pub real: Option<RealWork>,
    /// Bytes of the buffers of a call; `None` for training.
    pub working_set_bytes: Option<u64>,
    /// Measured peak of one core in operations a second (a multiply-add counts as two).
    pub peak_flops: f64,
    /// Operations of the plain computation a second of processor time, over the peak: above 1 where a plan gets by with fewer.
    pub plain_share_of_peak: f64,
    /// The losses of all steps of a training, those of the warm-up first; empty for a forward pass.
    pub losses: Vec<f32>,
}

/// Operations that are really done in a call, and how well they use the core.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RealWork {
    /// Multiply-adds of products.
    pub products: u64,
    /// Additions and multiplications of the transforms around them.
    pub transforms: u64,
    /// Operations of the products a second of processor time, over the peak.
    pub products_share_of_peak: f64,
    /// The same with the transforms counted as work.
    pub share_of_peak: f64,
}

/// A step of training keeps all maps and their gradients, a forward pass only those still to be read: about ten times as much.
const TRAINING_MAPS: u64 = 10;

/// Networks that can be timed, with the side and the batch that each is made for.
fn network(name: &str) -> Result<(BenchNetwork, usize, usize), EngineError> {
    Ok(match name {
        "unet" => (BenchNetwork::reference_unet()?, 256, 1),
        "resnet" => (BenchNetwork::reference_resnet()?, 64, 64),
        _ => {
            let bundle = crate::bundles::find(name).map_err(unknown)?;
            let (size, batch) = match bundle.manifest.task {
                Task::Segment => (1024, 1),
                Task::Classify => (model::INPUT_PX, 64),
            };
            (BenchNetwork::from_bundle(&bundle), size, batch)
        }
    })
}

/// Names the two reference networks as well where a bundle is unknown.
fn unknown(error: EngineError) -> EngineError {
    match error {
        EngineError::Bundle { name, what } if !Path::new(&name).exists() => EngineError::Bundle {
            name,
            what: format!("{what}; reference networks: unet, resnet"),
        },
        other => other,
    }
}

/// Times the network of that name.
pub(super) fn time_network(
    name: &str,
    params: &BenchParams,
    threads: usize,
    context: &Context<'_>,
) -> Result<NetworkTiming, EngineError> {
    if let Device::Cuda(index) = params.networks.device {
        let what = "a network alone is timed on the processor; leave the network's name out to time a field on a GPU";
        return Err(option("--device", format!("cuda:{index}"), what));
    }
    let (network, size, batch) = network(name)?;
    let (size, batch) = (params.size.unwrap_or(size), params.batch.unwrap_or(batch));
    let members = params.networks.members.unwrap_or(1);
    let draws = params.networks.draws.unwrap_or(0);
    if members > network.members() {
        let what = format!("{name:?} has {} of them", network.members());
        return Err(option("--members", members, what));
    }
    if params.train && (params.networks.members.is_some() || params.networks.draws.is_some()) {
        return Err(option(
            "--train",
            "",
            "one member is trained at a time; leave --members and --draws out",
        ));
    }
    if draws > 0 && !network.has_dropout() {
        return Err(option(
            "--draws",
            draws,
            format!("{name:?} has no dropout; leave --draws out"),
        ));
    }
    let mut timing = NetworkTiming {
        network: name.to_owned(),
        size,
        batch,
        members,
        draws,
        train: params.train,
        isa: model::Isa::detect().to_string(),
        threads,
        ms: Vec::new(),
        cpu_ms: Vec::new(),
        ms_an_image: 0.0,
        multiply_adds: 0,
        real: None,
        working_set_bytes: None,
        peak_flops: model::core_peak(),
        plain_share_of_peak: 0.0,
        losses: Vec::new(),
    };
    let mut bytes = network.working_set(size, batch).map_err(size_error)?;
    if params.train {
        bytes = bytes.saturating_mul(TRAINING_MAPS);
    }
    check_memory(size, bytes)?;
    let times = if params.train {
        let mut training = network.training(size, batch).map_err(size_error)?;
        if let Some(path) = &params.export {
            write_whole(path, &training.to_safetensors(&network)?)?;
        }
        timing.multiply_adds = network
            .inference(size, batch)
            .map_err(size_error)?
            .multiply_adds();
        time(params.iterations, context, || {
            timing.losses.push(training.step()?);
            Ok(())
        })?
    } else {
        let mut inference = network
            .ensemble(size, batch, members, draws)
            .map_err(size_error)?;
        if let Some(path) = &params.export {
            write_whole(path, &inference.to_safetensors(&network)?)?;
        }
        timing.multiply_adds = inference.multiply_adds();
        timing.working_set_bytes = Some(inference.working_set() as u64);
        let real = inference.real_operations();
        let times = time(params.iterations, context, || {
            std::hint::black_box(inference.run());
            Ok(())
        })?;
        timing.real = (members == 1 && draws == 0).then_some(RealWork {
            products: real.products,
            transforms: real.transforms,
            products_share_of_peak: 0.0,
            share_of_peak: 0.0,
        });
        times
    };
    // The clock of a core changes with its load: the higher of two peaks, one before and one after, is the honest divisor.
    timing.peak_flops = timing.peak_flops.max(model::core_peak());
    Ok(finish(timing, times))
}

/// Rates and shares from times.
fn finish(mut timing: NetworkTiming, times: Times) -> NetworkTiming {
    let seconds_at_peak = times.work_ms() / 1e3 * timing.peak_flops;
    let images = timing.batch as f64;
    timing.ms_an_image = median(&times.wall_ms) / images;
    // A step of training is about three forward passes: the gradients of the input and of the weights cost one each.
    let passes = if timing.train { 3.0 } else { 1.0 };
    timing.plain_share_of_peak = passes * 2.0 * timing.multiply_adds as f64 / seconds_at_peak;
    if let Some(real) = &mut timing.real {
        let products = 2.0 * real.products as f64;
        real.products_share_of_peak = products / seconds_at_peak;
        real.share_of_peak = (products + real.transforms as f64) / seconds_at_peak;
    }
    (timing.ms, timing.cpu_ms) = (times.wall_ms, times.cpu_ms);
    timing
}

/// A side that does not fit is the user's, not the bundle's.
fn size_error(error: ModelError) -> EngineError {
    match error {
        ModelError::Size { size, multiple } => {
            let what = format!("this network needs a multiple of {multiple}");
            option("--size", size, what)
        }
        other => other.into(),
    }
}
