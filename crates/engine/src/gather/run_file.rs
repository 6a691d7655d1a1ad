//! `run.json`: what a run is, in words a program can read.
//!
//! It holds nothing that differs between two runs on the same input: no time, no thread count, no place on a disk.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::Settings;
use crate::files::read_whole;
use crate::screen::folder::RUN_FILE;
use crate::screen::settings::SiteSettings;
use crate::{EngineError, SkippedSite};

/// Version of the file.
pub(crate) const FORMAT: u32 = 1;

/// The file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunFile {
    pub(crate) format: u32,
    pub(crate) program: String,
    /// Arguments of the first stage, with the bundles and their digests.
    pub(crate) site_stage: SiteSettings,
    /// Arguments of the second stage.
    pub(crate) statistics: Settings,
    pub(crate) inputs: Inputs,
    pub(crate) counts: Counts,
    /// Of `profile`: the verdict with its checks.
    pub(crate) verdict: serde_json::Value,
    pub(crate) not_estimable: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) skipped: Vec<SkippedSite>,
    /// Digest (blake3) of every table.
    pub(crate) files: BTreeMap<String, String>,
}

/// What went in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Inputs {
    pub(crate) plates: Vec<String>,
    /// Digest over all sites' digests, in order: pixels, arguments, bundles.
    pub(crate) sites: String,
    pub(crate) plate_map: Option<NamedDigest>,
    /// Wells that were left out, as `plate/A01` or `A01`.
    pub(crate) excluded: Vec<String>,
}

/// A file by name and digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamedDigest {
    pub(crate) name: String,
    pub(crate) blake3: String,
}

/// How many.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) sites: usize,
    pub(crate) sites_finished: usize,
    pub(crate) sites_skipped: usize,
    pub(crate) objects: usize,
    pub(crate) wells: usize,
}

/// Reads the run.json of a folder, if it has one.
///
/// Errors: it is there but not a run.json of this version.
pub(crate) fn read_run_file(folder: &Path) -> Result<Option<RunFile>, EngineError> {
    let path = folder.join(RUN_FILE);
    if !path.exists() {
        return Ok(None);
    }
    serde_json::from_slice(&read_whole(&path)?)
        .map(Some)
        .map_err(|error| {
            EngineError::unusable(
                &path,
                format!("not a run.json of this version ({error})"),
                "run `phenosure gather` on the folder again",
            )
        })
}
