//! Layouts: how an imager names its files.

use std::path::PathBuf;

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

/// A layout.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Its name.
    pub name: String,
    /// What it is for, in one line.
    pub about: String,
}

/// The built-in layouts, in the order in which they are tried.
pub fn builtin_layouts() -> Vec<Layout> {
    unimplemented!()
}
