//! Writes virtual movies as folders of CSV: `virtual_movies OUT FAMILY FIRST COUNT [SEED]`.
//!
//! FAMILY is `calibration` or `evaluation`; movies FIRST..FIRST + COUNT go to OUT/FAMILY_0007/{movie.json, truth.csv, detections.csv}.

use std::path::PathBuf;
use std::process::ExitCode;

use testkit::{Family, Movie};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    let family = match words.get(1).map(String::as_str) {
        Some("calibration") => Some(Family::Calibration),
        Some("evaluation") => Some(Family::Evaluation),
        _ => None,
    };
    let (Some(out), Some(family), Some(first), Some(count)) = (words.first(), family, number(2), number(3))
    else {
        eprintln!("usage: virtual_movies OUT calibration|evaluation FIRST COUNT [SEED]");
        return ExitCode::FAILURE;
    };
    for index in first..first + count {
        let folder = PathBuf::from(out).join(format!("{}_{index:04}", family.name()));
        if let Err(error) = Movie::draw(family, number(4).unwrap_or(1), index).write(&folder) {
            eprintln!("{}: {error}", folder.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
