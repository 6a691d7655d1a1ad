//! From a path to bytes: regular files only, of a size that is allowed, sorted by what they begin with.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::{ImageFormat, ReadLimits};
use crate::error::ImageError;

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG_SIGNATURE: &[u8] = b"\xff\xd8\xff";
/// TIFF and BigTIFF, little and big endian.
const TIFF_SIGNATURES: [&[u8]; 4] = [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"];

/// The bytes of a regular file.
///
/// The size is checked on the directory entry, so that a sparse file of terabytes costs nothing, and pipes are never opened.
pub(super) fn load(path: &Path, limits: &ReadLimits) -> Result<Vec<u8>, ImageError> {
    let unreadable = |source| ImageError::Unreadable {
        path: path.to_path_buf(),
        source,
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(ImageError::NotAFile {
            path: path.to_path_buf(),
        });
    }
    let too_large = |bytes: u64| ImageError::TooLarge {
        path: path.to_path_buf(),
        what: format!("{bytes} bytes, at most {} are read", limits.max_file_bytes),
    };
    if metadata.len() > limits.max_file_bytes {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    // A file that grows while it is read stops at the limit as well.
    file.take(limits.max_file_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > limits.max_file_bytes {
        return Err(too_large(bytes.len() as u64));
    }
    if bytes.is_empty() {
        return Err(ImageError::Empty {
            path: path.to_path_buf(),
        });
    }
    Ok(bytes)
}

/// The format that the content has.
///
/// Errors: [`ImageError::EndsEarly`] where the file is shorter than a signature and agrees with one so far;
/// [`ImageError::NotAnImage`] for anything else.
pub(super) fn recognize(bytes: &[u8], path: &Path) -> Result<ImageFormat, ImageError> {
    if bytes.starts_with(PNG_SIGNATURE) {
        return Ok(ImageFormat::Png);
    }
    if bytes.starts_with(JPEG_SIGNATURE) {
        return Ok(ImageFormat::Jpeg);
    }
    if TIFF_SIGNATURES
        .iter()
        .any(|signature| bytes.starts_with(signature))
    {
        return Ok(ImageFormat::Tiff);
    }
    let cut = |signature: &&[u8]| signature.starts_with(bytes);
    if cut(&PNG_SIGNATURE) || cut(&JPEG_SIGNATURE) || TIFF_SIGNATURES.iter().any(cut) {
        let what = format!("only {} bytes are there, all of them signature", bytes.len());
        return Err(ImageError::EndsEarly {
            path: path.to_path_buf(),
            what,
        });
    }
    Err(ImageError::NotAnImage {
        path: path.to_path_buf(),
        looks_like: looks_like(bytes),
    })
}

/// What a file that is no image probably is.
fn looks_like(bytes: &[u8]) -> &'static str {
    let head = bytes.get(..512).unwrap_or(bytes);
    let text = std::str::from_utf8(head)
        .unwrap_or("")
        .trim_start()
        .to_ascii_lowercase();
    if bytes.starts_with(b"PK\x03\x04") {
        "a ZIP archive or an Office document"
    } else if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
        "an HDF5 file"
    } else if bytes.starts_with(b"GIF8") {
        "a GIF"
    } else if bytes.starts_with(b"BM") && bytes.len() > 26 {
        "a BMP"
    } else if text.starts_with("<!doctype html") || text.starts_with("<html") {
        "a web page"
    } else if !text.is_empty() && !text.contains('\0') {
        "text"
    } else if head.iter().all(|&byte| byte == 0) {
        "nothing but zero bytes"
    } else {
        "something unknown"
    }
}

/// A warning where the extension promises another format than the content has.
pub(super) fn extension_warning(path: &Path, format: ImageFormat) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let promised = match extension.as_str() {
        "png" => ImageFormat::Png,
        "tif" | "tiff" => ImageFormat::Tiff,
        "jpg" | "jpeg" | "jpe" => ImageFormat::Jpeg,
        _ => return None,
    };
    (promised != format).then(|| {
        format!(
            "the name ends in .{extension} but the content is {}, and is read as that",
            format.name()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_on_the_format() {
        let path = Path::new("x.png");
        assert_eq!(recognize(b"II*\0....", path).unwrap(), ImageFormat::Tiff);
        assert_eq!(recognize(b"MM\0+....", path).unwrap(), ImageFormat::Tiff);
        assert_eq!(recognize(b"\xff\xd8\xff\xe0", path).unwrap(), ImageFormat::Jpeg);
        assert!(matches!(
            recognize(b"\x89PNG\r", path),
            Err(ImageError::EndsEarly { .. })
        ));
        assert!(matches!(
            recognize(b"Inverted", path),
            Err(ImageError::NotAnImage {
                looks_like: "text",
                ..
            })
        ));
        assert!(matches!(
            recognize(&[0; 40], path),
            Err(ImageError::NotAnImage { .. })
        ));
    }

    #[test]
    fn only_known_extensions_are_held_against_the_content() {
        assert!(
            extension_warning(Path::new("a.png"), ImageFormat::Tiff)
                .unwrap()
                .contains("TIFF")
        );
        assert_eq!(extension_warning(Path::new("a.ome.tif"), ImageFormat::Tiff), None);
        assert_eq!(extension_warning(Path::new("a.JPEG"), ImageFormat::Jpeg), None);
        assert_eq!(extension_warning(Path::new("a.stk"), ImageFormat::Tiff), None);
    }
}
