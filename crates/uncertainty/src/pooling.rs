//! stub
use ndarray::{Array1, Array2, ArrayView3, ArrayView4};
/// pooled samples
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// object x class
    pub probability: Array2<f64>,
    /// nats
    pub total: Array1<f64>,
    /// nats
    pub aleatoric: Array1<f64>,
    /// nats
    pub epistemic: Array1<f64>,
    /// nats, between members
    pub between: Array1<f64>,
    /// nats, dropout within members
    pub within: Array1<f64>,
    /// M
    pub members: usize,
    /// T
    pub draws: usize,
}
impl Pooled {
    /// between and within corrected for the finite number of draws, METHODS 1
    pub fn corrected(&self) -> (Array1<f64>, Array1<f64>) {
        unimplemented!()
    }
    /// ln of the pooled probability
    pub fn log_probability(&self) -> Array2<f64> {
        unimplemented!()
    }
}
/// member, draw, object, class probabilities
pub fn pool(samples: ArrayView4<f32>) -> Pooled {
    let _ = samples;
    unimplemented!()
}
/// f64 twin
pub fn pool_f64(samples: ArrayView4<f64>) -> Pooled {
    let _ = samples;
    unimplemented!()
}
/// log of the pooled probability from logits: draw, object, class -> object, class
pub fn pool_log(logits: ArrayView3<f64>) -> Array2<f64> {
    let _ = logits;
    unimplemented!()
}
