//! stub
/// level
pub const GATE_LEVEL: f64 = 0.05;
/// Does the plate look like the training data?
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// share of control cells with p <= .05
    pub share: f64,
    /// lower 90 % well-bootstrap bound; None below two wells
    pub lower: Option<f64>,
    /// cells
    pub cells: usize,
    /// wells
    pub wells: usize,
    /// true: class names and P_Known are meaningful
    pub fits: bool,
}
/// p_known of control cells (or, without controls, all cells with `controls = false`: median over wells), well of each
pub fn training_gate(p_known: &[f64], well: &[u32], has_controls: bool, seed: u64) -> Option<Gate> {
    let _ = (p_known, well, has_controls, seed);
    unimplemented!()
}
