//! The ring around each nucleus: the nearest cytoplasm, without finding whole cells.

use image::Labels;
use ndarray::Array2;

use crate::object::ObjectPixels;

/// The pixels of each object's ring, in label order, each list row-major.
///
/// A background pixel belongs to the ring of the nearest object if the centre of an object pixel is at most
/// `ring_px` away; of two equally near objects the lower number has it. So rings enter neither nuclei nor each other
/// (CellProfiler: `IdentifySecondaryObjects` by *Distance - N*, minus the nuclei).
/// Cost: edge pixels of the objects × pixels of a disk of radius `ring_px`.
pub(crate) fn rings(labels: &Labels, objects: &[ObjectPixels], ring_px: u32) -> Vec<Vec<(usize, usize)>> {
    let (rows, cols) = labels.shape();
    let reach = ring_px as isize;
    let disk: Vec<(isize, isize, u32)> = (-reach..=reach)
        .flat_map(|r| (-reach..=reach).map(move |c| (r, c, (r * r + c * c) as u32)))
        .filter(|&(_, _, d)| d > 0 && d <= ring_px * ring_px)
        .collect();
    let mut nearest = Array2::from_elem((rows, cols), (u32::MAX, 0u32));
    for (index, object) in objects.iter().enumerate() {
        let label = index as u32 + 1;
        for &(row, col) in object
            .pixels
            .iter()
            .filter(|&&pixel| faces_background(labels, pixel))
        {
            for &(dr, dc, d) in &disk {
                let (Some(r), Some(c)) = (row.checked_add_signed(dr), col.checked_add_signed(dc)) else {
                    continue;
                };
                if r < rows && c < cols && labels.map[(r, c)] == 0 && d < nearest[(r, c)].0 {
                    nearest[(r, c)] = (d, label);
                }
            }
        }
    }
    let mut rings = vec![Vec::new(); objects.len()];
    for (pixel, &(_, label)) in nearest.indexed_iter() {
        if label > 0 {
            rings[label as usize - 1].push(pixel);
        }
    }
    rings
}

/// Whether a pixel has a 4-neighbour in the background: only such a pixel can be the nearest one of its object.
fn faces_background(labels: &Labels, (row, col): (usize, usize)) -> bool {
    let (rows, cols) = labels.shape();
    (row > 0 && labels.map[(row - 1, col)] == 0)
        || (row + 1 < rows && labels.map[(row + 1, col)] == 0)
        || (col > 0 && labels.map[(row, col - 1)] == 0)
        || (col + 1 < cols && labels.map[(row, col + 1)] == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rings by their definition: look at every pixel and every object pixel.
    fn brute(labels: &Labels, ring_px: u32) -> Vec<Vec<(usize, usize)>> {
        let mut rings = vec![Vec::new(); labels.n as usize];
        for ((row, col), &label) in labels.map.indexed_iter() {
            if label > 0 {
                continue;
            }
            let distance = |(r, c): (usize, usize)| r.abs_diff(row).pow(2) + c.abs_diff(col).pow(2);
            let near = labels
                .map
                .indexed_iter()
                .filter(|(_, l)| **l > 0)
                .map(|(p, l)| (distance(p), *l))
                .min();
            if let Some((d, l)) = near
                && d <= (ring_px * ring_px) as usize
            {
                rings[l as usize - 1].push((row, col));
            }
        }
        rings
    }

    #[test]
    fn rings_equal_their_definition() {
        let labels = Labels::relabel(Array2::from_shape_fn((30, 34), |(r, c)| {
            let inside = |r0: f32, c0: f32, radius: f32| (r as f32 - r0).hypot(c as f32 - c0) <= radius;
            if inside(8.0, 8.0, 4.0) {
                1
            } else if inside(9.0, 17.0, 4.5) {
                2
            } else if inside(22.0, 12.0, 5.0) {
                3
            } else if (r, c) == (29, 33) {
                4
            } else {
                0
            }
        }));
        assert_eq!(labels.n, 4);
        for ring_px in [0, 1, 3, 5] {
            let fast = rings(&labels, &ObjectPixels::all(&labels), ring_px);
            assert_eq!(fast, brute(&labels, ring_px), "ring of {ring_px} px");
        }
    }
}
