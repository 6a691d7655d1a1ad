//! What can go wrong while a report is rendered.

/// Why no report could be made. Each message says which part of the data is wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// Bytes that should be a PNG picture are none.
    #[error("the picture of {what:?} is not a PNG file ({length} bytes); hand over encoded PNG bytes")]
    NotPng {
        /// Where the picture stands in the report, such as `hit "taxol 3 nM"`.
        what: String,
        /// How many bytes were given.
        length: usize,
    },
    /// A heat map does not have one value for each well of its plate.
    #[error(
        "the heat map {map:?} of plate {plate:?} has {values} values for {wells} wells; \
         give one value, or None, for each well"
    )]
    HeatMapLength {
        /// Name of the plate.
        plate: String,
        /// Title of the heat map.
        map: String,
        /// Values given.
        values: usize,
        /// Wells of the plate.
        wells: usize,
    },
    /// A well lies outside its plate.
    #[error(
        "plate {plate:?} has {rows} rows and {columns} columns, but a well stands at row {row}, column {column} (from 0)"
    )]
    WellOutside {
        /// Name of the plate.
        plate: String,
        /// Rows of the plate.
        rows: u32,
        /// Columns of the plate.
        columns: u32,
        /// Row of the well, from 0.
        row: u32,
        /// Column of the well, from 0.
        column: u32,
    },
    /// A figure could not be drawn.
    #[error("the figure {figure:?} could not be drawn: {reason}")]
    Figure {
        /// Which figure.
        figure: &'static str,
        /// What plotters said.
        reason: String,
    },
    /// The template failed; this is a fault of the program.
    #[error("the report's template failed (a fault of the program, please report it)")]
    Template(#[from] minijinja::Error),
    /// The JSON block could not be written; this is a fault of the program.
    #[error("the report's JSON block failed (a fault of the program, please report it)")]
    Json(#[from] serde_json::Error),
}
