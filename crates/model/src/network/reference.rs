//! The two networks that speeds are stated for: known everywhere, so that other engines can be timed beside this one.

use candle_core::Result;

use super::{ConvolutionLayer, Pass};

/// A plain U-Net (Ronneberger et al. 2015, arXiv 1505.04597) with zero padding, batch normalisation and nearest upsampling.
///
/// Two 3 × 3 convolutions a level; 2 × 2 maximum down; [skip, upsampled] up; a 1 × 1 head with bias.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReferenceUnet {
    /// Channels at 1, 1/2, 1/4 and 1/8 of the resolution.
    pub widths: [usize; 4],
    /// Channels of the logits.
    pub classes: usize,
}

impl Default for ReferenceUnet {
    fn default() -> Self {
        Self {
            widths: [32, 64, 128, 256],
            classes: 3,
        }
    }
}

impl ReferenceUnet {
    /// Channels of the image.
    pub const INPUT_CHANNELS: usize = 3;
    /// Image sides must be multiples of this.
    pub const MULTIPLE: usize = 8;

    /// Logits (batch, rows, columns, classes). `x`: (batch, rows, columns, 3).
    pub(crate) fn logits<P: Pass>(&self, pass: &mut P, x: &P::Map) -> Result<P::Map> {
        let last = self.widths.len() - 1;
        let mut skips = Vec::with_capacity(last);
        let mut map = x.clone();
        for (level, &width) in self.widths.iter().enumerate() {
            map = double(pass, &format!("encoder{level}"), &map, width)?;
            if level < last {
                skips.push(map.clone());
                map = pass.max_pool2(&map)?;
            }
        }
        for (level, skip) in skips.iter().enumerate().rev() {
            let up = pass.upsample2(&map)?;
            let joined = pass.concatenate(skip, &up)?;
            map = double(pass, &format!("decoder{level}"), &joined, self.widths[level])?;
        }
        pass.linear("head", &map, self.classes)
    }
}

/// Two 3 × 3 convolutions.
fn double<P: Pass>(pass: &mut P, name: &str, x: &P::Map, channels: usize) -> Result<P::Map> {
    let layer = ConvolutionLayer {
        channels,
        kernel: 3,
        stride: 1,
        relu: true,
    };
    let map = pass.convolution(&format!("{name}.first"), x, layer)?;
    pass.convolution(&format!("{name}.second"), &map, layer)
}

/// ResNet-18 (He et al. 2016, arXiv 1512.03385) for small crops: a 3 × 3 stem without stride, then a 2 × 2 maximum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReferenceResnet {
    /// Channels of the four stages of two blocks each.
    pub widths: [usize; 4],
    /// Classes.
    pub classes: usize,
}

impl Default for ReferenceResnet {
    fn default() -> Self {
        Self {
            widths: [32, 64, 128, 256],
            classes: 10,
        }
    }
}

impl ReferenceResnet {
    /// Channels of the image.
    pub const INPUT_CHANNELS: usize = 3;

    /// Logits (batch, classes). `x`: (batch, rows, columns, 3).
    pub(crate) fn logits<P: Pass>(&self, pass: &mut P, x: &P::Map) -> Result<P::Map> {
        let conv = |channels, kernel, stride, relu| ConvolutionLayer {
            channels,
            kernel,
            stride,
            relu,
        };
        let stem = pass.convolution("stem", x, conv(self.widths[0], 3, 1, true))?;
        let mut map = pass.max_pool2(&stem)?;
        for (stage, &width) in self.widths.iter().enumerate() {
            for block in 0..2 {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let name = format!("stage{stage}.block{block}");
                let inner = pass.convolution(&format!("{name}.first"), &map, conv(width, 3, stride, true))?;
                let inner = pass.convolution(&format!("{name}.second"), &inner, conv(width, 3, 1, false))?;
                let shortcut = if stride != 1 || pass.channels(&map)? != width {
                    pass.convolution(&format!("{name}.shortcut"), &map, conv(width, 1, stride, false))?
                } else {
                    map
                };
                let sum = pass.add(&inner, &shortcut)?;
                map = pass.relu(&sum)?;
            }
        }
        let pooled = pass.global_mean(&map)?;
        pass.linear("classes", &pooled, self.classes)
    }
}
