//! `tests.csv`: one row a test, also for the tests that could not be made.

use polars::prelude::DataFrame;

use crate::ProfileError;
use crate::columns::{column, table};
use crate::plate_layout::{PlateLayout, TreatmentGroup};

/// What came of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Rejected at the stated rate.
    Hit,
    /// Not rejected.
    NoHit,
    /// Too few control wells for an error rate: the order means something, the call would not.
    RankingOnly,
    /// No p-value, or none that could ever be rejected.
    NotEstimable,
}

impl Call {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::NoHit => "no hit",
            Self::RankingOnly => "ranking only",
            Self::NotEstimable => "not estimable",
        }
    }
}

/// What a test is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Count,
    Novelty,
    ClassFraction,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Novelty => "novelty",
            Self::ClassFraction => "class fraction",
        }
    }
}

/// One test.
#[derive(Clone, Debug)]
pub(crate) struct TestRow {
    pub kind: Kind,
    /// Treatment group, index; of a count test the group of its well.
    pub group: usize,
    /// Wells tested.
    pub wells: Vec<usize>,
    /// `controls`, `known` or `both` for novelty; the class for class fractions.
    pub about: String,
    /// Name of the test.
    pub method: &'static str,
    /// Name of the effect.
    pub effect_name: &'static str,
    pub effect: Option<f64>,
    pub lower: Option<f64>,
    pub upper: Option<f64>,
    /// Level of the interval.
    pub interval_level: f64,
    pub cells: usize,
    pub control_wells: usize,
    pub control_cells: usize,
    pub p: Option<f64>,
    pub q: Option<f64>,
    pub call: Call,
    /// Why it is not estimable or only a ranking.
    pub reason: Option<String>,
}

/// The tests as a table.
pub(crate) fn test_table(
    rows: &[TestRow],
    layout: &PlateLayout,
    groups: &[TreatmentGroup],
) -> Result<DataFrame, ProfileError> {
    let finite = |x: Option<f64>| x.filter(|x| x.is_finite());
    let text = |f: &dyn Fn(&TestRow) -> String| rows.iter().map(f).collect::<Vec<String>>();
    let number =
        |f: &dyn Fn(&TestRow) -> Option<f64>| rows.iter().map(|r| finite(f(r))).collect::<Vec<Option<f64>>>();
    let count = |f: &dyn Fn(&TestRow) -> usize| rows.iter().map(|r| f(r) as u32).collect::<Vec<u32>>();
    let columns = vec![
        column("Kind", text(&|r| r.kind.name().to_owned())),
        column(
            "Unit_Tested",
            text(&|r| {
                (if r.kind == Kind::Count {
                    "well"
                } else {
                    "treatment"
                })
                .to_owned()
            }),
        ),
        column("Plates", text(&|r| layout.plate_names(&r.wells))),
        column("Wells", text(&|r| layout.well_names(&r.wells))),
        column("Treatment", text(&|r| groups[r.group].name.clone())),
        column("Dose", number(&|r| groups[r.group].dose)),
        column(
            "Unit",
            rows.iter()
                .map(|r| groups[r.group].unit.clone())
                .collect::<Vec<_>>(),
        ),
        column("Role", text(&|r| groups[r.group].role.name().to_owned())),
        column("About", text(&|r| r.about.clone())),
        column("Method", text(&|r| r.method.to_owned())),
        column("Effect_Name", text(&|r| r.effect_name.to_owned())),
        column("Effect", number(&|r| r.effect)),
        column("Effect_Lower", number(&|r| r.lower)),
        column("Effect_Upper", number(&|r| r.upper)),
        column("Interval_Level", number(&|r| r.effect.map(|_| r.interval_level))),
        column("Wells_N", count(&|r| r.wells.len())),
        column("Cells", count(&|r| r.cells)),
        column("Control_Wells_N", count(&|r| r.control_wells)),
        column("Control_Cells", count(&|r| r.control_cells)),
        column("P", number(&|r| r.p)),
        column("Q", number(&|r| r.q)),
        column("Call", text(&|r| r.call.name().to_owned())),
        column(
            "Reason",
            rows.iter().map(|r| r.reason.clone()).collect::<Vec<_>>(),
        ),
    ];
    table("tests", rows.len(), columns)
}
