//! What can end a run, sorted by who can act on it.

use std::path::PathBuf;

/// The exit codes that CLI.md promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Everything was done.
    Done = 0,
    /// Done, but some sites were skipped.
    SomeSkipped = 1,
    /// Wrong usage or unusable input; nothing was written.
    UnusableInput = 2,
    /// The output could not be written.
    NotWritten = 3,
    /// A bundle is damaged or does not fit.
    BadBundle = 4,
    /// A check that was asked for failed.
    CheckFailed = 5,
    /// Interrupted; the same command goes on where it stopped.
    Interrupted = 130,
}

/// Why a use case ended early. Each message says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A file or folder could not be read.
    #[error("cannot read {path:?}: {source}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write {path:?}: {source}; choose a folder that can be written with --out")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An input that cannot be used.
    #[error("{path:?}: {what}; {remedy}")]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it, with the value.
        what: String,
        /// What the user can do.
        remedy: String,
    },
    /// An option's value that cannot be used.
    #[error("{option} {value:?}: {what}")]
    Option {
        /// The option as it is typed.
        option: &'static str,
        /// The value that was given.
        value: String,
        /// What is wrong and which values there are.
        what: String,
    },
    /// The channel that shows nuclei was not named.
    #[error("which channel shows nuclei is never guessed from the order of files: say --nuclei NAME; channels found: {}", .channels.join(", "))]
    NucleiNotNamed {
        /// The channels that were found.
        channels: Vec<String>,
    },
    /// A channel that is not there.
    #[error("{option} {name:?}: no such channel; channels found: {}", .channels.join(", "))]
    NoSuchChannel {
        /// The option as it is typed.
        option: &'static str,
        /// The channel that was asked for.
        name: String,
        /// The channels that were found.
        channels: Vec<String>,
    },
    /// The output folder holds something else.
    #[error("{path:?} {what}; choose another --out, or say --force to write there all the same")]
    OutputTaken {
        /// The folder.
        path: PathBuf,
        /// What it holds.
        what: String,
    },
    /// No site of the plate could be used.
    #[error("{path:?}: none of the {sites} sites could be used; the first one: {first}")]
    AllSkipped {
        /// The plate folder.
        path: PathBuf,
        /// How many sites there were.
        sites: usize,
        /// The first reason.
        first: String,
    },
    /// The settings file is not right.
    #[error("{path:?}: {source}")]
    Config {
        /// The settings file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: Box<toml::de::Error>,
    },
    /// A bundle that is not there, or does not hold what it is asked for.
    #[error("bundle {name:?}: {what}")]
    Bundle {
        /// Its name or folder.
        name: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// Networks that cannot be run or trained.
    #[error("the networks of bundle {name:?} could not be run: {what}")]
    Network {
        /// The bundle.
        name: String,
        /// What the engine of the networks said.
        what: String,
    },
    /// A bundle that is damaged.
    #[error(transparent)]
    BadBundle(#[from] model::BundleError),
    /// A network that cannot be run or trained.
    #[error(transparent)]
    Model(#[from] model::ModelError),
    /// What is on disk, or the plate map.
    #[error(transparent)]
    Plate(#[from] plate::PlateError),
    /// An image where it stands alone (an image of a plate only costs its site).
    #[error(transparent)]
    Image(#[from] image::ImageError),
    /// Features that cannot be measured.
    #[error(transparent)]
    Measure(#[from] measure::MeasureError),
    /// Detections that cannot be tracked.
    #[error(transparent)]
    Track(#[from] ::track::TrackError),
    /// Trackings that cannot be scored.
    #[error(transparent)]
    TrackScore(#[from] ::track::score::ScoreError),
    /// Tables.
    #[error(transparent)]
    Profile(Box<profile::ProfileError>),
    /// The report.
    #[error(transparent)]
    Report(#[from] report::ReportError),
    /// Statistics.
    #[error(transparent)]
    Uncertainty(#[from] uncertainty::UncertaintyError),
    /// The user stopped the run.
    #[error("interrupted; the same command goes on where it stopped")]
    Interrupted,
}

impl EngineError {
    /// The exit code that tells a pipeline who can act.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Write { .. } => ExitCode::NotWritten,
            Self::Profile(error)
                if matches!(
                    **error,
                    profile::ProfileError::File {
                        action: "written",
                        ..
                    }
                ) =>
            {
                ExitCode::NotWritten
            }
            Self::Bundle { .. } | Self::Network { .. } | Self::BadBundle(_) => ExitCode::BadBundle,
            Self::Model(error) => match error {
                model::ModelError::UnknownDevice { .. } | model::ModelError::NoCuda { .. } => {
                    ExitCode::UnusableInput
                }
                model::ModelError::Stopped { .. } => ExitCode::Interrupted,
                model::ModelError::TooFewSamples { .. } | model::ModelError::Diverged { .. } => {
                    ExitCode::UnusableInput
                }
                _ => ExitCode::BadBundle,
            },
            Self::Interrupted => ExitCode::Interrupted,
            _ => ExitCode::UnusableInput,
        }
    }

    /// A [`EngineError::Unusable`] in one line.
    pub fn unusable(path: impl Into<PathBuf>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Unusable {
            path: path.into(),
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

impl From<profile::ProfileError> for EngineError {
    fn from(error: profile::ProfileError) -> Self {
        Self::Profile(Box::new(error))
    }
}
