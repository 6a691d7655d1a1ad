//! Why a file's bytes give no image; the file's name is added at the door.

use std::path::Path;

use crate::error::ImageError;

/// What a decoder, which knows bytes and no path, has to say. See the variants of [`ImageError`] for the meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    EndsEarly(String),
    Damaged(String),
    TooLarge(String),
    Unsupported(String, &'static str),
    Ambiguous(String, &'static str),
    Metadata(String),
}

impl Fault {
    /// The error a caller sees.
    pub(super) fn at(self, path: &Path) -> ImageError {
        let path = path.to_path_buf();
        match self {
            Self::EndsEarly(what) => ImageError::EndsEarly { path, what },
            Self::Damaged(what) => ImageError::Damaged { path, what },
            Self::TooLarge(what) => ImageError::TooLarge { path, what },
            Self::Unsupported(what, hint) => ImageError::Unsupported { path, what, hint },
            Self::Ambiguous(what, hint) => ImageError::Ambiguous { path, what, hint },
            Self::Metadata(what) => ImageError::Metadata { path, what },
        }
    }
}
