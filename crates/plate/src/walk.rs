//! The walk through a plate folder: every file with an image's name, without opening any.
//!
//! Folders are entered once each, whatever links lead to them; real folders go before links, and names in their order,
//! so that the same folder gives the same paths. Files and folders whose name begins with a dot are left out: they are
//! previews and notes of operating systems.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::PlateError;
use crate::site::SkippedFile;

/// File name endings of images, in lower case; compared without regard to case.
pub const IMAGE_EXTENSIONS: [&str; 5] = ["tif", "tiff", "png", "jpg", "jpeg"];
/// How deep below the root folders are entered.
pub const MAX_DEPTH: usize = 16;
/// Files and folders that are looked at.
pub const MAX_ENTRIES: usize = 5_000_000;
/// Largest image file that is taken, in bytes: 4 GiB.
pub const MAX_IMAGE_BYTES: u64 = 4 << 30;

/// A file with an image's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ImageFile {
    /// Path below the root, folders apart by `/`.
    pub below_root: String,
    /// The root joined with the path below it.
    pub path: PathBuf,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Files that can be taken.
    pub images: Vec<ImageFile>,
    /// Files that cannot, with the path below the root where it is text.
    pub skipped: Vec<(Option<String>, SkippedFile)>,
    /// What a user should know.
    pub warnings: Vec<String>,
}

/// A folder to be entered.
struct Folder {
    /// As the root and the names below it say.
    path: PathBuf,
    /// Where it really is.
    real: PathBuf,
    depth: usize,
}

/// Finds all image files below `root`.
///
/// Errors: the root is not a folder or cannot be read; too many entries. Anything below it is skipped with a reason.
pub(crate) fn walk(root: &Path) -> Result<Walked, PlateError> {
    let failed = |source| PlateError::Read {
        path: root.to_owned(),
        source,
    };
    let real = fs::canonicalize(root).map_err(failed)?;
    if !fs::metadata(&real).map_err(failed)?.is_dir() {
        return Err(PlateError::NotAFolder {
            root: root.to_owned(),
        });
    }
    fs::read_dir(&real).map_err(failed)?;
    let mut walk = Walk {
        root,
        real_root: real.clone(),
        entries: 0,
        visited: BTreeSet::new(),
        links: Vec::new(),
        found: Walked::default(),
        outside: 0,
    };
    walk.enter_all(Folder {
        path: root.to_owned(),
        real,
        depth: 0,
    })?;
    // Links found while links are followed come behind those found before.
    let mut next = 0;
    while let Some((link, depth)) = walk.links.get(next).cloned() {
        next += 1;
        walk.follow(link, depth)?;
    }
    if walk.outside > 0 {
        walk.found.warnings.push(format!(
            "{} image files are reached through links that leave the plate folder",
            walk.outside
        ));
    }
    walk.found.images.sort();
    walk.found.skipped.sort_by(|a, b| a.1.path.cmp(&b.1.path));
    Ok(walk.found)
}

struct Walk<'r> {
    root: &'r Path,
    real_root: PathBuf,
    entries: usize,
    /// Real paths of the folders that were entered.
    visited: BTreeSet<PathBuf>,
    /// Links to folders, to be followed when all real folders are done.
    links: Vec<(PathBuf, usize)>,
    found: Walked,
    /// Image files outside of the root.
    outside: usize,
}

