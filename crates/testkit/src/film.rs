//! A virtual movie as pictures: crops of real nuclei on a background of the same noise, with label images of the truth.
//!
//! The crops are those of fold 0: rendered movies are for tests from end to end and for figures, never for calibration.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use ndarray::Array2;

use crate::chance::Chance;
use crate::crops::{CROP_PX, Crop, Crops};
use crate::design::Design;
use crate::lives::{Lives, Seen};
use crate::movie::{TruthPoint, visible_tracks};
use crate::nuclei::{Nuclei, PHASES, Phase};
use crate::observe::stage;

/// Grey level of the empty background (8-bit pictures).
const BACKGROUND: f32 = 12.0;

/// Pictures and truth.
#[derive(Clone, Debug)]
pub struct Film {
    /// 8-bit pictures, one a frame.
    pub frames: Vec<Array2<u8>>,
    /// Pixels of each nucleus, numbered by true track; where nuclei overlap the later drawn one has the pixel.
    pub labels: Vec<Array2<u32>>,
    /// The truth, by track and frame; centres of the whole nuclei.
    pub truth: Vec<TruthPoint>,
}

/// How one cell looks in each phase, and how it is turned.
struct Portrait<'a> {
    crops: [&'a Crop; PHASES],
    turn: f64,
}

impl Film {
    /// Plays and draws a design whose nuclei are those of MitoCheck fold 0. Drift and jumps of the stage are shown; the other faults are left to the
    /// segmentation.
    pub fn of(design: &Design) -> Self {
        let name = format!("film/{}/{}", design.family.name(), design.index);
        let mut chance = Chance::new(design.seed, &name);
        let nuclei = Nuclei::of(design.nuclei, &mut chance);
        let lives = Lives::of(design, &nuclei, &mut chance);
        let (truth, track_of) = visible_tracks(&lives, design);
        let crops = Crops::load();
        let shape = [1, 0].map(|axis| lives.field_px[axis].floor() as usize);
        let mut portraits: BTreeMap<usize, Portrait> = BTreeMap::new();
        let mut film = Self {
            frames: Vec::new(),
            labels: Vec::new(),
            truth,
        };
        for (frame, seen) in lives.frames.iter().enumerate() {
            let shift = stage(&design.faults, frame);
            let mut picture = Array2::from_elem((shape[0], shape[1]), 0.0_f32);
            let mut labels = Array2::zeros((shape[0], shape[1]));
            for nucleus in seen {
                let look = portraits.entry(nucleus.cell).or_insert_with(|| Portrait {
                    crops: [
                        Phase::Interphase,
                        Phase::Prometaphase,
                        Phase::Metaphase,
                        Phase::Anaphase,
                        Phase::Apoptosis,
                    ]
                    .map(|phase| crops.draw(phase, &mut chance)),
                    turn: chance.uniform(0.0, std::f64::consts::TAU),
                });
                let crop = look.crops[nucleus.phase as usize];
                let turn = sister_direction(&lives, seen, nucleus)
                    .filter(|_| nucleus.phase == Phase::Anaphase)
                    // A plate lies across the line between the sisters.
                    .map_or(look.turn, |along| {
                        along + std::f64::consts::FRAC_PI_2 - crop.angle
                    });
                let placed = Placed {
                    crop,
                    at: [nucleus.y - shift[1], nucleus.x - shift[0]],
                    turn,
                    scale: (nucleus.area / crop.area).sqrt(),
                    gain: (nucleus.mean / crop.mean) as f32,
                    track: track_of.get(&(nucleus.cell, frame)).copied(),
                };
                placed.draw(&mut picture, &mut labels);
            }
            let noise = crops.noise;
            film.frames.push(picture.mapv(|value| {
                let level = BACKGROUND + value + noise * chance.normal() as f32;
                level.round().clamp(0.0, 255.0) as u8
            }));
            film.labels.push(labels);
        }
        film
    }

