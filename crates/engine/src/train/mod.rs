//! Training of bundles from labelled data: reading it, holding folds out, members side by side, calibration on
//! out-of-fold scores.

mod classify;
mod ensemble;
mod folds;
mod labelled_cells;
mod labelled_images;
mod segment;
mod table;

use std::path::PathBuf;

use model::{Bundle, BundleParts, Network, Weights};

use crate::EngineError;
use crate::files::{make_folder, write_whole};

pub(crate) use classify::stack;
pub use classify::train_classify;
pub(crate) use labelled_cells::{CellSet, read_cells};
pub(crate) use labelled_images::{LabelledImage, read_images};
pub use segment::train_segment;
pub(crate) use segment::{p_iou_measures, read_pair};

/// What a training is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainParams {
    /// Folder with labelled data.
    pub data: PathBuf,
    /// Folder of the new bundle.
    pub out: PathBuf,
    /// CSV with `fold` and `name` or `cell_id` (and `group`, `role`, `modality` where known); `None` = folds by group.
    pub splits: Option<PathBuf>,
    /// Members of the ensemble; `None` = as many as the shipped bundle has.
    pub members: Option<usize>,
    /// Name of the bundle; `None` = name of `out`.
    pub name: Option<String>,
    /// Seed of every random choice.
    pub seed: u64,
    /// Epochs (classify) or steps (segment); `None` = the recipe's.
    pub length: Option<usize>,
    /// Bundle to start from.
    pub from: Option<String>,
    /// Where networks are computed.
    pub device: crate::Device,
    /// Threads; `None` = all.
    pub threads: Option<usize>,
    /// Data, licence and citation lines of the manifest.
    pub sources: Vec<String>,
    /// Licence of the weights.
    pub licence: String,
    /// Whether to write over another bundle.
    pub force: bool,
}

/// What a training made.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TrainOutcome {
    /// Name of the bundle.
    pub name: String,
    /// Members trained.
    pub members: usize,
    /// Training objects (cells or images).
    pub samples: usize,
    /// Out-of-fold figures by name.
    pub held_out: std::collections::BTreeMap<String, f64>,
}

impl TrainParams {
    fn bundle_name(&self) -> String {
        let folder = || {
            self.out
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
        };
        self.name
            .clone()
            .or_else(folder)
            .unwrap_or_else(|| "bundle".to_owned())
    }

    fn thread_count(&self) -> usize {
        self.threads.unwrap_or_else(rayon::current_num_threads)
    }

    /// Folder beside the bundle that keeps checkpoints and curves.
    fn work_folder(&self) -> Result<PathBuf, EngineError> {
        if self.out.join("manifest.json").exists() && !self.force {
            return Err(EngineError::OutputTaken {
                path: self.out.clone(),
                what: "holds a bundle".to_owned(),
            });
        }
        let work = self.out.join("training");
        make_folder(&self.out)?;
        make_folder(&work)?;
        Ok(work)
    }

    fn write_bundle(&self, parts: &BundleParts) -> Result<(), EngineError> {
        // The manifest comes last: a folder without it is no bundle.
        write_whole(&self.out.join("weights.safetensors"), &parts.weights)?;
        write_whole(&self.out.join("trust.safetensors"), &parts.trust)?;
        write_whole(&self.out.join("manifest.json"), &parts.manifest)
    }

    fn start_weights(&self, network: &Network) -> Result<Option<Vec<Weights>>, EngineError> {
        let Some(name) = &self.from else { return Ok(None) };
        let bundle: Bundle = crate::bundles::find(name)?;
        if bundle.manifest.network != *network {
            return Err(EngineError::Bundle {
                name: name.clone(),
                what: "its network differs (other task, sizes or number of classes); train from scratch"
                    .to_owned(),
            });
        }
        Ok(Some(bundle.weights))
    }
}
