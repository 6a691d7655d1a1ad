//! The second stage: sites' files and a plate map in, tables, error rates and the report out. No pixel is read.

mod cells;
pub(crate) mod columns;
mod pictures;
mod report_cells;
mod report_data;
mod report_hits;
mod report_plates;
mod report_trust;
mod report_truth;
pub(crate) mod run_file;
mod sets;
mod warnings;
pub(crate) mod wells;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use plate::{PlateMap, PlateScan, Site, Well};
use polars::prelude::*;
use profile::Gathered;

use self::run_file::{Counts, FORMAT, Inputs, NamedDigest, RunFile, read_run_file};
pub(crate) use self::sets::with_sets;
use self::wells::{Excluded, map_params, profile_params, read_excluded, wells_of};
use crate::config::Settings;
use crate::files::{read_whole, write_whole};
use crate::screen::folder::{FoundSites, RUN_FILE, SITES, StageFile, read_run};
use crate::screen::thumbs::{ChannelRecord, SiteRecord, table_path};
use crate::{Context, EngineError, GatherParams, RunSummary, SkippedSite};

/// Copy of the plate map in the folder of a run, so that a later gather needs no more than what changes.
const PLATE_MAP_FILE: &str = "plate_map.csv";

/// What to gather.
#[derive(Clone, Debug, PartialEq)]
pub struct GatherRequest {
    /// Folders of runs, or of the parts of one.
    pub runs: Vec<PathBuf>,
    /// Folder for the tables: one of `runs`, or another.
    pub out: PathBuf,
    /// The statistics.
    pub params: GatherParams,
    /// Whether to write into the folder of another run.
    pub force: bool,
}

/// The statistics' settings of an earlier gather of a run, with its copy of the plate map: what a new gather starts
/// from. Empty for a folder that was never gathered.
///
/// Errors: run.json is damaged.
pub fn earlier_settings(run: &Path) -> Result<Settings, EngineError> {
    let Some(file) = read_run_file(run)? else {
        return Ok(Settings::default());
    };
    let copy = run.join(PLATE_MAP_FILE);
    let plate_map = (file.inputs.plate_map.is_some() && copy.is_file()).then_some(copy);
    Ok(Settings {
        plate_map,
        ..file.statistics
    })
}

/// All that the second stage works from.
pub(crate) struct Collected {
    pub(crate) stage: StageFile,
    pub(crate) scan: PlateScan,
    /// Finished sites in order, with the folder that holds their files.
    pub(crate) sites: Vec<(SiteRecord, PathBuf)>,
    pub(crate) skipped: Vec<SkippedSite>,
    pub(crate) warnings: Vec<String>,
}

