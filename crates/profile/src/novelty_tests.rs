//! Which treatments hold cells unlike controls, unlike the taught classes, or unlike both; and which shift the class mix.

use std::collections::BTreeSet;

use uncertainty::Tail;

use crate::class_mix::ClassMix;
use crate::gathered::Verdict;
use crate::plate_layout::{PlateLayout, TreatmentGroup};
use crate::share_tests::{ShareQuestion, WellShare, close_families, share_tests};
use crate::test_rows::{Call, Kind, TestRow};
use crate::{GatherParams, NovelAgainst};

/// A class is tested for a shift when its mean share over all wells is at least this.
const MIN_CLASS_SHARE: f64 = 0.02;
/// A treatment is new only if its share of cells unlike the taught classes is at least so many times what its class mix gives.
const MIN_KNOWN_RATIO: f64 = 2.0;

/// Rows of the novelty tests, and the reference that selects.
pub(crate) struct NoveltyTests {
    pub rows: Vec<TestRow>,
    /// `controls`, `known` or `both`.
    pub primary: Option<&'static str>,
}

/// Novelty tests against every reference that is there and asked for.
pub(crate) fn novelty_tests(
    layout: &PlateLayout,
    groups: &[TreatmentGroup],
    p_controls: &[Option<f64>],
    p_known: &[Option<f64>],
    mix: Option<&ClassMix>,
    params: &GatherParams,
    verdict: &mut Verdict,
) -> NoveltyTests {
    let well_shares = |p: &[Option<f64>], expected: &dyn Fn(&[usize]) -> f64| -> Vec<Option<WellShare>> {
        layout
            .wells
            .iter()
            .map(|w| {
                let rows: Vec<usize> = w.rows.iter().copied().filter(|&r| p[r].is_some()).collect();
                let cells: Vec<f64> = rows.iter().filter_map(|&r| p[r]).collect();
                let n = cells.len();
                (n > 0).then(|| WellShare {
                    share: cells.iter().filter(|&&p| p <= 0.05).count() as f64 / n as f64 - expected(&rows),
                    n,
                    tie_break: 1.0 - cells.iter().sum::<f64>() / n as f64,
                })
            })
            .collect()
    };
    let has = |p: &[Option<f64>]| p.iter().any(Option::is_some);
    let with_controls = has(p_controls) && params.novel_against != NovelAgainst::Known;
    let with_known = has(p_known) && params.novel_against != NovelAgainst::Controls;
    let mut rows = Vec::new();
    let question = |about, effect_name| ShareQuestion {
        kind: Kind::Novelty,
        about,
        effect_name,
        tail: Tail::Greater,
    };
    if with_controls || !with_known {
        let mut tests = share_tests(
            layout,
            groups,
            &well_shares(p_controls, &|_| 0.0),
            &question("controls", "share of cells unlike controls, minus controls'"),
        );
        verdict
            .floors
            .extend(close_families(&mut tests, layout, params.fdr));
        rows.extend(tests);
    }
    if with_known {
        let levels = mix.map(|m| m.known_levels(layout, p_known, params));
        if let (Some(mix), Some(levels)) = (mix, &levels) {
            let each: Vec<String> = mix
                .classes
                .iter()
                .zip(levels)
                .map(|(c, l)| format!("{c} {l:.3}"))
                .collect();
            verdict.notes.push(format!(
                "Share of known cells with P_Known ≤ 0.05 by class ({}): {}. A treatment's class mix is judged against its own level.",
                if params.known_levels.is_some() { "from the bundle" } else { "from this run's controls, shrunk to 0.05" },
                each.join(", ")
            ));
        }
        let expected = |rows: &[usize]| {
            mix.zip(levels.as_ref())
                .map_or(0.05, |(m, l)| m.expected_known_share(rows, l))
        };
        let mut tests = share_tests(
            layout,
            groups,
            &well_shares(p_known, &expected),
            &question(
                "known",
                "share of cells unlike the taught classes, beyond the class mix, minus controls'",
            ),
        );
        verdict
            .floors
            .extend(close_families(&mut tests, layout, params.fdr));
        if with_controls {
            let mut both = joined(layout, groups, &rows, &tests, p_known, &expected);
            close_families(&mut both, layout, params.fdr);
            rows.extend(tests);
            rows.extend(both);
        } else {
            rows.extend(tests);
        }
    }
    let primary = match (with_controls, with_known) {
        (true, true) => Some("both"),
        (true, false) => Some("controls"),
        (false, true) => Some("known"),
        (false, false) => None,
    };
    NoveltyTests { rows, primary }
}

