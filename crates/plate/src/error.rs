//! Everything that can be wrong with a plate folder, a layout or a plate map.

use std::path::PathBuf;

use crate::well::{Well, WellProblem};

/// An error of this room: what is wrong, in which file, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlateError {
    /// The disk said no.
    #[error("{path:?} cannot be read: {source}")]
    Read {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The root is a file or something else.
    #[error("{root:?} is not a folder; give the folder that holds the plate")]
    NotAFolder {
        /// What was given.
        root: PathBuf,
    },
    /// No file has the name of an image.
    #[error(
        "{root:?} holds no image file (.tif, .tiff, .png, .jpg, .jpeg); give the folder that holds the plate"
    )]
    NoImages {
        /// The folder.
        root: PathBuf,
    },
    /// Every image file had to be skipped.
    #[error(
        "{root:?} holds no image file that can be used: {skipped} skipped, the first is {first:?} ({reason})"
    )]
    NothingUsable {
        /// The folder.
        root: PathBuf,
        /// Files that were skipped or have no known name.
        skipped: usize,
        /// The first of them.
        first: PathBuf,
        /// Why it was skipped.
        reason: String,
    },
    /// The folder does not end.
    #[error("{root:?} holds more than {limit} files and folders; give the folder of one plate or one screen")]
    TooManyEntries {
        /// The folder.
        root: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// No layout explains any image file.
    #[error("none of the {files} image files in {root:?} has a name that a known layout explains (first: {first:?}); known layouts: {}; write your own and give it with --layout FILE", .known.join(", "))]
    NoLayout {
        /// The folder.
        root: PathBuf,
        /// Image files seen.
        files: usize,
        /// The first of them.
        first: PathBuf,
        /// Layouts that were tried.
        known: Vec<String>,
    },
    /// The layout that was asked for explains no image file.
    #[error(
        "layout {layout:?} explains none of the {files} image files in {root:?} (first: {first:?}); leave --layout out to have all layouts tried"
    )]
    LayoutFitsNothing {
        /// The layout's name.
        layout: String,
        /// The folder.
        root: PathBuf,
        /// Image files seen.
        files: usize,
        /// The first of them.
        first: PathBuf,
    },
    /// Several layouts explain the same number of files.
    #[error("layouts {} explain the same {files} image files in {root:?}; choose one with --layout", .layouts.join(" and "))]
    TiedLayouts {
        /// The folder.
        root: PathBuf,
        /// Image files that each explains.
        files: usize,
        /// Their names.
        layouts: Vec<String>,
    },
    /// No built-in layout has that name.
    #[error("no layout is called {name:?}; known layouts: {}; or give a TOML file", .known.join(", "))]
    UnknownLayout {
        /// The name.
        name: String,
        /// Built-in names.
        known: Vec<String>,
    },
    /// A layout file is wrong.
    #[error("layout {path:?}: {problem}")]
    Layout {
        /// The layout's file.
        path: PathBuf,
        /// What is wrong in it.
        problem: Box<LayoutProblem>,
    },
    /// Two files claim one place.
    #[error(
        "{first:?} and {second:?} are both plate {plate:?} well {well} site {site} time {timepoint} channel {channel}; keep one of them or use a layout that tells them apart"
    )]
    DoubledImage {
        /// The first file.
        first: PathBuf,
        /// The second file.
        second: PathBuf,
        /// Plate.
        plate: String,
        /// Well.
        well: Well,
        /// Site.
        site: i32,
        /// Time point.
        timepoint: i32,
        /// Channel.
        channel: String,
    },
    /// The plate has z planes.
    #[error(
        "{first:?} and {second:?} are two z planes of one field; this version reads one plane a field: keep one plane or a projection in a folder of its own"
    )]
    ZPlanes {
        /// A file.
        first: PathBuf,
        /// The same field in another plane.
        second: PathBuf,
    },
    /// No channel has that name.
    #[error("no channel is called {name:?}; channels found: {}", .known.join(", "))]
    UnknownChannel {
        /// The name.
        name: String,
        /// Channels of the scan.
        known: Vec<String>,
    },
    /// A plate map is wrong.
    #[error("plate map {file:?}{}: {problem}", in_line(*.line))]
    Map {
        /// The plate map.
        file: PathBuf,
        /// Physical line, from 1; `None` where the whole file is meant.
        line: Option<u64>,
        /// What is wrong.
        problem: Box<MapProblem>,
    },
}

fn in_line(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}

/// What is wrong in a layout file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutProblem {
    /// Not TOML, or not the keys of a layout.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// Not a regular expression.
    #[error("`pattern` is not a regular expression: {0}")]
    Pattern(#[from] regex::Error),
    /// A group is missing.
    #[error(
        "`pattern` has no group {0}; it needs well (or row and col) and channel, for example (?P<channel>\\d+)"
    )]
    MissingGroup(&'static str),
    /// A group that means nothing.
    #[error(
        "`pattern` has a group {0:?} that means nothing; groups: plate, well, row, col, site, channel, z, time, or a name that begins with an underscore"
    )]
    UnknownGroup(String),
    /// Larger than any layout.
    #[error("larger than {0} bytes; that is not a layout")]
    TooLarge(u64),
}

