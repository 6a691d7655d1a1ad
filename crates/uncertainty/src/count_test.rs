//! stub
/// dispersion `a` of NB2, variance = mu + a mu^2
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Dispersion {
    /// from the controls
    Estimated,
    /// given
    Assumed(f64),
}
impl Dispersion {
    /// Estimated from 8 control wells on, else Assumed(default)
    pub fn for_controls(control_wells: usize, default: f64) -> Self {
        let _ = (control_wells, default);
        unimplemented!()
    }
}
/// result
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountTest {
    /// treated mean / control mean
    pub ratio: f64,
    /// 95 %
    pub lower: f64,
    /// 95 %, may be infinite
    pub upper: f64,
    /// two-sided
    pub p: f64,
    /// mean of the controls
    pub control_mean: f64,
    /// dispersion used
    pub dispersion: f64,
}
/// One well against control wells. `None` below 2 controls or when the controls are all 0.
pub fn count_test(count: u64, controls: &[u64], dispersion: Dispersion) -> Option<CountTest> {
    let _ = (count, controls, dispersion);
    unimplemented!()
}
/// Several wells of one treatment.
pub fn count_test_wells(treated: &[u64], controls: &[u64], dispersion: Dispersion) -> Option<CountTest> {
    let _ = (treated, controls, dispersion);
    unimplemented!()
}
/// ML fit with a mean per group and one dispersion
#[derive(Debug, Clone, PartialEq)]
pub struct NegativeBinomialFit {
    /// a
    pub means: Vec<f64>,
    /// a
    pub dispersion: f64,
    /// a
    pub log_likelihood: f64,
}
/// a
pub fn negative_binomial_fit(groups: &[&[u64]]) -> Option<NegativeBinomialFit> {
    let _ = groups;
    unimplemented!()
}
