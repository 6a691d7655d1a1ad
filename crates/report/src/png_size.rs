//! Width and height of a PNG file, read from its header.

/// (width, height) in pixels; `None` if the bytes do not start as a PNG file does.
pub(crate) fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
    let header = bytes.strip_prefix(SIGNATURE)?;
    let header = header.get(4..)?.strip_prefix(b"IHDR")?;
    let number = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let size = (number(0)?, number(4)?);
    (size.0 > 0 && size.1 > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_stands_in_the_header() {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend([0, 0, 0, 96, 0, 0, 1, 0]);
        assert_eq!(png_size(&bytes), Some((96, 256)));
        assert_eq!(png_size(&bytes[..20]), None);
        assert_eq!(png_size(b"<svg onload=alert(1)>"), None);
        assert_eq!(png_size(b""), None);
    }
}
