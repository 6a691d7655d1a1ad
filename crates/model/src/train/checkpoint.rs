//! The whole state of an interrupted training as bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::adamw::AdamW;
use crate::error::ModelError;
use crate::weights::{Array, Weights};

/// Names the training that a checkpoint belongs to.
const IDENTITY: &str = "training";

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub(crate) fn floats_of(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

/// Serialises named `f32` arrays as safetensors.
pub(crate) fn to_safetensors(
    arrays: &[(String, &[usize], &[f32])],
    metadata: BTreeMap<String, String>,
) -> Result<Vec<u8>, ModelError> {
    let stored: Vec<(String, Vec<usize>, Vec<u8>)> = arrays
        .iter()
        .map(|(name, shape, values)| (name.clone(), shape.to_vec(), bytes_of(values)))
        .collect();
    let mut views = Vec::with_capacity(stored.len());
    for (name, shape, bytes) in &stored {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|error| reason(&error))?;
        views.push((name.as_str(), view));
    }
    let metadata = (!metadata.is_empty()).then(|| metadata.into_iter().collect());
    safetensors::serialize(views, metadata).map_err(|error| reason(&error))
}

fn reason(error: &dyn std::error::Error) -> ModelError {
    ModelError::Checkpoint {
        reason: error.to_string(),
    }
}

/// An array by name, with its shape.
type Named<'a> = (String, Cow<'a, [usize]>, &'a [f32]);

/// Weights, optimiser and step as bytes.
pub(crate) fn write(
    identity: &str,
    weights: &Weights,
    optimizer: &AdamW,
    step: usize,
) -> Result<Vec<u8>, ModelError> {
    let mut arrays: Vec<Named> = Vec::new();
    for (name, array) in weights.iter() {
        arrays.push((format!("w/{name}"), Cow::Borrowed(&array.shape), &array.values));
    }
    for (name, (first, second)) in &optimizer.moments {
        arrays.push((format!("m/{name}"), Cow::Owned(vec![first.len()]), first));
        arrays.push((format!("v/{name}"), Cow::Owned(vec![second.len()]), second));
    }
    let borrowed: Vec<(String, &[usize], &[f32])> = arrays
        .iter()
        .map(|(name, shape, values)| (name.clone(), shape.as_ref(), *values))
        .collect();
    let metadata = BTreeMap::from([
        (IDENTITY.to_owned(), identity.to_owned()),
        ("step".to_owned(), step.to_string()),
    ]);
    to_safetensors(&borrowed, metadata)
}

/// What `write` wrote, if it belongs to the same training.
pub(crate) fn read(identity: &str, bytes: &[u8]) -> Result<(Weights, AdamW, usize), ModelError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| reason(&error))?;
    let metadata = header.metadata().clone().unwrap_or_default();
    if metadata.get(IDENTITY).map(String::as_str) != Some(identity) {
        let reason = format!(
            "it was made by {:?}",
            metadata.get(IDENTITY).map_or("another", String::as_str)
        );
        return Err(ModelError::Checkpoint { reason });
    }
    let step: usize = metadata
        .get("step")
        .and_then(|step| step.parse().ok())
        .unwrap_or(0);
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| reason(&error))?;
    let mut weights = Weights::default();
    let mut optimizer = AdamW {
        steps: step as u32,
        ..AdamW::default()
    };
    for (name, view) in tensors.iter() {
        let values = floats_of(view.data());
        if let Some(name) = name.strip_prefix("w/") {
            weights.insert(
                name,
                Array {
                    shape: view.shape().to_vec(),
                    values,
                },
            );
        } else if let Some(name) = name.strip_prefix("m/") {
            optimizer.moments.entry(name.to_owned()).or_default().0 = values;
        } else if let Some(name) = name.strip_prefix("v/") {
            optimizer.moments.entry(name.to_owned()).or_default().1 = values;
        }
    }
    Ok((weights, optimizer, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_was_and_only_to_its_own_training() {
        let mut weights = Weights::default();
        weights.insert(
            "a.weight",
            Array {
                shape: vec![1, 1, 1, 2],
                values: vec![1.0, 2.0],
            },
        );
        let moments = BTreeMap::from([("a.weight".to_owned(), (vec![0.1, 0.2], vec![0.3, 0.4]))]);
        let optimizer = AdamW { moments, steps: 7 };
        let bytes = write("seed 1", &weights, &optimizer, 7).unwrap();
        assert_eq!(read("seed 1", &bytes).unwrap(), (weights, optimizer, 7));
        assert!(read("seed 2", &bytes).is_err());
        assert!(read("seed 1", &bytes[..bytes.len() / 2]).is_err());
    }
}
