//! stub
/// P(novel score > known score), ties half
pub fn auroc(known: &[f64], novel: &[f64]) -> Option<f64> {
    let _ = (known, novel);
    unimplemented!()
}
/// share of novel above the known's 1 - false_alarm quantile
pub fn share_found_at(known: &[f64], novel: &[f64], false_alarm: f64) -> Option<f64> {
    let _ = (known, novel, false_alarm);
    unimplemented!()
}
/// FPR95 of score_classification.py
pub fn false_alarms_at_95(known: &[f64], novel: &[f64]) -> Option<f64> {
    let _ = (known, novel);
    unimplemented!()
}
