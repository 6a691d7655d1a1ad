//! Every operation gives the same values and gradients on a GPU as on the processor. Without a GPU the test says so and skips.
#![allow(missing_docs, clippy::unwrap_used)]

use candle_core::{Device, Result, Tensor, Var};
use kernels::{
    Activation, LayerOptions, Philox, SegmentationTargets, batch_norm, channel_dropout, concatenate, conv2d,
    conv2d_bias, conv2d_linear, convolution_layer, global_mean, max_pool2, relu, segmentation_loss,
    upsample_bilinear2, upsample_nearest2,
};

/// Largest difference, over the largest magnitude: both sides sum in f32 in their own order.
const TOLERANCE: f64 = 1e-4;

/// The first GPU. With PHENOSURE_CUDA=required its absence is a failure, so that a check on a GPU machine cannot skip itself.
fn gpu() -> Option<Device> {
    match Device::new_cuda(0) {
        Ok(device) => Some(device),
        Err(error) => {
            let required = std::env::var("PHENOSURE_CUDA").is_ok_and(|value| value == "required");
            assert!(!required, "a CUDA device is required: {error}");
            eprintln!("skipped: no CUDA device ({error})");
            None
        }
    }
}

fn random(shape: &[usize], stream: u32, device: &Device) -> Tensor {
    let mut random = Philox::new(23, [stream, 0, 0]);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.normal()).collect();
    Tensor::from_vec(values, shape, device).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_close(name: &str, cpu: &[f32], gpu: &[f32]) {
    assert_eq!(cpu.len(), gpu.len(), "{name}");
    let scale = cpu.iter().fold(0.0f64, |most, v| most.max(f64::from(v.abs())));
    let pairs = cpu.iter().zip(gpu);
    let worst = pairs.fold(0.0f64, |most, (a, b)| most.max(f64::from((a - b).abs())));
    assert!(
        worst <= TOLERANCE * scale.max(1e-6),
        "{name}: {worst:e} of {scale:e}"
    );
}

type Operation<'a> = &'a dyn Fn(&[Tensor]) -> Result<Tensor>;

/// The operation's values, then the gradient of a fixed random projection of them by each input.
fn outcome(
    shapes: &[&[usize]],
    operation: Operation,
    differentiable: bool,
    device: &Device,
) -> Vec<Vec<f32>> {
    let inputs: Vec<Var> = shapes
        .iter()
        .enumerate()
        .map(|(index, shape)| Var::from_tensor(&random(shape, index as u32, device)).unwrap())
        .collect();
    let tensors: Vec<Tensor> = inputs.iter().map(|input| input.as_tensor().clone()).collect();
    let out = operation(&tensors).unwrap();
    let mut all = vec![values(&out)];
    if differentiable {
        let projected = (&out * random(out.dims(), 99, device))
            .unwrap()
            .sum_all()
            .unwrap();
        let gradients = projected.backward().unwrap();
        all.extend(inputs.iter().map(|input| values(gradients.get(input).unwrap())));
    }
    all
}

fn compare(name: &str, shapes: &[&[usize]], differentiable: bool, operation: Operation) {
    let Some(gpu) = gpu() else { return };
    let on_cpu = outcome(shapes, operation, differentiable, &Device::Cpu);
    let on_gpu = outcome(shapes, operation, differentiable, &gpu);
    for (index, (cpu, gpu)) in on_cpu.iter().zip(&on_gpu).enumerate() {
        let part = if index == 0 {
            "values".to_owned()
        } else {
            format!("gradient of input {}", index - 1)
        };
        assert_close(&format!("{name}, {part}"), cpu, gpu);
    }
}

#[test]
fn convolutions() {
    // Sides that leave different rests at stride 2 are among them.
    for (stride, kernel, rows, columns) in [
        (1, 3, 12, 12),
        (2, 3, 12, 12),
        (2, 3, 8, 9),
        (1, 1, 9, 7),
        (2, 1, 10, 9),
    ] {
        let name = format!("conv2d stride {stride}, kernel {kernel}, {rows} x {columns}");
        let shapes: [&[usize]; 2] = [&[2, rows, columns, 16], &[kernel, kernel, 16, 32]];
        compare(&name, &shapes, true, &|x| {
            conv2d(&x[0], &x[1], stride, kernel / 2)
        });
    }
}

#[test]
fn convolutions_with_bias_and_activation() {
    let shapes: [&[usize]; 3] = [&[2, 8, 8, 16], &[3, 3, 16, 16], &[16]];
    compare("conv2d_bias", &shapes, false, &|x| {
        conv2d_bias(&x[0], &x[1], &x[2], (1, 1), Activation::Relu)
    });
}

#[test]
fn layers() {
    let shapes: [&[usize]; 3] = [&[2, 8, 8, 16], &[1, 1, 16, 8], &[8]];
    compare("conv2d_linear", &shapes, true, &|x| {
        conv2d_linear(&x[0], &x[1], &x[2], (1, 0))
    });
    let shapes: [&[usize]; 4] = [&[2, 8, 8, 16], &[3, 3, 16, 16], &[16], &[16]];
    for (stride, relu) in [(1, true), (2, false)] {
        let options = LayerOptions {
            stride,
            padding: 1,
            epsilon: 1e-5,
            relu,
        };
        compare(&format!("convolution_layer {options:?}"), &shapes, true, &|x| {
            Ok(convolution_layer(&x[0], &x[1], &x[2], &x[3], options)?.0)
        });
    }
}

#[test]
fn normalisation() {
    for relu in [false, true] {
        let shapes: [&[usize]; 3] = [&[3, 6, 6, 16], &[16], &[16]];
        compare(&format!("batch_norm, relu {relu}"), &shapes, true, &|x| {
            Ok(batch_norm(&x[0], &x[1], &x[2], 1e-5, relu)?.0)
        });
    }
}

#[test]
fn maps() {
    let one: [&[usize]; 1] = [&[2, 6, 8, 16]];
    let two: [&[usize]; 2] = [&[2, 6, 8, 16], &[2, 6, 8, 32]];
    compare("max_pool2", &one, true, &|x| max_pool2(&x[0]));
    compare("relu", &one, true, &|x| relu(&x[0]));
    compare("global_mean", &one, true, &|x| global_mean(&x[0]));
    compare("concatenate", &two, true, &|x| concatenate(&x[0], &x[1]));
    compare("channel_dropout", &one, true, &|x| {
        channel_dropout(&x[0], 0.3, Philox::new(5, [1, 2, 3]))
    });
}

#[test]
fn upsampling() {
    let shapes: [&[usize]; 1] = [&[2, 5, 7, 16]];
    compare("upsample_nearest2", &shapes, true, &|x| upsample_nearest2(&x[0]));
    compare("upsample_bilinear2", &shapes, true, &|x| {
        upsample_bilinear2(&x[0])
    });
    // An input with two users: candle's own operation loses one of the gradients.
    compare("upsample_nearest2 beside another user", &shapes, true, &|x| {
        upsample_nearest2(&x[0])? + upsample_nearest2(&x[0].affine(10.0, 0.0)?)?
    });
}

#[test]
fn losses() {
    let mut random = Philox::new(7, [0, 0, 0]);
    let targets = SegmentationTargets {
        values: (0..2 * 6 * 6 * 16).map(|_| random.uniform()).collect(),
    };
    let shapes: [&[usize]; 1] = [&[2, 6, 6, 16]];
    compare("segmentation_loss", &shapes, true, &|x| {
        segmentation_loss(&x[0], &targets)
    });
}
