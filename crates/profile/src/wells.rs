//! Wells as the plate map tells them, and the parameters of the gather stage.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ProfileError;

/// What a well is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Negative control: the reference for everything on its plate.
    Negcon,
    /// Positive control: tested like a treatment, and used for the separation of controls.
    Poscon,
    /// To be tested.
    Treatment,
    /// No cells are expected: never tested, never a reference.
    Empty,
}

impl Role {
    /// The role's name in tables: `negcon`, `poscon`, `treatment` or `empty`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Negcon => "negcon",
            Self::Poscon => "poscon",
            Self::Treatment => "treatment",
            Self::Empty => "empty",
        }
    }
}

/// One well of a plate with what the plate map says of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WellInfo {
    /// Plate name, as in `Metadata_Plate`.
    pub plate: String,
    /// Well name, as `A01`.
    pub well: String,
    /// Row from the top, 0-based.
    pub row: u32,
    /// Column from the left, 0-based.
    pub column: u32,
    /// Treatment; `None` when the plate map has none (the well is then tested alone, under its own name).
    pub treatment: Option<String>,
    /// Dose of the treatment, in `unit`.
    pub dose: Option<f64>,
    /// Unit of the dose.
    pub unit: Option<String>,
    /// What the well is for.
    pub role: Role,
    /// Other columns of the plate map, carried through as they are.
    pub extra: BTreeMap<String, String>,
    /// Sites (fields) of the well on disk.
    pub sites: u32,
    /// How many of them were skipped; their cells are not in the tables.
    pub sites_skipped: u32,
}

/// Which reference a flagged cell must be unlike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NovelAgainst {
    /// Both references where both are possible, else the one that is.
    Both,
    /// The plate's own negative controls.
    Controls,
    /// The taught classes of the classifier.
    Known,
}

/// Parameters of the gather stage; [`GatherParams::default`] is what the command line does unless told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GatherParams {
    /// False-discovery rate of novelty and class-shift hits, in (0, 1); default 0.1.
    pub fdr: f64,
    /// False-discovery rate of count hits over wells, in (0, 1); default 0.05.
    pub count_fdr: f64,
    /// Smallest fold change of a count hit, > 1; default 2: half or double.
    pub min_effect: f64,
    /// Coverage of the prediction sets, in (0, 1); default 0.9 (the sets are made in the site stage).
    pub set_coverage: f64,
    /// Dispersion of the negative binomial below eight control wells, ≥ 0; default 0.1.
    pub default_dispersion: f64,
    /// Which reference a flagged cell must be unlike.
    pub novel_against: NovelAgainst,
    /// Class names in the classifier's order; `None`: taken from the `Metadata_Phenotype_P_*` columns.
    pub classes: Option<Vec<String>>,
    /// Class shares of the data that the classifier's probabilities are calibrated for, in the order of
    /// `classes`; `None`: equal shares.
    pub class_prior: Option<Vec<f64>>,
    /// Per class, the share of the bundle's reference cells whose `P_Known` is ≤ 0.05, in the order of
    /// `classes`: a class mix is judged against its own level. `None`: 0.05 for every class.
    pub known_levels: Option<Vec<f64>>,
    /// Seed of every random choice.
    pub seed: u64,
    /// Number of clusters; `None`: chosen by silhouette and stability.
    pub clusters: Option<usize>,
}

impl Default for GatherParams {
    fn default() -> Self {
        Self {
            fdr: 0.1,
            count_fdr: 0.05,
            min_effect: 2.0,
            set_coverage: 0.9,
            default_dispersion: 0.1,
            novel_against: NovelAgainst::Both,
            classes: None,
            class_prior: None,
            known_levels: None,
            seed: 1,
            clusters: None,
        }
    }
}

impl GatherParams {
    /// Checks every bound.
    ///
    /// Errors: [`ProfileError::Parameter`] with the first value that is outside its range.
    pub fn check(&self) -> Result<(), ProfileError> {
        let inside = |x: f64| x > 0.0 && x < 1.0;
        let rows = [
            ("--fdr", self.fdr, inside(self.fdr), "above 0 and below 1"),
            (
                "--count-fdr",
                self.count_fdr,
                inside(self.count_fdr),
                "above 0 and below 1",
            ),
            (
                "--set-coverage",
                self.set_coverage,
                inside(self.set_coverage),
                "above 0 and below 1",
            ),
            (
                "--min-effect",
                self.min_effect,
                self.min_effect > 1.0 && self.min_effect.is_finite(),
                "above 1 (2 = half or double)",
            ),
            (
                "the default dispersion",
                self.default_dispersion,
                self.default_dispersion >= 0.0 && self.default_dispersion.is_finite(),
                "0 or more",
            ),
            (
                "--clusters",
                self.clusters.map_or(1.0, |k| k as f64),
                self.clusters.is_none_or(|k| (1..=64).contains(&k)),
                "between 1 and 64",
            ),
        ];
        for (name, value, ok, allowed) in rows {
            if !ok {
                return Err(ProfileError::Parameter { name, value, allowed });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_inside_their_bounds_and_each_bound_is_checked() {
        let good = GatherParams::default();
        assert!(good.check().is_ok());
        for bad in [
            GatherParams {
                fdr: 0.0,
                ..good.clone()
            },
            GatherParams {
                count_fdr: 1.0,
                ..good.clone()
            },
            GatherParams {
                min_effect: 1.0,
                ..good.clone()
            },
            GatherParams {
                set_coverage: f64::NAN,
                ..good.clone()
            },
            GatherParams {
                default_dispersion: -0.1,
                ..good.clone()
            },
            GatherParams {
                clusters: Some(0),
                ..good.clone()
            },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
