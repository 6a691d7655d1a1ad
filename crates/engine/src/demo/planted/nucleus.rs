//! One MitoCheck crop: which of its pixels are the nucleus, and which may come along when it is placed elsewhere.

use image::{Beyond, Connectivity, connected_components, distance_transform, otsu};
use ndarray::{Array2, ArrayView2};

/// Side of a crop in pixels.
pub(super) const CROP_PX: usize = 64;
/// Otsu's threshold is taken over the middle of the crop, where the nucleus is (RECIPES.md: inner 40 × 40 pixels, times .8).
const INNER: std::ops::Range<usize> = 12..52;
const OF_OTSU: f32 = 0.8;
/// Pieces with at most twice this gap between them are one nucleus (fragments, chromosome arms).
const JOIN_PX: f32 = 2.0;
/// Pieces below this are no candidates.
const MIN_PIECE_PX: usize = 12;
/// Two pieces are taken together (daughters, lobes) if that brings the centre this much closer to the crop's centre.
const PAIR_COST_PX: f32 = 6.0;
/// A nucleus whose centre is further from the crop's centre than this is not the one that was labelled.
const MAX_OFF_CENTRE_PX: f32 = 9.0;
/// Smallest nucleus.
const MIN_AREA_PX: usize = 60;
/// Surroundings up to this distance from the outline come along ...
const SURROUNDINGS_PX: f32 = 8.0;
/// ... fading into the background over this many pixels at their edge ...
const FADE_PX: f32 = 4.0;
/// ... but nothing that is nearer than this to another nucleus.
const FROM_NEIGHBORS_PX: f32 = 3.0;

/// A nucleus that can be placed.
#[derive(Clone, Debug)]
pub(super) struct Nucleus {
    /// Name of the cell in the data set.
    pub(super) id: String,
    /// Its class.
    pub(super) class: String,
    /// The crop as it is in the data set.
    pub(super) pixels: Array2<u8>,
    /// The outline: true inside.
    pub(super) inside: Array2<bool>,
    /// How much of each pixel is kept: 1 inside, falling to 0 in the surroundings.
    pub(super) opacity: Array2<f32>,
    /// Median of the crop's background.
    pub(super) background: f32,
}

/// Outlines the labelled nucleus of a crop; `None` where it cannot be told from its neighbours, is cut by the crop's edge, or is not at the centre.
///
/// The rule does not look at the class.
pub(super) fn outline(pixels: ArrayView2<u8>) -> Option<Outline> {
    let smooth = binomial_blur(pixels);
    let inner = smooth
        .indexed_iter()
        .filter(|((row, col), _)| INNER.contains(row) && INNER.contains(col));
    let threshold = otsu(inner.map(|(_, &value)| value))? * OF_OTSU;
    let foreground = smooth.mapv(|value| value > threshold);
    let near =
        distance_transform(foreground.mapv(|inside| !inside).view(), Beyond::Unknown).mapv(|d| d <= JOIN_PX);
    let groups = connected_components(near.view(), Connectivity::Eight);
    let mut pieces: Vec<(u32, Centre)> = (1..=groups.n).map(|label| (label, Centre::default())).collect();
    for ((row, col), &label) in groups.map.indexed_iter() {
        if label > 0 && foreground[(row, col)] {
            pieces[label as usize - 1].1.add(row, col);
        }
    }
    pieces.retain(|(_, centre)| centre.n >= MIN_PIECE_PX);

    let mut best: Option<(f32, [u32; 2])> = None;
    for (first, (label, centre)) in pieces.iter().enumerate() {
        let alone = std::iter::once((centre.off(), [*label, *label]));
        let pairs = pieces[first + 1..]
            .iter()
            .map(|(other, more)| (centre.with(more).off() + PAIR_COST_PX, [*label, *other]));
        for candidate in alone.chain(pairs) {
            if best.is_none_or(|best| candidate.0 < best.0) {
                best = Some(candidate);
            }
        }
    }
    let (off, chosen) = best?;
    let mut inside = groups.map.mapv(|label| chosen.contains(&label));
    inside.zip_mut_with(&foreground, |inside, &foreground| *inside &= foreground);
    fill_holes(&mut inside);
    let touches_edge = inside
        .indexed_iter()
        .any(|((row, col), &inside)| inside && is_edge(row, col));
    let area = inside.iter().filter(|&&inside| inside).count();
    if off > MAX_OFF_CENTRE_PX || touches_edge || area < MIN_AREA_PX {
        return None;
    }
    let others = neighbors(&foreground, &inside, area);
    let (opacity, background) = surroundings(pixels, &foreground, &inside, &others);
    Some(Outline {
        inside,
        opacity,
        background,
    })
}

