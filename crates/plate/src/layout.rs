//! Layouts: how an imager names its files and folders.

use std::path::{Path, PathBuf};

use regex::{Captures, Regex};
use serde::Deserialize;

use crate::error::{LayoutProblem, PlateError};
use crate::well::Well;

/// Built-in layouts in the order in which they are tried, each a file of `configs/layouts/`.
const BUILTIN: [(&str, &str); 9] = [
    (
        "imagehts.toml",
        include_str!("../../../configs/layouts/imagehts.toml"),
    ),
    (
        "bbbc013.toml",
        include_str!("../../../configs/layouts/bbbc013.toml"),
    ),
    (
        "generic.toml",
        include_str!("../../../configs/layouts/generic.toml"),
    ),
    (
        "harmony.toml",
        include_str!("../../../configs/layouts/harmony.toml"),
    ),
    (
        "cellvoyager.toml",
        include_str!("../../../configs/layouts/cellvoyager.toml"),
    ),
    (
        "incell.toml",
        include_str!("../../../configs/layouts/incell.toml"),
    ),
    ("scanr.toml", include_str!("../../../configs/layouts/scanr.toml")),
    ("gen5.toml", include_str!("../../../configs/layouts/gen5.toml")),
    (
        "cellomics.toml",
        include_str!("../../../configs/layouts/cellomics.toml"),
    ),
];

/// Bytes of a layout file; more is not a layout.
const MAX_LAYOUT_BYTES: u64 = 1 << 20;

/// Groups with a meaning; all others must begin with an underscore.
const GROUPS: [&str; 8] = ["plate", "well", "row", "col", "site", "channel", "z", "time"];

/// Which layout to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LayoutChoice {
    /// All built-in layouts are tried; the one that explains all image files wins.
    #[default]
    Auto,
    /// A built-in layout by name.
    Named(String),
    /// A layout in a TOML file.
    File(PathBuf),
}

impl LayoutChoice {
    /// What a user means with `--layout TEXT`: `auto`, a built-in name, or else a file where the text ends in `.toml`
    /// or has a folder in it.
    pub fn from_argument(text: &str) -> Self {
        if text.eq_ignore_ascii_case("auto") {
            return Self::Auto;
        }
        let is_file = text.to_ascii_lowercase().ends_with(".toml") || text.contains(['/', '\\']);
        if is_file {
            Self::File(PathBuf::from(text))
        } else {
            Self::Named(text.to_owned())
        }
    }

    /// The layouts to try.
    pub(crate) fn layouts(&self) -> Result<Vec<Layout>, PlateError> {
        match self {
            Self::Auto => Ok(builtin_layouts()),
            Self::File(path) => Ok(vec![Layout::read(path)?]),
            Self::Named(name) => {
                let layouts = builtin_layouts();
                let known = layouts.iter().map(|layout| layout.name.clone()).collect();
                let found = layouts
                    .into_iter()
                    .find(|layout| layout.name.eq_ignore_ascii_case(name));
                Ok(vec![found.ok_or_else(|| PlateError::UnknownLayout {
                    name: name.clone(),
                    known,
                })?])
            }
        }
    }
}

/// A layout: a regular expression over the path below the plate folder, with what its named groups mean.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Its name.
    pub name: String,
    /// What it is for, in one line.
    pub about: String,
    /// The expression.
    pattern: Regex,
    /// Folder names, in lower case, that are never a plate's name.
    not_a_plate: Vec<String>,
    /// What row and column numbers count from.
    counts_from: u8,
}

/// The keys of a layout file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LayoutFile {
    name: String,
    #[serde(default)]
    about: String,
    pattern: String,
    #[serde(default)]
    not_a_plate: Vec<String>,
    #[serde(default = "one")]
    counts_from: u8,
}

fn one() -> u8 {
    1
}

/// Where a file belongs by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilePlace {
    /// Plate by the pattern or by a folder; `None`: the root folder is the plate.
    pub plate: Option<String>,
    pub well: Well,
    pub site: i32,
    pub timepoint: i32,
    pub channel: String,
    pub z: Option<String>,
}

