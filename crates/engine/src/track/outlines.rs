//! The pixels of the objects of a frame as runs: a whole movie of outlines fits in memory.

use std::collections::BTreeMap;

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

    /// Pairs of objects (index here, index there) that share pixels, with intersection over union.
    pub(super) fn overlaps(&self, other: &Self) -> Vec<(u32, u32, f32)> {
        let area = |outlines: &Self, index: usize| -> u64 {
            outlines.runs[index]
                .iter()
                .map(|run| u64::from(run.2 - run.1))
                .sum()
        };
        let mut rows: Vec<Vec<(u32, u32, u32)>> = vec![Vec::new(); self.shape.0];
        for (index, runs) in other.runs.iter().enumerate() {
            for &(row, start, end) in runs {
                if let Some(row) = rows.get_mut(row as usize) {
                    row.push((start, end, index as u32));
                }
            }
        }
        rows.iter_mut().for_each(|row| row.sort_unstable());
        let mut found = Vec::new();
        for (index, runs) in self.runs.iter().enumerate() {
            let mut shared: BTreeMap<u32, u64> = BTreeMap::new();
            for &(row, start, end) in runs {
                let there = &rows[row as usize];
                let from = there.partition_point(|run| run.1 <= start);
                for &(a, b, with) in there[from..].iter().take_while(|run| run.0 < end) {
                    *shared.entry(with).or_default() += u64::from(b.min(end) - a.max(start));
                }
            }
            for (with, both) in shared {
                let union = area(self, index) + area(other, with as usize) - both;
                found.push((index as u32, with, both as f32 / union as f32));
            }
        }
        found
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
    fn overlaps_are_those_of_the_label_images() {
        let map = |shift: usize| {
            Labels::relabel(ndarray::Array2::from_shape_fn((40, 50), |(r, c)| {
                let (row, column) = (r / 7, (c + shift) / 9);
                if r % 7 < 5 && (c + shift) % 9 < 7 && (row + column) % 3 > 0 {
                    (row * 20 + column + 1) as u32
                } else {
                    0
                }
            }))
        };
        let (a, b) = (map(0), map(4));
        let ours = Outlines::of(&a).overlaps(&Outlines::of(&b));
        let theirs: Vec<(u32, u32, f32)> = image::overlaps(&a, &b)
            .into_iter()
            .map(|(a, b, iou)| (a - 1, b - 1, iou as f32))
            .collect();
        assert!(!ours.is_empty());
        assert_eq!(ours, theirs);
    }

    #[test]
    fn a_square_is_round_and_a_line_is_not() {
        let square = Outlines::of(&Labels::relabel(ndarray::Array2::ones((6, 6))));
        assert!((square.moments()[0].roundness - 1.0).abs() < 1e-12);
        let line = Outlines::of(&Labels::relabel(ndarray::Array2::ones((1, 10))));
        assert!((line.moments()[0].roundness - 0.1).abs() < 1e-12);
    }
}
