//! stub
/// direction
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// treated larger
    Greater,
    /// treated smaller
    Less,
    /// either
    TwoSided,
}
/// exact p incl. ties; 1 when a side is empty
pub fn exact_rank_sum(treated: &[f64], control: &[f64], tail: Tail) -> f64 {
    let _ = (treated, control, tail);
    unimplemented!()
}
/// 1/C(J+r, r) (twice for two-sided)
pub fn smallest_rank_sum_p(treated: usize, control: usize, tail: Tail) -> f64 {
    let _ = (treated, control, tail);
    unimplemented!()
}
