//! What bundles say of themselves, kept with the run so that the second stage needs no bundle.

use model::{Bundle, ClassificationReference};
use serde::{Deserialize, Serialize};
use uncertainty::{
    Temperature, calibration_slope, conformal_p_leave_group_out, ece_equal_mass, ece_null_band, reliability,
    stream,
};

/// Bins of the reliability diagram and of its error (METHODS.md section 3: equal mass).
const BINS: usize = 15;

/// Rounds of the error that chance alone gives.
const ROUNDS: usize = 500;

/// Level of the gate and of the classes' own rates.
const LEVEL: f64 = 0.05;

/// A bundle with its licence and data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BundleCredit {
    pub(crate) name: String,
    pub(crate) licence: String,
    /// Data sets with licences and citations.
    pub(crate) data: Vec<String>,
}

impl BundleCredit {
    pub(crate) fn of(bundle: &Bundle) -> Self {
        let manifest = &bundle.manifest;
        Self {
            name: manifest.name.clone(),
            licence: manifest.licence.clone(),
            data: manifest.data.clone(),
        }
    }
}

/// The classes of a bundle and how far its probabilities held on cells it had not seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClassFacts {
    pub(crate) classes: Vec<String>,
    /// Share of each class among the reference cells.
    pub(crate) prior: Vec<f64>,
    /// Share of each class's reference cells that are called unlike the others at the level 0.05.
    pub(crate) known_levels: Vec<f64>,
    /// Reliability of the calibrated confidence on the out-of-fold cells.
    pub(crate) reliability: Option<ReliabilityFacts>,
}

/// A reliability diagram in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReliabilityFacts {
    pub(crate) cells: usize,
    pub(crate) groups: usize,
    pub(crate) bins: Vec<BinFacts>,
    pub(crate) ece: f64,
    /// Error that a calibrated forecast shows by chance: 5 %, 50 %, 95 %.
    pub(crate) ece_by_chance: Option<(f64, f64, f64)>,
    /// Slope with its standard error.
    pub(crate) slope: Option<(f64, f64)>,
    pub(crate) confidence_minus_accuracy: f64,
}

/// One bin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BinFacts {
    pub(crate) confidence: f64,
    pub(crate) share: f64,
    pub(crate) cells: usize,
    pub(crate) interval: (f64, f64),
    pub(crate) band: (f64, f64),
}

/// The facts of a classifier's bundle.
pub(crate) fn class_facts(
    classes: &[String],
    temperature: f64,
    reference: &ClassificationReference,
) -> ClassFacts {
    let n = reference.label.len();
    let count = |class: usize| reference.label.iter().filter(|&&label| label == class).count();
    let known = known_p_values(reference);
    let level = |class: usize| {
        let own: Vec<f64> = (0..n)
            .filter(|&cell| reference.label[cell] == class)
            .map(|cell| known[cell])
            .collect();
        match own.len() {
            0 => LEVEL,
            cells => own.iter().filter(|&&p| p <= LEVEL).count() as f64 / cells as f64,
        }
    };
    ClassFacts {
        classes: classes.to_vec(),
        prior: (0..classes.len())
            .map(|class| count(class) as f64 / n.max(1) as f64)
            .collect(),
        known_levels: (0..classes.len()).map(level).collect(),
        reliability: reliability_facts(temperature, reference),
    }
}

/// p-value of each reference cell against the cells of the other groups of its own fold, which the same members scored.
fn known_p_values(reference: &ClassificationReference) -> Vec<f64> {
    let mut p = vec![1.0; reference.label.len()];
    let mut folds: Vec<u32> = reference.fold.clone();
    folds.sort_unstable();
    folds.dedup();
    for fold in folds {
        let cells: Vec<usize> = (0..p.len())
            .filter(|&cell| reference.fold[cell] == fold)
            .collect();
        let score: Vec<f64> = cells
            .iter()
            .map(|&cell| f64::from(reference.energy[cell]))
            .collect();
        let group: Vec<u32> = cells.iter().map(|&cell| reference.group[cell]).collect();
        for (&cell, value) in cells.iter().zip(conformal_p_leave_group_out(&score, &group)) {
            p[cell] = value;
        }
    }
    p
}

fn reliability_facts(temperature: f64, reference: &ClassificationReference) -> Option<ReliabilityFacts> {
    let log_probability = reference.log_probability.mapv(f64::from);
    let probability = Temperature(temperature).apply(log_probability.view());
    let (mut confidence, mut hit) = (Vec::new(), Vec::new());
    for (row, &label) in probability.rows().into_iter().zip(&reference.label) {
        let top = (0..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best });
        confidence.push(row[top]);
        hit.push(top == label);
    }
    let ece = ece_equal_mass(&confidence, &hit, BINS)?;
    let chance = ece_null_band(
        &confidence,
        &hit,
        BINS,
        ROUNDS,
        &mut stream(0, "engine/reliability"),
    );
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / hit.len().max(1) as f64;
    let mut groups = reference.group.clone();
    groups.sort_unstable();
    groups.dedup();
    let bin = |bin: uncertainty::ReliabilityBin| BinFacts {
        confidence: bin.mean_confidence,
        share: bin.share,
        cells: bin.n,
        interval: (bin.low, bin.high),
        band: (bin.band_low, bin.band_high),
    };
    Some(ReliabilityFacts {
        cells: hit.len(),
        groups: groups.len(),
        bins: reliability(&confidence, &hit, BINS)
            .into_iter()
            .map(bin)
            .collect(),
        ece,
        ece_by_chance: chance.map(|band| (band.low, band.median, band.high)),
        slope: calibration_slope(&confidence, &hit).map(|slope| (slope.slope, slope.slope_se)),
        confidence_minus_accuracy: mean(&mut confidence.iter().copied())
            - mean(&mut hit.iter().map(|&hit| f64::from(u8::from(hit)))),
    })
}
