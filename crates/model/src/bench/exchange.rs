//! What another engine needs to be held against a timing: the same weights, images and targets, and what came out.

use std::collections::BTreeMap;

use super::{BenchNetwork, InferenceBench, TrainingBench};
use crate::error::ModelError;
use crate::train::to_safetensors;

/// An array with its name and shape.
type Named<'a> = (String, Vec<usize>, &'a [f32]);

impl InferenceBench {
    /// Safetensors: `images` (batch, channels, rows, columns), `outputs` (batch, values an image) of the first member
    /// without dropout, and its weights as `weights/NAME`, before any folding.
    ///
    /// Errors: none that are known.
    pub fn to_safetensors(&mut self, network: &BenchNetwork) -> Result<Vec<u8>, ModelError> {
        let outputs = self.outputs();
        let (batch, size) = self.batch_and_size();
        let images = vec![batch, network.input_channels(), size, size];
        serialize(
            network,
            vec![
                ("images".to_owned(), images, self.images()),
                ("outputs".to_owned(), vec![batch, outputs.len() / batch], &outputs),
            ],
        )
    }
}

impl TrainingBench {
    /// Safetensors: `images` (batch, channels, rows, columns), `targets` (the class of each pixel or image in reading order, or
    /// the maps of the segmentation loss), and the weights of the start as `weights/NAME`.
    ///
    /// Errors: none that are known.
    pub fn to_safetensors(&self, network: &BenchNetwork) -> Result<Vec<u8>, ModelError> {
        let images = self.images().permute((0, 3, 1, 2))?;
        let values: Vec<f32> = images.flatten_all()?.to_vec1()?;
        let targets = self.targets()?;
        serialize(
            network,
            vec![
                ("images".to_owned(), images.dims().to_vec(), &values),
                ("targets".to_owned(), vec![targets.len()], &targets),
            ],
        )
    }
}

fn serialize<'a>(network: &'a BenchNetwork, mut arrays: Vec<Named<'a>>) -> Result<Vec<u8>, ModelError> {
    for (name, array) in network.members[0].iter() {
        arrays.push((format!("weights/{name}"), array.shape.clone(), &array.values));
    }
    let borrowed: Vec<(String, &[usize], &[f32])> = arrays
        .iter()
        .map(|(name, shape, values)| (name.clone(), &shape[..], *values))
        .collect();
    to_safetensors(&borrowed, BTreeMap::new())
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    #[test]
    fn holds_what_another_engine_needs() {
        let network = BenchNetwork::reference_unet().unwrap();
        let bytes = network
            .inference(16, 2)
            .unwrap()
            .to_safetensors(&network)
            .unwrap();
        let read = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(read.tensor("images").unwrap().shape(), [2, 3, 16, 16]);
        assert_eq!(read.tensor("outputs").unwrap().shape(), [2, 3 * 16 * 16]);
        assert_eq!(read.tensor("weights/head.weight").unwrap().shape(), [1, 1, 32, 3]);
        let bytes = network.training(16, 2).unwrap().to_safetensors(&network).unwrap();
        let read = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(read.tensor("targets").unwrap().shape(), [2 * 16 * 16]);
    }
}
