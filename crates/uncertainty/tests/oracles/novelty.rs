use crate::entropy::ensemble;
use crate::reference::{entry, shared, shared_2d, shared_labels};
use ndarray::{Array1, Array2, Array4, Axis};
use uncertainty::{
    KNearest, Mahalanobis, RelativeMahalanobis, Shrinkage, covariance, energy, entropy, log_softmax,
    one_minus_max, pool_f64, rank_against,
};

fn head_logits(features: &Array2<f64>) -> Array2<f64> {
    let bias: Array1<f64> = shared("head_bias_3").into_dimensionality().unwrap();
    features.dot(&shared_2d("head_weight_3x6").t()) + bias
}

fn by_row(rows: &Array2<f64>, score: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    rows.outer_iter().map(|row| score(&row.to_vec())).collect()
}

#[test]
fn scores_of_logits() {
    let z = head_logits(&shared_2d("feat_test"));
    let e = entry("logit_scores");
    let p = |z: &[f64]| log_softmax(z).iter().map(|l| l.exp()).collect::<Vec<_>>();
    e.check("/msp_1_minus", &by_row(&z, |z| one_minus_max(&p(z))));
    e.check("/entropy", &by_row(&z, |z| entropy(&p(z))));
    e.check("/energy_T1", &by_row(&z, |z| energy(z, 1.0)));
    e.check("/energy_T2", &by_row(&z, |z| energy(z, 2.0)));
}

#[test]
fn shrunk_covariances() {
    let (x, y) = (shared_2d("feat_train"), shared_labels("feat_train_labels"));
    let mut within = x.clone();
    for class in 0..3 {
        let rows: Vec<usize> = (0..y.len()).filter(|&i| y[i] == class).collect();
        let mean = x.select(Axis(0), &rows).mean_axis(Axis(0)).unwrap();
        rows.iter().for_each(|&i| {
            let mut row = within.row_mut(i);
            row -= &mean;
        });
    }
    let e = entry("ledoit_wolf_and_oas");
    e.check(
        "/pooled_within_cov_mle",
        &covariance(within.view(), Shrinkage::None).matrix,
    );
    let shrunk = covariance(within.view(), Shrinkage::LedoitWolf);
    e.check_value("/lw_shrinkage", shrunk.shrinkage);
    e.check("/lw_cov", &shrunk.matrix);
    let centered = &x - &x.mean_axis(Axis(0)).unwrap();
    let overall = covariance(centered.view(), Shrinkage::LedoitWolf);
    e.check_value("/lw_shrinkage_overall_centred", overall.shrinkage);
    e.check("/lw_cov_overall", &overall.matrix);
}

#[test]
fn mahalanobis_distances() {
    let (x, y, test) = (
        shared_2d("feat_train"),
        shared_labels("feat_train_labels"),
        shared_2d("feat_test"),
    );
    let e = entry("mahalanobis_shared_and_relative");
    let fit = |shrinkage| Mahalanobis::fit_classes(x.view(), &y, shrinkage).unwrap();
    e.check("/mahalanobis_mle", &fit(Shrinkage::None).score(test.view()));
    e.check(
        "/mahalanobis_ledoit_wolf",
        &fit(Shrinkage::LedoitWolf).score(test.view()),
    );
    let nearest: Vec<f64> = fit(Shrinkage::None)
        .nearest(test.view())
        .iter()
        .map(|&k| k as f64)
        .collect();
    e.check("/nearest_class", &nearest);
    let relative = |shrinkage| {
        RelativeMahalanobis::fit(x.view(), &y, shrinkage)
            .unwrap()
            .score(test.view())
    };
    e.check("/relative_mahalanobis_mle", &relative(Shrinkage::None));
    e.check(
        "/relative_mahalanobis_ledoit_wolf",
        &relative(Shrinkage::LedoitWolf),
    );
}

#[test]
fn nearest_neighbours_on_the_sphere() {
    let (train, test) = (shared_2d("feat_train"), shared_2d("feat_test"));
    let e = entry("deep_knn");
    for k in [1, 5, 10] {
        let knn = KNearest::fit(train.view(), k).unwrap();
        e.check(&format!("/k{k}"), &knn.score(test.view()));
        if k == 5 {
            e.check(
                "/train_leave_one_out_k5_first20",
                knn.leave_one_out().iter().take(20),
            );
        }
    }
}

#[test]
fn scores_of_an_ensemble() {
    let pooled = pool_f64(ensemble().view());
    let e = entry("ensemble_scores");
    e.check("/entropy_of_pool", &pooled.total);
    e.check("/mutual_information", &pooled.epistemic);
    e.check(
        "/msp_of_pool_1_minus",
        &by_row(&pooled.probability, one_minus_max),
    );
    let z: Array4<f64> = shared("ens_logits_cells_members_draws_classes")
        .into_dimensionality()
        .unwrap();
    let mean_logit = z.mean_axis(Axis(1)).unwrap().mean_axis(Axis(1)).unwrap();
    e.check("/energy_of_mean_logit", &by_row(&mean_logit, |z| energy(z, 1.0)));
}

#[test]
fn mean_rank_of_two_scores() {
    let (x, y, test) = (
        shared_2d("feat_train"),
        shared_labels("feat_train_labels"),
        shared_2d("feat_test"),
    );
    let fit = Mahalanobis::fit_classes(x.view(), &y, Shrinkage::None).unwrap();
    let energies = |x: &Array2<f64>| by_row(&head_logits(x), |z| energy(z, 1.0));
    let ranks = [
        rank_against(&energies(&x), &energies(&test)),
        rank_against(&fit.score(x.view()).to_vec(), &fit.score(test.view()).to_vec()),
    ];
    let mean: Vec<f64> = ranks[0]
        .iter()
        .zip(&ranks[1])
        .map(|(a, b)| 0.5 * (a + b))
        .collect();
    entry("rank_average_of_two_scores").check("/mean_train_rank_of_energy_and_mahalanobis", &mean);
}
