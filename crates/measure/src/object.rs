//! The pixels of one object.

use image::{Labels, PixelBox};

/// The pixels of one object, in row-major order, and its box.
#[derive(Clone, Debug)]
pub(crate) struct ObjectPixels {
    /// (row, column) of each pixel.
    pub pixels: Vec<(usize, usize)>,
    /// The smallest box around them.
    pub bounds: PixelBox,
}

impl ObjectPixels {
    /// All objects of a label image, in label order.
    pub fn all(labels: &Labels) -> Vec<Self> {
        let mut objects: Vec<Self> = labels
            .boxes()
            .into_iter()
            .zip(labels.areas())
            .map(|(bounds, area)| Self {
                pixels: Vec::with_capacity(area as usize),
                bounds,
            })
            .collect();
        for (pixel, &label) in labels.map.indexed_iter() {
            if label > 0 {
                objects[label as usize - 1].pixels.push(pixel);
            }
        }
        objects
    }

    /// The box with a border of one pixel around it, true on the object: (mask, row length).
    pub fn padded_mask(&self) -> (Vec<bool>, usize) {
        let width = self.bounds.cols() + 2;
        let mut mask = vec![false; width * (self.bounds.rows() + 2)];
        for &(row, col) in &self.pixels {
            mask[(row - self.bounds.row0 + 1) * width + col - self.bounds.col0 + 1] = true;
        }
        (mask, width)
    }

    /// First and last column of the object in each row that it reaches: (row, first, last), rows ascending.
    pub fn row_extremes(&self) -> Vec<(i64, i64, i64)> {
        let mut extremes: Vec<(i64, i64, i64)> = Vec::with_capacity(self.bounds.rows());
        for &(row, col) in &self.pixels {
            let (row, col) = (row as i64, col as i64);
            match extremes.last_mut() {
                Some(last) if last.0 == row => last.2 = col,
                _ => extremes.push((row, col, col)),
            }
        }
        extremes
    }
}
