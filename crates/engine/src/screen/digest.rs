//! What a site is made from, as one number: the key by which an earlier result is used again.

use std::path::Path;

use plate::Site;

use super::site::find_labels;

/// Version of what a site's files hold; a change makes every site again.
const SITE_FORMAT: u32 = 2;

/// Digest of the bytes of all files of a site, with the channels they belong to.
///
/// A file that cannot be read has its own mark: the site is tried again when the file can be read.
pub(crate) fn pixel_digest(site: &Site, labels_from: Option<&Path>, nuclei: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    for (channel, path) in &site.channels {
        add(&mut hasher, channel.as_bytes());
        add_file(&mut hasher, path);
    }
    if let Some(folder) = labels_from {
        match find_labels(folder, site, nuclei) {
            Some(path) => add_file(&mut hasher, &path),
            None => add(&mut hasher, b"no label image"),
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// Digest of all that a site's files depend on.
pub(crate) fn site_digest(site: &Site, settings: &[u8], diameter_px: Option<f32>, pixels: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&SITE_FORMAT.to_le_bytes());
    add(&mut hasher, site.id().as_bytes());
    add(&mut hasher, settings);
    add(&mut hasher, &diameter_px.map_or([0; 4], f32::to_le_bytes));
    add(&mut hasher, pixels.as_bytes());
    hasher.finalize().to_hex().to_string()
}

/// Adds a part with its length, so that two parts never read as two others.
fn add(hasher: &mut blake3::Hasher, part: &[u8]) {
    hasher.update(&(part.len() as u64).to_le_bytes());
    hasher.update(part);
}

fn add_file(hasher: &mut blake3::Hasher, path: &Path) {
    match std::fs::read(path) {
        Ok(bytes) => add(hasher, blake3::hash(&bytes).as_bytes()),
        Err(_) => add(hasher, b"unreadable"),
    }
}
