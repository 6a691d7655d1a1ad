//! Tests of treatments on shares of cells per well: novelty and class fractions.
//!
//! With two or more replicate wells an exact rank-sum of the wells against the control wells of their plates
//! (stratified by plate); a single well by the posterior predictive of a beta-binomial fitted to the control wells. BH over the
//! treatments that lie on the same plates. Source: METHODS.md section 8, default.

use std::collections::BTreeMap;

use uncertainty::{
    Tail, benjamini_hochberg, detection_floor, exact_rank_sum_stratified, posterior_predictive_p,
    smallest_rank_sum_p,
};

use crate::control_null::MIN_CONTROL_WELLS;
use crate::plate_layout::{PlateLayout, TreatmentGroup};
use crate::test_rows::{Call, Kind, TestRow};

/// Fewest control wells for a call at an error rate; below, a ranking (METHODS.md section 8).
pub(crate) const MIN_CONTROL_WELLS_FOR_RATE: usize = 8;

/// Normal quantile of a two-sided 90 % interval.
pub(crate) const Z_90: f64 = 1.644_853_626_951_472_7;

/// A share of the cells of one well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WellShare {
    /// The share, 0..=1; of what is expected already taken off when the test asks for an excess.
    pub share: f64,
    /// Cells.
    pub n: usize,
    /// Orders wells whose shares are equal; larger counts as more.
    pub tie_break: f64,
}

/// What a family of share tests is about.
pub(crate) struct ShareQuestion<'a> {
    pub kind: Kind,
    pub about: &'a str,
    pub effect_name: &'static str,
    pub tail: Tail,
}

/// One row a treatment group, q still missing.
pub(crate) fn share_tests(
    layout: &PlateLayout,
    groups: &[TreatmentGroup],
    shares: &[Option<WellShare>],
    question: &ShareQuestion,
) -> Vec<TestRow> {
    (0..groups.len())
        .map(|g| share_test(layout, groups, g, shares, question))
        .collect()
}

