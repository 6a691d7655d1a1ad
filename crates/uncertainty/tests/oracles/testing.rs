use crate::reference::{entry, shared_1d};
use ndarray::Array2;
use uncertainty::{
    benjamini_hochberg, calibration_cells_needed, conformal_p, detection_floor, storey, weighted_conformal_p,
};

#[test]
fn conformal_p_values_with_ties() {
    let (calibration, test) = (shared_1d("pv_cal_scores"), shared_1d("pv_test_scores"));
    let e = entry("conformal_pvalues_with_ties");
    let p = conformal_p(&calibration, &test);
    e.check("/p", &p);
    // Benjamini-Hochberg on them rejects what the threshold form rejects.
    let rejected = benjamini_hochberg(&p)
        .iter()
        .filter(|q| **q <= 0.1 + 1e-12)
        .count();
    entry("bh_as_threshold_and_conformal_evalues").check_value("/rejected", rejected as f64);
}

#[test]
fn weighted_p_values() {
    let e = entry("weighted_conformal_pvalues");
    let (calibration, test) = (shared_1d("pv_cal_scores"), shared_1d("pv_test_scores"));
    e.check(
        "/p",
        &weighted_conformal_p(&calibration, &e.input_1d("/w_cal"), &test, &e.input_1d("/w_test")),
    );
}

#[test]
fn false_discovery_rates() {
    let p = shared_1d("pv");
    entry("bh_by_holm_hommel_two_stage").check("/fdr_bh/adjusted", &benjamini_hochberg(&p));
    let e = entry("storey_bh");
    for (lambda, key) in [(0.1, "/lambda_0.1"), (0.5, "/lambda_0.5")] {
        let fit = storey(&p, lambda);
        e.check_value(&format!("{key}/pi0_used"), fit.null_share);
        e.check(&format!("{key}/adjusted"), &fit.q);
    }
}

#[test]
fn what_it_takes_to_reject() {
    let rows: Array2<f64> = entry("calibration_cells_needed_for_bh")
        .expected("/rows")
        .into_dimensionality()
        .unwrap();
    for row in rows.outer_iter() {
        let (tests, rejections, fdr) = (row[0] as usize, row[1] as usize, row[2]);
        let needed = calibration_cells_needed(tests, rejections, fdr);
        assert_eq!(needed, row[3] as usize, "{row}");
        let floor = |cells: usize| detection_floor(1.0 / (cells + 1) as f64, tests, fdr).tests_needed;
        assert!(floor(needed).is_some_and(|r| r <= rejections), "{row}");
        assert!(floor(needed - 1).is_none_or(|r| r > rejections), "{row}");
    }
}
