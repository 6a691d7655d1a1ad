//! Writes virtual movies as folders of CSV: `virtual_movies OUT FAMILY FIRST COUNT [SEED]`.
//!
//! `virtual_movies OUT speed CELLS FRAMES [SEED]` writes one long movie for timing to OUT itself.
//!
//! `virtual_movies OUT film CELLS FRAMES [SEED]` writes one rendered movie (half an hour a frame) to OUT itself.
//!
//! FAMILY is `calibration` or `evaluation`; movies FIRST..FIRST + COUNT go to OUT/FAMILY_0007/{movie.json, truth.csv, detections.csv}.

use std::path::PathBuf;
use std::process::ExitCode;

use testkit::{Design, Family, Film, Movie};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    if let (Some("speed"), Some(cells), Some(frames)) =
        (words.get(1).map(String::as_str), number(2), number(3))
    {
        let design = Design::long(cells as usize, frames as usize, number(4).unwrap_or(1));
        return written(Movie::of(design).write(&PathBuf::from(&words[0])), &words[0]);
    }
    if let (Some("film"), Some(cells), Some(frames)) =
        (words.get(1).map(String::as_str), number(2), number(3))
    {
        let design = Design::drawn(cells as usize, frames as usize, number(4).unwrap_or(1));
        return written(Film::of(&design).write(&PathBuf::from(&words[0])), &words[0]);
    }
    let family = match words.get(1).map(String::as_str) {
        Some("calibration") => Some(Family::Calibration),
        Some("evaluation") => Some(Family::Evaluation),
        _ => None,
    };
    let (Some(out), Some(family), Some(first), Some(count)) = (words.first(), family, number(2), number(3))
    else {
        eprintln!(
            "usage: virtual_movies OUT calibration|evaluation FIRST COUNT [SEED], OUT speed|film CELLS FRAMES [SEED]"
        );
        return ExitCode::FAILURE;
    };
    for index in first..first + count {
        let folder = PathBuf::from(out).join(format!("{}_{index:04}", family.name()));
        let movie = Movie::draw(family, number(4).unwrap_or(1), index);
        if written(movie.write(&folder), &folder.to_string_lossy()) == ExitCode::FAILURE {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn written(result: std::io::Result<()>, folder: &str) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{folder}: {error}");
            ExitCode::FAILURE
        }
    }
}
