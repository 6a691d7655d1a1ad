//! What can be wrong with a request to measure.

/// Why nothing was measured.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeasureError {
    /// A channel does not have the size of the label image.
    #[error(
        "channel {channel:?} is {rows} × {cols} pixels but the label image is {label_rows} × {label_cols}; \
         all channels of a site must have one size"
    )]
    ShapeDiffers {
        /// Name of the channel.
        channel: String,
        /// Its rows.
        rows: usize,
        /// Its columns.
        cols: usize,
        /// Rows of the label image.
        label_rows: usize,
        /// Columns of the label image.
        label_cols: usize,
    },
    /// The nuclear channel is not among the channels.
    #[error("nuclear channel {index} does not exist; there are {channels} channels, counted from 0")]
    NoSuchChannel {
        /// The index that was asked for.
        index: usize,
        /// Number of channels.
        channels: usize,
    },
    /// Two channels would give columns of the same name.
    #[error("channel {channel:?} is given twice; name each channel once")]
    DoubledChannel {
        /// The name.
        channel: String,
    },
}
