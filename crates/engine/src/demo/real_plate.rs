//! Half a plate of BBBC013: does the program find, without being told, which wells respond and how strongly?

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use image::{ReadLimits, read_gray};
use ndarray::Array2;

use super::archive::{Archive, BBBC013};
use super::outcome::{Check, DemoOutcome, DemoParams};
use super::translocation;
use crate::files::{make_folder, write_whole};
use crate::{Context, DataCredit, EngineError, ScreenParams, screen};

/// Whose images these are; printed by the command and in the report.
const CREDIT: &str = "Images: BBBC013v1, human U2OS cells with FKHR-GFP, given by Ilya Ravkin to the Broad Bioimage Benchmark \
    Collection (Ljosa et al., Nature Methods 2012, 9:637); from CellProfiler's example SBS images, (c) Broad Institute, BSD 3-Clause";

/// Name of the plate and of its folder.
const PLATE: &str = "BBBC013";

/// A well that the embedded half plate does not have; it takes the damaged copy.
const DAMAGED_WELL: &str = "C01";
/// The files whose copy is damaged: well A01.
const COPIED: (&str, &str) = ("images/Channel1-01-A-01.png", "images/Channel2-01-A-01.png");
/// The names of the copies, as the imager would have named that well.
const COPIES: (&str, &str) = ("Channel1-25-C-01.png", "Channel2-25-C-01.png");

/// Planes that are enough to fill a field of a modern camera without a repeat.
const PLANES: usize = 4;

/// One line of the data set's own plate map.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MapRow {
    /// Well as `A01`.
    pub(super) well: String,
    /// Compound; `none` for untreated wells.
    pub(super) compound: String,
    /// Concentration in nM as the data set writes it.
    pub(super) dose: String,
    /// 0 untreated, 1..=9 doses, 10 positive control.
    pub(super) rank: u32,
    /// negative, untreated, dose or positive.
    pub(super) role: String,
    /// The drug of this half of the plate, also for its controls.
    pub(super) block: String,
}

impl MapRow {
    /// Whether the well got no drug.
    pub(super) fn is_untreated(&self) -> bool {
        self.role == "negative" || self.role == "untreated"
    }
}

/// Unpacks the plate into `out/BBBC013`, screens it into `out/run`, and holds the result against what is known about it.
///
/// The plate map that the screen gets names compound and concentration (they label rows and bring replicate wells together)
/// and gives a role to untreated wells alone; positive controls are not marked, and no statistic of the screen uses the order of
/// doses. One site is a copy of well A01 whose GFP file is cut in the middle: it is skipped and named, as it would be in a
/// screen of your own, which would then end with exit code 1. The demonstration ends with 0, since the cut is its own doing.
///
/// Errors: as [`screen`]; `out` cannot be written.
pub fn real_plate(params: &DemoParams, context: &Context<'_>) -> Result<DemoOutcome, EngineError> {
    let archive = Archive::open(BBBC013)?;
    let map = parse_map(archive.text("platemap.csv")?);
    let plate = params.out.join(PLATE);
    let run = params.out.join("run");
    let map_file = params.out.join("platemap.csv");
    unpack(&archive, &map, &plate, &map_file)?;

    let mut screening = ScreenParams::new(&plate, &run);
    screening.layout = Some("bbbc013".to_owned());
    screening.channel_names = BTreeMap::from([
        ("GFP".to_owned(), "1".to_owned()),
        ("DNA".to_owned(), "2".to_owned()),
    ]);
    screening.nuclei = Some("DNA".to_owned());
    screening.networks = params.networks.clone();
    screening.threads = params.threads;
    screening.memory = params.memory;
    screening.force = params.force;
    screening.gather.plate_map = Some(map_file);
    screening.gather.seed = params.seed;
    screening.gather.credits = vec![DataCredit {
        name: "BBBC013 (48 of 96 wells)".to_owned(),
        licence: "BSD 3-Clause, (c) Broad Institute; text in the plate's folder".to_owned(),
        text: CREDIT.to_owned(),
        link: Some("https://bbbc.broadinstitute.org/BBBC013".to_owned()),
    }];
    let summary = screen(&screening, context)?;

    let measured = translocation::measure(&run)?;
    let reference = translocation::parse_reference(archive.text("reference_measurements.csv")?);
    let (mut lines, checks) = translocation::compare(&map, &measured, &reference, params.seed);
    lines.push(String::new());
    lines.push(format!(
        "One site is damaged on purpose: {DAMAGED_WELL} is a copy of A01 whose GFP file ends in the middle. A screen of your \
         own would end with exit code 1; the demonstration ends with 0."
    ));
    lines.extend(
        summary
            .skipped
            .iter()
            .map(|site| format!("  skipped {} ({}): {}", site.site, site.well, site.reason)),
    );
    write_lines(&params.out.join("demo.txt"), CREDIT, &lines, &checks)?;
    let skipped_unasked = summary
        .skipped
        .iter()
        .filter(|site| site.well != DAMAGED_WELL)
        .count();
    Ok(DemoOutcome {
        summary,
        lines,
        checks,
        credit: CREDIT.to_owned(),
        skipped_unasked,
    })
}