/// What [`outline`] finds.
#[derive(Clone, Debug)]
pub(super) struct Outline {
    /// See [`Nucleus::inside`].
    pub(super) inside: Array2<bool>,
    /// See [`Nucleus::opacity`].
    pub(super) opacity: Array2<f32>,
    /// See [`Nucleus::background`].
    pub(super) background: f32,
}

/// Sum of the positions of pixels.
#[derive(Clone, Copy, Debug, Default)]
struct Centre {
    n: usize,
    rows: usize,
    cols: usize,
}

impl Centre {
    fn add(&mut self, row: usize, col: usize) {
        self.n += 1;
        self.rows += row;
        self.cols += col;
    }

    fn with(&self, other: &Self) -> Self {
        Self {
            n: self.n + other.n,
            rows: self.rows + other.rows,
            cols: self.cols + other.cols,
        }
    }

    /// Distance of the mean position from the centre of the crop, in pixels.
    fn off(&self) -> f32 {
        let middle = (CROP_PX - 1) as f32 / 2.0;
        let n = self.n.max(1) as f32;
        (self.rows as f32 / n - middle).hypot(self.cols as f32 / n - middle)
    }
}

fn is_edge(row: usize, col: usize) -> bool {
    row == 0 || col == 0 || row == CROP_PX - 1 || col == CROP_PX - 1
}

/// Foreground that belongs to other nuclei: pieces that the crop's edge cuts, or that are of a nucleus's size. Small loose pieces
/// (fragments, stray chromosomes) belong to the picture of the nucleus.
fn neighbors(foreground: &Array2<bool>, inside: &Array2<bool>, area: usize) -> Array2<bool> {
    let mut rest = foreground.clone();
    rest.zip_mut_with(inside, |rest, &inside| *rest &= !inside);
    let parts = connected_components(rest.view(), Connectivity::Eight);
    let areas = parts.areas();
    let mut is_other: Vec<bool> = areas.iter().map(|&part| 3 * part as usize > area).collect();
    for ((row, col), &label) in parts.map.indexed_iter() {
        if label > 0 && is_edge(row, col) {
            is_other[label as usize - 1] = true;
        }
    }
    parts.map.mapv(|label| label > 0 && is_other[label as usize - 1])
}

/// Opacity of every pixel and the median of the background.
fn surroundings(
    pixels: ArrayView2<u8>,
    foreground: &Array2<bool>,
    inside: &Array2<bool>,
    others: &Array2<bool>,
) -> (Array2<f32>, f32) {
    let distance_to = |mask: &Array2<bool>| distance_transform(mask.mapv(|is| !is).view(), Beyond::Unknown);
    let (to_nucleus, to_others, to_foreground) =
        (distance_to(inside), distance_to(others), distance_to(foreground));
    let opacity = Array2::from_shape_fn(inside.dim(), |at| {
        if inside[at] {
            return 1.0;
        }
        // Outermost pixels of the crop are faded too, so that its square never shows.
        let from_edge = at.0.min(at.1).min(CROP_PX - 1 - at.0).min(CROP_PX - 1 - at.1) as f32;
        let room = (SURROUNDINGS_PX - to_nucleus[at])
            .min(to_others[at] - FROM_NEIGHBORS_PX)
            .min(from_edge);
        (room / FADE_PX).clamp(0.0, 1.0)
    });
    let far = |at: (usize, usize)| to_foreground[at] > FROM_NEIGHBORS_PX;
    let background: Vec<f64> = pixels
        .indexed_iter()
        .filter(|(at, _)| far(*at))
        .map(|(_, &value)| f64::from(value))
        .collect();
    (opacity, uncertainty::median(&background).unwrap_or(0.0) as f32)
}

