//! From files to sites.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::check::listed;
use crate::error::PlateError;
use crate::layout::{FilePlace, Layout, LayoutChoice};
use crate::site::{Place, PlateScan, Site, SkippedFile};
use crate::walk::{ImageFile, Walked, walk};
use crate::well::Well;

/// Finds all sites below `root`: a folder that holds one plate or several.
///
/// Nothing is opened for its pixels, and nothing is made up: a well without files is not there, a channel without its
/// file is missing from its site. What is left out is in [`PlateScan::unmatched`], [`PlateScan::skipped`] and, summed up
/// in one line each, in the warnings.
///
/// Errors: the root cannot be read or holds no image that can be used; no layout explains any file, or two explain equally many; two
/// files claim one place.
pub fn scan(root: &Path, layout: &LayoutChoice) -> Result<PlateScan, PlateError> {
    let layouts = layout.layouts()?;
    let mut walked = walk(root)?;
    let names: Vec<&str> = walked
        .images
        .iter()
        .map(|image| image.below_root.as_str())
        .chain(walked.skipped.iter().filter_map(|(below, _)| below.as_deref()))
        .collect();
    if walked.images.is_empty() {
        return Err(nothing_usable(
            root,
            walked.skipped.first().map(|(_, file)| file),
            walked.skipped.len(),
        ));
    }
    let layout = choose(root, &names, layouts)?;
    let root_plate = name_of_root(root, &layout);
    let mut assembly = Assembly {
        layout: &layout,
        root_plate: &root_plate,
        fields: BTreeMap::new(),
        unmatched: Vec::new(),
    };
    for image in std::mem::take(&mut walked.images) {
        assembly.add(image)?;
    }
    let scan = assembly.finish(root, walked);
    if scan.sites.is_empty() {
        return Err(nothing_usable(root, scan.skipped.first(), scan.skipped.len()));
    }
    Ok(scan)
}

fn nothing_usable(root: &Path, first: Option<&SkippedFile>, skipped: usize) -> PlateError {
    let root = root.to_owned();
    match first {
        Some(SkippedFile { path, reason, .. }) => PlateError::NothingUsable {
            root,
            skipped,
            first: path.clone(),
            reason: reason.clone(),
        },
        None => PlateError::NoImages { root },
    }
}

/// The layout that explains most of the files; the only one where one was asked for.
fn choose(root: &Path, names: &[&str], layouts: Vec<Layout>) -> Result<Layout, PlateError> {
    let known: Vec<String> = layouts.iter().map(|layout| layout.name.clone()).collect();
    let first = names.first().map(PathBuf::from).unwrap_or_default();
    let counts: Vec<usize> = layouts
        .iter()
        .map(|layout| names.iter().filter(|name| layout.explain(name).is_some()).count())
        .collect();
    let best = counts.iter().copied().max().unwrap_or(0);
    if best == 0 {
        let (root, files) = (root.to_owned(), names.len());
        return Err(match known.as_slice() {
            [only] => PlateError::LayoutFitsNothing {
                layout: only.clone(),
                root,
                files,
                first,
            },
            _ => PlateError::NoLayout {
                root,
                files,
                first,
                known,
            },
        });
    }
    let mut winners: Vec<Layout> = layouts
        .into_iter()
        .zip(counts)
        .filter(|(_, count)| *count == best)
        .map(|(layout, _)| layout)
        .collect();
    match winners.pop() {
        Some(winner) if winners.is_empty() => Ok(winner),
        last => {
            let layouts = winners
                .into_iter()
                .chain(last)
                .map(|layout| layout.name)
                .collect();
            Err(PlateError::TiedLayouts {
                root: root.to_owned(),
                files: best,
                layouts,
            })
        }
    }
}

/// The plate's name where no folder below the root gives one: the root's own, or of a folder above where the layout
/// says that such a folder is no plate.
fn name_of_root(root: &Path, layout: &Layout) -> String {
    let real = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    let names = real
        .ancestors()
        .filter_map(Path::file_name)
        .map(|name| name.to_string_lossy().into_owned());
    names
        .into_iter()
        .find(|name| layout.may_be_a_plate(name))
        .unwrap_or_else(|| "plate".to_owned())
}

/// Plate, well, site and time.
type Key = (String, Well, i32, i32);

/// Sites while they are put together.
struct Assembly<'l> {
    layout: &'l Layout,
    root_plate: &'l str,
    /// Channels of each site, with the file's plane.
    fields: BTreeMap<Key, BTreeMap<String, (PathBuf, Option<String>)>>,
    unmatched: Vec<PathBuf>,
}

