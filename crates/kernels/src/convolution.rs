//! Direct convolution and its two gradients on NHWC maps.
//!
//! A tile of pixels times sixteen (or thirty-two) output channels stays in registers while the kernel's
//! rows are walked: in NHWC the values of one kernel row are contiguous, so no im2col copy is needed.

use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use crate::simd::x86::{Avx2, Avx512};
use crate::simd::{Isa, Lanes16, Portable16};

/// Output channels in one register block.
const BLOCK: usize = 16;
/// Output pixels that one task computes: their inputs and outputs stay in the L2 cache.
const CHUNK: usize = 512;
/// Kernel values whose gradients are summed together in registers.
const GRADIENT_ROWS: usize = 8;
/// The batch is cut into this many parts for the weight gradient, whatever the number of threads, so
/// that the sum has one order.
const GRADIENT_PARTS: usize = 4;

/// What is applied to an output before it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// max(0, x); NaN becomes 0.
    Relu,
}

/// Sizes of a convolution with a square kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionShape {
    /// Images in the batch.
    pub batch: usize,
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output.
    pub channels_out: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Step in pixels, both ways.
    pub stride: usize,
    /// Zeros around the input, in pixels.
    pub padding: usize,
}

impl ConvolutionShape {
    /// Rows of the output.
    pub fn out_height(&self) -> usize {
        (self.height + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Columns of the output.
    pub fn out_width(&self) -> usize {
        (self.width + 2 * self.padding - self.kernel) / self.stride + 1
    }

    fn out_pixels(&self) -> usize {
        self.batch * self.out_height() * self.out_width()
    }

    fn padded_row(&self) -> usize {
        (self.width + 2 * self.padding) * self.channels_in
    }

    fn padded_image(&self) -> usize {
        (self.height + 2 * self.padding) * self.padded_row()
    }

    /// Values of one kernel row: contiguous in a padded NHWC row.
    fn run(&self) -> usize {
        self.kernel * self.channels_in
    }

    /// Start of the window of output pixel `pixel` (counted over the batch) in the padded input.
    fn offset(&self, pixel: usize) -> usize {
        let (columns, per_image) = (self.out_width(), self.out_height() * self.out_width());
        let (image, inside) = (pixel / per_image, pixel % per_image);
        let (row, column) = (inside / columns, inside % columns);
        image * self.padded_image()
            + row * self.stride * self.padded_row()
            + column * self.stride * self.channels_in
    }
}

/// The input with its border of zeros, or the input itself where there is none.
fn pad<'a>(shape: &ConvolutionShape, input: &'a [f32]) -> std::borrow::Cow<'a, [f32]> {
    assert_eq!(
        input.len(),
        shape.batch * shape.height * shape.width * shape.channels_in
    );
    if shape.padding == 0 {
        return input.into();
    }
    let mut padded = vec![0.0; shape.batch * shape.padded_image()];
    let row_length = shape.width * shape.channels_in;
    for (image, source) in padded
        .chunks_exact_mut(shape.padded_image())
        .zip(input.chunks_exact(shape.height * row_length))
    {
        let rows = image.chunks_exact_mut(shape.padded_row()).skip(shape.padding);
        for (row, source_row) in rows.zip(source.chunks_exact(row_length)) {
            let start = shape.padding * shape.channels_in;
            row[start..start + row_length].copy_from_slice(source_row);
        }
    }
    padded.into()
}

/// Weights (rows, columns out) regrouped to [block][row][16], zeros in the missing channels.
fn pack_panels(weights: &[f32], channels_out: usize) -> Vec<f32> {
    let rows = weights.len() / channels_out;
    let blocks = channels_out.div_ceil(BLOCK);
    let mut panels = vec![0.0; blocks * rows * BLOCK];
    for block in 0..blocks {
        let width = BLOCK.min(channels_out - block * BLOCK);
        for row in 0..rows {
            let to = (block * rows + row) * BLOCK;
            let from = row * channels_out + block * BLOCK;
            panels[to..to + width].copy_from_slice(&weights[from..from + width]);
        }
    }
    panels
}