impl Layout {
    /// Reads a layout file.
    ///
    /// Errors: [`PlateError::Read`]; [`PlateError::Layout`] with what is wrong in it.
    pub fn read(path: &Path) -> Result<Self, PlateError> {
        let failed = |source| PlateError::Read {
            path: path.to_owned(),
            source,
        };
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(std::io::Error::other(
                "not a file; give a layout in a TOML file, or the name of a built-in one",
            )));
        }
        if metadata.len() > MAX_LAYOUT_BYTES {
            return Err(PlateError::Layout {
                path: path.to_owned(),
                problem: Box::new(LayoutProblem::TooLarge(MAX_LAYOUT_BYTES)),
            });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(failed)?, path)
    }

    /// A layout from the text of its file; `path` stands in messages.
    ///
    /// Errors: [`PlateError::Layout`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, PlateError> {
        Self::checked(text).map_err(|problem| PlateError::Layout {
            path: path.to_owned(),
            problem: Box::new(problem),
        })
    }

    fn checked(text: &str) -> Result<Self, LayoutProblem> {
        let file: LayoutFile = toml::from_str(text)?;
        let pattern = Regex::new(&file.pattern)?;
        let groups: Vec<&str> = pattern.capture_names().flatten().collect();
        if let Some(unknown) = groups
            .iter()
            .find(|group| !GROUPS.contains(group) && !group.starts_with('_'))
        {
            return Err(LayoutProblem::UnknownGroup((*unknown).to_owned()));
        }
        let has = |group: &str| groups.contains(&group);
        let names_a_well = has("well") || (has("row") && has("col"));
        if !names_a_well {
            return Err(LayoutProblem::MissingGroup("well"));
        }
        if !has("channel") {
            return Err(LayoutProblem::MissingGroup("channel"));
        }
        let not_a_plate = file
            .not_a_plate
            .iter()
            .map(|folder| folder.to_lowercase())
            .collect();
        Ok(Self {
            name: file.name,
            about: file.about,
            pattern,
            not_a_plate,
            counts_from: file.counts_from,
        })
    }

    /// Where the file with this path below the root (folders apart by `/`) belongs; `None` where the pattern does not
    /// match, or matches something that is no well of any plate.
    pub(crate) fn explain(&self, path: &str) -> Option<FilePlace> {
        let found = self.pattern.captures(path)?;
        let number = |group: &str, without: i32| {
            found
                .name(group)
                .map_or(Some(without), |text| text.as_str().parse().ok())
        };
        let start = found.get(0)?.start();
        let plate = match found
            .name("plate")
            .map(|plate| plate.as_str())
            .filter(|plate| !plate.is_empty())
        {
            Some(plate) => Some(plate.to_owned()),
            None => path[..start]
                .split('/')
                .rev()
                .find(|folder| self.may_be_a_plate(folder))
                .map(str::to_owned),
        };
        Some(FilePlace {
            plate,
            well: self.well(&found)?,
            site: number("site", 1)?,
            timepoint: number("time", 0)?,
            channel: channel_name(found.name("channel")?.as_str()),
            z: found.name("z").map(|z| z.as_str().to_owned()),
        })
    }

    fn well(&self, found: &Captures<'_>) -> Option<Well> {
        if let Some(well) = found.name("well") {
            return well.as_str().parse().ok();
        }
        let (row, column) = (found.name("row")?.as_str(), found.name("col")?.as_str());
        let one_based = |text: &str| -> Option<String> {
            let number: u16 = text.parse().ok()?;
            Some((number + 1).checked_sub(u16::from(self.counts_from))?.to_string())
        };
        let row = if row.bytes().all(|byte| byte.is_ascii_digit()) {
            one_based(row)?
        } else {
            row.to_owned()
        };
        Well::from_row_and_column(&row, &one_based(column)?).ok()
    }

    /// Whether a folder of this name may be a plate.
    pub(crate) fn may_be_a_plate(&self, folder: &str) -> bool {
        !folder.is_empty() && !self.not_a_plate.contains(&folder.to_lowercase())
    }
}

/// A channel's name; a number without its zeros, so that `01` and `1` are one channel.
fn channel_name(text: &str) -> String {
    match text.parse::<u32>() {
        Ok(number) if text.bytes().all(|byte| byte.is_ascii_digit()) => number.to_string(),
        _ => text.to_owned(),
    }
}

/// The built-in layouts, in the order in which they are tried.
pub fn builtin_layouts() -> Vec<Layout> {
    let parsed = BUILTIN
        .iter()
        .map(|(file, text)| Layout::parse(text, Path::new(file)));
    parsed
        .map(|layout| {
            layout.expect("a built-in layout is broken; this is a bug that the tests of this file find")
        })
        .collect()
}

#[cfg(test)]
mod tests;
