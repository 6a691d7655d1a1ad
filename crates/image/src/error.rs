//! What can go wrong between a file and its pixels, sorted by what the user can do about it.

use std::io;
use std::path::PathBuf;

/// Errors of room `image`. Every message names the file, the value at fault and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The file cannot be opened or read at all.
    #[error("{path:?} cannot be read ({source}); check that the file exists and may be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path is a folder, a pipe or a device.
    #[error("{path:?} is not a regular file; give the path of an image file")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file has no bytes.
    #[error("{path:?} is empty (0 bytes); the imager stopped or the disk was full, so export the file again")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The content is none of TIFF, PNG and JPEG.
    #[error(
        "{path:?} is not an image: its content looks like {looks_like}, only TIFF, PNG and JPEG are read"
    )]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// What the first bytes look like.
        looks_like: &'static str,
    },
    /// Bytes that the header promises are not there.
    #[error("{path:?} ends early: {what}; copy the file again from its source")]
    EndsEarly {
        /// The file.
        path: PathBuf,
        /// What is missing, with the numbers.
        what: String,
    },
    /// Bytes are there and make no sense (wrong checksum, invalid code, contradicting header).
    #[error("{path:?} is damaged: {what}; copy or export the file again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the value.
        what: String,
    },
    /// The header asks for more than the limits allow; nothing was allocated.
    #[error("{path:?} is too large: {what}; crop or split the image, or raise the limit")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What is over which limit.
        what: String,
    },
    /// A valid file of a kind that is not read.
    #[error("{path:?} cannot be used: {what} is not supported; {hint}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The kind, with the value.
        what: String,
        /// What to do instead.
        hint: &'static str,
    },
    /// The file holds more than one reading of itself, and nothing says which is meant.
    #[error("{path:?} is ambiguous: {what}; guessing is not allowed, {hint}")]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// What there is.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// The file's metadata (OME-XML, ImageJ description) contradicts the file or must not be followed.
    #[error(
        "{path:?} has metadata that cannot be trusted: {what}; export the file again or remove the description"
    )]
    Metadata {
        /// The file.
        path: PathBuf,
        /// What contradicts what.
        what: String,
    },
    /// The image was to be read as labels (one plane of whole numbers ≥ 0) and is none.
    #[error("{path:?} is not a label image: {what}; save labels as one plane of 8-, 16- or 32-bit integers")]
    NotLabels {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        what: String,
    },
    /// The image was to be read as one gray plane and has several.
    #[error("{path:?} has {planes} planes where one is expected; name the plane or channel in the layout")]
    NotOnePlane {
        /// The file.
        path: PathBuf,
        /// Number of planes found.
        planes: usize,
    },
    /// An output could not be written.
    #[error("{path:?} cannot be written ({source}); check the folder, its rights and the free space")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system or the encoder said.
        source: io::Error,
    },
}
