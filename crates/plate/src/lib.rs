//! What is on disk: imager layouts, wells, sites, channels and time points; plate maps.
//!
//! This room finds files and reads the table that says what is in each well. It opens no image for its pixels.
//!
//! Invariants: a scan and a plate map are the same for the same folder and file, whatever the order in which the disk
//! lists them; nothing is dropped in silence (see [`PlateScan::unmatched`], [`PlateScan::skipped`] and the warnings);
//! a name that comes from a file never becomes a path ([`Site::id`]).
#![forbid(unsafe_code)]

mod check;
mod delimited;
mod error;
mod formula;
mod layout;
mod plate_map;
mod scan;
mod site;
mod slug;
mod walk;
mod well;

pub use check::{Assignment, NAMED_IN_A_WARNING};
pub use delimited::{MAX_COLUMNS, MAX_FILE_BYTES, MAX_ROW_BYTES, MAX_ROWS};
pub use error::{LayoutProblem, MapProblem, PlateError};
pub use formula::escape_csv_formula;
pub use layout::{Layout, LayoutChoice, builtin_layouts};
pub use plate_map::{PlateMap, PlateMapParams, PlateMapRow, Role};
pub use scan::scan;
pub use site::{Place, PlateScan, Site, SkippedFile};
pub use slug::file_name_slug;
pub use walk::{IMAGE_EXTENSIONS, MAX_DEPTH, MAX_ENTRIES, MAX_IMAGE_BYTES};
pub use well::{COLUMNS, ROWS, Well, WellProblem};