struct ForwardTask<'a> {
    shape: ConvolutionShape,
    padded: &'a [f32],
    panels: &'a [f32],
    bias: Option<&'a [f32]>,
    activation: Activation,
}

/// One tile: `P` pixels × `B` blocks of sixteen channels.
///
/// # Safety
/// `offsets[p] + row * row_stride + run` must stay inside `input` for every kernel row, `panels` must hold
/// `B` panels of `rows * run * 16` floats, and the machine must have the instruction set of `L`.
#[inline(always)]
unsafe fn forward_tile<L: Lanes16, const P: usize, const B: usize>(
    input: *const f32,
    offsets: &[usize; P],
    (rows, run, row_stride): (usize, usize, usize),
    panels: *const f32,
) -> [[L; B]; P] {
    // SAFETY: all reads stay inside the ranges that the caller promises.
    unsafe {
        let panel = rows * run * BLOCK;
        let mut sums = [[L::zero(); B]; P];
        let mut weight = panels;
        for row in 0..rows {
            let pointers = offsets.map(|offset| input.add(offset + row * row_stride));
            for k in 0..run {
                let mut weights = [L::zero(); B];
                for (b, value) in weights.iter_mut().enumerate() {
                    *value = L::load(weight.add(b * panel));
                }
                for p in 0..P {
                    let scalar = *pointers[p].add(k);
                    for b in 0..B {
                        sums[p][b] = sums[p][b].add_scaled(scalar, weights[b]);
                    }
                }
                weight = weight.add(BLOCK);
            }
        }
        sums
    }
}

/// All channels of the pixels `first..first + out.len() / channels_out`.
///
/// # Safety
/// The machine must have the instruction set of `L`.
#[inline(always)]
unsafe fn forward_chunk<L: Lanes16, const P: usize>(task: &ForwardTask, first: usize, out: &mut [f32]) {
    let shape = &task.shape;
    let channels = shape.channels_out;
    let pixels = out.len() / channels;
    let dimensions = (shape.kernel, shape.run(), shape.padded_row());
    let panel = shape.kernel * shape.run() * BLOCK;
    let blocks = channels.div_ceil(BLOCK);
    assert!(first + pixels <= shape.out_pixels());
    assert_eq!(task.padded.len(), shape.batch * shape.padded_image());
    assert_eq!(task.panels.len(), blocks * panel);
    let mut done = 0;
    while done < pixels {
        let here = P.min(pixels - done);
        // A short last tile repeats its last pixel; the surplus is not stored.
        let mut offsets = [0; P];
        for (p, offset) in offsets.iter_mut().enumerate() {
            *offset = shape.offset(first + done + p.min(here - 1));
        }
        let mut block = 0;
        while block < blocks {
            // SAFETY: every offset is the start of a window inside the padded input (asserted sizes above, and
            // `offset` is only asked for existing pixels); `block + 1 < blocks` where two panels are read.
            unsafe {
                let panels = task.panels.as_ptr().add(block * panel);
                if block + 1 < blocks {
                    let sums = forward_tile::<L, P, 2>(task.padded.as_ptr(), &offsets, dimensions, panels);
                    for (p, row) in sums.iter().enumerate().take(here) {
                        store(
                            task,
                            *row,
                            block,
                            &mut out[(done + p) * channels..(done + p + 1) * channels],
                        );
                    }
                    block += 2;
                } else {
                    let sums = forward_tile::<L, P, 1>(task.padded.as_ptr(), &offsets, dimensions, panels);
                    for (p, row) in sums.iter().enumerate().take(here) {
                        store(
                            task,
                            *row,
                            block,
                            &mut out[(done + p) * channels..(done + p + 1) * channels],
                        );
                    }
                    block += 1;
                }
            }
        }
        done += here;
    }
}

