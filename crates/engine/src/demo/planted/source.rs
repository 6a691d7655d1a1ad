//! Where the nuclei come from: the pack in the binary, or the data set's folder while the arrangement is developed.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::background::Background;
use super::design::PlannedWell;
use super::nucleus::{CROP_PX, Nucleus, outline};
use crate::EngineError;
use crate::demo::archive::{Archive, MITOCHECK};
use crate::files::read_whole;

/// The untaught class of the demonstration and of its development.
const UNTAUGHT: &str = "ADCCM";
/// The fold that the arrangement was developed on: its untaught nuclei are spent and not placed.
const DEVELOPED_ON: &str = "f1";

/// What the arrangement is developed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Development {
    /// Folder that holds `mitocheck_nuclei` and `splits`.
    pub data: PathBuf,
    /// The fold whose nuclei are placed.
    pub fold: u32,
    /// A bundle whose first members left that fold out (name or folder).
    pub bundle: String,
}

/// Nuclei that can be placed and background to place them on.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Outlined nuclei, sorted by name.
    pub(super) nuclei: Vec<Nucleus>,
    /// Background of the same crops.
    pub(super) background: Background,
    /// The class that was never taught.
    pub(super) untaught: &'static str,
    /// Text of the data's licence.
    pub(super) licence: String,
    /// Crops that were looked at.
    looked_at: usize,
    /// What they are, for a person.
    about: String,
}

impl Source {
    /// The pack in the binary: known classes of fold 0, the untaught class from every fold but the one of the development.
    ///
    /// Errors: the pack is damaged.
    pub(super) fn embedded() -> Result<Self, EngineError> {
        let archive = Archive::open(MITOCHECK)?;
        let about = "known classes from fold 0, which no member of the bundle has seen".to_owned();
        let mut source = Self::empty(archive.text("LICENSE.txt")?.to_owned(), about);
        for (name, bytes) in archive.files().filter(|(name, _)| name.ends_with(".png")) {
            // CLASS/ROLE_fN_CELL.png
            let (class, rest) = name.split_once('/').unwrap_or_default();
            let (role, rest) = rest.split_once('_').unwrap_or_default();
            let (fold, cell) = rest.split_once('_').unwrap_or_default();
            if role == "known" || (class == source.untaught && fold != DEVELOPED_ON) {
                source.add(class, cell.trim_end_matches(".png"), bytes, Path::new(name))?;
            }
        }
        Ok(source)
    }

    /// The data set's folder: known classes and the untaught class of one fold.
    ///
    /// Errors: an index or an image cannot be read.
    pub(super) fn from_folder(development: &Development) -> Result<Self, EngineError> {
        let nuclei = development.data.join("mitocheck_nuclei");
        let splits = table(&development.data.join("splits/mitocheck_nuclei.csv"))?;
        let folds: BTreeMap<&str, &str> = splits
            .iter()
            .filter_map(|row| Some((row.first()?.as_str(), row.get(4)?.as_str())))
            .collect();
        let licence = String::from_utf8_lossy(&read_whole(&nuclei.join("LICENSE.txt"))?).into_owned();
        let about = format!(
            "known and untaught classes from fold {} (development)",
            development.fold
        );
        let mut source = Self::empty(licence, about);
        let fold = development.fold.to_string();
        for row in table(&nuclei.join("index.csv"))? {
            let [cell, file, class, role, ..] = row.as_slice() else {
                continue;
            };
            let whole = row.get(14).is_some_and(|width| width == "64")
                && row.get(15).is_some_and(|height| height == "64");
            let wanted = role == "known" || class == source.untaught;
            if whole && wanted && folds.get(cell.as_str()) == Some(&fold.as_str()) {
                let path = nuclei.join(file);
                source.add(class, cell, &read_whole(&path)?, &path)?;
            }
        }
        Ok(source)
    }

    fn empty(licence: String, about: String) -> Self {
        let (nuclei, background) = (Vec::new(), Background::default());
        Self {
            nuclei,
            background,
            untaught: UNTAUGHT,
            licence,
            looked_at: 0,
            about,
        }
    }

