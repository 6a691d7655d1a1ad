//! Small movies of discs for tests: label images, tables.
#![allow(dead_code, reason = "every test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;

use crate::support::{Ended, rows_of, run};

/// A folder of a test with inputs and results.
pub struct Bench {
    pub folder: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Writes a text.
    pub fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self.path(name)
    }

    /// Writes a label image of discs: (column, row, radius, number).
    pub fn labels(&self, name: &str, size: (u32, u32), discs: &[(f64, f64, f64, u16)]) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut pixels = vec![0u16; (size.0 * size.1) as usize];
        for (at, pixel) in pixels.iter_mut().enumerate() {
            let (x, y) = (f64::from(at as u32 % size.0), f64::from(at as u32 / size.0));
            for disc in discs {
                if (x - disc.0).hypot(y - disc.1) <= disc.2 {
                    *pixel = disc.3;
                }
            }
        }
        write_png_16(&path, size, &pixels);
    }

    /// Tracks into a folder of the test.
    pub fn track(&self, arguments: &[&str], out: &str) -> Ended {
        let out = self.path(out);
        let mut all = vec!["track"];
        all.extend(arguments);
        all.extend(["--out", &out]);
        run(&all)
    }

    /// Text of a file.
    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// (track, frame, x, y, mother) of a run's tracks.
    pub fn tracks(&self, out: &str) -> Vec<(u32, u32, f64, f64, u32)> {
        rows_of(&self.text(&format!("{out}/tracks.csv")))
            .iter()
            .map(|row| {
                let number = |name: &str| row[name].parse::<f64>().unwrap();
                (
                    number("track_id") as u32,
                    number("frame") as u32,
                    number("x"),
                    number("y"),
                    number("parent_id") as u32,
                )
            })
            .collect()
    }
}

/// Writes a 16-bit grey PNG.
pub fn write_png_16(path: &Path, (width, height): (u32, u32), pixels: &[u16]) {
    let file = std::fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Sixteen);
    let bytes: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_be_bytes()).collect();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&bytes).unwrap();
    writer.finish().unwrap();
}

/// A step that differs from cell to cell and frame to frame, in -2..=2, by arithmetic alone.
pub fn step(cell: usize, frame: usize) -> (f64, f64) {
    let hash = (cell * 7919 + frame * 104_729 + 12_345) % 10_007;
    ((hash % 9) as f64 / 2.0 - 2.0, (hash / 9 % 9) as f64 / 2.0 - 2.0)
}

/// Positions of `cells` cells on a grid of `spacing` pixels that wander for `frames` frames; by frame.
pub fn wandering(cells: usize, frames: usize, spacing: f64) -> Vec<Vec<(f64, f64)>> {
    let columns = (cells as f64).sqrt().ceil() as usize;
    let mut at: Vec<(f64, f64)> = (0..cells)
        .map(|cell| {
            (
                spacing * ((cell % columns) as f64 + 1.0),
                spacing * ((cell / columns) as f64 + 1.0),
            )
        })
        .collect();
    (0..frames)
        .map(|frame| {
            for (cell, place) in at.iter_mut().enumerate() {
                let (dx, dy) = step(cell, frame);
                *place = (place.0 + dx / 2.0, place.1 + dy / 2.0);
            }
            at.clone()
        })
        .collect()
}

/// A table of positions by frame.
pub fn table(frames: &[Vec<(f64, f64)>]) -> String {
    let mut text = "frame,x,y\n".to_owned();
    for (t, points) in frames.iter().enumerate() {
        for (x, y) in points {
            text.push_str(&format!("{t},{x},{y}\n"));
        }
    }
    text
}
