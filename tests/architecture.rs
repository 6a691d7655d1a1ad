//! The rooms and their arrows: reads `cargo metadata` and fails on a dependency between rooms that the design does not allow.
//!
//! The table below is the one of ARCHITECTURE.md. An arrow that is missing here is a defect of the code that uses it, or a
//! decision: then change both, with the reason.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Which rooms a room may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("plate", &[]),
    ("kernels", &[]),
    ("uncertainty", &[]),
    ("image", &[]),
    ("report", &[]),
    ("measure", &["image"]),
    ("model", &["kernels"]),
    ("profile", &["uncertainty"]),
    ("track", &["image", "uncertainty"]),
    (
        "engine",
        &[
            "plate",
            "image",
            "model",
            "uncertainty",
            "measure",
            "profile",
            "report",
            "track",
        ],
    ),
    ("phenosure", &["engine"]),
    // Made data for tests and calibration; nothing but tests may use it.
    (
        "testkit",
        &["plate", "image", "uncertainty", "measure", "track", "engine"],
    ),
];

/// Third-party crates that stay behind certain doors (STYLE rule 14: polars behind profile and engine; candle behind model and kernels).
const BEHIND_DOORS: &[(&str, &[&str])] = &[
    ("polars", &["profile", "engine"]),
    ("candle-core", &["kernels", "model"]),
    ("candle-nn", &["kernels", "model"]),
    ("clap", &["phenosure"]),
    ("anyhow", &["phenosure"]),
];

/// One `[dependencies]`, `[dev-dependencies]` or `[build-dependencies]` line.
struct Dependency {
    name: String,
    only_tests: bool,
}

fn packages(metadata: &Value) -> BTreeMap<String, Vec<Dependency>> {
    metadata["packages"]
        .as_array()
        .expect("cargo metadata lists packages")
        .iter()
        .map(|package| {
            let name = package["name"].as_str().expect("a package has a name").to_owned();
            let dependencies = package["dependencies"]
                .as_array()
                .expect("a package lists dependencies")
                .iter()
                .map(|dependency| Dependency {
                    name: dependency["name"]
                        .as_str()
                        .expect("a dependency has a name")
                        .to_owned(),
                    only_tests: dependency["kind"].as_str() == Some("dev"),
                })
                .collect();
            (name, dependencies)
        })
        .collect()
}

/// One sentence for each arrow that is not allowed, each unknown room and each crate that left its door.
fn violations(packages: &BTreeMap<String, Vec<Dependency>>) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let doors: BTreeMap<&str, &[&str]> = BEHIND_DOORS.iter().copied().collect();
    let mut found = Vec::new();
    for (room, dependencies) in packages {
        let Some(may_use) = allowed.get(room.as_str()) else {
            found.push(format!(
                "{room} is no room of ARCHITECTURE.md; add it there and to ALLOWED in this test"
            ));
            continue;
        };
        for dependency in dependencies {
            let other = dependency.name.as_str();
            if packages.contains_key(other) && !may_use.contains(&other) && !dependency.only_tests {
                found.push(format!(
                    "{room} must not depend on {other}; it may use {may_use:?}"
                ));
            }
            if let Some(rooms) = doors.get(other)
                && !rooms.contains(&room.as_str())
                && !dependency.only_tests
            {
                found.push(format!(
                    "{room} must not depend on {other}, which stays behind {rooms:?}"
                ));
            }
        }
    }
    found
}

/// What `cargo metadata` says about this workspace; `--no-deps` keeps it off the network.
fn workspace_metadata() -> Value {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
            "--manifest-path",
        ])
        .arg(manifest)
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

#[test]
fn every_arrow_between_rooms_is_allowed() {
    let packages = packages(&workspace_metadata());
    let missing: Vec<_> = ALLOWED
        .iter()
        .filter(|(room, _)| !packages.contains_key(*room))
        .collect();
    assert!(
        missing.is_empty(),
        "rooms of the table that the workspace lacks: {missing:?}"
    );
    let found = violations(&packages);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_table_has_no_cycle() {
    // A room may only use rooms that come before it in the table, which no cycle can satisfy.
    for (position, (room, may_use)) in ALLOWED.iter().enumerate() {
        for other in *may_use {
            let place = ALLOWED
                .iter()
                .position(|(name, _)| name == other)
                .expect("a room of the table");
            assert!(place < position, "{room} may use {other}, which stands after it");
        }
    }
}

#[test]
fn forbidden_arrows_unknown_rooms_and_strayed_crates_are_found() {
    let check = |room: &str, dependency: &str, kind: Value| {
        let json = serde_json::json!({"packages": [
            {"name": room, "dependencies": [{"name": dependency, "kind": kind}]},
            {"name": "engine", "dependencies": []},
            {"name": "image", "dependencies": []},
        ]});
        violations(&packages(&json))
    };
    assert_eq!(
        check("measure", "engine", Value::Null),
        ["measure must not depend on engine; it may use [\"image\"]"]
    );
    assert_eq!(
        check("measure", "engine", "build".into()).len(),
        1,
        "build dependencies count"
    );
    assert!(check("measure", "image", Value::Null).is_empty());
    assert!(
        check("measure", "engine", "dev".into()).is_empty(),
        "tests may reach across"
    );
    assert_eq!(
        check("measure", "polars", Value::Null).len(),
        1,
        "polars stays behind profile and engine"
    );
    assert_eq!(
        check("helpers", "image", Value::Null).len(),
        1,
        "a room that is not in the table"
    );
}