    /// Outlines one crop and keeps it if that worked; its background is used either way.
    fn add(&mut self, class: &str, cell: &str, png: &[u8], path: &Path) -> Result<(), EngineError> {
        let pixels = decode_crop(png).map_err(|what| {
            EngineError::unusable(
                path,
                what,
                "the data are damaged: get them, or the program, again",
            )
        })?;
        self.looked_at += 1;
        self.background.add(pixels.view());
        if let Some(found) = outline(pixels.view()) {
            self.nuclei.push(Nucleus {
                id: cell.to_owned(),
                class: class.to_owned(),
                pixels,
                inside: found.inside,
                opacity: found.opacity,
                background: found.background,
            });
        }
        Ok(())
    }

    /// How many nuclei there are and how often each is used, in one sentence.
    pub(super) fn describe(&self, plan: &[PlannedWell]) -> String {
        let mut used = vec![0_usize; self.nuclei.len()];
        plan.iter()
            .flat_map(|well| &well.nuclei)
            .for_each(|&nucleus| used[nucleus] += 1);
        let different = used.iter().filter(|&&times| times > 0).count();
        let places: usize = used.iter().sum();
        let most_of = |untaught: bool| {
            let of_kind = used
                .iter()
                .zip(&self.nuclei)
                .filter(|(_, nucleus)| (nucleus.class == self.untaught) == untaught);
            of_kind.map(|(&times, _)| times).max().unwrap_or(0)
        };
        format!(
            "{}; untaught: {}. {} of {} crops could be outlined; {places} places are filled with {different} different nuclei, a known one at most \
             {} times, an untaught one at most {} times, none twice in a well. Wells that share nuclei are not independent, so the p-values \
             of this plate show direction, not rate.",
            self.about,
            self.untaught,
            self.nuclei.len(),
            self.looked_at,
            most_of(false),
            most_of(true),
        )
    }
}

/// Rows of a CSV file without its header.
fn table(path: &Path) -> Result<Vec<Vec<String>>, EngineError> {
    let bytes = read_whole(path)?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let rows = reader
        .records()
        .map(|record| record.map(|record| record.iter().map(str::to_owned).collect()));
    rows.collect::<Result<_, _>>()
        .map_err(|error| EngineError::unusable(path, error.to_string(), "get the data set again"))
}

/// Decodes an 8-bit grey PNG of 64 × 64 pixels.
fn decode_crop(bytes: &[u8]) -> Result<Array2<u8>, String> {
    let mut reader = png::Decoder::new(Cursor::new(bytes))
        .read_info()
        .map_err(|error| error.to_string())?;
    let mut pixels = vec![0; CROP_PX * CROP_PX];
    let info = reader.info();
    if (info.width, info.height) != (CROP_PX as u32, CROP_PX as u32)
        || info.color_type != png::ColorType::Grayscale
        || info.bit_depth != png::BitDepth::Eight
    {
        return Err(format!(
            "is {} x {} and {:?}, not 64 x 64 and 8-bit grey",
            info.width, info.height, info.color_type
        ));
    }
    reader
        .next_frame(&mut pixels)
        .map_err(|error| error.to_string())?;
    Array2::from_shape_vec((CROP_PX, CROP_PX), pixels).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pack_gives_enough_outlined_nuclei_of_every_class_that_is_planted() {
        let source = Source::embedded().unwrap();
        let n = |class: &str| {
            source
                .nuclei
                .iter()
                .filter(|nucleus| nucleus.class == class)
                .count()
        };
        // A well of 24 needs 15 Prometaphase (60 %), 10 Polylobed (40 %), 23 untaught (92 %) and up to 24 Interphase at once.
        for (class, least) in [
            ("Interphase", 50),
            ("Prometaphase", 40),
            ("Polylobed", 20),
            ("Apoptosis", 30),
            ("Elongated", 20),
        ] {
            assert!(n(class) >= least, "{class}: {}", n(class));
        }
        assert!(
            n(source.untaught) >= 24,
            "{}: {}",
            source.untaught,
            n(source.untaught)
        );
        assert!(
            source.background.len() > 200,
            "{} background patches",
            source.background.len()
        );
        assert!(source.nuclei.iter().all(|nucleus| nucleus.class != "OutOfFocus"));
    }
}
