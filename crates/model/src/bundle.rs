//! Bundles: a trained ensemble and everything that makes its output trustworthy, checked before use.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{BundleError, ModelError};
use crate::input::CropNormalization;
use crate::network::Network;
use crate::safetensors_check;
use crate::train::to_safetensors;
use crate::weights::Weights;

/// Newest bundle format that this program reads and writes.
pub const FORMAT_VERSION: u64 = 1;
/// File names of the parts; no other name is allowed.
const WEIGHTS: &str = "weights.safetensors";
const TRUST: &str = "trust.safetensors";
const MANIFEST: &str = "manifest.json";
/// More members than this are a damaged number.
const MOST_MEMBERS: u64 = 1000;
/// A manifest or part above this size is not a bundle of this program.
const MOST_BYTES: u64 = 1 << 30;

/// What a bundle is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Images to label images.
    Segment,
    /// Crops to classes.
    Classify,
}

impl Task {
    /// Its word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Classify => "classify",
        }
    }
}

/// Size and digest of one file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// What `manifest.json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format of the bundle.
    pub format: u64,
    /// What it is for.
    pub task: Task,
    /// Name, as `--bundle` takes it.
    pub name: String,
    /// Architecture and sizes.
    pub network: Network,
    /// Members of the ensemble.
    pub members: usize,
    /// Dropout draws by default.
    pub draws: usize,
    /// Seed of the inference masks.
    pub seed: u64,
    /// Training seed of each member.
    pub member_seeds: Vec<u64>,
    /// Held-out fold of each member.
    pub member_folds: Vec<u32>,
    /// Classes in the order of the network's outputs; empty for segmentation.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Channels by meaning.
    pub channels: Vec<String>,
    /// Pixel size of the training images in µm, where it is known.
    #[serde(default)]
    pub pixel_size_um: Option<f32>,
    /// Median diameter of a nucleus in the training crops, in pixels; crops are rescaled to it.
    #[serde(default)]
    pub crop_diameter_px: Option<f32>,
    /// How crops are scaled in brightness.
    #[serde(default)]
    pub crop_normalization: Option<CropNormalization>,
    /// Names of the groups that calibration cells came from, by number.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Data that it was trained on, with their licences and citations.
    pub data: Vec<String>,
    /// Licence of the weights.
    pub licence: String,
    /// Held-out figures by name.
    #[serde(default)]
    pub held_out: BTreeMap<String, f64>,
    /// The other files.
    pub parts: BTreeMap<String, Part>,
}

/// Out-of-fold scores of the training cells: what a new cell is compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassificationReference {
    /// Natural log of the pooled uncalibrated probability, cells × classes.
    pub log_probability: Array2<f32>,
    /// True class of each cell.
    pub label: Vec<usize>,
    /// Group (well, movie) of each cell; cells of one group are not independent.
    pub group: Vec<u32>,
    /// Fold that each cell lies in: scored only by the members that never saw that fold.
    pub fold: Vec<u32>,
    /// Novelty score (energy) of each cell.
    pub energy: Vec<f32>,
}

/// What makes a classifier's output trustworthy.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassificationTrust {
    /// Divisor of the pooled log-probabilities.
    pub temperature: f64,
    /// Calibration cells.
    pub reference: ClassificationReference,
}

/// What makes a segmentation's output trustworthy.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentationTrust {
    /// For each IoU threshold, intercept and coefficients of a logistic map from the object's own measures.
    pub p_iou: Vec<(f32, Vec<f64>)>,
}

/// The part of a bundle that calibrates it.
#[derive(Clone, Debug, PartialEq)]
pub enum Trust {
    /// Of a classifier.
    Classification(ClassificationTrust),
    /// Of a segmentation network.
    Segmentation(SegmentationTrust),
}

/// A trained ensemble whose bytes were checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// What it is.
    pub manifest: Manifest,
    /// Weights of each member.
    pub weights: Vec<Weights>,
    /// Its calibration.
    pub trust: Trust,
    digest: String,
}

