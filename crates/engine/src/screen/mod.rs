//! The main job: a folder of plates in, tables and a report out.

mod channels;
pub(crate) mod diameter;
mod digest;
pub(crate) mod facts;
pub(crate) mod folder;
mod fragments;
pub(crate) mod networks;
pub(crate) mod plan;
pub(crate) mod settings;
pub(crate) mod site;
pub(crate) mod table;
pub(crate) mod thumbs;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use plate::Site;
use rayon::prelude::*;

pub(crate) use channels::Channels;
pub(crate) use diameter::diameter_of_area;
use diameter::{diameters, stable_hash};
use digest::{pixel_digest, site_digest};
use folder::{RunFolder, StageFile};
use networks::Networks;
pub(crate) use plan::{Plan, scan_plate};
use site::{Failure, SiteWork};

use crate::gather::{self, GatherRequest};
use crate::threads::pool;
use crate::{Context, EngineError, RunSummary, ScreenParams, Shard, SkippedSite};

/// Screens one or more plates.
///
/// A site that cannot be used is left out, named in the summary, and does not stop the run. Running again with the same
/// parameters does only what is missing. With [`ScreenParams::shard`] only that part of the sites is done and no table
/// is made.
///
/// Errors: see [`EngineError`]; before the first site is read, nothing has been written but the folder's claim.
pub fn screen(params: &ScreenParams, context: &Context) -> Result<RunSummary, EngineError> {
    let plan = Plan::make(params)?;
    let networks = Networks::load(
        params
            .labels_from
            .is_none()
            .then_some(params.segment_with.as_str()),
        params.classify_with.as_deref(),
        &params.networks,
    )?;
    let stage = StageFile {
        settings: plan.settings(params, &networks),
        plates: plan.scan.plates().into_iter().map(str::to_owned).collect(),
        sites: plan.scan.sites.len(),
        shard: params
            .shard
            .map(|shard| format!("{}/{}", shard.index, shard.count)),
        classes: networks.class_facts(),
        credits: networks.credits(),
        warnings: plan.scan_warnings(),
    };
    for line in plan.map_warnings.iter().chain(&plan.not_estimable) {
        context.progress.note(line);
    }
    let folder = RunFolder::claim(&params.out, &stage, params.shard, params.force)?;
    let done = run_sites(params, &plan, &networks, &folder, &stage, context)?;
    if let Some(shard) = params.shard {
        return Ok(shard_summary(params, done, shard, stage.warnings));
    }
    folder.keep_only(&plan.scan.sites.iter().map(Site::id).collect())?;
    let request = GatherRequest {
        runs: vec![params.out.clone()],
        out: params.out.clone(),
        params: params.gather.clone(),
        force: params.force,
    };
    let mut summary = gather::gather(&request, context)?;
    summary.sites_new = done.new;
    summary.sites_reused = done.reused;
    Ok(summary)
}

/// What became of the sites.
struct Done {
    sites: usize,
    new: usize,
    reused: usize,
    objects: usize,
    skipped: Vec<SkippedSite>,
}

