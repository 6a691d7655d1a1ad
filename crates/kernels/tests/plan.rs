//! Plans against the plain f64 evaluation of the same graphs.
#![allow(clippy::unwrap_used)]

mod networks;

use kernels::{Graph, Isa, Plan};
use networks::Values;

type Maps = Vec<(usize, usize, Vec<f32>)>;

fn isas() -> Vec<Isa> {
    let all = [Isa::Avx512, Isa::Avx2, Isa::Portable];
    all.into_iter().filter(|isa| isa.available()).collect()
}

fn run(
    plan: &Plan,
    images: &[f32],
    batch: usize,
    (rows, columns): (usize, usize),
    draws: &[Vec<Vec<f32>>],
) -> Maps {
    let mut workspace = plan.workspace(batch, rows, columns);
    let mut first: Maps = Vec::new();
    plan.run(&mut workspace, images, draws, &mut |draw, output, values| {
        first.push((draw, output, values.to_vec()));
    });
    // Again in the same workspace: nothing may be left over.
    let mut again: Maps = Vec::new();
    plan.run(&mut workspace, images, draws, &mut |draw, output, values| {
        again.push((draw, output, values.to_vec()));
    });
    assert!(first == again, "a second run in the same workspace differs");
    first
}

fn threads(count: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(count)
        .build()
        .unwrap()
}

/// Largest error of all outputs of all images, relative to each output's largest value.
fn check(
    graph: &Graph,
    channels: usize,
    batch: usize,
    size: (usize, usize),
    draws: &[Vec<Vec<f32>>],
    bound: f64,
) {
    let image = channels * size.0 * size.1;
    let images = Values(9).take(batch * image);
    let slots = graph.mask_channels();
    let identity: Vec<Vec<f32>> = slots.iter().map(|&count| vec![1.0; count]).collect();
    let masks: Vec<Vec<Vec<f32>>> = if draws.is_empty() {
        vec![identity]
    } else {
        draws.to_vec()
    };
    let truth: Vec<Vec<Vec<Vec<f64>>>> = masks
        .iter()
        .map(|masks| {
            images
                .chunks(image)
                .map(|image| graph.evaluate_f64(image, size, masks))
                .collect()
        })
        .collect();
    for isa in isas() {
        for direct in [false, true] {
            let plan = if direct {
                Plan::compile_direct(graph, isa)
            } else {
                Plan::compile(graph, isa)
            };
            let maps = threads(1).install(|| run(&plan, &images, batch, size, draws));
            let parallel = threads(3).install(|| run(&plan, &images, batch, size, draws));
            assert!(maps == parallel, "threads change the result");
            for output in 0..graph.outputs().len() {
                assert!(maps.iter().any(|(draw, which, _)| (*draw, *which) == (0, output)));
            }
            for (draw, output, values) in &maps {
                let expected: Vec<f64> = truth[*draw]
                    .iter()
                    .flat_map(|outputs| outputs[*output].clone())
                    .collect();
                assert_eq!(values.len(), expected.len());
                let scale = expected.iter().fold(1e-30f64, |m, v| m.max(v.abs()));
                let error = values.iter().zip(&expected).fold(0.0f64, |m, (&v, e)| {
                    if v.is_finite() {
                        m.max((f64::from(v) - e).abs())
                    } else {
                        f64::INFINITY
                    }
                });
                assert!(
                    error <= bound * scale,
                    "{isa:?} direct {direct} draw {draw} output {output}: error {error:.2e} of {scale:.2e}"
                );
            }
            if batch > 1 {
                for (index, one) in images.chunks(image).enumerate() {
                    for ((draw, output, alone), (_, _, together)) in
                        run(&plan, one, 1, size, draws).iter().zip(&maps)
                    {
                        let part = &together[index * alone.len()..][..alone.len()];
                        assert!(
                            alone == part,
                            "image {index} depends on its batch: draw {draw} output {output}"
                        );
                    }
                }
            }
        }
    }
}

/// Factors 0 or 1 / (1 - rate), or any, for each slot.
fn draws(graph: &Graph, count: usize, general: bool) -> Vec<Vec<Vec<f32>>> {
    let mut values = Values(77);
    let mut factor = || {
        let v = values.next();
        if general {
            v
        } else if v < -0.6 {
            0.0
        } else {
            1.25
        }
    };
    (0..count)
        .map(|_| {
            graph
                .mask_channels()
                .iter()
                .map(|&n| (0..n).map(|_| factor()).collect())
                .collect()
        })
        .collect()
}

#[test]
fn unet_with_concatenated_skips() {
    check(&networks::unet(16), 3, 2, (40, 24), &[], 2e-5);
    check(&networks::unet(10), 3, 1, (16, 72), &[], 2e-5);
}

