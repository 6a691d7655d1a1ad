//! A folder and a command for every test.
#![allow(dead_code, reason = "every test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of the repository's fixtures.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures")
        .join(name)
        .canonicalize()
        .unwrap()
}

/// How one start of the program ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A start of the program, not begun yet.
pub fn phenosure(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_phenosure"));
    command.args(arguments).env_remove("RUST_BACKTRACE");
    command
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> Ended {
    let Output {
        status,
        stdout,
        stderr,
    } = phenosure(arguments).output().unwrap();
    Ended {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

impl Ended {
    /// Fails the test with all words of the program unless it ended with `code`.
    #[track_caller]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Fails the test unless every word stands in what went to stderr.
    #[track_caller]
    pub fn saying(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in:\n{}", self.stderr);
        }
        self
    }
}

/// A plate of a test in a folder of its own, which goes with it.
pub struct Plate {
    pub folder: tempfile::TempDir,
}

impl Plate {
    /// A copy of the crops of BBBC013 with their label images and plate map, free to be damaged.
    pub fn bbbc013_crops() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = fixture("bbbc013_crops");
        for part in ["plate", "labels"] {
            copy_folder(&source.join(part), &folder.path().join(part));
        }
        std::fs::copy(source.join("map.csv"), folder.path().join("map.csv")).unwrap();
        Self { folder }
    }

    /// A path in the test's folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Arguments of `screen` that need no network: given labels, no classes.
    pub fn screen_arguments(&self, out: &str, more: &[&str]) -> Vec<String> {
        let mut arguments = vec!["screen".to_owned(), self.path("plate")];
        for (option, value) in [
            ("--plate-map", "map.csv"),
            ("--labels-from", "labels"),
            ("--out", out),
        ] {
            arguments.extend([option.to_owned(), self.path(value)]);
        }
        arguments.extend(
            [
                "--channel",
                "GFP=1",
                "--channel",
                "DNA=2",
                "--classify-with",
                "none",
            ]
            .map(str::to_owned),
        );
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        arguments
    }

    /// Screens into a folder of the test.
    pub fn screen(&self, out: &str, more: &[&str]) -> Ended {
        let arguments = self.screen_arguments(out, more);
        run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Text of a file.
    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// All files of a folder of the test, by path below it.
    pub fn files(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.folder.path().join(name), "", &mut files);
        files
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        // Read and write instead of copy: a fixture may be read-only, its copy must not be.
        std::fs::write(to.join(path.file_name().unwrap()), std::fs::read(&path).unwrap()).unwrap();
    }
}

fn collect(folder: &Path, below: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{below}{}", path.file_name().unwrap().to_string_lossy());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files);
        } else {
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

/// Fails unless two folders hold the same files with the same bytes.
#[track_caller]
pub fn same_files(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in one {
        assert!(
            bytes == &other[name],
            "{name} differs ({} and {} bytes)",
            bytes.len(),
            other[name].len()
        );
    }
}

/// A CSV as rows by column name; cells of these tests hold no quotes.
pub fn rows_of(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let headers = reader.headers().unwrap().clone();
    reader
        .records()
        .map(|row| {
            headers
                .iter()
                .map(str::to_owned)
                .zip(row.unwrap().iter().map(str::to_owned))
                .collect()
        })
        .collect()
}
