//! stub
/// q values (adjusted p), in the order of `p`
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let _ = p;
    unimplemented!()
}
/// Storey
#[derive(Debug, Clone, PartialEq)]
pub struct Storey {
    /// pi0
    pub null_share: f64,
    /// q
    pub q: Vec<f64>,
}
/// Storey-BH
pub fn storey(p: &[f64], lambda: f64) -> Storey {
    let _ = (p, lambda);
    unimplemented!()
}
/// what BH can ever reject
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectionFloor {
    /// smallest p that a test can reach
    pub smallest_p: f64,
    /// tests
    pub tests: usize,
    /// tests that must reach the smallest p at once before BH rejects them; None = BH can never reject
    pub tests_needed: Option<usize>,
}
/// floor
pub fn detection_floor(smallest_p: f64, tests: usize, fdr: f64) -> DetectionFloor {
    let _ = (smallest_p, tests, fdr);
    unimplemented!()
}
/// smallest n with 1/(n+1) <= qR/m
pub fn calibration_cells_needed(tests: usize, rejections: usize, fdr: f64) -> usize {
    let _ = (tests, rejections, fdr);
    unimplemented!()
}
