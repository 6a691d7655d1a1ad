//! A training step's operations give the same bits for any number of threads.
#![allow(missing_docs, clippy::unwrap_used)]

mod plain;

use kernels::{
    LayerOptions, conv2d_linear, convolution_layer, global_mean, max_pool2, upsample_bilinear2,
    upsample_nearest2,
};
use plain::{flat, normal, variable};

/// Output and gradients of a small network, as bits.
fn bits(channels: usize, stride: usize) -> Vec<u32> {
    let x = variable(normal(3 * 37 * 41 * channels, 1), &[3, 37, 41, channels]);
    let w = variable(normal(9 * channels * 32, 2), &[3, 3, channels, 32]);
    let gamma = variable(normal(32, 3), &[32]);
    let beta = variable(normal(32, 4), &[32]);
    let head = variable(normal(32 * 3, 5), &[1, 1, 32, 3]);
    let bias = variable(normal(3, 6), &[3]);
    let options = LayerOptions {
        stride,
        padding: 1,
        epsilon: 1e-5,
        relu: true,
    };
    let (map, moments) = convolution_layer(&x, &w, &gamma, &beta, options).unwrap();
    let up = upsample_bilinear2(&max_pool2(&map).unwrap()).unwrap();
    let logits = conv2d_linear(&upsample_nearest2(&up).unwrap(), &head, &bias, (1, 0)).unwrap();
    let loss = global_mean(&(&logits * &logits).unwrap())
        .unwrap()
        .sum_all()
        .unwrap();
    let gradients = loss.backward().unwrap();
    let mut values = moments.mean;
    values.extend(flat(&logits));
    for variable in [&x, &w, &gamma, &beta, &head, &bias] {
        values.extend(flat(gradients.get(variable).unwrap()));
    }
    values.into_iter().map(f32::to_bits).collect()
}

#[test]
fn threads_do_not_change_a_bit() {
    for (channels, stride) in [(16, 1), (48, 1), (16, 2), (3, 1)] {
        let of = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| bits(channels, stride))
        };
        let one = of(1);
        assert!(one.iter().any(|bits| *bits != 0));
        for threads in [2, 3, 7] {
            assert!(
                of(threads) == one,
                "{channels} channels, step {stride}, {threads} threads"
            );
        }
    }
}
