//! The shipped bundles as bytes. Made by `scripts/train_pretrained.sh`; never edited by hand.

/// One bundle in the binary.
pub(super) struct Embedded {
    pub(super) name: &'static str,
    pub(super) manifest: &'static [u8],
    pub(super) weights: &'static [u8],
    pub(super) trust: &'static [u8],
}

pub(super) const BUNDLES: [Embedded; 0] = [];
