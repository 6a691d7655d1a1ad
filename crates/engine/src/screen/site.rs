//! One site, from its files to its table and small pictures.

use std::path::{Path, PathBuf};

use image::{Labels, ReadLimits, object_quality, percentiles, quality, read_gray, read_labels, write_labels};
use measure::{MeasureParams, measure};
use ndarray::{Array2, ArrayView2};
use plate::Site;
use serde::{Deserialize, Serialize};

use super::channels::Channels;
use super::diameter::area_of_diameter;
use super::networks::{Networks, Segmented};
use super::table::{ObjectQuality, site_table, table_bytes};
use super::thumbs::{ChannelRecord, SiteRecord, Thumbs, choose_objects, make_pictures};
use crate::EngineError;
use crate::files::{make_folder, temporary_name};

/// Images with a shorter side hold no nucleus that could be told from noise.
const SMALLEST_SIDE_PX: usize = 16;

/// Assumed where neither an option nor any nucleus of the plate gives a diameter; it only scales small pictures then.
const FALLBACK_DIAMETER_PX: f32 = 20.0;

/// Something about one file that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileWarning {
    /// The file, relative to the plate folder.
    pub(crate) file: String,
    /// What is odd, without the file's name.
    pub(crate) what: String,
}

/// Why a site ended without a result.
pub(crate) enum Failure {
    /// The site is left out, with the reason.
    Site(String),
    /// The run cannot go on.
    Run(EngineError),
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Run(error)
    }
}

/// What all sites of a run share.
pub(crate) struct SiteWork<'a> {
    pub(crate) root: &'a Path,
    pub(crate) channels: &'a Channels,
    pub(crate) networks: &'a Networks,
    pub(crate) labels_from: Option<&'a Path>,
    pub(crate) pixel_size_um: Option<f32>,
    pub(crate) ring_px: u32,
    /// Folder for label images, if they were asked for.
    pub(crate) labels_to: Option<PathBuf>,
}

/// The pixels of a site.
pub(crate) struct Pixels {
    /// One plane a channel, in the order of the channels.
    pub(crate) planes: Vec<Array2<f32>>,
    pub(crate) pixel_size_um: Option<f32>,
    pub(crate) warnings: Vec<FileWarning>,
}

