//! A plate map against what is on disk.

use std::collections::BTreeMap;

use crate::error::PlateError;
use crate::plate_map::{PlateMap, PlateMapRow};
use crate::site::PlateScan;
use crate::well::Well;

/// Wells, files and names that a warning lists before it says how many more there are.
pub const NAMED_IN_A_WARNING: usize = 8;

/// Which row of a plate map belongs to which well on disk.
#[derive(Clone, Debug)]
pub struct Assignment<'map> {
    /// Rows by plate (the name on disk) and well.
    rows: BTreeMap<(String, Well), &'map PlateMapRow>,
}

impl<'map> Assignment<'map> {
    /// The row of a well, by the plate's name on disk; `None` where the map does not have it.
    pub fn row(&self, plate: &str, well: Well) -> Option<&'map PlateMapRow> {
        self.rows.get(&(plate.to_owned(), well)).copied()
    }
}

impl PlateMap {
    /// Which row belongs to which well of `scan`.
    pub fn assign(&self, scan: &PlateScan) -> Assignment<'_> {
        let _ = scan;
        unimplemented!()
    }

    /// Compares the map with what is on disk and gives warnings.
    pub fn check_against(&self, scan: &PlateScan) -> Result<Vec<String>, PlateError> {
        let _ = scan;
        unimplemented!()
    }
}
