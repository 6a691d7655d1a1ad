//! Batch normalisation in training mode as a candle operation.

use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::normalization::{Moments, affine, apply, moments};
use super::normalization_gradient::{Backward, backward};
use super::tensors::{contiguous, filled, taken, with_values};
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

/// How a layer normalises.
#[derive(Clone, Copy, Debug)]
pub(super) struct Normalization {
    pub epsilon: f32,
    pub relu: bool,
}

/// What the backward pass needs of the forward pass, per channel.
#[derive(Clone, Debug)]
pub(super) struct Statistics {
    pub moments: BatchMoments,
    inverse: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Normalization {
    /// Writes the normalised `y` to `out`.
    ///
    /// Errors: fewer than two values a channel.
    pub(super) fn forward(
        &self,
        y: &[f32],
        (gamma, beta): (&[f32], &[f32]),
        out: &mut [f32],
    ) -> Result<Statistics> {
        let (isa, rows) = (Isa::detect(), y.len() / gamma.len().max(1));
        if rows < 2 || gamma.len() != beta.len() {
            candle_core::bail!(
                "batch norm: {rows} values a channel, {} gammas and {} betas; a variance needs at least 2 values",
                gamma.len(),
                beta.len()
            )
        }
        let batch: Moments = moments(isa, y, gamma.len());
        let [scale, shift] = affine(&batch, gamma, beta, self.epsilon);
        apply(isa, y, [&scale, &shift], self.relu, out);
        Ok(Statistics {
            inverse: batch
                .variance
                .iter()
                .map(|v| 1.0 / (v + self.epsilon).sqrt())
                .collect(),
            moments: BatchMoments {
                mean: batch.mean,
                variance: batch.variance,
                rows,
            },
            scale,
            shift,
        })
    }

    /// Writes the gradient by `y` to `out` and returns those by gamma and beta.
    pub(super) fn backward(
        &self,
        y: &[f32],
        statistics: &Statistics,
        gradient: &[f32],
        out: &mut [f32],
    ) -> [Vec<f32>; 2] {
        let pass = Backward {
            y,
            gradient,
            mean: &statistics.moments.mean,
            inverse: &statistics.inverse,
            scale: &statistics.scale,
            shift: &statistics.shift,
            relu: self.relu,
        };
        backward(Isa::detect(), &pass, out)
    }
}

struct BatchNorm {
    normalization: Normalization,
    seen: Arc<Mutex<Option<Statistics>>>,
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
        let (out, statistics) = filled(x.len(), |out| self.normalization.forward(x, (gamma, beta), out))?;
        *taken(&self.seen) = Some(statistics);
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let name = self.name();
        let Some(statistics) = taken(&self.seen).clone() else {
            candle_core::bail!("{name}: backward before forward")
        };
        let gradient = gradient.contiguous()?;
        let (by_x, [by_gamma, by_beta]) = with_values(x, name, |x| {
            with_values(&gradient, name, |gradient| {
                filled(x.len(), |out| {
                    Ok(self.normalization.backward(x, &statistics, gradient, out))
                })
            })
        })?;
        Ok((
            Some(Tensor::from_vec(by_x, x.shape(), x.device())?),
            Some(Tensor::from_vec(by_gamma, gamma.shape(), gamma.device())?),
            Some(Tensor::from_vec(by_beta, beta.shape(), beta.device())?),
        ))
    }
}

/// Normalises each channel of an NHWC map by the batch's own mean and variance, then scales and shifts it,
/// then applies ReLU if asked. Returns the map and the moments for the running statistics.
///
/// Shapes: `x` (…, channels), `gamma` and `beta` (channels). Differentiable by all three. A NaN makes its whole
/// channel NaN, ReLU or not.
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
        let seen = Arc::new(Mutex::new(None));
        let op = BatchNorm {
            normalization: Normalization { epsilon, relu },
            seen: Arc::clone(&seen),
        };
        let out = x
            .contiguous()?
            .apply_op3(&gamma.contiguous()?, &beta.contiguous()?, op)?;
        let moments = taken(&seen).as_ref().map(|statistics| statistics.moments.clone());
        return Ok((out, moments.unwrap_or_default()));
    }
    let channels = gamma.elem_count();
    let flat = x.reshape(((), channels))?;
    if flat.dim(0)? < 2 {
        candle_core::bail!("batch norm: one value a channel; a variance needs at least 2")
    }
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
