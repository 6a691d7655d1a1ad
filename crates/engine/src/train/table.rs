//! Small CSV tables with named columns, for indexes and splits.

use std::path::{Path, PathBuf};

use crate::EngineError;

/// A CSV table in memory.
pub(super) struct Table {
    path: PathBuf,
    columns: Vec<String>,
    pub(super) rows: Vec<csv::StringRecord>,
}

impl Table {
    /// Reads a whole CSV with a header line.
    pub(super) fn read(path: &Path) -> Result<Self, EngineError> {
        let unusable = |error: csv::Error| EngineError::Unusable {
            path: path.to_owned(),
            what: error.to_string(),
            remedy: "write it as comma-separated UTF-8 with one header line".to_owned(),
        };
        let mut reader = csv::Reader::from_path(path).map_err(unusable)?;
        let columns = reader
            .headers()
            .map_err(unusable)?
            .iter()
            .map(str::to_owned)
            .collect();
        let rows = reader.records().collect::<Result<_, _>>().map_err(unusable)?;
        Ok(Self {
            path: path.to_owned(),
            columns,
            rows,
        })
    }

    /// Position of the first of `names` that is a column.
    pub(super) fn find(&self, names: &[&str]) -> Option<usize> {
        names
            .iter()
            .find_map(|name| self.columns.iter().position(|column| column == name))
    }

    /// As [`Table::find`], an error where none is there.
    pub(super) fn need(&self, names: &[&str]) -> Result<usize, EngineError> {
        self.find(names).ok_or_else(|| EngineError::Unusable {
            path: self.path.clone(),
            what: format!(
                "no column {}; columns: {}",
                names.join(" or "),
                self.columns.join(", ")
            ),
            remedy: "add the column or rename one".to_owned(),
        })
    }

    /// The text of a cell, `None` where the column is missing or the cell empty.
    pub(super) fn text(row: &csv::StringRecord, column: Option<usize>) -> Option<&str> {
        column
            .and_then(|column| row.get(column))
            .filter(|text| !text.is_empty())
    }

    /// An error about the `index`-th row (lines count from 1, the header is line 1).
    pub(super) fn bad_row(&self, index: usize, what: String) -> EngineError {
        EngineError::Unusable {
            path: self.path.clone(),
            what: format!("line {}: {what}", index + 2),
            remedy: "correct the line".to_owned(),
        }
    }
}
