//! What a run is going to do, settled before anything is written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::ReadLimits;
use measure::MeasureParams;
use plate::{LayoutChoice, PlateMap, PlateScan, Site};

use super::channels::Channels;
use super::networks::Networks;
use super::settings::SiteSettings;
use crate::gather::wells::{map_params, profile_params, read_excluded, wells_of};
use crate::{EngineError, Progress, ScreenParams};

/// Bytes that one pixel of a site needs while it is worked on, beside its channels and the samples of the networks:
/// normalised plane, pooled maps, label images and distances.
pub(crate) const BYTES_A_PIXEL: u64 = 64;

/// A plate, its channels and its map.
pub(crate) struct Plan {
    pub(crate) scan: PlateScan,
    pub(crate) channels: Channels,
    /// What the plate map and the plate have to say to each other.
    pub(crate) map_warnings: Vec<String>,
    /// What these wells cannot tell.
    pub(crate) not_estimable: Vec<String>,
    /// Reason of a site that a skipped file belongs to.
    skipped: BTreeMap<String, String>,
}

/// A layout as the user names it: a file if it is one, else a built-in name; nothing = try all.
pub(crate) fn layout_choice(layout: Option<&str>) -> LayoutChoice {
    match layout {
        None | Some("auto") => LayoutChoice::Auto,
        Some(name) if name.ends_with(".toml") || Path::new(name).is_file() => {
            LayoutChoice::File(PathBuf::from(name))
        }
        Some(name) => LayoutChoice::Named(name.to_owned()),
    }
}

/// Scans a folder of plates.
///
/// Errors: what [`plate::scan`] says.
pub(crate) fn scan_plate(root: &Path, layout: Option<&str>) -> Result<PlateScan, EngineError> {
    Ok(plate::scan(root, &layout_choice(layout))?)
}

impl Plan {
    /// Scans the plate, settles the channels, and reads the plate map.
    ///
    /// Errors: an unusable plate, channel or plate map; nothing has been written.
    pub(crate) fn make(params: &ScreenParams) -> Result<Self, EngineError> {
        let mut scan = scan_plate(&params.plate, params.layout.as_deref())?;
        let channels = Channels::settle(
            &scan,
            &params.channel_names,
            params.nuclei.as_deref(),
            params.cells.as_deref(),
        )?;
        if let Some(folder) = params.labels_from.as_deref().filter(|folder| !folder.is_dir()) {
            return Err(EngineError::unusable(
                folder,
                "no such folder",
                "name the folder of your label images with --labels-from",
            ));
        }
        let map = match &params.gather.plate_map {
            Some(path) => Some(PlateMap::read(path, &map_params(&params.gather))?),
            None => None,
        };
        let excluded = read_excluded(params.gather.exclude.as_deref())?;
        let mut map_warnings = Vec::new();
        if let Some(map) = &map {
            map_warnings.extend(map.warnings.iter().cloned());
            map_warnings.extend(map.check_against(&scan)?);
        }
        let wells = wells_of(&scan, map.as_ref(), &excluded, &BTreeMap::new());
        let not_estimable = match &map {
            Some(_) => profile::estimable(&wells, &profile_params(&params.gather)),
            None => vec!["no plate map was given: nothing is tested; wells are described only".to_owned()],
        };
        let mut skipped: BTreeMap<String, String> = BTreeMap::new();
        for file in &scan.skipped {
            let Some(place) = &file.place else { continue };
            let site = Site {
                plate: place.plate.clone(),
                well: place.well,
                site: place.site,
                timepoint: place.timepoint,
                channels: BTreeMap::new(),
            };
            let path = file.path.strip_prefix(&scan.root).unwrap_or(&file.path);
            skipped
                .entry(site.id())
                .or_insert_with(|| format!("{path:?}: {}", file.reason));
            // A site all of whose files were skipped is still a site of the plate.
            if !scan.sites.iter().any(|known| known.id() == site.id()) {
                scan.sites.push(site);
            }
        }
        scan.sites.sort_by(|a, b| {
            (&a.plate, a.well, a.site, a.timepoint).cmp(&(&b.plate, b.well, b.site, b.timepoint))
        });
        Ok(Self {
            scan,
            channels,
            map_warnings,
            not_estimable,
            skipped,
        })
    }

    /// What the sites' results depend on.
    pub(crate) fn settings(&self, params: &ScreenParams, networks: &Networks) -> SiteSettings {
        SiteSettings {
            program: format!("phenosure {}", env!("CARGO_PKG_VERSION")),
            layout: self.scan.layout.clone(),
            channels: self.channels.all.clone(),
            nuclei: self.channels.nuclei_name().to_owned(),
            cells: self
                .channels
                .cells
                .map(|index| self.channels.all[index].0.clone()),
            segment: networks.segment_id(),
            classify: networks.classify_id(),
            members: params.networks.members,
            draws: params.networks.draws,
            device: networks.device_name().to_owned(),
            isa: networks.isa_name().to_owned(),
            pixel_size_um: params.pixel_size_um,
            diameter_px: params.diameter_px,
            ring_px: MeasureParams::default().ring_px,
        }
    }

    /// The nuclear image of a site; empty where it has none.
    pub(crate) fn nuclei_path<'a>(&self, site: &'a Site) -> &'a Path {
        site.channels
            .get(&self.channels.all[self.channels.nuclei].1)
            .map_or(Path::new(""), PathBuf::as_path)
    }

    /// Why a site is left out before any of its files is opened.
    pub(crate) fn skip_reason(&self, site: &Site) -> Option<String> {
        let missing = self
            .channels
            .all
            .iter()
            .find(|(_, found)| !site.channels.contains_key(found))?;
        Some(
            self.skipped
                .get(&site.id())
                .cloned()
                .unwrap_or_else(|| format!("channel {:?} has no file", missing.0)),
        )
    }

    /// What the scan has to say, with paths relative to the plate folder.
    pub(crate) fn scan_warnings(&self) -> Vec<String> {
        let mut root = self.scan.root.display().to_string();
        if !root.ends_with('/') {
            root.push('/');
        }
        self.scan
            .warnings
            .iter()
            .map(|line| line.replace(&root, ""))
            .collect()
    }

    /// How many sites may be worked on at once: threads, bounded by memory.
    pub(crate) fn sites_at_once(
        &self,
        params: &ScreenParams,
        networks: &Networks,
        threads: usize,
        progress: &dyn Progress,
    ) -> usize {
        let first = self
            .scan
            .sites
            .iter()
            .map(|site| self.nuclei_path(site))
            .find_map(|path| image::read_gray(path, &ReadLimits::default()).ok());
        let Some((plane, _)) = first else { return threads };
        let a_pixel = BYTES_A_PIXEL + 4 * self.channels.all.len() as u64;
        let a_site = plane.len() as u64 * a_pixel + networks.working_set(plane.dim());
        progress.detail(&networks.working_set_line(plane.dim()));
        let budget = params.memory.or_else(half_of_memory).unwrap_or(u64::MAX);
        usize::try_from(budget / a_site.max(1))
            .unwrap_or(usize::MAX)
            .clamp(1, threads)
    }
}

/// Half of this machine's memory in bytes, where the system says it.
pub(crate) fn half_of_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024 / 2)
}
