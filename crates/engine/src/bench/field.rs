//! A field from pixels to classes, and what a plate of such fields will take.

use measure::{MeasureParams, measure};
use ndarray::Array2;
use serde::Serialize;

use super::clock::{median, time};
use super::{BenchParams, check_memory, option};
use crate::demo::nuclear_planes;
use crate::screen::diameter::{area_of_diameter, diameter_of_area};
use crate::screen::networks::Networks;
use crate::screen::plan::BYTES_A_PIXEL;
use crate::{Context, EngineError, ScreenParams};

/// Side of a field in pixels where none is asked for.
const SIDE_PX: usize = 1024;
/// Wells of the plates that a cost is given for.
const PLATES: [usize; 2] = [96, 384];

/// What one field costs here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldTiming {
    /// Side of the field in pixels.
    pub size: usize,
    /// Nuclei in it.
    pub objects: usize,
    /// The bundle that finds nuclei, then the one that names classes.
    pub ensembles: Vec<EnsembleUse>,
    /// Where the networks ran.
    pub device: String,
    /// Instruction set of the kernels.
    pub isa: String,
    /// Threads.
    pub threads: usize,
    /// Wall time of each timed field in milliseconds, from pixels to classes.
    pub ms: Vec<f64>,
    /// Processor time of each timed field in milliseconds, all threads together; empty where the system has no such clock.
    pub cpu_ms: Vec<f64>,
    /// Median wall time in milliseconds of finding the nuclei (all members and draws, and what makes objects of the maps).
    pub segment_ms: f64,
    /// Median wall time in milliseconds of measuring them.
    pub measure_ms: f64,
    /// Median wall time in milliseconds of naming their classes.
    pub classify_ms: f64,
    /// What plates will cost.
    pub plates: Vec<PlateCost>,
}

/// A bundle as it was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EnsembleUse {
    /// Its name.
    pub bundle: String,
    /// Members in use.
    pub members: usize,
    /// Dropout draws a member.
    pub draws: usize,
}

/// The cost of a plate of such fields.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlateCost {
    /// Wells.
    pub wells: usize,
    /// Sites a well.
    pub sites: usize,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// Times a field with the bundles that a screen uses.
pub(super) fn time_field(
    params: &BenchParams,
    threads: usize,
    context: &Context<'_>,
) -> Result<FieldTiming, EngineError> {
    if params.train {
        return Err(option(
            "--train",
            "",
            "name a network: phenosure bench unet --train",
        ));
    }
    if params.batch.is_some() || params.export.is_some() {
        let (name, value) = match (&params.export, params.batch) {
            (Some(path), _) => ("--export", path.display().to_string()),
            (None, batch) => ("--batch", batch.unwrap_or_default().to_string()),
        };
        return Err(option(
            name,
            value,
            "is for one network; name it: phenosure bench nuclei",
        ));
    }
    let size = params.size.unwrap_or(SIDE_PX);
    let networks = Networks::load(
        Some(ScreenParams::SEGMENT_WITH),
        Some(ScreenParams::CLASSIFY_WITH),
        &params.networks,
    )?;
    let pixels = (size * size) as u64;
    check_memory(size, networks.working_set((size, size)) + pixels * BYTES_A_PIXEL)?;
    let plane = field(size)?;
    let typical = typical_diameter(&networks, &plane)?;
    let (mut segment_ms, mut measure_ms, mut classify_ms) = (Vec::new(), Vec::new(), Vec::new());
    let mut objects = 0;
    let times = time(params.iterations, context, || {
        let start = std::time::Instant::now();
        let normalized = image::normalize_nuclear(plane.view());
        let found = networks.segment_sized(normalized.pixels.view(), None, typical.map(area_of_diameter))?;
        let segmented = start.elapsed();
        let channels = [("nuclei".to_owned(), plane.view())];
        let features = measure(&found.labels, &channels, &MeasureParams::default())?;
        let centers: Vec<(f32, f32)> = features
            .objects
            .iter()
            .map(|object| (object.center_row, object.center_col))
            .collect();
        let measured = start.elapsed();
        std::hint::black_box(networks.classify(plane.view(), &centers, typical, None)?);
        segment_ms.push(segmented.as_secs_f64() * 1e3);
        measure_ms.push((measured - segmented).as_secs_f64() * 1e3);
        classify_ms.push((start.elapsed() - measured).as_secs_f64() * 1e3);
        objects = centers.len();
        Ok(())
    })?;
    // The stages of the warm-up are not timed.
    let stage = |values: &[f64]| median(&values[values.len() - params.iterations..]);
    let field_seconds = median(&times.wall_ms) / 1e3;
    let of_bundle = |(bundle, members, draws): (&str, usize, usize)| EnsembleUse {
        bundle: bundle.to_owned(),
        members,
        draws,
    };
    Ok(FieldTiming {
        size,
        objects,
        ensembles: networks.ensembles().into_iter().map(of_bundle).collect(),
        device: networks.device_name().to_owned(),
        isa: model::Isa::detect().to_string(),
        threads,
        segment_ms: stage(&segment_ms),
        measure_ms: stage(&measure_ms),
        classify_ms: stage(&classify_ms),
        ms: times.wall_ms,
        cpu_ms: times.cpu_ms,
        plates: PLATES
            .map(|wells| PlateCost {
                wells,
                sites: params.sites,
                seconds: (wells * params.sites) as f64 * field_seconds,
            })
            .to_vec(),
    })
}

/// Real nuclei: fields of the demonstration's plate side by side, cut to the side that is asked for.
fn field(size: usize) -> Result<Array2<f32>, EngineError> {
    let planes = nuclear_planes()?;
    let Some((high, wide)) = planes.first().map(Array2::dim) else {
        return Ok(Array2::zeros((size, size)));
    };
    let across = size.div_ceil(wide);
    Ok(Array2::from_shape_fn((size, size), |(row, column)| {
        let tile = (row / high) * across + column / wide;
        planes[tile % planes.len()][[row % high, column % wide]]
    }))
}

/// Median diameter of the nuclei that the first member finds, as a screen takes it from a few sites.
fn typical_diameter(networks: &Networks, plane: &Array2<f32>) -> Result<Option<f32>, EngineError> {
    let normalized = image::normalize_nuclear(plane.view());
    let found = networks.segment(normalized.pixels.view(), Some(1))?;
    let diameters: Vec<f64> = found
        .labels
        .areas()
        .iter()
        .map(|&area| diameter_of_area(f64::from(area)))
        .collect();
    Ok(uncertainty::median(&diameters).map(|median| median as f32))
}
