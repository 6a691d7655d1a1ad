//! The small pictures of a site, kept beside its table so that the second stage reads no pixel.
//!
//! A file is a magic word, the length of a JSON header, the header ([`SiteRecord`]), and the pictures as bytes: first the
//! field, a plane a channel, then its outlines, then the crops, object by object and channel by channel. Grey values
//! are stretched between the lowest and the highest value of the site's channel, which the header holds: the second
//! stage can show all wells at one contrast.

use std::path::{Path, PathBuf};

use image::{Affine, Labels, crop_at, outline_mask, resample_nearest};
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::site::FileWarning;
use crate::files::read_whole;
use crate::{EngineError, SkippedSite};

/// First bytes of the file; the number is the format's version.
const MAGIC: &[u8; 8] = b"PHSITE01";

/// Longest side of the picture of a whole field.
const FIELD_PX: usize = 128;

/// Side of a crop around one object.
pub(crate) const CROP_PX: usize = 40;

/// Most crops of a site: the extremes of each score and an even sample of the rest.
const MAX_CROPS: usize = 48;

/// Diameters of a typical nucleus that a crop shows.
const CROP_DIAMETERS: f32 = 2.5;

/// What is known of a finished site beside its table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteRecord {
    /// Digest of all that the site was made from.
    pub(crate) digest: String,
    /// Digest of the table's bytes: a table and a record belong together.
    pub(crate) table: String,
    /// The site's name.
    pub(crate) site: String,
    /// Its plate.
    pub(crate) plate: String,
    /// Its well, as `A01`.
    pub(crate) well: String,
    /// Number of the field.
    pub(crate) site_number: i32,
    /// Number of the time point.
    pub(crate) timepoint: i32,
    /// Rows and columns of the images.
    pub(crate) size: (usize, usize),
    /// Objects in the table.
    pub(crate) objects: usize,
    /// Typical diameter of a nucleus that scaled the crops, in pixels.
    pub(crate) diameter_px: Option<f32>,
    /// Micrometers a pixel, if known.
    pub(crate) pixel_size_um: Option<f32>,
    /// Quality and grey range of each channel.
    pub(crate) channels: Vec<ChannelRecord>,
    /// Index of the nuclear channel.
    pub(crate) nuclei: usize,
    /// What a person should know, one line each.
    pub(crate) warnings: Vec<FileWarning>,
    /// Rows and columns of the picture of the field.
    pub(crate) field: (usize, usize),
    /// Objects with a crop, by number in the label image.
    pub(crate) crops: Vec<u32>,
}

/// One channel of a finished site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelRecord {
    /// Its name in columns.
    pub(crate) name: String,
    /// Focus measure.
    pub(crate) focus: Option<f32>,
    /// Share of saturated pixels.
    pub(crate) saturated_share: f32,
    /// Background intensity.
    pub(crate) background: f32,
    /// Value that is 0 in the pictures.
    pub(crate) low: f32,
    /// Value that is 255 in the pictures.
    pub(crate) high: f32,
    /// Percentiles 1 and 99.8: what a contrast is made from.
    pub(crate) contrast: (f32, f32),
}

/// A record with its pictures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Thumbs {
    /// The header.
    pub(crate) record: SiteRecord,
    /// Pictures of the field, one a channel.
    pub(crate) field: Vec<Array2<u8>>,
    /// Outlines in the picture of the field.
    pub(crate) outlines: Array2<bool>,
    /// Crops: object (as in the record) × channel.
    pub(crate) crops: Vec<Vec<Array2<u8>>>,
}

/// The pictures of a site, before its record is complete.
pub(crate) struct Pictures {
    pub(crate) size: (usize, usize),
    pub(crate) field: Vec<Array2<u8>>,
    pub(crate) outlines: Array2<bool>,
    pub(crate) crops: Vec<Vec<Array2<u8>>>,
}

/// Name of the file of a site's record and pictures.
pub(crate) fn thumbs_path(sites: &Path, id: &str) -> PathBuf {
    sites.join(format!("{id}.thumbs"))
}

/// Name of a site's table, whose appearance says that the site is finished.
pub(crate) fn table_path(sites: &Path, id: &str) -> PathBuf {
    sites.join(format!("{id}.parquet"))
}

/// Name of the note on a site that was left out.
pub(crate) fn skipped_path(sites: &Path, id: &str) -> PathBuf {
    sites.join(format!("{id}.skipped.json"))
}

