//! Every layer by its definition, in f64, and the comparison of an operation's gradients with differences of it.
#![allow(missing_docs, dead_code, clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Tensor, Var};
use kernels::Philox;

pub const EPSILON: f64 = 1e-5;

pub fn normal(n: usize, stream: u32) -> Vec<f32> {
    let mut random = Philox::new(11, [stream, 0, 0]);
    (0..n).map(|_| random.normal()).collect()
}

pub fn tensor(values: Vec<f32>, shape: &[usize]) -> Tensor {
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

pub fn variable(values: Vec<f32>, shape: &[usize]) -> Var {
    Var::from_tensor(&tensor(values, shape)).unwrap()
}

pub fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Largest value, at least 1.
fn scale(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(1.0, |largest, value| largest.max(value.abs()))
}

/// An input: shape and values.
pub type Input = (Vec<usize>, Vec<f32>);

pub fn random_input(shape: &[usize], stream: u32) -> Input {
    (shape.to_vec(), normal(shape.iter().product(), stream))
}

/// Compares `ours` with `plain`: the values, and the gradients of a random projection of them with central differences of
/// `plain` in f64, by element where an input is small, else by some elements and along some directions.
pub fn check(
    name: &str,
    inputs: &[Input],
    ours: impl Fn(&[Var]) -> Tensor,
    plain: impl Fn(&[Vec<f64>]) -> Vec<f64>,
) {
    const STEP: f64 = 1e-6;
    let variables: Vec<Var> = inputs
        .iter()
        .map(|(shape, values)| variable(values.clone(), shape))
        .collect();
    let start: Vec<Vec<f64>> = inputs
        .iter()
        .map(|(_, values)| values.iter().map(|value| f64::from(*value)).collect())
        .collect();
    let out = ours(&variables);
    let truth = plain(&start);
    let size = scale(truth.iter().copied());
    assert_eq!(out.elem_count(), truth.len(), "{name}");
    for (value, truth) in flat(&out).iter().zip(&truth) {
        assert!(
            (f64::from(*value) - truth).abs() < 2e-5 * size,
            "{name}: {value} against {truth}"
        );
    }
    let weights = normal(truth.len(), 99);
    let loss = |inputs: &[Vec<f64>]| -> f64 {
        let out = plain(inputs);
        out.iter()
            .zip(&weights)
            .map(|(out, weight)| out * f64::from(*weight))
            .sum()
    };
    let projection = (&out * tensor(weights.clone(), out.dims())).unwrap();
    let gradients = projection.sum_all().unwrap().backward().unwrap();
    for (index, variable) in variables.iter().enumerate() {
        let gradient = flat(gradients.get(variable).expect("every input has a gradient"));
        let n = gradient.len();
        let mut directions: Vec<Vec<f32>> = Vec::new();
        let mut random = Philox::new(5, [index as u32, 0, 0]);
        let elements: Vec<usize> = if n <= 120 {
            (0..n).collect()
        } else {
            (0..24).map(|_| random.below(n)).collect()
        };
        for element in elements {
            let mut direction = vec![0.0; n];
            direction[element] = 1.0;
            directions.push(direction);
        }
        directions.extend((0..4).map(|number| normal(n, 50 + number)));
        let size = scale(gradient.iter().map(|value| f64::from(*value)));
        for direction in directions {
            let at = |step: f64| {
                let mut moved = start.clone();
                for (value, along) in moved[index].iter_mut().zip(&direction) {
                    *value += step * f64::from(*along);
                }
                loss(&moved)
            };
            let numeric = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            let along = direction.iter().zip(&gradient);
            let analytic: f64 = along.map(|(d, g)| f64::from(*d) * f64::from(*g)).sum();
            let length: f64 = direction.iter().map(|d| f64::from(d * d)).sum::<f64>().sqrt();
            assert!(
                (numeric - analytic).abs() < 1e-4 * size * length,
                "{name}, input {index}: {numeric} against {analytic}"
            );
        }
    }
}

/// Rows of an NHWC map, to be indexed by (image, row, column, channel).
#[derive(Clone, Copy)]
pub struct Shape(pub usize, pub usize, pub usize, pub usize);

impl Shape {
    pub fn at(&self, n: usize, y: usize, x: usize, c: usize) -> usize {
        ((n * self.1 + y) * self.2 + x) * self.3 + c
    }

    pub fn len(&self) -> usize {
        self.0 * self.1 * self.2 * self.3
    }

    /// Calls `f` with every place.
    pub fn each(&self, mut f: impl FnMut(usize, usize, usize, usize)) {
        for n in 0..self.0 {
            for y in 0..self.1 {
                for x in 0..self.2 {
                    (0..self.3).for_each(|c| f(n, y, x, c));
                }
            }
        }
    }
}

/// Convolution with a square kernel (kernel, kernel, channels in, channels out).
pub fn convolution(
    x: &[f64],
    shape: Shape,
    w: &[f64],
    (kernel, stride, padding): (usize, usize, usize),
) -> (Vec<f64>, Shape) {
    let channels = w.len() / (kernel * kernel * shape.3);
    let size = |n: usize| (n + 2 * padding - kernel) / stride + 1;
    let to = Shape(shape.0, size(shape.1), size(shape.2), channels);
    let mut out = vec![0.0; to.len()];
    to.each(|n, row, column, o| {
        for tap in 0..kernel * kernel {
            let y = (row * stride + tap / kernel).wrapping_sub(padding);
            let c = (column * stride + tap % kernel).wrapping_sub(padding);
            if y < shape.1 && c < shape.2 {
                for i in 0..shape.3 {
                    let weight = w[(tap * shape.3 + i) * channels + o];
                    out[to.at(n, row, column, o)] += x[shape.at(n, y, c, i)] * weight;
                }
            }
        }
    });
    (out, to)
}

/// Normalisation by the batch's own moments.
pub fn batch_norm(x: &[f64], gamma: &[f64], beta: &[f64], relu: bool) -> Vec<f64> {
    let (channels, rows) = (gamma.len(), (x.len() / gamma.len()) as f64);
    let mut out = x.to_vec();
    for channel in 0..channels {
        let of = || x.iter().skip(channel).step_by(channels);
        let mean = of().sum::<f64>() / rows;
        let variance = of().map(|value| (value - mean).powi(2)).sum::<f64>() / rows;
        for value in out.iter_mut().skip(channel).step_by(channels) {
            *value = (*value - mean) / (variance + EPSILON).sqrt() * gamma[channel] + beta[channel];
            if relu {
                *value = value.max(0.0);
            }
        }
    }
    out
}

/// Maximum of 2 × 2 windows.
pub fn max_pool(x: &[f64], shape: Shape) -> Vec<f64> {
    let to = Shape(shape.0, shape.1 / 2, shape.2 / 2, shape.3);
    let mut out = Vec::with_capacity(to.len());
    to.each(|n, row, column, c| {
        let pixels = (0..4).map(|k| x[shape.at(n, 2 * row + k / 2, 2 * column + k % 2, c)]);
        out.push(pixels.fold(f64::NEG_INFINITY, f64::max));
    });
    out
}

/// Doubling by repetition.
pub fn nearest(x: &[f64], shape: Shape) -> Vec<f64> {
    let mut out = Vec::new();
    Shape(shape.0, 2 * shape.1, 2 * shape.2, shape.3)
        .each(|n, row, column, c| out.push(x[shape.at(n, row / 2, column / 2, c)]));
    out
}

/// Doubling, linear between pixel centres: output pixel o lies at (o + 1/2) / 2 - 1/2, clamped to the map.
pub fn bilinear(x: &[f64], shape: Shape) -> Vec<f64> {
    let place = |at: usize, size: usize| {
        let centre = ((at as f64 + 0.5) / 2.0 - 0.5).max(0.0);
        let low = centre.floor() as usize;
        (low, (low + 1).min(size - 1), centre - low as f64)
    };
    let mut out = Vec::new();
    Shape(shape.0, 2 * shape.1, 2 * shape.2, shape.3).each(|n, row, column, c| {
        let (top, bottom, down) = place(row, shape.1);
        let (left, right, across) = place(column, shape.2);
        let line =
            |y: usize| x[shape.at(n, y, left, c)] * (1.0 - across) + x[shape.at(n, y, right, c)] * across;
        out.push(line(top) * (1.0 - down) + line(bottom) * down);
    });
    out
}

/// The segmentation loss of (pixel, map) logits: see [`kernels::segmentation_loss`].
pub fn segmentation_loss(logits: &[f64], targets: &[f32]) -> Vec<f64> {
    let pixels = (logits.len() / 4) as f64;
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let map = |index: usize| {
        let pairs = logits.chunks_exact(4).zip(targets.chunks_exact(4));
        pairs.map(move |(x, t)| (sigmoid(x[index]), f64::from(t[index]), f64::from(t[1])))
    };
    let mut total = 0.0;
    for index in 0..3 {
        let (mut entropy, mut overlap, mut sum) = (0.0, 0.0, 0.0);
        for (p, t, touch) in map(index) {
            let pixel = if index == 0 { 1.0 + 3.0 * touch } else { 1.0 };
            let positive = if index == 1 { 3.0 } else { 1.0 };
            entropy -= pixel * (positive * t * p.ln() + (1.0 - t) * (1.0 - p).ln());
            overlap += p * t;
            sum += p + t;
        }
        total += entropy / pixels + 0.5 * (1.0 - (2.0 * overlap + 1.0) / (sum + 1.0));
    }
    for (p, t, _) in map(3) {
        let error = (p - t).abs();
        let value = if error < 0.1 {
            0.5 * error * error / 0.1
        } else {
            error - 0.05
        };
        total += 4.0 * value / pixels;
    }
    vec![total]
}