impl Assembly<'_> {
    fn add(&mut self, image: ImageFile) -> Result<(), PlateError> {
        let Some(FilePlace {
            plate,
            well,
            site,
            timepoint,
            channel,
            z,
        }) = self.layout.explain(&image.below_root)
        else {
            self.unmatched.push(image.path);
            return Ok(());
        };
        let plate = plate.unwrap_or_else(|| self.root_plate.to_owned());
        let channels = self
            .fields
            .entry((plate.clone(), well, site, timepoint))
            .or_default();
        if let Some((first, first_z)) = channels.get(&channel) {
            let (first, second) = (first.clone(), image.path);
            if *first_z != z {
                return Err(PlateError::ZPlanes { first, second });
            }
            return Err(PlateError::DoubledImage {
                first,
                second,
                plate,
                well,
                site,
                timepoint,
                channel,
            });
        }
        channels.insert(channel, (image.path, z));
        Ok(())
    }

    fn finish(self, root: &Path, walked: Walked) -> PlateScan {
        let place = |below: &str| {
            let FilePlace {
                plate,
                well,
                site,
                timepoint,
                channel,
                ..
            } = self.layout.explain(below)?;
            Some(Place {
                plate: plate.unwrap_or_else(|| self.root_plate.to_owned()),
                well,
                site,
                timepoint,
                channel,
            })
        };
        let skipped: Vec<SkippedFile> = walked
            .skipped
            .into_iter()
            .map(|(below, file)| SkippedFile {
                place: below.as_deref().and_then(place),
                ..file
            })
            .collect();
        let sites: Vec<Site> = self
            .fields
            .into_iter()
            .map(|((plate, well, site, timepoint), channels)| {
                let channels = channels
                    .into_iter()
                    .map(|(channel, (path, _))| (channel, path))
                    .collect();
                Site {
                    plate,
                    well,
                    site,
                    timepoint,
                    channels,
                }
            })
            .collect();
        let mut channels: Vec<String> = sites
            .iter()
            .flat_map(|site| site.channels.keys().cloned())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        // Numbers in their order, then names.
        channels.sort_by_key(|channel| {
            (
                channel.parse::<u32>().map_or((true, 0), |number| (false, number)),
                channel.clone(),
            )
        });
        let mut warnings = walked.warnings;
        warnings.extend(unmatched_files(root, &self.unmatched, self.layout));
        warnings.extend(skipped_files(root, &skipped));
        warnings.extend(missing_channels(&sites, &channels));
        warnings.extend(missing_sites(&sites));
        PlateScan {
            root: root.to_owned(),
            layout: self.layout.name.clone(),
            sites,
            channels,
            unmatched: self.unmatched,
            skipped,
            warnings,
        }
    }
}

/// Paths below the root, quoted, so that each stays on one line.
fn quoted(root: &Path, paths: &[&PathBuf]) -> String {
    listed(
        &paths
            .iter()
            .map(|path| format!("{:?}", path.strip_prefix(root).unwrap_or(path)))
            .collect::<Vec<_>>(),
    )
}

fn unmatched_files(root: &Path, unmatched: &[PathBuf], layout: &Layout) -> Option<String> {
    let paths: Vec<&PathBuf> = unmatched.iter().collect();
    (!paths.is_empty()).then(|| {
        format!(
            "image files whose names layout {:?} does not explain, left out ({}): {}",
            layout.name,
            paths.len(),
            quoted(root, &paths)
        )
    })
}

fn skipped_files(root: &Path, skipped: &[SkippedFile]) -> Option<String> {
    let paths: Vec<&PathBuf> = skipped.iter().map(|file| &file.path).collect();
    (!paths.is_empty()).then(|| {
        format!(
            "files that cannot be used, skipped ({}): {}",
            paths.len(),
            quoted(root, &paths)
        )
    })
}

fn missing_channels(sites: &[Site], channels: &[String]) -> Option<String> {
    let lacking: Vec<String> = sites
        .iter()
        .filter_map(|site| {
            let missing: Vec<&str> = channels
                .iter()
                .map(String::as_str)
                .filter(|channel| !site.channels.contains_key(*channel))
                .collect();
            (!missing.is_empty()).then(|| format!("{} has no {}", named(site), missing.join(", ")))
        })
        .collect();
    (!lacking.is_empty()).then(|| {
        format!(
            "sites without an image in every channel ({}): {}",
            lacking.len(),
            listed(&lacking)
        )
    })
}

/// Wells that lack a site or time which another well of their plate has.
fn missing_sites(sites: &[Site]) -> Option<String> {
    let mut of_well: BTreeMap<(&str, Well), usize> = BTreeMap::new();
    let mut of_plate: BTreeMap<&str, BTreeSet<(i32, i32)>> = BTreeMap::new();
    for site in sites {
        *of_well.entry((&site.plate, site.well)).or_default() += 1;
        of_plate
            .entry(&site.plate)
            .or_default()
            .insert((site.site, site.timepoint));
    }
    let expected = |plate: &str| of_plate.get(plate).map_or(0, BTreeSet::len);
    let lacking: Vec<String> = of_well
        .iter()
        .filter(|((plate, _), n)| **n < expected(plate))
        .map(|((plate, well), n)| format!("{plate:?} {well} has {n} of {}", expected(plate)))
        .collect();
    (!lacking.is_empty()).then(|| {
        format!(
            "wells with fewer sites or times than others ({}): {}",
            lacking.len(),
            listed(&lacking)
        )
    })
}

fn named(site: &Site) -> String {
    format!(
        "{:?} {} site {} time {}",
        site.plate, site.well, site.site, site.timepoint
    )
}
