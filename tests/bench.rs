//! `bench`: one line that other programs can read, and clear words for what cannot be timed.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use serde_json::Value;
use support::run;

fn json(arguments: &[&str]) -> Value {
    let ended = run(arguments).with_code(0);
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    serde_json::from_str(&ended.stdout).unwrap()
}

/// Positive numbers, `n` of them.
fn assert_times(timing: &Value, key: &str, n: usize) {
    let times = timing[key].as_array().unwrap();
    assert_eq!(times.len(), n, "{key}");
    assert!(
        times.iter().all(|ms| ms.as_f64().unwrap() > 0.0),
        "{key}: {times:?}"
    );
}

#[test]
fn a_network_is_timed_call_by_call() {
    let timing = json(&[
        "bench", "unet", "--size", "32", "--batch", "2", "--iters", "3", "--json",
    ]);
    assert_times(&timing, "ms", 3);
    if cfg!(unix) {
        assert_times(&timing, "cpu_ms", 3);
    }
    assert_eq!((&timing["size"], &timing["batch"]), (&32.into(), &2.into()));
    // 21.265 GFLOP for 256 x 256: a 64th of it for 32 x 32, twice for two images.
    let gflop = 2.0 * timing["multiply_adds"].as_f64().unwrap() / 1e9;
    assert!((gflop - 21.265 / 32.0).abs() < 0.01, "{gflop}");
    assert!(
        timing["working_set_bytes"].as_u64().unwrap() > 0 && timing["peak_flops"].as_f64().unwrap() > 1e8
    );
    let real = &timing["real"];
    assert!(real["products"].as_u64().unwrap() > 0);
    assert!(real["share_of_peak"].as_f64().unwrap() >= real["products_share_of_peak"].as_f64().unwrap());
}

#[test]
fn an_ensemble_counts_every_draw() {
    let one = json(&["bench", "nuclei", "--size", "32", "--iters", "1", "--json"]);
    let many = json(&[
        "bench",
        "nuclei",
        "--size",
        "32",
        "--iters",
        "1",
        "--members",
        "2",
        "--draws",
        "3",
        "--json",
    ]);
    let multiply_adds = |timing: &Value| timing["multiply_adds"].as_u64().unwrap();
    assert_eq!(multiply_adds(&many), 6 * multiply_adds(&one));
    assert!(many["real"].is_null());
}

#[test]
fn steps_of_training_tell_their_losses() {
    let timing = json(&[
        "bench", "resnet", "--train", "--size", "16", "--batch", "4", "--iters", "2", "--json",
    ]);
    assert_times(&timing, "ms", 2);
    let losses: Vec<f64> = timing["losses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|loss| loss.as_f64().unwrap())
        .collect();
    // The warm-up steps learn as well.
    assert!(losses.len() > 2 && losses.last() < losses.first(), "{losses:?}");
}

#[test]
fn a_field_tells_what_plates_cost() {
    let timing = json(&[
        "bench",
        "--size",
        "160",
        "--iters",
        "1",
        "--members",
        "1",
        "--draws",
        "1",
        "--sites",
        "3",
        "--json",
    ]);
    assert_times(&timing, "ms", 1);
    assert!(timing["objects"].as_u64().unwrap() > 3, "{timing}");
    let seconds = timing["ms"][0].as_f64().unwrap() / 1e3;
    for (plate, wells) in timing["plates"].as_array().unwrap().iter().zip([96.0, 384.0]) {
        let expected = wells * 3.0 * seconds;
        assert!(
            (plate["seconds"].as_f64().unwrap() - expected).abs() < 1e-6 * expected,
            "{plate}"
        );
    }
    run(&["bench", "--size", "160", "--iters", "1", "--members", "1"])
        .with_code(0)
        .saying(&["nuclei (1 members", "384 wells", "4 sites each"]);
}

#[test]
fn what_cannot_be_timed_is_said() {
    for (arguments, code, words) in [
        (
            &["unet", "--size", "20"][..],
            2,
            &["--size", "20", "multiple of 8"][..],
        ),
        (&["nuclei", "--size", "100"], 2, &["--size", "multiple of 16"]),
        (&["unet", "--size", "0"], 2, &["--size", "1 or more"]),
        (&["unet", "--iters", "0"], 2, &["--iters", "1 or more"]),
        (&["unet", "--batch", "0"], 2, &["--batch", "1 or more"]),
        (&["unet", "--batch", "many"], 2, &["--batch", "many"]),
        (&["unet", "--size", "65536"], 2, &["--size", "65536", "memory"]),
        (
            &["unet", "--size", "18446744073709551615"],
            2,
            &["--size", "or less"],
        ),
        (
            &["resnet", "--train", "--batch", "65536"],
            2,
            &["memory", "--batch smaller"],
        ),
        (&["--size", "65536"], 2, &["--size", "65536", "memory"]),
        (
            &["nuclei", "--draws", "4294967295"],
            2,
            &["--draws", "1000 or less"],
        ),
        (&["unet", "--members", "2"], 2, &["--members", "has 1"]),
        (&["nuclei", "--members", "0"], 2, &["--members", "1 or more"]),
        (&["unet", "--draws", "2"], 2, &["--draws", "no dropout"]),
        (
            &["unet", "--isa", "sse9"],
            2,
            &["--isa", "avx512, avx2 or portable"],
        ),
        (&["unet", "--device", "cuda"], 2, &["--device", "processor"]),
        (&["--train"], 2, &["--train", "name a network"]),
        (&["--batch", "2"], 2, &["--batch", "one network"]),
        (
            &["unet", "--train", "--draws", "2"],
            2,
            &["--train", "one member"],
        ),
        (
            &["no-such-network"],
            4,
            &["no-such-network", "unet", "resnet", "nuclei"],
        ),
    ] {
        let arguments = [&["bench"][..], arguments].concat();
        let ended = run(&arguments).with_code(code).saying(words);
        assert!(ended.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn weights_images_and_outputs_are_written_for_other_engines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mitosis.safetensors").display().to_string();
    let call = ["bench", "mitosis", "--batch", "1", "--iters", "1", "--export"];
    run(&[&call[..], &[&file]].concat()).with_code(0);
    let bytes = std::fs::read(&file).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let listed: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    assert_eq!(listed["images"]["shape"], serde_json::json!([1, 1, 48, 48]));
    assert_eq!(listed["outputs"]["shape"], serde_json::json!([1, 12]));
    assert!(listed["weights/stem.weight"].is_object());
    let nowhere = folder
        .path()
        .join("none/at/all.safetensors")
        .display()
        .to_string();
    run(&[&call[..], &[&nowhere]].concat())
        .with_code(3)
        .saying(&["all.safetensors"]);
}
