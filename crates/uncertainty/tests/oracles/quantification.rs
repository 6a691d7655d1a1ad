use crate::reference::{entry, shared_2d, shared_labels, softmax_rows};
use ndarray::{Array2, Axis};
use uncertainty::{adjust_to_shares, adjusted_count, label_shift_em, top_class};

/// Calibrated probabilities of the cells drawn with shifted class shares.
fn shifted() -> Array2<f64> {
    softmax_rows(
        &shared_2d("test_logits").select(Axis(0), &shared_labels("quant_index")),
        1.3,
    )
}

#[test]
fn shares_by_maximum_likelihood() {
    let e = entry("em_prior_shift_sld");
    let (p, prior) = (shifted(), e.input_1d("/train_prior"));
    let shift = label_shift_em(p.view(), &prior).unwrap();
    assert!(shift.converged);
    e.check("/prior", &shift.share);
    let posterior = adjust_to_shares(p.view(), &prior, &shift.share);
    e.check("/posterior_first5", posterior.iter().take(25));
}

#[test]
fn shares_by_the_confusion_matrix() {
    let e = entry("cc_acc_pcc");
    let p = shifted();
    let mut predicted = vec![0.0; 5];
    for (class, _) in top_class(p.view()) {
        predicted[class] += 1.0 / p.nrows() as f64;
    }
    e.check("/classify_and_count", &predicted);
    let confusion: Array2<f64> = e.input("/confusion_true_rows").into_dimensionality().unwrap();
    let share = adjusted_count(confusion.mapv(|v| v as u64).view(), &predicted).unwrap();
    e.check("/acc_least_squares_on_simplex", &share);
}