/// Fills what the outline encloses (4-connected background that does not reach the edge).
fn fill_holes(inside: &mut Array2<bool>) {
    let outside = connected_components(inside.mapv(|inside| !inside).view(), Connectivity::Four);
    let mut open = vec![false; outside.n as usize + 1];
    for ((row, col), &label) in outside.map.indexed_iter() {
        if is_edge(row, col) {
            open[label as usize] = true;
        }
    }
    inside.zip_mut_with(&outside.map, |inside, &label| {
        *inside |= label > 0 && !open[label as usize]
    });
}

/// Blur with the weights 1 4 6 4 1 in both directions (about one pixel of standard deviation), reflected at the edge.
fn binomial_blur(pixels: ArrayView2<u8>) -> Array2<f32> {
    const WEIGHTS: [f32; 5] = [1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];
    let reflect = |at: isize, n: usize| -> usize {
        let last = n as isize - 1;
        let at = at.abs();
        (if at > last { 2 * last - at } else { at }) as usize
    };
    let (rows, cols) = pixels.dim();
    let pass = |source: &Array2<f32>, by_row: bool| {
        Array2::from_shape_fn((rows, cols), |(row, col)| {
            let step = |k: usize| k as isize - 2;
            WEIGHTS.iter().enumerate().fold(0.0, |sum, (k, weight)| {
                let at = if by_row {
                    (reflect(row as isize + step(k), rows), col)
                } else {
                    (row, reflect(col as isize + step(k), cols))
                };
                sum + weight * source[at]
            })
        })
    };
    let first = pass(&pixels.mapv(f32::from), true);
    pass(&first, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discs(discs: &[(f32, f32, f32, u8)]) -> Array2<u8> {
        Array2::from_shape_fn((CROP_PX, CROP_PX), |(row, col)| {
            let hit = discs
                .iter()
                .find(|(r, c, radius, _)| (row as f32 - r).hypot(col as f32 - c) <= *radius);
            hit.map_or(10, |disc| disc.3)
        })
    }

    #[test]
    fn the_nucleus_in_the_middle_is_outlined_and_its_neighbor_stays_behind() {
        let found = outline(discs(&[(31.5, 31.5, 9.0, 150), (31.5, 54.0, 7.0, 150)]).view()).unwrap();
        assert!(found.inside[(31, 31)] && !found.inside[(31, 54)]);
        let area = found.inside.iter().filter(|&&inside| inside).count() as f32;
        assert!(
            (area / (std::f32::consts::PI * 81.0) - 1.0).abs() < 0.25,
            "{area}"
        );
        assert_eq!(found.opacity[(31, 31)], 1.0);
        assert_eq!(
            found.opacity[(31, 54)],
            0.0,
            "no pixel of the neighbour comes along"
        );
        assert!(found.opacity[(18, 31)] > 0.0, "the surroundings do");
        assert_eq!(found.background, 10.0);
    }

    #[test]
    fn daughters_around_the_centre_are_one_nucleus_and_a_hole_is_filled() {
        let pair = outline(discs(&[(31.5, 21.0, 5.0, 200), (31.5, 42.0, 5.0, 200)]).view()).unwrap();
        assert!(pair.inside[(31, 21)] && pair.inside[(31, 42)] && !pair.inside[(31, 31)]);
        let ring = outline(discs(&[(31.5, 31.5, 4.0, 20), (31.5, 31.5, 11.0, 150)]).view()).unwrap();
        assert!(ring.inside[(31, 31)]);
    }

    #[test]
    fn cut_off_centre_and_empty_crops_are_refused() {
        assert!(outline(discs(&[(31.5, 31.5, 40.0, 150)]).view()).is_none());
        assert!(outline(discs(&[(12.0, 31.5, 8.0, 150)]).view()).is_none());
        assert!(outline(Array2::from_elem((CROP_PX, CROP_PX), 7).view()).is_none());
    }
}