impl SiteWork<'_> {
    /// A path as messages and files of the run name it: relative to the plate folder.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(self.root).unwrap_or(path).display().to_string()
    }

    /// A message without the place where the plate folder lies.
    pub(crate) fn without_root(&self, message: &str) -> String {
        let mut root = self.root.display().to_string();
        if !root.ends_with('/') {
            root.push('/');
        }
        message.replace(&root, "")
    }

    /// Reads all channels of a site.
    ///
    /// Errors: a channel without a file, a file that cannot be used, channels of different sizes.
    pub(crate) fn read(&self, site: &Site) -> Result<Pixels, String> {
        let mut pixels = Pixels {
            planes: Vec::new(),
            pixel_size_um: self.pixel_size_um,
            warnings: Vec::new(),
        };
        let mut first: Option<(String, (usize, usize))> = None;
        for (name, found) in &self.channels.all {
            let path = site
                .channels
                .get(found)
                .ok_or_else(|| format!("channel {name:?} has no file"))?;
            let (plane, info) = read_gray(path, &ReadLimits::default())
                .map_err(|error| self.without_root(&error.to_string()))?;
            let file = self.relative(path);
            let size = plane.dim();
            match &first {
                Some((first_file, first_size)) if *first_size != size => {
                    return Err(format!(
                        "{file:?} is {} x {} pixels, {first_file:?} is {} x {}; all channels of a site must have one size",
                        size.1, size.0, first_size.1, first_size.0
                    ));
                }
                Some(_) => {}
                None => first = Some((file.clone(), size)),
            }
            pixels.pixel_size_um = pixels.pixel_size_um.or(info.pixel_size_um);
            pixels
                .warnings
                .extend(info.warnings.into_iter().map(|what| FileWarning {
                    file: file.clone(),
                    what,
                }));
            pixels.planes.push(plane);
        }
        Ok(pixels)
    }

    /// Finds the nuclei of a site; with the area of a typical nucleus, pieces are joined and debris is dropped (never in
    /// label images that were given).
    ///
    /// Errors: a label image that is missing, unreadable or of another size; networks that cannot be run.
    pub(crate) fn segment(
        &self,
        site: &Site,
        nuclei: ArrayView2<f32>,
        members: Option<usize>,
        typical_area: Option<f64>,
        warnings: &mut Vec<FileWarning>,
    ) -> Result<Segmented, Failure> {
        let path = self.nuclei_path(site);
        let mut warn = |what: String| {
            warnings.push(FileWarning {
                file: self.relative(&path),
                what,
            })
        };
        let segmented = if let Some(folder) = self.labels_from {
            let file = find_labels(folder, site, &path).ok_or_else(|| {
                Failure::Site(format!(
                    "no label image for {:?}: {:?} was looked for in --labels-from",
                    self.relative(&path),
                    site.id()
                ))
            })?;
            let labels = read_labels(&file, &ReadLimits::default()).map_err(|error| {
                let folder = format!("{}/", folder.display());
                Failure::Site(error.to_string().replace(&folder, ""))
            })?;
            if labels.shape() != nuclei.dim() {
                let name = file
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned())
                    .unwrap_or_default();
                return Err(Failure::Site(format!(
                    "label image {name:?} is {} x {} pixels, the image is {} x {}",
                    labels.shape().1,
                    labels.shape().0,
                    nuclei.dim().1,
                    nuclei.dim().0
                )));
            }
            Segmented::given(labels)
        } else if nuclei.dim().0.min(nuclei.dim().1) < SMALLEST_SIDE_PX {
            warn(format!(
                "{} x {} pixels are too few for a nucleus: no object was looked for",
                nuclei.dim().1,
                nuclei.dim().0
            ));
            return Ok(Segmented::given(Labels::empty(nuclei.dim())));
        } else {
            let normalized = image::normalize_nuclear(nuclei);
            if normalized.constant {
                warn("the image is constant: no object was looked for".to_owned());
                return Ok(Segmented::given(Labels::empty(nuclei.dim())));
            }
            self.networks
                .segment_sized(normalized.pixels.view(), members, typical_area)?
        };
        if segmented.labels.n == 0 {
            warn("no nucleus was found".to_owned());
        }
        Ok(segmented)
    }

    fn nuclei_path(&self, site: &Site) -> PathBuf {
        site.channels
            .get(&self.channels.all[self.channels.nuclei].1)
            .cloned()
            .unwrap_or_default()
    }

    /// Does all of a site. `diameter_px` is the typical diameter of a nucleus on its plate.
    ///
    /// Errors: what [`read`](Self::read) and [`segment`](Self::segment) say; a label image that cannot be written.
    pub(crate) fn process(
        &self,
        site: &Site,
        digest: &str,
        diameter_px: Option<f32>,
    ) -> Result<(Thumbs, Vec<u8>), Failure> {
        let mut pixels = self.read(site).map_err(Failure::Site)?;
        let nuclei = pixels.planes[self.channels.nuclei].view();
        let segmented = self.segment(
            site,
            nuclei,
            None,
            diameter_px.map(area_of_diameter),
            &mut pixels.warnings,
        )?;
        let labels = &segmented.labels;
        if let Some(folder) = &self.labels_to {
            write_label_image(folder, &site.id(), labels)?;
        }
        let named: Vec<(String, ArrayView2<f32>)> = self
            .channels
            .all
            .iter()
            .zip(&pixels.planes)
            .map(|((name, _), plane)| (name.clone(), plane.view()))
            .collect();
        let params = MeasureParams {
            ring_px: self.ring_px,
            nucleus_channel: self.channels.nuclei,
        };
        let features = measure(labels, &named, &params).map_err(|error| Failure::Site(error.to_string()))?;
        let centers: Vec<(f32, f32)> = features
            .objects
            .iter()
            .map(|o| (o.center_row, o.center_col))
            .collect();
        let classified = self
            .networks
            .classify(nuclei, &centers, diameter_px, pixels.pixel_size_um)
            .map_err(Failure::Run)?;
        let of_objects = object_quality(labels, nuclei);
        let object_quality = ObjectQuality {
            focus: of_objects.iter().map(|q| q.focus).collect(),
            saturated_share: of_objects.iter().map(|q| q.saturated_share).collect(),
        };
        let mut table = site_table(
            site,
            labels,
            &features,
            &segmented,
            &object_quality,
            classified.as_ref(),
        )
        .map_err(|error| Failure::Site(format!("the table could not be made: {error}")))?;
        let bytes = table_bytes(&mut table)
            .map_err(|error| Failure::Site(format!("the table could not be made: {error}")))?;

        let mut scores: Vec<Vec<Option<f64>>> = Vec::new();
        if let Some(classified) = &classified {
            scores.push(classified.total.iter().map(|&nats| Some(nats)).collect());
            scores.push(classified.p_known.iter().map(|&p| Some(-p)).collect());
        }
        scores.extend(unusual(&features));
        let chosen = choose_objects(centers.len(), &scores);
        let views: Vec<ArrayView2<f32>> = pixels.planes.iter().map(|plane| plane.view()).collect();
        let ranges: Vec<(f32, f32)> = views.iter().map(gray_range).collect();
        let pictures = make_pictures(
            &views,
            &ranges,
            labels,
            &centers,
            &chosen,
            diameter_px.unwrap_or(FALLBACK_DIAMETER_PX),
        );
        pixels.warnings.sort();
        let record = SiteRecord {
            digest: digest.to_owned(),
            table: blake3::hash(&bytes).to_hex().to_string(),
            site: site.id(),
            plate: site.plate.clone(),
            well: site.well.to_string(),
            site_number: site.site,
            timepoint: site.timepoint,
            size: labels.shape(),
            objects: centers.len(),
            diameter_px,
            pixel_size_um: pixels.pixel_size_um,
            channels: self.channel_records(&views, &ranges),
            nuclei: self.channels.nuclei,
            warnings: pixels.warnings,
            field: pictures.size,
            crops: chosen
                .iter()
                .map(|&index| features.objects[index].label)
                .collect(),
        };
        Ok((
            Thumbs {
                record,
                field: pictures.field,
                outlines: pictures.outlines,
                crops: pictures.crops,
            },
            bytes,
        ))
    }

    fn channel_records(&self, planes: &[ArrayView2<f32>], ranges: &[(f32, f32)]) -> Vec<ChannelRecord> {
        let of_channel = |channel: usize| {
            let (plane, (low, high)) = (planes[channel], ranges[channel]);
            let q = quality(plane);
            let [bottom, top] = percentiles(plane.iter().copied(), [1.0, 99.8]).unwrap_or([low, high]);
            ChannelRecord {
                name: self.channels.all[channel].0.clone(),
                focus: q.focus.is_finite().then_some(q.focus),
                saturated_share: q.saturated_share,
                background: q.background,
                low,
                high,
                contrast: (bottom, top),
            }
        };
        (0..planes.len()).map(of_channel).collect()
    }
}