/// Makes the small pictures of a site.
///
/// `centers` and `chosen` (indices into them) are in label order; `range` is each channel's grey range.
pub(crate) fn make_pictures(
    planes: &[ArrayView2<f32>],
    range: &[(f32, f32)],
    labels: &Labels,
    centers: &[(f32, f32)],
    chosen: &[usize],
    diameter_px: f32,
) -> Pictures {
    let (rows, cols) = labels.shape();
    let scale = (rows.max(cols) as f32 / FIELD_PX as f32).max(1.0);
    let size = (
        ((rows as f32 / scale).round() as usize).max(1),
        ((cols as f32 / scale).round() as usize).max(1),
    );
    let crop_scale = (diameter_px * CROP_DIAMETERS / CROP_PX as f32).max(0.25);
    let gray = |plane: Array2<f32>, (low, high): (f32, f32)| {
        let span = if high > low { high - low } else { 1.0 };
        plane.mapv(|value| (((value - low) / span).clamp(0.0, 1.0) * 255.0).round() as u8)
    };
    let field = planes
        .iter()
        .zip(range)
        .map(|(plane, &range)| gray(shrink(*plane, size), range))
        .collect();
    let middle = Affine::about(
        [[scale, 0.0], [0.0, scale]],
        size,
        ((rows as f32 - 1.0) / 2.0, (cols as f32 - 1.0) / 2.0),
    );
    let small = Labels::relabel(resample_nearest(labels.map.view(), &middle, size));
    let crops = chosen
        .iter()
        .map(|&index| {
            let crop = |plane: &ArrayView2<f32>| crop_at(*plane, centers[index], CROP_PX, crop_scale);
            planes
                .iter()
                .zip(range)
                .map(|(plane, &range)| gray(crop(plane), range))
                .collect()
        })
        .collect();
    Pictures {
        size,
        field,
        outlines: outline_mask(&small),
        crops,
    }
}

/// A plane at a smaller size: each pixel is the mean of the source pixels it covers.
fn shrink(plane: ArrayView2<f32>, size: (usize, usize)) -> Array2<f32> {
    let (rows, cols) = plane.dim();
    Array2::from_shape_fn(size, |(row, col)| {
        let part = |index: usize, source: usize, target: usize| {
            let start = index * source / target;
            (start, ((index + 1) * source / target).max(start + 1).min(source))
        };
        let ((r0, r1), (c0, c1)) = (part(row, rows, size.0), part(col, cols, size.1));
        let mut sum = 0.0f64;
        for r in r0..r1 {
            for c in c0..c1 {
                sum += f64::from(plane[(r, c)]);
            }
        }
        (sum / ((r1 - r0) * (c1 - c0)) as f64) as f32
    })
}

/// Which objects get a crop: the extremes of every score, then an even sample of the others, in label order.
///
/// `scores` are one list a score, larger = more worth looking at; missing values are never extremes.
pub(crate) fn choose_objects(n: usize, scores: &[Vec<Option<f64>>]) -> Vec<usize> {
    let mut chosen = std::collections::BTreeSet::new();
    let share = MAX_CROPS / 2 / scores.len().max(1);
    for score in scores {
        let mut order: Vec<(f64, usize)> = score
            .iter()
            .enumerate()
            .filter_map(|(index, value)| Some(((*value)?, index)))
            .collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        chosen.extend(order.iter().take(share).map(|&(_, index)| index));
    }
    let rest: Vec<usize> = (0..n).filter(|index| !chosen.contains(index)).collect();
    let room = MAX_CROPS.saturating_sub(chosen.len()).min(rest.len());
    chosen.extend((0..room).map(|k| rest[k * rest.len() / room]));
    chosen.into_iter().collect()
}

impl Thumbs {
    /// The file's bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let header = serde_json::to_vec(&self.record).unwrap_or_default();
        let mut bytes = MAGIC.to_vec();
        bytes.extend((header.len() as u64).to_le_bytes());
        bytes.extend(header);
        for plane in &self.field {
            bytes.extend(plane.iter());
        }
        bytes.extend(self.outlines.iter().map(|&on| u8::from(on)));
        for plane in self.crops.iter().flatten() {
            bytes.extend(plane.iter());
        }
        bytes
    }

    /// Reads a file of [`to_bytes`](Self::to_bytes).
    ///
    /// Errors: the file cannot be read, or is not what this version writes.
    pub(crate) fn read(path: &Path) -> Result<Self, EngineError> {
        let bytes = read_whole(path)?;
        let (record, mut rest) = split(path, &bytes)?;
        let damaged = || damaged(path);
        let mut take = |(rows, cols): (usize, usize)| {
            let length = rows
                .checked_mul(cols)
                .filter(|&length| length <= rest.len())
                .ok_or_else(damaged)?;
            let (plane, left) = rest.split_at(length);
            rest = left;
            Array2::from_shape_vec((rows, cols), plane.to_vec()).map_err(|_| damaged())
        };
        let field = record
            .channels
            .iter()
            .map(|_| take(record.field))
            .collect::<Result<_, _>>()?;
        let outlines = take(record.field)?.mapv(|on| on > 0);
        let mut crops = Vec::new();
        for _ in &record.crops {
            let of_object = record
                .channels
                .iter()
                .map(|_| take((CROP_PX, CROP_PX)))
                .collect::<Result<_, _>>()?;
            crops.push(of_object);
        }
        Ok(Self {
            record,
            field,
            outlines,
            crops,
        })
    }

    /// Reads the header alone.
    ///
    /// Errors: as [`read`](Self::read).
    pub(crate) fn read_record(path: &Path) -> Result<SiteRecord, EngineError> {
        let bytes = read_whole(path)?;
        split(path, &bytes).map(|(record, _)| record)
    }
}

