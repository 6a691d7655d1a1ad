//! The settings files that a user may copy are read, and the template says the true defaults.

use std::path::{Path, PathBuf};

use engine::{GatherParams, NetworkParams, Settings};

/// Settings that there are, without the names of channels; a new one belongs into the template.
const SETTINGS: usize = 32;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/screen")
}

#[test]
fn every_settings_file_is_read_and_within_bounds() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let settings = Settings::read(&file).unwrap_or_else(|error| panic!("{error}"));
        settings
            .gather_params()
            .unwrap_or_else(|error| panic!("{file:?}: {error}"));
        settings
            .network_params()
            .unwrap_or_else(|error| panic!("{file:?}: {error}"));
    }
}

#[test]
fn the_template_holds_the_defaults() {
    let template = Settings::read(&folder().join("template.toml")).unwrap();
    assert_eq!(template.gather_params().unwrap(), GatherParams::default());
    assert_eq!(template.network_params().unwrap(), NetworkParams::default());
}

#[test]
fn the_template_names_every_setting() {
    let text = std::fs::read_to_string(folder().join("template.toml")).unwrap();
    // Without the comment signs in front of settings, nothing in it is unknown.
    let open: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.contains(" = ") || setting.starts_with('[') => setting,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n");
    let settings: Settings = toml::from_str(&open).unwrap();
    let written = toml::to_string(&settings).unwrap();
    // One line a setting, and the table of channels with its two names.
    assert_eq!(
        written.lines().filter(|line| line.contains(" = ")).count(),
        SETTINGS + 2,
        "{written}"
    );
}
