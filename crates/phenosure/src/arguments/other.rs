//! The smaller commands.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::NetworkArguments;

/// Screen a real plate that is in the program and write its report
///
/// Wells of BBBC013: two drugs at nine doses, untreated and positive controls. The program is told only which wells are
/// untreated. One file is cut short on purpose, to show how a bad site is named; the exit code is 0 all the same.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  phenosure demo
  phenosure demo --out demo-run --threads 2
  phenosure demo --planted          real nuclei in an arrangement with a known truth")]
pub struct Demo {
    /// Folder for the results
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Screen an arrangement of real MitoCheck nuclei with a known truth and print estimate against truth
    #[arg(long)]
    pub planted: bool,
    /// Write into the folder of another run all the same
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub networks: NetworkArguments,
}

/// Find nuclei in images: label images, an object table with confidence, outlines
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  phenosure segment field1.tif field2.tif --out nuclei
  phenosure segment images/*.png --bundle my-nuclei --members 1 --out nuclei

CellProfiler's words: IdentifyPrimaryObjects, ConvertObjectsToImage, OverlayOutlines.")]
pub struct Segment {
    /// Images (TIFF, PNG, JPEG), one plane each
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    /// Folder for the results
    #[arg(long, short, value_name = "DIR")]
    pub out: PathBuf,
    /// Bundle that finds nuclei: name or folder
    #[arg(long, value_name = "BUNDLE", default_value = "nuclei", alias = "segment-with")]
    pub bundle: String,
    /// Write into a folder that holds other files all the same
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub networks: NetworkArguments,
}

/// Name the classes of objects that are already segmented or cropped, with sets and novelty
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  phenosure classify field1.tif field2.tif --labels-from nuclei/labels --out classes
  phenosure classify cells.csv --out classes            a table with image, x, y
  phenosure classify crops/*.png --crops --out classes  each image is one cell

CellProfiler's words: FilterObjects or CellProfiler Analyst's classifier.")]
pub struct Classify {
    /// Images with label images, images of one cell each, or one CSV with image, x, y (columns from 0, in pixels)
    #[arg(required = true)]
    pub inputs: Vec<PathBuf>,
    /// Folder for the results
    #[arg(long, short, value_name = "DIR")]
    pub out: PathBuf,
    /// Folder of label images named like the images
    #[arg(long, value_name = "DIR", conflicts_with = "crops")]
    pub labels_from: Option<PathBuf>,
    /// Each image is one cell, in its middle
    #[arg(long)]
    pub crops: bool,
    /// Bundle that names classes: name or folder
    #[arg(
        long,
        value_name = "BUNDLE",
        default_value = "mitosis",
        alias = "classify-with"
    )]
    pub bundle: String,
    /// Typical diameter of a nucleus in pixels (default: measured from the label images)
    #[arg(long, value_name = "PIXELS")]
    pub diameter_px: Option<f32>,
    /// Share of cells whose set of classes must hold the true one
    #[arg(long, value_name = "SHARE", default_value_t = 0.9)]
    pub set_coverage: f64,
    /// Write into a folder that holds other files all the same
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub networks: NetworkArguments,
}

/// Say what a plate folder, an image or a run is, before any time is spent on it
///
/// For a plate: the layout, wells, channels, sizes, what would be skipped, and with a plate map whether hits and flags
/// are estimable with these controls, and what it would take.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  phenosure inspect plate1
  phenosure inspect plate1 --plate-map map.csv --negcon DMSO --write screen.toml
  phenosure inspect field1.tif
  phenosure inspect run1")]
pub struct Inspect {
    /// A folder of plates, an image, or the folder of a run
    pub path: PathBuf,
    /// Write the settings of a run on this plate, to edit and use with screen --config
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Layout of the files: a built-in name or a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    pub layout: Option<String>,
    /// The plate map
    #[arg(long, value_name = "MAP")]
    pub plate_map: Option<PathBuf>,
    /// Column that names the treatment
    #[arg(long, value_name = "COLUMN")]
    pub treatment: Option<String>,
    /// Column that holds the dose
    #[arg(long, value_name = "COLUMN")]
    pub dose: Option<String>,
    /// Values that are negative controls
    #[arg(long, value_name = "VALUE", num_args = 1..)]
    pub negcon: Vec<String>,
    /// Values that are positive controls
    #[arg(long, value_name = "VALUE", num_args = 1..)]
    pub poscon: Vec<String>,
    /// Write over the file of --write
    #[arg(long)]
    pub force: bool,
}

/// List the bundles that are built in, or show the card of one
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  phenosure models
  phenosure models show mitosis")]
pub struct Models {
    #[command(subcommand)]
    pub command: Option<ModelsCommand>,
}

#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Show what a bundle is: task, classes, data and licence, held-out figures, digest
    #[command(after_help = "Example:\n  phenosure models show nuclei")]
    Show {
        /// Name of a built-in bundle, or a folder
        bundle: String,
    },
}

/// Write completions for a shell to stdout
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  phenosure completions bash > ~/.local/share/bash-completion/completions/phenosure"
)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Write the manual page to stdout, or one page a command into a folder
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  phenosure man | man -l -\n  phenosure man --out man1")]
pub struct Man {
    /// Folder for one page a command
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
