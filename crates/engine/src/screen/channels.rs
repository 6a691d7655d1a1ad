//! Which channel means what. A meaning comes from a name, never from an order.

use std::collections::BTreeMap;

use plate::PlateScan;

use crate::EngineError;

/// Stains of DNA, lower case: a channel with one of these names shows nuclei without being told. A name says what it
/// is; a number never does.
const DNA_STAINS: [&str; 10] = [
    "dapi",
    "hoechst",
    "dna",
    "draq",
    "draq5",
    "nuclei",
    "nucleus",
    "h2b",
    "hoechst33342",
    "sytox",
];

/// The channels of a run, by meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Channels {
    /// Name in columns and pictures, and the layout's own name; in the layout's order.
    pub(crate) all: Vec<(String, String)>,
    /// Index in `all` of the channel that shows nuclei.
    pub(crate) nuclei: usize,
    /// Index in `all` of the channel that shows cells, if one was named.
    pub(crate) cells: Option<usize>,
}

impl Channels {
    /// Settles names and meanings.
    ///
    /// Errors: a name that is not on disk, two names for one channel, and a nuclear channel that neither an option nor
    /// the name of a stain settles.
    pub(crate) fn settle(
        scan: &PlateScan,
        names: &BTreeMap<String, String>,
        nuclei: Option<&str>,
        cells: Option<&str>,
    ) -> Result<Self, EngineError> {
        let no_such = |option, name: &str| EngineError::NoSuchChannel {
            option,
            name: name.to_owned(),
            channels: scan.channels.clone(),
        };
        let mut name_of: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, found) in names {
            let found = scan
                .find_channel(found)
                .map_err(|_| no_such("--channel", found))?;
            if let Some(first) = name_of.insert(found, name) {
                return Err(EngineError::Option {
                    option: "--channel",
                    value: format!("{name}={found}"),
                    what: format!("the channel is called {first:?} already; name each channel once"),
                });
            }
        }
        let all: Vec<(String, String)> = scan
            .channels
            .iter()
            .map(|found| {
                (
                    column_name(name_of.get(found.as_str()).copied().unwrap_or(found)),
                    found.clone(),
                )
            })
            .collect();
        for (index, (name, _)) in all.iter().enumerate() {
            if all[..index].iter().any(|(other, _)| other == name) {
                return Err(EngineError::Option {
                    option: "--channel",
                    value: name.clone(),
                    what: "two channels would have this name; give each its own with --channel NAME=FOUND"
                        .to_owned(),
                });
            }
        }
        let index_of = |option, name: &str| {
            let by_name = all.iter().position(|(own, _)| own == name);
            let on_disk = || {
                scan.find_channel(name)
                    .ok()
                    .and_then(|found| all.iter().position(|(_, own)| own == found))
            };
            by_name.or_else(on_disk).ok_or_else(|| no_such(option, name))
        };
        let nuclei = match nuclei {
            Some(name) => index_of("--nuclei", name)?,
            None if all.len() == 1 => 0,
            None => {
                let stained: Vec<usize> = (0..all.len())
                    .filter(|&index| is_dna_stain(&all[index].0))
                    .collect();
                match stained.as_slice() {
                    [only] => *only,
                    _ => {
                        return Err(EngineError::NucleiNotNamed {
                            channels: scan.channels.clone(),
                        });
                    }
                }
            }
        };
        let cells = cells.map(|name| index_of("--cells", name)).transpose()?;
        Ok(Self { all, nuclei, cells })
    }

    /// Name of the nuclear channel.
    pub(crate) fn nuclei_name(&self) -> &str {
        &self.all[self.nuclei].0
    }
}

/// Whether a channel's name is that of a DNA stain.
fn is_dna_stain(name: &str) -> bool {
    let lower: String = name
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .collect();
    DNA_STAINS.contains(&lower.as_str())
}

/// A channel's name as it ends a column name: an underscore would read as a new part of a CellProfiler name.
fn column_name(name: &str) -> String {
    let clean: String = name
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || c == '-' || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect();
    if clean.is_empty() {
        "channel".to_owned()
    } else {
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(channels: &[&str]) -> PlateScan {
        PlateScan {
            channels: channels.iter().map(|&name| name.to_owned()).collect(),
            ..PlateScan::default()
        }
    }

    fn settle(
        channels: &[&str],
        names: &[(&str, &str)],
        nuclei: Option<&str>,
    ) -> Result<Channels, EngineError> {
        let names = names
            .iter()
            .map(|&(name, found)| (name.to_owned(), found.to_owned()))
            .collect();
        Channels::settle(&scan(channels), &names, nuclei, None)
    }

    #[test]
    fn numbers_are_never_guessed() {
        let error = settle(&["1", "2"], &[], None).unwrap_err();
        assert!(
            error.to_string().contains("--nuclei") && error.to_string().contains("1, 2"),
            "{error}"
        );
        assert_eq!(settle(&["1", "2"], &[], Some("2")).unwrap().nuclei, 1);
        assert_eq!(settle(&["1", "2"], &[], Some("w2")).unwrap().nuclei, 1);
    }

    #[test]
    fn a_stain_has_its_meaning_in_its_name() {
        assert_eq!(
            settle(&["FITC", "Hoechst", "Tritc"], &[], None)
                .unwrap()
                .nuclei_name(),
            "Hoechst"
        );
        assert_eq!(
            settle(&["1", "2"], &[("DNA", "2"), ("GFP", "1")], None)
                .unwrap()
                .nuclei,
            1
        );
        assert!(settle(&["DAPI", "Hoechst"], &[], None).is_err());
        assert_eq!(settle(&["anything"], &[], None).unwrap().nuclei, 0);
    }

    #[test]
    fn names_that_are_not_there_are_listed() {
        let message = settle(&["1", "2"], &[], Some("DAPI")).unwrap_err().to_string();
        assert!(message.contains("DAPI") && message.contains("1, 2"), "{message}");
        assert!(settle(&["1", "2"], &[("DNA", "7")], None).is_err());
        assert!(settle(&["1", "2"], &[("DNA", "1"), ("GFP", "1")], Some("1")).is_err());
        assert!(settle(&["1", "2"], &[("2", "1")], Some("1")).is_err());
    }
}
