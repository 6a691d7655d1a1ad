//! Laws that hold whatever the data: symmetry, additivity, coverage and level by seeded simulation.

use ndarray::{Array2, Array4, Axis};
use rand_chacha::ChaCha8Rng;
use uncertainty::{
    ConformalReference, Dispersion, Mahalanobis, PosteriorPredictive, Shrinkage, Tail, below,
    benjamini_hochberg, bootstrap_groups, conformal_p, conformal_p_by_group, conformal_p_leave_group_out,
    count_test, cross_conformal_p, exact_rank_sum, pool, stream, uniform,
};

/// A standard normal number (Box, Muller 1958).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v) = (1.0 - uniform(rng), uniform(rng));
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// A gamma number of shape `shape` and mean `shape` (Marsaglia, Tsang 2000).
fn gamma(rng: &mut ChaCha8Rng, shape: f64) -> f64 {
    if shape < 1.0 {
        return gamma(rng, shape + 1.0) * (1.0 - uniform(rng)).powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(rng);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && (1.0 - uniform(rng)).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

fn poisson(rng: &mut ChaCha8Rng, mean: f64) -> u64 {
    // Waiting times; means here are a few hundred at most.
    let mut waited = 0.0;
    let mut n = 0;
    loop {
        waited -= (1.0 - uniform(rng)).ln();
        if waited > mean {
            return n;
        }
        n += 1;
    }
}

fn random_samples(rng: &mut ChaCha8Rng, shape: (usize, usize, usize, usize)) -> Array4<f32> {
    let mut samples = Array4::from_shape_simple_fn(shape, || (2.0 * normal(rng)).exp());
    for mut row in samples.lanes_mut(Axis(3)) {
        let sum = row.sum();
        row /= sum;
    }
    samples.mapv(|p| p as f32)
}

#[test]
fn the_order_of_members_changes_nothing_and_the_parts_add_up() {
    let mut rng = stream(1, "laws/pool");
    let samples = random_samples(&mut rng, (5, 8, 40, 6));
    let pooled = pool(samples.view());
    let close = |a: &ndarray::Array1<f64>, b: &ndarray::Array1<f64>| (a - b).iter().all(|d| d.abs() < 1e-12);
    assert!(close(&pooled.total, &(&pooled.aleatoric + &pooled.epistemic)));
    assert!(close(&pooled.epistemic, &(&pooled.between + &pooled.within)));
    let most = 6.0_f64.ln() + 1e-12;
    for part in [
        &pooled.total,
        &pooled.aleatoric,
        &pooled.epistemic,
        &pooled.between,
        &pooled.within,
    ] {
        assert!(part.iter().all(|&nats| (0.0..=most).contains(&nats)));
    }
    let turned = pool(samples.select(Axis(0), &[3, 0, 4, 2, 1]).view());
    assert!(close(&pooled.total, &turned.total) && close(&pooled.between, &turned.between));
    assert!(
        (&pooled.probability - &turned.probability)
            .iter()
            .all(|d| d.abs() < 1e-14)
    );
    let draws = pool(samples.select(Axis(1), &[7, 6, 5, 4, 3, 2, 1, 0]).view());
    assert!(close(&pooled.within, &draws.within));
}

/// Many draws of one law against few: the correction takes most of the bias away (METHODS.md section 1).
#[test]
fn corrected_parts_do_not_depend_on_the_number_of_draws() {
    let mut rng = stream(2, "laws/corrected");
    let samples = random_samples(&mut rng, (1, 400, 200, 4));
    let mean = |pooled: &uncertainty::Pooled| {
        (
            pooled.within.mean().unwrap(),
            pooled.corrected().1.mean().unwrap(),
        )
    };
    let (many, _) = mean(&pool(samples.view()));
    let (plain, corrected) = mean(&pool(samples.slice_axis(Axis(1), (0..5).into())));
    assert!(plain < 0.85 * many, "{plain} of {many}");
    assert!((corrected / many - 1.0).abs() < 0.06, "{corrected} of {many}");
}

/// Share of values at or below each level, with the slack of four binomial standard errors.
#[track_caller]
fn assert_super_uniform(p: &[f64], levels: &[f64]) {
    for &level in levels {
        let share = p.iter().filter(|p| **p <= level).count() as f64 / p.len() as f64;
        let slack = 4.0 * (level * (1.0 - level) / p.len() as f64).sqrt();
        assert!(
            share <= level + slack,
            "share of p <= {level} is {share} in {} values",
            p.len()
        );
    }
}

#[test]
fn conformal_p_values_are_super_uniform_with_ties() {
    let mut rng = stream(3, "laws/conformal");
    let mut p = Vec::new();
    let mut crossed = Vec::new();
    for _ in 0..4000 {
        let mut score = || (2.0 * normal(&mut rng)).round();
        let calibration: Vec<f64> = (0..59).map(|_| score()).collect();
        let test = score();
        p.push(conformal_p(&calibration, &[test])[0]);
        let folds = [calibration[..20].to_vec(), calibration[20..].to_vec()];
        crossed.push(cross_conformal_p(&folds, Array2::from_elem((1, 2), test).view())[0]);
    }
    assert_super_uniform(&p, &[0.02, 0.05, 0.1, 0.3, 0.6]);
    assert_eq!(p, crossed);
}

/// Wells differ as much as cells within them: by well the level holds, by cell it would not need to.
#[test]
fn grouped_p_values_are_super_uniform_for_a_new_well() {
    let mut rng = stream(4, "laws/grouped");
    let mut p = Vec::new();
    let mut left_out = Vec::new();
    for _ in 0..1500 {
        let wells: Vec<f64> = (0..20).map(|_| normal(&mut rng)).collect();
        let cells = 1 + below(&mut rng, 30);
        let group: Vec<u32> = (0..19).flat_map(|w| vec![w; cells]).collect();
        let score: Vec<f64> = group
            .iter()
            .map(|&w| wells[w as usize] + normal(&mut rng))
            .collect();
        p.push(conformal_p_by_group(&score, &group, &[wells[19] + normal(&mut rng)])[0]);
        left_out.push(conformal_p_leave_group_out(&score, &group)[0]);
    }
    assert_super_uniform(&p, &[0.05, 0.1, 0.3, 0.6]);
    assert_super_uniform(&left_out, &[0.1, 0.3, 0.6]);
}

/// Three classes of different difficulty, wells with their own shift: each class's own coverage holds, not only the mean.
#[test]
fn every_class_is_covered() {
    let mut rng = stream(5, "laws/sets");
    let (mut covered, mut tried) = ([0_usize; 3], [0_usize; 3]);
    for _ in 0..150 {
        let cell = |rng: &mut ChaCha8Rng, class: usize, shift: f64| {
            let mut z = [0.0; 3];
            (0..3).for_each(|k| z[k] = normal(rng));
            z[class] += [3.0, 1.5, 0.5][class] + shift;
            let e = z.map(f64::exp);
            let sum: f64 = e.iter().sum();
            e.map(|v| v / sum)
        };
        let mut reference = ConformalReference::default();
        for well in 0..30_u32 {
            let shift = 0.7 * normal(&mut rng);
            for class in [0, 0, 0, 1, 1, 2] {
                let p = cell(&mut rng, class, shift);
                reference.score.push(1.0 - p[class]);
                reference.label.push(class);
                reference.group.push(well);
                reference.fold.push(well % 4);
            }
        }
        let predictor = reference.prepare(3, 0.1).unwrap();
        for _ in 0..40 {
            let (class, shift) = (below(&mut rng, 3), 0.7 * normal(&mut rng));
            let p = cell(&mut rng, class, shift);
            covered[class] += usize::from(predictor.set_single(&p).contains(&class));
            tried[class] += 1;
        }
    }
    for class in 0..3 {
        let coverage = covered[class] as f64 / tried[class] as f64;
        // J = 30 wells: the hierarchical weights ask for (1-α)(1+1/J) = 0.93.
        assert!(coverage > 0.9 && coverage < 0.96, "class {class}: {coverage}");
    }
}

#[test]
fn rank_sums_are_exact_under_the_null() {
    let mut rng = stream(6, "laws/rank_sum");
    for tail in [Tail::Greater, Tail::Less, Tail::TwoSided] {
        let p: Vec<f64> = (0..3000)
            .map(|_| {
                let mut value = || (3.0 * normal(&mut rng)).round();
                let (treated, control): (Vec<f64>, Vec<f64>) = (
                    (0..3).map(|_| value()).collect(),
                    (0..8).map(|_| value()).collect(),
                );
                exact_rank_sum(&treated, &control, tail)
            })
            .collect();
        assert_super_uniform(&p, &[0.0125, 0.05, 0.1, 0.3, 0.6]);
    }
}

/// The false discovery rate of Benjamini-Hochberg on p-values that share one calibration set.
#[test]
fn shared_calibration_keeps_the_false_discovery_rate() {
    let mut rng = stream(7, "laws/fdr");
    let mut rate = 0.0;
    const ROUNDS: usize = 400;
    for _ in 0..ROUNDS {
        let calibration: Vec<f64> = (0..400).map(|_| normal(&mut rng)).collect();
        let test: Vec<f64> = (0..100)
            .map(|i| normal(&mut rng) + if i < 20 { 3.5 } else { 0.0 })
            .collect();
        let q = benjamini_hochberg(&conformal_p(&calibration, &test));
        let rejected: Vec<usize> = (0..100).filter(|&i| q[i] <= 0.2).collect();
        let false_ones = rejected.iter().filter(|&&i| i >= 20).count();
        rate += false_ones as f64 / rejected.len().max(1) as f64;
    }
    rate /= ROUNDS as f64;
    assert!(rate > 0.1 && rate < 0.18, "{rate} should be near 0.2 x 0.8");
}

/// Negative binomial wells: the test keeps its level with an estimated and with the right assumed dispersion.
#[test]
fn count_tests_keep_their_level() {
    let mut rng = stream(8, "laws/count");
    let mut level = |controls: usize, dispersion: Dispersion| {
        let mut low = 0;
        const ROUNDS: usize = 2500;
        for _ in 0..ROUNDS {
            let mut well = || {
                let factor = gamma(&mut rng, 10.0) / 10.0;
                poisson(&mut rng, 80.0 * factor)
            };
            let control: Vec<u64> = (0..controls).map(|_| well()).collect();
            let test = count_test(well(), &control, dispersion).unwrap();
            low += usize::from(test.p < 0.05);
        }
        low as f64 / ROUNDS as f64
    };
    for (controls, dispersion) in [
        (8, Dispersion::Estimated),
        (16, Dispersion::Estimated),
        (3, Dispersion::Assumed(0.1)),
    ] {
        let share = level(controls, dispersion);
        assert!(
            (0.03..0.08).contains(&share),
            "{controls} controls, {dispersion:?}: {share}"
        );
    }
}

/// New wells like the controls: the predictive p-value keeps its level where the plugged-in fit does not.
#[test]
fn posterior_predictive_p_values_keep_their_level() {
    let mut rng = stream(9, "laws/predictive");
    for (wells, rho) in [(8, 0.02), (8, 0.15), (25, 0.1)] {
        let mut p = Vec::new();
        let mut plugged_in = Vec::new();
        for _ in 0..60 {
            let size = 1.0 / rho - 1.0;
            let mut well = || {
                let (a, b) = (gamma(&mut rng, 0.06 * size), gamma(&mut rng, 0.94 * size));
                let share = a / (a + b);
                (0..60).fold((0, 60), |(k, n), _| (k + u64::from(uniform(&mut rng) < share), n))
            };
            let controls: Vec<(u64, u64)> = (0..wells).map(|_| well()).collect();
            let posterior = PosteriorPredictive::fit(&controls).unwrap();
            let fit = uncertainty::beta_binomial_fit(&controls);
            for _ in 0..40 {
                let (k, n) = well();
                p.push(posterior.upper_tail(k, n));
                plugged_in.extend(fit.map(|fit| fit.upper_tail(k, n)));
            }
        }
        let share = |p: &[f64], level: f64| p.iter().filter(|p| **p <= level).count() as f64 / p.len() as f64;
        assert!(
            share(&p, 0.05) < 0.065 && share(&p, 0.01) < 0.013,
            "{wells} wells, rho {rho}"
        );
        assert!(
            share(&p, 0.01) < 0.5 * share(&plugged_in, 0.01),
            "{wells} wells, rho {rho}"
        );
    }
}

#[test]
fn mahalanobis_does_not_depend_on_the_order_of_cells() {
    let mut rng = stream(10, "laws/mahalanobis");
    let x = Array2::from_shape_simple_fn((60, 8), || normal(&mut rng));
    let turned: Vec<usize> = (0..60).map(|i| (i * 17) % 60).collect();
    let test = Array2::from_shape_simple_fn((30, 8), || normal(&mut rng));
    let score = |x: &Array2<f64>| {
        Mahalanobis::fit(x.view(), Shrinkage::LedoitWolf)
            .unwrap()
            .score(test.view())
    };
    let difference = score(&x) - score(&x.select(Axis(0), &turned));
    assert!(difference.iter().all(|d| d.abs() < 1e-9));
}

#[test]
fn bootstrap_intervals_of_wells_hold_the_truth() {
    let mut rng = stream(11, "laws/bootstrap");
    let mut held = 0;
    const ROUNDS: usize = 300;
    for _ in 0..ROUNDS {
        let wells: Vec<u32> = (0..200).map(|i| i / 10).collect();
        let shifts: Vec<f64> = (0..20).map(|_| normal(&mut rng)).collect();
        let x: Vec<f64> = wells
            .iter()
            .map(|&w| shifts[w as usize] + normal(&mut rng))
            .collect();
        let mean = |rows: &[usize]| Some(rows.iter().map(|&r| x[r]).sum::<f64>() / rows.len() as f64);
        let (low, high) = bootstrap_groups(&wells, 300, 0.9, &mut rng, mean).unwrap();
        held += usize::from(low <= 0.0 && 0.0 <= high);
    }
    let share = held as f64 / ROUNDS as f64;
    assert!((0.82..0.95).contains(&share), "{share}");
}
