//! stub
use ndarray::ArrayView2;
/// (1 + #{calibration >= test}) / (n + 1)
pub fn conformal_p(calibration: &[f64], test: &[f64]) -> Vec<f64> {
    let _ = (calibration, test);
    unimplemented!()
}
/// calibration: per fold; test: object x fold (score of the object by the members that score that fold)
pub fn cross_conformal_p(calibration: &[Vec<f64>], test: ArrayView2<f64>) -> Vec<f64> {
    let _ = (calibration, test);
    unimplemented!()
}
/// hierarchical: each group weighs 1/(J+1)
pub fn conformal_p_by_group(calibration: &[f64], group: &[u32], test: &[f64]) -> Vec<f64> {
    let _ = (calibration, group, test);
    unimplemented!()
}
/// p of each row against the rows of the other groups
pub fn conformal_p_leave_group_out(score: &[f64], group: &[u32]) -> Vec<f64> {
    let _ = (score, group);
    unimplemented!()
}
/// weighted
pub fn weighted_conformal_p(
    calibration: &[f64],
    calibration_weight: &[f64],
    test: &[f64],
    test_weight: &[f64],
) -> Vec<f64> {
    let _ = (calibration, calibration_weight, test, test_weight);
    unimplemented!()
}
/// (1 + #{reference < x}) / (n + 1)
pub fn rank_against(reference: &[f64], x: &[f64]) -> Vec<f64> {
    let _ = (reference, x);
    unimplemented!()
}
