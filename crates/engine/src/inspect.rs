//! What a folder or file is, before any time is spent on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use image::{ReadLimits, read_image};
use plate::{PlateMap, PlateScan};
use serde::Serialize;

use crate::files::write_whole;
use crate::gather::run_file::read_run_file;
use crate::gather::wells::{Excluded, map_params, profile_params, wells_of};
use crate::screen::folder::read_run;
use crate::screen::{Channels, scan_plate};
use crate::{EngineError, GatherParams};

/// Images whose header and pixels are looked at, spread over the plate.
const LOOKED_AT: usize = 6;

/// What to look at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InspectParams {
    /// A folder of plates, an image, or the folder of a run.
    pub path: PathBuf,
    /// Layout: a built-in name or a file.
    pub layout: Option<String>,
    /// The statistics, with the plate map.
    pub gather: GatherParams,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Inspection {
    /// A folder of plates.
    Plate(PlateInspection),
    /// An image file.
    Image(ImageInspection),
    /// The folder of a run.
    Run(RunInspection),
}

/// A folder of plates.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlateInspection {
    /// Layout that explains the files.
    pub layout: String,
    /// Plates with the number of their wells and sites.
    pub plates: Vec<(String, usize, usize)>,
    /// Channels as found.
    pub channels: Vec<String>,
    /// The channel that shows nuclei, if its name says so.
    pub nuclei: Option<String>,
    /// Sizes and sample types of a few images, as text.
    pub images: Vec<String>,
    /// What would be skipped, with reasons.
    pub skipped: Vec<String>,
    /// Image files whose name the layout does not explain.
    pub unmatched: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// Wells by role, if there is a plate map.
    pub roles: Option<BTreeMap<String, usize>>,
    /// What these wells cannot tell, and what it would take; `None` without a plate map.
    pub not_estimable: Option<Vec<String>>,
}

/// An image file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImageInspection {
    /// Format of the content.
    pub format: String,
    /// Width and height in pixels.
    pub size: (usize, usize),
    /// Planes.
    pub planes: usize,
    /// Bits a sample.
    pub bits: u16,
    /// Pixel size in µm, if the file says it.
    pub pixel_size_um: Option<f32>,
    /// Channel names, if the file says them.
    pub channels: Vec<String>,
    /// Lowest and highest value of each plane, in the sensor's range.
    pub ranges: Vec<(f32, f32)>,
    /// Oddities.
    pub warnings: Vec<String>,
}

/// The folder of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunInspection {
    /// Program that made it.
    pub program: String,
    /// Plates.
    pub plates: Vec<String>,
    /// Sites of the run.
    pub sites: usize,
    /// Finished sites.
    pub finished: usize,
    /// Skipped sites with reasons.
    pub skipped: Vec<String>,
    /// Bundles with digests.
    pub bundles: Vec<String>,
    /// The verdict's sentence, if the run was gathered.
    pub verdict: Option<String>,
}

/// Says what `path` is.
///
/// Errors: it is none of the three, or cannot be read.
pub fn inspect(params: &InspectParams) -> Result<Inspection, EngineError> {
    let path = &params.path;
    if path.is_file() {
        return inspect_image(path).map(Inspection::Image);
    }
    if path.join("sites").is_dir() && read_run(path).is_ok() {
        return inspect_run(path).map(Inspection::Run);
    }
    let scan = scan_plate(path, params.layout.as_deref())?;
    inspect_plate(&scan, &params.gather).map(Inspection::Plate)
}

