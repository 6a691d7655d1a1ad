//! stub
/// Beta-binomial law with the two shape parameters of its beta.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaBinomial {
    /// first shape
    pub alpha: f64,
    /// second shape
    pub beta: f64,
}
/// Maximum-likelihood fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaBinomialFit {
    /// mean
    pub mean: f64,
    /// rho
    pub rho: f64,
    /// ll
    pub log_likelihood: f64,
    /// the law; None at the binomial boundary rho = 0
    pub law: Option<BetaBinomial>,
}
impl BetaBinomialFit {
    /// P(K >= k)
    pub fn upper_tail(&self, k: u64, n: u64) -> f64 {
        let _ = (k, n);
        unimplemented!()
    }
}
impl BetaBinomial {
    /// ln pmf
    pub fn ln_pmf(&self, k: u64, n: u64) -> f64 {
        let _ = (k, n);
        unimplemented!()
    }
    /// P(K >= k)
    pub fn upper_tail(&self, k: u64, n: u64) -> f64 {
        let _ = (k, n);
        unimplemented!()
    }
}
/// fit on (k, n) of control wells
pub fn beta_binomial_fit(controls: &[(u64, u64)]) -> Option<BetaBinomialFit> {
    let _ = controls;
    unimplemented!()
}
