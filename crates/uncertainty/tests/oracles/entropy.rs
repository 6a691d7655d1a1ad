use crate::reference::{entry, shared};
use ndarray::{Array3, Array4, Axis, s};
use uncertainty::{log_softmax, pool_f64, pool_log};

/// member × draw × object × class probabilities of the shared ensemble.
pub fn ensemble() -> Array4<f64> {
    let logits: Array4<f64> = shared("ens_logits_cells_members_draws_classes")
        .into_dimensionality()
        .unwrap();
    let mut p = logits.permuted_axes([1, 2, 0, 3]).as_standard_layout().to_owned();
    for mut row in p.lanes_mut(Axis(3)) {
        let log_p = log_softmax(&row.to_vec());
        row.iter_mut().zip(log_p).for_each(|(p, l)| *p = l.exp());
    }
    p
}

#[test]
fn the_split_of_members_and_draws() {
    let e = entry("split_members_x_draws");
    let pooled = pool_f64(ensemble().view());
    e.check("/total", &pooled.total);
    e.check("/aleatoric", &pooled.aleatoric);
    e.check("/epistemic", &pooled.epistemic);
    e.check("/between_member", &pooled.between);
    e.check("/within_member_dropout", &pooled.within);
    e.check("/pooled_probs", &pooled.probability);
}

#[test]
fn two_members_give_the_jensen_shannon_divergence() {
    let pooled = pool_f64(
        ensemble()
            .slice_axis(Axis(0), (0..2).into())
            .slice_axis(Axis(1), (0..1).into()),
    );
    entry("mi_two_members_is_jensen_shannon").check("/mutual_information", &pooled.epistemic);
    assert!(pooled.within.iter().all(|&w| w == 0.0));
}

#[test]
fn zero_probabilities() {
    let e = entry("edge_cases_zero_probabilities");
    let p: Array3<f64> = e
        .input("/probs_cells_draws_classes")
        .into_dimensionality()
        .unwrap();
    let samples = p.permuted_axes([1, 0, 2]).insert_axis(Axis(0));
    let pooled = pool_f64(samples.view());
    e.check("/total", &pooled.total);
    e.check("/aleatoric", &pooled.aleatoric);
    e.check("/mutual_information", &pooled.epistemic);
}

#[test]
fn extreme_logits_pool_in_logarithms() {
    let e = entry("extreme_logits_log_space_pooling");
    let logits: Array3<f64> = e
        .input("/logits_cells_draws_classes")
        .into_dimensionality()
        .unwrap();
    let pooled = pool_log(logits.permuted_axes([1, 0, 2]).view());
    e.check("/log_pooled_probs", &pooled);
    let total: Vec<f64> = pooled
        .outer_iter()
        .map(|row| uncertainty::entropy(&row.mapv(f64::exp).to_vec()))
        .collect();
    e.check("/total", &total);
}

#[test]
fn single_precision_samples_agree_with_double() {
    let p = ensemble();
    let (double, single) = (pool_f64(p.view()), uncertainty::pool(p.mapv(|v| v as f32).view()));
    assert!(
        (&double.epistemic - &single.epistemic)
            .iter()
            .all(|d| d.abs() < 1e-6)
    );
    assert!(
        (&double.probability - &single.probability)
            .iter()
            .all(|d| d.abs() < 1e-6)
    );
    let sum = single.probability.sum_axis(Axis(1));
    assert!(sum.iter().all(|s| (s - 1.0).abs() < 1e-14));
    assert_eq!(double.probability.slice(s![0, ..]).len(), 4);
}