/// A bundle as bytes, file by file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleParts {
    /// `manifest.json`.
    pub manifest: Vec<u8>,
    /// `weights.safetensors`.
    pub weights: Vec<u8>,
    /// `trust.safetensors`.
    pub trust: Vec<u8>,
}

fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What is judged before anything else is read: version, task, names of parts, bounds of numbers.
fn read_parts(bundle: &str, manifest: &[u8]) -> Result<BTreeMap<String, Part>, BundleError> {
    let bad = |reason: String| BundleError::Manifest {
        bundle: bundle.to_owned(),
        reason,
    };
    let value: serde_json::Value =
        serde_json::from_slice(manifest).map_err(|error| bad(error.to_string()))?;
    // The version first: a newer format may break every later rule.
    let format = value.get("format").and_then(serde_json::Value::as_u64);
    let Some(format) = format else {
        return Err(bad("field format is missing or not a number".to_owned()));
    };
    if format > FORMAT_VERSION {
        return Err(BundleError::Future {
            bundle: bundle.to_owned(),
            found: format,
            supported: FORMAT_VERSION,
        });
    }
    if value.get("task").is_none() {
        return Err(bad("field task is missing".to_owned()));
    }
    for field in ["members", "draws"] {
        let number = value.get(field);
        if number.is_some_and(|n| n.as_u64().is_none_or(|n| n == 0 || n > MOST_MEMBERS)) {
            return Err(bad(format!("{field} must be 1 to {MOST_MEMBERS}")));
        }
    }
    let parts = value.get("parts").cloned().unwrap_or_default();
    let names = parts.as_object().into_iter().flat_map(serde_json::Map::keys);
    if let Some(part) = names.into_iter().find(|part| *part != WEIGHTS && *part != TRUST) {
        return Err(BundleError::PartName {
            bundle: bundle.to_owned(),
            part: part.clone(),
        });
    }
    serde_json::from_value(parts).map_err(|error| bad(format!("parts: {error}")))
}

fn check_part<'a>(
    bundle: &str,
    parts: &BTreeMap<String, Part>,
    name: &str,
    bytes: &'a [u8],
) -> Result<&'a [u8], BundleError> {
    let digest = || BundleError::Digest {
        bundle: bundle.to_owned(),
        part: name.to_owned(),
    };
    let part = parts.get(name).ok_or_else(digest)?;
    if part.size != bytes.len() as u64 || part.sha256 != hex_sha256(bytes) {
        return Err(digest());
    }
    Ok(bytes)
}

impl Bundle {
    /// Reads and checks a bundle folder.
    ///
    /// Errors: a part that is missing, damaged, changed, from a newer program, or not what its manifest says.
    pub fn load(folder: &Path) -> Result<Self, BundleError> {
        let bundle = folder
            .file_name()
            .unwrap_or(folder.as_os_str())
            .to_string_lossy()
            .into_owned();
        let read = |part: &str| {
            let path = folder.join(part);
            let unreadable = |reason: String| BundleError::Unreadable {
                bundle: bundle.clone(),
                part: part.to_owned(),
                reason,
            };
            let size = std::fs::metadata(&path)
                .map_err(|error| unreadable(error.to_string()))?
                .len();
            if size > MOST_BYTES {
                return Err(unreadable(format!("{size} bytes are more than {MOST_BYTES}")));
            }
            std::fs::read(&path).map_err(|error| unreadable(error.to_string()))
        };
        let manifest = read(MANIFEST)?;
        read_parts(&bundle, &manifest)?;
        let weights = read(WEIGHTS)?;
        // A bundle without its calibration is as damaged as one without its weights.
        Self::from_parts(&bundle, &manifest, &weights, &read(TRUST).unwrap_or_default())
    }

