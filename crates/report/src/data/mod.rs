//! What a report is made of: plain structs, public fields, nothing computed.
//!
//! Every struct has a `Default`, so that a caller fills what it has. Shares and probabilities are in `[0, 1]`;
//! numbers that are missing are `None`, and a number that is not finite is shown as a dash.

mod cells;
mod hits;
mod plates;
mod run;
mod tracks;
mod trust;
mod verdict;

pub use cells::{CellPicture, Gallery, Picture, Scatter, ScatterCluster, ScatterPoint};
pub use hits::{
    CandidatePhenotype, Candidates, DefiningFeature, DosePanel, DosePoint, Effect, HitRow, HitTable,
    PlantedRow, PlantedTruth,
};
pub use plates::{HeatMap, Montage, MontageCell, Palette, PlateView, WellRole, WellView};
pub use run::{Credit, Fact, RunFacts, SkippedSite};
pub use tracks::{
    Branch, Curve, Families, Family, LinkBin, ReviewRow, TRACK_COLORS, TrackMark, TrackReport, TrackedFrame,
    Ways,
};
pub use trust::{BandPoint, EntropyGroup, EntropySplit, Reliability, ReliabilityBin};
pub use verdict::{BundleFit, Check, CheckStatus, Usability, Verdict};

/// Everything one report shows. Sections whose data are `None` or empty do not appear.
#[derive(Clone, Debug, Default)]
pub struct ReportData {
    /// Heading, such as the name of the plate or of the run.
    pub title: String,
    /// One line under the heading: what was screened, such as "48 wells, 48 fields, 8,640 nuclei".
    pub subtitle: Option<String>,
    /// First on the page: is it usable, what not, and why. See [`Verdict::from_checks`].
    pub verdict: Verdict,
    /// Top hits; `None` when nothing was tested (no plate map).
    pub hits: Option<HitTable>,
    /// What could not be estimated, shown below the hits with its reason.
    pub not_estimable: Vec<NotEstimable>,
    /// Candidate new phenotypes; `NotEstimable` when cells could not be flagged; `None` to leave the section out.
    pub candidates: Option<Estimable<Candidates>>,
    /// Plate maps, heat maps and montages, one entry a plate.
    pub plates: Vec<PlateView>,
    /// Estimates against the planted truth, for `demo --planted`.
    pub planted: Option<PlantedTruth>,
    /// Dose-order plots, one panel a treatment and effect.
    pub doses: Vec<DosePanel>,
    /// Galleries: most novel cells, least certain cells, each with a row of control cells.
    pub galleries: Vec<Gallery>,
    /// Cluster scatter.
    pub scatter: Option<Estimable<Scatter>>,
    /// Reliability diagram.
    pub reliability: Option<Estimable<Reliability>>,
    /// Entropy split.
    pub entropy: Option<Estimable<EntropySplit>>,
    /// Sites that were skipped, each with its one reason.
    pub skipped: Vec<SkippedSite>,
    /// Warnings of the run, in order; repeated ones already counted by the caller.
    pub warnings: Vec<String>,
    /// How the run was made.
    pub run: RunFacts,
    /// Data and software to credit, with licences.
    pub credits: Vec<Credit>,
}

/// A value, or the reason why there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum Estimable<T> {
    /// It could be estimated.
    Value(T),
    /// The data do not support it; the text says why and what it would take, as a sentence without full stop.
    NotEstimable(String),
}

impl<T: Default> Default for Estimable<T> {
    fn default() -> Self {
        Self::Value(T::default())
    }
}

impl<T> From<T> for Estimable<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}

/// Something that the data cannot support.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotEstimable {
    /// What is missing, such as "novelty of single wells".
    pub what: String,
    /// Why, such as "1 control well; at least 4 are needed".
    pub reason: String,
    /// What it would take, if it can be said.
    pub takes: Option<String>,
}

/// A number with its interval, both ends or none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Interval as (lower, upper); `None` when the data give none.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// An estimate without interval.
    pub fn point(value: f64) -> Self {
        Self {
            value,
            interval: None,
        }
    }

    /// An estimate with its interval.
    pub fn within(value: f64, lower: f64, upper: f64) -> Self {
        Self {
            value,
            interval: Some((lower, upper)),
        }
    }
}

/// How numbers of one kind are written and drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scale {
    /// A share in `[0, 1]`, written as per cent.
    Share,
    /// A ratio to the controls, drawn on a logarithmic axis around 1, written as `0.42×`.
    Ratio,
    /// A whole number, such as a count.
    Count,
    /// Any other number, such as a z score.
    #[default]
    Number,
}
