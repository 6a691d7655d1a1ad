//! `hits.csv`: one row a treatment at one dose, best first, made to be read.

use std::collections::BTreeSet;

use polars::prelude::DataFrame;
use uncertainty::median;

use crate::ProfileError;
use crate::columns::{column, table};
use crate::plate_layout::{PlateLayout, TreatmentGroup};
use crate::test_rows::{Call, Kind, TestRow};

/// Fewer cells a well than this make the flag `few cells`.
const FEW_CELLS: usize = 20;
/// Robust z of a well's background against control wells from which on it is a bright outlier (a fluorescent compound, a speck).
const BRIGHT_Z: f64 = 10.0;

/// What the hit table is made of.
pub(crate) struct HitTableInput<'a> {
    pub layout: &'a PlateLayout,
    pub groups: &'a [TreatmentGroup],
    pub tests: &'a [TestRow],
    /// `controls`, `known` or `both`: the novelty test that selects; `None` when there is none.
    pub primary: Option<&'static str>,
    pub p_controls: &'a [Option<f64>],
    pub p_known: &'a [Option<f64>],
    /// The p-value that flags a cell, by the primary reference.
    pub p_cell: &'a [Option<f64>],
    pub flagged_candidates: &'a BTreeSet<usize>,
    pub flagged_artefacts: &'a BTreeSet<usize>,
    /// Wells with at least half of their sites blurred.
    pub blurred_wells: &'a BTreeSet<usize>,
    /// Robust z of each well's image background.
    pub brightness: &'a [Option<f64>],
}

/// A treatment with all that is said about it.
struct Hit {
    group: usize,
    call: &'static str,
    rank_class: u8,
    effect_name: String,
    effect: Option<f64>,
    lower: Option<f64>,
    upper: Option<f64>,
    p: Option<f64>,
    q: Option<f64>,
    agree: usize,
    flags: Vec<&'static str>,
    reason: Option<String>,
    sort_effect: f64,
    median_p: [Option<f64>; 3],
    shift: Option<String>,
    count_ratio: Option<f64>,
    count_q: Option<f64>,
    candidates: usize,
    artefacts: usize,
    control_cells: usize,
}

/// The table; treatments that were called come first, the strongest effect first within equal q.
pub(crate) fn hit_table(input: &HitTableInput) -> Result<DataFrame, ProfileError> {
    let mut hits: Vec<Hit> = (0..input.groups.len()).map(|g| judge(input, g)).collect();
    hits.sort_by(|a, b| {
        let key = |x: Option<f64>| x.unwrap_or(f64::INFINITY);
        a.rank_class
            .cmp(&b.rank_class)
            .then(key(a.q).total_cmp(&key(b.q)))
            .then(key(a.p).total_cmp(&key(b.p)))
            .then(b.sort_effect.total_cmp(&a.sort_effect))
            .then(a.group.cmp(&b.group))
    });
    let (layout, groups) = (input.layout, input.groups);
    let finite = |x: Option<f64>| x.filter(|x| x.is_finite());
    let number =
        |f: &dyn Fn(&Hit) -> Option<f64>| hits.iter().map(|h| finite(f(h))).collect::<Vec<Option<f64>>>();
    let text = |f: &dyn Fn(&Hit) -> String| hits.iter().map(f).collect::<Vec<String>>();
    let count = |f: &dyn Fn(&Hit) -> usize| hits.iter().map(|h| f(h) as u32).collect::<Vec<u32>>();
    let columns = vec![
        column("Rank", (1..=hits.len() as u32).collect::<Vec<u32>>()),
        column("Treatment", text(&|h| groups[h.group].name.clone())),
        column("Dose", number(&|h| groups[h.group].dose)),
        column(
            "Unit",
            hits.iter()
                .map(|h| groups[h.group].unit.clone())
                .collect::<Vec<_>>(),
        ),
        column("Role", text(&|h| groups[h.group].role.name().to_owned())),
        column("Call", text(&|h| h.call.to_owned())),
        column("Effect_Name", text(&|h| h.effect_name.clone())),
        column("Effect", number(&|h| h.effect)),
        column("Effect_Lower", number(&|h| h.lower)),
        column("Effect_Upper", number(&|h| h.upper)),
        column("P", number(&|h| h.p)),
        column("Q", number(&|h| h.q)),
        column("Replicates_Agree", count(&|h| h.agree)),
        column("Replicates", count(&|h| groups[h.group].wells.len())),
        column("Cells", count(&|h| layout.cells(&groups[h.group].wells))),
        column("Control_Cells", count(&|h| h.control_cells)),
        column("Flags", text(&|h| h.flags.join(", "))),
        column(
            "Class_Shift",
            hits.iter().map(|h| h.shift.clone()).collect::<Vec<_>>(),
        ),
        column("Count_Ratio", number(&|h| h.count_ratio)),
        column("Count_Q", number(&|h| h.count_q)),
        column("Cells_Flagged", count(&|h| h.candidates)),
        column("Cells_Artefact", count(&|h| h.artefacts)),
        column("Median_Well_Mean_P_Controls", number(&|h| h.median_p[0])),
        column("Median_Well_Mean_P_Known", number(&|h| h.median_p[1])),
        column("Median_Well_Mean_P_Novel", number(&|h| h.median_p[2])),
        column("Plates", text(&|h| layout.plate_names(&groups[h.group].wells))),
        column("Wells", text(&|h| layout.well_names(&groups[h.group].wells))),
        column(
            "Reason",
            hits.iter().map(|h| h.reason.clone()).collect::<Vec<_>>(),
        ),
    ];
    table("hits", hits.len(), columns)
}

