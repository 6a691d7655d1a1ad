//! Networks set up to be timed: fixed weights, fixed images, one call a run.

#[cfg(test)]
mod agreement;
mod exchange;
mod inference;
mod training;

use candle_core::{Device, Result as CandleResult, Tensor};
use kernels::{Isa, Philox, Plan};

pub use inference::InferenceBench;
pub use training::TrainingBench;

use crate::bundle::Bundle;
use crate::error::ModelError;
use crate::network::{
    ClassificationNetwork, GraphPass, Network, Parameters, Pass, Recorded, ReferenceResnet, ReferenceUnet,
    SegmentationNetwork, TrainingPass,
};
use crate::weights::Weights;

/// Seed of everything random in a timing: weights, images, targets.
const SEED: u64 = 1;
/// First stream words: what a random number is for.
const STREAM_STATISTICS: u32 = 31;
const STREAM_IMAGES: u32 = 32;
const STREAM_TARGETS: u32 = 33;

/// Peak of one core in operations a second, a multiply-add counted as two, with the instruction set in use; measured now, in
/// some hundredths of a second.
pub fn core_peak() -> f64 {
    kernels::fused_multiply_add_peak(Isa::detect())
}

/// The definitions that can be timed.
#[derive(Clone, Debug)]
enum Definition {
    Unet(ReferenceUnet),
    Resnet(ReferenceResnet),
    Segmentation(SegmentationNetwork),
    Classification(ClassificationNetwork),
}

impl Definition {
    fn input_channels(&self) -> usize {
        match self {
            Self::Unet(_) => ReferenceUnet::INPUT_CHANNELS,
            Self::Resnet(_) => ReferenceResnet::INPUT_CHANNELS,
            Self::Segmentation(_) | Self::Classification(_) => 1,
        }
    }

    /// Channels of the logits.
    fn classes(&self) -> usize {
        match self {
            Self::Unet(network) => network.classes,
            Self::Resnet(network) => network.classes,
            Self::Segmentation(_) => SegmentationNetwork::LOGITS,
            Self::Classification(network) => network.classes,
        }
    }

    /// Image sides must be multiples of this.
    fn multiple(&self) -> usize {
        match self {
            Self::Unet(_) => ReferenceUnet::MULTIPLE,
            Self::Segmentation(_) => SegmentationNetwork::MULTIPLE,
            Self::Resnet(_) | Self::Classification(_) => 1,
        }
    }

    /// A member as a graph with the logits as its one result.
    ///
    /// Errors: weights that do not fit the network.
    fn graph(&self, weights: &Weights) -> CandleResult<Recorded> {
        let (mut pass, image) = GraphPass::new(weights, self.input_channels())?;
        let logits = self.logits(&mut pass, &image)?;
        Ok(pass.finish(&[logits]))
    }

    fn logits<P: Pass>(&self, pass: &mut P, x: &P::Map) -> CandleResult<P::Map> {
        match self {
            Self::Unet(network) => network.logits(pass, x),
            Self::Resnet(network) => network.logits(pass, x),
            Self::Segmentation(network) => {
                let trunk = network.trunk(pass, x)?;
                network.head(pass, &trunk)
            }
            Self::Classification(network) => {
                let pooled = network.trunk(pass, x)?;
                network.head(pass, &pooled)
            }
        }
    }
}

/// A network whose speed is asked for.
#[derive(Clone, Debug)]
pub struct BenchNetwork {
    definition: Definition,
    members: Vec<Weights>,
    /// Seed of the dropout masks.
    seed: u64,
}

impl BenchNetwork {
    /// The reference U-Net: 3 channels in, widths 32, 64, 128, 256, two 3 × 3 convolutions a level with batch
    /// normalisation and ReLU, 2 × 2 maximum, nearest upsampling, 3 maps out; random weights.
    ///
    /// Errors: none that are known.
    pub fn reference_unet() -> Result<Self, ModelError> {
        Self::random(Definition::Unet(ReferenceUnet::default()))
    }

    /// The reference ResNet-18: 3 channels in, widths 32, 64, 128, 256, 10 classes; random weights.
    ///
    /// Errors: none that are known.
    pub fn reference_resnet() -> Result<Self, ModelError> {
        Self::random(Definition::Resnet(ReferenceResnet::default()))
    }

    /// The network of a bundle with its trained weights; one member unless [`ensemble`](Self::ensemble) asks for more.
    pub fn from_bundle(bundle: &Bundle) -> Self {
        Self {
            definition: match &bundle.manifest.network {
                Network::Segmentation(network) => Definition::Segmentation(network.clone()),
                Network::Classification(network) => Definition::Classification(network.clone()),
            },
            members: bundle.weights.clone(),
            seed: bundle.manifest.seed,
        }
    }

