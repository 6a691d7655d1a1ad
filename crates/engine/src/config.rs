//! A run's settings as a file: the same names as the long options, so that a line can move between the two.
//!
//! The command line is read into the same struct and laid [over](Settings::over) the file, so what was typed wins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{EngineError, GatherParams, NetworkParams, Novelty, ScreenParams};

/// Everything that `screen` and `gather` can be told; `None` or empty = not said.
///
/// Relative paths of a file are taken from the file's folder. Unknown names are an error, so that a typing mistake
/// never passes for a default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// Folder with one or more plates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plate: Option<PathBuf>,
    /// The plate map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plate_map: Option<PathBuf>,
    /// Folder of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<PathBuf>,
    /// Layout: name or file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// The channel that shows nuclei.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nuclei: Option<String>,
    /// The channel that shows cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cells: Option<String>,
    /// Bundle that finds nuclei.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment_with: Option<String>,
    /// Bundle that names classes; `none` = no classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classify_with: Option<String>,
    /// Folder of label images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels_from: Option<PathBuf>,
    /// Micrometers a pixel, as `0.65um` or `0.65`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_size: Option<String>,
    /// Typical diameter of a nucleus in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diameter_px: Option<f32>,
    /// Where networks are computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Instruction set that they are computed with on the processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isa: Option<String>,
    /// Members of a bundle that are used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<usize>,
    /// Dropout draws a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draws: Option<usize>,
    /// Threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Memory for sites in work, as `8GiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// The part of the run to do, as `2/8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// Write label images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<bool>,
    /// Column of the plate map that names the treatment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub treatment: Option<String>,
    /// Column of the plate map that holds the dose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dose: Option<String>,
    /// Values that are negative controls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub negcon: Vec<String>,
    /// Values that are positive controls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub poscon: Vec<String>,
    /// Wells to leave out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude: Option<PathBuf>,
    /// False-discovery rate of hits and flags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fdr: Option<f64>,
    /// False-discovery rate of count hits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count_fdr: Option<f64>,
    /// Smallest change of the cell count that is a hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_effect: Option<f64>,
    /// Share of cells whose set holds the true class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_coverage: Option<f64>,
    /// Dispersion of cell counts below 8 control wells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispersion: Option<f64>,
    /// Reference of novelty: controls, known or both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub novel_against: Option<String>,
    /// Number of clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clusters: Option<usize>,
    /// Seed of every random choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Write report.html.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<bool>,
    /// Names for channels: name -> channel as the layout found it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub channel: BTreeMap<String, String>,
}