/// Everything about one treatment.
fn judge(input: &HitTableInput, g: usize) -> Hit {
    let (layout, group) = (input.layout, &input.groups[g]);
    let of_group: Vec<&TestRow> = input.tests.iter().filter(|t| t.group == g).collect();
    let novelty = |about: &str| {
        of_group
            .iter()
            .copied()
            .find(|t| t.kind == Kind::Novelty && t.about == about)
    };
    let primary = input.primary.and_then(novelty);
    let against_controls = novelty("controls");
    // Counts only cells beyond what the treatment's own class mix gives, so a mere shift of known classes fails it.
    let against_taught = novelty("known");
    let is_hit = |t: Option<&TestRow>| t.is_some_and(|t| t.call == Call::Hit);
    let strongest = |rows: Vec<&'_ TestRow>| -> Option<TestRow> {
        rows.into_iter()
            .reduce(|a, b| {
                let (qa, qb) = (a.q.unwrap_or(2.0), b.q.unwrap_or(2.0));
                let (ea, eb) = (a.effect.unwrap_or(0.0).abs(), b.effect.unwrap_or(0.0).abs());
                if (qb, -eb) < (qa, -ea) { b } else { a }
            })
            .cloned()
    };
    let shift = strongest(
        of_group
            .iter()
            .copied()
            .filter(|t| t.kind == Kind::ClassFraction)
            .collect(),
    );
    let shifted: Vec<String> = of_group
        .iter()
        .filter(|t| t.kind == Kind::ClassFraction && t.call == Call::Hit)
        .map(|t| format!("{} {:+.0} %", t.about, 100.0 * t.effect.unwrap_or(0.0)))
        .collect();
    let counts: Vec<&TestRow> = of_group
        .iter()
        .copied()
        .filter(|t| t.kind == Kind::Count)
        .collect();
    let count_hits: Vec<&TestRow> = counts.iter().copied().filter(|t| t.call == Call::Hit).collect();
    let logs: Vec<f64> = counts
        .iter()
        .filter_map(|t| t.effect)
        .map(|r| r.max(1e-3).ln())
        .collect();
    let count_ratio = (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp());
    let fewer = count_hits
        .iter()
        .filter(|t| t.effect.is_some_and(|r| r < 1.0))
        .count();
    let most_wells_lost = 2 * fewer >= group.wells.len() && fewer > 0;
    let count_called = 2 * count_hits.len() >= group.wells.len() && !count_hits.is_empty();

    let new_phenotype = is_hit(primary) && input.primary == Some("both");
    let (call, rank_class): (&'static str, u8) = if new_phenotype {
        ("new phenotype", 0)
    } else if is_hit(against_taught) && is_hit(against_controls) {
        ("unlike taught classes", 1)
    } else if shift.as_ref().is_some_and(|s| s.call == Call::Hit) {
        ("class shift", 1)
    } else if is_hit(against_controls) {
        ("unlike controls", 1)
    } else if input.primary == Some("known") && is_hit(primary) {
        ("unlike taught classes", 1)
    } else if count_called {
        (
            if most_wells_lost {
                "fewer cells"
            } else {
                "more cells"
            },
            2,
        )
    } else if primary
        .or(against_controls)
        .is_some_and(|t| t.call == Call::RankingOnly)
    {
        ("ranking only", 3)
    } else if [primary, against_controls]
        .iter()
        .flatten()
        .any(|t| t.call == Call::NoHit)
    {
        ("no hit", 4)
    } else if counts.iter().any(|t| t.p.is_some()) {
        ("no count hit", 4)
    } else {
        ("not estimable", 5)
    };
    // The effect that carries the call.
    let shown: Option<TestRow> = match call {
        "class shift" => shift.clone(),
        "fewer cells" | "more cells" | "no count hit" => strongest(counts.clone()),
        "new phenotype" => primary.cloned(),
        "unlike taught classes" => against_taught.cloned(),
        _ => against_controls
            .or(primary)
            .cloned()
            .filter(|t| t.effect.is_some())
            .or_else(|| strongest(counts.clone())),
    };
    let by_novelty = against_controls.or(primary).and_then(|t| t.effect);
    let agree = match (call, &shown) {
        ("fewer cells" | "more cells" | "no count hit", _) => count_hits.len(),
        (_, Some(t)) if t.kind == Kind::Novelty => agreeing(input, group, t),
        ("class shift", _) => group.wells.len(),
        _ => 0,
    };

    let rows: Vec<usize> = group
        .wells
        .iter()
        .flat_map(|&w| layout.wells[w].rows.iter().copied())
        .collect();
    let candidates = rows
        .iter()
        .filter(|r| input.flagged_candidates.contains(r))
        .count();
    let artefacts = rows
        .iter()
        .filter(|r| input.flagged_artefacts.contains(r))
        .count();
    let mut flags = Vec::new();
    if most_wells_lost {
        flags.push("toxic");
    }
    if group
        .wells
        .iter()
        .any(|&w| layout.wells[w].sites_read > 0 && layout.wells[w].rows.len() < FEW_CELLS)
    {
        flags.push("few cells");
    }
    if group.wells.iter().all(|&w| on_edge(layout, w)) {
        flags.push("edge well");
    }
    if group
        .wells
        .iter()
        .any(|&w| input.brightness[w].is_some_and(|z| z > BRIGHT_Z))
    {
        flags.push("bright outlier");
    }
    if group.wells.iter().any(|w| input.blurred_wells.contains(w)) {
        flags.push("bad focus");
    }
    if artefacts > candidates {
        flags.push("mostly artefacts");
    }
    let well_mean = |of: &[Option<f64>]| {
        let means: Vec<f64> = group
            .wells
            .iter()
            .filter_map(|&w| {
                let p: Vec<f64> = layout.wells[w].rows.iter().filter_map(|&r| of[r]).collect();
                (!p.is_empty()).then(|| p.iter().sum::<f64>() / p.len() as f64)
            })
            .collect();
        median(&means)
    };
    Hit {
        group: g,
        call,
        rank_class,
        effect_name: shown.as_ref().map_or_else(String::new, |t| {
            if t.kind == Kind::ClassFraction {
                format!("{} {}", t.effect_name, t.about)
            } else {
                t.effect_name.to_owned()
            }
        }),
        effect: shown.as_ref().and_then(|t| t.effect),
        lower: shown.as_ref().and_then(|t| t.lower),
        upper: shown.as_ref().and_then(|t| t.upper),
        p: shown.as_ref().and_then(|t| t.p),
        q: shown.as_ref().and_then(|t| t.q),
        agree,
        flags,
        reason: if matches!(call, "ranking only" | "not estimable" | "no count hit") {
            primary
                .or(against_controls)
                .and_then(|t| t.reason.clone())
                .or_else(|| counts.iter().find_map(|t| t.reason.clone()))
        } else {
            None
        },
        sort_effect: by_novelty.unwrap_or_else(|| {
            shown
                .as_ref()
                .and_then(|t| t.effect)
                .map_or(0.0, |r| r.max(1e-3).ln().abs())
        }),
        median_p: [
            well_mean(input.p_controls),
            well_mean(input.p_known),
            well_mean(input.p_cell),
        ],
        shift: (!shifted.is_empty()).then(|| shifted.join(", ")),
        count_ratio,
        count_q: counts.iter().filter_map(|t| t.q).reduce(f64::min),
        candidates,
        artefacts,
        control_cells: shown.as_ref().map_or(0, |t| t.control_cells),
    }
}

