//! What can be asked for. Every default is a documented constant and stands here once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use crate::EngineError;

/// Where networks are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The first CUDA device if the program was built with it and there is one, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The CUDA device of that number.
    Cuda(usize),
}

impl From<Device> for model::DeviceChoice {
    fn from(device: Device) -> Self {
        match device {
            Device::Auto => Self::Auto,
            Device::Cpu => Self::Cpu,
            Device::Cuda(index) => Self::Cuda(index),
        }
    }
}

impl FromStr for Device {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|n| n.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| EngineError::Option {
                    option: "--device",
                    value: text.to_owned(),
                    what: "not a device; say cpu, cuda, cuda:1 or auto".to_owned(),
                }),
        }
    }
}

/// Instruction set that networks are computed with on the processor; one for the whole process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InstructionSet {
    /// The best that this machine has.
    #[default]
    Auto,
    /// That one; an error where the machine lacks it.
    Pinned(model::Isa),
}

/// Instruction sets by their words on the command line.
const INSTRUCTION_SETS: [(&str, model::Isa); 3] = [
    ("avx512", model::Isa::Avx512),
    ("avx2", model::Isa::Avx2),
    ("portable", model::Isa::Portable),
];

impl InstructionSet {
    /// Pins it for this process and returns the word of the one in use.
    ///
    /// Errors: this machine lacks it, or networks already ran with another.
    pub(crate) fn pin(self) -> Result<&'static str, EngineError> {
        let word = |isa| {
            let named = INSTRUCTION_SETS.iter().find(|(_, of)| *of == isa);
            named.map_or("portable", |(word, _)| *word)
        };
        let Self::Pinned(isa) = self else {
            return Ok(word(model::Isa::detect()));
        };
        model::Isa::select(isa).map_err(|error| EngineError::Option {
            option: "--isa",
            value: word(isa).to_owned(),
            what: error.to_string(),
        })?;
        Ok(word(isa))
    }
}

impl FromStr for InstructionSet {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        let named = INSTRUCTION_SETS.iter().find(|(word, _)| *word == text);
        match named {
            Some((_, isa)) => Ok(Self::Pinned(*isa)),
            None if text == "auto" => Ok(Self::Auto),
            None => Err(EngineError::Option {
                option: "--isa",
                value: text.to_owned(),
                what: "not an instruction set; say auto, avx512, avx2 or portable".to_owned(),
            }),
        }
    }
}

/// One part of a run: every `count`-th site by a stable hash of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part, counted from 1.
    pub index: u32,
    /// How many parts there are.
    pub count: u32,
}

impl FromStr for Shard {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, EngineError> {
        let parsed = text
            .split_once('/')
            .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parsed {
            Some((index, count)) if index >= 1 && index <= count => Ok(Self { index, count }),
            _ => Err(EngineError::Option {
                option: "--shard",
                value: text.to_owned(),
                what: "not a part of a run; say i/n with 1 <= i <= n, as 2/8".to_owned(),
            }),
        }
    }
}

/// How the networks are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkParams {
    /// Where they are computed.
    pub device: Device,
    /// What they are computed with on the processor.
    pub isa: InstructionSet,
    /// At most so many members of each bundle; `None` = all.
    pub members: Option<usize>,
    /// Dropout draws a member; `None` = what the bundle asks for, 0 = one pass without dropout.
    pub draws: Option<usize>,
}

/// Against what a cell counts as new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Novelty {
    /// Both references that are possible on this plate.
    #[default]
    Both,
    /// This plate's negative controls.
    Controls,
    /// The classes of the bundle.
    Known,
}

/// The second stage: statistics on what the sites' files hold.
#[derive(Clone, Debug, PartialEq)]
pub struct GatherParams {
    /// The plate map, if there is one.
    pub plate_map: Option<PathBuf>,
    /// Column of the plate map that names the treatment.
    pub treatment: Option<String>,
    /// Column of the plate map that holds the dose.
    pub dose: Option<String>,
    /// Values (of the treatment column or of `role`) that are negative controls.
    pub negcon: Vec<String>,
    /// Values that are positive controls.
    pub poscon: Vec<String>,
    /// Wells to leave out: a CSV with `well` and, for several plates, `plate`.
    pub exclude: Option<PathBuf>,
    /// False-discovery rate of hits and flags.
    pub fdr: f64,
    /// False-discovery rate of count hits.
    pub count_fdr: f64,
    /// Smallest change of the cell count that is a hit: 2 = half or double.
    pub min_effect: f64,
    /// Share of cells whose set holds the true class.
    pub set_coverage: f64,
    /// Dispersion of cell counts where there are fewer than 8 control wells.
    pub default_dispersion: f64,
    /// Reference of novelty.
    pub novel_against: Novelty,
    /// Number of clusters; `None` = chosen by the data.
    pub clusters: Option<usize>,
    /// Seed of every random choice.
    pub seed: u64,
    /// Whether to write report.html.
    pub report: bool,
    /// Data to credit in the report.
    pub credits: Vec<DataCredit>,
    /// What is known about a made plate, to be shown beside the estimates; no statistic sees it.
    pub planted: Option<PlantedTruth>,
}

