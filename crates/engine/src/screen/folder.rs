//! The folder of a run: whose it is, what is finished in it, what an interruption left.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::facts::{BundleCredit, ClassFacts};
use super::settings::SiteSettings;
use super::thumbs::{SiteRecord, Thumbs, read_skipped, skipped_path, table_path, thumbs_path};
use crate::files::{UNFINISHED, make_folder, names_in, names_in_output, read_whole, write_whole};
use crate::{EngineError, Shard, SkippedSite};

/// Name of the file that says what a run is.
pub(crate) const RUN_FILE: &str = "run.json";

/// Name of the folder of the sites' files.
pub(crate) const SITES: &str = "sites";

/// What the first stage leaves for the second: one file a start of the program, `first-stage.json` or
/// `shard-<i>-of-<n>.json`. Parts of a run may share a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageFile {
    /// The arguments that matter.
    pub(crate) settings: SiteSettings,
    /// Names of the plates.
    pub(crate) plates: Vec<String>,
    /// Sites of the whole run, finished or not.
    pub(crate) sites: usize,
    /// The part that this start did, as `2/8`.
    pub(crate) shard: Option<String>,
    /// What the bundle of classes says of itself.
    pub(crate) classes: Option<ClassFacts>,
    /// Licences and citations of the bundles.
    pub(crate) credits: Vec<BundleCredit>,
    /// What the scan of the folder had to say, paths relative to it.
    pub(crate) warnings: Vec<String>,
}

/// A run's folder that this run may write to.
#[derive(Clone, Debug)]
pub(crate) struct RunFolder {
    pub(crate) root: PathBuf,
    pub(crate) sites: PathBuf,
}

impl RunFolder {
    /// Makes the folder this run's own, and sweeps away what an interruption left half-written.
    ///
    /// Errors: it holds something that is not a run, or a run with other arguments or of other plates, and `force` is
    /// not set; it cannot be written.
    pub(crate) fn claim(
        root: &Path,
        stage: &StageFile,
        shard: Option<Shard>,
        force: bool,
    ) -> Result<Self, EngineError> {
        let names = names_in_output(root)?;
        if !force {
            check_owner(root, &names, stage)?;
        }
        let folder = Self {
            root: root.to_owned(),
            sites: root.join(SITES),
        };
        make_folder(&folder.sites)?;
        if shard.is_none() {
            folder.sweep()?;
        }
        let name = shard.map_or_else(
            || FIRST_STAGE.to_owned(),
            |s| format!("shard-{}-of-{}.json", s.index, s.count),
        );
        let mut bytes = serde_json::to_vec_pretty(stage).unwrap_or_default();
        bytes.push(b'\n');
        write_whole(&root.join(name), &bytes)?;
        Ok(folder)
    }

    /// Removes what was being written when an earlier start stopped. Not for parts of a run: another part may be at
    /// work in the same folder.
    fn sweep(&self) -> Result<(), EngineError> {
        for place in [&self.root, &self.sites] {
            for name in names_in_output(place)?.iter().filter(|name| is_leftover(name)) {
                remove(&place.join(name))?;
            }
        }
        Ok(())
    }

    /// The record of a site that is finished and was made from exactly `digest`.
    pub(crate) fn finished(&self, id: &str, digest: &str) -> Option<SiteRecord> {
        let record = Thumbs::read_record(&thumbs_path(&self.sites, id)).ok()?;
        let table = std::fs::read(table_path(&self.sites, id)).ok()?;
        (record.digest == digest && record.table == blake3::hash(&table).to_hex().as_str()).then_some(record)
    }

    /// Writes a finished site: pictures first, then the table, whose name is the journal's entry.
    ///
    /// Errors: the folder cannot be written.
    pub(crate) fn finish(&self, id: &str, thumbs: &Thumbs, table: &[u8]) -> Result<(), EngineError> {
        remove(&skipped_path(&self.sites, id))?;
        write_whole(&thumbs_path(&self.sites, id), &thumbs.to_bytes())?;
        write_whole(&table_path(&self.sites, id), table)
    }

    /// Writes the note on a site that was left out, and removes what an earlier start knew of it.
    ///
    /// Errors: the folder cannot be written.
    pub(crate) fn skip(&self, skipped: &SkippedSite) -> Result<(), EngineError> {
        remove(&table_path(&self.sites, &skipped.site))?;
        remove(&thumbs_path(&self.sites, &skipped.site))?;
        let mut bytes = serde_json::to_vec_pretty(skipped).unwrap_or_default();
        bytes.push(b'\n');
        write_whole(&skipped_path(&self.sites, &skipped.site), &bytes)
    }

    /// Removes the files of sites that the plate no longer has.
    ///
    /// Errors: the folder cannot be written.
    pub(crate) fn keep_only(&self, ids: &BTreeSet<String>) -> Result<(), EngineError> {
        for name in names_in_output(&self.sites)? {
            let id = [".parquet", ".thumbs", ".skipped.json"]
                .iter()
                .find_map(|ending| name.strip_suffix(ending));
            if id.is_some_and(|id| !ids.contains(id)) {
                remove(&self.sites.join(&name))?;
            }
        }
        Ok(())
    }
}

const FIRST_STAGE: &str = "first-stage.json";

/// Whether a name is a file that was being written when a run stopped.
fn is_leftover(name: &str) -> bool {
    name.starts_with(UNFINISHED) || (name.starts_with('.') && name.ends_with(".part"))
}

