//! Class shares corrected by a confusion matrix (adjusted classify and count).

use ndarray::{Array1, Array2, ArrayView2};

/// Steps of the projected gradient at most.
const MAX_STEPS: usize = 200_000;
/// Largest change of a share at which the descent has arrived.
const TOLERANCE: f64 = 1e-14;

/// Class shares x on the simplex that best explain the predicted shares: min |Cᵀ x - predicted|², C_ij = P(predicted j | true i).
///
/// Shapes: `confusion` holds counts, true class × predicted class, of held-out cells; `predicted_share` one share per class.
/// Negative solutions are not clipped but avoided. `None` when a class has no held-out cell or the lengths differ.
/// A nearly singular confusion matrix makes the shares unstable: bootstrap it together with the counts.
/// Source: Forman 2008; METHODS.md section 11.
pub fn adjusted_count(confusion: ArrayView2<u64>, predicted_share: &[f64]) -> Option<Vec<f64>> {
    let classes = predicted_share.len();
    if confusion.dim() != (classes, classes) || confusion.outer_iter().any(|row| row.sum() == 0) {
        return None;
    }
    let rates = Array2::from_shape_fn((classes, classes), |(predicted, truth)| {
        confusion[[truth, predicted]] as f64 / confusion.row(truth).sum() as f64
    });
    let target = Array1::from(predicted_share.to_vec());
    let (square, linear) = (rates.t().dot(&rates), rates.t().dot(&target));
    // The largest row sum bounds the largest eigenvalue, the inverse of the safe step.
    let bound = square
        .outer_iter()
        .map(|r| r.iter().map(|v: &f64| v.abs()).sum::<f64>())
        .fold(0.0, f64::max);
    // Nesterov's accelerated projected gradient, restarted when it turns back.
    let mut share = Array1::from_elem(classes, 1.0 / classes as f64);
    let mut ahead = share.clone();
    let mut momentum = 1.0_f64;
    for _ in 0..MAX_STEPS {
        let gradient = square.dot(&ahead) - &linear;
        let next = Array1::from(project_to_simplex(&(&ahead - &(&gradient / bound)).to_vec()));
        let change = &next - &share;
        if change.iter().all(|d| d.abs() < TOLERANCE) {
            return Some(next.to_vec());
        }
        if gradient.dot(&change) > 0.0 {
            momentum = 1.0;
        }
        let faster = 0.5 * (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt());
        ahead = &next + &(&change * ((momentum - 1.0) / faster));
        (share, momentum) = (next, faster);
    }
    Some(share.to_vec())
}

/// Nearest point of the simplex (entries ≥ 0 that sum to 1) to `x`. Source: Held, Wolfe, Crowder 1974. No NaN; not empty.
pub fn project_to_simplex(x: &[f64]) -> Vec<f64> {
    let mut sorted = x.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut shift) = (0.0, 0.0);
    for (i, v) in sorted.iter().enumerate() {
        sum += v;
        let candidate = (sum - 1.0) / (i + 1) as f64;
        if v - candidate > 0.0 {
            shift = candidate;
        }
    }
    x.iter().map(|v| (v - shift).max(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_perfect_classifier_is_believed_and_an_impossible_share_is_projected() {
        let perfect = array![[10, 0], [0, 5]];
        assert!((adjusted_count(perfect.view(), &[0.3, 0.7]).unwrap()[0] - 0.3).abs() < 1e-12);
        // 10 % false calls of class 1 cannot give 5 % calls of class 1: its share is 0.
        let noisy = array![[90, 10], [20, 80]];
        let share = adjusted_count(noisy.view(), &[0.95, 0.05]).unwrap();
        assert!((share[0] - 1.0).abs() < 1e-12 && share[1].abs() < 1e-12);
        assert!(adjusted_count(array![[1, 0], [0, 0]].view(), &[0.5, 0.5]).is_none());
        assert_eq!(project_to_simplex(&[0.2, 0.8]), [0.2, 0.8]);
    }
}
