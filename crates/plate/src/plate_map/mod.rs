//! The plate map: what is in each well.

mod columns;
mod dose;
mod read;
mod role;
mod warn;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::PlateError;
use crate::well::Well;

/// What a well is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Negative control: untreated, vehicle, mock, non-targeting.
    Negcon,
    /// Positive control.
    Poscon,
    /// A well to be tested.
    Treatment,
    /// A well without cells.
    Empty,
}

/// How a plate map is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlateMapParams {
    /// The treatment's column; `None`: `treatment` or one of its other names.
    pub treatment_column: Option<String>,
    /// The dose's column; `None`: `dose`, `concentration` or one of their other names, with or without a unit.
    pub dose_column: Option<String>,
    /// Values of the treatment column or of the role that mark negative controls. Not empty: these alone are the
    /// negative controls, whatever the roles say.
    pub negcon: Vec<String>,
    /// Values of the treatment column or of the role that mark positive controls; as `negcon`.
    pub poscon: Vec<String>,
}

/// One row of a plate map.
#[derive(Clone, Debug, PartialEq)]
pub struct PlateMapRow {
    /// Plate; `None` where the map has no plate column: the row holds for every plate.
    pub plate: Option<String>,
    /// The well.
    pub well: Well,
    /// The treatment, its bytes kept but for spaces around it; `None` where empty, `NA` or `N/A`.
    pub treatment: Option<String>,
    /// The dose, finite and not negative, in `unit`; `None` where empty.
    pub dose: Option<f64>,
    /// Unit of the dose: both signs for micro and `u` are written `u`; `rank` where only a dose rank is known.
    pub unit: Option<String>,
    /// The role; `None` where the map says nothing about it.
    pub role: Option<Role>,
    /// Every other column, cells as they are.
    pub extra: BTreeMap<String, String>,
    /// Physical line of the row, from 1.
    pub line: u64,
}

/// A plate map that was read without error.
#[derive(Clone, Debug, PartialEq)]
pub struct PlateMap {
    /// The file, for messages.
    pub file: PathBuf,
    /// Rows in the order of the file; each (plate, well) once.
    pub rows: Vec<PlateMapRow>,
    /// Names of the columns in [`PlateMapRow::extra`], in the order of the file.
    pub extra_columns: Vec<String>,
    /// What a user should know, one line each.
    pub warnings: Vec<String>,
}

impl PlateMap {
    /// Reads a plate map from a file: CSV or TSV in UTF-8 or, with its mark, UTF-16.
    ///
    /// Errors: [`PlateError::Read`], or [`PlateError::Map`] with the line and the value.
    pub fn read(path: &Path, params: &PlateMapParams) -> Result<Self, PlateError> {
        read::read(path, params)
    }

    /// Reads a plate map from the bytes of a file; `name` stands in messages.
    ///
    /// Errors: [`PlateError::Map`] with the line and the value.
    pub fn parse(bytes: &[u8], name: &Path, params: &PlateMapParams) -> Result<Self, PlateError> {
        read::parse(bytes, name, params)
    }
}