    /// Channels of the image.
    pub fn input_channels(&self) -> usize {
        self.definition.input_channels()
    }

    /// Members that an ensemble of it can have.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// Whether it has a dropout layer, without which all draws are one.
    pub fn has_dropout(&self) -> bool {
        matches!(
            self.definition,
            Definition::Segmentation(_) | Definition::Classification(_)
        )
    }

    /// Bytes of the buffers of a forward pass, and of its images, before either is made.
    ///
    /// Errors: a size that the network cannot take.
    pub fn working_set(&self, size: usize, batch: usize) -> Result<u64, ModelError> {
        self.check_size(size)?;
        let plan = Plan::compile(&self.definition.graph(&self.members[0])?.graph, Isa::detect());
        let images = 4 * self.input_channels() * size * size * batch;
        Ok((plan.working_set(batch, size, size) + images) as u64)
    }

    /// A forward pass of the first member, dropout off, over `batch` images of `size` × `size` pixels.
    ///
    /// Errors: a size that the network cannot take.
    pub fn inference(&self, size: usize, batch: usize) -> Result<InferenceBench, ModelError> {
        self.ensemble(size, batch, 1, 0)
    }

    /// A forward pass of `members` members with `draws` dropout draws each (0: dropout off).
    ///
    /// Errors: a size that the network cannot take.
    pub fn ensemble(
        &self,
        size: usize,
        batch: usize,
        members: usize,
        draws: usize,
    ) -> Result<InferenceBench, ModelError> {
        self.check_size(size)?;
        let members = &self.members[..members.min(self.members.len())];
        InferenceBench::new(&self.definition, members, self.seed, (size, batch, draws))
    }

    /// Steps of training on one fixed batch of random images and targets.
    ///
    /// Errors: a size that the network cannot take.
    pub fn training(&self, size: usize, batch: usize) -> Result<TrainingBench, ModelError> {
        self.check_size(size)?;
        TrainingBench::new(&self.definition, &self.members[0], size, batch)
    }

    fn check_size(&self, size: usize) -> Result<(), ModelError> {
        let multiple = self.definition.multiple();
        if size == 0 || !size.is_multiple_of(multiple) {
            return Err(ModelError::Size { size, multiple });
        }
        Ok(())
    }

    /// Seeded initial weights with normalisation statistics that are not those of a start, so that folding shows.
    fn random(definition: Definition) -> Result<Self, ModelError> {
        let mut parameters = Parameters::new(SEED, &Device::Cpu);
        let x = images(definition.input_channels(), 16, 2)?;
        let mut pass = TrainingPass {
            parameters: &mut parameters,
            step: 0,
        };
        // One step on a small batch makes every variable.
        definition.logits(&mut pass, &x)?;
        let start = parameters.weights()?;
        let mut weights = Weights::default();
        for (index, (name, array)) in start.iter().enumerate() {
            let range = match name.rsplit('.').next() {
                Some("gamma" | "variance") => Some((0.5, 1.5)),
                Some("beta" | "mean") => Some((-0.2, 0.2)),
                _ => None,
            };
            let mut array = array.clone();
            if let Some((low, high)) = range {
                let mut random = Philox::new(SEED, [STREAM_STATISTICS, index as u32, 0]);
                array.values.fill_with(|| random.between(low, high));
            }
            weights.insert(name, array);
        }
        Ok(Self {
            definition,
            members: vec![weights],
            seed: SEED,
        })
    }
}

/// Fixed standard normal images (batch, size, size, channels).
fn images(channels: usize, size: usize, batch: usize) -> CandleResult<Tensor> {
    let mut random = Philox::new(SEED, [STREAM_IMAGES, 0, 0]);
    let n = batch * size * size * channels;
    let values: Vec<f32> = (0..n).map(|_| random.normal()).collect();
    Tensor::from_vec(values, (batch, size, size, channels), &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_networks_run_and_learn_their_batch() {
        for (network, size) in [
            (BenchNetwork::reference_unet().unwrap(), 16),
            (BenchNetwork::reference_resnet().unwrap(), 32),
        ] {
            assert!(network.inference(size, 2).unwrap().run().is_finite());
            let mut training = network.training(size, 4).unwrap();
            let losses: Vec<f32> = (0..6).map(|_| training.step().unwrap()).collect();
            assert!(losses[5] < losses[0], "{losses:?}");
        }
    }

    #[test]
    fn a_size_that_does_not_fit_is_refused() {
        let network = BenchNetwork::reference_unet().unwrap();
        let error = network.inference(20, 1).map(|_| ()).unwrap_err().to_string();
        assert!(
            error.contains("20 px") && error.contains("multiple of 8"),
            "{error}"
        );
    }
}
