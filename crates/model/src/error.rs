//! What can go wrong with networks and bundles.

/// Errors of building, running and training networks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// `--device` was not understood.
    #[error("device {value:?} is not known; use cpu, cuda, cuda:N or auto")]
    UnknownDevice {
        /// What was typed.
        value: String,
    },
    /// The GPU asked for is not usable.
    #[error(
        "cuda:{index} cannot be used ({reason}); use --device cpu, or build with --features cuda where a GPU is"
    )]
    NoCuda {
        /// Index of the GPU.
        index: usize,
        /// What the driver said.
        reason: String,
    },
    /// The bundle is for another task.
    #[error(
        "bundle {name:?} is for {found}, a bundle for {wanted} is needed; list them with `phenosure models`"
    )]
    WrongTask {
        /// Name of the bundle.
        name: String,
        /// Task of the bundle.
        found: &'static str,
        /// Task needed.
        wanted: &'static str,
    },
    /// Training data that cannot teach the network.
    #[error("training needs {needed}, but there are {found}; add labelled data")]
    TooFewSamples {
        /// What is needed.
        needed: String,
        /// What is there.
        found: String,
    },
    /// The loss became NaN or infinite.
    #[error("the loss was {loss} at step {step}; lower the learning rate or look for NaN in the images")]
    Diverged {
        /// Step of training.
        step: usize,
        /// Its loss.
        loss: f32,
    },
    /// Training was asked to stop; a checkpoint lets it go on.
    #[error("training stopped at step {step}; the same command goes on from the checkpoint")]
    Stopped {
        /// Last finished step.
        step: usize,
    },
    /// A checkpoint does not belong to this training.
    #[error("the checkpoint does not fit this training ({reason}); delete it to start anew")]
    Checkpoint {
        /// What does not fit.
        reason: String,
    },
    /// An ensemble without members.
    #[error("the ensemble has no member; ask for at least one")]
    NoMember,
    /// An image that the network cannot take as it is.
    #[error("an image side of {size} px cannot be used; this network needs a multiple of {multiple}")]
    Size {
        /// Side of the image in pixels.
        size: usize,
        /// What it must be a multiple of.
        multiple: usize,
    },
    /// candle refused an operation: shapes or devices that do not fit.
    #[error("the network cannot run: {0}")]
    Network(#[from] candle_core::Error),
}

/// Errors of reading a bundle. Nothing of a bundle is used after one of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A part cannot be read.
    #[error("bundle {bundle:?}: {part} cannot be read ({reason}); copy the bundle again")]
    Unreadable {
        /// Name of the bundle.
        bundle: String,
        /// File inside the bundle.
        part: String,
        /// Why.
        reason: String,
    },
    /// The manifest is not a manifest.
    #[error("bundle {bundle:?}: manifest.json is not valid ({reason}); copy the bundle again")]
    Manifest {
        /// Name of the bundle.
        bundle: String,
        /// Field and reason.
        reason: String,
    },
    /// Made by a newer program.
    #[error(
        "bundle {bundle:?} has format {found}, this program reads up to {supported}; use a newer phenosure"
    )]
    Future {
        /// Name of the bundle.
        bundle: String,
        /// Format of the bundle.
        found: u64,
        /// Newest format that is read.
        supported: u64,
    },
    /// A part's name is not one of the fixed plain names.
    #[error(
        "bundle {bundle:?}: part {part:?} is not allowed; the parts are weights.safetensors and trust.safetensors"
    )]
    PartName {
        /// Name of the bundle.
        bundle: String,
        /// The name found.
        part: String,
    },
    /// Bytes are not those that were signed by the manifest.
    #[error(
        "bundle {bundle:?}: {part} is damaged or changed (sha256 or size differs from the manifest); copy the bundle again"
    )]
    Digest {
        /// Name of the bundle.
        bundle: String,
        /// File inside the bundle.
        part: String,
    },
    /// A safetensors file breaks a rule.
    #[error("bundle {bundle:?}: {part}: {reason}; copy the bundle again")]
    Tensors {
        /// Name of the bundle.
        bundle: String,
        /// File inside the bundle.
        part: String,
        /// Rule and value.
        reason: String,
    },
}
