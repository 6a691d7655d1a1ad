//! What can be wrong with the numbers handed in.

/// Why a statistic could not be prepared from what was handed in.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UncertaintyError {
    /// Two inputs that describe the same rows have different lengths.
    #[error("{what} has {found} rows where {expected} are expected; hand in one value per row")]
    Length {
        /// Name of the input.
        what: &'static str,
        /// Rows of the others.
        expected: usize,
        /// Rows found.
        found: usize,
    },
    /// A value is NaN or infinite.
    #[error(
        "{what} holds {value} in row {row}; only finite values can be used, drop or impute the row first"
    )]
    NotFinite {
        /// Name of the input.
        what: &'static str,
        /// 0-based row.
        row: usize,
        /// The value.
        value: f64,
    },
    /// A class index is not below the number of classes.
    #[error("row {row} has class {class}, but there are only {classes} classes (0 to {})", .classes.saturating_sub(1))]
    Class {
        /// 0-based row.
        row: usize,
        /// The class index.
        class: usize,
        /// Number of classes.
        classes: usize,
    },
    /// Too few rows to estimate something.
    #[error("{what} needs at least {needed} rows and got {found}")]
    TooFew {
        /// What was to be estimated.
        what: &'static str,
        /// Smallest number that works.
        needed: usize,
        /// Number found.
        found: usize,
    },
    /// A covariance cannot be inverted.
    #[error(
        "the covariance of {dimensions} features from {rows} rows is not positive definite (pivot {pivot} is {value}); \
         drop constant or duplicated features, or use Ledoit-Wolf shrinkage"
    )]
    Singular {
        /// Number of features.
        dimensions: usize,
        /// Number of rows it was estimated from.
        rows: usize,
        /// 0-based feature at which the factorisation stopped.
        pivot: usize,
        /// Value of the pivot.
        value: f64,
    },
    /// A level, share or other parameter is outside its range.
    #[error("{what} is {value}; it must be above {low} and below {high}")]
    Parameter {
        /// Name of the parameter.
        what: &'static str,
        /// The value.
        value: f64,
        /// Exclusive lower bound.
        low: f64,
        /// Exclusive upper bound.
        high: f64,
    },
}
