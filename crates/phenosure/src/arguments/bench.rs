//! `bench`.

use std::path::PathBuf;

use clap::Args;
use engine::{BenchParams, NetworkParams};

/// Say how fast the networks run on this machine, and what a field and a plate will cost
///
/// Without a name: a field of real nuclei from pixels to classes, with the bundles, members and draws of a screen. With a
/// name: that network alone, one member and no dropout unless more is asked for.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  phenosure bench                                a field, and plates of 96 and 384 wells
  phenosure bench --sites 9 --size 2048          fields of your camera
  phenosure bench nuclei --members 3 --draws 10
  phenosure bench unet --size 256 --batch 8 --threads 1 --json
  phenosure bench resnet --train

`unet` and `resnet` are reference networks that are easy to build elsewhere: a U-Net of widths 32-64-128-256 on 3 channels and
a ResNet-18 of width 32 on 3 channels of 64 pixels. --json prints one line with \"ms\" and \"cpu_ms\" of each call after the warm-up.")]
pub struct Bench {
    /// unet, resnet, or a bundle by name or folder (default: a whole field with the bundles of a screen)
    #[arg(value_name = "unet|resnet|BUNDLE")]
    pub network: Option<String>,
    /// Side of the images in pixels (default: 1024 for a field and networks that find nuclei, 256 for unet, 64 for resnet,
    /// 48 for networks that name classes)
    #[arg(long, value_name = "PIXELS")]
    pub size: Option<usize>,
    /// Images a call (default: 64 for networks that see single cells, else 1)
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Timed calls after the warm-up
    #[arg(long, value_name = "N", default_value_t = BenchParams::ITERATIONS)]
    pub iters: usize,
    /// Time steps of training: forward pass, loss, backward pass, AdamW
    #[arg(long)]
    pub train: bool,
    /// Sites a well that the cost of a plate is reckoned with
    #[arg(long, value_name = "N", default_value_t = BenchParams::SITES)]
    pub sites: usize,
    /// Write weights, images and outputs of the network as safetensors, to hold another engine against it
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// Where the networks of a field are computed: cpu, cuda, cuda:1 or auto
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
    /// Members (default: all for a field, 1 for a network alone)
    #[arg(long, value_name = "N")]
    pub members: Option<usize>,
    /// Dropout draws a member (default: the bundle's for a field, 0 = no dropout for a network alone)
    #[arg(long, value_name = "T")]
    pub draws: Option<usize>,
    /// Instruction set: auto, avx512, avx2 or portable
    #[arg(long, value_name = "ISA", default_value = "auto")]
    pub isa: String,
    /// Threads (default: all)
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

impl Bench {
    /// What the engine is asked for.
    ///
    /// Errors: a device or a number that cannot be.
    pub fn params(&self) -> Result<BenchParams, engine::EngineError> {
        let networks: NetworkParams = engine::Settings {
            device: Some(self.device.clone()),
            members: self.members,
            draws: self.draws,
            ..engine::Settings::default()
        }
        .network_params()?;
        Ok(BenchParams {
            network: self.network.clone(),
            size: self.size,
            batch: self.batch,
            iterations: self.iters,
            train: self.train,
            networks,
            isa: self.isa.clone(),
            threads: self.threads,
            sites: self.sites,
            export: self.export.clone(),
        })
    }
}
