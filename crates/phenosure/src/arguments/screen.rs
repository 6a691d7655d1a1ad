//! `screen` and `gather`.

use std::path::PathBuf;

use clap::Args;
use engine::Settings;

use super::{NetworkArguments, Statistics};

/// Screen a folder of plates: images and a plate map in, tables and report.html out
///
/// Finds nuclei, measures them and a ring around each in every channel, names classes where the bundle fits the plate,
/// flags cells unlike the controls, tests wells and treatments, and writes report.html. Running the same command again
/// after an interruption does only what is missing (CellProfiler: --first-image-set, --done-file). A bad site never
/// stops the plate (CellProfiler: always continue); it is named in the report, in run.json and by exit code 1.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  phenosure inspect plate1 --write screen.toml          what is there; settings to edit
  phenosure screen plate1 --plate-map map.csv --nuclei DAPI --out run1
  phenosure screen plate1 --plate-map map.csv --nuclei w1 --treatment GeneID --negcon RLUC --poscon UBC --out run1
  phenosure screen --config screen.toml --fdr 0.05      the file, with one value changed
  phenosure screen plate1 --nuclei DAPI --shard 2/8 --out run1-2     one part of eight; then: phenosure gather run1-*

CellProfiler's words: image set = site; group = plate; LoadData CSV = --plate-map; --first-image-set/--last-image-set
and batch files = --shard i/n; IdentifyPrimaryObjects = the segmentation (or --labels-from); per-object CSV = objects.parquet.")]
pub struct Screen {
    /// Folder with one or more plates (CellProfiler: -i)
    pub plate: Option<PathBuf>,
    /// Folder for the results (CellProfiler: -o)
    #[arg(long, short, value_name = "RUN")]
    pub out: Option<PathBuf>,
    /// Settings as TOML, named like the long options; what is typed wins
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write into the folder of another run all the same
    #[arg(long)]
    pub force: bool,

    /// Layout of the files: a built-in name or a TOML file (default: the one that explains all image files)
    #[arg(long, value_name = "NAME|FILE", help_heading = "Images")]
    pub layout: Option<String>,
    /// The channel that shows nuclei, by its name on disk or the one given with --channel; never guessed from order
    #[arg(long, value_name = "CHANNEL", help_heading = "Images")]
    pub nuclei: Option<String>,
    /// The channel that shows cells
    #[arg(long, value_name = "CHANNEL", help_heading = "Images")]
    pub cells: Option<String>,
    /// A name for a channel, used in columns and pictures: DAPI=w1 (CellProfiler: NamesAndTypes)
    #[arg(long, value_name = "NAME=FOUND", help_heading = "Images", value_parser = channel_name)]
    pub channel: Vec<(String, String)>,
    /// Your own label images instead of the segmentation, named like the site or its nuclear image (CellProfiler: objects saved as images)
    #[arg(long, value_name = "DIR", help_heading = "Images")]
    pub labels_from: Option<PathBuf>,
    /// Micrometers a pixel, as 0.65um (default: what the files say)
    #[arg(long, value_name = "SIZE", help_heading = "Images")]
    pub pixel_size: Option<String>,
    /// Typical diameter of a nucleus in pixels (default: measured on a few sites; CellProfiler: typical diameter)
    #[arg(long, value_name = "PIXELS", help_heading = "Images")]
    pub diameter_px: Option<f32>,
    /// Write the label images too
    #[arg(long, help_heading = "Images")]
    pub labels: bool,

    /// Bundle that finds nuclei: name or folder (default: nuclei)
    #[arg(long, value_name = "BUNDLE", help_heading = "Networks and machine")]
    pub segment_with: Option<String>,
    /// Bundle that names classes: name or folder; `none` for no classes (default: mitosis)
    #[arg(long, value_name = "BUNDLE", help_heading = "Networks and machine")]
    pub classify_with: Option<String>,
    /// Do one part of the run: every n-th site by a stable hash; `gather` puts the parts together
    #[arg(long, value_name = "I/N", help_heading = "Networks and machine")]
    pub shard: Option<String>,
    #[command(flatten)]
    pub networks: NetworkArguments,
    #[command(flatten)]
    pub statistics: Statistics,
}

impl Screen {
    pub fn settings(&self) -> Settings {
        Settings {
            plate: self.plate.clone(),
            out: self.out.clone(),
            layout: self.layout.clone(),
            nuclei: self.nuclei.clone(),
            cells: self.cells.clone(),
            channel: self.channel.iter().cloned().collect(),
            labels_from: self.labels_from.clone(),
            pixel_size: self.pixel_size.clone(),
            diameter_px: self.diameter_px,
            labels: self.labels.then_some(true),
            segment_with: self.segment_with.clone(),
            classify_with: self.classify_with.clone(),
            shard: self.shard.clone(),
            ..Settings::default()
        }
        .over(self.networks.settings())
        .over(self.statistics.settings())
    }
}

fn channel_name(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, found)) if !name.is_empty() && !found.is_empty() => {
            Ok((name.to_owned(), found.to_owned()))
        }
        _ => Err("say NAME=FOUND, as DAPI=w1".to_owned()),
    }
}

/// Make tables and report again from finished sites: seconds, no pixel is read
///
/// Puts the parts of a sharded run together, or makes the tables again with another plate map, other controls, other
/// rates or without some wells. Plate map, controls and rates that are not said are taken from the run; wells that were
/// left out before are in again unless --exclude says so.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  phenosure gather run1 --plate-map corrected.csv
  phenosure gather run1 --fdr 0.05 --exclude wells.csv
  phenosure gather part-1 part-2 part-3 --plate-map map.csv --out run1")]
pub struct Gather {
    /// Folders of runs, or of the parts of one
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Folder for the tables (default: the run itself, if there is one)
    #[arg(long, short, value_name = "RUN")]
    pub out: Option<PathBuf>,
    /// Settings as TOML, named like the long options; what is typed wins
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write into the folder of another run all the same
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub statistics: Statistics,
}
