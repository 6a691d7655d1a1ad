//! stub
/// smECE
pub fn smooth_ece(confidence: &[f64], hit: &[bool]) -> Option<f64> {
    let _ = (confidence, hit);
    unimplemented!()
}
/// at a given width
pub fn smooth_ece_at(confidence: &[f64], hit: &[bool], width: f64) -> Option<f64> {
    let _ = (confidence, hit, width);
    unimplemented!()
}
