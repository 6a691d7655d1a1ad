//! From files to sites.

use std::path::Path;

use crate::error::PlateError;
use crate::layout::LayoutChoice;
use crate::site::PlateScan;

/// Finds all sites below `root`.
pub fn scan(root: &Path, layout: &LayoutChoice) -> Result<PlateScan, PlateError> {
    let _ = (root, layout);
    unimplemented!()
}
