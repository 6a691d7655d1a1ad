//! Delimited text.

/// Columns of a plate map.
pub const MAX_COLUMNS: usize = 4096;
/// Bytes of one row, 1 MiB.
pub const MAX_ROW_BYTES: usize = 1 << 20;
/// Rows of a plate map.
pub const MAX_ROWS: usize = 100_000;
/// Bytes of a plate map, 64 MiB.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
