//! Every way to compute a network gives the same numbers.

use std::path::Path;

use candle_core::{Device, Tensor};
use kernels::{Isa, Plan};

use super::{BenchNetwork, Definition, images};
use crate::bundle::Bundle;
use crate::ensemble::Architecture;
use crate::network::{Draw, InferencePass};

fn shipped(name: &str) -> BenchNetwork {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../engine/bundles")
        .join(name);
    BenchNetwork::from_bundle(&Bundle::load(&folder).unwrap())
}

/// The networks with the smallest side that exercises all their layers.
fn networks() -> Vec<(BenchNetwork, usize)> {
    vec![
        (shipped("nuclei"), 48),
        (shipped("mitosis"), 48),
        (BenchNetwork::reference_unet().unwrap(), 24),
        (BenchNetwork::reference_resnet().unwrap(), 20),
    ]
}

/// (batch 1, rows, columns, channels) or (1, channels) to (channels, rows, columns).
fn planar(map: &Tensor) -> Vec<f32> {
    let map = if map.rank() == 4 {
        map.permute((0, 3, 1, 2)).unwrap()
    } else {
        map.clone()
    };
    map.flatten_all().unwrap().to_vec1().unwrap()
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |largest, value| largest.max(value.abs()))
}

#[test]
fn a_recorded_graph_computes_what_candle_computes() {
    for (network, size) in networks() {
        let weights = &network.members[0];
        let recorded = network.definition.graph(weights).unwrap();
        let image = images(network.input_channels(), size, 1).unwrap();
        let mut pass = InferencePass::new(weights, &Device::Cpu).unwrap();
        let draw = Draw {
            seed: network.seed,
            member: 0,
            draw: 3,
        };
        for draw in [None, Some(draw)] {
            pass.draw = draw;
            let candle = planar(&network.definition.logits(&mut pass, &image).unwrap());
            let exact = recorded
                .graph
                .evaluate_f64(&planar(&image), (size, size), &recorded.factors(draw));
            let scale = largest(exact[0].iter().copied());
            let error = largest(exact[0].iter().zip(&candle).map(|(e, c)| e - f64::from(*c)));
            assert_eq!(exact[0].len(), candle.len());
            assert!(
                error <= 1e-5 * scale,
                "{:?} {draw:?}: {error} of {scale}",
                network.definition
            );
        }
    }
}

/// The networks are those that other engines are timed with: 21.265 GFLOP for a 256 × 256 image, 18.17 for 64 crops.
#[test]
fn reference_networks_have_the_known_cost() {
    let unet = BenchNetwork::reference_unet().unwrap().inference(256, 1).unwrap();
    let resnet = BenchNetwork::reference_resnet()
        .unwrap()
        .inference(64, 64)
        .unwrap();
    let gflop = |multiply_adds: u64| 2.0 * multiply_adds as f64 / 1e9;
    assert!((gflop(unet.multiply_adds()) - 21.265).abs() < 5e-4);
    assert!((gflop(resnet.multiply_adds()) - 18.17).abs() < 5e-3);
}

/// The two maps of the plan are the sigmoids of the head's channels at their sub-pixels.
#[test]
fn probabilities_are_the_sigmoids_of_the_right_logits() {
    let network = shipped("nuclei");
    let Definition::Segmentation(segmentation) = &network.definition else {
        unreachable!("nuclei is a segmentation bundle")
    };
    let (weights, size) = (&network.members[1], 32);
    let image = planar(&images(1, size, 1).unwrap());
    let logits = network.definition.graph(weights).unwrap();
    let logits = logits
        .graph
        .evaluate_f64(&image, (size, size), &logits.factors(None));
    let maps = segmentation.record(weights).unwrap();
    let maps = maps.graph.evaluate_f64(&image, (size, size), &maps.factors(None));
    assert_eq!(maps[0].len(), 2 * size * size);
    for map in 0..2 {
        for row in 0..size {
            for column in 0..size {
                let channel = 4 * (2 * (row % 2) + column % 2) + map;
                let at = (channel * size / 2 + row / 2) * size / 2 + column / 2;
                let expected = 1.0 / (1.0 + (-logits[0][at]).exp());
                let found = maps[0][(map * size + row) * size + column];
                assert!((found - expected).abs() < 1e-12);
            }
        }
    }
}

/// Plans on trained weights against plain f64 loops, with and without dropout.
#[test]
fn a_plan_stays_near_the_exact_values() {
    for (network, size) in networks() {
        let recorded = network.definition.graph(&network.members[0]).unwrap();
        let image = planar(&images(network.input_channels(), size, 1).unwrap());
        let draw = Draw {
            seed: network.seed,
            member: 0,
            draw: 1,
        };
        let draws = [recorded.factors(None), recorded.factors(Some(draw))];
        let exact: Vec<Vec<f64>> = draws
            .iter()
            .map(|factors| {
                recorded
                    .graph
                    .evaluate_f64(&image, (size, size), factors)
                    .remove(0)
            })
            .collect();
        for compile in [Plan::compile, Plan::compile_direct] {
            let plan = compile(&recorded.graph, Isa::detect());
            let mut workspace = plan.workspace(1, size, size);
            let masked = recorded.graph.mask_channels().len();
            let mut seen = 0;
            plan.run(&mut workspace, &image, &draws, &mut |draw, _, values| {
                let exact = &exact[draw];
                assert_eq!(values.len(), exact.len());
                let scale = largest(exact.iter().copied());
                let error = largest(exact.iter().zip(values).map(|(e, v)| e - f64::from(*v)));
                eprintln!(
                    "{:?} draw {draw}: {:.1e} of the scale",
                    network.definition,
                    error / scale
                );
                assert!(
                    error <= 1e-5 * scale,
                    "{:?} draw {draw}: {error} of {scale}",
                    network.definition
                );
                seen += 1;
            });
            assert_eq!(seen, if masked > 0 { 2 } else { 1 });
        }
    }
}