#[test]
fn residual_network() {
    let graph = networks::resnet(3, 16, false, 1, 10);
    check(&graph, 3, 3, (20, 28), &[], 1e-5);
    let graph = networks::resnet(1, 16, true, 1, 5);
    check(&graph, 1, 5, (48, 48), &draws(&graph, 3, false), 1e-5);
    check(&graph, 1, 2, (33, 17), &draws(&graph, 2, true), 1e-5);
}

#[test]
fn segmentation_network() {
    let graph = networks::segmentation();
    check(&graph, 1, 2, (48, 80), &[], 1e-5);
    check(&graph, 1, 1, (64, 32), &draws(&graph, 3, false), 1e-5);
    check(&graph, 1, 2, (16, 32), &draws(&graph, 2, true), 1e-5);
}

#[test]
fn layers_that_no_pattern_fits() {
    let graph = networks::odd();
    check(&graph, 3, 2, (12, 24), &[], 2e-5);
    check(&graph, 3, 1, (36, 12), &draws(&graph, 2, true), 2e-5);
}

#[test]
fn odd_sizes_and_channels() {
    for (channels, wide, size) in [
        (1, 1, (1, 1)),
        (2, 17, (5, 3)),
        (7, 48, (13, 6)),
        (48, 33, (7, 14)),
        (160, 7, (9, 9)),
    ] {
        let mut n = networks::Network::new(5);
        let x = n.input(channels);
        let a = n.conv(x, wide, 3, 1, true);
        let b = n.conv(a, 5, 3, 2, false);
        let c = n.conv(a, channels, 1, 1, false);
        let d = n.conv(c, wide, 3, 1, false);
        for node in [a, b, c, d] {
            n.graph.output(node);
        }
        check(&n.graph, channels, 2, size, &[], 1e-5);
    }
}

#[test]
fn one_workspace_serves_plans_of_equal_structure() {
    let (one, other) = (networks::unet(16), networks::unet(16));
    let (one, other) = (
        Plan::compile(&one, Isa::detect()),
        Plan::compile(&other, Isa::detect()),
    );
    let image = Values(3).take(3 * 16 * 16);
    let mut workspace = one.workspace(1, 16, 16);
    assert_eq!(one.working_set(1, 16, 16), workspace.bytes());
    let mut sums = Vec::new();
    for plan in [&one, &other] {
        plan.run(&mut workspace, &image, &[], &mut |_, _, values| {
            sums.push(values.to_vec())
        });
    }
    assert_eq!(sums[0], sums[1]);
}

/// Draws are computed together where they can be; each must come out as if it were alone.
#[test]
fn a_draw_does_not_depend_on_the_draws_beside_it() {
    let graph = networks::segmentation();
    let size = (32, 48);
    let image = Values(9).take(size.0 * size.1);
    let mut all = draws(&graph, 5, false);
    all.extend(draws(&graph, 1, true));
    all.extend(draws(&graph, 2, false));
    all.push(vec![vec![0.0; 16]]);
    for isa in isas() {
        let plan = Plan::compile(&graph, isa);
        let together = run(&plan, &image, 1, size, &all);
        assert_eq!(together.len(), all.len());
        for (index, draw) in all.iter().enumerate() {
            let alone = run(&plan, &image, 1, size, std::slice::from_ref(draw));
            assert_eq!(together[index].0, index);
            assert!(alone[0].2 == together[index].2, "{isa:?}: draw {index}");
        }
        assert!(together[0].2 != together[1].2, "masks do something");
    }
}

/// Cut at a multiple of 64 pixels, an image gives the same bytes where the cut is out of sight.
#[test]
fn tiles_have_no_seam() {
    let graph = networks::unet(16);
    let (rows, columns, cut) = (64, 320, 64);
    let image = Values(8).take(3 * rows * columns);
    let tile: Vec<f32> = image
        .chunks(columns)
        .flat_map(|row| row[cut..].to_vec())
        .collect();
    for isa in isas() {
        let plan = Plan::compile(&graph, isa);
        let whole = run(&plan, &image, 1, (rows, columns), &[]);
        let part = run(&plan, &tile, 1, (rows, columns - cut), &[]);
        let rows = whole[0].2.chunks(columns).zip(part[0].2.chunks(columns - cut));
        let mut equal = 0;
        for (whole, part) in rows {
            assert!(whole[192..] == part[128..], "{isa:?}: a seam");
            equal += usize::from(whole[64..] == *part);
        }
        assert!(equal == 0, "near the cut the tile sees zeros");
    }
}
