//! Where the frames of a movie are: single files, a folder, pages of one TIFF, time points of a plate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::{ReadLimits, read_gray, read_label_map, read_label_movie, read_movie};
use ndarray::Array2;
use plate::{IMAGE_EXTENSIONS, LayoutChoice};

use super::TrackParams;
use crate::EngineError;
use crate::files::names_in;

/// Pages of one file, and samples of all of them (4 bytes each in memory).
const MAX_PAGES: u32 = 20_000;
const MAX_SAMPLES: u64 = 1 << 30;

/// More channels than this are frames: writers that know no axis of time call pages channels.
const MOST_CHANNELS: u32 = 5;

/// Limits for files that hold a movie.
fn movie_limits() -> ReadLimits {
    ReadLimits {
        max_planes: MAX_PAGES,
        max_samples: MAX_SAMPLES,
        ..ReadLimits::default()
    }
}

/// The frames of one movie in order of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Movie {
    /// Name for folders and headings.
    pub(super) name: String,
    /// Frames; `None` for one that is missing between two that are there.
    pub(super) frames: Vec<Option<FrameSource>>,
    /// Planes of a movie that lies in one file.
    pages: Vec<Array2<f32>>,
    /// Micrometers a pixel as the file with all pages says it.
    pub(super) pixel_size_um: Option<f64>,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

/// Where a frame is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FrameSource {
    /// A file of one plane.
    File(PathBuf),
    /// A page of the movie's file.
    Page(PathBuf, usize),
}

impl FrameSource {
    /// The file.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Page(path, _) => path,
        }
    }

    /// Name for messages.
    pub(super) fn name(&self) -> String {
        let file = file_name(self.path());
        match self {
            Self::File(_) => file,
            Self::Page(_, page) => format!("{file} page {}", page + 1),
        }
    }
}

/// Grey values of a frame and its pixel size in µm, where the file says it.
pub(super) type Pixels = (Array2<f32>, Option<f32>);

impl Movie {
    /// Pixels of a frame; `None` for a missing one.
    ///
    /// Errors: a file that cannot be used.
    pub(super) fn pixels(&self, frame: usize) -> Result<Option<Pixels>, EngineError> {
        match &self.frames[frame] {
            None => Ok(None),
            Some(FrameSource::Page(_, page)) => Ok(self.pages.get(*page).map(|plane| (plane.clone(), None))),
            Some(FrameSource::File(path)) => {
                let (plane, info) = read_gray(path, &ReadLimits::default())?;
                Ok(Some((plane, info.pixel_size_um)))
            }
        }
    }
}

/// The label images of a movie in order of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelMovie {
    /// Frames; `None` for one that is missing.
    pub(crate) frames: Vec<Option<FrameSource>>,
    pages: Vec<Array2<u32>>,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

impl LabelMovie {
    /// Opens a folder of label images or one multi-page TIFF.
    ///
    /// Errors: nothing there, or a file that cannot be used.
    pub(crate) fn open(path: &Path) -> Result<Self, EngineError> {
        let files = if path.is_dir() {
            images_in(path)?
        } else {
            vec![path.to_owned()]
        };
        if let [only] = files.as_slice() {
            let pages = read_label_movie(only, &movie_limits())?;
            return Ok(Self {
                frames: (0..pages.len())
                    .map(|page| Some(FrameSource::Page(only.clone(), page)))
                    .collect(),
                pages,
                warnings: Vec::new(),
            });
        }
        if files.is_empty() {
            return Err(no_images(path, "label images"));
        }
        let (frames, warnings) = in_order(files);
        Ok(Self {
            frames,
            pages: Vec::new(),
            warnings,
        })
    }

    /// Numbers of a frame's pixels; `None` for a missing one.
    ///
    /// Errors: a file that cannot be used.
    pub(crate) fn map(&self, frame: usize) -> Result<Option<Array2<u32>>, EngineError> {
        match &self.frames[frame] {
            None => Ok(None),
            Some(FrameSource::Page(_, page)) => Ok(self.pages.get(*page).cloned()),
            Some(FrameSource::File(path)) => Ok(Some(read_label_map(path, &ReadLimits::default())?)),
        }
    }
}

