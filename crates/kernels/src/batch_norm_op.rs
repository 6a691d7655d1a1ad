//! Batch normalisation in training mode as a candle operation.

use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use crate::convolution_op::{contiguous, with_values};
use crate::normalization::{Backward, apply, backward, moments};
use crate::simd::Isa;

/// Mean and biased variance per channel of one batch, for the running statistics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchMoments {
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Variance of each channel, divisor n.
    pub variance: Vec<f32>,
    /// Rows that each channel was averaged over (batch × rows × columns).
    pub rows: usize,
}

struct BatchNorm {
    epsilon: f32,
    relu: bool,
    seen: Arc<Mutex<BatchMoments>>,
}

impl BatchNorm {
    fn moments(&self) -> BatchMoments {
        match self.seen.lock() {
            Ok(seen) => seen.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    fn inverse(&self, variance: &[f32]) -> Vec<f32> {
        variance.iter().map(|v| 1.0 / (v + self.epsilon).sqrt()).collect()
    }
}

impl CustomOp3 for BatchNorm {
    fn name(&self) -> &'static str {
        "phenosure-batch-norm"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(s1, l1, self.name())?;
        let (gamma, beta) = (contiguous(s2, l2, self.name())?, contiguous(s3, l3, self.name())?);
        let rows = x.len() / gamma.len();
        if rows < 2 {
            candle_core::bail!("batch norm: {rows} value a channel; a variance needs at least 2")
        }
        let batch = moments(Isa::detect(), x, gamma.len());
        let inverse = self.inverse(&batch.variance);
        let scale: Vec<f32> = gamma.iter().zip(&inverse).map(|(g, i)| g * i).collect();
        let shift: Vec<f32> = beta
            .iter()
            .zip(&batch.mean)
            .zip(&scale)
            .map(|((b, m), s)| b - m * s)
            .collect();
        let out = apply(Isa::detect(), x, &scale, &shift, self.relu);
        if let Ok(mut seen) = self.seen.lock() {
            *seen = BatchMoments {
                mean: batch.mean,
                variance: batch.variance,
                rows,
            };
        }
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        out: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let name = self.name();
        let batch = self.moments();
        let inverse = self.inverse(&batch.variance);
        let gradient = gradient.contiguous()?;
        let gradients = with_values(x, name, |x| {
            with_values(out, name, |out| {
                with_values(gamma, name, |gamma| {
                    with_values(&gradient, name, |gradient| {
                        let (mean, inverse) = (&batch.mean[..], &inverse[..]);
                        Ok(backward(
                            Isa::detect(),
                            &Backward {
                                x,
                                out,
                                gradient,
                                mean,
                                inverse,
                                gamma,
                                relu: self.relu,
                            },
                        ))
                    })
                })
            })
        })?;
        Ok((
            Some(Tensor::from_vec(gradients.x, x.shape(), x.device())?),
            Some(Tensor::from_vec(gradients.gamma, gamma.shape(), gamma.device())?),
            Some(Tensor::from_vec(gradients.beta, beta.shape(), beta.device())?),
        ))
    }
}

/// Normalises each channel of an NHWC map by the batch's own mean and variance, then scales and shifts it,
/// then applies ReLU if asked. Returns the map and the moments for the running statistics.
///
/// Shapes: `x` (…, channels), `gamma` and `beta` (channels). Differentiable by all three.
/// Errors: fewer than two values a channel; values that are not `f32`.
/// Source: Ioffe and Szegedy 2015, arXiv 1502.03167.
pub fn batch_norm(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    epsilon: f32,
    relu: bool,
) -> Result<(Tensor, BatchMoments)> {
    if x.device().is_cpu() {
        let seen = Arc::new(Mutex::new(BatchMoments::default()));
        let op = BatchNorm {
            epsilon,
            relu,
            seen: Arc::clone(&seen),
        };
        let out = x.contiguous()?.apply_op3(gamma, beta, op)?;
        let moments = match seen.lock() {
            Ok(seen) => seen.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        };
        return Ok((out, moments));
    }
    let channels = gamma.elem_count();
    let flat = x.reshape(((), channels))?;
    let mean = flat.mean_keepdim(0)?;
    let centered = flat.broadcast_sub(&mean)?;
    let variance = centered.sqr()?.mean_keepdim(0)?;
    let standard = centered.broadcast_div(&variance.affine(1.0, f64::from(epsilon))?.sqrt()?)?;
    let out = standard
        .broadcast_mul(gamma)?
        .broadcast_add(beta)?
        .reshape(x.shape())?;
    let out = if relu { out.relu()? } else { out };
    let moments = BatchMoments {
        mean: mean.flatten_all()?.to_vec1()?,
        variance: variance.flatten_all()?.to_vec1()?,
        rows: flat.dim(0)?,
    };
    Ok((out, moments))
}
