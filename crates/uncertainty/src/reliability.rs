//! stub
/// one bin
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityBin {
    /// mean confidence
    pub mean_confidence: f64,
    /// observed share
    pub share: f64,
    /// cells
    pub n: usize,
    /// Wilson 95 %
    pub low: f64,
    /// Wilson 95 %
    pub high: f64,
    /// consistency band
    pub band_low: f64,
    /// consistency band
    pub band_high: f64,
}
/// equal-mass bins
pub fn reliability(confidence: &[f64], hit: &[bool], bins: usize) -> Vec<ReliabilityBin> {
    let _ = (confidence, hit, bins);
    unimplemented!()
}
