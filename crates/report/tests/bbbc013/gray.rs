//! Grey pictures: reading, cropping, encoding, finding bright spots.

use std::path::Path;

/// A grey picture.
#[derive(Clone)]
pub struct Gray {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

impl Gray {
    pub fn read(path: &Path) -> Self {
        let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let mut reader = png::Decoder::new(std::io::BufReader::new(file))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(
            (info.color_type, info.bit_depth),
            (png::ColorType::Grayscale, png::BitDepth::Eight)
        );
        Self {
            width: info.width as usize,
            height: info.height as usize,
            pixels,
        }
    }

    pub fn crop(&self, (row, column): (usize, usize), side: usize) -> Self {
        let (row, column) = (row.min(self.height - side), column.min(self.width - side));
        let lines = (row..row + side).flat_map(|r| self.pixels[r * self.width + column..][..side].to_vec());
        Self {
            width: side,
            height: side,
            pixels: lines.collect(),
        }
    }

    pub fn halved(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let at = |r: usize, c: usize| u32::from(self.pixels[r * self.width + c]);
        let mean = |r: usize, c: usize| {
            ((at(2 * r, 2 * c) + at(2 * r + 1, 2 * c) + at(2 * r, 2 * c + 1) + at(2 * r + 1, 2 * c + 1) + 2)
                / 4) as u8
        };
        let pixels = (0..height)
            .flat_map(|r| (0..width).map(move |c| (r, c)))
            .map(|(r, c)| mean(r, c))
            .collect();
        Self {
            width,
            height,
            pixels,
        }
    }

    pub fn png(&self, low: f64, high: f64) -> Vec<u8> {
        let stretched: Vec<u8> = self
            .pixels
            .iter()
            .map(|p| (255.0 * (f64::from(*p) - low) / (high - low)).clamp(0.0, 255.0) as u8)
            .collect();
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&stretched).unwrap();
        writer.finish().unwrap();
        bytes
    }

    /// Bright spots of about a nucleus, at least 40 pixels apart, brightest first: (row, column, mean).
    pub fn spots(&self) -> Vec<(usize, usize, f64)> {
        let mean = |r: usize, c: usize| {
            let sum: u32 = (r - 4..=r + 4)
                .flat_map(|r| (c - 4..=c + 4).map(move |c| (r, c)))
                .map(|(r, c)| u32::from(self.pixels[r * self.width + c]))
                .sum();
            f64::from(sum) / 81.0
        };
        let mut found: Vec<(usize, usize, f64)> = Vec::new();
        let grid = (32..self.height.saturating_sub(32)).step_by(6).flat_map(|r| {
            (32..self.width.saturating_sub(32))
                .step_by(6)
                .map(move |c| (r, c))
        });
        let mut all: Vec<(usize, usize, f64)> = grid.map(|(r, c)| (r, c, mean(r, c))).collect();
        all.sort_by(|a, b| b.2.total_cmp(&a.2));
        for spot in all {
            if spot.2 > 40.0
                && found
                    .iter()
                    .all(|f| f.0.abs_diff(spot.0).max(f.1.abs_diff(spot.1)) > 40)
            {
                found.push(spot);
            }
        }
        found
    }
}