/// Whether a name is a [`StageFile`].
fn is_stage_file(name: &str) -> bool {
    name == FIRST_STAGE || (name.starts_with("shard-") && name.ends_with(".json"))
}

fn remove(path: &Path) -> Result<(), EngineError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(EngineError::Write {
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

/// Refuses a folder that is not empty and not this run's.
fn check_owner(root: &Path, names: &[String], stage: &StageFile) -> Result<(), EngineError> {
    let taken = |what: String| EngineError::OutputTaken {
        path: root.to_owned(),
        what,
    };
    let visible: Vec<&String> = names.iter().filter(|name| !is_leftover(name)).collect();
    if visible.is_empty() {
        return Ok(());
    }
    let stages = read_stage_files(root, names)?;
    if stages.is_empty() {
        return Err(taken(format!("holds other files (first: {:?})", visible[0])));
    }
    for other in stages {
        let differences = stage.settings.differences(&other.settings);
        if !differences.is_empty() {
            return Err(taken(format!(
                "holds a run with other arguments ({})",
                differences.join("; ")
            )));
        }
        if !other.plates.iter().any(|plate| stage.plates.contains(plate)) {
            return Err(taken(format!(
                "holds a run of other plates ({})",
                other.plates.join(", ")
            )));
        }
    }
    Ok(())
}

fn read_stage_files(root: &Path, names: &[String]) -> Result<Vec<StageFile>, EngineError> {
    let mut stages = Vec::new();
    for name in names.iter().filter(|name| is_stage_file(name)) {
        let path = root.join(name);
        let stage = serde_json::from_slice(&read_whole(&path)?).map_err(|error| {
            EngineError::unusable(
                &path,
                format!("not a record of this version ({error})"),
                "choose another folder",
            )
        })?;
        stages.push(stage);
    }
    Ok(stages)
}

/// The finished and the skipped sites of a run's folder, with its stage files.
pub(crate) struct FoundSites {
    pub(crate) stages: Vec<StageFile>,
    pub(crate) finished: Vec<SiteRecord>,
    pub(crate) skipped: Vec<SkippedSite>,
}

/// Reads what the first stage left in a folder.
///
/// Errors: it is not a run's folder, or a file in it is damaged.
pub(crate) fn read_run(root: &Path) -> Result<FoundSites, EngineError> {
    let stages = read_stage_files(root, &names_in(root)?)?;
    if stages.is_empty() {
        let what = if root.exists() {
            "not the folder of a run"
        } else {
            "there is no such folder"
        };
        return Err(EngineError::unusable(
            root,
            what,
            "name the --out folder of `phenosure screen`",
        ));
    }
    let sites = root.join(SITES);
    let (mut finished, mut skipped) = (Vec::new(), Vec::new());
    for name in names_in(&sites)? {
        if let Some(id) = name.strip_suffix(".thumbs") {
            // A record without its table is a site whose writing was interrupted.
            if table_path(&sites, id).exists() {
                finished.push(Thumbs::read_record(&thumbs_path(&sites, id))?);
            }
        } else if name.ends_with(".skipped.json") {
            skipped.push(read_skipped(&sites.join(&name))?);
        }
    }
    Ok(FoundSites {
        stages,
        finished,
        skipped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(draws: usize, plate: &str) -> StageFile {
        StageFile {
            settings: SiteSettings {
                program: "phenosure 0".into(),
                layout: "x".into(),
                channels: vec![("DNA".into(), "1".into())],
                nuclei: "DNA".into(),
                cells: None,
                segment: None,
                classify: None,
                members: None,
                draws: Some(draws),
                device: "cpu".into(),
                isa: "avx2".into(),
                pixel_size_um: None,
                diameter_px: None,
                ring_px: 5,
            },
            plates: vec![plate.into()],
            sites: 1,
            shard: None,
            classes: None,
            credits: vec![],
            warnings: vec![],
        }
    }

    #[test]
    fn another_runs_folder_is_refused_unless_forced() {
        let folder = tempfile::tempdir().unwrap();
        RunFolder::claim(folder.path(), &stage(2, "P"), None, false).unwrap();
        RunFolder::claim(folder.path(), &stage(2, "P"), None, false).unwrap();
        let message = RunFolder::claim(folder.path(), &stage(4, "P"), None, false)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("draws 2 there, 4 now") && message.contains("--force"),
            "{message}"
        );
        let message = RunFolder::claim(folder.path(), &stage(2, "Q"), None, false)
            .unwrap_err()
            .to_string();
        assert!(message.contains("other plates (P)"), "{message}");
        RunFolder::claim(folder.path(), &stage(4, "Q"), None, true).unwrap();
    }

    #[test]
    fn a_folder_with_other_files_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thesis.tex"), "x").unwrap();
        let message = RunFolder::claim(folder.path(), &stage(2, "P"), None, false)
            .unwrap_err()
            .to_string();
        assert!(message.contains("thesis.tex"), "{message}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_an_interruption_left_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        RunFolder::claim(folder.path(), &stage(2, "P"), None, false).unwrap();
        let left = folder
            .path()
            .join(SITES)
            .join(format!("{UNFINISHED}7-P_A01_s1_t0.parquet"));
        std::fs::write(&left, "half").unwrap();
        std::fs::write(folder.path().join(".wells.csv.part"), "half").unwrap();
        RunFolder::claim(folder.path(), &stage(2, "P"), None, false).unwrap();
        assert!(!left.exists() && !folder.path().join(".wells.csv.part").exists());
    }
}