fn run_sites(
    params: &ScreenParams,
    plan: &Plan,
    networks: &Networks,
    folder: &RunFolder,
    stage: &StageFile,
    context: &Context,
) -> Result<Done, EngineError> {
    let pool = pool(params.threads)?;
    let threads = pool.current_num_threads();
    let work = SiteWork {
        root: &plan.scan.root,
        channels: &plan.channels,
        networks,
        labels_from: params.labels_from.as_deref(),
        pixel_size_um: params.pixel_size_um,
        ring_px: stage.settings.ring_px,
        labels_to: params.write_labels.then(|| params.out.join("labels")),
    };
    let sites: Vec<&Site> = plan
        .scan
        .sites
        .iter()
        .filter(|site| is_in(site, params.shard))
        .collect();
    let settings = serde_json::to_vec(&stage.settings).unwrap_or_default();
    let pixels_of = |site: &Site| pixel_digest(site, work.labels_from, plan.nuclei_path(site));
    let plate_diameters = match params.diameter_px {
        Some(diameter) => stage
            .plates
            .iter()
            .map(|plate| (plate.clone(), Some(diameter)))
            .collect(),
        None => {
            context.progress.begin("sizes", stage.plates.len() as u64);
            let with_settings = |site: &Site| site_digest(site, &settings, None, &pixels_of(site));
            let found = pool.install(|| diameters(&work, &plan.scan.sites, with_settings, folder));
            context.progress.end();
            found?
        }
    };

    context.progress.begin("sites", sites.len() as u64);
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let fatal: Mutex<Option<EngineError>> = Mutex::new(None);
    let results: Mutex<Vec<(usize, SiteEnd)>> = Mutex::new(Vec::new());
    let one = |site: &Site| -> Result<SiteEnd, EngineError> {
        let id = site.id();
        let diameter = plate_diameters.get(&site.plate).copied().flatten();
        let digest = site_digest(site, &settings, diameter, &pixels_of(site));
        if let Some(record) = folder.finished(&id, &digest)
            && work
                .labels_to
                .as_ref()
                .is_none_or(|labels| labels.join(format!("{id}.tif")).is_file())
        {
            return Ok(SiteEnd::Reused {
                objects: record.objects,
            });
        }
        let processed = match plan.skip_reason(site) {
            Some(reason) => Err(Failure::Site(reason)),
            None => catch_unwind(AssertUnwindSafe(|| work.process(site, &digest, diameter))).unwrap_or_else(
                |panic| {
                    Err(Failure::Site(format!(
                        "internal error, please report it: {}",
                        words_of(&panic)
                    )))
                },
            ),
        };
        match processed {
            Ok((thumbs, table)) => {
                let objects = thumbs.record.objects;
                folder.finish(&id, &thumbs, &table)?;
                Ok(SiteEnd::New { objects })
            }
            Err(Failure::Site(reason)) => {
                let skipped = SkippedSite {
                    site: id,
                    plate: site.plate.clone(),
                    well: site.well.to_string(),
                    reason,
                };
                folder.skip(&skipped)?;
                context
                    .progress
                    .note(&format!("skipped {}: {}", skipped.site, skipped.reason));
                Ok(SiteEnd::Skipped(skipped))
            }
            Err(Failure::Run(error)) => Err(error),
        }
    };
    let worker = || {
        while !stop.load(Ordering::Relaxed) && !context.cancelled() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(site) = sites.get(index) else { break };
            match one(site) {
                Ok(end) => lock(&results).push((index, end)),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    lock(&fatal).get_or_insert(error);
                }
            }
            context.progress.advance(1);
        }
    };
    // As many sites at once as threads and memory allow; the threads that are left help inside a site.
    let at_once = plan.sites_at_once(params, networks, threads, context.progress);
    pool.install(|| {
        (0..at_once)
            .into_par_iter()
            .with_max_len(1)
            .for_each(|_| worker())
    });
    context.progress.end();
    if let Some(error) = lock(&fatal).take() {
        return Err(error);
    }
    if context.cancelled() {
        return Err(EngineError::Interrupted);
    }
    let mut ends = std::mem::take(&mut *lock(&results));
    ends.sort_by_key(|(index, _)| *index);
    let mut done = Done {
        sites: sites.len(),
        new: 0,
        reused: 0,
        objects: 0,
        skipped: Vec::new(),
    };
    for (_, end) in ends {
        match end {
            SiteEnd::New { objects } => {
                done.new += 1;
                done.objects += objects;
            }
            SiteEnd::Reused { objects } => {
                done.reused += 1;
                done.objects += objects;
            }
            SiteEnd::Skipped(skipped) => done.skipped.push(skipped),
        }
    }
    match done.skipped.first() {
        Some(first) if done.skipped.len() == done.sites => Err(EngineError::AllSkipped {
            path: params.plate.clone(),
            sites: done.sites,
            first: first.reason.clone(),
        }),
        _ => Ok(done),
    }
}

/// How one site ended.
enum SiteEnd {
    New { objects: usize },
    Reused { objects: usize },
    Skipped(SkippedSite),
}

/// A lock whose holder panicked still guards whole values: every write under it is one push or one store.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Whether a site belongs to a part of the run.
fn is_in(site: &Site, shard: Option<Shard>) -> bool {
    shard.is_none_or(|shard| stable_hash(&site.id()) % u64::from(shard.count) == u64::from(shard.index - 1))
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no words".to_owned())
}

fn shard_summary(params: &ScreenParams, done: Done, shard: Shard, warnings: Vec<String>) -> RunSummary {
    let wells: BTreeSet<(String, String)> = BTreeSet::new();
    RunSummary {
        out: params.out.clone(),
        sites: done.sites,
        sites_new: done.new,
        sites_reused: done.reused,
        skipped: done.skipped,
        objects: done.objects,
        wells: wells.len(),
        warnings: [
            warnings,
            vec![format!(
                "part {} of {}: run `phenosure gather` when all parts are done",
                shard.index, shard.count
            )],
        ]
        .concat(),
        ..RunSummary::default()
    }
}
