//! Files of a run appear whole or not at all.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::EngineError;

/// Start of the name of a file that is being written; what an interrupted run leaves under such names is swept away by
/// the next start.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// Writes `bytes` under a temporary name in the same folder, forces them to the disk, and gives the file its name.
///
/// Errors: the folder cannot be written.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    let temporary = temporary_name(path);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| std::fs::rename(&temporary, path));
    if renamed.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    renamed.map_err(|source| EngineError::Write {
        path: path.to_owned(),
        source,
    })?;
    sync_folder(path);
    Ok(())
}

/// The temporary name that belongs to `path`: in the same folder, so that the renaming is one step, and with the
/// process in it, so that two shards that share a folder do not meet.
pub(crate) fn temporary_name(path: &Path) -> PathBuf {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    path.with_file_name(format!("{UNFINISHED}{}-{name}", std::process::id()))
}

/// Makes the new name itself safe against a power cut, where the system can do that.
fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}

/// Makes a folder with all its parents.
///
/// Errors: it cannot be made.
pub(crate) fn make_folder(path: &Path) -> Result<(), EngineError> {
    std::fs::create_dir_all(path).map_err(|source| EngineError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Names in a folder, sorted; an absent folder has none.
///
/// Errors: the folder is there but cannot be read.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>, EngineError> {
    let read = |source| EngineError::Read {
        path: folder.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(read(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(read)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Names in a folder that is to be written to, sorted: what cannot be listed cannot be used for results.
///
/// Errors: the folder is there but cannot be read, or is no folder.
pub(crate) fn names_in_output(folder: &Path) -> Result<Vec<String>, EngineError> {
    names_in(folder).map_err(|error| match error {
        EngineError::Read { path, source } => EngineError::Write { path, source },
        other => other,
    })
}

/// Reads a whole file.
///
/// Errors: it cannot be read.
pub(crate) fn read_whole(path: &Path) -> Result<Vec<u8>, EngineError> {
    std::fs::read(path).map_err(|source| EngineError::Read {
        path: path.to_owned(),
        source,
    })
}
