//! The shipped bundles as bytes. Made by `scripts/train_pretrained.sh`; never edited by hand.

/// One bundle in the binary.
pub(super) struct Embedded {
    pub(super) name: &'static str,
    pub(super) manifest: &'static [u8],
    pub(super) weights: &'static [u8],
    pub(super) trust: &'static [u8],
}

macro_rules! embedded {
    ($name:literal) => {
        Embedded {
            name: $name,
            manifest: include_bytes!(concat!("../../bundles/", $name, "/manifest.json")),
            weights: include_bytes!(concat!("../../bundles/", $name, "/weights.safetensors")),
            trust: include_bytes!(concat!("../../bundles/", $name, "/trust.safetensors")),
        }
    };
}

pub(super) const BUNDLES: [Embedded; 2] = [embedded!("nuclei"), embedded!("mitosis")];