/// Lowest and highest value of a plane.
fn gray_range(plane: &ArrayView2<f32>) -> (f32, f32) {
    plane
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| {
            (low.min(value), high.max(value))
        })
}

/// How far each object lies from the site's middle in its most deviating features: a stand-in for the novelty that only
/// the second stage can know, good enough to decide whose picture is kept.
fn unusual(features: &measure::Features) -> Option<Vec<Option<f64>>> {
    let n = features.objects.len();
    if n < 3 {
        return None;
    }
    let mut sum = vec![0.0f64; n];
    for column in features.values.columns() {
        let values: Vec<f64> = column.iter().map(|&value| f64::from(value)).collect();
        let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let Some(z) = uncertainty::robust_z(&values, &finite) else {
            continue;
        };
        for (total, z) in sum.iter_mut().zip(z) {
            // One wild ratio must not decide alone.
            *total += if z.is_finite() { z.abs().min(6.0) } else { 0.0 };
        }
    }
    Some(sum.into_iter().map(Some).collect())
}

/// The label image of a site: named like the site or like its nuclear image, with the endings that tools use.
pub(crate) fn find_labels(folder: &Path, site: &Site, image: &Path) -> Option<PathBuf> {
    let stem = image
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    find_label_file(folder, &[site.id(), stem])
}

/// The first file in `folder` that is called like one of `stems`, with the endings that tools use for label images.
pub(crate) fn find_label_file(folder: &Path, stems: &[String]) -> Option<PathBuf> {
    for stem in stems.iter().filter(|stem| !stem.is_empty()) {
        for ending in ["", "_labels", "_label", "_masks", "_mask"] {
            for extension in ["tif", "tiff", "png"] {
                let path = folder.join(format!("{stem}{ending}.{extension}"));
                if path.is_file() {
                    return Some(path);
                }
            }
        }
    }
    None
}

/// Writes a label image whole or not at all.
///
/// Errors: the folder cannot be written.
pub(crate) fn write_label_image(folder: &Path, name: &str, labels: &Labels) -> Result<(), EngineError> {
    make_folder(folder)?;
    let path = folder.join(format!("{name}.tif"));
    let temporary = temporary_name(&path);
    let write = |what: String| EngineError::Write {
        path: path.clone(),
        source: std::io::Error::other(what),
    };
    write_labels(&temporary, labels).map_err(|error| write(error.to_string()))?;
    std::fs::rename(&temporary, &path).map_err(|source| EngineError::Write {
        path: path.clone(),
        source,
    })
}
