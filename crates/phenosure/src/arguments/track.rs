//! `track` and `evaluate track`.

use std::path::PathBuf;

use clap::Args;

use super::NetworkArguments;

/// Follow cells through a movie: tracks, divisions and lineages, each with its probability
///
/// Nothing has to be set: how far cells move, how often they are missed, divide, enter and leave is learned from the movie.
/// The probabilities of links and divisions say where to look first: review.csv lists the most doubtful ones.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  phenosure track frames/ --out tracks                          finds nuclei in every frame, then follows them
  phenosure track movie.tif --labels-from masks/ --out tracks   label images of any tool, one a frame
  phenosure track --detections spots.csv --out tracks           a table with frame, x, y and what else is known
  phenosure track plate1 --nuclei DAPI --out tracks             every field of a plate with time points

CellProfiler's words: TrackObjects. The table may have the names of CellProfiler, scikit-image or TrackMate.")]
pub struct Track {
    /// Frames as files, a folder of frames, a multi-page TIFF, or a folder of plates with time points
    pub movies: Vec<PathBuf>,
    /// Folder for the results
    #[arg(long, short, value_name = "DIR")]
    pub out: PathBuf,
    /// A CSV or parquet table with frame, x, y (and area, intensity, shape where known) instead of pictures
    #[arg(long, value_name = "TABLE", conflicts_with_all = ["movies", "labels_from"])]
    pub detections: Option<PathBuf>,
    /// Label images of any tool: a folder with one a frame, or a multi-page TIFF; the numbers of one frame mean nothing in the next
    #[arg(long, value_name = "DIR")]
    pub labels_from: Option<PathBuf>,
    /// Time from one frame to the next, as 5min or 30s: gives speeds and cycle lengths their units
    #[arg(long, value_name = "TIME")]
    pub frame_interval: Option<String>,
    /// Micrometers a pixel, as 0.65um (default: what the files say)
    #[arg(long, value_name = "SIZE")]
    pub pixel_size: Option<String>,
    /// Largest step of a cell in pixels a frame, or as 60um/h (default: learned from the movie)
    #[arg(long, value_name = "SPEED")]
    pub max_speed: Option<String>,
    /// Cells do not divide
    #[arg(long)]
    pub no_divisions: bool,
    /// Bundle that finds nuclei where no labels are given: name or folder
    #[arg(long, value_name = "BUNDLE", default_value = "nuclei", alias = "bundle")]
    pub segment_with: String,
    /// Layout of a plate's files: a built-in name or a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    pub layout: Option<String>,
    /// The channel of a plate that shows nuclei
    #[arg(long, value_name = "CHANNEL")]
    pub nuclei: Option<String>,
    /// Seed of the bootstraps
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Write the tables but not report.html
    #[arg(long)]
    pub no_report: bool,
    /// Write into a folder that holds other files all the same
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub networks: NetworkArguments,
}

/// Scores of a tracking against a truth, and what its probabilities are worth
///
/// The truth is a folder with label images and man_track.txt, or a CSV with track_id, frame, x, y, parent_id. Without a
/// result the truth's objects are tracked now, or those that a bundle finds in TRUTH/frames.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  phenosure evaluate track truth.csv tracks                     a folder that `phenosure track` wrote
  phenosure evaluate track 01_GT 01_RES                         folders of the Cell Tracking Challenge
  phenosure evaluate track movie --bundle nuclei                movie/frames, movie/labels, movie/man_track.txt")]
pub struct EvaluateTrack {
    /// Folder with label images and man_track.txt, or CSV with track_id, frame, x, y, parent_id
    pub truth: PathBuf,
    /// Folder that `track` wrote, folder of masks with res_track.txt, or CSV (default: track now)
    pub result: Option<PathBuf>,
    /// Find nuclei in TRUTH/frames with this bundle and track them (default: the truth's objects are tracked)
    #[arg(long, value_name = "BUNDLE", conflicts_with = "result")]
    pub bundle: Option<String>,
    /// Largest distance of a position from its true one, pixels (tables only)
    #[arg(long, value_name = "PIXELS", default_value_t = 8.0)]
    pub radius: f64,
    /// Keep the tracking that is made now in this folder
    #[arg(long, short, value_name = "DIR", conflicts_with = "result")]
    pub out: Option<PathBuf>,
    /// Seed of the bootstraps
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    pub networks: NetworkArguments,
}
