use crate::entropy::ensemble;
use crate::reference::{entry, shared_1d, shared_2d, shared_flags, shared_labels, softmax_rows};
use uncertainty::{
    Temperature, Z_95, calibration_slope, classwise_debiased_l2, classwise_ece, consistency_band,
    debiased_l2, ece_equal_mass, ece_equal_width, nll, percentile, pool_f64, smooth_ece, smooth_ece_at,
    stream, top_class, uniform, wilson,
};

fn test_cells() -> (Vec<f64>, Vec<bool>) {
    (shared_1d("test_conf"), shared_flags("test_correct"))
}

#[test]
fn binned_calibration_errors() {
    let (confidence, hit) = test_cells();
    let e = entry("ece_equal_mass_15_top_label");
    e.check_value("/ece_equal_mass", ece_equal_mass(&confidence, &hit, 15).unwrap());
    e.check_value(
        "/ece_equal_width",
        ece_equal_width(&confidence, &hit, 15).unwrap(),
    );
    entry("ece_equal_width_15").check_value("/ece", ece_equal_width(&confidence, &hit, 15).unwrap());
    let (p, y) = (
        softmax_rows(&shared_2d("test_logits"), 1.0),
        shared_labels("test_labels"),
    );
    let per_class = classwise_ece(p.view(), &y, 15).unwrap();
    let e = entry("classwise_ece_15");
    e.check("/per_class", &per_class);
    e.check_value("/mean", per_class.iter().sum::<f64>() / per_class.len() as f64);
    let e = entry("debiased_l2_ce_equal_mass_15");
    e.check_value(
        "/top_label_l2_debiased",
        debiased_l2(&confidence, &hit, 15).unwrap(),
    );
    e.check_value(
        "/marginal_l2_debiased",
        classwise_debiased_l2(p.view(), &y, 15).unwrap(),
    );
}

#[test]
fn smooth_calibration_error() {
    let (confidence, hit) = test_cells();
    let exact = entry("smooth_ece_exact_kernel");
    exact.check_value("/at_sigma_0.05", smooth_ece_at(&confidence, &hit, 0.05).unwrap());
    exact.check_value("/at_sigma_0.1", smooth_ece_at(&confidence, &hit, 0.1).unwrap());
    exact.check_value("/fixed_point_width", smooth_ece(&confidence, &hit).unwrap());
    entry("smooth_ece_relplot").check_value("/smece", smooth_ece(&confidence, &hit).unwrap());
}

/// Coins with the cells' own confidences, as the reference throws them (rows kept, bins of equal width);
/// the band of `ece_null_band` itself is held against the scoring script in scores.rs.
#[test]
fn the_noise_of_a_calibrated_model() {
    let (confidence, hit) = test_cells();
    let mut rng = stream(1, "test/null");
    let mut drawn: Vec<f64> = (0..40_000)
        .map(|_| {
            let coins: Vec<bool> = confidence.iter().map(|&c| uniform(&mut rng) < c).collect();
            ece_equal_width(&confidence, &coins, 15).unwrap()
        })
        .collect();
    drawn.sort_by(f64::total_cmp);
    let e = entry("ece_consistency_null_band");
    e.check_value("/null_mean", drawn.iter().sum::<f64>() / drawn.len() as f64);
    for (pointer, q) in [
        ("/null_q50", 0.5),
        ("/null_q90", 0.9),
        ("/null_q95", 0.95),
        ("/null_q99", 0.99),
    ] {
        e.check_value(pointer, percentile(&drawn, q).unwrap());
    }
    let observed = ece_equal_width(&confidence, &hit, 15).unwrap();
    let above = drawn.iter().filter(|&&d| d >= observed).count();
    e.check_value("/p_value", (1 + above) as f64 / (drawn.len() + 1) as f64);
}

#[test]
fn intervals_of_shares() {
    let e = entry("binomial_intervals");
    let ends: Vec<f64> = e
        .input_1d("/k")
        .iter()
        .zip(e.input_1d("/n"))
        .flat_map(|(&k, n)| <[f64; 2]>::from(wilson(k as u64, n as u64, Z_95)))
        .collect();
    e.check("/wilson", &ends);
    let band = entry("reliability_consistency_band_binomial");
    let (low, high): (Vec<f64>, Vec<f64>) = band
        .input_1d("/counts")
        .iter()
        .zip(band.input_1d("/mean_conf"))
        .map(|(&n, c)| {
            if n == 0.0 {
                (f64::NAN, f64::NAN)
            } else {
                consistency_band(n as u64, c, 0.95)
            }
        })
        .unzip();
    band.check("/low_share", &low);
    band.check("/high_share", &high);
}

#[test]
fn slope_and_intercept() {
    let (p, y) = (
        softmax_rows(&shared_2d("cal_logits"), 1.0),
        shared_labels("cal_labels"),
    );
    let (confidence, hit): (Vec<f64>, Vec<bool>) = top_class(p.view())
        .into_iter()
        .zip(&y)
        .map(|((class, c), y)| (c, class == *y))
        .unzip();
    let fit = calibration_slope(&confidence, &hit).unwrap();
    let e = entry("calibration_slope_intercept_spiegelhalter");
    e.check_value("/cox_slope", fit.slope);
    e.check_value("/cox_intercept", fit.intercept);
    e.check("/se", &[fit.intercept_se, fit.slope_se]);
}

#[test]
fn temperature_of_one_model() {
    let (z, y) = (shared_2d("cal_logits"), shared_labels("cal_labels"));
    let fit = Temperature::fit(z.view(), &y).unwrap();
    let e = entry("temperature_single_model");
    e.check_value("/temperature", fit.temperature.0);
    e.check_value("/nll_before", fit.nll_before);
    e.check_value("/nll_after", fit.nll_after);
    let test = fit.temperature.apply(shared_2d("test_logits").view());
    e.check_value(
        "/test_nll_after",
        nll(test.view(), &shared_labels("test_labels")).unwrap(),
    );
    assert!(!fit.at_bound);
}

#[test]
fn temperature_of_a_pool() {
    let pooled = pool_f64(ensemble().view());
    let fit = Temperature::fit(pooled.log_probability().view(), &shared_labels("ens_labels")).unwrap();
    let e = entry("temperature_for_ensembles_four_ways");
    e.check_value("/pool_then_calibrate_T", fit.temperature.0);
    e.check_value("/pool_then_calibrate_nll", fit.nll_after);
    e.check_value("/pooled_uncalibrated_nll", fit.nll_before);
}