    /// Checks and reads a bundle from bytes; `name` is for messages.
    ///
    /// Errors: as [`Bundle::load`].
    pub fn from_parts(
        name: &str,
        manifest: &[u8],
        weights: &[u8],
        trust: &[u8],
    ) -> Result<Self, BundleError> {
        let parts = read_parts(name, manifest)?;
        let tensors = |part: &str, bytes| {
            safetensors_check::read(check_part(name, &parts, part, bytes)?).map_err(|reason| {
                BundleError::Tensors {
                    bundle: name.to_owned(),
                    part: part.to_owned(),
                    reason,
                }
            })
        };
        let all = tensors(WEIGHTS, weights)?;
        let trust = tensors(TRUST, trust)?;
        let parsed: Manifest = serde_json::from_slice(manifest).map_err(|error| BundleError::Manifest {
            bundle: name.to_owned(),
            reason: error.to_string(),
        })?;
        let mut members = vec![Weights::default(); parsed.members];
        for (full, array) in all.iter() {
            let split = full
                .split_once('/')
                .and_then(|(member, layer)| Some((member.parse::<usize>().ok()?, layer)));
            match split.and_then(|(member, layer)| Some((members.get_mut(member)?, layer))) {
                Some((member, layer)) => member.insert(layer, array.clone()),
                None => {
                    return Err(BundleError::Tensors {
                        bundle: name.to_owned(),
                        part: WEIGHTS.to_owned(),
                        reason: format!("tensor {full:?} belongs to no member of {}", parsed.members),
                    });
                }
            }
        }
        let trust = read_trust(&parsed, &trust).map_err(|reason| BundleError::Tensors {
            bundle: name.to_owned(),
            part: TRUST.to_owned(),
            reason,
        })?;
        let digest = hex_sha256(manifest);
        Ok(Self {
            manifest: parsed,
            weights: members,
            trust,
            digest,
        })
    }

    /// SHA-256 of the manifest, which holds the digests of all parts: names the bundle exactly.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The bundle as files. The manifest's `parts`, `format` and `members` are filled in here.
    ///
    /// Errors: arrays that safetensors refuses (never for weights of a training).
    pub fn write(
        mut manifest: Manifest,
        members: &[Weights],
        trust: &Trust,
    ) -> Result<BundleParts, ModelError> {
        let weights = write_weights(members)?;
        let trust = write_trust(trust)?;
        let part = |bytes: &[u8]| Part {
            sha256: hex_sha256(bytes),
            size: bytes.len() as u64,
        };
        manifest.parts = BTreeMap::from([
            (WEIGHTS.to_owned(), part(&weights)),
            (TRUST.to_owned(), part(&trust)),
        ]);
        (manifest.format, manifest.members) = (FORMAT_VERSION, members.len());
        let mut json = serde_json::to_vec_pretty(&manifest).map_err(|error| ModelError::Checkpoint {
            reason: error.to_string(),
        })?;
        json.push(b'\n');
        Ok(BundleParts {
            manifest: json,
            weights,
            trust,
        })
    }
}

fn write_weights(members: &[Weights]) -> Result<Vec<u8>, ModelError> {
    use safetensors::tensor::{Dtype, TensorView};
    let bad = |error: safetensors::SafeTensorError| ModelError::Checkpoint {
        reason: error.to_string(),
    };
    let mut stored: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (index, member) in members.iter().enumerate() {
        for (name, array) in member.iter() {
            // Kernels in half precision, everything per channel in single: 3 decimal digits cost no accuracy there.
            let (dtype, bytes) = if array.shape.len() == 4 {
                let half = |v: &f32| half::f16::from_f32(*v).to_le_bytes();
                (Dtype::F16, array.values.iter().flat_map(half).collect())
            } else {
                (
                    Dtype::F32,
                    array.values.iter().flat_map(|v| v.to_le_bytes()).collect(),
                )
            };
            stored.push((format!("{index}/{name}"), dtype, array.shape.clone(), bytes));
        }
    }
    let mut views = Vec::with_capacity(stored.len());
    for (name, dtype, shape, bytes) in &stored {
        views.push((
            name.as_str(),
            TensorView::new(*dtype, shape.clone(), bytes).map_err(bad)?,
        ));
    }
    safetensors::serialize(views, None).map_err(bad)
}

