//! Pooling, upsampling and the small layers against their definitions in f64, and the loss and the optimiser.
#![allow(missing_docs, clippy::unwrap_used)]

mod plain;

use kernels::{
    AdamwStep, Philox, SegmentationTargets, adamw_step, channel_dropout, concatenate, global_mean, max_pool2,
    relu, segmentation_loss, segmentation_loss_reference, upsample_bilinear2, upsample_nearest2,
};
use plain::{Shape, check, flat, normal, random_input, tensor, variable};

/// Odd and even sides, one pixel, and channel counts around a vector.
const SHAPES: [Shape; 5] = [
    Shape(2, 5, 7, 3),
    Shape(1, 4, 6, 16),
    Shape(1, 3, 2, 17),
    Shape(2, 2, 9, 33),
    Shape(1, 1, 1, 5),
];

fn dims(shape: Shape) -> [usize; 4] {
    [shape.0, shape.1, shape.2, shape.3]
}

#[test]
fn max_pool_by_finite_differences() {
    for shape in SHAPES.into_iter().filter(|shape| shape.1 > 1) {
        check(
            "max pool",
            &[random_input(&dims(shape), 1)],
            |v| max_pool2(&v[0]).unwrap(),
            |v| plain::max_pool(&v[0], shape),
        );
    }
}

#[test]
fn upsampling_by_finite_differences() {
    for shape in SHAPES {
        let input = [random_input(&dims(shape), 1)];
        check(
            "nearest",
            &input,
            |v| upsample_nearest2(&v[0]).unwrap(),
            |v| plain::nearest(&v[0], shape),
        );
        check(
            "bilinear",
            &input,
            |v| upsample_bilinear2(&v[0]).unwrap(),
            |v| plain::bilinear(&v[0], shape),
        );
    }
}

#[test]
fn concatenation_by_finite_differences() {
    let inputs = [random_input(&[2, 3, 1, 5], 1), random_input(&[2, 3, 1, 18], 2)];
    check(
        "concatenate",
        &inputs,
        |v| concatenate(&v[0], &v[1]).unwrap(),
        |v| {
            let pixels = v[0].chunks_exact(5).zip(v[1].chunks_exact(18));
            pixels.flat_map(|(a, b)| a.iter().chain(b).copied()).collect()
        },
    );
    let (a, b) = (
        variable(normal(6, 1), &[1, 2, 3]),
        variable(normal(6, 1), &[2, 1, 3]),
    );
    assert!(concatenate(&a, &b).is_err());
}

#[test]
fn relu_and_mean_by_finite_differences() {
    for shape in SHAPES {
        let input = [random_input(&dims(shape), 1)];
        check(
            "relu",
            &input,
            |v| relu(&v[0]).unwrap(),
            |v| v[0].iter().map(|value| value.max(0.0)).collect(),
        );
        check(
            "mean",
            &input,
            |v| global_mean(&v[0]).unwrap(),
            |v| {
                let mut out = vec![0.0; shape.0 * shape.3];
                shape.each(|n, y, x, c| {
                    out[n * shape.3 + c] += v[0][shape.at(n, y, x, c)] / (shape.1 * shape.2) as f64;
                });
                out
            },
        );
    }
}

#[test]
fn dropout_by_finite_differences() {
    let random = Philox::new(3, [1, 2, 3]);
    let mut draws = random.clone();
    let factors: Vec<f64> = (0..2 * 5)
        .map(|_| if draws.uniform() < 0.4 { 0.0 } else { 1.0 / 0.6 })
        .collect();
    assert!(factors.contains(&0.0));
    let shape = Shape(2, 3, 2, 5);
    check(
        "dropout",
        &[random_input(&dims(shape), 1)],
        |v| channel_dropout(&v[0], 0.4, random.clone()).unwrap(),
        |v| {
            let mut out = v[0].clone();
            shape.each(|n, y, x, c| out[shape.at(n, y, x, c)] *= factors[n * 5 + c]);
            out
        },
    );
}

