//! Samples as a file holds them, before they are scaled: what intensities and label images have in common.

use super::fault::Fault;
use super::{ImageFormat, PlaneAxes, ReadLimits};

/// The samples of one plane, rows from the top, columns from the left.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Samples {
    /// Whole numbers ≥ 0.
    Unsigned(Vec<u32>),
    /// Whole numbers.
    Signed(Vec<i32>),
    /// Floating point, as in the file (also NaN and infinities).
    Float(Vec<f64>),
}

/// What the caller wants to know: a color table gives intensities, but label numbers are the indices into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Intensities,
    Labels,
}

/// What becomes of the pages of a TIFF that nothing explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlainPages {
    /// They are a question that nobody answers.
    Refused,
    /// The caller knows that they are the frames of a movie, in order.
    Frames,
}

/// A decoded file: planes of `width` × `height` samples and what the file says about them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RawImage {
    pub(super) format: ImageFormat,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) planes: Vec<Samples>,
    /// Bits a sample.
    pub(super) bits: u16,
    /// The sample value that becomes 1.0; `None` for floating point.
    pub(super) full_scale: Option<f64>,
    pub(super) is_rgb: bool,
    pub(super) is_lossy: bool,
    pub(super) pixel_size_um: Option<f32>,
    pub(super) channel_names: Vec<String>,
    pub(super) axes: Option<PlaneAxes>,
    pub(super) warnings: Vec<String>,
}

impl RawImage {
    /// An image without planes yet.
    pub(super) fn new(format: ImageFormat, width: u32, height: u32, bits: u16) -> Self {
        Self {
            format,
            width,
            height,
            planes: Vec::new(),
            bits,
            full_scale: None,
            is_rgb: false,
            is_lossy: false,
            pixel_size_um: None,
            channel_names: Vec::new(),
            axes: None,
            warnings: Vec::new(),
        }
    }
}

/// Largest value of an unsigned sample of `bits` bits (1 to 32).
pub(super) fn unsigned_range(bits: u16) -> f64 {
    ((1u64 << bits.min(63)) - 1) as f64
}

/// Checks what a header claims against the limits, before anything is allocated.
///
/// `samples` is the number of samples a pixel, over all planes that will be read.
pub(super) fn check_size(width: u64, height: u64, samples: u64, limits: &ReadLimits) -> Result<(), Fault> {
    if width == 0 || height == 0 {
        return Err(Fault::Damaged(format!(
            "the header says {width} x {height} pixels, so there are none"
        )));
    }
    let side = u64::from(limits.max_side_px);
    if width > side || height > side {
        return Err(Fault::TooLarge(format!(
            "{width} x {height} pixels, at most {side} on a side are read"
        )));
    }
    // Both sides are below 2^32 here, so their product fits 64 bits.
    let pixels = width * height;
    if pixels > limits.max_plane_px {
        let most = limits.max_plane_px;
        return Err(Fault::TooLarge(format!(
            "{width} x {height} pixels, at most {most} in all are read"
        )));
    }
    if samples > u64::from(limits.max_planes) {
        let most = limits.max_planes;
        return Err(Fault::TooLarge(format!(
            "{samples} samples or planes a pixel, at most {most} are read"
        )));
    }
    if pixels.saturating_mul(samples) > limits.max_samples {
        let most = limits.max_samples;
        return Err(Fault::TooLarge(format!(
            "{samples} planes of {width} x {height} pixels, at most {most} samples in all are read"
        )));
    }
    Ok(())
}

/// A pixel size in µm, if it is one that a microscope can have.
///
/// Files that no microscope wrote state print resolutions (72 dpi is 353 µm), so anything beyond 0.005 to 20 µm is not believed.
pub(super) fn plausible_pixel_size(um: f64) -> Option<f32> {
    (um.is_finite() && (0.005..=20.0).contains(&um)).then_some(um as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_on_the_header_alone() {
        let limits = ReadLimits::default();
        assert_eq!(check_size(64, 48, 1, &limits), Ok(()));
        for (width, height, samples, words) in [
            (0, 48, 1, "0 x 48"),
            (4_294_967_295, 4_294_967_295, 1, "4294967295"),
            (60_000, 60_000, 1, "60000 x 60000"),
            (64, 48, 65_535, "65535 samples"),
            (10_000, 10_000, 3, "3 planes"),
        ] {
            let fault = check_size(width, height, samples, &limits).unwrap_err();
            assert!(
                format!("{fault:?}").contains(words),
                "{fault:?} should name {words}"
            );
        }
    }

    #[test]
    fn print_resolutions_are_no_pixel_sizes() {
        assert_eq!(plausible_pixel_size(0.65), Some(0.65));
        assert_eq!(plausible_pixel_size(25_400.0 / 72.0), None);
        assert_eq!(plausible_pixel_size(f64::INFINITY), None);
        assert_eq!(plausible_pixel_size(f64::NAN), None);
    }
}