impl Settings {
    /// Reads a settings file.
    ///
    /// Errors: the file cannot be read, is not TOML, or holds a name or type that is not known (with line and column).
    pub fn read(path: &Path) -> Result<Self, EngineError> {
        let text = std::fs::read_to_string(path).map_err(|source| EngineError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut settings: Self = toml::from_str(&text).map_err(|source| EngineError::Config {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for file in [
            &mut settings.plate,
            &mut settings.plate_map,
            &mut settings.out,
            &mut settings.labels_from,
            &mut settings.exclude,
        ] {
            if let Some(relative) = file.as_mut().filter(|file| file.is_relative()) {
                *relative = folder.join(&relative);
            }
        }
        Ok(settings)
    }

    /// The settings of `self`, and of `below` where `self` does not say.
    pub fn over(self, below: Self) -> Self {
        let list = |above: Vec<String>, below: Vec<String>| if above.is_empty() { below } else { above };
        let mut channel = below.channel;
        channel.extend(self.channel);
        Self {
            plate: self.plate.or(below.plate),
            plate_map: self.plate_map.or(below.plate_map),
            out: self.out.or(below.out),
            layout: self.layout.or(below.layout),
            nuclei: self.nuclei.or(below.nuclei),
            cells: self.cells.or(below.cells),
            segment_with: self.segment_with.or(below.segment_with),
            classify_with: self.classify_with.or(below.classify_with),
            labels_from: self.labels_from.or(below.labels_from),
            pixel_size: self.pixel_size.or(below.pixel_size),
            diameter_px: self.diameter_px.or(below.diameter_px),
            device: self.device.or(below.device),
            isa: self.isa.or(below.isa),
            members: self.members.or(below.members),
            draws: self.draws.or(below.draws),
            threads: self.threads.or(below.threads),
            memory: self.memory.or(below.memory),
            shard: self.shard.or(below.shard),
            labels: self.labels.or(below.labels),
            treatment: self.treatment.or(below.treatment),
            dose: self.dose.or(below.dose),
            negcon: list(self.negcon, below.negcon),
            poscon: list(self.poscon, below.poscon),
            exclude: self.exclude.or(below.exclude),
            fdr: self.fdr.or(below.fdr),
            count_fdr: self.count_fdr.or(below.count_fdr),
            min_effect: self.min_effect.or(below.min_effect),
            set_coverage: self.set_coverage.or(below.set_coverage),
            dispersion: self.dispersion.or(below.dispersion),
            novel_against: self.novel_against.or(below.novel_against),
            clusters: self.clusters.or(below.clusters),
            seed: self.seed.or(below.seed),
            report: self.report.or(below.report),
            channel,
        }
    }

    /// The parameters of the second stage.
    ///
    /// Errors: a rate outside (0, 1), an effect below 1, a dispersion below 0, an unknown reference.
    pub fn gather_params(&self) -> Result<GatherParams, EngineError> {
        let rate = |option: &'static str, value: Option<f64>, default: f64| match value {
            Some(rate) if rate > 0.0 && rate < 1.0 => Ok(rate),
            Some(rate) => Err(out_of_range(option, rate, "must lie between 0 and 1")),
            None => Ok(default),
        };
        let novel_against = match self.novel_against.as_deref() {
            None | Some("both") => Novelty::Both,
            Some("controls") => Novelty::Controls,
            Some("known") => Novelty::Known,
            Some(other) => {
                return Err(EngineError::Option {
                    option: "--novel-against",
                    value: other.to_owned(),
                    what: "not a reference; say controls, known or both".to_owned(),
                });
            }
        };
        let min_effect = self.min_effect.unwrap_or(GatherParams::MIN_EFFECT);
        if !(min_effect > 1.0 && min_effect.is_finite()) {
            return Err(out_of_range(
                "--min-effect",
                min_effect,
                "must be above 1: 2 means half or double",
            ));
        }
        let default_dispersion = self.dispersion.unwrap_or(GatherParams::DISPERSION);
        if !(default_dispersion >= 0.0 && default_dispersion.is_finite()) {
            return Err(out_of_range(
                "--dispersion",
                default_dispersion,
                "must be 0 or more",
            ));
        }
        Ok(GatherParams {
            plate_map: self.plate_map.clone(),
            treatment: self.treatment.clone(),
            dose: self.dose.clone(),
            negcon: self.negcon.clone(),
            poscon: self.poscon.clone(),
            exclude: self.exclude.clone(),
            fdr: rate("--fdr", self.fdr, GatherParams::FDR)?,
            count_fdr: rate("--count-fdr", self.count_fdr, GatherParams::COUNT_FDR)?,
            min_effect,
            set_coverage: rate("--set-coverage", self.set_coverage, GatherParams::SET_COVERAGE)?,
            default_dispersion,
            novel_against,
            clusters: self.clusters,
            seed: self.seed.unwrap_or(GatherParams::SEED),
            report: self.report.unwrap_or(true),
            credits: Vec::new(),
            planted: None,
        })
    }

    /// How the networks are used.
    ///
    /// Errors: an unknown device or instruction set, no member.
    pub fn network_params(&self) -> Result<NetworkParams, EngineError> {
        let at_least_one = |option: &'static str, value: Option<usize>| match value {
            Some(0) => Err(EngineError::Option {
                option,
                value: "0".to_owned(),
                what: "must be 1 or more".to_owned(),
            }),
            other => Ok(other),
        };
        Ok(NetworkParams {
            device: self
                .device
                .as_deref()
                .map(str::parse)
                .transpose()?
                .unwrap_or_default(),
            isa: self
                .isa
                .as_deref()
                .map(str::parse)
                .transpose()?
                .unwrap_or_default(),
            members: at_least_one("--members", self.members)?,
            draws: self.draws,
        })
    }

    /// The parameters of the whole run.
    ///
    /// Errors: plate or out missing, and those of [`gather_params`](Self::gather_params) and
    /// [`network_params`](Self::network_params).
    pub fn screen_params(&self, force: bool) -> Result<ScreenParams, EngineError> {
        let missing = |option: &'static str, what: &str| EngineError::Option {
            option,
            value: String::new(),
            what: format!("missing; {what}"),
        };
        let plate = self
            .plate
            .clone()
            .ok_or_else(|| missing("PLATE", "name the folder of the plate"))?;
        let out = self
            .out
            .clone()
            .ok_or_else(|| missing("--out", "name a folder for the results"))?;
        let mut params = ScreenParams::new(plate, out);
        params.layout = self.layout.clone();
        params.channel_names = self.channel.clone();
        params.nuclei = self.nuclei.clone();
        params.cells = self.cells.clone();
        if let Some(bundle) = &self.segment_with {
            params.segment_with = bundle.clone();
        }
        params.classify_with = match self.classify_with.as_deref() {
            Some("none") => None,
            Some(bundle) => Some(bundle.to_owned()),
            None => params.classify_with,
        };
        params.labels_from = self.labels_from.clone();
        params.pixel_size_um = self.pixel_size.as_deref().map(parse_pixel_size).transpose()?;
        params.diameter_px = match self.diameter_px {
            Some(d) if !(d.is_finite() && d >= 1.0) => {
                return Err(out_of_range(
                    "--diameter-px",
                    f64::from(d),
                    "must be 1 pixel or more",
                ));
            }
            other => other,
        };
        params.networks = self.network_params()?;
        params.threads = match self.threads {
            Some(0) => return Err(out_of_range("--threads", 0.0, "must be 1 or more")),
            other => other,
        };
        params.memory = self.memory.as_deref().map(parse_memory).transpose()?;
        params.shard = self.shard.as_deref().map(str::parse).transpose()?;
        params.write_labels = self.labels.unwrap_or(false);
        params.force = force;
        params.gather = self.gather_params()?;
        Ok(params)
    }
}