fn split<'a>(path: &Path, bytes: &'a [u8]) -> Result<(SiteRecord, &'a [u8]), EngineError> {
    let damaged = || damaged(path);
    let rest = bytes.strip_prefix(MAGIC.as_slice()).ok_or_else(damaged)?;
    let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
    let length = usize::try_from(u64::from_le_bytes(*length))
        .ok()
        .filter(|&n| n <= rest.len())
        .ok_or_else(damaged)?;
    let (header, pictures) = rest.split_at(length);
    let record = serde_json::from_slice(header).map_err(|_| damaged())?;
    Ok((record, pictures))
}

fn damaged(path: &Path) -> EngineError {
    EngineError::unusable(
        path,
        "this is not a site record of this version",
        "run `phenosure screen` again with the same arguments",
    )
}

/// Reads the note on a site that was left out.
///
/// Errors: the file cannot be read, or is not such a note.
pub(crate) fn read_skipped(path: &Path) -> Result<SkippedSite, EngineError> {
    serde_json::from_slice(&read_whole(path)?).map_err(|_| damaged(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> SiteRecord {
        SiteRecord {
            digest: "d".into(),
            table: "t".into(),
            site: "P_A01_s1_t0".into(),
            plate: "P".into(),
            well: "A01".into(),
            site_number: 1,
            timepoint: 0,
            size: (20, 30),
            objects: 1,
            diameter_px: Some(10.0),
            pixel_size_um: None,
            channels: vec![ChannelRecord {
                name: "DNA".into(),
                focus: Some(0.5),
                saturated_share: 0.0,
                background: 0.1,
                low: 0.0,
                high: 1.0,
                contrast: (0.1, 0.9),
            }],
            nuclei: 0,
            warnings: vec![],
            field: (20, 30),
            crops: vec![1],
        }
    }

    #[test]
    fn pictures_come_back_as_they_were_written() {
        let plane = Array2::from_shape_fn((20, 30), |(row, col)| (row + col) as f32 / 50.0);
        let labels = Labels::relabel(Array2::from_shape_fn((20, 30), |(r, c)| {
            u32::from((5..15).contains(&r) && (8..18).contains(&c))
        }));
        let pictures = make_pictures(
            &[plane.view()],
            &[(0.0, 1.0)],
            &labels,
            &[(9.5, 12.5)],
            &[0],
            10.0,
        );
        assert_eq!(pictures.size, (20, 30));
        assert!(pictures.outlines[(5, 10)] && !pictures.outlines[(10, 12)]);
        let thumbs = Thumbs {
            record: record(),
            field: pictures.field,
            outlines: pictures.outlines,
            crops: pictures.crops,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = thumbs_path(folder.path(), "P_A01_s1_t0");
        std::fs::write(&path, thumbs.to_bytes()).unwrap();
        assert_eq!(Thumbs::read(&path).unwrap(), thumbs);
        assert_eq!(Thumbs::read_record(&path).unwrap(), record());
        for length in [0, 5, 12, 40, thumbs.to_bytes().len() - 1] {
            std::fs::write(&path, &thumbs.to_bytes()[..length]).unwrap();
            assert!(Thumbs::read(&path).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn the_extremes_of_every_score_get_a_crop() {
        let n = 500;
        let rising: Vec<Option<f64>> = (0..n).map(|index| Some(index as f64)).collect();
        let missing: Vec<Option<f64>> = (0..n).map(|index| (index < 3).then_some(index as f64)).collect();
        let chosen = choose_objects(n, &[rising, missing]);
        assert_eq!(chosen.len(), MAX_CROPS);
        assert!(chosen.contains(&499) && chosen.contains(&490) && chosen.contains(&2));
        assert!(chosen.iter().any(|&index| (100..400).contains(&index)));
        assert_eq!(choose_objects(3, &[]), vec![0, 1, 2]);
        assert!(choose_objects(0, &[]).is_empty());
    }
}
