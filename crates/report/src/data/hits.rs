//! Hits, candidate phenotypes, dose order and planted truth.

use super::{Estimable, Estimate, Picture, Scale};

/// The ranked hits: a row a treatment.
#[derive(Clone, Debug, Default)]
pub struct HitTable {
    /// Ranked rows, best first. The page opens with [`HitTable::shown`] of them and folds the rest.
    pub rows: Vec<HitRow>,
    /// Rows shown unfolded; 0 means the default of 6.
    pub shown: usize,
    /// How many treatments (or wells) were tested.
    pub tested: u32,
    /// How many of them are called.
    pub called: u32,
    /// What a row is: "treatment", "treatment and dose" or "well".
    pub unit: String,
    /// The error rate that the calls keep, such as "false-discovery rate 0.10 over treatments, counts at 0.05 over wells".
    pub error_rate: String,
    /// The one contrast of all thumbnails, such as "FKHR-GFP, 12 to 180 of 255, the same in every picture".
    pub contrast: Option<String>,
    /// What to know about the ranking, one sentence each.
    pub notes: Vec<String>,
}

/// One treatment (or treatment and dose, or well).
#[derive(Clone, Debug, Default)]
pub struct HitRow {
    /// Name of the treatment as the plate map has it.
    pub treatment: String,
    /// Dose with unit, such as "250 nM".
    pub dose: Option<String>,
    /// What is called, such as "novel", "fewer cells", "class shift: Apoptosis", or "no call".
    pub call: String,
    /// Whether the row passed its error rate and effect cut.
    pub is_hit: bool,
    /// Strongest effect with its interval, or why there is none.
    pub effect: Estimable<Effect>,
    /// Error-rate-adjusted p-value, or why there is none.
    pub q: Estimable<f64>,
    /// Unadjusted p-value, if it is to be shown.
    pub p: Option<f64>,
    /// Replicate wells that agree: (k, of n).
    pub replicates: Option<(u32, u32)>,
    /// Wells of the row, as `A01`, with the plate in front when there are several.
    pub wells: Vec<String>,
    /// Cells a well against the controls' median: (here, controls).
    pub cells: Option<(f64, f64)>,
    /// Cautions: toxic, few cells, edge well, bright outlier, bad focus.
    pub flags: Vec<String>,
    /// Pictures of the treatment, about 96 × 96 pixels, at the contrast of the table; 2 to 4 are shown well.
    pub pictures: Vec<Picture>,
    /// Pictures of control wells at the same contrast.
    pub control_pictures: Vec<Picture>,
}

/// An effect with its name and scale.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    /// What it is, such as "share of cells unlike the controls". Rows with the same name share one axis.
    pub name: String,
    /// Estimate with interval.
    pub estimate: Estimate,
    /// How it is written.
    pub scale: Scale,
    /// The controls' value, drawn as a line.
    pub control: Option<f64>,
}

/// Candidate new phenotypes.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// The candidates, largest first; empty means "none found", which the page says.
    pub phenotypes: Vec<CandidatePhenotype>,
    /// How cells were flagged and at what rate, one or two sentences.
    pub explanation: String,
    /// The one contrast of all pictures.
    pub contrast: Option<String>,
}

/// One cluster of flagged cells.
#[derive(Clone, Debug, Default)]
pub struct CandidatePhenotype {
    /// Name, such as "candidate 1 (cluster 4)".
    pub name: String,
    /// Flagged cells in it.
    pub cells: u32,
    /// Where they are: well (with plate when several) and number of flagged cells, most first.
    pub wells: Vec<(String, u32)>,
    /// Treatments of those wells, most cells first.
    pub treatments: Vec<String>,
    /// Nearest known class, if classes are named on this plate.
    pub nearest_class: Option<String>,
    /// Features that set it apart from the controls, strongest first.
    pub features: Vec<DefiningFeature>,
    /// A doubt to state, such as "all cells from one well" or "edge wells only".
    pub caution: Option<String>,
    /// Pictures of its cells.
    pub pictures: Vec<Picture>,
    /// Pictures of control cells at the same contrast.
    pub control_pictures: Vec<Picture>,
}

/// A feature and how far a candidate lies from the controls in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DefiningFeature {
    /// Name of the feature's column.
    pub name: String,
    /// Median robust z against the controls.
    pub z: f64,
}

/// One dose-order plot: doses of a treatment in order, equally spaced, with intervals.
#[derive(Clone, Debug, Default)]
pub struct DosePanel {
    /// Treatment.
    pub treatment: String,
    /// What is plotted, such as "share of cells unlike the controls". Panels with the same effect share one axis.
    pub effect: String,
    /// How it is written.
    pub scale: Scale,
    /// Unit of the dose, such as "nM"; empty if none.
    pub unit: String,
    /// Points in order of dose; replicates of a dose may be given as several points with the same label.
    pub points: Vec<DosePoint>,
    /// The controls' value with its range over control wells.
    pub control: Option<Estimate>,
}

/// One dose.
#[derive(Clone, Debug, Default)]
pub struct DosePoint {
    /// Dose as it is written on the axis, without unit.
    pub label: String,
    /// Well, as `A01`.
    pub well: String,
    /// Estimate with interval; `None` leaves a gap.
    pub estimate: Option<Estimate>,
    /// Whether the well or dose is called.
    pub is_hit: bool,
}

/// Estimates against a planted truth.
#[derive(Clone, Debug, Default)]
pub struct PlantedTruth {
    /// What the arrangement is, said plainly: the nuclei are real, few and reused; the arrangement is not.
    pub explanation: String,
    /// A row a treatment and quantity.
    pub rows: Vec<PlantedRow>,
    /// What came out on the whole, such as "interval covers the truth in 11 of 12 rows".
    pub summary: Option<String>,
}

/// One quantity with its truth.
#[derive(Clone, Debug, Default)]
pub struct PlantedRow {
    /// Treatment (and dose).
    pub treatment: String,
    /// What was estimated, such as "share of MetaphaseAlignment". Rows with the same quantity share one plot.
    pub quantity: String,
    /// How it is written.
    pub scale: Scale,
    /// Estimate with interval, or why there is none.
    pub estimate: Estimable<Estimate>,
    /// The truth.
    pub truth: f64,
    /// How the program called it, such as "class shift", "new", "no call".
    pub call: Option<String>,
    /// How it should be called.
    pub expected_call: Option<String>,
}