/// The mask of a sample depends on its place and the stream, not on the map's size or how many samples follow.
#[test]
fn masks_do_not_depend_on_layout_or_batch() {
    let random = Philox::new(3, [1, 2, 3]);
    let mask = |samples: usize, rows: usize, columns: usize| -> Vec<f32> {
        let ones = tensor(
            vec![1.0; samples * rows * columns * 7],
            &[samples, rows, columns, 7],
        );
        let out = channel_dropout(&ones, 0.5, random.clone()).unwrap();
        flat(
            &out.narrow(0, 0, 2)
                .unwrap()
                .narrow(1, 0, 1)
                .unwrap()
                .narrow(2, 0, 1)
                .unwrap(),
        )
    };
    assert_eq!(mask(2, 1, 1), mask(5, 3, 4));
    let pooled = channel_dropout(&tensor(vec![1.0; 14], &[2, 7]), 0.5, random.clone()).unwrap();
    assert_eq!(mask(2, 1, 1), flat(&pooled));
    assert!(channel_dropout(&tensor(vec![1.0; 14], &[2, 7]), 1.0, random).is_err());
}

#[test]
fn segmentation_loss_by_finite_differences_and_composition() {
    let input = random_input(&[2, 3, 3, 16], 1);
    let logits = variable(input.1.clone(), &input.0);
    let mut stream = Philox::new(5, [0; 3]);
    let values = (0..2 * 3 * 3 * 16)
        .map(|i| {
            if i % 4 == 3 {
                stream.uniform()
            } else {
                f32::from(stream.uniform() > 0.6)
            }
        })
        .collect();
    let targets = SegmentationTargets { values };
    check(
        "segmentation loss",
        &[input],
        |v| segmentation_loss(&v[0], &targets).unwrap(),
        |v| plain::segmentation_loss(&v[0], &targets.values),
    );
    let ours = segmentation_loss(&logits, &targets).unwrap();
    let reference = segmentation_loss_reference(&logits, &targets).unwrap();
    let value = |loss: &candle_core::Tensor| loss.to_scalar::<f32>().unwrap();
    assert!((value(&ours) - value(&reference)).abs() < 1e-5);
    let gradient = |loss: &candle_core::Tensor| flat(loss.backward().unwrap().get(&logits).unwrap());
    for (a, b) in gradient(&ours).iter().zip(gradient(&reference)) {
        assert!((a - b).abs() < 1e-6);
    }
}

/// Five steps against the published recursion in f64.
#[test]
fn adamw_follows_its_definition() {
    let (rate, decay) = (0.01f64, 0.1f64);
    let start = normal(37, 1);
    let weights = variable(start.clone(), &[37]);
    let (mut first, mut second) = (vec![0.0f32; 37], vec![0.0f32; 37]);
    let mut truth: Vec<[f64; 3]> = start.iter().map(|v| [f64::from(*v), 0.0, 0.0]).collect();
    for step in 1..=5 {
        let gradient = normal(37, 10 + step);
        let (c1, c2) = (1.0 - 0.9f64.powi(step as i32), 1.0 - 0.999f64.powi(step as i32));
        let numbers = AdamwStep {
            beta_1: 0.9,
            beta_2: 0.999,
            rate: (rate / c1) as f32,
            root: c2.sqrt() as f32,
            epsilon: 1e-8,
            shrink: (1.0 - rate * decay) as f32,
        };
        let moments = (&mut first[..], &mut second[..]);
        adamw_step(&weights, &tensor(gradient.clone(), &[37]), moments, numbers).unwrap();
        for ([value, m, v], g) in truth.iter_mut().zip(gradient) {
            let g = f64::from(g);
            *m = 0.9 * *m + 0.1 * g;
            *v = 0.999 * *v + 0.001 * g * g;
            *value -= rate * (decay * *value + *m / c1 / ((*v / c2).sqrt() + 1e-8));
        }
    }
    for (value, [truth, ..]) in flat(weights.as_tensor()).iter().zip(&truth) {
        assert!((f64::from(*value) - truth).abs() < 1e-5);
    }
}
