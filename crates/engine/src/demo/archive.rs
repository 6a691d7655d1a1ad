//! The archives that carry demonstration data inside the binary.
//!
//! A pack is text, then bytes: the line `phenosure-pack 1`, one line `SIZE SHA256 NAME` a file (sorted by name), an empty
//! line, and the contents in the same order. `scripts/make_demo_assets.sh` writes it with standard tools, so that anybody
//! can check the digests against the data sets' own `SHA256SUMS`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::EngineError;

/// First line of every pack.
const MAGIC: &str = "phenosure-pack 1\n";

/// The wells of BBBC013 (`scripts/make_demo_assets.sh` says what is in it).
pub(super) const BBBC013: (&str, &[u8]) = ("bbbc013.pack", include_bytes!("../../assets/bbbc013.pack"));

/// Crops of MitoCheck nuclei: known classes of fold 0, untaught classes of any fold.
pub(super) const MITOCHECK: (&str, &[u8]) = ("mitocheck.pack", include_bytes!("../../assets/mitocheck.pack"));

/// The files of a pack, by name.
#[derive(Debug)]
pub(super) struct Archive<'a> {
    files: BTreeMap<&'a str, &'a [u8]>,
    name: &'a str,
}

impl<'a> Archive<'a> {
    /// Takes a pack apart and checks the digest of every file in it.
    ///
    /// Errors: [`EngineError::Unusable`] where the bytes are not a pack, are cut, hold more than they list, or differ from a digest.
    pub(super) fn open((name, bytes): (&'a str, &'a [u8])) -> Result<Self, EngineError> {
        let damaged = |what: String| {
            let path = PathBuf::from(format!("<in the program>/{name}"));
            EngineError::unusable(
                path,
                what,
                "the program file is damaged: build or download it again",
            )
        };
        let body = bytes
            .strip_prefix(MAGIC.as_bytes())
            .ok_or_else(|| damaged("does not start with \"phenosure-pack 1\"".to_owned()))?;
        let end = body
            .windows(2)
            .position(|pair| pair == b"\n\n")
            .ok_or_else(|| damaged("the list of files has no end".to_owned()))?;
        let (index, mut contents) = (&body[..end], &body[end + 2..]);
        let index =
            std::str::from_utf8(index).map_err(|_| damaged("the list of files is not UTF-8".to_owned()))?;
        let mut files = BTreeMap::new();
        for line in index.lines() {
            let mut words = line.splitn(3, ' ');
            let entry = (
                words.next().and_then(|size| size.parse::<usize>().ok()),
                words.next(),
                words.next(),
            );
            let (Some(size), Some(digest), Some(file)) = entry else {
                return Err(damaged(format!("unreadable entry {line:?}")));
            };
            let (file_bytes, rest) = contents
                .split_at_checked(size)
                .ok_or_else(|| damaged(format!("ends inside {file:?}")))?;
            if hex(&Sha256::digest(file_bytes)) != digest {
                return Err(damaged(format!("the bytes of {file:?} differ from their digest")));
            }
            files.insert(file, file_bytes);
            contents = rest;
        }
        if !contents.is_empty() {
            return Err(damaged(format!("{} bytes after the last file", contents.len())));
        }
        Ok(Self { files, name })
    }

    /// The bytes of one file.
    pub(super) fn file(&self, file: &str) -> Result<&'a [u8], EngineError> {
        self.files.get(file).copied().ok_or_else(|| {
            let path = PathBuf::from(format!("<in the program>/{}", self.name));
            EngineError::unusable(
                path,
                format!("holds no {file:?}"),
                "build or download the program again",
            )
        })
    }

    /// One file as text.
    pub(super) fn text(&self, file: &str) -> Result<&'a str, EngineError> {
        std::str::from_utf8(self.file(file)?).map_err(|_| {
            let path = PathBuf::from(format!("<in the program>/{}/{file}", self.name));
            EngineError::unusable(path, "is not UTF-8", "build or download the program again")
        })
    }

    /// All files, sorted by name.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + '_ {
        self.files.iter().map(|(name, bytes)| (*name, *bytes))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = MAGIC.as_bytes().to_vec();
        for (name, content) in files {
            bytes.extend(format!("{} {} {name}\n", content.len(), hex(&Sha256::digest(content))).bytes());
        }
        bytes.push(b'\n');
        files
            .iter()
            .for_each(|(_, content)| bytes.extend_from_slice(content));
        bytes
    }

    #[test]
    fn what_was_packed_comes_out() {
        let bytes = pack(&[("a b/c.png", b"one\n\ntwo"), ("d", b"")]);
        let archive = Archive::open(("test", &bytes)).unwrap();
        assert_eq!(archive.file("a b/c.png").unwrap(), b"one\n\ntwo");
        assert_eq!(archive.files().count(), 2);
        assert!(
            archive
                .file("e")
                .unwrap_err()
                .to_string()
                .contains("holds no \"e\"")
        );
    }

    #[test]
    fn a_changed_a_missing_and_an_extra_byte_are_refused() {
        let bytes = pack(&[("a", b"contents")]);
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        let says = |bytes: &[u8]| Archive::open(("test", bytes)).unwrap_err().to_string();
        assert!(says(&changed).contains("\"a\" differ from their digest"));
        assert!(says(&bytes[..bytes.len() - 1]).contains("ends inside \"a\""));
        assert!(says(&[bytes.as_slice(), b"x"].concat()).contains("1 bytes after"));
        assert!(says(b"PK").contains("does not start"));
    }

    #[test]
    fn the_embedded_packs_are_whole() {
        let plate = Archive::open(BBBC013).unwrap();
        assert_eq!(
            plate
                .files()
                .filter(|(name, _)| name.starts_with("images/"))
                .count(),
            96
        );
        assert!(plate.text("LICENSE.txt").unwrap().contains("BSD 3-Clause"));
        assert!(
            BBBC013.1.len() <= 14 << 20,
            "the demonstration plate is at most 14 MiB"
        );
        let nuclei = Archive::open(MITOCHECK).unwrap();
        assert_eq!(
            nuclei
                .files()
                .filter(|(name, _)| name.contains("/known_f0_"))
                .count(),
            523
        );
        assert!(
            nuclei
                .files()
                .all(|(name, _)| !name.contains("known_f1") && !name.contains("OutOfFocus"))
        );
        assert!(nuclei.text("LICENSE.txt").unwrap().contains("Attribution 4.0"));
    }
}
