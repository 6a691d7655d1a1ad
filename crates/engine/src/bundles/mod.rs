//! Bundles by name: those in the binary, and folders.

mod embedded;

use std::path::Path;

use model::Bundle;

use crate::EngineError;

/// Names of the bundles in the binary.
pub fn builtin() -> Vec<&'static str> {
    embedded::BUNDLES.iter().map(|bundle| bundle.name).collect()
}

/// The bundle of that name: one in the binary, or a folder.
///
/// Errors: neither is there, or its bytes are not what its manifest says.
pub fn find(name_or_folder: &str) -> Result<Bundle, EngineError> {
    let failed = |error: model::BundleError| EngineError::Bundle {
        name: name_or_folder.to_owned(),
        what: error.to_string(),
    };
    if let Some(found) = embedded::BUNDLES
        .iter()
        .find(|bundle| bundle.name == name_or_folder)
    {
        return Bundle::from_parts(found.name, found.manifest, found.weights, found.trust).map_err(failed);
    }
    let folder = Path::new(name_or_folder);
    if folder.is_dir() {
        return Bundle::load(folder).map_err(failed);
    }
    Err(EngineError::Bundle {
        name: name_or_folder.to_owned(),
        what: format!(
            "neither a folder nor a bundle in the program; known: {}",
            builtin().join(", ")
        ),
    })
}