fn out_of_range(option: &'static str, value: f64, what: &str) -> EngineError {
    EngineError::Option {
        option,
        value: value.to_string(),
        what: what.to_owned(),
    }
}

/// Micrometers a pixel from `0.65um`, `0.65 µm`, `0.65` or `650nm`.
///
/// Errors: not a number, not positive, or another unit.
pub fn parse_pixel_size(text: &str) -> Result<f32, EngineError> {
    let trimmed = text.trim();
    let digits = trimmed.trim_end_matches(|c: char| !c.is_ascii_digit() && c != '.');
    let factor = match trimmed[digits.len()..].trim() {
        "" | "um" | "µm" | "μm" => Some(1.0),
        "nm" => Some(1e-3),
        _ => None,
    };
    match (digits.parse::<f32>(), factor) {
        (Ok(number), Some(factor)) if number.is_finite() && number > 0.0 => Ok(number * factor),
        _ => Err(EngineError::Option {
            option: "--pixel-size",
            value: text.to_owned(),
            what: "not a pixel size; say micrometers a pixel, as 0.65um".to_owned(),
        }),
    }
}

/// Bytes from `8GiB`, `500MiB`, `8G` or a plain number of bytes.
///
/// Errors: not a number, zero, or another unit.
pub fn parse_memory(text: &str) -> Result<u64, EngineError> {
    let trimmed = text.trim();
    let digits = trimmed.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match trimmed[digits.len()..].trim() {
        "" | "B" => Some(0),
        "KiB" | "K" | "KB" => Some(10),
        "MiB" | "M" | "MB" => Some(20),
        "GiB" | "G" | "GB" => Some(30),
        "TiB" | "T" | "TB" => Some(40),
        _ => None,
    };
    let bytes = digits
        .parse::<u64>()
        .ok()
        .zip(shift)
        .and_then(|(n, shift)| n.checked_mul(1 << shift));
    bytes
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| EngineError::Option {
            option: "--memory",
            value: text.to_owned(),
            what: "not an amount of memory; say 8GiB or 500MiB".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_wins_over_the_file() {
        let file: Settings =
            toml::from_str("fdr = 0.2\nnegcon = ['DMSO']\nnuclei = 'w1'\n[channel]\nDNA = 'w1'\nGFP = 'w2'")
                .unwrap();
        let typed = Settings {
            fdr: Some(0.05),
            channel: BTreeMap::from([("DNA".into(), "w3".into())]),
            ..Settings::default()
        };
        let both = typed.over(file);
        assert_eq!(both.fdr, Some(0.05));
        assert_eq!(both.negcon, ["DMSO"]);
        assert_eq!(both.nuclei.as_deref(), Some("w1"));
        assert_eq!(both.channel["DNA"], "w3");
        assert_eq!(both.channel["GFP"], "w2");
    }

    #[test]
    fn an_unknown_name_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("screen.toml");
        std::fs::write(&file, "fdr = 0.1\nnegcontrol = ['DMSO']\n").unwrap();
        let message = Settings::read(&file).unwrap_err().to_string();
        assert!(
            message.contains("screen.toml") && message.contains("negcontrol") && message.contains("line 2"),
            "{message}"
        );
    }

    #[test]
    fn paths_of_a_file_start_at_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("screen.toml");
        std::fs::write(&file, "plate = 'images'\nplate-map = '/maps/a.csv'\n").unwrap();
        let settings = Settings::read(&file).unwrap();
        assert_eq!(settings.plate, Some(folder.path().join("images")));
        assert_eq!(settings.plate_map, Some(PathBuf::from("/maps/a.csv")));
    }

    #[test]
    fn bounds_are_checked_by_name() {
        let check = |settings: Settings, option: &str| {
            let settings = Settings {
                plate: Some("p".into()),
                out: Some("o".into()),
                ..settings
            };
            let message = settings.screen_params(false).unwrap_err().to_string();
            assert!(message.contains(option), "{option}: {message}");
        };
        check(
            Settings {
                fdr: Some(0.0),
                ..Settings::default()
            },
            "--fdr",
        );
        check(
            Settings {
                fdr: Some(f64::NAN),
                ..Settings::default()
            },
            "--fdr",
        );
        check(
            Settings {
                set_coverage: Some(1.0),
                ..Settings::default()
            },
            "--set-coverage",
        );
        check(
            Settings {
                min_effect: Some(1.0),
                ..Settings::default()
            },
            "--min-effect",
        );
        check(
            Settings {
                dispersion: Some(-1.0),
                ..Settings::default()
            },
            "--dispersion",
        );
        check(
            Settings {
                members: Some(0),
                ..Settings::default()
            },
            "--members",
        );
        check(
            Settings {
                threads: Some(0),
                ..Settings::default()
            },
            "--threads",
        );
        check(
            Settings {
                device: Some("gpu".into()),
                ..Settings::default()
            },
            "--device",
        );
        check(
            Settings {
                shard: Some("0/4".into()),
                ..Settings::default()
            },
            "--shard",
        );
        check(
            Settings {
                shard: Some("5/4".into()),
                ..Settings::default()
            },
            "--shard",
        );
        check(
            Settings {
                memory: Some("8 apples".into()),
                ..Settings::default()
            },
            "--memory",
        );
        check(
            Settings {
                pixel_size: Some("0.65in".into()),
                ..Settings::default()
            },
            "--pixel-size",
        );
        check(
            Settings {
                novel_against: Some("all".into()),
                ..Settings::default()
            },
            "--novel-against",
        );
    }

    #[test]
    fn amounts_have_units() {
        assert_eq!(parse_memory("8GiB").unwrap(), 8 << 30);
        assert_eq!(parse_memory("500 MiB").unwrap(), 500 << 20);
        assert!((parse_pixel_size("0.65um").unwrap() - 0.65).abs() < 1e-6);
        assert!((parse_pixel_size("650 nm").unwrap() - 0.65).abs() < 1e-6);
    }
}
