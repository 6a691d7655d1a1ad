//! Which values of a map a direct convolution multiplies: the window of each output pixel, copied to a blocked matrix.
//!
//! The copies are small (a register tile of pixels at a time), and make borders, steps and channel counts that are no
//! multiple of sixteen a matter of this file alone.

use super::vectors::LANES;
use super::winograd_transforms::Map;

/// Output pixels on a grid and the values that belong to each.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    /// Rows and columns of one image's grid.
    pub rows: usize,
    pub columns: usize,
    /// Pixels of the map between two grid points.
    pub step: usize,
    /// Row and column of each tap, from the grid point's pixel.
    pub taps: Vec<(isize, isize)>,
}

impl Grid {
    /// Values of one grid point, filled up to whole blocks.
    pub(crate) fn depth(&self, channels: usize) -> usize {
        (self.taps.len() * channels).next_multiple_of(LANES)
    }

    /// Image, row and column of a point, counted over the batch.
    #[inline(always)]
    pub(crate) fn place(&self, point: usize) -> (usize, usize, usize) {
        let inside = point % (self.rows * self.columns);
        (
            point / (self.rows * self.columns),
            inside / self.columns,
            inside % self.columns,
        )
    }

    /// Index in the map of the first channel that tap `tap` reads at a point, if it is inside.
    #[inline(always)]
    fn pixel(
        &self,
        map: &Map,
        (image, row, column): (usize, usize, usize),
        tap: (isize, isize),
    ) -> Option<usize> {
        let y = (row * self.step) as isize + tap.0;
        let x = (column * self.step) as isize + tap.1;
        ((0..map.height as isize).contains(&y) && (0..map.width as isize).contains(&x))
            .then(|| ((image * map.height + y as usize) * map.width + x as usize) * map.channels)
    }

    /// Copies the window of `point` to row `row` of a blocked matrix with `rows` rows a block: [value / 16][row][value % 16].
    ///
    /// Values are (tap, channel). Panics if the map ends before the grid does, or the matrix before the row.
    #[inline(always)]
    pub(crate) fn copy(&self, map: &Map, point: usize, to: &mut [f32], (row, rows): (usize, usize)) {
        let place = self.place(point);
        let block = rows * LANES;
        if map.channels.is_multiple_of(LANES) {
            let blocks = map.channels / LANES;
            for (index, &tap) in self.taps.iter().enumerate() {
                let start = index * blocks * block + row * LANES;
                match self.pixel(map, place, tap) {
                    Some(from) => {
                        let from = &map.values[from..from + map.channels];
                        for (index, from) in from.chunks_exact(LANES).enumerate() {
                            let at = start + index * block;
                            to[at..at + LANES].copy_from_slice(from);
                        }
                    }
                    None => {
                        for index in 0..blocks {
                            let at = start + index * block;
                            to[at..at + LANES].fill(0.0);
                        }
                    }
                }
            }
            return;
        }
        let mut at = 0;
        for &tap in &self.taps {
            let from = self.pixel(map, place, tap);
            for channel in 0..map.channels {
                to[at / LANES * block + row * LANES + at % LANES] =
                    from.map_or(0.0, |from| map.values[from + channel]);
                at += 1;
            }
        }
        while !at.is_multiple_of(LANES) {
            to[at / LANES * block + row * LANES + at % LANES] = 0.0;
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_at_the_corner_have_zeros_outside() {
        let values: Vec<f32> = (1..=12).map(|v| v as f32).collect();
        let map = Map {
            values: &values,
            height: 2,
            width: 3,
            channels: 2,
        };
        let grid = Grid {
            rows: 1,
            columns: 2,
            step: 2,
            taps: vec![(-1, 0), (0, 0), (0, 1), (1, 1)],
        };
        let mut rows = vec![f32::NAN; 2 * LANES];
        grid.copy(&map, 0, &mut rows, (0, 2));
        grid.copy(&map, 1, &mut rows, (1, 2));
        let (first, second) = rows.split_at(LANES);
        assert_eq!(first[..9], [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 9.0, 10.0, 0.0]);
        assert_eq!(second[..9], [0.0, 0.0, 5.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(rows.iter().all(|value| value.is_finite()));
    }
}