fn integers(values: impl Iterator<Item = usize>) -> Vec<f32> {
    values.map(|value| value as f32).collect()
}

fn write_trust(trust: &Trust) -> Result<Vec<u8>, ModelError> {
    let mut arrays: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    let mut add =
        |name: &str, shape: Vec<usize>, values: Vec<f32>| arrays.push((name.to_owned(), shape, values));
    match trust {
        Trust::Classification(trust) => {
            let reference = &trust.reference;
            let (cells, classes) = reference.log_probability.dim();
            add("temperature", vec![1], vec![trust.temperature as f32]);
            let log_probability = reference.log_probability.iter().copied().collect();
            add("reference.log_probability", vec![cells, classes], log_probability);
            add(
                "reference.label",
                vec![cells],
                integers(reference.label.iter().copied()),
            );
            add(
                "reference.group",
                vec![cells],
                integers(reference.group.iter().map(|&g| g as usize)),
            );
            add(
                "reference.fold",
                vec![cells],
                integers(reference.fold.iter().map(|&f| f as usize)),
            );
            add("reference.energy", vec![cells], reference.energy.clone());
        }
        Trust::Segmentation(trust) => {
            let width = trust
                .p_iou
                .first()
                .map_or(0, |(_, coefficients)| coefficients.len());
            let values = trust
                .p_iou
                .iter()
                .flat_map(|(threshold, c)| std::iter::once(*threshold).chain(c.iter().map(|&c| c as f32)))
                .collect();
            add("p_iou", vec![trust.p_iou.len(), width + 1], values);
        }
    }
    let borrowed: Vec<(String, &[usize], &[f32])> = arrays
        .iter()
        .map(|(name, shape, values)| (name.clone(), &shape[..], &values[..]))
        .collect();
    to_safetensors(&borrowed, BTreeMap::new())
}

fn read_trust(manifest: &Manifest, arrays: &Weights) -> Result<Trust, String> {
    let get = |name: &str| {
        arrays
            .get(name)
            .ok_or_else(|| format!("tensor {name:?} is missing"))
    };
    if manifest.task == Task::Segment {
        let array = get("p_iou")?;
        let width = array.shape.get(1).copied().unwrap_or(0).max(1);
        let row = |row: &[f32]| (row[0], row[1..].iter().map(|&c| f64::from(c)).collect());
        return Ok(Trust::Segmentation(SegmentationTrust {
            p_iou: array.values.chunks_exact(width).map(row).collect(),
        }));
    }
    let log = get("reference.log_probability")?;
    let (cells, classes) = (log.shape[0], log.shape.get(1).copied().unwrap_or(0));
    if classes != manifest.classes.len() {
        return Err(format!(
            "{classes} classes in the reference, {} in the manifest",
            manifest.classes.len()
        ));
    }
    let numbers = |name: &str| -> Result<Vec<f32>, String> {
        let values = &get(name)?.values;
        if values.len() == cells {
            Ok(values.clone())
        } else {
            Err(format!(
                "tensor {name:?} has {} values for {cells} cells",
                values.len()
            ))
        }
    };
    let label: Vec<usize> = numbers("reference.label")?.iter().map(|&v| v as usize).collect();
    if let Some(bad) = label.iter().find(|label| **label >= classes) {
        return Err(format!("label {bad} of {classes} classes"));
    }
    let temperature = get("temperature")?.values.first().copied().unwrap_or(0.0);
    if temperature <= 0.0 {
        return Err(format!("temperature {temperature} is not positive"));
    }
    Ok(Trust::Classification(ClassificationTrust {
        temperature: f64::from(temperature),
        reference: ClassificationReference {
            log_probability: Array2::from_shape_vec((cells, classes), log.values.clone())
                .map_err(|error| error.to_string())?,
            label,
            group: numbers("reference.group")?.iter().map(|&v| v as u32).collect(),
            fold: numbers("reference.fold")?.iter().map(|&v| v as u32).collect(),
            energy: numbers("reference.energy")?,
        },
    }))
}
