//! Batch normalisation of NHWC maps in training mode, forward and backward, with an optional ReLU.
//!
//! Source: Ioffe and Szegedy 2015 (arXiv 1502.03167), algorithm 1 and the gradients after it.

use crate::simd::Isa;

/// Channels handled together, so that the inner loop has a fixed length.
const BLOCK: usize = 16;
/// Rows summed in f32 before the sum is added to an f64 total: long f32 sums lose digits.
const ROWS: usize = 512;

/// Mean and biased variance per channel.
pub(crate) struct Moments {
    pub mean: Vec<f32>,
    pub variance: Vec<f32>,
}

/// Calls `$body` compiled for the best instruction set.
macro_rules! for_isa {
    ($isa:expr, $body:ident, ($($arg:ident : $type:ty),*)) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,fma")]
        unsafe fn avx512($($arg: $type),*) { $body($($arg),*) }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2($($arg: $type),*) { $body($($arg),*) }
        match $isa {
            // SAFETY: the instruction set was detected on this machine; the body is safe code.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { avx512($($arg),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { avx2($($arg),*) },
            _ => $body($($arg),*),
        }
    }};
}

/// Sums of two products per channel: Σ f(row) and Σ g(row), by blocks.
#[inline(always)]
fn block_sums<const W: usize>(
    rows: std::ops::Range<usize>,
    channels: usize,
    first: usize,
    mut values: impl FnMut(usize) -> ([f32; W], [f32; W]),
) -> ([f64; W], [f64; W]) {
    let mut totals = ([0.0f64; W], [0.0f64; W]);
    let mut start = rows.start;
    while start < rows.end {
        let end = rows.end.min(start + ROWS);
        let mut sums = ([0.0f32; W], [0.0f32; W]);
        for row in start..end {
            let (a, b) = values(row * channels + first);
            for j in 0..W {
                sums.0[j] += a[j];
                sums.1[j] += b[j];
            }
        }
        for j in 0..W {
            totals.0[j] += f64::from(sums.0[j]);
            totals.1[j] += f64::from(sums.1[j]);
        }
        start = end;
    }
    totals
}

#[inline(always)]
fn load<const W: usize>(values: &[f32], at: usize) -> [f32; W] {
    let mut block = [0.0; W];
    block.copy_from_slice(&values[at..at + W]);
    block
}

#[inline(always)]
fn moments_width<const W: usize>(x: &[f32], channels: usize, first: usize, out: &mut Moments) {
    let rows = x.len() / channels;
    // Shifted by the first row: the variance of values far from 0 keeps its digits.
    let shift: [f32; W] = load(x, first);
    let (sum, square) = block_sums::<W>(0..rows, channels, first, |at| {
        let mut value: [f32; W] = load(x, at);
        let mut squared = [0.0; W];
        for j in 0..W {
            value[j] -= shift[j];
            squared[j] = value[j] * value[j];
        }
        (value, squared)
    });
    let n = rows as f64;
    for j in 0..W {
        let mean = sum[j] / n;
        out.mean[first + j] = (mean + f64::from(shift[j])) as f32;
        out.variance[first + j] = (square[j] / n - mean * mean).max(0.0) as f32;
    }
}

#[inline(always)]
fn moments_body(x: &[f32], channels: usize, out: &mut Moments) {
    let mut first = 0;
    while first < channels {
        if channels - first >= BLOCK {
            moments_width::<BLOCK>(x, channels, first, out);
            first += BLOCK;
        } else {
            moments_width::<1>(x, channels, first, out);
            first += 1;
        }
    }
}

/// Mean and biased variance of each channel over all rows of `x` (rows × channels).
pub(crate) fn moments(isa: Isa, x: &[f32], channels: usize) -> Moments {
    let mut out = Moments {
        mean: vec![0.0; channels],
        variance: vec![0.0; channels],
    };
    let result = &mut out;
    for_isa!(isa, moments_body, (x: &[f32], channels: usize, result: &mut Moments));
    out
}

#[inline(always)]
fn apply_body(x: &[f32], scale: &[f32], shift: &[f32], relu: bool, out: &mut [f32]) {
    let channels = scale.len();
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    for (to, from) in out.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
        for (((to, from), scale), shift) in to.iter_mut().zip(from).zip(scale).zip(shift) {
            *to = (from * scale + shift).max(floor);
        }
    }
}

