//! A convolution of NHWC maps and its two gradients: which method each takes.
//!
//! A 3 × 3 kernel of step 1 on whole blocks of channels goes by Winograd's F(4 × 4, 3 × 3), everything else is computed
//! directly. The method depends on the shape alone, and so do the bits of the result.

use crate::simd::Isa;
use crate::training::direct::{Product, Target, multiply};
use crate::training::patches::Grid;
use crate::training::winograd::{Filter, convolve, fits};
use crate::training::winograd_transforms::Map;
use crate::training::{direct_gradient, winograd_gradient};

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

    /// Values of the input, of the weights and of the output.
    fn lengths(&self) -> (usize, usize, usize) {
        (
            self.batch * self.height * self.width * self.channels_in,
            self.kernel * self.kernel * self.channels_in * self.channels_out,
            self.batch * self.out_height() * self.out_width() * self.channels_out,
        )
    }

    fn input<'a>(&self, values: &'a [f32]) -> Map<'a> {
        assert_eq!(values.len(), self.lengths().0, "input of {self:?}");
        Map {
            values,
            height: self.height,
            width: self.width,
            channels: self.channels_in,
        }
    }

    fn output<'a>(&self, values: &'a [f32]) -> Map<'a> {
        assert_eq!(values.len(), self.lengths().2, "output of {self:?}");
        Map {
            values,
            height: self.out_height(),
            width: self.out_width(),
            channels: self.channels_out,
        }
    }

    /// The windows of the output's pixels in the input.
    fn grid(&self) -> Grid {
        let at = |tap: usize| tap as isize - self.padding as isize;
        Grid {
            rows: self.out_height(),
            columns: self.out_width(),
            step: self.stride,
            taps: (0..self.kernel * self.kernel)
                .map(|tap| (at(tap / self.kernel), at(tap % self.kernel)))
                .collect(),
        }
    }
}

/// Writes the output (batch, out rows, out columns, channels out) of a convolution to `out`.
///
/// Shapes: `input` NHWC, `weights` (kernel, kernel, channels in, channels out), `bias` one per output channel.
/// Panics if a length does not fit `shape`. The same bits for any number of threads.
pub(crate) fn forward_into(
    isa: Isa,
    shape: &ConvolutionShape,
    (input, weights): (&[f32], &[f32]),
    (bias, activation): (Option<&[f32]>, Activation),
    out: &mut [f32],
) {
    assert_eq!(weights.len(), shape.lengths().1, "weights of {shape:?}");
    assert_eq!(out.len(), shape.lengths().2, "output of {shape:?}");
    assert!(bias.is_none_or(|bias| bias.len() == shape.channels_out));
    let map = shape.input(input);
    if fits(shape) {
        let filter = Filter::new(isa, weights, shape.channels_in, shape.channels_out);
        convolve(isa, (shape.batch, map), &filter, (bias, activation), out);
        return;
    }
    let product = Product {
        map,
        batch: shape.batch,
        grid: &shape.grid(),
        weights,
        target: Target {
            height: shape.out_height(),
            width: shape.out_width(),
            step: 1,
            row: 0,
            column: 0,
            channels: shape.channels_out,
        },
        bias,
        activation,
    };
    multiply(isa, &product, out);
}

/// As [`forward_into`], in a new vector.
pub(crate) fn forward(
    isa: Isa,
    shape: &ConvolutionShape,
    input: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    activation: Activation,
) -> Vec<f32> {
    let mut out = vec![0.0; shape.lengths().2];
    forward_into(isa, shape, (input, weights), (bias, activation), &mut out);
    out
}

/// Gradient of the loss by the weights, (kernel, kernel, channels in, channels out).
///
/// `gradient` is the gradient by the output, NHWC. Sums run over blocks of pixels in an order that only `shape` decides.
pub(crate) fn gradient_weights(
    isa: Isa,
    shape: &ConvolutionShape,
    input: &[f32],
    gradient: &[f32],
) -> Vec<f32> {
    let (input, output) = (shape.input(input), shape.output(gradient));
    if fits(shape) {
        winograd_gradient::weight_gradient(isa, shape.batch, input, output)
    } else {
        let grid = shape.grid();
        direct_gradient::weight_gradient(isa, (shape.batch, input), &grid, gradient, shape.channels_out)
    }
}

/// The weights of some taps with the sides of the channels exchanged: (tap, channel out, channel in).
fn exchanged(shape: &ConvolutionShape, weights: &[f32], taps: impl Iterator<Item = usize>) -> Vec<f32> {
    let (rows, columns) = (shape.channels_in, shape.channels_out);
    let mut out = Vec::with_capacity(weights.len());
    for tap in taps {
        let from = &weights[tap * rows * columns..(tap + 1) * rows * columns];
        for column in 0..columns {
            out.extend(from[column..].iter().step_by(columns));
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
    assert_eq!(weights.len(), shape.lengths().1, "weights of {shape:?}");
    let map = shape.output(gradient);
    let mut out = vec![0.0; shape.lengths().0];
    if fits(shape) {
        // A convolution of the output's gradient with the kernel turned by 180 degrees.
        let turned = exchanged(shape, weights, (0..9).rev());
        let filter = Filter::new(isa, &turned, shape.channels_out, shape.channels_in);
        let plain = (None, Activation::Identity);
        convolve(isa, (shape.batch, map), &filter, plain, &mut out);
        return out;
    }
    // Input pixels whose rows and columns leave the same rest by the step are reached by the same taps.
    let (kernel, stride) = (shape.kernel, shape.stride);
    for class in 0..stride * stride {
        let (row, column) = (class / stride, class % stride);
        if row >= shape.height || column >= shape.width {
            continue;
        }
        let steps = |pixel: usize, tap: usize| {
            let distance = (pixel + shape.padding) as isize - tap as isize;
            (distance % stride as isize == 0).then_some(distance / stride as isize)
        };
        let taps: Vec<(usize, (isize, isize))> = (0..kernel * kernel)
            .filter_map(|tap| Some((tap, (steps(row, tap / kernel)?, steps(column, tap % kernel)?))))
            .collect();
        if taps.is_empty() {
            continue;
        }
        let grid = Grid {
            rows: (shape.height - row).div_ceil(stride),
            columns: (shape.width - column).div_ceil(stride),
            step: 1,
            taps: taps.iter().map(|(_, place)| *place).collect(),
        };
        let product = Product {
            map,
            batch: shape.batch,
            grid: &grid,
            weights: &exchanged(shape, weights, taps.iter().map(|(tap, _)| *tap)),
            target: Target {
                height: shape.height,
                width: shape.width,
                step: stride,
                row,
                column,
                channels: shape.channels_in,
            },
            bias: None,
            activation: Activation::Identity,
        };
        multiply(isa, &product, &mut out);
    }
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

    fn isas() -> impl Iterator<Item = Isa> {
        let all = [Isa::Portable, Isa::Avx2, Isa::Avx512];
        all.into_iter().filter(|isa| isa.available())
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
            // Winograd: more kernels than one block of sums, and a batch of several blocks of tiles.
            (80, 144, 3, 1, 1, 9, 6),
            (32, 16, 3, 1, 1, 37, 41),
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