/// The nuclear channel of the first untreated wells, for timings on real nuclei: grey values as they are in the files.
///
/// Errors: the archive or an image in it is damaged; no temporary folder can be made.
pub(crate) fn nuclear_planes() -> Result<Vec<Array2<f32>>, EngineError> {
    let archive = Archive::open(BBBC013)?;
    let untreated: Vec<String> = parse_map(archive.text("platemap.csv")?)
        .into_iter()
        .filter(MapRow::is_untreated)
        .map(|row| row.well)
        .collect();
    let failed = |source| EngineError::Write {
        path: std::env::temp_dir(),
        source,
    };
    let folder = tempfile::tempdir().map_err(failed)?;
    let mut planes = Vec::new();
    for (name, bytes) in archive.files() {
        // images/Channel2-01-A-01.png: the DNA channel of well A01.
        let well = name.strip_suffix(".png").and_then(|stem| stem.rsplit_once('-'));
        let well = well.and_then(|(start, column)| Some(format!("{}{column}", start.rsplit_once('-')?.1)));
        if name.starts_with("images/Channel2-") && well.is_some_and(|well| untreated.contains(&well)) {
            let path = folder.path().join("plane.png");
            write_whole(&path, bytes)?;
            planes.push(read_gray(&path, &ReadLimits::default())?.0);
        }
        if planes.len() == PLANES {
            break;
        }
    }
    Ok(planes)
}

/// `demo.txt`: whose data it is, what was said, what had to come out.
pub(super) fn write_lines(
    path: &Path,
    credit: &str,
    lines: &[String],
    checks: &[Check],
) -> Result<(), EngineError> {
    let mut text = format!("{credit}\n\n{}", lines.join("\n"));
    text.push_str("\n\nWhat had to come out:\n");
    checks.iter().for_each(|check| {
        text.push_str(&check.line());
        text.push('\n');
    });
    write_whole(path, text.as_bytes())
}

/// Reads the data set's plate map; the file is ours, so its columns are known.
pub(super) fn parse_map(text: &str) -> Vec<MapRow> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let [_, well, _, _, _, compound, dose, rank, role, block, ..] = cells.as_slice() else {
                return None;
            };
            Some(MapRow {
                well: (*well).to_owned(),
                compound: (*compound).to_owned(),
                dose: (*dose).to_owned(),
                rank: rank.parse().ok()?,
                role: (*role).to_owned(),
                block: (*block).to_owned(),
            })
        })
        .collect()
}

/// Writes images, licence and plate map where they are not there yet with the same bytes.
fn unpack(archive: &Archive<'_>, map: &[MapRow], plate: &Path, map_file: &Path) -> Result<(), EngineError> {
    make_folder(plate)?;
    for (name, bytes) in archive.files() {
        if let Some(file) = name.strip_prefix("images/") {
            write_if_other(&plate.join(file), bytes)?;
        }
    }
    let whole = archive.file(COPIED.0)?;
    write_if_other(&plate.join(COPIES.0), &whole[..whole.len() / 2])?;
    write_if_other(&plate.join(COPIES.1), archive.file(COPIED.1)?)?;
    for notice in ["LICENSE.txt", "SOURCE.md"] {
        write_if_other(&plate.join(notice), archive.file(notice)?)?;
    }
    write_if_other(map_file, plate_map_for_the_screen(map).as_bytes())
}

/// The plate map that the screen is given: a role for untreated wells, a name and a concentration for the others.
fn plate_map_for_the_screen(map: &[MapRow]) -> String {
    let mut text = String::from("well,role,treatment,dose,unit\n");
    for row in map {
        if row.is_untreated() {
            let _ = writeln!(text, "{},negcon,untreated,,", row.well);
        } else {
            let _ = writeln!(text, "{},treatment,{},{},nM", row.well, row.compound, row.dose);
        }
    }
    let _ = writeln!(text, "{DAMAGED_WELL},empty,damaged copy of A01,,");
    text
}

/// Writes a file unless it is there with these bytes, so that a second start leaves it alone.
pub(super) fn write_if_other(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    write_whole(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plate_map_marks_untreated_wells_and_no_others() {
        let archive = Archive::open(BBBC013).unwrap();
        let map = parse_map(archive.text("platemap.csv").unwrap());
        assert_eq!(map.len(), 48);
        let text = plate_map_for_the_screen(&map);
        let negcon: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("negcon"))
            .map(|line| &line[..3])
            .collect();
        assert_eq!(negcon, ["A01", "A02", "B01", "B02", "E02", "E12", "F02", "F12"]);
        assert!(
            !text.contains("positive") && !text.contains("poscon"),
            "positive controls are not given away"
        );
        assert!(text.contains("A12,treatment,wortmannin,150,nM\n"));
        assert_eq!(text.lines().count(), 50);
    }

    #[test]
    fn the_damaged_copy_is_half_of_the_file_and_takes_no_real_well() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::open(BBBC013).unwrap();
        let map = parse_map(archive.text("platemap.csv").unwrap());
        assert!(map.iter().all(|row| row.well != DAMAGED_WELL));
        let plate = folder.path().join("plate");
        unpack(&archive, &map, &plate, &folder.path().join("platemap.csv")).unwrap();
        let size = |name: &str| std::fs::metadata(plate.join(name)).unwrap().len();
        assert_eq!(size(COPIES.0), size("Channel1-01-A-01.png") / 2);
        assert_eq!(size(COPIES.1), size("Channel2-01-A-01.png"));
        let images = std::fs::read_dir(&plate).unwrap().filter(|entry| {
            entry.as_ref().is_ok_and(|entry| {
                entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == "png")
            })
        });
        assert_eq!(images.count(), 98);
        // A second start changes nothing.
        let stamp = std::fs::metadata(plate.join(COPIES.0))
            .unwrap()
            .modified()
            .unwrap();
        unpack(&archive, &map, &plate, &folder.path().join("platemap.csv")).unwrap();
        assert_eq!(
            std::fs::metadata(plate.join(COPIES.0))
                .unwrap()
                .modified()
                .unwrap(),
            stamp
        );
    }
}