/// Wells of a treatment whose share of unlike cells is above that of every one of their plate's control wells.
fn agreeing(input: &HitTableInput, group: &TreatmentGroup, test: &TestRow) -> usize {
    let of = match test.about.as_str() {
        "known" => input.p_known,
        "both" => input.p_cell,
        _ => input.p_controls,
    };
    let share = |w: usize| {
        let p: Vec<f64> = input.layout.wells[w].rows.iter().filter_map(|&r| of[r]).collect();
        (!p.is_empty()).then(|| p.iter().filter(|&&p| p <= 0.05).count() as f64 / p.len() as f64)
    };
    group
        .wells
        .iter()
        .filter(|&&w| {
            let controls = &input.layout.plates[input.layout.wells[w].plate].controls;
            let most = controls.iter().filter_map(|&c| share(c)).fold(0.0, f64::max);
            share(w).is_some_and(|s| s > most)
        })
        .count()
}

/// Whether a well lies on the rim of the smallest plate format (96, 384, 1536) that holds its plate.
fn on_edge(layout: &PlateLayout, well: usize) -> bool {
    let plate = &layout.plates[layout.wells[well].plate];
    let most = |f: fn(&crate::WellInfo) -> u32| {
        plate
            .wells
            .iter()
            .map(|&w| f(&layout.wells[w].info))
            .max()
            .unwrap_or(0)
    };
    let (row, column) = (most(|w| w.row), most(|w| w.column));
    let (rows, columns) = if row < 8 && column < 12 {
        (8, 12)
    } else if row < 16 && column < 24 {
        (16, 24)
    } else {
        (32, 48)
    };
    let info = &layout.wells[well].info;
    info.row == 0 || info.column == 0 || info.row + 1 == rows || info.column + 1 == columns
}
