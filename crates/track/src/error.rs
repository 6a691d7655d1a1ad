//! What can be wrong with a request to track.

/// Why nothing was tracked.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrackError {
    /// There is no frame at all.
    #[error("the movie has no frame; give at least one (it may be empty)")]
    NoFrames,
    /// A coordinate is NaN or infinite.
    #[error(
        "frame {frame}, object {object}: position ({x}, {y}) is not finite; remove the object or correct its position"
    )]
    PositionNotFinite {
        /// Frame, from 0.
        frame: usize,
        /// Index of the object in the frame.
        object: usize,
        /// Its x.
        x: f64,
        /// Its y.
        y: f64,
    },
    /// Two objects of a frame lie at exactly the same place and do not exclude each other.
    #[error(
        "frame {frame}: objects {first} and {second} are both at ({x}, {y}); remove the copy, or list the two as \
         competing hypotheses of one cell"
    )]
    DoubledObject {
        /// Frame, from 0.
        frame: usize,
        /// Index of the first.
        first: usize,
        /// Index of its copy.
        second: usize,
        /// Their x.
        x: f64,
        /// Their y.
        y: f64,
    },
    /// A column has another length than the positions.
    #[error(
        "frame {frame}: column {column:?} has {found} values for {expected} objects; give one value an object (NaN where it is not known) or leave the column empty"
    )]
    ColumnLength {
        /// Frame, from 0.
        frame: usize,
        /// Which column.
        column: String,
        /// Its length.
        found: usize,
        /// Number of objects.
        expected: usize,
    },
    /// A value lies outside of its range.
    #[error("frame {frame}, object {object}: {column} is {value}, but must be {range}")]
    ValueOutOfRange {
        /// Frame, from 0.
        frame: usize,
        /// Index of the object in the frame.
        object: usize,
        /// Which column.
        column: &'static str,
        /// The value.
        value: f64,
        /// What it may be, in words.
        range: &'static str,
    },
    /// A conflict names an object that does not exist.
    #[error(
        "frame {frame}: {relation} names object {object}, but the frame it points to has {objects} objects, counted from 0"
    )]
    NoSuchObject {
        /// Frame of the list, from 0.
        frame: usize,
        /// "conflict".
        relation: &'static str,
        /// The index that does not exist.
        object: usize,
        /// Number of objects there.
        objects: usize,
    },
    /// An option lies outside of its range.
    #[error("{option} is {value}, but must be {range}")]
    OptionOutOfRange {
        /// Which option.
        option: &'static str,
        /// Its value.
        value: f64,
        /// What it may be, in words.
        range: &'static str,
    },
    /// Too many objects for 32-bit indices.
    #[error("{objects} objects are more than can be tracked in one movie ({limit}); split the movie")]
    TooManyObjects {
        /// Objects of the movie.
        objects: usize,
        /// Largest number.
        limit: usize,
    },
}
