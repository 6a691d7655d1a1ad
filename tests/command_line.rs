//! Help, completions, manual, and what goes where.

mod support;

use support::run;

const COMMANDS: [&str; 13] = [
    "demo",
    "screen",
    "gather",
    "inspect",
    "segment",
    "classify",
    "track",
    "train",
    "evaluate",
    "bench",
    "models",
    "completions",
    "man",
];

#[test]
fn every_command_explains_itself_with_an_example() {
    let top = run(&["--help"]).with_code(0);
    for command in COMMANDS {
        assert!(top.stdout.contains(command), "{command}");
        let help = run(&[command, "--help"]).with_code(0);
        assert!(help.stdout.contains("Usage: phenosure"), "{command}");
    }
    let screen = run(&["screen", "--help"]).with_code(0);
    for words in [
        "CellProfiler",
        "--first-image-set",
        "phenosure screen plate1",
        "--negcon",
    ] {
        assert!(screen.stdout.contains(words), "{words}");
    }
}

#[test]
fn wrong_words_are_two_and_go_to_stderr() {
    let ended = run(&["scren"]).with_code(2).saying(&["screen"]);
    assert!(ended.stdout.is_empty());
    run(&["screen", "--no-such-option"])
        .with_code(2)
        .saying(&["--no-such-option"]);
}

#[test]
fn version_completions_and_manual_go_to_stdout() {
    assert!(run(&["--version"]).with_code(0).stdout.starts_with("phenosure "));
    assert!(
        run(&["completions", "bash"])
            .with_code(0)
            .stdout
            .contains("phenosure")
    );
    assert!(run(&["man"]).with_code(0).stdout.contains(".TH"));
    let folder = tempfile::tempdir().unwrap();
    run(&["man", "--out", &folder.path().display().to_string()]).with_code(0);
    assert!(folder.path().join("phenosure-screen.1").is_file());
}

#[test]
fn an_image_is_told_by_its_content() {
    let image = support::fixture("badinput/png")
        .join("gray16.png")
        .display()
        .to_string();
    let ended = run(&["inspect", &image, "--json"]).with_code(0);
    let found: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&found["kind"], &found["bits"]), (&"image".into(), &16.into()));
    assert_eq!(found["size"], serde_json::json!([64, 48]));
    let damaged = support::fixture("badinput/png")
        .join("truncated_half.png")
        .display()
        .to_string();
    run(&["inspect", &damaged])
        .with_code(2)
        .saying(&["truncated_half.png", "ends early"]);
}

#[test]
fn an_unknown_model_is_four() {
    run(&["models", "show", "no-such-bundle"])
        .with_code(4)
        .saying(&["no-such-bundle"]);
    run(&["models"]).with_code(0);
}
