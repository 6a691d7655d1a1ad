//! Named arrays: what a network has learned, outside of candle.

use std::collections::BTreeMap;

/// A row-major array of `f32`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Array {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// Values, as many as the product of `shape`.
    pub values: Vec<f32>,
}

/// The arrays of one member by name, sorted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(BTreeMap<String, Array>);

impl Weights {
    /// Adds or replaces an array.
    pub fn insert(&mut self, name: &str, array: Array) {
        self.0.insert(name.to_owned(), array);
    }

    /// The array of that name.
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.0.get(name)
    }

    /// All arrays, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Array)> {
        self.0.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// The weights as a bundle stores them: kernels rounded to half precision, the rest as it is.
    #[must_use]
    pub fn rounded(&self) -> Self {
        let round = |array: &Array| {
            let mut array = array.clone();
            if array.shape.len() == 4 {
                array
                    .values
                    .iter_mut()
                    .for_each(|value| *value = half::f16::from_f32(*value).to_f32());
            }
            array
        };
        Self(
            self.0
                .iter()
                .map(|(name, array)| (name.clone(), round(array)))
                .collect(),
        )
    }

    /// Number of trained values, running statistics left out.
    pub fn parameter_count(&self) -> usize {
        let statistic = |name: &str| name.ends_with(".mean") || name.ends_with(".variance");
        self.0
            .iter()
            .filter(|(name, _)| !statistic(name))
            .map(|(_, array)| array.values.len())
            .sum()
    }
}
