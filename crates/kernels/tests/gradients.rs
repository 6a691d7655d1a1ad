//! The gradient of every operation, against finite differences and against candle where candle is right.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Result, Tensor, Var};
use kernels::{
    Activation, Philox, SegmentationTargets, batch_norm, conv2d, conv2d_bias, segmentation_loss,
    segmentation_loss_reference, upsample_nearest2,
};

fn random(shape: &[usize], stream: u32) -> Tensor {
    let mut random = Philox::new(11, [stream, 0, 0]);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.normal()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// A scalar whose gradient by `out` is a fixed random tensor.
fn project(out: &Tensor) -> Tensor {
    (out * random(out.dims(), 99)).unwrap().sum_all().unwrap()
}

fn value(loss: &Tensor) -> f64 {
    f64::from(loss.to_scalar::<f32>().unwrap())
}

/// Compares the gradient along a random direction with a central difference.
fn check(variables: &[Var], tolerance: f64, loss: impl Fn() -> Result<Tensor>) {
    let gradients = loss().unwrap().backward().unwrap();
    for (index, variable) in variables.iter().enumerate() {
        let direction = random(variable.dims(), 50 + index as u32);
        let start = variable.as_tensor().copy().unwrap();
        let step = 1e-2;
        let at = |scale: f64| {
            variable
                .set(&(&start + direction.affine(scale, 0.0).unwrap()).unwrap())
                .unwrap();
            value(&loss().unwrap())
        };
        // Richardson: the cubic term of the central difference cancels.
        let near = (at(step) - at(-step)) / (2.0 * step);
        let far = (at(2.0 * step) - at(-2.0 * step)) / (4.0 * step);
        let numeric = (4.0 * near - far) / 3.0;
        variable.set(&start).unwrap();
        let gradient = gradients
            .get(variable.as_tensor())
            .expect("every variable has a gradient");
        let analytic = value(&(gradient * direction).unwrap().sum_all().unwrap());
        let scale = numeric.abs().max(analytic.abs()).max(1.0);
        assert!(
            (numeric - analytic).abs() < tolerance * scale,
            "variable {index}: {numeric} against {analytic}"
        );
    }
}

#[test]
fn conv2d_by_finite_differences() {
    for (stride, padding, kernel, size) in [
        (1, 1, 3, 6),
        (2, 1, 3, 8),
        (2, 1, 3, 7),
        (1, 0, 1, 5),
        (2, 0, 1, 6),
    ] {
        let x = Var::from_tensor(&random(&[2, size, size, 16], 1)).unwrap();
        let w = Var::from_tensor(&random(&[kernel, kernel, 16, 32], 2)).unwrap();
        check(&[x.clone(), w.clone()], 2e-3, || {
            Ok(project(&conv2d(&x, &w, stride, padding)?))
        });
    }
}

#[test]
fn conv2d_equals_candle_forward_and_backward() {
    let x = Var::from_tensor(&random(&[2, 8, 8, 5], 1)).unwrap();
    let w = Var::from_tensor(&random(&[3, 3, 5, 7], 2)).unwrap();
    for stride in [1, 2] {
        let ours = conv2d(&x, &w, stride, 1).unwrap();
        let candle_x = x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
        let candle_w = w.permute((3, 2, 0, 1)).unwrap().contiguous().unwrap();
        let theirs = candle_x
            .conv2d(&candle_w, 1, stride, 1, 1)
            .unwrap()
            .permute((0, 2, 3, 1))
            .unwrap();
        let largest = |a: &Tensor, b: &Tensor| value(&(a - b).unwrap().abs().unwrap().max_all().unwrap());
        assert!(largest(&ours, &theirs) < 1e-4);
        let (g1, g2) = (
            project(&ours).backward().unwrap(),
            project(&theirs).backward().unwrap(),
        );
        assert!(largest(g1.get(&x).unwrap(), g2.get(&x).unwrap()) < 1e-4);
        assert!(largest(g1.get(&w).unwrap(), g2.get(&w).unwrap()) < 1e-3);
    }
}

#[test]
fn inference_convolution_adds_bias_and_relu() {
    let (x, w, b) = (
        random(&[1, 6, 5, 3], 1),
        random(&[3, 3, 3, 20], 2),
        random(&[20], 3),
    );
    let plain = conv2d(&x, &w, 1, 1)
        .unwrap()
        .broadcast_add(&b)
        .unwrap()
        .relu()
        .unwrap();
    let fused = conv2d_bias(&x, &w, &b, (1, 1), Activation::Relu).unwrap();
    assert!(value(&(plain - fused).unwrap().abs().unwrap().max_all().unwrap()) < 1e-5);
}

#[test]
fn batch_norm_by_finite_differences() {
    for (channels, relu) in [(16, false), (19, false), (16, true)] {
        let x = Var::from_tensor(&random(&[3, 4, 5, channels], 1)).unwrap();
        let gamma = Var::from_tensor(&random(&[channels], 2)).unwrap();
        let beta = Var::from_tensor(&random(&[channels], 3)).unwrap();
        // A corner of the ReLU that lies between the two points of the difference costs some accuracy.
        let tolerance = if relu { 5e-2 } else { 2e-3 };
        check(&[x.clone(), gamma.clone(), beta.clone()], tolerance, || {
            Ok(project(&batch_norm(&x, &gamma, &beta, 1e-5, relu)?.0))
        });
    }
}

#[test]
fn relu_after_batch_norm_equals_candle() {
    let x = Var::from_tensor(&random(&[3, 4, 5, 16], 1)).unwrap();
    let gamma = Var::from_tensor(&random(&[16], 2)).unwrap();
    let beta = Var::from_tensor(&random(&[16], 3)).unwrap();
    let fused = project(&batch_norm(&x, &gamma, &beta, 1e-5, true).unwrap().0)
        .backward()
        .unwrap();
    let apart = batch_norm(&x, &gamma, &beta, 1e-5, false)
        .unwrap()
        .0
        .relu()
        .unwrap();
    let apart = project(&apart).backward().unwrap();
    for variable in [&x, &gamma, &beta] {
        let difference = (fused.get(variable).unwrap() - apart.get(variable).unwrap()).unwrap();
        assert!(value(&difference.abs().unwrap().max_all().unwrap()) < 1e-4);
    }
}

#[test]
fn batch_norm_refuses_a_single_value_a_channel() {
    let (x, one) = (
        random(&[1, 1, 1, 16], 1),
        Tensor::ones(16, candle_core::DType::F32, &Device::Cpu).unwrap(),
    );
    assert!(batch_norm(&x, &one, &one, 1e-5, false).is_err());
}

#[test]
fn upsample_by_finite_differences_with_a_second_user() {
    let x = Var::from_tensor(&random(&[2, 3, 4, 5], 1)).unwrap();
    check(std::slice::from_ref(&x), 2e-3, || {
        project(&upsample_nearest2(&x)?) + project(&x.affine(10.0, 0.0)?)
    });
}

#[test]
fn segmentation_loss_by_finite_differences_and_reference() {
    let logits = Var::from_tensor(&random(&[2, 3, 3, 16], 1)).unwrap();
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
    check(std::slice::from_ref(&logits), 2e-3, || {
        segmentation_loss(&logits, &targets)
    });
    let ours = segmentation_loss(&logits, &targets).unwrap();
    let reference = segmentation_loss_reference(&logits, &targets).unwrap();
    assert!((value(&ours) - value(&reference)).abs() < 1e-5);
    let (g1, g2) = (ours.backward().unwrap(), reference.backward().unwrap());
    let difference = (g1.get(&logits).unwrap() - g2.get(&logits).unwrap()).unwrap();
    assert!(value(&difference.abs().unwrap().max_all().unwrap()) < 1e-6);
}