/// The truth of a made plate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlantedTruth {
    /// What the arrangement is, said plainly.
    pub explanation: String,
    /// What is known.
    pub values: Vec<PlantedValue>,
}

/// A share that is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlantedValue {
    /// The treatment as the plate map names it.
    pub treatment: String,
    /// Its dose.
    pub dose: f64,
    /// The class whose share it is, less the share in the controls; `None` = cells of no taught class.
    pub class: Option<String>,
    /// The share.
    pub truth: f64,
    /// What the test should say: `hit` or `no hit`.
    pub expected_call: Option<String>,
}

/// Data that the report credits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataCredit {
    /// What is credited.
    pub name: String,
    /// Its licence.
    pub licence: String,
    /// Who, where it was published, how to cite.
    pub text: String,
    /// A link, if there is one.
    pub link: Option<String>,
}

impl GatherParams {
    /// Default false-discovery rate of hits and flags.
    pub const FDR: f64 = 0.1;
    /// Default false-discovery rate of count hits (METHODS.md section 9).
    pub const COUNT_FDR: f64 = 0.05;
    /// Default smallest change of the cell count.
    pub const MIN_EFFECT: f64 = 2.0;
    /// Default coverage of the sets.
    pub const SET_COVERAGE: f64 = 0.9;
    /// Default seed.
    pub const SEED: u64 = 1;
    /// Default dispersion of cell counts.
    pub const DISPERSION: f64 = 0.1;
}

impl Default for GatherParams {
    fn default() -> Self {
        Self {
            plate_map: None,
            treatment: None,
            dose: None,
            negcon: Vec::new(),
            poscon: Vec::new(),
            exclude: None,
            fdr: Self::FDR,
            count_fdr: Self::COUNT_FDR,
            min_effect: Self::MIN_EFFECT,
            set_coverage: Self::SET_COVERAGE,
            default_dispersion: Self::DISPERSION,
            novel_against: Novelty::Both,
            clusters: None,
            seed: Self::SEED,
            report: true,
            credits: Vec::new(),
            planted: None,
        }
    }
}

/// The main job.
#[derive(Clone, Debug, PartialEq)]
pub struct ScreenParams {
    /// Folder with one or more plates.
    pub plate: PathBuf,
    /// Folder of the run.
    pub out: PathBuf,
    /// Layout: a built-in name or a TOML file; `None` = the one that explains the files.
    pub layout: Option<String>,
    /// Names for channels: name -> channel as the layout found it.
    pub channel_names: BTreeMap<String, String>,
    /// The channel that shows nuclei.
    pub nuclei: Option<String>,
    /// The channel that shows cells, if any.
    pub cells: Option<String>,
    /// Bundle that finds nuclei (name or folder).
    pub segment_with: String,
    /// Bundle that names classes; `None` = no classes.
    pub classify_with: Option<String>,
    /// Folder of label images to use in place of the segmentation.
    pub labels_from: Option<PathBuf>,
    /// Micrometers a pixel, if the files do not say it.
    pub pixel_size_um: Option<f32>,
    /// Typical diameter of a nucleus in pixels; `None` = median of a few sites of the plate.
    pub diameter_px: Option<f32>,
    /// How the networks are used.
    pub networks: NetworkParams,
    /// Threads; `None` = all.
    pub threads: Option<usize>,
    /// Bytes of memory that sites in work may use together; `None` = half of the machine.
    pub memory: Option<u64>,
    /// The part of the run to do; `None` = all of it, and gather.
    pub shard: Option<Shard>,
    /// Whether to write label images.
    pub write_labels: bool,
    /// Whether to write over another run.
    pub force: bool,
    /// The second stage.
    pub gather: GatherParams,
}

impl ScreenParams {
    /// The bundle that finds nuclei unless another is named.
    pub const SEGMENT_WITH: &str = "nuclei";
    /// The bundle that names classes unless another is named.
    pub const CLASSIFY_WITH: &str = "mitosis";

    /// Everything at its default for `plate`, written to `out`.
    pub fn new(plate: impl Into<PathBuf>, out: impl Into<PathBuf>) -> Self {
        Self {
            plate: plate.into(),
            out: out.into(),
            layout: None,
            channel_names: BTreeMap::new(),
            nuclei: None,
            cells: None,
            segment_with: Self::SEGMENT_WITH.to_owned(),
            classify_with: Some(Self::CLASSIFY_WITH.to_owned()),
            labels_from: None,
            pixel_size_um: None,
            diameter_px: None,
            networks: NetworkParams::default(),
            threads: None,
            memory: None,
            shard: None,
            write_labels: false,
            force: false,
            gather: GatherParams::default(),
        }
    }
}
