//! How far the probabilities may be trusted.

use super::Estimate;

/// Reliability diagram of top-label confidence.
#[derive(Clone, Debug, Default)]
pub struct Reliability {
    /// Which cells it was measured on, such as "1,204 held-out cells of bundle mitosis, not cells of this plate".
    pub measured_on: String,
    /// Bins in order of confidence.
    pub bins: Vec<ReliabilityBin>,
    /// Where a perfectly calibrated forecast would fall in 95 % of repetitions (consistency band), in order of confidence.
    pub band: Vec<BandPoint>,
    /// Expected calibration error.
    pub ece: Estimate,
    /// What a perfectly calibrated forecast would show by chance: median and (5 %, 95 %) or 95 % upper end.
    pub ece_by_chance: Option<Estimate>,
    /// Calibration slope (1 is right; below 1 over-confident).
    pub slope: Option<Estimate>,
    /// Mean confidence minus accuracy.
    pub confidence_minus_accuracy: Option<Estimate>,
    /// Cells.
    pub cells: u64,
}

/// One bin of a reliability diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReliabilityBin {
    /// Mean confidence in the bin.
    pub confidence: f64,
    /// Share that was right.
    pub share: f64,
    /// Interval of the share.
    pub interval: (f64, f64),
    /// Cells in the bin.
    pub cells: u64,
}

/// One point of the consistency band.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BandPoint {
    /// Confidence.
    pub confidence: f64,
    /// Lower end of the share.
    pub low: f64,
    /// Upper end of the share.
    pub high: f64,
}

/// Mean entropy of groups of cells, split in two parts that add up.
#[derive(Clone, Debug, Default)]
pub struct EntropySplit {
    /// The groups, such as control wells, each hit treatment, flagged cells.
    pub groups: Vec<EntropyGroup>,
    /// ln(number of classes): the largest possible entropy, in nats.
    pub maximum: f64,
    /// What to know, one sentence, such as that the parts are statements of the model.
    pub note: Option<String>,
}

/// One group of the entropy split.
#[derive(Clone, Debug, Default)]
pub struct EntropyGroup {
    /// Name.
    pub name: String,
    /// Mean aleatoric part, nats: members agree that it is ambiguous.
    pub aleatoric: f64,
    /// Mean epistemic part, nats: members disagree.
    pub epistemic: f64,
    /// Cells.
    pub cells: u64,
}