/// Makes the tables and the report of a run from its finished sites.
///
/// Errors: a folder that is not a run, parts made with different arguments, an unusable plate map; a folder that cannot
/// be written.
pub fn gather(request: &GatherRequest, context: &Context) -> Result<RunSummary, EngineError> {
    let collected = collect(&request.runs)?;
    check_out(request)?;
    let params = &request.params;
    let (map, map_bytes) = match &params.plate_map {
        Some(path) => {
            let bytes = read_whole(path)?;
            (
                Some(PlateMap::parse(&bytes, path, &map_params(params))?),
                Some((path, bytes)),
            )
        }
        None => (None, None),
    };
    let excluded = read_excluded(params.exclude.as_deref())?;
    let mut warnings = collected.warnings.clone();
    if let Some(map) = &map {
        warnings.extend(map.warnings.iter().cloned());
        warnings.extend(map.check_against(&collected.scan)?);
    }
    warnings.extend(warnings::of_sites(&collected.sites));
    warnings.extend(warnings::of_excluded(&collected.scan, &excluded));

    let wells = wells_of(
        &collected.scan,
        map.as_ref(),
        &excluded,
        &skipped_counts(&collected.skipped),
    );
    context.progress.begin("tables", 3);
    let kept: Vec<&(SiteRecord, PathBuf)> = collected
        .sites
        .iter()
        .filter(|(record, _)| !excludes(&excluded, record))
        .collect();
    let objects = read_objects(&kept)?;
    let objects = with_sets(objects, params.set_coverage).map_err(|source| table_error("objects", source))?;
    let quality = quality_table(&kept).map_err(|source| table_error("site quality", source))?;
    context.progress.advance(1);
    let mut statistics = profile_params(params);
    if let Some(facts) = &collected.stage.classes {
        statistics.classes = Some(facts.classes.clone());
        statistics.class_prior = Some(facts.prior.clone());
        statistics.known_levels = Some(facts.known_levels.clone());
    }
    let mut gathered = profile::gather(objects, quality, &wells, &statistics)?;
    context.progress.advance(1);
    if context.cancelled() {
        return Err(EngineError::Interrupted);
    }

    let out = &request.out;
    crate::files::make_folder(out)?;
    let files = write_tables(out, &mut gathered)?;
    let plate_map = match &map_bytes {
        Some((path, bytes)) => {
            let copy = out.join(PLATE_MAP_FILE);
            let is_copy = path.as_path() == copy;
            if !is_copy {
                write_whole(&copy, bytes)?;
            }
            // A map that was taken from the run keeps the name it was first given under.
            let earlier = if is_copy {
                read_run_file(out)?.and_then(|run| run.inputs.plate_map)
            } else {
                None
            };
            let name = earlier.map_or_else(|| file_name(path), |map| map.name);
            Some(NamedDigest {
                name,
                blake3: blake3::hash(bytes).to_hex().to_string(),
            })
        }
        None => None,
    };
    let run = RunFile {
        format: FORMAT,
        program: collected.stage.settings.program.clone(),
        site_stage: collected.stage.settings.clone(),
        statistics: statistics_settings(params),
        inputs: Inputs {
            plates: collected.scan.plates().into_iter().map(str::to_owned).collect(),
            sites: sites_digest(&collected.sites),
            plate_map,
            excluded: excluded_names(&excluded),
        },
        counts: Counts {
            sites: collected.sites.len() + collected.skipped.len(),
            sites_finished: collected.sites.len(),
            sites_skipped: collected.skipped.len(),
            objects: gathered.objects.height(),
            wells: gathered.wells.height(),
        },
        verdict: serde_json::to_value(&gathered.verdict).unwrap_or_default(),
        not_estimable: gathered.verdict.not_estimable.clone(),
        warnings,
        skipped: collected.skipped.clone(),
        files,
    };
    let report = if params.report {
        let data = report_data::report_data(&collected, &run, &gathered, &wells, params)?;
        let path = out.join("report.html");
        write_whole(&path, report::render(&data)?.as_bytes())?;
        Some(path)
    } else {
        None
    };
    let mut bytes = serde_json::to_vec_pretty(&run).unwrap_or_default();
    bytes.push(b'\n');
    write_whole(&out.join(RUN_FILE), &bytes)?;
    context.progress.advance(1);
    context.progress.end();
    Ok(summary(out, &run, &gathered, report))
}

/// Reads the sites of all folders and checks that they belong together.
///
/// Errors: a folder that is not a run; parts with different arguments; one site with two contents.
pub(crate) fn collect(runs: &[PathBuf]) -> Result<Collected, EngineError> {
    let mut first: Option<(StageFile, &Path)> = None;
    let mut sites: BTreeMap<String, (SiteRecord, PathBuf)> = BTreeMap::new();
    let mut skipped: BTreeMap<String, SkippedSite> = BTreeMap::new();
    let (mut scan_warnings, mut expected) = (BTreeSet::new(), 0);
    for run in runs {
        let FoundSites {
            stages,
            finished,
            skipped: left_out,
        } = read_run(run)?;
        for stage in stages {
            scan_warnings.extend(stage.warnings.iter().cloned());
            expected = expected.max(stage.sites);
            match &first {
                Some((other, folder)) => {
                    let differences = stage.settings.differences(&other.settings);
                    if !differences.is_empty() {
                        return Err(EngineError::unusable(
                            run,
                            format!(
                                "made with other arguments than {folder:?} ({})",
                                differences.join("; ")
                            ),
                            "gather only parts of one run",
                        ));
                    }
                }
                None => first = Some((stage, run)),
            }
        }
        for record in finished {
            if let Some((other, folder)) = sites.get(&record.site)
                && other.digest != record.digest
            {
                return Err(EngineError::unusable(
                    run,
                    format!("holds site {} with another content than {folder:?}", record.site),
                    "gather each site once",
                ));
            }
            sites.insert(record.site.clone(), (record, run.join(SITES)));
        }
        skipped.extend(left_out.into_iter().map(|site| (site.site.clone(), site)));
    }
    let Some((stage, folder)) = first else {
        return Err(EngineError::unusable(
            "",
            "no run was named",
            "name the --out folder of `phenosure screen`",
        ));
    };
    // What one part could not read another may have read later.
    skipped.retain(|site, _| !sites.contains_key(site));
    if sites.is_empty() {
        let first = skipped
            .values()
            .next()
            .map_or_else(|| "no site is finished".to_owned(), |site| site.reason.clone());
        return Err(EngineError::AllSkipped {
            path: folder.to_owned(),
            sites: skipped.len(),
            first,
        });
    }
    let mut warnings: Vec<String> = scan_warnings.into_iter().collect();
    let known = sites.len() + skipped.len();
    if known < expected {
        warnings.push(format!(
            "{} of the run's {expected} sites are not done yet: these tables are of the others",
            expected - known
        ));
    }
    let scan = scan_of(&stage, &sites, &skipped)?;
    let mut sites: Vec<(SiteRecord, PathBuf)> = sites.into_values().collect();
    sites.sort_by_key(|(record, _)| place(record));
    let mut skipped: Vec<SkippedSite> = skipped.into_values().collect();
    skipped.sort();
    Ok(Collected {
        stage,
        scan,
        sites,
        skipped,
        warnings,
    })
}

