//! One field of a planted well: nuclei laid out on background, turned and mirrored, with their outlines as a label image.

use image::Labels;
use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use uncertainty::below;

use super::background::{Background, turned};
use super::nucleus::{CROP_PX, Nucleus};

/// Side of a field in pixels.
pub(super) const FIELD_PX: usize = 480;
/// Outlines of two nuclei are at least this far apart (rows or columns).
const APART_PX: usize = 12;
/// Places that are tried before a nucleus is left out.
const TRIES: usize = 4000;

/// A field and what is in it.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// 8-bit picture.
    pub(super) pixels: Array2<u8>,
    /// The outlines the nuclei were cut out by.
    pub(super) labels: Labels,
    /// The nucleus of each label number, in order.
    pub(super) placed: Vec<usize>,
}

/// Lays the chosen nuclei out at random places that do not touch.
///
/// Pixels inside an outline are the data set's own, turned by one of the eight symmetries and nothing else; the surroundings are
/// shifted to the level of the field and fade into it. Large nuclei are placed first; one that finds no place is left out and missing
/// from `placed`.
pub(super) fn lay_out(
    nuclei: &[Nucleus],
    chosen: &[usize],
    background: &Background,
    rng: &mut ChaCha8Rng,
) -> Field {
    let mut canvas = background.field((FIELD_PX, FIELD_PX), rng);
    let mut map = Array2::<u32>::zeros((FIELD_PX, FIELD_PX));
    let mut order = chosen.to_vec();
    let area = |nucleus: usize| nuclei[nucleus].inside.iter().filter(|&&inside| inside).count();
    order.sort_by_key(|&nucleus| std::cmp::Reverse(area(nucleus)));
    let mut taken = Vec::new();
    for nucleus in order {
        let turn = below(rng, 8);
        let shape: Vec<(usize, usize)> = positions()
            .filter(|&at| nuclei[nucleus].inside[turned(turn, at, CROP_PX)])
            .collect();
        let Some(corner) = find_place(&map, &shape, rng) else {
            continue;
        };
        taken.push(nucleus);
        let number = taken.len() as u32;
        for &(row, col) in &shape {
            map[(corner.0 + row, corner.1 + col)] = number;
        }
        blend(&mut canvas, &nuclei[nucleus], turn, corner, background.level());
    }
    // Label numbers go by reading order, whatever the order of placing.
    let labels = Labels::relabel(map.clone());
    let mut placed = vec![0; taken.len()];
    for (&label, &number) in labels.map.iter().zip(&map) {
        if label > 0 {
            placed[label as usize - 1] = taken[number as usize - 1];
        }
    }
    let pixels = canvas.mapv(|value| value.round().clamp(0.0, 255.0) as u8);
    Field {
        pixels,
        labels,
        placed,
    }
}

fn positions() -> impl Iterator<Item = (usize, usize)> {
    (0..CROP_PX * CROP_PX).map(|at| (at / CROP_PX, at % CROP_PX))
}

/// A corner for the crop at which its nucleus keeps its distance from all others; crops stay inside the field.
fn find_place(map: &Array2<u32>, shape: &[(usize, usize)], rng: &mut ChaCha8Rng) -> Option<(usize, usize)> {
    let bounds = shape.iter().fold((CROP_PX, CROP_PX, 0, 0), |b, &(row, col)| {
        (b.0.min(row), b.1.min(col), b.2.max(row), b.3.max(col))
    });
    (0..TRIES).find_map(|_| {
        let corner = (below(rng, FIELD_PX - CROP_PX), below(rng, FIELD_PX - CROP_PX));
        let rows = (corner.0 + bounds.0).saturating_sub(APART_PX)
            ..(corner.0 + bounds.2 + APART_PX + 1).min(FIELD_PX);
        let is_free = rows.into_iter().all(|row| {
            let cols = (corner.1 + bounds.1).saturating_sub(APART_PX)
                ..(corner.1 + bounds.3 + APART_PX + 1).min(FIELD_PX);
            cols.into_iter().all(|col| map[(row, col)] == 0)
        });
        is_free.then_some(corner)
    })
}

/// Lays one crop over the canvas with its opacity.
fn blend(canvas: &mut Array2<f32>, nucleus: &Nucleus, turn: usize, corner: (usize, usize), level: f32) {
    for (row, col) in positions() {
        let source = turned(turn, (row, col), CROP_PX);
        let opacity = nucleus.opacity[source];
        if opacity > 0.0 {
            let value = f32::from(nucleus.pixels[source]);
            let value = if nucleus.inside[source] {
                value
            } else {
                value - nucleus.background + level
            };
            let at = (corner.0 + row, corner.1 + col);
            canvas[at] = opacity * value + (1.0 - opacity) * canvas[at];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::planted::nucleus::outline;

    fn disc(radius: f32, value: u8) -> Nucleus {
        let pixels = Array2::from_shape_fn((CROP_PX, CROP_PX), |(row, col)| {
            if (row as f32 - 31.5).hypot(col as f32 - 31.5) <= radius {
                value
            } else {
                9 + ((row * 7 + col * 3) % 4) as u8
            }
        });
        let found = outline(pixels.view()).unwrap();
        Nucleus {
            id: format!("disc {radius}"),
            class: "Disc".to_owned(),
            pixels,
            inside: found.inside,
            opacity: found.opacity,
            background: found.background,
        }
    }

    #[test]
    fn every_nucleus_is_placed_whole_and_its_pixels_are_its_own() {
        let nuclei: Vec<Nucleus> = (0..24)
            .map(|k| disc(7.0 + (k % 5) as f32, 100 + 5 * k as u8))
            .collect();
        let chosen: Vec<usize> = (0..24).collect();
        let mut background = Background::default();
        nuclei
            .iter()
            .for_each(|nucleus| background.add(nucleus.pixels.view()));
        let lay = || {
            lay_out(
                &nuclei,
                &chosen,
                &background,
                &mut uncertainty::stream(3, "test/field"),
            )
        };
        let field = lay();
        assert_eq!(field.labels.n, 24);
        let mut placed = field.placed.clone();
        placed.sort_unstable();
        assert_eq!(placed, chosen);
        for (label, &nucleus) in (1_u32..).zip(&field.placed) {
            let mut there: Vec<u8> = field
                .labels
                .map
                .iter()
                .zip(&field.pixels)
                .filter(|(l, _)| **l == label)
                .map(|(_, pixel)| *pixel)
                .collect();
            let mut own: Vec<u8> = nuclei[nucleus]
                .inside
                .iter()
                .zip(&nuclei[nucleus].pixels)
                .filter(|(inside, _)| **inside)
                .map(|(_, pixel)| *pixel)
                .collect();
            there.sort_unstable();
            own.sort_unstable();
            assert_eq!(there, own);
        }
        assert_eq!(lay().pixels, field.pixels, "the same stream gives the same field");
    }
}