fn share_test(
    layout: &PlateLayout,
    groups: &[TreatmentGroup],
    g: usize,
    shares: &[Option<WellShare>],
    question: &ShareQuestion,
) -> TestRow {
    // Plates with a reference, each with its treated and control wells.
    let mut strata: BTreeMap<usize, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    let mut few_controls = 0;
    for &w in groups[g].wells.iter().filter(|&&w| shares[w].is_some()) {
        let plate = layout.wells[w].plate;
        let controls: Vec<usize> = layout.plates[plate]
            .controls
            .iter()
            .copied()
            .filter(|&c| shares[c].is_some())
            .collect();
        if controls.len() < MIN_CONTROL_WELLS {
            few_controls = few_controls.max(controls.len());
            continue;
        }
        strata
            .entry(plate)
            .or_insert_with(|| (Vec::new(), controls))
            .0
            .push(w);
    }
    let treated: Vec<usize> = strata.values().flat_map(|s| s.0.iter().copied()).collect();
    let controls: Vec<usize> = strata.values().flat_map(|s| s.1.iter().copied()).collect();
    let share_of = |wells: &[usize]| -> Vec<WellShare> { wells.iter().filter_map(|&w| shares[w]).collect() };
    let (on, off) = (share_of(&treated), share_of(&controls));
    let mut row = TestRow {
        kind: question.kind,
        group: g,
        wells: groups[g].wells.clone(),
        about: question.about.to_owned(),
        method: "none",
        effect_name: question.effect_name,
        effect: None,
        lower: None,
        upper: None,
        interval_level: 0.9,
        cells: on.iter().map(|s| s.n).sum(),
        control_wells: controls.len(),
        control_cells: off.iter().map(|s| s.n).sum(),
        p: None,
        q: None,
        call: Call::NotEstimable,
        reason: None,
    };
    if treated.is_empty() {
        row.reason = Some(if layout.cells(&groups[g].wells) == 0 {
            "no object in its wells".to_owned()
        } else {
            format!(
                "{few_controls} usable negative-control wells on its plate; at least {MIN_CONTROL_WELLS} are needed, {MIN_CONTROL_WELLS_FOR_RATE} for an error rate"
            )
        });
        return row;
    }
    let (effect, lower, upper) = share_difference(&on, &off);
    (row.effect, row.lower, row.upper) = (Some(effect), Some(lower), Some(upper));
    // The tie-breaker is far below 1 / (n₁ n₂), the least difference of two shares of up to a million cells.
    let rank_value = |s: &WellShare| s.share + 1e-13 * s.tie_break;
    if treated.len() >= 2 {
        row.method = "exact rank-sum of wells, stratified by plate";
        let values: Vec<(Vec<f64>, Vec<f64>)> = strata
            .values()
            .map(|(t, c)| {
                (
                    share_of(t).iter().map(rank_value).collect(),
                    share_of(c).iter().map(rank_value).collect(),
                )
            })
            .collect();
        let views: Vec<(&[f64], &[f64])> = values.iter().map(|(t, c)| (t.as_slice(), c.as_slice())).collect();
        row.p = Some(exact_rank_sum_stratified(&views, question.tail));
    } else {
        row.method = "beta-binomial posterior predictive";
        let count = |s: &WellShare| ((s.share.clamp(0.0, 1.0) * s.n as f64).round() as u64, s.n as u64);
        let (k, n) = count(&on[0]);
        let reference: Vec<(u64, u64)> = off.iter().map(count).collect();
        let more = posterior_predictive_p(k, n, &reference);
        row.p = match question.tail {
            Tail::Greater => more,
            Tail::Less | Tail::TwoSided => {
                let mirrored: Vec<(u64, u64)> = reference.iter().map(|&(k, n)| (n - k, n)).collect();
                let fewer = posterior_predictive_p(n - k, n, &mirrored);
                if question.tail == Tail::Less {
                    fewer
                } else {
                    more.zip(fewer).map(|(a, b)| (2.0 * a.min(b)).min(1.0))
                }
            }
        };
    }
    if row.p.is_none() {
        row.reason = Some("the control wells do not define a distribution".to_owned());
    } else if controls.len() < MIN_CONTROL_WELLS_FOR_RATE {
        row.call = Call::RankingOnly;
        row.reason = Some(format!(
            "{} negative-control wells: a ranking without an error rate; {MIN_CONTROL_WELLS_FOR_RATE} are needed, 16 recommended",
            controls.len()
        ));
    } else {
        row.call = Call::NoHit;
    }
    row
}

/// Mean difference of two sets of well shares with its 90 % interval.
///
/// The variance between control wells beyond their binomial part is taken for the treated wells too, since two or
/// three replicates cannot tell their own; the quantile is Student's with the controls' degrees of freedom (Cornish-Fisher).
fn share_difference(on: &[WellShare], off: &[WellShare]) -> (f64, f64, f64) {
    let mean = |s: &[WellShare]| s.iter().map(|s| s.share).sum::<f64>() / s.len() as f64;
    let cells = |s: &[WellShare]| s.iter().map(|s| s.n).sum::<usize>() as f64 / s.len() as f64;
    let (m_on, m_off) = (mean(on), mean(off));
    let (j, r) = (off.len() as f64, on.len() as f64);
    let binomial = |m: f64, n: f64| {
        let m = m.clamp(0.0, 1.0);
        // Agresti-Coull's two cells keep the variance of an empty share above zero.
        let m = (m * n + 1.0) / (n + 2.0);
        m * (1.0 - m) / n
    };
    let v_off = if off.len() > 1 {
        off.iter().map(|s| (s.share - m_off).powi(2)).sum::<f64>() / (j - 1.0)
    } else {
        0.0
    };
    let between = (v_off - binomial(m_off, cells(off))).max(0.0);
    let variance = v_off.max(binomial(m_off, cells(off))) / j + (between + binomial(m_on, cells(on))) / r;
    let df = (j - 1.0).max(1.0);
    let z = Z_90;
    let t =
        z + (z.powi(3) + z) / (4.0 * df) + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * df * df);
    let (d, half) = (m_on - m_off, t * variance.sqrt());
    // Rounding of the two means must not show as a difference.
    let d = if d.abs() < 1e-12 { 0.0 } else { d };
    (d, (d - half).max(-1.0), (d + half).min(1.0))
}

