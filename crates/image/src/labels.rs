//! Label images: which object every pixel belongs to.
//!
//! Everything that is said about an object downstream (features, classes, agreement) is a list in the order of the
//! label numbers, so the numbers must be dense and their order must not depend on how the objects were found.

use std::collections::HashMap;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, Slice};

/// A label image: 0 is background, `1..=n` are objects, without gaps.
///
/// Objects are numbered in reading order: rows from the top, columns from the left, by the first pixel of each object.
/// An object need not be connected (label images of users may hold objects in several parts).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Object number of each pixel, rows × columns.
    pub map: Array2<u32>,
    /// Number of objects; the largest value in `map`.
    pub n: u32,
}

/// The smallest box around an object: rows `row0..row1`, columns `col0..col1` (ends exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelBox {
    /// First row.
    pub row0: usize,
    /// First column.
    pub col0: usize,
    /// One past the last row.
    pub row1: usize,
    /// One past the last column.
    pub col1: usize,
}

impl PixelBox {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.row1 - self.row0
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.col1 - self.col0
    }

    /// The part of `whole` inside the box (`ndarray::s!` may not be used under `forbid(unsafe_code)`).
    pub fn of<'a, T>(&self, mut whole: ArrayView2<'a, T>) -> ArrayView2<'a, T> {
        whole.slice_axis_inplace(Axis(0), Slice::from(self.row0..self.row1));
        whole.slice_axis_inplace(Axis(1), Slice::from(self.col0..self.col1));
        whole
    }

    /// The part of `whole` inside the box, to be written to.
    pub fn of_mut<'a, T>(&self, mut whole: ArrayViewMut2<'a, T>) -> ArrayViewMut2<'a, T> {
        whole.slice_axis_inplace(Axis(0), Slice::from(self.row0..self.row1));
        whole.slice_axis_inplace(Axis(1), Slice::from(self.col0..self.col1));
        whole
    }

    /// The box widened by `by` pixels on every side and cut at the borders of a `shape` (rows, columns) image.
    pub fn grown(&self, by: usize, shape: (usize, usize)) -> Self {
        Self {
            row0: self.row0.saturating_sub(by),
            col0: self.col0.saturating_sub(by),
            row1: (self.row1 + by).min(shape.0),
            col1: (self.col1 + by).min(shape.1),
        }
    }
}

impl Labels {
    /// A label image without objects.
    pub fn empty(shape: (usize, usize)) -> Self {
        Self {
            map: Array2::zeros(shape),
            n: 0,
        }
    }

    /// Renumbers any label image to dense numbers in reading order; equal values stay one object, 0 stays background.
    pub fn relabel(mut map: Array2<u32>) -> Self {
        let mut number_of: HashMap<u32, u32> = HashMap::new();
        let (mut last, mut last_number, mut n) = (0u32, 0u32, 0u32);
        for value in &mut map {
            if *value == 0 {
                continue;
            }
            if *value != last {
                last = *value;
                last_number = *number_of.entry(last).or_insert_with(|| {
                    n += 1;
                    n
                });
            }
            *value = last_number;
        }
        Self { map, n }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        self.map.dim()
    }

    /// Pixel count of each object, in label order.
    pub fn areas(&self) -> Vec<u32> {
        let mut areas = vec![0u32; self.n as usize];
        for &label in &self.map {
            if label > 0 {
                areas[label as usize - 1] += 1;
            }
        }
        areas
    }

    /// The smallest box around each object, in label order; rows and columns 0..0 for a number without pixels.
    pub fn boxes(&self) -> Vec<PixelBox> {
        let empty = PixelBox {
            row0: usize::MAX,
            col0: usize::MAX,
            row1: 0,
            col1: 0,
        };
        let mut boxes = vec![empty; self.n as usize];
        for ((row, col), &label) in self.map.indexed_iter() {
            if label > 0 {
                let b = &mut boxes[label as usize - 1];
                b.row0 = b.row0.min(row);
                b.col0 = b.col0.min(col);
                b.row1 = b.row1.max(row + 1);
                b.col1 = b.col1.max(col + 1);
            }
        }
        for b in boxes.iter_mut().filter(|b| b.row1 == 0) {
            *b = PixelBox {
                row0: 0,
                col0: 0,
                row1: 0,
                col1: 0,
            };
        }
        boxes
    }

    /// The objects with at least `min_area` pixels, renumbered.
    pub fn without_smaller_than(self, min_area: u32) -> Self {
        let areas = self.areas();
        let mut map = self.map;
        map.mapv_inplace(|l| {
            if l > 0 && areas[l as usize - 1] >= min_area {
                l
            } else {
                0
            }
        });
        Self::relabel(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn relabel_is_dense_and_in_reading_order() {
        let labels = Labels::relabel(array![[0, 7, 7], [u32::MAX, 0, 7], [3, 3, u32::MAX]]);
        assert_eq!(labels.n, 3);
        assert_eq!(labels.map, array![[0, 1, 1], [2, 0, 1], [3, 3, 2]]);
    }

    #[test]
    fn areas_boxes_and_small_objects() {
        let labels = Labels::relabel(array![[0, 1, 1], [2, 0, 1], [2, 3, 0]]);
        assert_eq!(labels.areas(), vec![3, 2, 1]);
        assert_eq!(
            labels.boxes()[1],
            PixelBox {
                row0: 1,
                col0: 0,
                row1: 3,
                col1: 1
            }
        );
        assert_eq!(
            labels.boxes()[2].grown(5, (3, 3)),
            PixelBox {
                row0: 0,
                col0: 0,
                row1: 3,
                col1: 3
            }
        );
        let kept = labels.without_smaller_than(2);
        assert_eq!(kept.map, array![[0, 1, 1], [2, 0, 1], [2, 0, 0]]);
    }
}
