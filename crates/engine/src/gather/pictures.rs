//! Small pictures for the report, from what the first stage kept; one contrast for all that are to be compared.

use std::collections::BTreeMap;
use std::path::PathBuf;

use image::{encode_png_rgb, paint_mask, to_u8};
use ndarray::{Array2, Array3};
use report::Picture;

use super::cells::Cells;
use crate::screen::thumbs::{CROP_PX, SiteRecord, Thumbs, thumbs_path};

/// Colours of the nuclear channel and of up to two others: blue, green and red light add up, as in the microscope.
const NUCLEI_COLOR: [f32; 3] = [0.35, 0.45, 1.0];
const OTHER_COLORS: [[f32; 3]; 2] = [[0.2, 1.0, 0.2], [1.0, 0.25, 0.15]];

/// Outlines of nuclei in a montage.
const OUTLINE_COLOR: [u8; 3] = [255, 210, 0];

/// Share of sites whose brightest pixels the contrast covers, so that one speck does not darken a plate.
const BRIGHT_SITES: f64 = 0.9;

/// The pictures of a run, read when they are asked for.
pub(super) struct Album<'a> {
    sites: &'a [(SiteRecord, PathBuf)],
    /// Grey range of each plate and channel.
    contrast: BTreeMap<&'a str, Vec<(f32, f32)>>,
}

impl<'a> Album<'a> {
    pub(super) fn new(sites: &'a [(SiteRecord, PathBuf)]) -> Self {
        let mut plates: BTreeMap<&str, Vec<&SiteRecord>> = BTreeMap::new();
        for (record, _) in sites {
            plates.entry(&record.plate).or_default().push(record);
        }
        let contrast = plates
            .into_iter()
            .map(|(plate, records)| (plate, contrast_of(&records)))
            .collect();
        Self { sites, contrast }
    }

    /// The contrast of a plate's channel in words.
    pub(super) fn contrast_in_words(&self, plate: &str, nuclei_only: bool) -> Option<String> {
        let record = self
            .sites
            .iter()
            .map(|(record, _)| record)
            .find(|record| record.plate == plate)?;
        let ranges = self.contrast.get(plate)?;
        let shown = if nuclei_only {
            vec![record.nuclei]
        } else {
            shown_channels(record)
        };
        let words: Vec<String> = shown
            .into_iter()
            .map(|channel| {
                let (low, high) = ranges[channel];
                format!(
                    "channel {}: {:.1} to {:.1} % of full scale",
                    record.channels[channel].name,
                    100.0 * low,
                    100.0 * high
                )
            })
            .collect();
        Some(format!(
            "{}, the same in every picture of the plate",
            words.join(", ")
        ))
    }

    /// The first field of a well in its nuclear channel, with outlines.
    pub(super) fn field(&self, plate: &str, well: &str, shrink: usize) -> Option<Picture> {
        let (record, folder) = self
            .sites
            .iter()
            .find(|(record, _)| record.plate == plate && record.well == well)?;
        let thumbs = Thumbs::read(&thumbs_path(folder, &record.site)).ok()?;
        let range = self.contrast.get(plate)?[record.nuclei];
        let gray = stretched(&thumbs.field[record.nuclei], record, record.nuclei, range);
        let painted = paint_mask(gray.view(), thumbs.outlines.view(), OUTLINE_COLOR);
        let small = every_nth(&painted, shrink);
        Some(Picture {
            png: encode_png_rgb(small),
            alt: format!("{well}, {} nuclei", record.objects),
        })
    }

    /// The crop of a cell in colour; `None` where the first stage kept none.
    pub(super) fn cell(&self, cells: &Cells, row: usize) -> Option<Picture> {
        let (site, crop) = cells.crop[row]?;
        let (record, folder) = self.sites.get(site)?;
        let thumbs = Thumbs::read(&thumbs_path(folder, &record.site)).ok()?;
        let planes = thumbs.crops.get(crop)?;
        let ranges = self.contrast.get(record.plate.as_str())?;
        let mut color = Array3::<f32>::zeros((CROP_PX, CROP_PX, 3));
        let mut others = OTHER_COLORS.iter();
        for channel in shown_channels(record) {
            let tint = if channel == record.nuclei {
                &NUCLEI_COLOR
            } else {
                others.next()?
            };
            let gray = stretched(&planes[channel], record, channel, ranges[channel]);
            for ((row, col), &value) in gray.indexed_iter() {
                for light in 0..3 {
                    color[(row, col, light)] += tint[light] * f32::from(value);
                }
            }
        }
        let png = encode_png_rgb(color.mapv(|value| value.round().clamp(0.0, 255.0) as u8));
        Some(Picture {
            png,
            alt: format!("cell {} of {}", record.crops[crop], record.well),
        })
    }
}

/// The channels a picture shows: the nuclear one and the first two others.
fn shown_channels(record: &SiteRecord) -> Vec<usize> {
    let others = (0..record.channels.len())
        .filter(|&channel| channel != record.nuclei)
        .take(OTHER_COLORS.len());
    std::iter::once(record.nuclei).chain(others).collect()
}

/// Lowest and highest value that a plate's pictures show, by channel: medians of the dark ends, a high quantile of the
/// bright ends.
fn contrast_of(records: &[&SiteRecord]) -> Vec<(f32, f32)> {
    let channels = records.first().map_or(0, |record| record.channels.len());
    let quantile = |mut values: Vec<f32>, share: f64| {
        values.sort_by(f32::total_cmp);
        let index = (share * (values.len().saturating_sub(1)) as f64).round() as usize;
        values.get(index).copied().unwrap_or(0.0)
    };
    let of_channel = |channel: usize| {
        let low = quantile(
            records
                .iter()
                .map(|record| record.channels[channel].contrast.0)
                .collect(),
            0.5,
        );
        let high = quantile(
            records
                .iter()
                .map(|record| record.channels[channel].contrast.1)
                .collect(),
            BRIGHT_SITES,
        );
        (low, high.max(low))
    };
    (0..channels).map(of_channel).collect()
}

/// A kept picture at the plate's contrast.
fn stretched(kept: &Array2<u8>, record: &SiteRecord, channel: usize, (low, high): (f32, f32)) -> Array2<u8> {
    let own = &record.channels[channel];
    let step = (own.high - own.low) / 255.0;
    to_u8(
        kept.mapv(|value| own.low + step * f32::from(value)).view(),
        low,
        high,
    )
}

/// Every n-th pixel, for montages of many wells.
fn every_nth(picture: &Array3<u8>, n: usize) -> Array3<u8> {
    let (rows, cols, colors) = picture.dim();
    let n = n.max(1);
    Array3::from_shape_fn(
        (rows.div_ceil(n), cols.div_ceil(n), colors),
        |(row, col, color)| picture[(row * n, col * n, color)],
    )
}
