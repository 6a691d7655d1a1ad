//! Pictures of real nuclei, for movies that are rendered: the MitoCheck crops that the demonstration carries (fold 0; CC BY 4.0, Neumann et al. 2010).

use std::io::Cursor;

use image::{Connectivity, connected_components, gaussian_blur, otsu};
use ndarray::{Array2, ArrayView2, Zip};

use crate::chance::Chance;
use crate::nuclei::{PHASES, Phase};

/// The pack of the demonstration; `scripts/make_demo_assets.sh` says what is in it.
const PACK: &[u8] = include_bytes!("../../engine/assets/mitocheck.pack");
/// Side of a crop in pixels.
pub(crate) const CROP_PX: usize = 64;
/// Threshold relative to Otsu's over the middle of the crop, as for the table of nuclei.
const OF_OTSU: f32 = 0.8;
const INNER: std::ops::Range<usize> = 12..52;
/// A nucleus further than this from the middle of its crop is not the one that the crop was cut for.
const OFF_CENTRE_PX: f64 = 9.0;

/// One nucleus that can be placed in a picture.
#[derive(Clone, Debug)]
pub struct Crop {
    /// Grey values above the background of the crop.
    pub pixels: Array2<f32>,
    /// 1 in the nucleus, falling to 0 within about two pixels outside.
    pub opacity: Array2<f32>,
    /// Pixels of the nucleus.
    pub area: f64,
    /// Its mean grey value above the background.
    pub mean: f64,
    /// Its centre: row, column.
    pub centre: [f64; 2],
    /// Direction of its long axis in radians from the column axis towards the rows.
    pub angle: f64,
}

/// All outlined crops by phase, and the background they were cut from.
#[derive(Clone, Debug)]
pub struct Crops {
    by_phase: [Vec<Crop>; PHASES],
    /// Standard deviation of the background's grey values (median over the crops).
    pub noise: f32,
}

impl Crops {
    /// The crops in the pack of the demonstration.
    ///
    /// Panics when the pack in the source tree is damaged.
    pub fn load() -> Self {
        let mut by_phase: [Vec<Crop>; PHASES] = Default::default();
        let mut noises = Vec::new();
        for (name, bytes) in files() {
            let phase = match name.split('/').next() {
                Some("Interphase") => Phase::Interphase,
                Some("Prometaphase" | "MetaphaseAlignment") => Phase::Prometaphase,
                Some("Metaphase") => Phase::Metaphase,
                Some("Anaphase") => Phase::Anaphase,
                Some("Apoptosis") => Phase::Apoptosis,
                _ => continue,
            };
            let pixels = decode(bytes);
            if let Some((crop, noise)) = outline(pixels.view()) {
                by_phase[phase as usize].push(crop);
                noises.push(noise);
            }
        }
        noises.sort_by(f32::total_cmp);
        Self {
            by_phase,
            noise: noises[noises.len() / 2],
        }
    }

    /// A crop of that phase.
    pub fn draw(&self, phase: Phase, chance: &mut Chance) -> &Crop {
        chance.pick(&self.by_phase[phase as usize])
    }

    /// Number of crops of that phase.
    pub fn count(&self, phase: Phase) -> usize {
        self.by_phase[phase as usize].len()
    }
}

/// Names and contents of the pack: the line of its kind, one line "SIZE DIGEST NAME" a file, an empty line, the contents.
fn files() -> Vec<(&'static str, &'static [u8])> {
    let end = PACK
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .expect("the pack has a list");
    let list = std::str::from_utf8(&PACK[..end]).expect("the list is text");
    let mut rest = &PACK[end + 2..];
    list.lines()
        .skip(1)
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let size = words.next().and_then(|size| size.parse().ok()).expect("a size");
            let name = words.nth(1).expect("a name");
            let (bytes, after) = rest.split_at(size);
            rest = after;
            (name, bytes)
        })
        .collect()
}

fn decode(bytes: &[u8]) -> Array2<f32> {
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().expect("a PNG");
    let mut pixels = vec![0; CROP_PX * CROP_PX];
    reader.next_frame(&mut pixels).expect("64 × 64 pixels of 8 bits");
    let pixels = pixels.into_iter().map(f32::from).collect();
    Array2::from_shape_vec((CROP_PX, CROP_PX), pixels).expect("64 × 64 pixels")
}

/// The nucleus in the middle and the standard deviation of the background; `None` where it is cut, off centre or cannot be told apart.
fn outline(pixels: ArrayView2<f32>) -> Option<(Crop, f32)> {
    let smooth = gaussian_blur(pixels, 1.0);
    let inner = smooth
        .indexed_iter()
        .filter(|((row, col), _)| INNER.contains(row) && INNER.contains(col));
    let threshold = otsu(inner.map(|(_, &value)| value))? * OF_OTSU;
    let pieces = connected_components(smooth.mapv(|value| value > threshold).view(), Connectivity::Eight);
    let centre_of = |label: u32| {
        let (mut n, mut at) = (0.0, [0.0; 2]);
        for ((row, col), _) in pieces.map.indexed_iter().filter(|(_, found)| **found == label) {
            n += 1.0;
            at = [at[0] + row as f64, at[1] + col as f64];
        }
        (n, [at[0] / n, at[1] / n])
    };
    let middle = (CROP_PX as f64 - 1.0) / 2.0;
    let off = |centre: [f64; 2]| (centre[0] - middle).hypot(centre[1] - middle);
    let candidates = (1..=pieces.n).map(|label| (label, centre_of(label)));
    let (label, (area, centre)) = candidates
        .filter(|(_, (n, _))| *n >= 60.0)
        .min_by(|a, b| off(a.1.1).total_cmp(&off(b.1.1)))?;
    let inside = pieces.map.mapv(|found| found == label);
    let last = CROP_PX - 1;
    let cut = inside
        .indexed_iter()
        .any(|((row, col), &inside)| inside && (row == 0 || col == 0 || row == last || col == last));
    if cut || off(centre) > OFF_CENTRE_PX {
        return None;
    }
    let mut background: Vec<f32> = Vec::new();
    Zip::from(pixels).and(&pieces.map).for_each(|&value, &found| {
        if found == 0 {
            background.push(value);
        }
    });
    background.sort_by(f32::total_cmp);
    let level = background[background.len() / 2];
    // Upper quartile minus median over 0.6745: a scale that clipping at 0 does not touch.
    let noise = (background[background.len() * 3 / 4] - level) / 0.6745;
    let pixels = pixels.mapv(|value| value - level);
    let soft = gaussian_blur(inside.mapv(|inside| f32::from(u8::from(inside))).view(), 1.0);
    let opacity = Zip::from(&soft)
        .and(&inside)
        .map_collect(|&soft, &inside| if inside { 1.0 } else { soft.min(1.0) });
    let (mut sum, mut moments) = (0.0, [0.0; 3]);
    for ((row, col), _) in inside.indexed_iter().filter(|(_, inside)| **inside) {
        sum += f64::from(pixels[(row, col)]);
        let (y, x) = (row as f64 - centre[0], col as f64 - centre[1]);
        moments = [moments[0] + x * x, moments[1] + x * y, moments[2] + y * y];
    }
    let angle = 0.5 * (2.0 * moments[1]).atan2(moments[0] - moments[2]);
    let mean = (sum / area).max(1.0);
    Some((
        Crop {
            pixels,
            opacity,
            area,
            mean,
            centre,
            angle,
        },
        noise,
    ))
}