/// The well of a record; records are written by this program, so a name that is no well sorts last and is caught later.
fn well_of(name: &str) -> Option<Well> {
    Well::from_str(name).ok()
}

fn place(record: &SiteRecord) -> (String, Option<Well>, i32, i32) {
    (
        record.plate.clone(),
        well_of(&record.well),
        record.site_number,
        record.timepoint,
    )
}

/// What a scan of the plate would say, from the sites' files.
fn scan_of(
    stage: &StageFile,
    sites: &BTreeMap<String, (SiteRecord, PathBuf)>,
    skipped: &BTreeMap<String, SkippedSite>,
) -> Result<PlateScan, EngineError> {
    let site = |id: &str, plate: &str, well: &str, number: i32, timepoint: i32| {
        let well = well_of(well).ok_or_else(|| {
            EngineError::unusable(
                id,
                format!("{well:?} is not a well"),
                "run `phenosure screen` again",
            )
        })?;
        Ok::<Site, EngineError>(Site {
            plate: plate.to_owned(),
            well,
            site: number,
            timepoint,
            channels: BTreeMap::new(),
        })
    };
    let mut found = Vec::new();
    for (id, (record, _)) in sites {
        found.push(site(
            id,
            &record.plate,
            &record.well,
            record.site_number,
            record.timepoint,
        )?);
    }
    for (index, (id, left_out)) in skipped.iter().enumerate() {
        // Numbers of skipped sites matter to nobody here; they only must not fall together.
        found.push(site(
            id,
            &left_out.plate,
            &left_out.well,
            i32::MAX - index as i32,
            0,
        )?);
    }
    found.sort_by(|a, b| {
        (&a.plate, a.well, a.site, a.timepoint).cmp(&(&b.plate, b.well, b.site, b.timepoint))
    });
    Ok(PlateScan {
        layout: stage.settings.layout.clone(),
        channels: stage
            .settings
            .channels
            .iter()
            .map(|(_, found)| found.clone())
            .collect(),
        sites: found,
        ..PlateScan::default()
    })
}

/// A folder that holds something else is not written to.
fn check_out(request: &GatherRequest) -> Result<(), EngineError> {
    let is_run = request.runs.contains(&request.out) || request.out.join(RUN_FILE).is_file();
    if request.force || is_run {
        return Ok(());
    }
    match crate::files::names_in_output(&request.out)?.first() {
        Some(first) => Err(EngineError::OutputTaken {
            path: request.out.clone(),
            what: format!("holds other files (first: {first:?})"),
        }),
        None => Ok(()),
    }
}

fn excludes(excluded: &Excluded, record: &SiteRecord) -> bool {
    well_of(&record.well).is_some_and(|well| excluded.holds(&record.plate, well))
}

fn skipped_counts(skipped: &[SkippedSite]) -> BTreeMap<(String, Well), u32> {
    let mut counts = BTreeMap::new();
    for site in skipped {
        if let Some(well) = well_of(&site.well) {
            *counts.entry((site.plate.clone(), well)).or_default() += 1;
        }
    }
    counts
}

fn read_objects(sites: &[&(SiteRecord, PathBuf)]) -> Result<DataFrame, EngineError> {
    let mut all: Option<DataFrame> = None;
    for (record, folder) in sites {
        let path = table_path(folder, &record.site);
        let bytes = read_whole(&path)?;
        if record.table != blake3::hash(&bytes).to_hex().as_str() {
            return Err(EngineError::unusable(
                &path,
                "damaged or changed",
                "run `phenosure screen` again with the same arguments",
            ));
        }
        let table = profile::read_parquet(&path)?;
        match &mut all {
            Some(all) => {
                all.vstack_mut(&table)
                    .map_err(|source| table_error("objects", source))?;
            }
            None => all = Some(table),
        }
    }
    let mut all = all.unwrap_or_default();
    all.rechunk_mut();
    Ok(all)
}

