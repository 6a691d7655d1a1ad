//! From what was typed to the engine's use cases, and from their ends to exit codes.

use std::path::PathBuf;

use anyhow::Result;
use clap::CommandFactory;
use engine::{
    ClassifyParams, EngineError, ExitCode, GatherRequest, InspectParams, Inspection, Objects, SegmentParams,
    Settings, with_threads,
};

use crate::arguments::{
    Arguments, Classify, Command, Demo, Gather, Inspect, Man, Models, ModelsCommand, NetworkArguments,
    Screen, Segment,
};
use crate::console::{Console, engine_error};
use crate::printing;

/// Does what was typed.
pub fn run(arguments: &Arguments, console: &Console) -> Result<ExitCode> {
    match &arguments.command {
        Command::Screen(screen) => run_screen(screen, console),
        Command::Gather(gather) => run_gather(gather, console),
        Command::Demo(demo) => run_demo(demo, console),
        Command::Inspect(inspect) => run_inspect(inspect, console),
        Command::Segment(segment) => {
            with_threads(segment.networks.threads, || run_segment(segment, console))?
        }
        Command::Classify(classify) => {
            with_threads(classify.networks.threads, || run_classify(classify, console))?
        }
        Command::Track(track) => {
            with_threads(track.networks.threads, || crate::tracking::track(track, console))?
        }
        Command::Train(train) => crate::training::train(train, console),
        Command::Evaluate(evaluate) => with_threads(evaluate.task.networks().threads, || {
            crate::training::evaluate(evaluate, console)
        })?,
        Command::Bench(bench) => crate::bench::run(bench, console),
        Command::Models(models) => run_models(models, console),
        Command::Completions(completions) => {
            let mut script = Vec::new();
            clap_complete::generate(
                completions.shell,
                &mut Arguments::command(),
                "phenosure",
                &mut script,
            );
            console.out(&String::from_utf8_lossy(&script));
            Ok(ExitCode::Done)
        }
        Command::Man(man) => run_man(man, console),
    }
}

/// The exit code of an error: the engine's, or 2 for what only the command line can find wrong.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    engine_error(error).map_or(ExitCode::UnusableInput, EngineError::exit_code)
}

fn settings_file(config: Option<&PathBuf>) -> Result<Settings> {
    Ok(config
        .map(|path| Settings::read(path))
        .transpose()?
        .unwrap_or_default())
}

fn network_params(networks: &NetworkArguments) -> Result<engine::NetworkParams> {
    Ok(networks.settings().network_params()?)
}

fn run_screen(screen: &Screen, console: &Console) -> Result<ExitCode> {
    let settings = screen.settings().over(settings_file(screen.config.as_ref())?);
    let params = settings.screen_params(screen.force)?;
    let summary = engine::screen(&params, &console.context())?;
    printing::run(console, &summary);
    Ok(required(&screen.statistics.require, &summary, console))
}

fn run_gather(gather: &Gather, console: &Console) -> Result<ExitCode> {
    let out = match (&gather.out, gather.runs.as_slice()) {
        (Some(out), _) => out.clone(),
        (None, [run]) => run.clone(),
        (None, _) => {
            return Err(EngineError::Option {
                option: "--out",
                value: String::new(),
                what: "missing; several parts need a folder for their tables".to_owned(),
            }
            .into());
        }
    };
    let earlier = gather
        .runs
        .first()
        .map(|run| engine::earlier_settings(run))
        .transpose()?
        .unwrap_or_default();
    let settings = gather
        .statistics
        .settings()
        .over(settings_file(gather.config.as_ref())?)
        .over(earlier);
    let request = GatherRequest {
        runs: gather.runs.clone(),
        out,
        params: settings.gather_params()?,
        force: gather.force,
    };
    let summary = engine::gather(&request, &console.context())?;
    printing::run(console, &summary);
    Ok(required(&gather.statistics.require, &summary, console))
}

/// 0 or 1 by what was skipped; 5 when a check that was asked for does not hold.
fn required(checks: &[String], summary: &engine::RunSummary, console: &Console) -> ExitCode {
    let failed: Vec<&str> = checks
        .iter()
        .map(String::as_str)
        .filter(|check| match *check {
            "calibration" => summary.classes_fit != Some(true),
            _ => summary.usable != Some(true),
        })
        .collect();
    if failed.is_empty() {
        return if summary.skipped.is_empty() {
            ExitCode::Done
        } else {
            ExitCode::SomeSkipped
        };
    }
    console.say(&format!("required, but does not hold: {}", failed.join(", ")));
    ExitCode::CheckFailed
}

