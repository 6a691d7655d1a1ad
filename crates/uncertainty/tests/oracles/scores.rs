use crate::reference::{entry, shared_2d, shared_flags, shared_labels, softmax_rows};
use ndarray::Array2;
use serde_json::Value;
use uncertainty::{
    auroc, brier, classification_scores, ece_equal_mass, ece_equal_width, ece_null_band, false_alarms_at_95,
    nll, stream, top_class,
};

#[test]
fn negative_log_likelihood_and_brier_score() {
    let (p, y) = (
        softmax_rows(&shared_2d("test_logits"), 1.0),
        shared_labels("test_labels"),
    );
    entry("nll_multiclass").check_value("/mean_nll", nll(p.view(), &y).unwrap());
    entry("brier_multiclass").check_value("/brier_sum_over_classes", brier(p.view(), &y).unwrap());
}

fn split(score: &[f64], is_novel: &[bool], sign: f64) -> (Vec<f64>, Vec<f64>) {
    let side = |novel: bool| {
        let of_side = score.iter().zip(is_novel).filter(|(_, n)| **n == novel);
        of_side.map(|(s, _)| sign * s).collect::<Vec<f64>>()
    };
    (side(false), side(true))
}

#[test]
fn areas_under_the_curve() {
    let e = entry("auroc_aupr_fpr95");
    let is_novel: Vec<bool> = e.input_1d("/is_novel").iter().map(|v| *v != 0.0).collect();
    let (known, novel) = split(&e.input_1d("/score_higher_is_in_distribution"), &is_novel, -1.0);
    e.check_value("/auroc_novel", auroc(&known, &novel).unwrap());
    let ties = entry("auroc_ties_and_delong_variance");
    let (wrong, right) = split(&ties.input_1d("/scores"), &shared_flags("test_correct"), 1.0);
    ties.check_value("/auroc", auroc(&wrong, &right).unwrap());
}

/// The project's scoring script on predictions for 721 real cells.
#[test]
fn all_scores_equal_the_scoring_script() {
    let csv = include_str!("../../../../tests/fixtures/uq/score_example.csv");
    let expected: Value =
        serde_json::from_str(include_str!("../../../../tests/fixtures/uq/score_example.json")).unwrap();
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|l| l.split(',').collect()).collect();
    let at = |name: &str| header.iter().position(|h| *h == name).unwrap();
    let classes: Vec<&str> = header.iter().filter_map(|h| h.strip_prefix("p_")).collect();
    let first = at(&format!("p_{}", classes[0]));
    let known: Vec<&Vec<&str>> = rows.iter().filter(|r| r[at("novel")] == "0").collect();
    let mut p = Array2::from_shape_fn((known.len(), classes.len()), |(i, k)| {
        known[i][first + k].parse::<f64>().unwrap()
    });
    // The script renormalises the rounded probabilities.
    p.outer_iter_mut().for_each(|mut row| {
        let sum = row.sum();
        row /= sum;
    });
    let y: Vec<usize> = known
        .iter()
        .map(|r| classes.iter().position(|c| *c == r[0]).unwrap())
        .collect();
    let close = |name: &str, got: f64| {
        let want = expected.pointer(name).unwrap().as_f64().unwrap();
        assert!((got - want).abs() < 1e-12, "{name}: {got} is not {want}");
    };
    let scores = classification_scores(p.view(), &y).unwrap();
    close("/n", scores.n as f64);
    close("/accuracy", scores.accuracy);
    close("/balanced_accuracy", scores.balanced_accuracy);
    close("/macro_f1", scores.macro_f1);
    close("/nll", scores.nll);
    close("/brier", scores.brier);
    close("/mean_confidence", scores.mean_confidence);
    for (class, name) in scores.per_class.iter().zip(&classes) {
        close(&format!("/per_class/{name}/n"), class.n as f64);
        close(&format!("/per_class/{name}/recall"), class.recall.unwrap());
        close(&format!("/per_class/{name}/precision"), class.precision);
        close(&format!("/per_class/{name}/f1"), class.f1.unwrap());
    }
    let (confidence, hit): (Vec<f64>, Vec<bool>) = top_class(p.view())
        .into_iter()
        .zip(&y)
        .map(|((class, c), y)| (c, class == *y))
        .unzip();
    close("/ece_equal_mass", ece_equal_mass(&confidence, &hit, 15).unwrap());
    close(
        "/ece_equal_width",
        ece_equal_width(&confidence, &hit, 15).unwrap(),
    );
    // The band is drawn from another generator: 2000 rounds here, 200 there.
    let band = ece_null_band(&confidence, &hit, 15, 2000, &mut stream(0, "test/ece")).unwrap();
    for (i, got) in [band.low, band.median, band.high].into_iter().enumerate() {
        let want = expected["ece_equal_mass_null_5_50_95"][i].as_f64().unwrap();
        assert!((got - want).abs() < 0.004, "band {i}: {got} is not near {want}");
    }
    for score in ["score", "msp_score", "maha"] {
        let values: Vec<f64> = rows.iter().map(|r| r[at(score)].parse().unwrap()).collect();
        let novel: Vec<bool> = rows.iter().map(|r| r[at("novel")] == "1").collect();
        let (known, novel) = split(&values, &novel, 1.0);
        close(&format!("/novelty/{score}/auroc"), auroc(&known, &novel).unwrap());
        close(
            &format!("/novelty/{score}/fpr95"),
            false_alarms_at_95(&known, &novel).unwrap(),
        );
    }
}