/// `x * scale + shift` per channel, with ReLU if asked.
pub(crate) fn apply(isa: Isa, x: &[f32], scale: &[f32], shift: &[f32], relu: bool) -> Vec<f32> {
    let mut result = vec![0.0; x.len()];
    let out = &mut result[..];
    for_isa!(isa, apply_body, (x: &[f32], scale: &[f32], shift: &[f32], relu: bool, out: &mut [f32]));
    result
}

/// What the backward pass reads.
pub(crate) struct Backward<'a> {
    pub x: &'a [f32],
    /// Output of the forward pass: where it is 0, the ReLU was closed.
    pub out: &'a [f32],
    pub gradient: &'a [f32],
    pub mean: &'a [f32],
    /// 1 / sqrt(variance + epsilon).
    pub inverse: &'a [f32],
    pub gamma: &'a [f32],
    pub relu: bool,
}

/// Gradients by the input, by gamma and by beta.
#[derive(Default)]
pub(crate) struct Gradients {
    pub x: Vec<f32>,
    pub gamma: Vec<f32>,
    pub beta: Vec<f32>,
}

#[inline(always)]
fn backward_width<const W: usize>(pass: &Backward, first: usize, out: &mut Gradients) {
    let channels = pass.gamma.len();
    let rows = pass.x.len() / channels;
    let mean: [f32; W] = load(pass.mean, first);
    let inverse: [f32; W] = load(pass.inverse, first);
    let gamma: [f32; W] = load(pass.gamma, first);
    // Without ReLU every output lets its gradient through.
    let floor = if pass.relu { 0.0 } else { f32::NEG_INFINITY };
    let open = |at: usize| -> [f32; W] {
        let mut gradient: [f32; W] = load(pass.gradient, at);
        let out: [f32; W] = load(pass.out, at);
        for j in 0..W {
            gradient[j] = if out[j] > floor { gradient[j] } else { 0.0 };
        }
        gradient
    };
    let (sum, product) = block_sums::<W>(0..rows, channels, first, |at| {
        let gradient = open(at);
        let x: [f32; W] = load(pass.x, at);
        let mut with_x = [0.0; W];
        for j in 0..W {
            with_x[j] = gradient[j] * (x[j] - mean[j]) * inverse[j];
        }
        (gradient, with_x)
    });
    let n = rows as f64;
    let (mut scale, mut by_sum, mut by_product) = ([0.0f32; W], [0.0f32; W], [0.0f32; W]);
    for j in 0..W {
        out.gamma[first + j] = product[j] as f32;
        out.beta[first + j] = sum[j] as f32;
        scale[j] = gamma[j] * inverse[j];
        by_sum[j] = (sum[j] / n) as f32;
        by_product[j] = (product[j] / n) as f32;
    }
    for row in 0..rows {
        let at = row * channels + first;
        let gradient = open(at);
        let x: [f32; W] = load(pass.x, at);
        let to = &mut out.x[at..at + W];
        for j in 0..W {
            let standard = (x[j] - mean[j]) * inverse[j];
            to[j] = scale[j] * (gradient[j] - by_sum[j] - standard * by_product[j]);
        }
    }
}

#[inline(always)]
fn backward_body(pass: &Backward, out: &mut Gradients) {
    let channels = pass.gamma.len();
    let mut first = 0;
    while first < channels {
        if channels - first >= BLOCK {
            backward_width::<BLOCK>(pass, first, out);
            first += BLOCK;
        } else {
            backward_width::<1>(pass, first, out);
            first += 1;
        }
    }
}

/// Gradients of normalisation with the batch's own moments (which depend on the input).
pub(crate) fn backward(isa: Isa, pass: &Backward) -> Gradients {
    let channels = pass.gamma.len();
    let mut result = Gradients {
        x: vec![0.0; pass.x.len()],
        gamma: vec![0.0; channels],
        beta: vec![0.0; channels],
    };
    let out = &mut result;
    for_isa!(isa, backward_body, (pass: &Backward, out: &mut Gradients));
    result
}
