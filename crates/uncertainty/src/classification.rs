//! Scores of class probabilities against true classes.

use ndarray::{Array2, ArrayView2, Axis};

/// Smallest probability whose logarithm enters the mean negative log-likelihood (as the project's scoring script has it).
const SMALLEST_PROBABILITY: f64 = 1e-12;

/// Scores of one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScores {
    /// Cells of the class.
    pub n: usize,
    /// Share of the class's cells that are called so; `None` when there are none.
    pub recall: Option<f64>,
    /// Share of the cells called so that are of the class; 0 when none is called so.
    pub precision: f64,
    /// Harmonic mean of recall and precision; `None` when there are no cells of the class.
    pub f1: Option<f64>,
}

/// All scores at once, equal to the project's scoring script.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassificationScores {
    /// Cells.
    pub n: usize,
    /// Share of cells whose most probable class is the true one.
    pub accuracy: f64,
    /// Mean recall of the classes that occur.
    pub balanced_accuracy: f64,
    /// Mean F1 of the classes that occur.
    pub macro_f1: f64,
    /// Mean negative log-likelihood, nats; probabilities below 1e-12 count as 1e-12.
    pub nll: f64,
    /// Brier score, summed over classes: 0..=2.
    pub brier: f64,
    /// Mean probability of the most probable class.
    pub mean_confidence: f64,
    /// Scores of each class.
    pub per_class: Vec<ClassScores>,
    /// Counts, true class × called class.
    pub confusion: Array2<u64>,
}

/// Scores class probabilities.
///
/// Shapes: `probability` is object × class with rows that sum to 1 (not renormalised here), `label` one true class per object.
/// `None` without rows. Panics: when the lengths differ or a label is not below the number of classes.
pub fn classification_scores(probability: ArrayView2<f64>, label: &[usize]) -> Option<ClassificationScores> {
    check(probability, label);
    let n = label.len();
    let confusion = confusion(probability, label);
    Some(ClassificationScores {
        n,
        accuracy: accuracy(probability, label)?,
        balanced_accuracy: balanced_accuracy(probability, label)?,
        macro_f1: macro_f1(probability, label)?,
        nll: nll(probability, label)?,
        brier: brier(probability, label)?,
        mean_confidence: mean_confidence(probability)?,
        per_class: class_scores(&confusion),
        confusion,
    })
}

fn check(probability: ArrayView2<f64>, label: &[usize]) {
    assert_eq!(
        probability.nrows(),
        label.len(),
        "one label per row of probabilities"
    );
    let classes = probability.ncols();
    assert!(
        label.iter().all(|&y| y < classes),
        "a label is not below the {classes} classes"
    );
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0_usize), |(sum, n), v| (sum + v, n + 1));
    (n > 0).then(|| sum / n as f64)
}

/// Most probable class of each row and its probability; the first of tied classes. A row of NaN gives class 0 and NaN.
pub fn top_class(probability: ArrayView2<f64>) -> Vec<(usize, f64)> {
    let top = |row: ndarray::ArrayView1<f64>| {
        let mut best = (0, f64::NAN);
        for (class, &p) in row.iter().enumerate() {
            if best.1.is_nan() || p > best.1 {
                best = (class, p);
            }
        }
        if row.iter().any(|p| p.is_nan()) {
            (0, f64::NAN)
        } else {
            best
        }
    };
    probability.axis_iter(Axis(0)).map(top).collect()
}

/// Share of rows whose most probable class is the true one. `None` without rows; panics as [`classification_scores`].
pub fn accuracy(probability: ArrayView2<f64>, label: &[usize]) -> Option<f64> {
    check(probability, label);
    mean(
        top_class(probability)
            .iter()
            .zip(label)
            .map(|((class, _), y)| f64::from(u8::from(class == y))),
    )
}