/// Finds the movies that are asked for; without any, the label images are the movie.
///
/// Errors: nothing that could be a movie.
pub(super) fn find_movies(params: &TrackParams) -> Result<Vec<Movie>, EngineError> {
    if params.movies.is_empty() {
        return match &params.labels_from {
            Some(labels) => Ok(vec![Movie {
                name: stem(labels),
                ..Movie::default()
            }]),
            None => Err(EngineError::Option {
                option: "MOVIE",
                value: String::new(),
                what: "missing; give frames, a folder, a multi-page TIFF or a plate, or --labels-from or --detections"
                    .to_owned(),
            }),
        };
    }
    let (folders, files): (Vec<&PathBuf>, Vec<&PathBuf>) =
        params.movies.iter().partition(|path| path.is_dir());
    let mut movies = Vec::new();
    for folder in folders {
        movies.extend(movies_of_folder(folder, params)?);
    }
    if !files.is_empty() {
        movies.extend(movies_of_files(files.into_iter().cloned().collect())?);
    }
    if params.labels_from.is_some() && movies.len() > 1 {
        return Err(EngineError::Option {
            option: "--labels-from",
            value: String::new(),
            what: format!(
                "is for one movie, but {} were given; track them one by one",
                movies.len()
            ),
        });
    }
    unique_names(&mut movies);
    Ok(movies)
}

fn unique_names(movies: &mut [Movie]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for movie in movies {
        movie.name = plate::file_name_slug(&movie.name);
        let times = seen.entry(movie.name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            movie.name = format!("{}-{times}", movie.name);
        }
    }
}

fn movies_of_files(files: Vec<PathBuf>) -> Result<Vec<Movie>, EngineError> {
    let mut movies = Vec::new();
    let mut singles = Vec::new();
    for (index, path) in files.iter().enumerate() {
        // Only the first of several files is opened: frames come as files of one kind.
        let several = if index == 0 || !movies.is_empty() {
            let image = read_movie(path, &movie_limits())?;
            if image.planes.len() > 1 && !image.is_rgb {
                Some(image)
            } else {
                None
            }
        } else {
            None
        };
        match several {
            Some(image) => movies.push(of_pages(path, image)?),
            None => singles.push(path.clone()),
        }
    }
    if !singles.is_empty() {
        let name = match singles.as_slice() {
            [only] => stem(only),
            _ => singles[0]
                .parent()
                .map(stem)
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "movie".to_owned()),
        };
        let (frames, warnings) = in_order(singles);
        movies.push(Movie {
            name,
            frames,
            warnings,
            ..Movie::default()
        });
    }
    Ok(movies)
}

fn of_pages(path: &Path, image: image::ReadImage) -> Result<Movie, EngineError> {
    let mut warnings: Vec<String> = image
        .warnings
        .iter()
        .map(|what| format!("{}: {what}", file_name(path)))
        .collect();
    if let Some(axes) = image.axes {
        let is_one_moment = axes.frames == 1 && axes.slices == 1;
        if axes.channels > 1 && !(is_one_moment && axes.channels > MOST_CHANNELS) {
            return Err(EngineError::unusable(
                path,
                format!("holds {} channels a frame", axes.channels),
                "save the nuclear channel alone as a movie",
            ));
        }
        if axes.channels > 1 {
            warnings.push(format!(
                "{}: {} channels of one frame by its description: taken as frames",
                file_name(path),
                axes.channels
            ));
        }
        if axes.slices > 1 && axes.frames > 1 {
            return Err(EngineError::unusable(
                path,
                format!("holds {} focal planes of {} frames", axes.slices, axes.frames),
                "project the focal planes to one (3D is not tracked)",
            ));
        }
        if axes.slices > 1 {
            warnings.push(format!(
                "{}: {} focal planes and one frame by its description: taken as frames",
                file_name(path),
                axes.slices
            ));
        }
    }
    Ok(Movie {
        name: stem(path),
        frames: (0..image.planes.len())
            .map(|page| Some(FrameSource::Page(path.to_owned(), page)))
            .collect(),
        pages: image.planes,
        pixel_size_um: image.pixel_size_um.map(f64::from),
        warnings,
    })
}

