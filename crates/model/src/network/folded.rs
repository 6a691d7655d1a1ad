//! The weights of a member with normalisation folded into the convolutions: what every pass of inference computes with.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{Result, bail};

use super::training::EPSILON;
use crate::weights::{Array, Weights};

/// A convolution with bias.
#[derive(Clone, Debug)]
pub(crate) struct FoldedLayer {
    /// Kernel rows, kernel columns, channels in, channels out.
    pub shape: [usize; 4],
    /// Row-major.
    pub weights: Arc<[f32]>,
    /// One value per output channel.
    pub bias: Arc<[f32]>,
}

/// The layers of one member by name.
#[derive(Clone, Debug)]
pub(crate) struct FoldedLayers(BTreeMap<String, FoldedLayer>);

impl FoldedLayers {
    /// Folds normalisation into the weights, in f64.
    ///
    /// Errors: an array that does not have the shape of its layer.
    pub(crate) fn new(weights: &Weights) -> Result<Self> {
        let mut layers = BTreeMap::new();
        for (name, array) in weights.iter() {
            if let Some(layer) = name.strip_suffix(".weight") {
                layers.insert(layer.to_owned(), fold(weights, layer, array)?);
            }
        }
        Ok(Self(layers))
    }

    /// The layer of that name if its kernel has that shape.
    ///
    /// Errors: no such layer, another shape.
    pub(crate) fn get(&self, name: &str, shape: [usize; 4]) -> Result<&FoldedLayer> {
        match self.0.get(name) {
            Some(layer) if layer.shape == shape => Ok(layer),
            Some(layer) => bail!(
                "the weights of layer {name} have shape {:?}, the network needs {shape:?}",
                layer.shape
            ),
            None => bail!("the weights lack layer {name}"),
        }
    }

    /// All layers, sorted by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &FoldedLayer)> {
        self.0.iter().map(|(name, layer)| (name.as_str(), layer))
    }
}

fn fold(weights: &Weights, layer: &str, kernel: &Array) -> Result<FoldedLayer> {
    let &[rows, columns, channels_in, channels] = kernel.shape.as_slice() else {
        bail!(
            "layer {layer}: the weights have shape {:?}, four lengths are needed",
            kernel.shape
        )
    };
    if channels == 0 || kernel.values.len() != rows * columns * channels_in * channels {
        bail!(
            "layer {layer}: {} weights for shape {:?}",
            kernel.values.len(),
            kernel.shape
        )
    }
    let get = |suffix: &str| -> Result<Option<&[f32]>> {
        match weights.get(&format!("{layer}.{suffix}")) {
            Some(array) if array.values.len() != channels => bail!(
                "layer {layer}: {} values of {suffix} for {channels} channels",
                array.values.len()
            ),
            found => Ok(found.map(|array| array.values.as_slice())),
        }
    };
    let normalisation = (get("gamma")?, get("beta")?, get("mean")?, get("variance")?);
    let (folded, bias) = if let (Some(gamma), Some(beta), Some(mean), Some(variance)) = normalisation {
        let scale: Vec<f64> = gamma
            .iter()
            .zip(variance)
            .map(|(g, v)| f64::from(*g) / (f64::from(*v) + f64::from(EPSILON)).sqrt())
            .collect();
        let bias = beta
            .iter()
            .zip(mean)
            .zip(&scale)
            .map(|((b, m), s)| (f64::from(*b) - f64::from(*m) * s) as f32)
            .collect();
        let folded = kernel
            .values
            .chunks_exact(channels)
            .flat_map(|row| row.iter().zip(&scale).map(|(w, s)| (f64::from(*w) * s) as f32))
            .collect();
        (folded, bias)
    } else {
        let bias = get("bias")?.map_or_else(|| vec![0.0; channels].into(), Arc::from);
        (Arc::from(kernel.values.as_slice()), bias)
    };
    Ok(FoldedLayer {
        shape: [rows, columns, channels_in, channels],
        weights: folded,
        bias,
    })
}