fn inspect_plate(scan: &PlateScan, params: &GatherParams) -> Result<PlateInspection, EngineError> {
    let relative = |path: &Path| {
        path.strip_prefix(&scan.root)
            .unwrap_or(path)
            .display()
            .to_string()
    };
    let mut found = PlateInspection {
        layout: scan.layout.clone(),
        channels: scan.channels.clone(),
        unmatched: scan.unmatched.iter().map(|path| relative(path)).collect(),
        warnings: scan.warnings.clone(),
        ..PlateInspection::default()
    };
    for plate in scan.plates() {
        let wells = scan.wells().iter().filter(|(name, _)| *name == plate).count();
        let sites = scan.sites.iter().filter(|site| site.plate == plate).count();
        found.plates.push((plate.to_owned(), wells, sites));
    }
    found.nuclei = Channels::settle(scan, &BTreeMap::new(), None, None)
        .ok()
        .map(|channels| channels.nuclei_name().to_owned());
    found.skipped.extend(
        scan.skipped
            .iter()
            .map(|file| format!("{:?}: {}", relative(&file.path), file.reason)),
    );
    for site in &scan.sites {
        for channel in scan
            .channels
            .iter()
            .filter(|channel| !site.channels.contains_key(*channel))
        {
            found
                .skipped
                .push(format!("{}: channel {channel:?} has no file", site.id()));
        }
    }
    let step = scan.sites.len().div_ceil(LOOKED_AT).max(1);
    let mut kinds = BTreeSet::new();
    for path in scan
        .sites
        .iter()
        .step_by(step)
        .flat_map(|site| site.channels.values())
    {
        match inspect_image(path) {
            Ok(image) => {
                let size = image
                    .pixel_size_um
                    .map_or(String::new(), |um| format!(", {um} um a pixel"));
                kinds.insert(format!(
                    "{} x {}, {} bits, {}{size}",
                    image.size.0, image.size.1, image.bits, image.format
                ));
            }
            Err(error) => found.skipped.push(error.to_string()),
        }
    }
    found.images = kinds.into_iter().collect();
    if let Some(path) = &params.plate_map {
        let map = PlateMap::read(path, &map_params(params))?;
        found.warnings.extend(map.warnings.iter().cloned());
        found.warnings.extend(map.check_against(scan)?);
        let wells = wells_of(scan, Some(&map), &Excluded::default(), &BTreeMap::new());
        let mut roles = BTreeMap::new();
        for well in &wells {
            *roles.entry(well.role.name().to_owned()).or_default() += 1;
        }
        found.roles = Some(roles);
        found.not_estimable = Some(profile::estimable(&wells, &profile_params(params)));
    }
    Ok(found)
}

fn inspect_image(path: &Path) -> Result<ImageInspection, EngineError> {
    let image = read_image(path, &ReadLimits::default())?;
    let info = image.info();
    let range = |plane: &ndarray::Array2<f32>| {
        plane
            .iter()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| {
                (low.min(value), high.max(value))
            })
    };
    Ok(ImageInspection {
        format: format!("{:?}", info.format).to_uppercase(),
        size: (info.width_px, info.height_px),
        planes: info.planes,
        bits: info.bits,
        pixel_size_um: info.pixel_size_um,
        channels: info.channel_names,
        ranges: image.planes.iter().map(range).collect(),
        warnings: info.warnings,
    })
}

fn inspect_run(path: &Path) -> Result<RunInspection, EngineError> {
    let found = read_run(path)?;
    let stage = &found.stages[0];
    let bundles = stage.settings.segment.iter().chain(&stage.settings.classify);
    let run = read_run_file(path)?;
    let sentence = run.and_then(|run| {
        run.verdict
            .get("sentence")
            .and_then(|text| text.as_str())
            .map(str::to_owned)
    });
    Ok(RunInspection {
        program: stage.settings.program.clone(),
        plates: stage.plates.clone(),
        sites: stage.sites,
        finished: found.finished.len(),
        skipped: found
            .skipped
            .iter()
            .map(|site| format!("{}: {}", site.site, site.reason))
            .collect(),
        bundles: bundles
            .map(|bundle| format!("{} {}", bundle.name, bundle.digest))
            .collect(),
        verdict: sentence,
    })
}

/// Writes the settings of a run on this plate, to be edited.
///
/// Errors: `file` is there and `force` is not set; it cannot be written.
pub fn write_settings(
    params: &InspectParams,
    plate: &PlateInspection,
    file: &Path,
    force: bool,
) -> Result<(), EngineError> {
    if file.exists() && !force {
        return Err(EngineError::OutputTaken {
            path: file.to_owned(),
            what: "is there already".to_owned(),
        });
    }
    write_whole(file, settings_text(params, plate).as_bytes())
}

