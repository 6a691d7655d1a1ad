//! What a use case hands back to its caller, ready to be printed or written as JSON.

use std::path::PathBuf;

use serde::Serialize;

/// A site that was left out, with its one reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
pub struct SkippedSite {
    /// Name of the site, as in `sites/<site>.parquet`.
    pub site: String,
    /// Its plate.
    pub plate: String,
    /// Its well, as `A01`.
    pub well: String,
    /// Why, in one line that names the file.
    pub reason: String,
}

/// A row of the ranking, short enough for a terminal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HitLine {
    /// The treatment (with its dose) or the well.
    pub name: String,
    /// What it was called.
    pub call: String,
    /// The strongest effect with its interval, as text.
    pub effect: String,
    /// The q-value, if there is one.
    pub q: Option<f64>,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunSummary {
    /// Folder of the run.
    pub out: PathBuf,
    /// Sites of the run (of this shard, if it is one).
    pub sites: usize,
    /// Sites that were worked on now.
    pub sites_new: usize,
    /// Sites that an earlier start of the run had finished.
    pub sites_reused: usize,
    /// Sites that were left out.
    pub skipped: Vec<SkippedSite>,
    /// Objects in the tables.
    pub objects: usize,
    /// Wells in the tables.
    pub wells: usize,
    /// One sentence on whether the plate can be used; none for a shard.
    pub verdict: Option<String>,
    /// Whether the plate can be used at all; none for a shard.
    pub usable: Option<bool>,
    /// Whether the classes of the bundle fit every plate; none without a bundle of classes or for a shard.
    pub classes_fit: Option<bool>,
    /// What this plate cannot tell, and what it would take.
    pub not_estimable: Vec<String>,
    /// The first hits, best first.
    pub hits: Vec<HitLine>,
    /// What a person should know, one line each.
    pub warnings: Vec<String>,
    /// The report, if one was written.
    pub report: Option<PathBuf>,
}
