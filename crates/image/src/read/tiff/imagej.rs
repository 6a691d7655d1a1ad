//! What ImageJ writes into the description of its TIFFs: numbers of channels, slices and frames.

use crate::read::PlaneAxes;
use crate::read::fault::Fault;

/// The description of an ImageJ stack.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ImageJ {
    /// Planes in all.
    pub(super) images: u64,
    /// Channels fastest, then slices, then frames.
    pub(super) axes: PlaneAxes,
    /// µm of one `unit`.
    pub(super) unit_um: Option<f64>,
}

/// Reads a description that begins with `ImageJ=`; `None` for any other.
///
/// Errors: numbers of channels, slices and frames that do not multiply to the number of images.
pub(super) fn read(description: &str) -> Result<Option<ImageJ>, Fault> {
    if !description.starts_with("ImageJ=") {
        return Ok(None);
    }
    let value = |key: &str| {
        description.lines().find_map(|line| {
            line.split_once('=')
                .filter(|(name, _)| *name == key)
                .map(|(_, value)| value.trim())
        })
    };
    let count = |key: &str| match value(key) {
        None => Ok(None),
        Some(text) => match text.parse::<u32>() {
            Ok(n) if n > 0 => Ok(Some(n)),
            _ => Err(Fault::Metadata(format!(
                "the ImageJ description says {key}={text:?}"
            ))),
        },
    };
    let (images, channels, slices, frames) = (
        count("images")?,
        count("channels")?,
        count("slices")?,
        count("frames")?,
    );
    let listed = [channels, slices, frames].into_iter().flatten().map(u64::from);
    let product = listed.fold(1u64, u64::saturating_mul);
    let is_listed = channels.is_some() || slices.is_some() || frames.is_some();
    let images = images.map_or(product, u64::from);
    let axes = if is_listed {
        PlaneAxes {
            channels: channels.unwrap_or(1),
            slices: slices.unwrap_or(1),
            frames: frames.unwrap_or(1),
        }
    } else {
        // A stack without a word on what it is a stack of: ImageJ shows it as slices.
        PlaneAxes {
            channels: 1,
            slices: images as u32,
            frames: 1,
        }
    };
    if is_listed && product != images {
        return Err(Fault::Metadata(format!(
            "the ImageJ description claims {images} images but {} channels x {} slices x {} frames",
            axes.channels, axes.slices, axes.frames
        )));
    }
    let unit_um = match value("unit").unwrap_or_default() {
        "micron" | "microns" | "um" | "µm" | "μm" | "\\u00B5m" => Some(1.0),
        "nm" => Some(1e-3),
        "mm" => Some(1e3),
        "cm" => Some(1e4),
        _ => None,
    };
    Ok(Some(ImageJ {
        images,
        axes,
        unit_um,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_units_are_read() {
        let read = |text: &str| read(text).unwrap().unwrap();
        let stack = read("ImageJ=1.53t\nimages=6\nchannels=2\nslices=3\nhyperstack=true\nunit=micron\n");
        assert_eq!(
            (stack.images, stack.axes),
            (
                6,
                PlaneAxes {
                    channels: 2,
                    slices: 3,
                    frames: 1
                }
            )
        );
        assert_eq!(stack.unit_um, Some(1.0));
        assert_eq!(read("ImageJ=1.11a\nunit=\\u00B5m\n").images, 1);
        assert_eq!(
            read("ImageJ=1.11a\nimages=4\n").axes,
            PlaneAxes {
                channels: 1,
                slices: 4,
                frames: 1
            }
        );
    }

    #[test]
    fn contradicting_counts_are_refused_and_other_descriptions_left_alone() {
        assert!(matches!(
            read("ImageJ=1.53t\nimages=7\nchannels=2\nslices=3\n"),
            Err(Fault::Metadata(_))
        ));
        assert!(matches!(
            read("ImageJ=1.53t\nimages=-1\n"),
            Err(Fault::Metadata(_))
        ));
        assert_eq!(read("made by a microscope"), Ok(None));
    }
}