fn movies_of_folder(folder: &Path, params: &TrackParams) -> Result<Vec<Movie>, EngineError> {
    let choice = params
        .layout
        .as_deref()
        .map_or(LayoutChoice::Auto, LayoutChoice::from_argument);
    let scan = plate::scan(folder, &choice);
    if params.layout.is_none() {
        let explains = scan
            .as_ref()
            .is_ok_and(|scan| scan.unmatched.len() < scan.sites.len() && has_time(scan));
        if !explains {
            let files = images_in(folder)?;
            if files.is_empty() {
                return Err(no_images(folder, "frames"));
            }
            let mut movies = movies_of_files(files)?;
            if let [only] = movies.as_mut_slice() {
                only.name = stem(folder);
            }
            return Ok(movies);
        }
    }
    of_plate(&scan?, params)
}

fn has_time(scan: &plate::PlateScan) -> bool {
    scan.sites.windows(2).any(|pair| {
        (&pair[0].plate, pair[0].well, pair[0].site) == (&pair[1].plate, pair[1].well, pair[1].site)
    })
}

fn of_plate(scan: &plate::PlateScan, params: &TrackParams) -> Result<Vec<Movie>, EngineError> {
    let channel = match (&params.nuclei, scan.channels.as_slice()) {
        (Some(name), _) => scan.find_channel(name)?.to_owned(),
        (None, [only]) => only.clone(),
        (None, all) => {
            return Err(EngineError::NucleiNotNamed {
                channels: all.to_vec(),
            });
        }
    };
    let fields = scan
        .sites
        .chunk_by(|a, b| (&a.plate, a.well, a.site) == (&b.plate, b.well, b.site));
    let mut movies = Vec::new();
    for field in fields {
        let first = &field[0];
        let mut movie = Movie {
            name: format!("{}_{}_s{}", first.plate, first.well, first.site),
            ..Movie::default()
        };
        let times: Vec<u64> = field
            .iter()
            .map(|site| i64::from(site.timepoint).max(0) as u64)
            .collect();
        let present = spaced(&times);
        for (place, site) in present.iter().zip(field) {
            movie.frames.resize(*place, None);
            movie
                .frames
                .push(site.channels.get(&channel).cloned().map(FrameSource::File));
        }
        let missing = movie.frames.iter().filter(|frame| frame.is_none()).count();
        if missing > 0 {
            movie.warnings.push(format!(
                "{}: {missing} of {} time points are missing and count as frames in which nothing was seen",
                movie.name,
                movie.frames.len()
            ));
        }
        movies.push(movie);
    }
    Ok(movies)
}

/// Images directly in a folder.
fn images_in(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let is_image = |name: &String| {
        let ending = Path::new(name)
            .extension()
            .map(|ending| ending.to_ascii_lowercase());
        !name.starts_with('.')
            && ending.is_some_and(|ending| IMAGE_EXTENSIONS.iter().any(|known| *known == ending))
    };
    Ok(names_in(folder)?
        .into_iter()
        .filter(is_image)
        .map(|name| folder.join(name))
        .collect())
}

fn no_images(path: &Path, what: &str) -> EngineError {
    EngineError::unusable(
        path,
        format!("holds no {what} (TIFF or PNG files directly in the folder)"),
        "name the folder with the files, or a multi-page TIFF",
    )
}

