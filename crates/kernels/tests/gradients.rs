//! Convolution and normalisation against their definitions in f64, and against candle where candle is right.
#![allow(missing_docs, clippy::unwrap_used)]

mod plain;

use candle_core::{Tensor, Var};
use kernels::{Activation, LayerOptions, batch_norm, conv2d, conv2d_bias, conv2d_linear, convolution_layer};
use plain::{Shape, check, flat, normal, random_input, tensor, variable};

/// (batch, rows, columns, channels in, channels out, (kernel, stride, padding)).
type Case = (usize, usize, usize, usize, usize, (usize, usize, usize));

/// Winograd's method and the direct one, odd sizes, channel counts that fill no vector, steps on maps that are not square.
const CASES: [Case; 10] = [
    (2, 5, 7, 16, 32, (3, 1, 1)),
    (1, 9, 6, 48, 16, (3, 1, 1)),
    (3, 1, 2, 16, 16, (3, 1, 1)),
    (2, 5, 6, 5, 7, (3, 1, 1)),
    (1, 8, 9, 16, 32, (3, 2, 1)),
    (1, 9, 8, 3, 19, (3, 2, 1)),
    (2, 7, 5, 1, 16, (3, 2, 1)),
    (2, 6, 7, 16, 32, (1, 2, 0)),
    (2, 3, 4, 20, 3, (1, 1, 0)),
    (1, 7, 8, 4, 6, (5, 3, 2)),
];

fn inputs(case: Case) -> (Shape, Vec<plain::Input>) {
    let (batch, rows, columns, channels_in, channels_out, (kernel, _, _)) = case;
    let weights = [kernel, kernel, channels_in, channels_out];
    (
        Shape(batch, rows, columns, channels_in),
        vec![
            random_input(&[batch, rows, columns, channels_in], 1),
            random_input(&weights, 2),
        ],
    )
}

#[test]
fn conv2d_by_finite_differences() {
    for case in CASES {
        let (shape, inputs) = inputs(case);
        let sizes = case.5;
        check(
            &format!("conv2d {case:?}"),
            &inputs,
            |v| conv2d(&v[0], &v[1], sizes.1, sizes.2).unwrap(),
            |v| plain::convolution(&v[0], shape, &v[1], sizes).0,
        );
    }
}

#[test]
fn conv2d_with_bias_by_finite_differences() {
    for case in CASES {
        let (shape, mut inputs) = inputs(case);
        let sizes = case.5;
        inputs.push(random_input(&[case.4], 3));
        check(
            &format!("conv2d with bias {case:?}"),
            &inputs,
            |v| conv2d_linear(&v[0], &v[1], &v[2], (sizes.1, sizes.2)).unwrap(),
            |v| {
                let mut out = plain::convolution(&v[0], shape, &v[1], sizes).0;
                for (value, bias) in out.iter_mut().zip(v[2].iter().cycle()) {
                    *value += bias;
                }
                out
            },
        );
    }
}

#[test]
fn batch_norm_by_finite_differences() {
    for (rows, channels, relu) in [(60, 16, false), (70, 19, true), (2, 3, false), (131, 33, true)] {
        let inputs = [
            random_input(&[1, rows, 1, channels], 1),
            random_input(&[channels], 2),
            random_input(&[channels], 3),
        ];
        check(
            &format!("batch norm {rows} {channels} {relu}"),
            &inputs,
            |v| {
                batch_norm(&v[0], &v[1], &v[2], plain::EPSILON as f32, relu)
                    .unwrap()
                    .0
            },
            |v| plain::batch_norm(&v[0], &v[1], &v[2], relu),
        );
    }
}

#[test]
fn convolution_layer_by_finite_differences() {
    for (case, relu) in CASES.into_iter().zip([true, false].into_iter().cycle()) {
        let (shape, mut inputs) = inputs(case);
        let (_, stride, padding) = case.5;
        inputs.push(random_input(&[case.4], 3));
        inputs.push(random_input(&[case.4], 4));
        let options = LayerOptions {
            stride,
            padding,
            epsilon: plain::EPSILON as f32,
            relu,
        };
        check(
            &format!("layer {case:?} {relu}"),
            &inputs,
            |v| convolution_layer(&v[0], &v[1], &v[2], &v[3], options).unwrap().0,
            |v| {
                plain::batch_norm(
                    &plain::convolution(&v[0], shape, &v[1], case.5).0,
                    &v[2],
                    &v[3],
                    relu,
                )
            },
        );
    }
}

