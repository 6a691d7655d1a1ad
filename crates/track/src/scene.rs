//! A movie laid out flat: positions without drift, by frame, with the field they lie in.

use std::ops::Range;

use rayon::prelude::*;

use crate::Detections;
use crate::drift::estimate_drift;

/// All detections of a movie in one numbering: frame by frame, in the order of the input.
pub(crate) struct Scene {
    /// Positions with the drift taken off, pixels.
    pub position: Vec<[f64; 2]>,
    /// Distance to the nearest edge of the field, pixels, 0 or more.
    pub border: Vec<f64>,
    /// Distance to the nearest other detection of the frame, pixels; infinite for a single one.
    pub nearest: Vec<f64>,
    /// First detection of each frame, and the number of detections at the end.
    pub start: Vec<usize>,
    /// Shift of each frame against the one before.
    pub drift: Vec<[f64; 2]>,
    /// Field area per object: the unit in which densities are given.
    pub area_per_object: f64,
    /// Half of the field's shorter side.
    pub half_field: f64,
}

impl Scene {
    /// Lays out detections that were checked.
    pub fn new(detections: &Detections) -> Self {
        let frames: Vec<Vec<[f64; 2]>> = detections
            .frames
            .iter()
            .map(|f| f.x.iter().zip(&f.y).map(|(&x, &y)| [x, y]).collect())
            .collect();
        let drift = estimate_drift(&frames);
        let (low, high) = field_box(detections);
        let mut scene = Self {
            position: Vec::with_capacity(detections.len()),
            border: Vec::with_capacity(detections.len()),
            nearest: vec![],
            start: vec![0],
            drift,
            area_per_object: 1.0,
            half_field: ((high[0] - low[0]).min(high[1] - low[1]) / 2.0).max(1.0),
        };
        let mut shift = [0.0, 0.0];
        for (t, frame) in frames.iter().enumerate() {
            shift = [shift[0] + scene.drift[t][0], shift[1] + scene.drift[t][1]];
            for p in frame {
                scene.position.push([p[0] - shift[0], p[1] - shift[1]]);
                let edge = (p[0] - low[0])
                    .min(high[0] - p[0])
                    .min((p[1] - low[1]).min(high[1] - p[1]));
                scene.border.push(edge.max(0.0));
            }
            scene.start.push(scene.position.len());
        }
        let area = ((high[0] - low[0]) * (high[1] - low[1])).max(1.0);
        let occupied = frames.iter().filter(|f| !f.is_empty()).count().max(1);
        scene.area_per_object = area * occupied as f64 / scene.position.len().max(1) as f64;
        scene.nearest = scene.nearest_in_frames();
        scene
    }

    fn nearest_in_frames(&self) -> Vec<f64> {
        let frames: Vec<Vec<f64>> = (0..self.frames())
            .into_par_iter()
            .map(|t| {
                let objects = self.objects(t);
                let grid = Grid::new(&self.position[objects.clone()], objects.start);
                objects
                    .map(|i| grid.nearest_other(self.position[i], i as u32))
                    .collect()
            })
            .collect();
        frames.concat()
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.start.len() - 1
    }

    /// Detections of a frame.
    pub fn objects(&self, frame: usize) -> Range<usize> {
        self.start[frame]..self.start[frame + 1]
    }

    /// Vector from one detection to another, drift taken off.
    pub fn step(&self, from: usize, to: usize) -> [f64; 2] {
        let (a, b) = (self.position[from], self.position[to]);
        [b[0] - a[0], b[1] - a[1]]
    }
}

/// Lower and upper corner of the field: as given, else the box around all detections.
fn field_box(detections: &Detections) -> ([f64; 2], [f64; 2]) {
    if let Some((w, h)) = detections.field {
        return ([0.0, 0.0], [w, h]);
    }
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for frame in &detections.frames {
        for (&x, &y) in frame.x.iter().zip(&frame.y) {
            low = [low[0].min(x), low[1].min(y)];
            high = [high[0].max(x), high[1].max(y)];
        }
    }
    if low[0] > high[0] {
        ([0.0; 2], [1.0; 2])
    } else {
        (low, high)
    }
}

/// Points of one frame in square cells, for neighbour queries.
pub(crate) struct Grid {
    origin: [f64; 2],
    cell: f64,
    columns: usize,
    rows: usize,
    start: Vec<u32>,
    points: Vec<([f64; 2], u32)>,
}

