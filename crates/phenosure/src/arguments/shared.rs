//! Options that several commands share.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use engine::Settings;

/// How the program talks; every command has these.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct Shared {
    /// Put one machine-readable object on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more: the causes of an error and the memory that networks need (-v), every site (-vv)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// How the networks are used.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Networks and machine")]
pub struct NetworkArguments {
    /// Where networks are computed: cpu, cuda, cuda:1 or auto
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Instruction set on the processor: auto, avx512, avx2 or portable; results are the same bytes for the same one
    #[arg(long, value_name = "SET")]
    pub isa: Option<String>,
    /// Members of a bundle that are used (default: all)
    #[arg(long, value_name = "N")]
    pub members: Option<usize>,
    /// Dropout draws a member (default: what the bundle asks for); 0 is one pass without dropout
    #[arg(long, value_name = "T")]
    pub draws: Option<usize>,
    /// Threads (default: all); the results are the same bytes for any number
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Memory that sites in work may use together, as 8GiB (default: half of the machine)
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
}

impl NetworkArguments {
    pub fn settings(&self) -> Settings {
        Settings {
            device: self.device.clone(),
            isa: self.isa.clone(),
            members: self.members,
            draws: self.draws,
            threads: self.threads,
            memory: self.memory.clone(),
            ..Settings::default()
        }
    }
}

/// The plate map and the cutoffs: all that `gather` may change without reading a pixel.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Plate map and statistics")]
pub struct Statistics {
    /// CSV or TSV, one row a well: well (A1, A01) or row + column; plate, treatment, dose, unit, role where known
    /// (CellProfiler: the LoadData or Metadata CSV)
    #[arg(long, value_name = "MAP")]
    pub plate_map: Option<PathBuf>,
    /// Column that names the treatment (default: treatment, or a known synonym)
    #[arg(long, value_name = "COLUMN")]
    pub treatment: Option<String>,
    /// Column that holds the dose; its name may hold the unit, as concentration_nM
    #[arg(long, value_name = "COLUMN")]
    pub dose: Option<String>,
    /// Values of the treatment column or of `role` that are negative controls
    #[arg(long, value_name = "VALUE", num_args = 1..)]
    pub negcon: Vec<String>,
    /// Values of the treatment column or of `role` that are positive controls
    #[arg(long, value_name = "VALUE", num_args = 1..)]
    pub poscon: Vec<String>,
    /// CSV of wells to leave out: well, and plate where there are several
    #[arg(long, value_name = "CSV")]
    pub exclude: Option<PathBuf>,
    /// False-discovery rate of hits and flagged cells (default: 0.1)
    #[arg(long, value_name = "RATE")]
    pub fdr: Option<f64>,
    /// False-discovery rate of cell-count hits over wells (default: 0.05)
    #[arg(long, value_name = "RATE")]
    pub count_fdr: Option<f64>,
    /// Smallest change of the cell count that is a hit (default: 2, half or double)
    #[arg(long, value_name = "RATIO")]
    pub min_effect: Option<f64>,
    /// Share of cells whose set of classes must hold the true one (default: 0.9)
    #[arg(long, value_name = "SHARE")]
    pub set_coverage: Option<f64>,
    /// Dispersion of cell counts that is assumed below 8 control wells (default: 0.1)
    #[arg(long, value_name = "ALPHA")]
    pub dispersion: Option<f64>,
    /// What a cell must be unlike to count as new: controls, known or both (default: both that are possible)
    #[arg(long, value_name = "REFERENCE")]
    pub novel_against: Option<String>,
    /// Number of clusters (default: chosen by the data)
    #[arg(long, value_name = "K")]
    pub clusters: Option<usize>,
    /// Seed of every random choice (default: 1)
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Write the tables but not report.html
    #[arg(long)]
    pub no_report: bool,
    /// Gate for pipelines: end with exit code 5 unless these hold: calibration (the bundle fits this plate),
    /// quality (the verdict is usable)
    #[arg(long, value_name = "CHECK", value_delimiter = ',', value_parser = ["calibration", "quality"])]
    pub require: Vec<String>,
}

impl Statistics {
    pub fn settings(&self) -> Settings {
        Settings {
            plate_map: self.plate_map.clone(),
            treatment: self.treatment.clone(),
            dose: self.dose.clone(),
            negcon: self.negcon.clone(),
            poscon: self.poscon.clone(),
            exclude: self.exclude.clone(),
            fdr: self.fdr,
            count_fdr: self.count_fdr,
            min_effect: self.min_effect,
            set_coverage: self.set_coverage,
            dispersion: self.dispersion,
            novel_against: self.novel_against.clone(),
            clusters: self.clusters,
            seed: self.seed,
            report: self.no_report.then_some(false),
            ..Settings::default()
        }
    }
}
