//! Reading safetensors from strangers: every rule of the format, and no silent last-one-wins.

use std::collections::BTreeSet;
use std::fmt;

use safetensors::tensor::{Dtype, SafeTensors};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::weights::{Array, Weights};

/// Keys of a JSON object, refusing doubled ones.
struct UniqueKeys(BTreeSet<String>);

impl<'de> serde::Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = UniqueKeys;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                write!(f, "an object of tensors")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueKeys, A::Error> {
                let mut keys = BTreeSet::new();
                while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
                    if keys.contains(&key) {
                        return Err(serde::de::Error::custom(format!("tensor {key:?} is there twice")));
                    }
                    keys.insert(key);
                }
                Ok(UniqueKeys(keys))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// All arrays of a safetensors file as `f32`; the reason in words where a rule is broken.
///
/// F16 and F32 are read; NaN and infinities are refused with the tensor's name, since every output would be NaN.
pub(crate) fn read(bytes: &[u8]) -> Result<Weights, String> {
    let header = bytes
        .get(..8)
        .and_then(|head| head.try_into().ok())
        .map(u64::from_le_bytes);
    let Some(length) = header else {
        return Err(format!("{} bytes, too short for a header", bytes.len()));
    };
    let end = usize::try_from(length)
        .ok()
        .and_then(|length| length.checked_add(8));
    let Some(json) = end.and_then(|end| bytes.get(8..end)) else {
        return Err(format!(
            "the header claims {length} bytes, the file has {}",
            bytes.len()
        ));
    };
    let keys: UniqueKeys =
        serde_json::from_slice(json).map_err(|error| format!("the header is not valid: {error}"))?;
    if keys.0.is_empty() {
        return Err("it holds no tensors".to_owned());
    }
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut weights = Weights::default();
    for (name, view) in tensors.iter() {
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => crate::train::floats(view.data()),
            Dtype::F16 => view
                .data()
                .chunks_exact(2)
                .map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect(),
            other => {
                return Err(format!(
                    "tensor {name:?} has type {other:?}; F16 and F32 are read"
                ));
            }
        };
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(format!("tensor {name:?} holds {} at {index}", values[index]));
        }
        weights.insert(
            name,
            Array {
                shape: view.shape().to_vec(),
                values,
            },
        );
    }
    Ok(weights)
}
