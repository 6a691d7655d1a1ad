//! What a report of tracked cells is made of.

use super::{Credit, Estimable, Picture, RunFacts};

/// Everything one report of a tracked movie shows.
#[derive(Clone, Debug, Default)]
pub struct TrackReport {
    /// Heading, such as the movie's name.
    pub title: String,
    /// One line under the heading.
    pub subtitle: Option<String>,
    /// First sentence: what was found and how sure it is.
    pub sentence: String,
    /// Whether something in it deserves a look before it is used.
    pub has_doubt: bool,
    /// Numbers of the movie with their meaning: (label, value, meaning).
    pub facts: Vec<(String, String, String)>,
    /// Some frames with the outlines of the tracks.
    pub frames: Vec<TrackedFrame>,
    /// Ways of the cells.
    pub ways: Option<Ways>,
    /// Lineages with divisions, largest first.
    pub families: Estimable<Families>,
    /// How many links have which probability, least certain first.
    pub link_bins: Vec<LinkBin>,
    /// Rows of review.csv that are shown, worst first.
    pub review: Vec<ReviewRow>,
    /// Rows of review.csv.
    pub review_total: usize,
    /// Cells over time.
    pub counts: Option<Curve>,
    /// Mean squared displacement.
    pub displacement: Estimable<Curve>,
    /// Warnings of the run.
    pub warnings: Vec<String>,
    /// How it was made.
    pub run: RunFacts,
    /// Data and software to credit.
    pub credits: Vec<Credit>,
}

/// A frame with outlines in the colours of their families.
#[derive(Clone, Debug, Default)]
pub struct TrackedFrame {
    /// The picture.
    pub picture: Picture,
    /// Line below it, such as "frame 12".
    pub caption: String,
    /// Track numbers to write on it.
    pub marks: Vec<TrackMark>,
}

/// A track number on a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrackMark {
    /// Place in pixels of the picture.
    pub x: f64,
    /// Place in pixels of the picture.
    pub y: f64,
    /// The track.
    pub track: u32,
    /// Number of its family's colour, as [`TRACK_COLORS`] counts.
    pub color: usize,
    /// Text on hovering.
    pub title: String,
}

/// Colours of families on dark pictures (Okabe and Ito's, lightened), in the order of the classes of the style sheet.
pub const TRACK_COLORS: [[u8; 3]; 8] = [
    [86, 180, 233],
    [240, 140, 74],
    [53, 199, 154],
    [224, 154, 195],
    [240, 228, 66],
    [155, 213, 247],
    [185, 154, 224],
    [230, 230, 230],
];

/// Ways of cells in the field.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// Width and height of the field, pixels.
    pub size: (f64, f64),
    /// Positions of each track, with the number of its colour.
    pub ways: Vec<(usize, Vec<(f64, f64)>)>,
    /// Tracks in all.
    pub total: usize,
}

/// Lineages that divide.
#[derive(Clone, Debug, Default)]
pub struct Families {
    /// The ones that are drawn.
    pub families: Vec<Family>,
    /// How many there are.
    pub total: usize,
    /// First and last frame of the movie.
    pub frames: (f64, f64),
    /// Label of the axis, such as "frame" or "hours".
    pub axis: String,
}

/// A cell and its descendants; mothers before daughters.
#[derive(Clone, Debug, Default)]
pub struct Family {
    /// Number of its colour.
    pub color: usize,
    /// Its tracks.
    pub branches: Vec<Branch>,
}

/// One track of a family.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Branch {
    /// The track.
    pub track: u32,
    /// Its mother.
    pub parent: Option<u32>,
    /// First time.
    pub first: f64,
    /// Last time.
    pub last: f64,
    /// Probability of the division at its end, if it ends so.
    pub division: Option<f64>,
    /// Times and probabilities of links that are doubtful.
    pub doubtful: Vec<(f64, f64)>,
}

/// Links whose probability lies in one range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkBin {
    /// The range, such as "0.9 to 0.95".
    pub range: String,
    /// How many.
    pub links: u64,
}

/// A row of the list of doubtful links and divisions.
#[derive(Clone, Debug, Default)]
pub struct ReviewRow {
    /// Link, division, possible division.
    pub kind: String,
    /// Frame.
    pub frame: String,
    /// Probability that the tracks are right.
    pub probability: f64,
    /// What the tracks say.
    pub what: String,
    /// What may be so instead.
    pub instead: String,
    /// Its probability.
    pub instead_probability: Option<f64>,
    /// Crops of the frames around it, in order of time.
    pub pictures: Vec<Picture>,
}

/// A line with a band.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Label of the horizontal axis.
    pub x_label: String,
    /// Label of the vertical axis.
    pub y_label: String,
    /// What the line and the band are.
    pub caption: String,
    /// Points: x, y, lower, upper.
    pub points: Vec<(f64, f64, f64, f64)>,
}