impl Grid {
    /// Sorts points into cells that hold about two each. `first` is the number of the first point.
    pub fn new(points: &[[f64; 2]], first: usize) -> Self {
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for p in points {
            low = [low[0].min(p[0]), low[1].min(p[1])];
            high = [high[0].max(p[0]), high[1].max(p[1])];
        }
        if points.is_empty() {
            (low, high) = ([0.0; 2], [1.0; 2]);
        }
        let span = [(high[0] - low[0]).max(1e-9), (high[1] - low[1]).max(1e-9)];
        let wanted = (points.len() / 2).max(1) as f64;
        let cell = (span[0] * span[1] / wanted)
            .sqrt()
            .max(span[0].max(span[1]) / 2048.0);
        let columns = (span[0] / cell) as usize + 1;
        let rows = (span[1] / cell) as usize + 1;
        let place = |p: &[f64; 2]| {
            let c = (((p[0] - low[0]) / cell) as usize).min(columns - 1);
            let r = (((p[1] - low[1]) / cell) as usize).min(rows - 1);
            r * columns + c
        };
        let mut start = vec![0u32; rows * columns + 1];
        for p in points {
            start[place(p) + 1] += 1;
        }
        for i in 1..start.len() {
            start[i] += start[i - 1];
        }
        let mut next = start.clone();
        let mut sorted = vec![([0.0; 2], 0u32); points.len()];
        for (i, p) in points.iter().enumerate() {
            let slot = &mut next[place(p)];
            sorted[*slot as usize] = (*p, (first + i) as u32);
            *slot += 1;
        }
        Self {
            origin: low,
            cell,
            columns,
            rows,
            start,
            points: sorted,
        }
    }

    /// Calls `visit` with number and squared distance of each point within `radius`, cell by cell in a fixed order.
    pub fn within(&self, p: [f64; 2], radius: f64, mut visit: impl FnMut(u32, f64)) {
        let reach = |x: f64, low: f64, n: usize| {
            let a = ((x - radius - low) / self.cell)
                .floor()
                .clamp(0.0, (n - 1) as f64);
            let b = ((x + radius - low) / self.cell)
                .floor()
                .clamp(0.0, (n - 1) as f64);
            a as usize..=b as usize
        };
        let limit = radius * radius;
        for row in reach(p[1], self.origin[1], self.rows) {
            let columns = reach(p[0], self.origin[0], self.columns);
            let from = self.start[row * self.columns + columns.start()] as usize;
            let to = self.start[row * self.columns + columns.end() + 1] as usize;
            for (q, index) in &self.points[from..to] {
                let d2 = (q[0] - p[0]).powi(2) + (q[1] - p[1]).powi(2);
                if d2 <= limit {
                    visit(*index, d2);
                }
            }
        }
    }

    /// Distance from point `own` of the grid to the nearest other; infinite if there is none.
    pub fn nearest_other(&self, p: [f64; 2], own: u32) -> f64 {
        let mut radius = self.cell;
        let diagonal = self.cell * (self.rows + self.columns) as f64;
        loop {
            let mut best = f64::INFINITY;
            self.within(p, radius, |index, d2| {
                if index != own {
                    best = best.min(d2);
                }
            });
            if best.is_finite() || radius > diagonal {
                return best.sqrt();
            }
            radius *= 2.0;
        }
    }

    /// Number and squared distance of the nearest point, the lower number of equals; `None` if there is no point.
    pub fn nearest(&self, p: [f64; 2]) -> Option<(u32, f64)> {
        if self.points.is_empty() {
            return None;
        }
        let mut radius = self.cell;
        loop {
            let mut best: Option<(u32, f64)> = None;
            self.within(p, radius, |index, d2| {
                if best.is_none_or(|(i, d)| d2 < d || (d2 == d && index < i)) {
                    best = Some((index, d2));
                }
            });
            if best.is_some() {
                return best;
            }
            radius *= 2.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_finds_what_a_scan_finds() {
        let points: Vec<[f64; 2]> = (0..300)
            .map(|k| [f64::from(k * 7919 % 1009), f64::from(k * 104_729 % 997)])
            .collect();
        let grid = Grid::new(&points, 5);
        for p in [[0.0, 0.0], [500.0, 500.0], [2000.0, -50.0]] {
            let far = |q: &[f64; 2]| (q[0] - p[0]).powi(2) + (q[1] - p[1]).powi(2);
            let mut found = vec![];
            grid.within(p, 120.0, |i, _| found.push(i as usize - 5));
            found.sort_unstable();
            let scan: Vec<usize> = (0..300).filter(|&k| far(&points[k]) <= 120.0 * 120.0).collect();
            assert_eq!(found, scan);
            let (nearest, d2) = grid.nearest(p).unwrap();
            assert_eq!(d2, points.iter().map(far).fold(f64::INFINITY, f64::min));
            assert_eq!(d2, far(&points[nearest as usize - 5]));
        }
        assert_eq!(Grid::new(&[], 0).nearest([0.0, 0.0]), None);
        assert!(
            Grid::new(&[[3.0, 3.0]], 0)
                .nearest_other([3.0, 3.0], 0)
                .is_infinite()
        );
    }
}
