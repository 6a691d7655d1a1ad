//! `train` and `evaluate`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::NetworkArguments;
use super::track::EvaluateTrack;

/// Train an ensemble on your own labels
#[derive(Args, Debug)]
pub struct Train {
    #[command(subcommand)]
    pub task: TrainTask,
}

#[derive(Debug, Subcommand)]
pub enum TrainTask {
    /// Train networks that find objects
    #[command(after_help = "\
Example:
  phenosure train segment images --out my-nuclei        images with label images beside them")]
    Segment(TrainArguments),
    /// Train networks that name classes
    #[command(after_help = "\
Example:
  phenosure train classify cells --out my-classes       labels.csv (image, x, y, label, group) or crops by class")]
    Classify(TrainArguments),
}

/// What every training is told.
#[derive(Args, Clone, Debug)]
pub struct TrainArguments {
    /// Folder of the training data
    pub data: PathBuf,
    /// Folder for the bundle; stop with Ctrl-C, go on with the same command
    #[arg(long, short, value_name = "BUNDLE")]
    pub out: PathBuf,
    /// CSV that says which fold each image or cell is in (default: folds by group); fold 0 is never trained on
    #[arg(long, value_name = "CSV")]
    pub splits: Option<PathBuf>,
    /// Members of the ensemble (default: as many as the shipped bundle has)
    #[arg(long, value_name = "N")]
    pub members: Option<usize>,
    /// Epochs (classify) or steps (segment) of every member (default: the recipe's)
    #[arg(long, value_name = "N")]
    pub length: Option<usize>,
    /// Bundle to start from
    #[arg(long, value_name = "BUNDLE")]
    pub from: Option<String>,
    /// Name of the bundle (default: name of its folder)
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Data set, licence and citation, one line each, for the bundle's card
    #[arg(long, value_name = "LINE")]
    pub source: Vec<String>,
    /// Licence of the weights
    #[arg(long, value_name = "LICENCE", default_value = "not stated")]
    pub licence: String,
    /// Seed of every random choice
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Where networks are computed: cpu, cuda, cuda:1 or auto
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
    /// Instruction set on the processor: auto, avx512, avx2 or portable
    #[arg(long, value_name = "SET", default_value = "auto")]
    pub isa: String,
    /// Threads (default: all)
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Write over another bundle
    #[arg(long)]
    pub force: bool,
}

/// Held-out figures of a bundle, with intervals
#[derive(Args, Debug)]
pub struct Evaluate {
    #[command(subcommand)]
    pub task: EvaluateTask,
}

#[derive(Debug, Subcommand)]
pub enum EvaluateTask {
    /// Average precision of found objects
    #[command(after_help = "\
Example:
  phenosure evaluate segment images --bundle nuclei")]
    Segment(EvaluateArguments),
    /// Accuracy, calibration, coverage and novelty of named classes
    #[command(after_help = "\
Example:
  phenosure evaluate classify cells --bundle mitosis")]
    Classify(EvaluateArguments),
    Track(EvaluateTrack),
}

impl EvaluateTask {
    pub fn networks(&self) -> &NetworkArguments {
        match self {
            Self::Segment(arguments) | Self::Classify(arguments) => &arguments.networks,
            Self::Track(arguments) => &arguments.networks,
        }
    }
}

/// What every evaluation is told.
#[derive(Args, Clone, Debug)]
pub struct EvaluateArguments {
    /// Folder of the labelled data
    pub data: PathBuf,
    /// Bundle: name or folder
    #[arg(long, value_name = "BUNDLE")]
    pub bundle: String,
    /// CSV that says which fold each image or cell is in (default: everything is test data)
    #[arg(long, value_name = "CSV")]
    pub splits: Option<PathBuf>,
    /// Fold to look at where there are splits
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub fold: u32,
    /// Folder for predictions that other scorers can read
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Seed of the bootstraps
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    pub networks: NetworkArguments,
}
