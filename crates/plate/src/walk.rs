//! The walk through a plate folder.

/// File name endings of images, in lower case; compared without regard to case.
pub const IMAGE_EXTENSIONS: [&str; 5] = ["tif", "tiff", "png", "jpg", "jpeg"];
/// Folders below folders that are entered.
pub const MAX_DEPTH: usize = 16;
/// Files and folders that are looked at.
pub const MAX_ENTRIES: usize = 5_000_000;
/// Largest image file that is taken, in bytes: 4 GiB.
pub const MAX_IMAGE_BYTES: u64 = 4 << 30;
