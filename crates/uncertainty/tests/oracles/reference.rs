//! Reads reference entries and compares numbers with them at the entry's own tolerance.

use ndarray::{Array1, Array2, ArrayD, IxDyn};
use serde_json::Value;
use std::sync::LazyLock;

static ENTRIES: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../../tests/fixtures/uq/entries.json")).unwrap()
});
static SHARED: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../../tests/fixtures/uq/shared.json")).unwrap()
});

/// One reference entry.
pub struct Entry(&'static Value);

pub fn entry(name: &str) -> Entry {
    let entries = ENTRIES["entries"].as_array().unwrap();
    Entry(
        entries
            .iter()
            .find(|e| e["name"] == name)
            .unwrap_or_else(|| panic!("no entry {name}")),
    )
}

/// An array of shared.json.
pub fn shared(key: &str) -> ArrayD<f64> {
    let value = &SHARED[key];
    assert!(!value.is_null(), "no shared array {key}");
    array(value)
}

pub fn shared_2d(key: &str) -> Array2<f64> {
    shared(key).into_dimensionality().unwrap()
}

pub fn shared_1d(key: &str) -> Vec<f64> {
    shared(key).into_raw_vec_and_offset().0
}

pub fn shared_labels(key: &str) -> Vec<usize> {
    shared_1d(key).into_iter().map(|v| v as usize).collect()
}

pub fn shared_groups(key: &str) -> Vec<u32> {
    shared_1d(key).into_iter().map(|v| v as u32).collect()
}

pub fn shared_flags(key: &str) -> Vec<bool> {
    shared_1d(key).into_iter().map(|v| v != 0.0).collect()
}

/// softmax of each row, as the fixtures' `..._from_logits` ask for.
pub fn softmax_rows(logits: &Array2<f64>, temperature: f64) -> Array2<f64> {
    let mut p = logits / temperature;
    for mut row in p.outer_iter_mut() {
        let log_p = uncertainty::log_softmax(&row.to_vec());
        row.assign(&Array1::from(log_p).mapv(f64::exp));
    }
    p
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Number(n) => n.as_f64().unwrap(),
        Value::String(s) => s.parse().unwrap(),
        Value::Bool(b) => f64::from(u8::from(*b)),
        other => panic!("{other} is no number"),
    }
}

fn array(value: &Value) -> ArrayD<f64> {
    let mut shape = Vec::new();
    let mut level = value;
    while let Value::Array(inner) = level {
        shape.push(inner.len());
        level = &inner[0];
    }
    let mut flat = Vec::new();
    flatten(value, &mut flat);
    ArrayD::from_shape_vec(IxDyn(&shape), flat).unwrap()
}

fn flatten(value: &Value, into: &mut Vec<f64>) {
    match value {
        Value::Array(inner) => inner.iter().for_each(|v| flatten(v, into)),
        other => into.push(number(other)),
    }
}

impl Entry {
    /// An input by its JSON pointer ("/scores").
    pub fn input(&self, pointer: &str) -> ArrayD<f64> {
        array(self.0["inputs"].pointer(pointer).unwrap())
    }

    pub fn input_1d(&self, pointer: &str) -> Vec<f64> {
        self.input(pointer).into_raw_vec_and_offset().0
    }

    /// An expected value by its JSON pointer.
    pub fn expected(&self, pointer: &str) -> ArrayD<f64> {
        array(self.0["expected"].pointer(pointer).unwrap())
    }

    /// Expected strings, for sets written as bits.
    pub fn expected_text(&self, pointer: &str) -> Vec<String> {
        let all = self.0["expected"].pointer(pointer).unwrap().as_array().unwrap();
        all.iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    }

    /// Compares all numbers under an expected value with those computed, at the entry's tolerance.
    #[track_caller]
    pub fn check<'a>(&self, pointer: &str, got: impl IntoIterator<Item = &'a f64>) {
        let expected = self.expected(pointer);
        let got: Vec<f64> = got.into_iter().copied().collect();
        assert_eq!(expected.len(), got.len(), "{} {pointer}", self.0["name"]);
        let (rtol, atol) = (number(&self.0["rtol"]), number(&self.0["atol"]));
        for (i, (e, g)) in expected.iter().zip(&got).enumerate() {
            let close = (g - e).abs() <= atol + rtol * e.abs() || (e.is_nan() && g.is_nan()) || e == g;
            assert!(close, "{} {pointer} [{i}]: {g} is not {e}", self.0["name"]);
        }
    }

    #[track_caller]
    pub fn check_value(&self, pointer: &str, got: f64) {
        self.check(pointer, &[got]);
    }
}