/// Counts, true class × most probable class. Panics as [`classification_scores`].
pub fn confusion(probability: ArrayView2<f64>, label: &[usize]) -> Array2<u64> {
    check(probability, label);
    let classes = probability.ncols();
    let mut counts = Array2::zeros((classes, classes));
    for ((called, _), &truth) in top_class(probability).into_iter().zip(label) {
        counts[[truth, called]] += 1;
    }
    counts
}

fn class_scores(confusion: &Array2<u64>) -> Vec<ClassScores> {
    let score = |class: usize| {
        let hits = confusion[[class, class]] as f64;
        let (of_class, called) = (confusion.row(class).sum(), confusion.column(class).sum());
        let occurs = of_class > 0;
        ClassScores {
            n: of_class as usize,
            recall: occurs.then(|| hits / of_class as f64),
            precision: if called > 0 { hits / called as f64 } else { 0.0 },
            f1: occurs.then(|| 2.0 * hits / (of_class + called) as f64),
        }
    };
    (0..confusion.nrows()).map(score).collect()
}

/// Mean recall over the classes that occur. `None` without rows; panics as [`classification_scores`].
pub fn balanced_accuracy(probability: ArrayView2<f64>, label: &[usize]) -> Option<f64> {
    mean(
        class_scores(&confusion(probability, label))
            .iter()
            .filter_map(|c| c.recall),
    )
}

/// Mean F1 over the classes that occur. `None` without rows; panics as [`classification_scores`].
pub fn macro_f1(probability: ArrayView2<f64>, label: &[usize]) -> Option<f64> {
    mean(
        class_scores(&confusion(probability, label))
            .iter()
            .filter_map(|c| c.f1),
    )
}

/// Mean negative log-likelihood of the true classes, nats; probabilities below 1e-12 count as 1e-12.
///
/// `None` without rows; panics as [`classification_scores`]. A proper score (Gneiting, Raftery 2007).
pub fn nll(probability: ArrayView2<f64>, label: &[usize]) -> Option<f64> {
    check(probability, label);
    let loss = |(row, &y): (ndarray::ArrayView1<f64>, &usize)| {
        let p: f64 = row[y];
        if p.is_nan() {
            f64::NAN
        } else {
            -p.clamp(SMALLEST_PROBABILITY, 1.0).ln()
        }
    };
    mean(probability.outer_iter().zip(label).map(loss))
}

/// Brier score, the squared error summed over classes (0..=2) and averaged over rows.
///
/// `None` without rows; panics as [`classification_scores`]. A proper score (Brier 1950; Gneiting, Raftery 2007).
pub fn brier(probability: ArrayView2<f64>, label: &[usize]) -> Option<f64> {
    check(probability, label);
    let square = |(row, &y): (ndarray::ArrayView1<f64>, &usize)| -> f64 {
        row.iter()
            .enumerate()
            .map(|(class, p)| (p - f64::from(u8::from(class == y))).powi(2))
            .sum()
    };
    mean(probability.outer_iter().zip(label).map(square))
}

/// Mean probability of the most probable class. `None` without rows.
pub fn mean_confidence(probability: ArrayView2<f64>) -> Option<f64> {
    mean(top_class(probability).into_iter().map(|(_, p)| p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_class_that_does_not_occur_does_not_count() {
        let p = array![[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]];
        let scores = classification_scores(p.view(), &[0, 1, 1]).unwrap();
        assert_eq!(scores.per_class[2].f1, None);
        assert!((scores.macro_f1 - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-15);
        assert!((scores.balanced_accuracy - 0.75).abs() < 1e-15);
        assert_eq!(scores.confusion, array![[1, 0, 0], [0, 1, 1], [0, 0, 0]]);
    }

    #[test]
    fn an_impossible_true_class_costs_a_lot_but_not_everything() {
        let p = array![[1.0, 0.0]];
        assert!((nll(p.view(), &[1]).unwrap() - 1e12_f64.ln()).abs() < 1e-9);
        assert_eq!(brier(p.view(), &[1]), Some(2.0));
        assert_eq!(accuracy(Array2::zeros((0, 2)).view(), &[]), None);
    }
}