#[test]
fn moments_are_those_of_the_batch() {
    let values = normal(5000 * 3, 1);
    let x = tensor(values.iter().map(|v| v * 0.01 + 1000.0).collect(), &[5000, 3]);
    let one = tensor(vec![1.0; 3], &[3]);
    let moments = batch_norm(&x, &one, &one, 1e-5, false).unwrap().1;
    for channel in 0..3 {
        let of: Vec<f64> = flat(&x)
            .iter()
            .skip(channel)
            .step_by(3)
            .map(|v| f64::from(*v))
            .collect();
        let mean = of.iter().sum::<f64>() / 5000.0;
        let variance = of.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 5000.0;
        assert!((f64::from(moments.mean[channel]) - mean).abs() < 1e-4);
        assert!((f64::from(moments.variance[channel]) / variance - 1.0).abs() < 1e-4);
    }
}

/// Largest difference as a share of the largest value of `b`.
fn difference(a: &Tensor, b: &Tensor) -> f32 {
    let largest = |t: &Tensor| t.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    largest(&(a - b).unwrap()) / largest(b)
}

fn gradients(out: &Tensor, of: [&Var; 2]) -> [Tensor; 2] {
    let weights = tensor(normal(out.elem_count(), 99), out.dims());
    let found = (out * weights).unwrap().sum_all().unwrap().backward().unwrap();
    of.map(|variable| found.get(variable).unwrap().clone())
}

#[test]
fn conv2d_equals_candle_forward_and_backward() {
    for (channels_in, channels_out, stride) in [(5, 7, 1), (5, 7, 2), (16, 48, 1), (32, 16, 2)] {
        let x = variable(normal(2 * 8 * 8 * channels_in, 1), &[2, 8, 8, channels_in]);
        let w = variable(
            normal(9 * channels_in * channels_out, 2),
            &[3, 3, channels_in, channels_out],
        );
        let ours = conv2d(&x, &w, stride, 1).unwrap();
        let theirs = x
            .permute((0, 3, 1, 2))
            .unwrap()
            .contiguous()
            .unwrap()
            .conv2d(
                &w.permute((3, 2, 0, 1)).unwrap().contiguous().unwrap(),
                1,
                stride,
                1,
                1,
            )
            .unwrap()
            .permute((0, 2, 3, 1))
            .unwrap();
        assert!(difference(&ours, &theirs) < 1e-5);
        let (a, b) = (gradients(&ours, [&x, &w]), gradients(&theirs, [&x, &w]));
        assert!(difference(&a[0], &b[0]) < 1e-5 && difference(&a[1], &b[1]) < 1e-5);
    }
}

#[test]
fn inference_convolution_adds_bias_and_relu() {
    for (channels_in, channels_out) in [(3, 20), (16, 32)] {
        let x = tensor(normal(30 * channels_in, 1), &[1, 6, 5, channels_in]);
        let w = tensor(
            normal(9 * channels_in * channels_out, 2),
            &[3, 3, channels_in, channels_out],
        );
        let b = tensor(normal(channels_out, 3), &[channels_out]);
        let plain = conv2d(&x, &w, 1, 1).unwrap().broadcast_add(&b).unwrap();
        let fused = conv2d_bias(&x, &w, &b, (1, 1), Activation::Relu).unwrap();
        assert!(difference(&fused, &plain.relu().unwrap()) < 1e-5);
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let x = tensor(normal(50, 1), &[1, 5, 5, 2]);
    let w = tensor(normal(54, 2), &[3, 3, 2, 3]);
    let three = tensor(vec![1.0; 3], &[3]);
    let two = tensor(vec![1.0; 2], &[2]);
    assert!(conv2d(&x, &w, 0, 1).is_err());
    assert!(conv2d(&x.reshape((1, 5, 2, 5)).unwrap(), &w, 1, 1).is_err());
    assert!(conv2d_linear(&x, &w, &two, (1, 1)).is_err());
    let options = LayerOptions {
        stride: 1,
        padding: 1,
        epsilon: 1e-5,
        relu: true,
    };
    assert!(convolution_layer(&x, &w, &two, &two, options).is_err());
    assert!(convolution_layer(&x, &w, &three, &two, options).is_err());
}
