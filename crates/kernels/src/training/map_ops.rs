//! Small layers on NHWC maps as candle operations: concatenation, ReLU, mean over a map, whole-channel factors.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, Layout, Result, Shape, Tensor};

use super::tensors::{contiguous, filled, with_values};
use super::vectors::{Kernel, LANES, Vector, launch};
use crate::Philox;
use crate::simd::Isa;

struct Concatenate;

impl CustomOp2 for Concatenate {
    fn name(&self) -> &'static str {
        "phenosure-concatenate"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (contiguous(s1, l1, self.name())?, contiguous(s2, l2, self.name())?);
        let (mut dims, last) = (l1.dims().to_vec(), l1.dims().len() - 1);
        let (left, right) = (l1.dims()[last], l2.dims()[last]);
        dims[last] = left + right;
        let (out, ()) = filled(a.len() + b.len(), |out| {
            let pixels = a.chunks_exact(left).zip(b.chunks_exact(right));
            for (out, (a, b)) in out.chunks_exact_mut(left + right).zip(pixels) {
                out[..left].copy_from_slice(a);
                out[left..].copy_from_slice(b);
            }
            Ok(())
        })?;
        Ok((CpuStorage::F32(out), Shape::from(dims)))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (left, right) = (a.dim(D::Minus1)?, b.dim(D::Minus1)?);
        let gradient = gradient.contiguous()?;
        let (by_a, by_b) = with_values(&gradient, self.name(), |gradient| {
            let mut by_a = Vec::with_capacity(a.elem_count());
            let mut by_b = Vec::with_capacity(b.elem_count());
            for pixel in gradient.chunks_exact(left + right) {
                by_a.extend_from_slice(&pixel[..left]);
                by_b.extend_from_slice(&pixel[left..]);
            }
            Ok((by_a, by_b))
        })?;
        Ok((
            Some(Tensor::from_vec(by_a, a.shape(), a.device())?),
            Some(Tensor::from_vec(by_b, b.shape(), b.device())?),
        ))
    }
}

/// Channels of `a`, then of `b`; differentiable by both.
///
/// Shapes: (…, channels), equal but for the last. Errors: other shapes, no channels, values that are not `f32`.
pub fn concatenate(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (left, right) = (a.dims(), b.dims());
    let fits = match (left.split_last(), right.split_last()) {
        (Some((l, left)), Some((r, right))) => left == right && *l > 0 && *r > 0,
        _ => false,
    };
    if !fits {
        candle_core::bail!("concatenate: maps {left:?} and {right:?} may differ in the channels only")
    }
    if a.device().is_cpu() {
        return a.contiguous()?.apply_op2(&b.contiguous()?, Concatenate);
    }
    Tensor::cat(&[a, b], D::Minus1)
}

struct Relu;

/// max(0, `x`) where `gradient` is absent, else the gradient where `x` is positive.
struct ReluPart<'a> {
    x: &'a [f32],
    gradient: Option<&'a [f32]>,
    out: &'a mut [f32],
}

impl Kernel for ReluPart<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(self) {
        assert_eq!(self.x.len(), self.out.len());
        assert!(
            self.gradient
                .is_none_or(|gradient| gradient.len() == self.x.len())
        );
        for at in (0..self.x.len()).step_by(LANES) {
            let width = LANES.min(self.x.len() - at);
            // SAFETY: `at + width` is at most the length of all slices.
            unsafe {
                let x = V::load_first(self.x.as_ptr().add(at), width);
                let value = match self.gradient {
                    Some(gradient) => V::load_first(gradient.as_ptr().add(at), width).where_open(x),
                    None => x.relu(),
                };
                value.store_first(self.out.as_mut_ptr().add(at), width);
            }
        }
    }
}

impl CustomOp1 for Relu {
    fn name(&self) -> &'static str {
        "phenosure-relu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(storage, layout, self.name())?;
        let (out, ()) = filled(x.len(), |out| {
            let gradient = None;
            launch(Isa::detect(), ReluPart { x, gradient, out });
            Ok(())
        })?;
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let gradient = gradient.contiguous()?;
        let (out, ()) = with_values(x, self.name(), |x| {
            with_values(&gradient, self.name(), |gradient| {
                let gradient = Some(gradient);
                filled(x.len(), |out| {
                    launch(Isa::detect(), ReluPart { x, gradient, out });
                    Ok(())
                })
            })
        })?;
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

/// max(0, x), differentiable, with slope 0 at 0. NaN stays NaN, where candle's own makes it 0 and gives slope 1 at 0.
///
/// Errors: values that are not `f32`.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        return x.contiguous()?.apply_op1(Relu);
    }
    // A NaN is not closed, so it stays.
    let closed = x.detach().le(0.0)?;
    closed.where_cond(&x.zeros_like()?, x)
}