/// What is wrong in a plate map.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MapProblem {
    /// Nothing in it.
    #[error("the file is empty; write a header with a `well` column and one row a well")]
    Empty,
    /// A header alone.
    #[error("there is a header but no rows; write one row a well")]
    NoRows,
    /// Another kind of file.
    #[error("this is {kind}, not a CSV; {advice}")]
    OtherFile {
        /// What the content is.
        kind: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// Not UTF-8.
    #[error("not UTF-8 text{detail}; save the file as CSV UTF-8")]
    NotUtf8 {
        /// What is known about it.
        detail: String,
    },
    /// A NUL byte.
    #[error(
        "a NUL character stands in the text, so the file is binary or damaged; save it again as CSV UTF-8"
    )]
    Nul,
    /// A quote without its end.
    #[error("a quote is opened here and never closed; close it, or double it where it is part of a name")]
    OpenQuote,
    /// A ragged row.
    #[error(
        "the row has {found} fields, the header has {expected}; quote a name that holds the delimiter {delimiter:?}"
    )]
    RowLength {
        /// Fields of the row.
        found: usize,
        /// Fields of the header.
        expected: usize,
        /// Delimiter of the file.
        delimiter: char,
    },
    /// A limit was hit.
    #[error("more than {limit} {what}; no plate map needs as many")]
    Limit {
        /// The limit.
        limit: usize,
        /// What is counted.
        what: &'static str,
    },
    /// A plate drawn as a grid.
    #[error("this looks like a plate drawn as a grid; one row a well is needed, with a `well` column")]
    Grid,
    /// No column says which well.
    #[error("no column names the well; call it `well` (or `row` and `column`); columns found: {}", quoted(.columns))]
    NoWellColumn {
        /// Columns of the header.
        columns: Vec<String>,
    },
    /// A column stands twice.
    #[error("the column {column:?} is there twice; keep one or rename it")]
    DoubledColumn {
        /// Its name.
        column: String,
    },
    /// A column that was asked for is not there.
    #[error("no column is called {column:?}; columns found: {}", quoted(.columns))]
    NoColumn {
        /// The name.
        column: String,
        /// Columns of the header.
        columns: Vec<String>,
    },
    /// Two columns disagree on the well.
    #[error(
        "column {first_column:?} says {first}, column {second_column:?} says {second}; which well is it?"
    )]
    WellColumnsDisagree {
        /// A column.
        first_column: String,
        /// Its well.
        first: String,
        /// Another column.
        second_column: String,
        /// Its well.
        second: String,
    },
    /// Not a well.
    #[error("{0}")]
    Well(WellProblem),
    /// A well stands twice.
    #[error("well {well}{} is listed twice (first in line {first}); keep one row per well", plate_of(.plate.as_ref()))]
    DoubledWell {
        /// The well.
        well: Well,
        /// Its plate.
        plate: Option<String>,
        /// Line of its first row.
        first: u64,
    },
    /// The plate is empty.
    #[error("the plate is empty in column {column:?}; name the plate in every row, or leave the column out")]
    NoPlate {
        /// The plate's column.
        column: String,
    },
    /// A dose that is no number.
    #[error(
        "dose {text:?} is not a number; leave the cell empty where there is no dose, and write the unit in a column `unit`"
    )]
    Dose {
        /// What was read.
        text: String,
    },
    /// A dose that could be two numbers.
    #[error("dose {text:?} can be read as {with_point} or as {without}; write it without a comma")]
    AmbiguousDose {
        /// What was read.
        text: String,
        /// As a decimal comma.
        with_point: String,
        /// As a thousands separator.
        without: String,
    },
    /// A dose below 0.
    #[error("dose {text:?} is negative; a dose has a logarithm, so give the concentration itself")]
    NegativeDose {
        /// What was read.
        text: String,
    },
    /// Unit column and dose column disagree.
    #[error("the unit is {unit:?} here, but the dose column {column:?} says {in_name:?}; which is it?")]
    UnitsDisagree {
        /// Unit of the row.
        unit: String,
        /// The dose column.
        column: String,
        /// Unit in its name.
        in_name: String,
    },
    /// A role that is not known.
    #[error("role {text:?} in column {column:?} is not known; known roles: {known}")]
    Role {
        /// What was read.
        text: String,
        /// The role's column.
        column: String,
        /// Names that are read.
        known: String,
    },
    /// A control that no row has.
    #[error("{option} {value:?} is no treatment and no role of the plate map; values found: {}", quoted(.known))]
    UnknownControl {
        /// `--negcon` or `--poscon`.
        option: &'static str,
        /// What was given.
        value: String,
        /// Values of the treatment column.
        known: Vec<String>,
    },
    /// A row is both controls.
    #[error(
        "this row is a negative control by --negcon and a positive control by --poscon; name each value once"
    )]
    BothControls,
    /// Nothing of the map is on disk.
    #[error(
        "none of its {wells} wells has images in {root:?} (map: {map}; on disk: {disk}); is it the map of another plate?"
    )]
    NothingOnDisk {
        /// Wells of the map.
        wells: usize,
        /// The scanned folder.
        root: PathBuf,
        /// Plates and first wells of the map.
        map: String,
        /// Plates and first wells on disk.
        disk: String,
    },
}

/// Names that are listed in a message before it says how many more there are.
const LISTED: usize = 20;

fn quoted(names: &[String]) -> String {
    let mut list: Vec<String> = names
        .iter()
        .take(LISTED)
        .map(|name| format!("{name:?}"))
        .collect();
    if names.len() > LISTED {
        list.push(format!("and {} more", names.len() - LISTED));
    }
    if list.is_empty() {
        "none".to_owned()
    } else {
        list.join(", ")
    }
}

fn plate_of(plate: Option<&String>) -> String {
    plate.map_or_else(String::new, |plate| format!(" of plate {plate:?}"))
}
