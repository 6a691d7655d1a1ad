use crate::reference::{entry, shared_1d};
use uncertainty::{
    BetaBinomial, Tail, beta_binomial_fit, exact_rank_sum, mad, median, negative_binomial_fit, robust_z,
    ssmd, ssmd_robust, z_prime, z_prime_robust,
};

fn counts(values: Vec<f64>) -> Vec<u64> {
    values.into_iter().map(|v| v as u64).collect()
}

#[test]
fn robust_z_scores() {
    let plate = shared_1d("plate_8x12");
    let e = entry("robust_z");
    e.check_value("/median", median(&plate).unwrap());
    e.check_value("/mad_raw", mad(&plate).unwrap());
    e.check("/z", &robust_z(&plate, &plate).unwrap());
}

#[test]
fn separation_of_controls() {
    let e = entry("zprime_ssmd");
    let (positive, negative) = (e.input_1d("/pos"), e.input_1d("/neg"));
    e.check_value("/zprime", z_prime(&positive, &negative).unwrap());
    e.check_value("/zprime_robust", z_prime_robust(&positive, &negative).unwrap());
    e.check_value("/ssmd", ssmd(&positive, &negative).unwrap());
    e.check_value("/ssmd_robust", ssmd_robust(&positive, &negative).unwrap());
}

#[test]
fn negative_binomial_fit_of_two_groups() {
    let e = entry("negative_binomial_count_test");
    let (control, treated) = (
        counts(e.input_1d("/control_counts")),
        counts(e.input_1d("/treated_counts")),
    );
    let two = negative_binomial_fit(&[&control, &treated]).unwrap();
    e.check_value("/log_mean_control", two.means[0].ln());
    e.check_value("/log_ratio", (two.means[1] / two.means[0]).ln());
    e.check_value("/alpha_dispersion", two.dispersion);
    e.check_value("/llf", two.log_likelihood);
    let one = negative_binomial_fit(&[&[control, treated].concat()]).unwrap();
    e.check_value("/llf_null", one.log_likelihood);
    e.check_value("/lr_statistic", 2.0 * (two.log_likelihood - one.log_likelihood));
}

#[test]
fn beta_binomial_fit_and_tails() {
    let e = entry("beta_binomial_share_test");
    let controls: Vec<(u64, u64)> = counts(e.input_1d("/control_k"))
        .into_iter()
        .zip(counts(e.input_1d("/control_n")))
        .collect();
    let fit = beta_binomial_fit(&controls).unwrap();
    e.check_value("/mu", fit.mean);
    e.check_value("/rho", fit.rho);
    e.check_value("/max_loglik", fit.log_likelihood);
    let law = fit.law.unwrap();
    e.check_value("/alpha", law.alpha);
    e.check_value("/beta", law.beta);
    let treated = counts(e.input_1d("/treated_k_n"));
    let p: Vec<f64> = treated
        .chunks_exact(2)
        .map(|well| fit.upper_tail(well[0], well[1]))
        .collect();
    e.check("/upper_tail_p", &p);
    // With 16 control wells the doubt about the fit makes p larger, but not by orders of magnitude.
    for (well, plugged_in) in treated.chunks_exact(2).zip(&p) {
        let honest = uncertainty::posterior_predictive_p(well[0], well[1], &controls).unwrap();
        assert!(
            honest > 0.8 * plugged_in && honest < 30.0 * plugged_in,
            "{well:?} {honest} {plugged_in}"
        );
    }
    let fixed = entry("beta_binomial_tail_fixed_parameters");
    let law = BetaBinomial {
        alpha: fixed.input("/alpha").sum(),
        beta: fixed.input("/beta").sum(),
    };
    let wells = counts(fixed.input_1d("/k_n"));
    let pmf: Vec<f64> = wells
        .chunks_exact(2)
        .map(|w| law.ln_pmf(w[0], w[1]).exp())
        .collect();
    let tail: Vec<f64> = wells
        .chunks_exact(2)
        .map(|w| law.upper_tail(w[0], w[1]))
        .collect();
    fixed.check("/pmf", &pmf);
    // scipy takes the far tails as 1 - cdf: at (60, 160) and (160, 160) its digits are gone. There the values are from
    // whole-number arithmetic (Python's fractions), and P(K >= 160) of 160 cells is P(K = 160).
    let library = fixed.expected("/sf_at_least");
    for (got, want) in tail[..3].iter().zip(library.iter()) {
        assert!((got - want).abs() < 1e-8 * want, "{got} is not {want}");
    }
    assert!(
        (tail[3] / 8.710_973_565_924_201e-6 - 1.0).abs() < 1e-10,
        "{}",
        tail[3]
    );
    assert!((tail[4] / pmf[4] - 1.0).abs() < 1e-12);
}

#[test]
fn exact_rank_sum_of_eight_and_seven() {
    let e = entry("two_sample_tests");
    let (a, b) = (e.input_1d("/a"), e.input_1d("/b"));
    let p = exact_rank_sum(&a[..8], &b[..7], Tail::TwoSided);
    let expected = e.expected("/mannwhitney_first8_7_u_p_exact");
    assert!((p - expected[1]).abs() < 1e-12, "{p}");
}
