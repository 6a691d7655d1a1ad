use crate::reference::{entry, shared_2d, shared_groups, shared_labels, softmax_rows};
use ndarray::Array2;
use uncertainty::{ConformalReference, conformal_p, conformal_p_by_group, conformal_rank, grouped_quantile};

/// LAC scores 1 - p of every class of the test cells, and of the true class of the calibration cells.
fn scores() -> (Vec<f64>, Vec<usize>, Array2<f64>) {
    let (p, y) = (
        softmax_rows(&shared_2d("cal_logits"), 1.0),
        shared_labels("cal_labels"),
    );
    let calibration = p.outer_iter().zip(&y).map(|(row, &y)| 1.0 - row[y]).collect();
    (calibration, y, softmax_rows(&shared_2d("test_logits"), 1.0))
}

/// Every cell its own group: plain conformal prediction.
fn ungrouped(label: Vec<usize>, score: Vec<f64>) -> ConformalReference {
    let n = score.len();
    ConformalReference {
        score,
        label,
        group: (0..).take(n).collect(),
        fold: vec![0; n],
    }
}

fn bits(set: &[usize], classes: usize) -> String {
    (0..classes)
        .map(|k| if set.contains(&k) { '1' } else { '0' })
        .collect()
}

#[test]
fn ranks_with_a_guarded_ceiling() {
    let e = entry("finite_sample_rank");
    let rows: Array2<f64> = e.expected("/rows").into_dimensionality().unwrap();
    for row in rows.outer_iter() {
        let expected = row[2].is_finite().then_some(row[2] as usize);
        assert_eq!(conformal_rank(row[0] as usize, row[1]), expected, "{row}");
    }
    // Where the plain f64 ceiling is one too high.
    let naive: Array2<f64> = e
        .expected("/naive_f64_ceil_is_wrong_for_n_alpha")
        .into_dimensionality()
        .unwrap();
    for row in naive.outer_iter() {
        let (n, alpha) = (row[0] as usize, row[1]);
        let hundredths = (n + 1) * (100 - (alpha * 100.0).round() as usize);
        assert_eq!(
            conformal_rank(n, alpha),
            Some(hundredths.div_ceil(100)),
            "{n} {alpha}"
        );
        assert_ne!(
            ((n + 1) as f64 * (1.0 - alpha)).ceil() as usize,
            hundredths.div_ceil(100)
        );
    }
}

#[test]
fn marginal_p_values_and_sets() {
    let (score, label, test) = scores();
    let e = entry("pvalues_marginal_hinge");
    let p: Vec<f64> = test.iter().map(|p| conformal_p(&score, &[1.0 - p])[0]).collect();
    e.check("/p_first40", &p[..200]);
    // One class label for all cells of the reference makes the label-conditional predictor marginal.
    let marginal = ungrouped(vec![0; score.len()], score.clone())
        .prepare(1, 0.1)
        .unwrap();
    let sets: Vec<String> = test
        .outer_iter()
        .map(|row| {
            let set: Vec<usize> = (0..5)
                .filter(|&k| !marginal.set_single(&[row[k]]).is_empty())
                .collect();
            bits(&set, 5)
        })
        .collect();
    let lac = entry("lac_sets");
    assert_eq!(sets, lac.expected_text("/sets_bits_class0_first"));
    lac.check_value("/rank", conformal_rank(label.len(), 0.1).unwrap() as f64);
    let each: Vec<u32> = (0..).take(score.len()).collect();
    lac.check_value("/qhat", grouped_quantile(&score, &each, 0.1).unwrap());
}

#[test]
fn label_conditional_p_values_and_sets() {
    let (score, label, test) = scores();
    let predictor = ungrouped(label, score).prepare(5, 0.1).unwrap();
    let p: Vec<Vec<f64>> = test
        .outer_iter()
        .map(|row| predictor.class_p_values_single(&row.to_vec()))
        .collect();
    let e = entry("mondrian_by_class");
    e.check("/p_first20", p[..20].iter().flatten());
    let sets: Vec<String> = p.iter().map(|p| bits(&predictor.set_from_p(p), 5)).collect();
    assert_eq!(sets, e.expected_text("/sets_bits"));
}

#[test]
fn p_values_within_plates() {
    let (score, _, test) = scores();
    let (cal_plate, test_plate) = (shared_groups("cal_plate"), shared_groups("test_plate"));
    let mut p = Vec::new();
    for (row, plate) in test.outer_iter().zip(&test_plate).take(20) {
        let own: Vec<f64> = score
            .iter()
            .zip(&cal_plate)
            .filter(|(_, g)| *g == plate)
            .map(|(s, _)| *s)
            .collect();
        p.extend(conformal_p(&own, &row.mapv(|p| 1.0 - p).to_vec()));
    }
    entry("mondrian_by_plate").check("/p_first20", &p);
}

#[test]
fn wells_as_the_unit() {
    let (score, _, test) = scores();
    let well = shared_groups("cal_well");
    let e = entry("group_aware_quantiles");
    let quantile = grouped_quantile(&score, &well, 0.1).unwrap();
    e.check_value("/hierarchical_weights_qhat", quantile);
    let tried = test.mapv(|p| 1.0 - p);
    let p = conformal_p_by_group(&score, &well, &tried.iter().copied().collect::<Vec<_>>());
    entry("repeated_subsampling_pvalues").check("/exact_hierarchical_p", &p[..50]);
    // A set by p-value is a set by quantile.
    for (p, s) in p.iter().zip(&tried) {
        assert_eq!(*p > 0.1 * (1.0 + 1e-9), *s <= quantile, "{p} {s}");
    }
    // The same through the predictor, wells spread over three folds with the same probability in each.
    let n = score.len();
    let reference = ConformalReference {
        score,
        label: vec![0; n],
        group: well.clone(),
        fold: well.iter().map(|w| w % 3).collect(),
    };
    let predictor = reference.prepare(1, 0.1).unwrap();
    for (i, s) in tried.iter().enumerate().take(50) {
        let through = predictor.class_p_values(Array2::from_elem((3, 1), 1.0 - s).view())[0];
        assert!((through - p[i]).abs() < 1e-12);
    }
}
