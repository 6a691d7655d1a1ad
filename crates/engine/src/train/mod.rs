//! Training of bundles from labelled data: reading it, holding folds out, members side by side, calibration on
//! out-of-fold scores.

mod classify;
mod ensemble;
mod folds;
mod labelled_cells;
mod labelled_images;
mod segment;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::{Bundle, Manifest, Network, Task, Trust, Weights};

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
    /// What they are computed with on the processor.
    pub isa: crate::InstructionSet,
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
    pub held_out: BTreeMap<String, f64>,
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

    /// What the manifests of both trainings have in common; sizes and digests are filled in when it is written.
    fn manifest(&self, task: Task, network: Network, plans: &[ensemble::MemberPlan]) -> Manifest {
        Manifest {
            format: model::FORMAT_VERSION,
            task,
            name: self.bundle_name(),
            network,
            members: plans.len(),
            draws: 1,
            seed: self.seed,
            member_seeds: plans.iter().map(|plan| plan.seed).collect(),
            member_folds: plans.iter().map(|plan| plan.held_out).collect(),
            classes: Vec::new(),
            channels: vec!["nucleus".to_owned()],
            pixel_size_um: None,
            crop_diameter_px: None,
            crop_normalization: None,
            groups: Vec::new(),
            data: self.sources.clone(),
            licence: self.licence.clone(),
            held_out: BTreeMap::new(),
            parts: BTreeMap::new(),
        }
    }

    fn write_bundle(
        &self,
        manifest: Manifest,
        members: &[Weights],
        trust: &Trust,
    ) -> Result<(), EngineError> {
        let parts = Bundle::write(manifest, members, trust).map_err(|error| EngineError::Network {
            name: self.bundle_name(),
            what: error.to_string(),
        })?;
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
