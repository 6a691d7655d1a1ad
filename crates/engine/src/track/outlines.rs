//! The pixels of the objects of a frame as runs: a whole movie of outlines fits in memory.

use image::Labels;

/// A label image by runs of equal number along the rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outlines {
    /// Rows and columns.
    pub(super) shape: (usize, usize),
    /// Runs by object (its number − 1): row, first column, one past the last.
    pub(super) runs: Vec<Vec<(u32, u32, u32)>>,
}

/// Size, place and shape of an object by its moments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moments {
    /// Pixels.
    pub(super) area: f64,
    /// Mean column.
    pub(super) x: f64,
    /// Mean row.
    pub(super) y: f64,
    /// Minor over major axis of the ellipse of equal second moments, 0 to 1.
    pub(super) roundness: f64,
}

impl Outlines {
    /// The runs of a label image.
    pub(super) fn of(labels: &Labels) -> Self {
        let mut runs = vec![Vec::new(); labels.n as usize];
        for (row, line) in labels.map.rows().into_iter().enumerate() {
            let mut column = 0;
            while column < line.len() {
                let label = line[column];
                let start = column;
                while column < line.len() && line[column] == label {
                    column += 1;
                }
                if label > 0 {
                    runs[label as usize - 1].push((row as u32, start as u32, column as u32));
                }
            }
        }
        Self {
            shape: labels.shape(),
            runs,
        }
    }

    /// Number of objects.
    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Moments of every object; pixel centres at whole numbers, each pixel a square of side 1.
    pub(super) fn moments(&self) -> Vec<Moments> {
        self.runs.iter().map(|runs| moments(runs)).collect()
    }

    /// All pixels (row, column) of an object.
    pub(super) fn pixels(&self, index: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.runs[index]
            .iter()
            .flat_map(|&(row, start, end)| (start..end).map(move |column| (row as usize, column as usize)))
    }
}

fn moments(runs: &[(u32, u32, u32)]) -> Moments {
    let (mut n, mut sx, mut sy) = (0.0, 0.0, 0.0);
    for &(row, start, end) in runs {
        let length = f64::from(end - start);
        n += length;
        sx += length * f64::from(start + end - 1) / 2.0;
        sy += length * f64::from(row);
    }
    if n == 0.0 {
        return Moments::default();
    }
    let (x, y) = (sx / n, sy / n);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for &(row, start, end) in runs {
        let length = f64::from(end - start);
        let (dx, dy) = (f64::from(start + end - 1) / 2.0 - x, f64::from(row) - y);
        xx += length * (dx * dx + (length * length - 1.0) / 12.0);
        xy += length * dx * dy;
        yy += length * dy * dy;
    }
    // The twelfth of a square pixel's own moment keeps one-pixel objects round.
    let (xx, xy, yy) = (xx / n + 1.0 / 12.0, xy / n, yy / n + 1.0 / 12.0);
    let spread = (((xx - yy) / 2.0).powi(2) + xy * xy).sqrt();
    let (large, small) = ((xx + yy) / 2.0 + spread, (xx + yy) / 2.0 - spread);
    Moments {
        area: n,
        x,
        y,
        roundness: (small.max(0.0) / large).sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn runs_hold_the_label_image() {
        let labels = Labels::relabel(array![[1, 1, 0, 2], [1, 0, 3, 2], [0, 3, 3, 3]]);
        let outlines = Outlines::of(&labels);
        for index in 0..outlines.len() {
            assert!(
                outlines
                    .pixels(index)
                    .all(|pixel| labels.map[pixel] == index as u32 + 1)
            );
        }
        assert_eq!(outlines.runs[2], [(1, 2, 3), (2, 1, 4)]);
        let first = outlines.moments()[0];
        assert_eq!((first.area, first.x, first.y), (3.0, 1.0 / 3.0, 1.0 / 3.0));
    }

    #[test]
    fn a_square_is_round_and_a_line_is_not() {
        let square = Outlines::of(&Labels::relabel(ndarray::Array2::ones((6, 6))));
        assert!((square.moments()[0].roundness - 1.0).abs() < 1e-12);
        let line = Outlines::of(&Labels::relabel(ndarray::Array2::ones((1, 10))));
        assert!((line.moments()[0].roundness - 0.1).abs() < 1e-12);
    }
}