/// One row a finished site: where it is and how good its nuclear channel is.
fn quality_table(sites: &[&(SiteRecord, PathBuf)]) -> PolarsResult<DataFrame> {
    let records: Vec<&SiteRecord> = sites.iter().map(|(record, _)| record).collect();
    let text = |name: &str, of: &dyn Fn(&SiteRecord) -> String| {
        Column::new(
            name.into(),
            records.iter().map(|record| of(record)).collect::<Vec<_>>(),
        )
    };
    fn nuclei(record: &SiteRecord) -> &ChannelRecord {
        &record.channels[record.nuclei]
    }
    let columns = vec![
        text("Metadata_Plate", &|record| record.plate.clone()),
        text("Metadata_Well", &|record| record.well.clone()),
        Column::new(
            "Metadata_Site".into(),
            records.iter().map(|r| r.site_number).collect::<Vec<_>>(),
        ),
        Column::new(
            "Metadata_Timepoint".into(),
            records.iter().map(|r| r.timepoint).collect::<Vec<_>>(),
        ),
        Column::new(
            "Quality_Focus".into(),
            records.iter().map(|r| nuclei(r).focus).collect::<Vec<_>>(),
        ),
        Column::new(
            "Quality_SaturatedShare".into(),
            records
                .iter()
                .map(|r| Some(nuclei(r).saturated_share))
                .collect::<Vec<_>>(),
        ),
        Column::new(
            "Quality_Background".into(),
            records
                .iter()
                .map(|r| Some(nuclei(r).background))
                .collect::<Vec<_>>(),
        ),
    ];
    DataFrame::new(records.len(), columns)
}

fn table_error(table: &'static str, source: PolarsError) -> EngineError {
    EngineError::Profile(Box::new(profile::ProfileError::Table { table, source }))
}

/// Writes the tables and gives their digests.
fn write_tables(out: &Path, gathered: &mut Gathered) -> Result<BTreeMap<String, String>, EngineError> {
    let mut files = BTreeMap::new();
    let parquet: [(&str, &mut DataFrame); 4] = [
        ("objects.parquet", &mut gathered.objects),
        ("wells.parquet", &mut gathered.wells),
        ("novel.parquet", &mut gathered.novel),
        ("clusters.parquet", &mut gathered.clusters),
    ];
    for (name, table) in parquet {
        profile::write_parquet(table, &out.join(name))?;
        files.insert(name.to_owned(), String::new());
    }
    let csv: [(&str, &mut DataFrame); 3] = [
        ("wells.csv", &mut gathered.wells),
        ("hits.csv", &mut gathered.hits),
        ("tests.csv", &mut gathered.tests),
    ];
    for (name, table) in csv {
        profile::write_csv(table, &out.join(name))?;
        files.insert(name.to_owned(), String::new());
    }
    for (name, digest) in &mut files {
        *digest = blake3::hash(&read_whole(&out.join(name))?).to_hex().to_string();
    }
    Ok(files)
}

/// Digest over the digests of all sites, in order.
fn sites_digest(sites: &[(SiteRecord, PathBuf)]) -> String {
    let mut hasher = blake3::Hasher::new();
    for (record, _) in sites {
        hasher.update(record.digest.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn excluded_names(excluded: &Excluded) -> Vec<String> {
    let name = |(plate, well): &(Option<String>, Well)| match plate {
        Some(plate) => format!("{plate}/{well}"),
        None => well.to_string(),
    };
    excluded.0.iter().map(name).collect()
}

/// The parameters as settings, without paths: what a later gather starts from.
fn statistics_settings(params: &GatherParams) -> Settings {
    Settings {
        treatment: params.treatment.clone(),
        dose: params.dose.clone(),
        negcon: params.negcon.clone(),
        poscon: params.poscon.clone(),
        fdr: Some(params.fdr),
        count_fdr: Some(params.count_fdr),
        min_effect: Some(params.min_effect),
        set_coverage: Some(params.set_coverage),
        dispersion: Some(params.default_dispersion),
        novel_against: Some(
            match params.novel_against {
                crate::Novelty::Both => "both",
                crate::Novelty::Controls => "controls",
                crate::Novelty::Known => "known",
            }
            .to_owned(),
        ),
        clusters: params.clusters,
        seed: Some(params.seed),
        ..Settings::default()
    }
}

fn summary(out: &Path, run: &RunFile, gathered: &Gathered, report: Option<PathBuf>) -> RunSummary {
    RunSummary {
        out: out.to_owned(),
        sites: run.counts.sites,
        sites_new: 0,
        sites_reused: run.counts.sites_finished,
        skipped: run.skipped.clone(),
        objects: run.counts.objects,
        wells: run.counts.wells,
        verdict: Some(gathered.verdict.sentence.clone()),
        usable: Some(gathered.verdict.usable),
        classes_fit: (!gathered.verdict.gate.is_empty()).then(|| {
            gathered
                .verdict
                .gate
                .iter()
                .all(|gate| gate.outcome == profile::GateOutcome::Fits)
        }),
        not_estimable: run.not_estimable.clone(),
        hits: report_data::hit_lines(gathered),
        warnings: run.warnings.clone(),
        report,
    }
}