fn run_demo(demo: &Demo, console: &Console) -> Result<ExitCode> {
    let name = if demo.planted {
        "phenosure-demo-planted"
    } else {
        "phenosure-demo"
    };
    let settings = demo.networks.settings();
    let mut params = engine::demo::DemoParams::new(demo.out.clone().unwrap_or_else(|| PathBuf::from(name)));
    params.networks = settings.network_params()?;
    params.threads = settings.threads;
    params.memory = settings.memory.as_deref().map(engine::parse_memory).transpose()?;
    params.force = demo.force;
    let outcome = if demo.planted {
        engine::demo::planted(&params, &console.context())?
    } else {
        engine::demo::real_plate(&params, &console.context())?
    };
    printing::demo(console, &outcome);
    // The site that the demonstration itself damaged is no reason to end with 1.
    Ok(if outcome.skipped_unasked == 0 {
        ExitCode::Done
    } else {
        ExitCode::SomeSkipped
    })
}

fn run_inspect(inspect: &Inspect, console: &Console) -> Result<ExitCode> {
    let settings = Settings {
        plate_map: inspect.plate_map.clone(),
        treatment: inspect.treatment.clone(),
        dose: inspect.dose.clone(),
        negcon: inspect.negcon.clone(),
        poscon: inspect.poscon.clone(),
        ..Settings::default()
    };
    let params = InspectParams {
        path: inspect.path.clone(),
        layout: inspect.layout.clone(),
        gather: settings.gather_params()?,
    };
    let inspection = engine::inspect(&params)?;
    printing::inspection(console, &inspection);
    if let Some(file) = &inspect.write {
        let Inspection::Plate(plate) = &inspection else {
            return Err(EngineError::Option {
                option: "--write",
                value: file.display().to_string(),
                what: "settings are written for a folder of plates".to_owned(),
            }
            .into());
        };
        engine::write_settings(&params, plate, file, inspect.force)?;
        console.say(&format!(
            "settings written to {}; next: phenosure screen --config {}",
            file.display(),
            file.display()
        ));
    }
    Ok(ExitCode::Done)
}

fn run_segment(segment: &Segment, console: &Console) -> Result<ExitCode> {
    let params = SegmentParams {
        images: segment.images.clone(),
        out: segment.out.clone(),
        bundle: segment.bundle.clone(),
        networks: network_params(&segment.networks)?,
        force: segment.force,
    };
    let summary = engine::segment(&params, &console.context())?;
    printing::objects(console, &summary);
    Ok(required(&[], &summary, console))
}

fn run_classify(classify: &Classify, console: &Console) -> Result<ExitCode> {
    let is_table = |path: &PathBuf| {
        path.extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("csv"))
    };
    let objects = match (&classify.labels_from, classify.inputs.as_slice()) {
        (Some(folder), _) => Objects::Labels(folder.clone()),
        (None, _) if classify.crops => Objects::Crops,
        (None, [table]) if is_table(table) => Objects::Table(table.clone()),
        _ => {
            return Err(EngineError::Option {
                option: "--labels-from",
                value: String::new(),
                what: "missing; say where the objects are: --labels-from DIR, --crops, or give one CSV with image, x, y"
                    .to_owned(),
            }
            .into());
        }
    };
    let coverage = Settings {
        set_coverage: Some(classify.set_coverage),
        ..Settings::default()
    };
    let params = ClassifyParams {
        images: if matches!(objects, Objects::Table(_)) {
            Vec::new()
        } else {
            classify.inputs.clone()
        },
        objects,
        out: classify.out.clone(),
        bundle: classify.bundle.clone(),
        diameter_px: classify.diameter_px,
        set_coverage: coverage.gather_params()?.set_coverage,
        networks: network_params(&classify.networks)?,
        force: classify.force,
    };
    let summary = engine::classify(&params, &console.context())?;
    printing::objects(console, &summary);
    Ok(required(&[], &summary, console))
}

fn run_models(models: &Models, console: &Console) -> Result<ExitCode> {
    match &models.command {
        Some(ModelsCommand::Show { bundle }) => printing::card(console, &engine::model_card(bundle)?),
        None => printing::cards(console, &engine::builtin_models()?),
    }
    Ok(ExitCode::Done)
}

fn run_man(man: &Man, console: &Console) -> Result<ExitCode> {
    let command = Arguments::command();
    match &man.out {
        Some(folder) => {
            let failed = |source| EngineError::Write {
                path: folder.clone(),
                source,
            };
            std::fs::create_dir_all(folder).map_err(failed)?;
            clap_mangen::generate_to(command, folder).map_err(failed)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            console.out(&String::from_utf8_lossy(&page));
        }
    }
    Ok(ExitCode::Done)
}