/// Writes one pixel's `B` blocks with bias and activation.
///
/// # Safety
/// The machine must have the instruction set of `L`.
#[inline(always)]
unsafe fn store<L: Lanes16, const B: usize>(task: &ForwardTask, sums: [L; B], block: usize, out: &mut [f32]) {
    for (b, sum) in sums.into_iter().enumerate() {
        let start = (block + b) * BLOCK;
        let mut lane = [0.0f32; BLOCK];
        // SAFETY: `lane` holds sixteen floats.
        unsafe { sum.store(lane.as_mut_ptr()) };
        let width = BLOCK.min(out.len() - start);
        if let Some(bias) = task.bias {
            for (value, add) in lane.iter_mut().zip(&bias[start..start + width]) {
                *value += add;
            }
        }
        if task.activation == Activation::Relu {
            for value in &mut lane {
                *value = value.max(0.0);
            }
        }
        out[start..start + width].copy_from_slice(&lane[..width]);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,fma")]
unsafe fn forward_chunk_avx512(task: &ForwardTask, first: usize, out: &mut [f32]) {
    // SAFETY: reached only after `Isa::detect` saw AVX-512.
    unsafe { forward_chunk::<Avx512, 8>(task, first, out) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn forward_chunk_avx2(task: &ForwardTask, first: usize, out: &mut [f32]) {
    // SAFETY: reached only after `Isa::detect` saw AVX2 and FMA.
    unsafe { forward_chunk::<Avx2, 6>(task, first, out) }
}

/// Output (batch, out rows, out columns, channels out) of a convolution.
///
/// Shapes: `input` NHWC, `weights` (kernel, kernel, channels in, channels out), `bias` one per output channel.
/// Panics if a length does not fit `shape`. Parallel over pixels; the same bits for any number of threads.
pub(crate) fn forward(
    isa: Isa,
    shape: &ConvolutionShape,
    input: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    activation: Activation,
) -> Vec<f32> {
    assert_eq!(weights.len(), shape.kernel * shape.run() * shape.channels_out);
    assert!(bias.is_none_or(|bias| bias.len() == shape.channels_out));
    let padded = pad(shape, input);
    let panels = pack_panels(weights, shape.channels_out);
    let task = ForwardTask {
        shape: *shape,
        padded: &padded,
        panels: &panels,
        bias,
        activation,
    };
    let mut out = vec![0.0; shape.out_pixels() * shape.channels_out];
    out.par_chunks_mut(CHUNK * shape.channels_out)
        .enumerate()
        .for_each(|(chunk, out)| {
            let first = chunk * CHUNK;
            match isa {
                // SAFETY: the instruction set was detected on this machine.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => unsafe { forward_chunk_avx512(&task, first, out) },
                // SAFETY: the instruction set was detected on this machine.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => unsafe { forward_chunk_avx2(&task, first, out) },
                // SAFETY: plain Rust needs no instruction set.
                _ => unsafe { forward_chunk::<Portable16, 4>(&task, first, out) },
            }
        });
    out
}

/// Sums `R` consecutive kernel values × `B` blocks over pixels into `sums` (rows of `channels`).
///
/// # Safety
/// `offsets[p] + R` must stay inside `input`, `gradient` must hold `offsets.len()` rows of `channels` floats of which
/// the first `B * 16` are read, `sums` must hold `R` such rows; the machine must have the instruction set of `L`.
#[inline(always)]
unsafe fn gradient_tile<L: Lanes16, const R: usize, const B: usize>(
    input: *const f32,
    offsets: &[usize],
    gradient: *const f32,
    channels: usize,
    sums: *mut f32,
) {
    // SAFETY: all accesses stay inside the ranges that the caller promises.
    unsafe {
        let mut totals = [[L::zero(); B]; R];
        let mut row = gradient;
        for &offset in offsets {
            let values = input.add(offset);
            let mut gradients = [L::zero(); B];
            for (b, value) in gradients.iter_mut().enumerate() {
                *value = L::load(row.add(b * BLOCK));
            }
            for (r, total) in totals.iter_mut().enumerate() {
                let scalar = *values.add(r);
                for b in 0..B {
                    total[b] = total[b].add_scaled(scalar, gradients[b]);
                }
            }
            row = row.add(channels);
        }
        for (r, total) in totals.iter().enumerate() {
            for (b, value) in total.iter().enumerate() {
                let to = sums.add(r * channels + b * BLOCK);
                L::load(to).add_scaled(1.0, *value).store(to);
            }
        }
    }
}

/// Adds the weight gradient of a range of pixels to `sums` (kernel rows × run, padded channels).
///
/// # Safety
/// The machine must have the instruction set of `L`.
#[inline(always)]
unsafe fn gradient_chunk<L: Lanes16>(
    shape: &ConvolutionShape,
    padded: &[f32],
    offsets: &[usize],
    gradient: &[f32],
    sums: &mut [f32],
) {
    let channels = shape.channels_out.next_multiple_of(BLOCK);
    let run = shape.run();
    assert_eq!(padded.len(), shape.batch * shape.padded_image());
    assert_eq!(gradient.len(), offsets.len() * channels);
    assert_eq!(sums.len(), shape.kernel * run * channels);
    let last = (shape.kernel - 1) * shape.padded_row() + run;
    assert!(offsets.iter().all(|offset| offset + last <= padded.len()));
    for row in 0..shape.kernel {
        let mut k = 0;
        while k < run {
            let step = if run - k >= GRADIENT_ROWS {
                GRADIENT_ROWS
            } else {
                1
            };
            let mut block = 0;
            while block < channels {
                // SAFETY: `offset + row * padded_row + k + step` is at most `offset + last`, asserted above;
                // `block` counts whole blocks inside `channels`, and two are left where two are used.
                unsafe {
                    let input = padded.as_ptr().add(row * shape.padded_row() + k);
                    let from = gradient.as_ptr().add(block);
                    let to = sums.as_mut_ptr().add((row * run + k) * channels + block);
                    match (step, channels - block >= 2 * BLOCK) {
                        (GRADIENT_ROWS, true) => {
                            gradient_tile::<L, GRADIENT_ROWS, 2>(input, offsets, from, channels, to);
                        }
                        (GRADIENT_ROWS, false) => {
                            gradient_tile::<L, GRADIENT_ROWS, 1>(input, offsets, from, channels, to);
                        }
                        (_, true) => gradient_tile::<L, 1, 2>(input, offsets, from, channels, to),
                        (_, false) => gradient_tile::<L, 1, 1>(input, offsets, from, channels, to),
                    }
                }
                block += if channels - block >= 2 * BLOCK {
                    2 * BLOCK
                } else {
                    BLOCK
                };
            }
            k += step;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,fma")]
unsafe fn gradient_chunk_avx512(s: &ConvolutionShape, x: &[f32], o: &[usize], g: &[f32], sums: &mut [f32]) {
    // SAFETY: reached only after `Isa::detect` saw AVX-512.
    unsafe { gradient_chunk::<Avx512>(s, x, o, g, sums) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn gradient_chunk_avx2(s: &ConvolutionShape, x: &[f32], o: &[usize], g: &[f32], sums: &mut [f32]) {
    // SAFETY: reached only after `Isa::detect` saw AVX2 and FMA.
    unsafe { gradient_chunk::<Avx2>(s, x, o, g, sums) }
}

/// Gradient of the loss by the weights, (kernel, kernel, channels in, channels out).
///
/// `gradient` is the gradient by the output, NHWC. Sums run over blocks of pixels in a fixed order.
pub(crate) fn gradient_weights(
    isa: Isa,
    shape: &ConvolutionShape,
    input: &[f32],
    gradient: &[f32],
) -> Vec<f32> {
    let pixels = shape.out_pixels();
    assert_eq!(gradient.len(), pixels * shape.channels_out);
    let channels = shape.channels_out.next_multiple_of(BLOCK);
    let padded = pad(shape, input);
    let gradient: std::borrow::Cow<[f32]> = if channels == shape.channels_out {
        gradient.into()
    } else {
        let mut wide = vec![0.0; pixels * channels];
        for (to, from) in wide
            .chunks_exact_mut(channels)
            .zip(gradient.chunks_exact(shape.channels_out))
        {
            to[..from.len()].copy_from_slice(from);
        }
        wide.into()
    };
    let part = pixels.div_ceil(GRADIENT_PARTS).next_multiple_of(CHUNK);
    let rows = shape.kernel * shape.run();
    let parts: Vec<Vec<f32>> = (0..pixels.div_ceil(part))
        .into_par_iter()
        .map(|index| {
            let mut sums = vec![0.0; rows * channels];
            let end = pixels.min((index + 1) * part);
            for first in (index * part..end).step_by(CHUNK) {
                let here = CHUNK.min(end - first);
                let offsets: Vec<usize> = (first..first + here).map(|pixel| shape.offset(pixel)).collect();
                let rows = &gradient[first * channels..(first + here) * channels];
                match isa {
                    // SAFETY: the instruction set was detected on this machine.
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => unsafe {
                        gradient_chunk_avx512(shape, &padded, &offsets, rows, &mut sums)
                    },
                    // SAFETY: the instruction set was detected on this machine.
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => unsafe { gradient_chunk_avx2(shape, &padded, &offsets, rows, &mut sums) },
                    // SAFETY: plain Rust needs no instruction set.
                    _ => unsafe { gradient_chunk::<Portable16>(shape, &padded, &offsets, rows, &mut sums) },
                }
            }
            sums
        })
        .collect();
    let mut out = vec![0.0; rows * shape.channels_out];
    for sums in &parts {
        for (to, from) in out
            .chunks_exact_mut(shape.channels_out)
            .zip(sums.chunks_exact(channels))
        {
            for (total, value) in to.iter_mut().zip(from) {
                *total += value;
            }
        }
    }
    out
}

/// Gradient of the loss by the input, NHWC.
pub(crate) fn gradient_input(
    isa: Isa,
    shape: &ConvolutionShape,
    weights: &[f32],
    gradient: &[f32],
) -> Vec<f32> {
    let (k, c_in, c_out) = (shape.kernel, shape.channels_in, shape.channels_out);
    if shape.stride == 1 && shape.padding < k {
        // A convolution of the output's gradient with the kernel turned by 180 degrees.
        let mut turned = vec![0.0; weights.len()];
        for tap in 0..k * k {
            for i in 0..c_in {
                for o in 0..c_out {
                    turned[((k * k - 1 - tap) * c_out + o) * c_in + i] =
                        weights[(tap * c_in + i) * c_out + o];
                }
            }
        }
        let back = ConvolutionShape {
            batch: shape.batch,
            height: shape.out_height(),
            width: shape.out_width(),
            channels_in: c_out,
            channels_out: c_in,
            kernel: k,
            stride: 1,
            padding: k - 1 - shape.padding,
        };
        return forward(isa, &back, gradient, &turned, None, Activation::Identity);
    }
    // With a step, each output pixel gives its window's values, which are then added in place.
    let taps = k * k * c_in;
    let mut transposed = vec![0.0; weights.len()];
    for tap in 0..taps {
        for o in 0..c_out {
            transposed[o * taps + tap] = weights[tap * c_out + o];
        }
    }
    let per_pixel = ConvolutionShape {
        batch: shape.batch,
        height: shape.out_height(),
        width: shape.out_width(),
        channels_in: c_out,
        channels_out: taps,
        kernel: 1,
        stride: 1,
        padding: 0,
    };
    let windows = forward(isa, &per_pixel, gradient, &transposed, None, Activation::Identity);
    let mut out = vec![0.0; shape.batch * shape.height * shape.width * c_in];
    let per_image = shape.out_height() * shape.out_width();
    out.par_chunks_mut(shape.height * shape.width * c_in)
        .enumerate()
        .for_each(|(image, out)| {
            let windows = &windows[image * per_image * taps..(image + 1) * per_image * taps];
            for (pixel, window) in windows.chunks_exact(taps).enumerate() {
                let (row, column) = (pixel / shape.out_width(), pixel % shape.out_width());
                for (tap, values) in window.chunks_exact(c_in).enumerate() {
                    let y = (row * shape.stride + tap / k).wrapping_sub(shape.padding);
                    let x = (column * shape.stride + tap % k).wrapping_sub(shape.padding);
                    if y < shape.height && x < shape.width {
                        let start = (y * shape.width + x) * c_in;
                        for (total, value) in out[start..start + c_in].iter_mut().zip(values) {
                            *total += value;
                        }
                    }
                }
            }
        });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Philox;

    fn values(n: usize, stream: u32) -> Vec<f32> {
        let mut random = Philox::new(3, [stream, 0, 0]);
        (0..n).map(|_| random.normal()).collect()
    }

    /// The definition of a convolution, in f64.
    fn plain(shape: &ConvolutionShape, x: &[f32], w: &[f32], b: &[f32]) -> Vec<f64> {
        let mut out = Vec::new();
        for n in 0..shape.batch {
            for row in 0..shape.out_height() {
                for column in 0..shape.out_width() {
                    for o in 0..shape.channels_out {
                        let mut sum = f64::from(b[o]);
                        for tap in 0..shape.kernel * shape.kernel {
                            let y = (row * shape.stride + tap / shape.kernel).wrapping_sub(shape.padding);
                            let c = (column * shape.stride + tap % shape.kernel).wrapping_sub(shape.padding);
                            if y < shape.height && c < shape.width {
                                for i in 0..shape.channels_in {
                                    let input =
                                        x[((n * shape.height + y) * shape.width + c) * shape.channels_in + i];
                                    let weight = w[(tap * shape.channels_in + i) * shape.channels_out + o];
                                    sum += f64::from(input) * f64::from(weight);
                                }
                            }
                        }
                        out.push(sum);
                    }
                }
            }
        }
        out
    }

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    fn isas() -> Vec<Isa> {
        let mut isas = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                isas.push(Isa::Avx2);
            }
            if is_x86_feature_detected!("avx512f") {
                isas.push(Isa::Avx512);
            }
        }
        isas
    }

    #[test]
    fn every_instruction_set_equals_the_definition_and_its_adjoints() {
        for (channels_in, channels_out, kernel, stride, padding, height, width) in [
            (1, 16, 3, 2, 1, 13, 9),
            (16, 32, 3, 1, 1, 7, 11),
            (32, 48, 3, 2, 1, 12, 12),
            (16, 32, 1, 2, 0, 6, 6),
            (48, 16, 1, 1, 0, 5, 4),
            (3, 5, 3, 1, 1, 4, 6),
        ] {
            let shape = ConvolutionShape {
                batch: 3,
                height,
                width,
                channels_in,
                channels_out,
                kernel,
                stride,
                padding,
            };
            let x = values(3 * height * width * channels_in, 1);
            let w = values(kernel * kernel * channels_in * channels_out, 2);
            let b = values(channels_out, 3);
            let truth = plain(&shape, &x, &w, &b);
            let scale = truth.iter().fold(0.0f64, |a, v| a.max(v.abs()));
            for isa in isas() {
                let out = forward(isa, &shape, &x, &w, Some(&b), Activation::Identity);
                for (value, truth) in out.iter().zip(&truth) {
                    assert!(
                        (f64::from(*value) - truth).abs() < 1e-5 * scale,
                        "{shape:?} {isa:?}"
                    );
                }
                // The output is linear in input and weights: <g, conv(dx)> = <gradient_input(g), dx>, likewise for dw.
                let g = values(out.len(), 4);
                let no_bias = forward(isa, &shape, &x, &w, None, Activation::Identity);
                let direct = dot(&g, &no_bias);
                let by_input = dot(&gradient_input(isa, &shape, &w, &g), &x);
                let by_weights = dot(&gradient_weights(isa, &shape, &x, &g), &w);
                let tolerance = 1e-4 * (out.len() as f64).sqrt() * scale;
                assert!(
                    (direct - by_input).abs() < tolerance,
                    "{shape:?} {isa:?} {direct} {by_input}"
                );
                assert!(
                    (direct - by_weights).abs() < tolerance,
                    "{shape:?} {isa:?} {direct} {by_weights}"
                );
            }
        }
    }
}