    /// Writes `frames/t000.png` (8-bit), `labels/t000.tif` (numbers of the true tracks) and `tracks.csv` (track_id, frame, x, y, parent_id).
    ///
    /// Errors: a folder or a file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        for part in ["frames", "labels"] {
            std::fs::create_dir_all(folder.join(part))?;
        }
        for (frame, (picture, labels)) in self.frames.iter().zip(&self.labels).enumerate() {
            let file = std::fs::File::create(folder.join(format!("frames/t{frame:03}.png")))?;
            let (rows, columns) = picture.dim();
            let mut encoder = png::Encoder::new(io::BufWriter::new(file), columns as u32, rows as u32);
            encoder.set_color(png::ColorType::Grayscale);
            encoder.set_depth(png::BitDepth::Eight);
            let pixels: Vec<u8> = picture.iter().copied().collect();
            encoder
                .write_header()
                .and_then(|mut writer| writer.write_image_data(&pixels))
                .map_err(io::Error::other)?;
            let numbered = image::Labels {
                n: labels.iter().copied().max().unwrap_or(0),
                map: labels.clone(),
            };
            image::write_labels(&folder.join(format!("labels/t{frame:03}.tif")), &numbered)
                .map_err(io::Error::other)?;
        }
        let mut truth = String::from("track_id,frame,x,y,parent_id\n");
        for point in &self.truth {
            let TruthPoint {
                track,
                frame,
                x,
                y,
                parent,
            } = point;
            truth += &format!("{track},{frame},{x:.3},{y:.3},{parent}\n");
        }
        std::fs::write(folder.join("tracks.csv"), truth)
    }
}

/// Direction from a nucleus to its sister in the same frame, in radians from the column axis towards the rows.
fn sister_direction(lives: &Lives, seen: &[Seen], nucleus: &Seen) -> Option<f64> {
    let mother = lives.mother.get(&nucleus.cell)?;
    let sister = seen
        .iter()
        .find(|other| other.cell != nucleus.cell && lives.mother.get(&other.cell) == Some(mother))?;
    Some((sister.y - nucleus.y).atan2(sister.x - nucleus.x))
}

/// A crop with its place in a picture.
struct Placed<'a> {
    crop: &'a Crop,
    /// Row and column.
    at: [f64; 2],
    turn: f64,
    scale: f64,
    gain: f32,
    track: Option<u32>,
}

impl Placed<'_> {
    /// Adds the nucleus to the picture and its pixels to the labels.
    fn draw(&self, picture: &mut Array2<f32>, labels: &mut Array2<u32>) {
        let (rows, columns) = picture.dim();
        let reach = self.scale * CROP_PX as f64 / 2.0;
        let range = |centre: f64, n: usize| {
            let low = (centre - reach).floor().clamp(0.0, n as f64) as usize;
            low..(centre + reach).ceil().clamp(0.0, n as f64) as usize
        };
        let (sin, cos) = self.turn.sin_cos();
        for row in range(self.at[0], rows) {
            for column in range(self.at[1], columns) {
                let (dy, dx) = (row as f64 - self.at[0], column as f64 - self.at[1]);
                let y = self.crop.centre[0] + (cos * dy - sin * dx) / self.scale;
                let x = self.crop.centre[1] + (sin * dy + cos * dx) / self.scale;
                let opacity = bilinear(&self.crop.opacity, y, x);
                if opacity <= 0.0 {
                    continue;
                }
                picture[(row, column)] += opacity * self.gain * bilinear(&self.crop.pixels, y, x).max(0.0);
                if let Some(track) = self.track.filter(|_| opacity > 0.5) {
                    labels[(row, column)] = track;
                }
            }
        }
    }
}

/// Value between pixels; 0 beyond the edge.
fn bilinear(of: &Array2<f32>, y: f64, x: f64) -> f32 {
    let (top, left) = (y.floor(), x.floor());
    let (down, right) = ((y - top) as f32, (x - left) as f32);
    let at = |row: f64, column: f64| {
        let inside = row >= 0.0 && column >= 0.0;
        let value = inside.then(|| of.get((row as usize, column as usize))).flatten();
        value.copied().unwrap_or(0.0)
    };
    let upper = at(top, left) * (1.0 - right) + at(top, left + 1.0) * right;
    let lower = at(top + 1.0, left) * (1.0 - right) + at(top + 1.0, left + 1.0) * right;
    upper * (1.0 - down) + lower * down
}