struct GlobalMean;

impl CustomOp1 for GlobalMean {
    fn name(&self) -> &'static str {
        "phenosure-global-mean"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(storage, layout, self.name())?;
        let &[batch, height, width, channels] = layout.dims() else {
            candle_core::bail!("global mean: input {:?} must be NHWC", layout.dims())
        };
        let mut out = Vec::with_capacity(batch * channels);
        let pixels = height * width;
        let mut sums = vec![0.0f64; channels];
        for image in x.chunks_exact(pixels * channels) {
            sums.fill(0.0);
            for pixel in image.chunks_exact(channels) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += f64::from(*value);
                }
            }
            out.extend(sums.iter().map(|sum| (sum / pixels as f64) as f32));
        }
        Ok((CpuStorage::F32(out), Shape::from((batch, channels))))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (_, height, width, channels) = x.dims4()?;
        let pixels = height * width;
        let gradient = gradient.contiguous()?;
        let out = with_values(&gradient, self.name(), |gradient| {
            let mut out = Vec::with_capacity(x.elem_count());
            for image in gradient.chunks_exact(channels) {
                let pixel: Vec<f32> = image.iter().map(|value| value / pixels as f32).collect();
                for _ in 0..pixels {
                    out.extend_from_slice(&pixel);
                }
            }
            Ok(out)
        })?;
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

/// Mean over rows and columns of an NHWC map: (batch, channels), summed in f64; differentiable.
///
/// candle sums f32 in one long run and loses digits on large maps.
/// Errors: an input that is not NHWC or is empty; values that are not `f32`.
pub fn global_mean(x: &Tensor) -> Result<Tensor> {
    if x.rank() != 4 || x.elem_count() == 0 {
        candle_core::bail!("global mean: input {:?} must be NHWC and not empty", x.dims())
    }
    if x.device().is_cpu() {
        return x.contiguous()?.apply_op1(GlobalMean);
    }
    x.mean((1, 2))
}

struct ScaleChannels {
    /// (sample, channel).
    factors: Vec<f32>,
}

impl ScaleChannels {
    fn scale(&self, x: &[f32], samples: usize) -> Vec<f32> {
        let channels = self.factors.len() / samples;
        let mut out = Vec::with_capacity(x.len());
        let images = x.chunks_exact(x.len() / samples);
        for (image, factors) in images.zip(self.factors.chunks_exact(channels)) {
            for pixel in image.chunks_exact(channels) {
                out.extend(pixel.iter().zip(factors).map(|(value, factor)| value * factor));
            }
        }
        out
    }
}

impl CustomOp1 for ScaleChannels {
    fn name(&self) -> &'static str {
        "phenosure-scale-channels"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(storage, layout, self.name())?;
        let out = self.scale(x, layout.dims()[0]);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let gradient = gradient.contiguous()?;
        let out = with_values(&gradient, self.name(), |gradient| {
            Ok(self.scale(gradient, x.dims()[0]))
        })?;
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

/// Drops whole channels of each sample with probability `rate` and scales the others by 1 / (1 - `rate`); differentiable.
///
/// Shapes: `x` (samples, …, channels). The factor of (sample, channel) is draw number sample × channels + channel of
/// `random`, whatever lies between: neither map size, batch nor thread count changes a mask.
/// Errors: a rate outside of [0, 1), fewer than two dimensions, an empty tensor, values that are not `f32`.
/// Source: Srivastava et al. 2014; whole channels: Tompson et al. 2015, arXiv 1411.4280.
pub fn channel_dropout(x: &Tensor, rate: f32, mut random: Philox) -> Result<Tensor> {
    if !(0.0..1.0).contains(&rate) || x.rank() < 2 || x.elem_count() == 0 {
        candle_core::bail!(
            "dropout: rate {rate} must be in [0, 1) and input {:?} (samples, …, channels)",
            x.dims()
        )
    }
    let (samples, channels) = (x.dim(0)?, x.dim(D::Minus1)?);
    let kept = 1.0 / (1.0 - rate);
    let factors: Vec<f32> = (0..samples * channels)
        .map(|_| if random.uniform() < rate { 0.0 } else { kept })
        .collect();
    if x.device().is_cpu() {
        return x.contiguous()?.apply_op1(ScaleChannels { factors });
    }
    let mut shape = vec![1; x.rank()];
    (shape[0], shape[x.rank() - 1]) = (samples, channels);
    x.broadcast_mul(&Tensor::from_vec(factors, shape, x.device())?)
}