/// Fills q and the call of rows that carry a p-value, by BH within the family of tests on the same plates; says what
/// the smallest reachable p-value allows.
///
/// Returns one sentence a family.
pub(crate) fn close_families(rows: &mut [TestRow], layout: &PlateLayout, fdr: f64) -> Vec<String> {
    let mut families: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        if row.p.is_some() && row.call == Call::NoHit {
            families
                .entry(layout.plate_names(&row.wells))
                .or_default()
                .push(i);
        }
    }
    let mut floors = Vec::new();
    for (plates, members) in families {
        let p: Vec<f64> = members.iter().filter_map(|&i| rows[i].p).collect();
        let q = benjamini_hochberg(&p);
        let tests = members.len();
        let mut best_floor: Option<(f64, Option<usize>)> = None;
        for (&i, q) in members.iter().zip(q) {
            let floor = smallest_p(&rows[i]);
            let needed = detection_floor(floor, tests, fdr).tests_needed;
            if best_floor.is_none_or(|(p, _)| floor < p) {
                best_floor = Some((floor, needed));
            }
            let row = &mut rows[i];
            row.q = Some(q);
            if needed.is_none() {
                row.call = Call::NotEstimable;
                row.q = None;
                row.reason = Some(format!(
                    "its smallest possible p-value is {floor:.3}, which cannot pass a false-discovery rate of {fdr} among {tests} tests; more replicate or control wells are needed"
                ));
            } else if q <= fdr {
                row.call = Call::Hit;
            }
        }
        if let (Some((floor, needed)), Some(first)) = (best_floor, members.first()) {
            let row = &rows[*first];
            let what = if row.about.is_empty() {
                row.kind.name().to_owned()
            } else {
                format!("{} ({})", row.kind.name(), row.about)
            };
            if floor > 0.0 {
                floors.push(match needed {
                    Some(k) if k > 1 => format!("Plate {plates}, {what}: the smallest possible p-value is {floor:.2e}; among {tests} tests at a false-discovery rate of {fdr} at least {k} must reach it together to be called."),
                    Some(_) => format!("Plate {plates}, {what}: the smallest possible p-value is {floor:.2e}; among {tests} tests at a false-discovery rate of {fdr} a single hit can be called."),
                    None => format!("Plate {plates}, {what}: the smallest possible p-value is {floor:.2e}; among {tests} tests at a false-discovery rate of {fdr} nothing can be called."),
                });
            }
        }
    }
    floors
}

/// Smallest p-value that a row's test could reach; 0 for the beta-binomial, which has no floor.
fn smallest_p(row: &TestRow) -> f64 {
    if row.method.starts_with("exact rank-sum") {
        let tail = if row.kind == Kind::ClassFraction {
            Tail::TwoSided
        } else {
            Tail::Greater
        };
        // Of one stratum; several strata reach lower, so this says rather too much than too little is needed.
        smallest_rank_sum_p(row.wells.len(), row.control_wells, tail)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(values: &[f64], n: usize) -> Vec<WellShare> {
        values
            .iter()
            .map(|&share| WellShare {
                share,
                n,
                tie_break: 0.0,
            })
            .collect()
    }

    #[test]
    fn the_interval_of_a_difference_holds_it_and_narrows_with_replicates() {
        let off = shares(&[0.02, 0.05, 0.08, 0.05, 0.04, 0.06, 0.03, 0.07], 100);
        let (d1, low1, high1) = share_difference(&shares(&[0.6], 100), &off);
        let (d2, low2, high2) = share_difference(&shares(&[0.6, 0.6, 0.6], 100), &off);
        assert!((d1 - 0.55).abs() < 1e-12 && (d2 - 0.55).abs() < 1e-12);
        assert!(
            low1 < low2 && low2 < d2 && d2 < high2 && high2 < high1,
            "{low1} {low2} {high2} {high1}"
        );
        assert!(high1 - low1 < 0.4, "{}", high1 - low1);
    }
}
