//! Small pictures for people: 8 bits at a stated contrast, as PNG.

use ndarray::{Array2, Array3, ArrayBase, ArrayView2, Data, Ix2, Ix3};

use crate::percentile::percentiles;

/// `plane` as 8 bits: `low` and below becomes 0, `high` and above 255, linear between, rounded; NaN becomes 0.
///
/// If `high` is not above `low`, values above `low` become 255 and all others 0.
pub fn to_u8(plane: ArrayView2<f32>, low: f32, high: f32) -> Array2<u8> {
    let span = high - low;
    plane.mapv(|v| {
        if span > 0.0 {
            // A float cast saturates and turns NaN into 0.
            ((v - low) / span * 255.0).round() as u8
        } else if v > low {
            255
        } else {
            0
        }
    })
}

/// One contrast for several pictures that are to be compared: the given percentiles of all their pixels together.
///
/// Returns (low, high) in the pictures' units; (0, 1) when there is no finite pixel.
pub fn common_contrast(planes: &[ArrayView2<f32>], low_percent: f64, high_percent: f64) -> (f32, f32) {
    let values = planes.iter().flat_map(|p| p.iter().copied());
    percentiles(values, [low_percent, high_percent]).map_or((0.0, 1.0), |[low, high]| (low, high))
}

/// A gray picture with the `true` pixels of `mask` painted in `color` (red, green, blue): rows × columns × 3.
///
/// # Panics
/// If the shapes differ.
pub fn paint_mask(gray: ArrayView2<u8>, mask: ArrayView2<bool>, color: [u8; 3]) -> Array3<u8> {
    assert_eq!(
        gray.dim(),
        mask.dim(),
        "picture and mask must have the same shape"
    );
    let (rows, cols) = gray.dim();
    Array3::from_shape_fn((rows, cols, 3), |(row, col, c)| {
        if mask[(row, col)] {
            color[c]
        } else {
            gray[(row, col)]
        }
    })
}

/// A gray picture (rows × columns) as a PNG file; a picture without pixels becomes one black pixel.
pub fn encode_png_gray<S: Data<Elem = u8>>(picture: ArrayBase<S, Ix2>) -> Vec<u8> {
    let (rows, cols) = picture.dim();
    encode(
        rows,
        cols,
        png::ColorType::Grayscale,
        picture.iter().copied().collect(),
    )
}

/// A color picture (rows × columns × red, green, blue) as a PNG file; a picture without pixels becomes one black pixel.
///
/// # Panics
/// If the last axis does not have 3 entries.
pub fn encode_png_rgb<S: Data<Elem = u8>>(picture: ArrayBase<S, Ix3>) -> Vec<u8> {
    let (rows, cols, channels) = picture.dim();
    assert_eq!(channels, 3, "the last axis must be red, green, blue");
    encode(rows, cols, png::ColorType::Rgb, picture.iter().copied().collect())
}

fn encode(rows: usize, cols: usize, color: png::ColorType, mut samples: Vec<u8>) -> Vec<u8> {
    let (mut rows, mut cols) = (rows as u32, cols as u32);
    if samples.is_empty() {
        (rows, cols) = (1, 1);
        samples = vec![0; color.samples()];
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, cols, rows);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&samples)?;
        writer.finish()
    });
    // Memory cannot refuse a write, and size and depth were just made to fit.
    assert!(
        written.is_ok(),
        "a PNG of {rows} × {cols} pixels could not be encoded: {written:?}"
    );
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn decode(file: &[u8]) -> (u32, u32, png::ColorType, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut buffer).unwrap();
        buffer.truncate(info.buffer_size());
        (info.height, info.width, info.color_type, buffer)
    }

    #[test]
    fn eight_bits_at_a_contrast() {
        let plane = array![[-1.0, 0.2, 0.5, 0.8, 9.0, f32::NAN]];
        assert_eq!(to_u8(plane.view(), 0.2, 0.8), array![[0, 0, 128, 255, 255, 0]]);
        assert_eq!(to_u8(plane.view(), 0.5, 0.5), array![[0, 0, 0, 255, 255, 0]]);
        let other = array![[0.0, 10.0f32]];
        assert_eq!(
            common_contrast(&[plane.view(), other.view()], 0.0, 100.0),
            (-1.0, 10.0)
        );
        assert_eq!(common_contrast(&[], 1.0, 99.0), (0.0, 1.0));
    }

    #[test]
    fn png_holds_what_was_put_in() {
        let gray = Array2::from_shape_fn((3, 5), |(r, c)| (r * 50 + c) as u8);
        let (h, w, color, pixels) = decode(&encode_png_gray(gray.view()));
        assert_eq!((h, w, color), (3, 5, png::ColorType::Grayscale));
        assert_eq!(pixels, gray.iter().copied().collect::<Vec<_>>());
        let mask = gray.mapv(|v| v == 51);
        let painted = paint_mask(gray.view(), mask.view(), [255, 0, 7]);
        let (h, w, color, pixels) = decode(&encode_png_rgb(painted.view()));
        assert_eq!((h, w, color), (3, 5, png::ColorType::Rgb));
        assert_eq!(&pixels[18..24], &[255, 0, 7, 52, 52, 52]);
        assert_eq!(decode(&encode_png_gray(Array2::zeros((0, 4)).view())).3, vec![0]);
    }
}