/// Unlike controls **and** unlike the taught classes: the larger of the two p-values, and at least twice the share of unlike
/// cells that the class mix gives by itself.
fn joined(
    layout: &PlateLayout,
    groups: &[TreatmentGroup],
    controls: &[TestRow],
    known: &[TestRow],
    p_known: &[Option<f64>],
    expected: &dyn Fn(&[usize]) -> f64,
) -> Vec<TestRow> {
    controls
        .iter()
        .zip(known)
        .map(|(c, k)| {
            let mut row = k.clone();
            row.about = "both".to_owned();
            row.p = c.p.zip(k.p).map(|(c, k)| c.max(k));
            row.q = None;
            row.reason = c.reason.clone().or_else(|| k.reason.clone());
            // A test that could not pass by itself still has its p-value; the joint family judges it again.
            let base = |t: &TestRow| if matches!(t.call, Call::Hit | Call::NoHit) { Call::NoHit } else { t.call };
            row.call = match (base(c), base(k)) {
                (Call::NoHit, Call::NoHit) => Call::NoHit,
                (Call::NotEstimable, _) | (_, Call::NotEstimable) => Call::NotEstimable,
                _ => Call::RankingOnly,
            };
            let cells: Vec<usize> =
                groups[k.group].wells.iter().flat_map(|&w| layout.wells[w].rows.iter().copied()).filter(|&r| p_known[r].is_some()).collect();
            let share = cells.iter().filter(|&&r| p_known[r].is_some_and(|p| p <= 0.05)).count() as f64 / cells.len().max(1) as f64;
            if row.call == Call::NoHit && share < MIN_KNOWN_RATIO * expected(&cells) {
                row.p = Some(1.0);
                row.reason = Some(format!("{:.0} % of its cells are unlike the taught classes, less than {MIN_KNOWN_RATIO} times what its class mix gives", 100.0 * share));
            }
            row
        })
        .collect()
}

/// Class-fraction tests of all classes that occur.
pub(crate) fn class_tests(
    layout: &PlateLayout,
    groups: &[TreatmentGroup],
    mix: &ClassMix,
    flagged: &BTreeSet<usize>,
    params: &GatherParams,
    verdict: &mut Verdict,
) -> Vec<TestRow> {
    let fractions: Vec<_> = layout
        .wells
        .iter()
        .map(|w| {
            mix.fractions(
                &w.rows
                    .iter()
                    .copied()
                    .filter(|r| !flagged.contains(r))
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    let mut rows = Vec::new();
    for (k, class) in mix.classes.iter().enumerate() {
        let shares: Vec<Option<WellShare>> = fractions
            .iter()
            .map(|f| {
                f.as_ref().map(|(s, n)| WellShare {
                    share: s[k].share,
                    n: *n,
                    tie_break: 0.0,
                })
            })
            .collect();
        let there: Vec<f64> = shares.iter().flatten().map(|s| s.share).collect();
        if there.is_empty() || there.iter().sum::<f64>() / (there.len() as f64) < MIN_CLASS_SHARE {
            continue;
        }
        let question = ShareQuestion {
            kind: Kind::ClassFraction,
            about: class,
            effect_name: "class fraction minus controls'",
            tail: Tail::TwoSided,
        };
        rows.extend(share_tests(layout, groups, &shares, &question));
    }
    // One family: all classes of all treatments.
    let floors = close_families(&mut rows, layout, params.fdr);
    if !rows.is_empty() {
        verdict.notes.push("Class fractions are corrected for the classifier's confusion (SLD); flagged candidates are left out of them.".to_owned());
        verdict.floors.extend(floors);
    }
    rows
}
