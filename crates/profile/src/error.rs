//! What can go wrong in the gather stage, with what to do about it.

use std::path::PathBuf;

/// An error of the room `profile`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// A column that the gather stage needs is not in the table.
    #[error(
        "the {table} table has no column {column:?}; it has {known}; make the site tables again with this version"
    )]
    MissingColumn {
        /// Which table: `objects` or `site quality`.
        table: &'static str,
        /// The column that was looked for.
        column: String,
        /// The columns that are there, shortened.
        known: String,
    },
    /// Two site tables or two wells contradict each other.
    #[error("well {well} of plate {plate:?} is listed twice; keep one entry per well")]
    DoubledWell {
        /// The plate.
        plate: String,
        /// The well, as `A01`.
        well: String,
    },
    /// A parameter is outside its range.
    #[error("{name} is {value}; it must be {allowed}")]
    Parameter {
        /// The parameter's name on the command line.
        name: &'static str,
        /// What was given.
        value: f64,
        /// The range, in words.
        allowed: &'static str,
    },
    /// A table operation failed inside polars.
    #[error("the {table} table could not be worked on: {source}")]
    Table {
        /// Which table.
        table: &'static str,
        /// What polars says.
        source: polars::error::PolarsError,
    },
    /// A file could not be read or written.
    #[error("{path:?} could not be {action}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// A parquet or CSV file could not be decoded or encoded.
    #[error("{path:?} could not be {action} as a table: {source}")]
    Format {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// What polars says.
        source: polars::error::PolarsError,
    },
    /// PCA or k-means did not come to an end.
    #[error("{step} failed on {n_cells} cells and {n_features} features: {reason}")]
    Clustering {
        /// `PCA` or `k-means`.
        step: &'static str,
        /// Cells given.
        n_cells: usize,
        /// Features given.
        n_features: usize,
        /// What linfa says.
        reason: String,
    },
}

impl ProfileError {
    /// Wraps an error of polars with the table it happened in.
    pub(crate) fn table(table: &'static str) -> impl Fn(polars::error::PolarsError) -> Self {
        move |source| Self::Table { table, source }
    }
}