/// The text of a settings file: what is known as values, what must be decided as questions.
fn settings_text(params: &InspectParams, plate: &PlateInspection) -> String {
    let quoted = |path: &Path| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        toml::Value::String(absolute.display().to_string()).to_string()
    };
    let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
    let list = |values: &[String]| {
        let values: Vec<String> = values.iter().map(|value| text(value)).collect();
        format!("[{}]", values.join(", "))
    };
    let gather = &params.gather;
    let mut lines = vec![
        "# Settings of a run; use them with: phenosure screen --config THIS_FILE".to_owned(),
        "# Names are those of the long options of `phenosure screen --help`; what is typed there wins."
            .to_owned(),
        "# Relative paths start at the folder of this file.".to_owned(),
        String::new(),
        format!("plate = {}", quoted(&params.path)),
        "out = \"run\"".to_owned(),
        format!(
            "layout = {}",
            text(params.layout.as_deref().unwrap_or(&plate.layout))
        ),
        String::new(),
        format!("# Channels found: {}.", plate.channels.join(", ")),
    ];
    match &plate.nuclei {
        Some(nuclei) => lines.push(format!("nuclei = {}", text(nuclei))),
        None => {
            lines.push("# nuclei = \"?\"        # the channel that shows nuclei: must be said".to_owned())
        }
    }
    lines.push("# cells = \"?\"".to_owned());
    lines.push(String::new());
    match &gather.plate_map {
        Some(map) => lines.push(format!("plate-map = {}", quoted(map))),
        None => lines.push(
            "# plate-map = \"map.csv\"  # without it wells are described but nothing is tested".to_owned(),
        ),
    }
    match &gather.treatment {
        Some(column) => lines.push(format!("treatment = {}", text(column))),
        None => lines.push("# treatment = \"treatment\"".to_owned()),
    }
    match &gather.dose {
        Some(column) => lines.push(format!("dose = {}", text(column))),
        None => lines.push("# dose = \"dose\"".to_owned()),
    }
    for (name, values) in [("negcon", &gather.negcon), ("poscon", &gather.poscon)] {
        match values.is_empty() {
            true => lines.push(format!(
                "# {name} = [\"…\"]          # values of the treatment column or of role"
            )),
            false => lines.push(format!("{name} = {}", list(values))),
        }
    }
    lines.extend([
        String::new(),
        format!("fdr = {:?}", gather.fdr),
        format!("min-effect = {:?}", gather.min_effect),
        format!("set-coverage = {:?}", gather.set_coverage),
        "# pixel-size = \"0.65um\"".to_owned(),
        String::new(),
        "# Names for channels, used in columns and pictures:".to_owned(),
        "# [channel]".to_owned(),
    ]);
    for channel in &plate.channels {
        lines.push(format!("# NAME = {}", text(channel)));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Checks that what [`write_settings`] writes can be read again.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    #[test]
    fn what_is_written_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("screen.toml");
        let params = InspectParams {
            path: "some \"plate\"".into(),
            gather: GatherParams {
                plate_map: Some("map.csv".into()),
                negcon: vec!["DMSO \\ x".into()],
                ..GatherParams::default()
            },
            ..InspectParams::default()
        };
        let plate = PlateInspection {
            layout: "imagehts".into(),
            channels: vec!["FITC".into(), "Hoechst".into()],
            nuclei: Some("Hoechst".into()),
            ..PlateInspection::default()
        };
        write_settings(&params, &plate, &file, false).unwrap();
        let settings = Settings::read(&file).unwrap();
        assert_eq!(settings.nuclei.as_deref(), Some("Hoechst"));
        assert_eq!(settings.negcon, ["DMSO \\ x"]);
        assert!(settings.plate.unwrap().ends_with("some \"plate\""));
        assert_eq!(settings.out, Some(folder.path().join("run")));
        assert!(write_settings(&params, &plate, &file, false).is_err());
        write_settings(&params, &plate, &file, true).unwrap();
    }
}
