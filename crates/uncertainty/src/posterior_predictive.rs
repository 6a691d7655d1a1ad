//! stub
/// P(K >= k) of a new well with n cells, given control wells (k, n); mean and rho integrated over a fixed grid. `None` below 2 control wells.
pub fn posterior_predictive_p(k: u64, n: u64, controls: &[(u64, u64)]) -> Option<f64> {
    let _ = (k, n, controls);
    unimplemented!()
}
