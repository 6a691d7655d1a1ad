//! stub
/// Cox recalibration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationSlope {
    /// slope, 1 = calibrated, below 1 = over-confident
    pub slope: f64,
    /// intercept
    pub intercept: f64,
    /// standard error
    pub slope_se: f64,
    /// standard error
    pub intercept_se: f64,
}
/// Logistic regression of hit on logit(confidence). `None` when not estimable.
pub fn calibration_slope(confidence: &[f64], hit: &[bool]) -> Option<CalibrationSlope> {
    let _ = (confidence, hit);
    unimplemented!()
}
