//! How large a typical nucleus of each plate is.
//!
//! Crops are scaled by it. It is one number a plate, not a site: a treatment that makes nuclei larger must not be scaled
//! away. A few sites are enough for a median; which ones is settled by a hash of their names, so that every part of a
//! sharded run finds the same number.

use std::collections::BTreeMap;

use plate::{Site, file_name_slug};
use serde::{Deserialize, Serialize};

use super::folder::RunFolder;
use super::site::{Failure, SiteWork};
use crate::EngineError;
use crate::files::{read_whole, write_whole};

/// Sites of a plate that the median is taken from.
const SITES: usize = 3;

/// Sites that are tried before a plate is said to have no nuclei.
const TRIED: usize = 12;

/// The number with the digest of what it came from.
#[derive(Serialize, Deserialize)]
struct Remembered {
    digest: String,
    diameter_px: Option<f32>,
}

/// Median diameter (of the circle of equal area, in pixels) of the nuclei of each plate; `None` where none was found.
///
/// Errors: networks that cannot be run; a folder that cannot be written.
pub(crate) fn diameters(
    work: &SiteWork,
    sites: &[Site],
    digest_of: impl Fn(&Site) -> String,
    folder: &RunFolder,
) -> Result<BTreeMap<String, Option<f32>>, EngineError> {
    let mut plates: BTreeMap<String, Vec<&Site>> = BTreeMap::new();
    for site in sites {
        plates.entry(site.plate.clone()).or_default().push(site);
    }
    let mut found = BTreeMap::new();
    for (plate, mut sites) in plates {
        sites.sort_by_key(|site| (stable_hash(&site.id()), site.id()));
        sites.truncate(TRIED);
        let mut hasher = blake3::Hasher::new();
        for site in &sites {
            hasher.update(digest_of(site).as_bytes());
        }
        let digest = hasher.finalize().to_hex().to_string();
        let path = folder
            .sites
            .join(format!("{}.diameter.json", file_name_slug(&plate)));
        let remembered = read_whole(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Remembered>(&bytes).ok());
        let diameter_px = match remembered {
            Some(remembered) if remembered.digest == digest => remembered.diameter_px,
            _ => {
                let diameter_px = measure_plate(work, &sites)?;
                let bytes = serde_json::to_vec(&Remembered { digest, diameter_px }).unwrap_or_default();
                write_whole(&path, &bytes)?;
                diameter_px
            }
        };
        found.insert(plate, diameter_px);
    }
    Ok(found)
}

fn measure_plate(work: &SiteWork, sites: &[&Site]) -> Result<Option<f32>, EngineError> {
    let mut diameters = Vec::new();
    let mut used = 0;
    for site in sites {
        // A site that cannot be read is named when its turn comes.
        let Ok(pixels) = work.read(site) else { continue };
        let nuclei = pixels.planes[work.channels.nuclei].view();
        let segmented = match work.segment(site, nuclei, Some(1), None, &mut Vec::new()) {
            Ok(segmented) => segmented,
            Err(Failure::Site(_)) => continue,
            Err(Failure::Run(error)) => return Err(error),
        };
        if segmented.labels.n > 0 {
            diameters.extend(
                segmented
                    .labels
                    .areas()
                    .iter()
                    .map(|&area| f64::from(area))
                    .map(diameter_of_area),
            );
            used += 1;
        }
        if used == SITES {
            break;
        }
    }
    Ok(uncertainty::median(&diameters).map(|median| median as f32))
}

/// Diameter of the circle of an area.
pub(crate) fn diameter_of_area(area: f64) -> f64 {
    (4.0 * area / std::f64::consts::PI).sqrt()
}

/// Area of the circle of a diameter.
pub(crate) fn area_of_diameter(diameter: f32) -> f64 {
    std::f64::consts::PI * f64::from(diameter).powi(2) / 4.0
}

/// A hash of a name that stays the same over versions and machines.
pub(crate) fn stable_hash(name: &str) -> u64 {
    let hash = blake3::hash(name.as_bytes());
    hash.as_bytes()[..8]
        .iter()
        .fold(0, |sum, &byte| (sum << 8) | u64::from(byte))
}
