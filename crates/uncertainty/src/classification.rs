//! stub
use ndarray::{Array2, ArrayView2};
/// per class
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScores {
    /// support
    pub n: usize,
    /// recall
    pub recall: Option<f64>,
    /// precision
    pub precision: f64,
    /// f1
    pub f1: Option<f64>,
}
/// all
#[derive(Debug, Clone, PartialEq)]
pub struct ClassificationScores {
    /// n
    pub n: usize,
    /// a
    pub accuracy: f64,
    /// a
    pub balanced_accuracy: f64,
    /// a
    pub macro_f1: f64,
    /// a
    pub nll: f64,
    /// a
    pub brier: f64,
    /// a
    pub mean_confidence: f64,
    /// a
    pub per_class: Vec<ClassScores>,
    /// true class x predicted class
    pub confusion: Array2<u64>,
}
/// `None` without rows.
pub fn classification_scores(probability: ArrayView2<f64>, label: &[usize]) -> Option<ClassificationScores> {
    let _ = (probability, label);
    unimplemented!()
}
/// (class, confidence) of each row; first of tied classes.
pub fn top_class(probability: ArrayView2<f64>) -> Vec<(usize, f64)> {
    let _ = probability;
    unimplemented!()
}
/// a
pub fn accuracy(probability: ArrayView2<f64>, label: &[usize]) -> Option<f64> {
    let _ = (probability, label);
    unimplemented!()
}
/// a
pub fn balanced_accuracy(probability: ArrayView2<f64>, label: &[usize]) -> Option<f64> {
    let _ = (probability, label);
    unimplemented!()
}
/// a
pub fn macro_f1(probability: ArrayView2<f64>, label: &[usize]) -> Option<f64> {
    let _ = (probability, label);
    unimplemented!()
}
/// a
pub fn nll(probability: ArrayView2<f64>, label: &[usize]) -> Option<f64> {
    let _ = (probability, label);
    unimplemented!()
}
/// a
pub fn brier(probability: ArrayView2<f64>, label: &[usize]) -> Option<f64> {
    let _ = (probability, label);
    unimplemented!()
}
/// a
pub fn mean_confidence(probability: ArrayView2<f64>) -> Option<f64> {
    let _ = probability;
    unimplemented!()
}
/// true class x predicted class
pub fn confusion(probability: ArrayView2<f64>, label: &[usize]) -> Array2<u64> {
    let _ = (probability, label);
    unimplemented!()
}