/// Files in the order of the numbers in their names (t2 before t10), with gaps where a number is left out.
fn in_order(mut files: Vec<PathBuf>) -> (Vec<Option<FrameSource>>, Vec<String>) {
    files.sort_by_cached_key(|path| (natural(&stem(path)), path.clone()));
    let numbers = frame_numbers(&files);
    let places = numbers.map_or_else(|| (0..files.len()).collect(), |numbers| spaced(&numbers));
    let mut frames: Vec<Option<FrameSource>> = Vec::new();
    let mut warnings = Vec::new();
    for (place, path) in places.iter().zip(files) {
        if *place > frames.len() {
            let before = frames
                .iter()
                .rev()
                .flatten()
                .next()
                .map(FrameSource::name)
                .unwrap_or_default();
            let missing = place - frames.len();
            let frames_are = if missing == 1 {
                "1 frame is"
            } else {
                &format!("{missing} frames are")
            };
            warnings.push(format!(
                "{frames_are} missing between {before} and {}: nothing was seen there, cells are followed across",
                file_name(&path)
            ));
        }
        frames.resize(*place, None);
        frames.push(Some(FrameSource::File(path)));
    }
    (frames, warnings)
}

/// Places of frames by their numbers: the usual step is one frame. Numbers that leave out more frames than there are say
/// nothing about time, then the order alone counts.
fn spaced(numbers: &[u64]) -> Vec<usize> {
    let in_sequence: Vec<usize> = (0..numbers.len()).collect();
    if !numbers.windows(2).all(|pair| pair[0] < pair[1]) {
        return in_sequence;
    }
    let step = numbers.windows(2).map(|pair| pair[1] - pair[0]).fold(0, gcd);
    let Some(first) = numbers.first().filter(|_| step > 0) else {
        return in_sequence;
    };
    let places: Vec<usize> = numbers
        .iter()
        .map(|number| ((number - first) / step) as usize)
        .collect();
    if places[places.len() - 1] >= 2 * numbers.len() {
        return in_sequence;
    }
    places
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A name cut into texts and numbers, so that t10 stands after t2.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (words, after) = rest.split_at(text);
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(digits);
        parts.push((words.to_owned(), number.parse().unwrap_or(u64::MAX)));
        rest = after;
    }
    parts
}

/// The number that counts frames: the only one that differs between the names, if there is one such.
fn frame_numbers(files: &[PathBuf]) -> Option<Vec<u64>> {
    let names: Vec<Vec<(String, u64)>> = files.iter().map(|path| natural(&stem(path))).collect();
    let first = names.first()?;
    let alike = names
        .iter()
        .all(|name| name.len() == first.len() && name.iter().zip(first).all(|(a, b)| a.0 == b.0));
    if !alike {
        return None;
    }
    let differs: Vec<usize> = (0..first.len())
        .filter(|&part| names.iter().any(|name| name[part].1 != first[part].1))
        .collect();
    match differs.as_slice() {
        [part] => Some(names.iter().map(|name| name[*part].1).collect()),
        _ => None,
    }
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(names: &[&str]) -> (Vec<Option<String>>, Vec<String>) {
        let (frames, warnings) = in_order(names.iter().map(PathBuf::from).collect());
        let names = frames.iter().map(|frame| frame.as_ref().map(FrameSource::name));
        (names.collect(), warnings)
    }

    #[test]
    fn numbers_order_frames_and_leave_room_for_missing_ones() {
        let (frames, warnings) = places(&["a_t10.png", "a_t9.png", "a_t8.png", "a_t12.png"]);
        let names: Vec<Option<&str>> = frames.iter().map(Option::as_deref).collect();
        assert_eq!(
            names,
            [
                Some("a_t8.png"),
                Some("a_t9.png"),
                Some("a_t10.png"),
                None,
                Some("a_t12.png")
            ]
        );
        assert!(
            warnings[0].contains("a_t10.png") && warnings[0].contains("a_t12.png"),
            "{warnings:?}"
        );
    }

    #[test]
    fn every_sixth_frame_is_a_step_and_dates_are_no_count() {
        assert_eq!(spaced(&[0, 6, 12, 24]), [0, 1, 2, 4]);
        assert_eq!(spaced(&[20_260_130, 20_260_131, 20_260_201]), [0, 1, 2]);
        assert_eq!(spaced(&[5]), [0]);
        let (frames, warnings) = places(&["first.png", "second.png"]);
        assert_eq!((frames.len(), warnings.len()), (2, 0));
    }
}
