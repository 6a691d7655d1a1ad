//! The bundles that are built in, and the card of one.

use std::collections::BTreeMap;

use model::Trust;
use serde::Serialize;

use crate::EngineError;

/// A bundle in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BundleCard {
    /// Its name.
    pub name: String,
    /// `segment` or `classify`.
    pub task: String,
    /// Digest of its manifest, which holds those of its parts.
    pub digest: String,
    /// Members of the ensemble.
    pub members: usize,
    /// Dropout draws by default.
    pub draws: usize,
    /// Classes, for a classifier.
    pub classes: Vec<String>,
    /// Channels by meaning.
    pub channels: Vec<String>,
    /// Pixel size of the training images in µm, where known.
    pub pixel_size_um: Option<f32>,
    /// Median diameter of a nucleus in the training crops, in pixels.
    pub crop_diameter_px: Option<f32>,
    /// Reference cells and groups, for a classifier.
    pub reference: Option<(usize, usize)>,
    /// Data that it was trained on, with licences and citations.
    pub data: Vec<String>,
    /// Licence of the weights.
    pub licence: String,
    /// Held-out figures by name.
    pub held_out: BTreeMap<String, f64>,
}

/// The card of a bundle by name or folder.
///
/// Errors: the bundle is unknown or damaged.
pub fn model_card(name: &str) -> Result<BundleCard, EngineError> {
    let bundle = crate::bundles::find(name)?;
    let manifest = &bundle.manifest;
    let reference = match &bundle.trust {
        Trust::Classification(trust) => {
            let mut groups = trust.reference.group.clone();
            groups.sort_unstable();
            groups.dedup();
            Some((trust.reference.label.len(), groups.len()))
        }
        Trust::Segmentation(_) => None,
    };
    Ok(BundleCard {
        name: manifest.name.clone(),
        task: manifest.task.name().to_owned(),
        digest: bundle.digest().to_owned(),
        members: manifest.members,
        draws: manifest.draws,
        classes: manifest.classes.clone(),
        channels: manifest.channels.clone(),
        pixel_size_um: manifest.pixel_size_um,
        crop_diameter_px: manifest.crop_diameter_px,
        reference,
        data: manifest.data.clone(),
        licence: manifest.licence.clone(),
        held_out: manifest.held_out.clone(),
    })
}

/// The cards of the bundles that are built in.
///
/// Errors: one of them is damaged, which only a damaged program can be.
pub fn builtin_models() -> Result<Vec<BundleCard>, EngineError> {
    crate::bundles::builtin().into_iter().map(model_card).collect()
}
