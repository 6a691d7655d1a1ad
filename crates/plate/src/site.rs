//! What a scan finds: sites, and what was left aside.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::PlateError;
use crate::slug::file_name_slug;
use crate::well::Well;

/// One field of one well at one time, with one image file per channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The plate's name as the layout found it; never a path, use [`Site::id`] for file names.
    pub plate: String,
    /// The well.
    pub well: Well,
    /// Number of the field in its well, as the file name has it; 1 where the name has none.
    pub site: i32,
    /// Number of the time point, as the file name has it; 0 where the name has none.
    pub timepoint: i32,
    /// Image file of each channel, by the channel's name as the layout found it (`1`, `2` or `Hoechst`).
    /// Paths are the root joined with the path below it. A channel whose file is missing or was skipped is not here.
    pub channels: BTreeMap<String, PathBuf>,
}

impl Site {
    /// A stable name for files about this site: `<plate slug>_<A01>_s<site>_t<time>`.
    ///
    /// Holds letters, digits, `.`, `-` and `_` only. Plates with different names get different ids, also where their
    /// names are the same but for characters that cannot be in a file name (see [`file_name_slug`]).
    pub fn id(&self) -> String {
        format!(
            "{}_{}_s{}_t{}",
            file_name_slug(&self.plate),
            self.well,
            self.site,
            self.timepoint
        )
    }
}

/// Where a file belongs by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Plate name.
    pub plate: String,
    /// Well.
    pub well: Well,
    /// Field in the well.
    pub site: i32,
    /// Time point.
    pub timepoint: i32,
    /// Channel name.
    pub channel: String,
}

/// A file with an image's name that was not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedFile {
    /// The file, as bytes where its name is not UTF-8 (print it with `display` or `{:?}`).
    pub path: PathBuf,
    /// Why it was skipped.
    pub reason: String,
    /// Where it belongs by its name; `None` where the layout does not know the name.
    pub place: Option<Place>,
}

/// Everything found below one root folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlateScan {
    /// The folder as it was given.
    pub root: PathBuf,
    /// Name of the layout that was used.
    pub layout: String,
    /// All sites, sorted by plate, well, site and time.
    pub sites: Vec<Site>,
    /// Names of all channels, numbers in the order of numbers.
    pub channels: Vec<String>,
    /// Image files whose name the layout does not explain, sorted.
    pub unmatched: Vec<PathBuf>,
    /// Files that were skipped, with reasons, sorted.
    pub skipped: Vec<SkippedFile>,
    /// What a user should know, one line each.
    pub warnings: Vec<String>,
}

impl PlateScan {
    /// Names of the plates, sorted, each once.
    pub fn plates(&self) -> Vec<&str> {
        let mut plates: Vec<&str> = self.sites.iter().map(|site| site.plate.as_str()).collect();
        plates.sort_unstable();
        plates.dedup();
        plates
    }

    /// All wells that have a site, sorted by plate and well, each once.
    pub fn wells(&self) -> Vec<(&str, Well)> {
        let mut wells: Vec<(&str, Well)> = self
            .sites
            .iter()
            .map(|site| (site.plate.as_str(), site.well))
            .collect();
        wells.sort_unstable();
        wells.dedup();
        wells
    }

    /// The scan's own name of the channel that a user calls `name`: as it is, or in other case, or with the imager's
    /// letters in front of its number (`w1`, `ch1`, `C01` and `Channel 1` all find channel `1`).
    ///
    /// Errors: [`PlateError::UnknownChannel`], which lists the known ones.
    pub fn find_channel(&self, name: &str) -> Result<&str, PlateError> {
        let known = |wanted: &dyn Fn(&str) -> bool| {
            self.channels
                .iter()
                .find(|channel| wanted(channel))
                .map(String::as_str)
        };
        let number = channel_number(name);
        known(&|channel| channel == name)
            .or_else(|| known(&|channel| channel.eq_ignore_ascii_case(name)))
            .or_else(|| known(&|channel| number.is_some() && channel_number(channel) == number))
            .ok_or_else(|| PlateError::UnknownChannel {
                name: name.to_owned(),
                known: self.channels.clone(),
            })
    }
}

/// The number of `1`, `w1`, `ch02`, `C03`, `Channel 1`; `None` for other names.
fn channel_number(name: &str) -> Option<u32> {
    let digits = name
        .trim_start_matches(|c: char| c.is_ascii_alphabetic())
        .trim_start_matches([' ', '_', '-']);
    let prefix = name[..name.len() - digits.len()]
        .trim_end_matches([' ', '_', '-'])
        .to_ascii_lowercase();
    if !["", "w", "wave", "c", "ch", "channel"].contains(&prefix.as_str()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(plate: &str) -> Site {
        Site {
            plate: plate.into(),
            well: Well { row: 0, column: 2 },
            site: 4,
            timepoint: 0,
            channels: BTreeMap::new(),
        }
    }

    #[test]
    fn id_is_stable_and_safe() {
        assert_eq!(site("PK-10B-pl1").id(), "PK-10B-pl1_A03_s4_t0");
        for plate in [
            "../../outside",
            "/etc/passwd",
            "..",
            "C:\\Windows",
            "a/b",
            "new\nline",
            "<script>",
            "é",
            "",
        ] {
            let id = site(plate).id();
            assert!(
                id.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)),
                "{id:?}"
            );
            assert!(!id.starts_with('.'), "{id:?}");
        }
        assert_ne!(site("a/b").id(), site("a_b").id());
        assert_ne!(site("a/b").id(), site("a:b").id());
    }

    #[test]
    fn channels_are_found_by_the_names_people_use() {
        let scan = PlateScan {
            channels: vec!["1".into(), "2".into(), "Hoechst".into()],
            ..PlateScan::default()
        };
        for name in ["2", "w2", "ch2", "C02", "Channel 2", "channel2"] {
            assert_eq!(scan.find_channel(name).unwrap(), "2", "{name}");
        }
        assert_eq!(scan.find_channel("hoechst").unwrap(), "Hoechst");
        let message = scan.find_channel("DAPI").unwrap_err().to_string();
        assert!(
            message.contains("DAPI") && message.contains("Hoechst"),
            "{message}"
        );
        assert!(scan.find_channel("x2").is_err());
    }
}
