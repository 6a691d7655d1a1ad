//! What a site's result depends on, beside its pixels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The arguments of the site stage that change a number, and nothing else: two runs with equal settings and equal
/// pixels have equal site files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteSettings {
    /// Version of the program that made the site files.
    pub(crate) program: String,
    /// Name of the layout.
    pub(crate) layout: String,
    /// Channels in the layout's order: name in columns, name on disk.
    pub(crate) channels: Vec<(String, String)>,
    /// Name of the channel that shows nuclei.
    pub(crate) nuclei: String,
    /// Name of the channel that shows cells.
    pub(crate) cells: Option<String>,
    /// The bundle that found nuclei; `None` = label images were given.
    pub(crate) segment: Option<BundleId>,
    /// The bundle that named classes.
    pub(crate) classify: Option<BundleId>,
    /// Members used of each bundle; `None` = all.
    pub(crate) members: Option<usize>,
    /// Dropout draws a member; `None` = what the bundle asks for.
    pub(crate) draws: Option<usize>,
    /// Where networks were computed: another machine gives other last digits.
    pub(crate) device: String,
    /// Instruction set that they were computed with: another one gives other last digits, too.
    #[serde(default)]
    pub(crate) isa: String,
    /// Micrometers a pixel, as told.
    pub(crate) pixel_size_um: Option<f32>,
    /// Typical diameter of a nucleus, as told.
    pub(crate) diameter_px: Option<f32>,
    /// Width of the ring around a nucleus in pixels.
    pub(crate) ring_px: u32,
}

/// A bundle by name and digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundleId {
    /// Its name.
    pub(crate) name: String,
    /// Digest of its manifest and parts.
    pub(crate) digest: String,
}

impl SiteSettings {
    /// What differs from `other`, in words; empty when nothing does.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let (own, theirs) = (flat(self), flat(other));
        own.iter()
            .filter(|(name, value)| theirs.get(*name) != Some(value))
            .map(|(name, value)| match theirs.get(name) {
                Some(there) => format!("{name} {there} there, {value} now"),
                None => format!("{name} {value} now"),
            })
            .collect()
    }
}

fn flat(settings: &SiteSettings) -> BTreeMap<String, String> {
    match serde_json::to_value(settings) {
        Ok(serde_json::Value::Object(fields)) => fields
            .into_iter()
            .map(|(name, value)| (name, value.to_string()))
            .collect(),
        _ => BTreeMap::new(),
    }
}
