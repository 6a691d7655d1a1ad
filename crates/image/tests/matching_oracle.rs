//! Object counts on real nuclei against the project's independent scorer (`score_segmentation.py`, numpy and scipy).
//!
//! The "prediction" is the truth moved by some pixels, with holes punched on a grid and objects cut by vertical stripes, so
//! that at low thresholds many objects compete for the same partner. The scorer's numbers were made by the same steps in Python:
//! `p[dr:, dc:] = t[:-dr, :-dc]; p[(r//16 + c//16) % 5 == 0] = 0; p[(p > 0) & ((c//24) % 2 == 1)] += 10000`.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use image::{Labels, ReadLimits, average_precision, match_one_to_one, read_labels};
use ndarray::Array2;

const THRESHOLDS: [f32; 8] = [0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9];

/// Image, shift (rows, columns), true objects, predicted objects, (TP, summed IoU) at each threshold.
type Row = (&'static str, (usize, usize), u64, u64, [(u64, f64); 8]);

#[rustfmt::skip]
const SCORER: [Row; 12] = [
    ("c53326fe", (1, 1), 101, 129, [(87, 47.452574609), (84, 46.976160468), (77, 45.199173887), (60, 37.936387433), (39, 26.480278254), (11, 8.180997145), (0, 0.000000000), (0, 0.000000000)]),
    ("c53326fe", (3, 2), 101, 134, [(78, 24.114171865), (61, 21.656931668), (45, 17.484465473), (2, 1.029411765), (0, 0.000000000), (0, 0.000000000), (0, 0.000000000), (0, 0.000000000)]),
    ("c53326fe", (6, 5), 101, 126, [(35, 7.229938612), (13, 4.479136784), (6, 2.652375761), (3, 1.631198835), (0, 0.000000000), (0, 0.000000000), (0, 0.000000000), (0, 0.000000000)]),
    ("0ea22171", (1, 1), 369, 660, [(369, 209.388337384), (357, 207.470923927), (334, 201.461698920), (225, 156.351307589), (171, 126.535164403), (117, 91.557213808), (43, 35.878097126), (0, 0.000000000)]),
    ("0ea22171", (3, 2), 369, 648, [(359, 159.295479739), (339, 156.142097544), (285, 142.521106796), (148, 87.286278564), (64, 41.536106632), (9, 6.506575352), (0, 0.000000000), (0, 0.000000000)]),
    ("0ea22171", (6, 5), 369, 622, [(326, 93.693525087), (248, 81.670401089), (146, 55.602869260), (8, 4.225431424), (0, 0.000000000), (0, 0.000000000), (0, 0.000000000), (0, 0.000000000)]),
    ("f952cc65", (1, 1), 151, 232, [(144, 76.358097762), (143, 76.166608400), (131, 73.034082063), (82, 52.610367903), (58, 39.528546235), (18, 13.200360912), (0, 0.000000000), (0, 0.000000000)]),
    ("f952cc65", (3, 2), 151, 232, [(137, 42.384392276), (111, 38.357227277), (68, 27.445995966), (10, 5.357029999), (1, 0.603448276), (0, 0.000000000), (0, 0.000000000), (0, 0.000000000)]),
    ("f952cc65", (6, 5), 151, 233, [(71, 14.280660084), (31, 8.300229494), (5, 1.913097376), (0, 0.000000000), (0, 0.000000000), (0, 0.000000000), (0, 0.000000000), (0, 0.000000000)]),
    ("0121d675", (1, 1), 86, 126, [(79, 41.676968260), (75, 41.048321449), (70, 39.845652412), (46, 29.747242772), (30, 21.031868410), (13, 10.084368641), (4, 3.303124773), (0, 0.000000000)]),
    ("0121d675", (3, 2), 86, 123, [(75, 26.386101112), (61, 24.213520574), (42, 19.389248402), (14, 8.218908548), (6, 3.893345575), (1, 0.707500000), (0, 0.000000000), (0, 0.000000000)]),
    ("0121d675", (6, 5), 86, 112, [(47, 11.468603381), (30, 9.193685439), (16, 5.826277520), (0, 0.000000000), (0, 0.000000000), (0, 0.000000000), (0, 0.000000000), (0, 0.000000000)]),
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures/segmentation")
        .join(format!("{name}.png"))
}

fn disturbed(truth: &Labels, (dr, dc): (usize, usize)) -> Labels {
    Labels::relabel(Array2::from_shape_fn(truth.shape(), |(r, c)| {
        if r < dr || c < dc || (r / 16 + c / 16) % 5 == 0 {
            return 0;
        }
        match truth.map[(r - dr, c - dc)] {
            0 => 0,
            label if (c / 24) % 2 == 1 => label + 10_000,
            label => label,
        }
    }))
}

#[test]
fn counts_equal_the_independent_scorer() {
    for (name, shift, n_truth, n_pred, expected) in SCORER {
        let truth = read_labels(&fixture(name), &ReadLimits::default()).unwrap();
        let pred = disturbed(&truth, shift);
        assert_eq!(
            (u64::from(truth.n), u64::from(pred.n)),
            (n_truth, n_pred),
            "{name} {shift:?}"
        );
        let counts = average_precision(&truth, &pred, &THRESHOLDS);
        for ((count, (tp, iou)), threshold) in counts.iter().zip(expected).zip(THRESHOLDS) {
            let here = format!("{name} {shift:?} at {threshold}");
            assert_eq!(
                (count.tp, count.fp, count.fn_),
                (tp, n_pred - tp, n_truth - tp),
                "{here}"
            );
            assert!(
                (count.iou_sum - iou).abs() < 1e-6,
                "{here}: {} against {iou}",
                count.iou_sum
            );
        }
    }
}

#[test]
fn matching_pairs_each_object_once() {
    let truth = read_labels(&fixture("f952cc65"), &ReadLimits::default()).unwrap();
    let pred = disturbed(&truth, (3, 2));
    let pairs = match_one_to_one(&truth, &pred, 0.1);
    let unique = |mut numbers: Vec<u32>| {
        let n = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.len() == n
    };
    assert_eq!(pairs.len(), 137);
    assert!(unique(pairs.iter().map(|p| p.0).collect()) && unique(pairs.iter().map(|p| p.1).collect()));
    assert!(pairs.iter().all(|p| p.2 >= 0.1));
}

#[test]
fn targets_and_decoding_give_the_truth_back() {
    // Perfect maps of 369 real nuclei, 313 pairs of which touch or nearly do: the decoder must find almost all again.
    let truth = read_labels(&fixture("0ea22171"), &ReadLimits::default()).unwrap();
    let targets = image::segmentation_targets(&truth);
    let map = |i| targets.index_axis(ndarray::Axis(0), i);
    let found = image::decode_touch(map(0), map(1), &image::DecodeParams::default());
    let count = average_precision(&truth, &found, &[0.5])[0];
    assert!(count.average_precision() > 0.9, "{count:?}");
}