impl Walk<'_> {
    /// Enters a folder and all real folders below it.
    fn enter_all(&mut self, folder: Folder) -> Result<(), PlateError> {
        let mut waiting = vec![folder];
        while let Some(folder) = waiting.pop() {
            if !self.visited.insert(folder.real.clone()) {
                continue;
            }
            if folder.depth > MAX_DEPTH {
                self.skip(
                    folder.path,
                    format!("a folder deeper than {MAX_DEPTH} folders, not entered"),
                );
                continue;
            }
            let entries = match fs::read_dir(&folder.path).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
                Ok(entries) => entries,
                Err(error) => {
                    self.skip(folder.path, format!("the folder cannot be read: {error}"));
                    continue;
                }
            };
            self.entries += entries.len();
            if self.entries > MAX_ENTRIES {
                return Err(PlateError::TooManyEntries {
                    root: self.root.to_owned(),
                    limit: MAX_ENTRIES,
                });
            }
            let mut names: Vec<_> = entries.iter().map(fs::DirEntry::file_name).collect();
            names.sort_unstable();
            for name in names
                .iter()
                .filter(|name| !name.as_encoded_bytes().starts_with(b"."))
            {
                waiting.extend(self.entry(&folder, name));
            }
        }
        Ok(())
    }

    /// Looks at one entry of a folder; gives it back where it is a folder to be entered.
    fn entry(&mut self, folder: &Folder, name: &OsStr) -> Option<Folder> {
        let (path, real) = (folder.path.join(name), folder.real.join(name));
        let is_image = has_image_extension(Path::new(name));
        let kind = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => {
                if is_image {
                    self.skip(path, format!("cannot be looked at: {error}"));
                }
                return None;
            }
        };
        if name.to_str().is_none() {
            if is_image || kind.is_dir() {
                self.skip(path, "its name is not UTF-8; rename it".to_owned());
            }
            return None;
        }
        if kind.is_dir() {
            if is_image {
                self.skip(
                    path,
                    "a folder with the name of an image; rename it if there are images in it".to_owned(),
                );
                return None;
            }
            return Some(Folder {
                path,
                real,
                depth: folder.depth + 1,
            });
        }
        if !kind.is_symlink() {
            if is_image {
                let is_outside = !folder.real.starts_with(&self.real_root);
                self.file(path, &kind, is_outside);
            }
            return None;
        }
        match fs::metadata(&path) {
            Ok(target) if target.is_dir() => self.links.push((path, folder.depth + 1)),
            Ok(target) if is_image => {
                let is_outside = !fs::canonicalize(&path).is_ok_and(|real| real.starts_with(&self.real_root));
                self.file(path, &target, is_outside);
            }
            Err(error) if is_image => self.skip(path, format!("a link that leads to no file: {error}")),
            Ok(_) | Err(_) => {}
        }
        None
    }

    /// Takes a file with an image's name, or says why not.
    fn file(&mut self, path: PathBuf, metadata: &Metadata, is_outside: bool) {
        if !metadata.is_file() {
            self.skip(
                path,
                "neither a file nor a folder (a pipe, socket or device), not opened".to_owned(),
            );
        } else if metadata.len() > MAX_IMAGE_BYTES {
            self.skip(
                path,
                format!("{} bytes, more than the limit of 4 GiB a field", metadata.len()),
            );
        } else if is_outside && !begins_as_an_image(&path) {
            self.skip(
                path,
                "a link out of the plate folder to something that is no TIFF, PNG or JPEG".to_owned(),
            );
        } else {
            self.outside += usize::from(is_outside);
            match below(self.root, &path) {
                Some(below_root) => self.found.images.push(ImageFile { below_root, path }),
                None => self.skip(path, "its name is not UTF-8; rename it".to_owned()),
            }
        }
    }

    /// Follows a link to a folder, unless the walk has been there or it leads to a folder that holds the root.
    fn follow(&mut self, link: PathBuf, depth: usize) -> Result<(), PlateError> {
        let real = match fs::canonicalize(&link) {
            Ok(real) => real,
            Err(error) => {
                self.skip(link, format!("a link that leads to no folder: {error}"));
                return Ok(());
            }
        };
        if self.visited.contains(&real) || self.real_root.starts_with(&real) {
            self.found.warnings.push(format!(
                "the folder link {link:?} leads back to a folder that was entered before; not entered again"
            ));
            return Ok(());
        }
        self.enter_all(Folder {
            path: link,
            real,
            depth,
        })
    }

    fn skip(&mut self, path: PathBuf, reason: String) {
        let below_root = below(self.root, &path);
        self.found.skipped.push((
            below_root,
            SkippedFile {
                path,
                reason,
                place: None,
            },
        ));
    }
}

fn has_image_extension(path: &Path) -> bool {
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| IMAGE_EXTENSIONS.contains(&extension.as_str()))
}

/// The path below the root with `/` between folders; `None` where it is not UTF-8.
fn below(root: &Path, path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.strip_prefix(root).ok()?.iter().map(OsStr::to_str).collect();
    Some(parts?.join("/"))
}

/// Whether a file begins as a TIFF, PNG or JPEG does: asked only of files outside of the plate folder.
fn begins_as_an_image(path: &Path) -> bool {
    let mut head = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    let begins = |magic: &[u8]| head.starts_with(magic);
    read.is_ok()
        && (begins(b"II*\0")
            || begins(b"MM\0*")
            || begins(b"II+\0")
            || begins(b"MM\0+")
            || begins(b"\x89PNG")
            || begins(b"\xFF\xD8\xFF"))
}
