//! One test for each fault of candle 0.11.1 on the CPU that an operation of this crate replaces.
#![allow(missing_docs, clippy::unwrap_used)]

mod plain;

use candle_core::{Tensor, Var};
use kernels::{
    LayerOptions, batch_norm, conv2d, convolution_layer, global_mean, max_pool2, relu, upsample_bilinear2,
    upsample_nearest2,
};
use plain::{flat, normal, tensor, variable};

fn gradient(loss: &Tensor, of: &Var) -> Vec<f32> {
    flat(loss.sum_all().unwrap().backward().unwrap().get(of).unwrap())
}

/// candle scales the gradient by the number of maxima over four.
#[test]
fn a_unique_maximum_gets_the_whole_gradient() {
    let x = variable(vec![1.0, 2.0, 3.0, 4.0], &[1, 2, 2, 1]);
    assert_eq!(gradient(&max_pool2(&x).unwrap(), &x), [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn the_first_of_equal_maxima_gets_the_gradient() {
    let x = variable(vec![1.0, 7.0, 7.0, 7.0], &[1, 2, 2, 1]);
    assert_eq!(gradient(&max_pool2(&x).unwrap(), &x), [0.0, 1.0, 0.0, 0.0]);
    let zeros = variable(vec![0.0; 4], &[1, 2, 2, 1]);
    assert_eq!(
        gradient(&max_pool2(&zeros).unwrap(), &zeros),
        [1.0, 0.0, 0.0, 0.0]
    );
}

/// candle's mask is misaligned where a side is not divisible.
#[test]
fn an_odd_last_row_and_column_get_no_gradient() {
    let x = variable((0..25).map(|v| v as f32).collect(), &[1, 5, 5, 1]);
    let mut expected = [0.0; 25];
    for place in [6, 8, 16, 18] {
        expected[place] = 1.0;
    }
    assert_eq!(gradient(&max_pool2(&x).unwrap(), &x), expected);
}

/// candle overwrites what other users of the input had put into its gradient.
#[test]
fn upsampling_adds_to_the_gradient_of_other_users() {
    let x = variable(vec![3.0], &[1, 1, 1, 1]);
    for upsample in [upsample_nearest2, upsample_bilinear2] {
        let up = || upsample(&x).unwrap().sum_all().unwrap();
        let other = || x.affine(10.0, 0.0).unwrap().sum_all().unwrap();
        assert_eq!(gradient(&(up() + other()).unwrap(), &x), [14.0]);
        assert_eq!(gradient(&(other() + up()).unwrap(), &x), [14.0]);
    }
}

/// candle's backward pass of a step of 2 fails where height and width leave different rests.
#[test]
fn steps_on_maps_that_are_not_square_have_gradients() {
    for (rows, columns) in [(8, 9), (9, 8), (521, 12)] {
        let x = variable(normal(rows * columns * 2, 1), &[1, rows, columns, 2]);
        let w = variable(vec![1.0; 9 * 2], &[3, 3, 2, 1]);
        let by_x = gradient(&conv2d(&x, &w, 2, 1).unwrap(), &x);
        // With weights of 1, a pixel's gradient is the number of windows that hold it.
        let windows = |at: usize, size: usize| {
            (0..size.div_ceil(2))
                .filter(|out| (2 * out).abs_diff(at) <= 1)
                .count() as f32
        };
        for (index, value) in by_x.iter().enumerate() {
            let pixel = index / 2;
            let expected = windows(pixel / columns, rows) * windows(pixel % columns, columns);
            assert!((value - expected).abs() < 1e-6, "{rows} × {columns}, {pixel}");
        }
    }
}

/// candle's slope at 0 is 1: a black background would pass gradients.
#[test]
fn relu_is_closed_at_zero() {
    let x = variable(vec![-1.0, 0.0, -0.0, 2.0], &[4]);
    assert_eq!(gradient(&relu(&x).unwrap(), &x), [0.0, 0.0, 0.0, 1.0]);
}

/// candle sums f32 in one long run: the mean of 2^24 values 0.1 is 0.10041 there.
#[test]
fn long_sums_keep_their_digits() {
    let n = 1 << 21;
    let x = tensor(vec![0.1; n * 2], &[1, n / 64, 64, 2]);
    for mean in flat(&global_mean(&x).unwrap()) {
        assert!((mean - 0.1).abs() < 1e-7, "{mean}");
    }
    let one = tensor(vec![1.0; 2], &[2]);
    let moments = batch_norm(&x, &one, &one, 1e-5, false).unwrap().1;
    assert!(moments.mean.iter().all(|mean| (mean - 0.1).abs() < 1e-7));
    assert!(moments.variance.iter().all(|variance| *variance < 1e-12));
}

/// candle's running variance becomes NaN where a channel has one value.
#[test]
fn one_value_a_channel_is_an_error() {
    let x = tensor(normal(16, 1), &[1, 1, 1, 16]);
    let one = tensor(vec![1.0; 16], &[16]);
    assert!(batch_norm(&x, &one, &one, 1e-5, false).is_err());
    let w = tensor(normal(256, 2), &[1, 1, 16, 16]);
    let options = LayerOptions {
        stride: 1,
        padding: 0,
        epsilon: 1e-5,
        relu: true,
    };
    assert!(convolution_layer(&x, &w, &one, &one, options).is_err());
}

/// candle's relu makes a NaN 0 and its max_pool2d passes over it: a broken batch would look sound.
#[test]
fn a_nan_reaches_the_end() {
    let relu_of = flat(&relu(&tensor(vec![f32::NAN, -1.0], &[2])).unwrap());
    assert!(relu_of[0].is_nan() && relu_of[1] == 0.0);
    for place in 0..4 {
        let mut window = vec![1.0, -2.0, 3.0, 0.0];
        window[place] = f32::NAN;
        let out = flat(&max_pool2(&tensor(window, &[1, 2, 2, 1])).unwrap());
        assert!(out[0].is_nan(), "at {place}");
    }
    for (channels, place) in [(16, 5), (3, 1)] {
        let mut values = normal(5 * 6 * channels, 1);
        values[place] = f32::NAN;
        let x = tensor(values, &[1, 5, 6, channels]);
        let w = tensor(normal(9 * channels * 16, 2), &[3, 3, channels, 16]);
        let one = tensor(vec![1.0; 16], &[16]);
        let options = LayerOptions {
            stride: 1,
            padding: 1,
            epsilon: 1e-5,
            relu: true,
        };
        let out = convolution_layer(&x, &w, &one, &one, options).unwrap().0;
        assert!(flat(&out).iter().all(|value| value.is_nan()));
        assert!(
            flat(&global_mean(&out).unwrap())
                .iter()
                .all(|value| value.is_nan())
        );
    }
}
