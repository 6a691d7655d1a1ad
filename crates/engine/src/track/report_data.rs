//! A tracked movie as the report shows it.

use report::{
    Branch, Curve, Estimable, Fact, Families, Family, LinkBin, ReviewRow, RunFacts, TrackReport, Ways,
};

use super::counts::Counts;
use super::linked::Linked;
use super::motion::{Clock, TrackMotion, mean_squared_displacement};
use super::movie::Movie;
use super::params::TrackParams;
use super::pictures::Painter;
use super::review::ReviewItem;
use crate::EngineError;

/// Families that are drawn, and their leaves together.
const FAMILIES: usize = 30;
const LEAVES: usize = 90;
/// Rows of the review that are shown, and of these with pictures.
const REVIEW: usize = 15;
/// Tracks whose way is drawn.
const WAYS: usize = 500;
/// Links below this are doubtful.
const DOUBTFUL: f64 = 0.95;
/// Ends of the ranges of the histogram of links.
const RANGES: [(f64, &str); 7] = [
    (0.5, "below 0.5"),
    (0.8, "0.5 to 0.8"),
    (0.9, "0.8 to 0.9"),
    (0.95, "0.9 to 0.95"),
    (0.99, "0.95 to 0.99"),
    (0.999, "0.99 to 0.999"),
    (2.0, "0.999 to 1"),
];

/// What there is to tell.
pub(super) struct Told<'a> {
    pub(super) params: &'a TrackParams,
    pub(super) linked: &'a Linked<'a>,
    pub(super) movie: Option<&'a Movie>,
    pub(super) clock: &'a Clock,
    pub(super) counts: &'a Counts,
    pub(super) items: &'a [ReviewItem],
    pub(super) motion: &'a [TrackMotion],
    pub(super) warnings: &'a [String],
}

/// A number with as many digits as it deserves.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.095 || v == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn plural(n: usize, word: &str) -> String {
    if n == 1 {
        format!("1 {word}")
    } else {
        format!("{n} {word}s")
    }
}

/// Puts the report together.
///
/// Errors: a picture that cannot be made.
pub(super) fn report_data(told: &Told) -> Result<TrackReport, EngineError> {
    let linked = told.linked;
    let mut painter = Painter::new(linked, told.movie);
    let frames = painter.strip();
    let review = told
        .items
        .iter()
        .take(REVIEW)
        .map(|item| ReviewRow {
            kind: item.kind.name().to_owned(),
            frame: linked.observed.number(item.frame).to_string(),
            probability: item.probability,
            what: item.what.clone(),
            instead: item.instead.clone(),
            instead_probability: item.instead_probability,
            pictures: painter.crops(item),
        })
        .collect();
    let name = match (told.movie, &told.params.detections) {
        (Some(movie), _) => movie.name.clone(),
        (None, Some(table)) => super::movie::file_name(table),
        _ => "movie".to_owned(),
    };
    let doubtful = told
        .items
        .iter()
        .filter(|item| item.probability < DOUBTFUL)
        .count();
    Ok(TrackReport {
        title: format!("Tracks of {name}"),
        subtitle: Some(format!(
            "{}, {} objects",
            plural(linked.observed.len(), "frame"),
            linked.observed.detections.len()
        )),
        sentence: sentence(told, doubtful),
        has_doubt: doubtful > 0 || !told.warnings.is_empty(),
        facts: facts(told),
        frames,
        ways: Some(ways(linked, &painter)),
        families: families(told, &painter),
        link_bins: link_bins(linked),
        review,
        review_total: told.items.len(),
        counts: counts(told),
        displacement: displacement(told),
        warnings: told.warnings.to_vec(),
        run: run(told),
        credits: Vec::new(),
    })
}

fn sentence(told: &Told, doubtful: usize) -> String {
    let tracks = told.linked.tracks;
    if tracks.tracks.is_empty() {
        return "There is no object in any frame, so there is nothing to follow.".to_owned();
    }
    let cells: Vec<f64> = told.counts.frames.iter().map(|frame| frame.cells).collect();
    let (least, most) = cells.iter().fold((f64::INFINITY, 0.0f64), |range, &n| {
        (range.0.min(n), range.1.max(n))
    });
    let range = told.counts.divisions_range;
    let divisions = if range.0 == range.1 {
        plural(tracks.divisions.len(), "division")
    } else {
        format!(
            "{} (90 % interval of the true number {} to {})",
            plural(tracks.divisions.len(), "division"),
            range.0,
            range.1
        )
    };
    let cells = if least.round() == most.round() {
        format!("{most:.0}")
    } else {
        format!("{least:.0} to {most:.0}")
    };
    let wrong: f64 = tracks.links.iter().map(|link| 1.0 - link.probability).sum();
    let look = match doubtful {
        0 => "none is below 95 %".to_owned(),
        1 => "1 link or division is below 95 % and deserves a look".to_owned(),
        n => format!("{n} links or divisions are below 95 % and deserve a look"),
    };
    format!(
        "{cells} cells a frame were followed through {}: {} and {divisions}. By their own probabilities {} of {} links are wrong; {look}.",
        plural(told.linked.observed.len(), "frame"),
        plural(tracks.tracks.len(), "track"),
        if wrong < 0.05 {
            "almost none".to_owned()
        } else {
            format!("about {}", short(wrong))
        },
        tracks.links.len(),
    )
}

fn facts(told: &Told) -> Vec<(String, String, String)> {
    let clock = told.clock;
    let (length, time) = (clock.length_unit().replace("um", "µm"), clock.time_unit());
    let mut facts = Vec::new();
    let mut fact = |label: &str, value: String, meaning: String| {
        facts.push((label.to_owned(), value, meaning));
    };
    let each = if time == "h" { "hour" } else { "frame" };
    if let Some((rate, (lower, upper))) = told.counts.rate() {
        let per = 100.0 / clock.time(1.0);
        fact(
            "Divisions",
            format!(
                "{} [{} to {}] per 100 cells and {each}",
                short(rate * per),
                short(lower * per),
                short(upper * per)
            ),
            format!(
                "{} expected in all; 90 % interval from the probabilities",
                short(told.counts.divisions)
            ),
        );
    }
    let cycles: Vec<f64> = told
        .motion
        .iter()
        .filter_map(|m| m.cycle_frames)
        .map(|frames| clock.time(f64::from(frames)))
        .collect();
    let cycle = uncertainty::median(&cycles).map_or_else(
        || "none seen from birth to division".to_owned(),
        |median| format!("{} {time} (median of {})", short(median), cycles.len()),
    );
    fact(
        "Cell cycle",
        cycle,
        "birth to division; long ones do not fit a short movie".to_owned(),
    );
    let speeds: Vec<f64> = told
        .motion
        .iter()
        .filter(|m| m.frames >= 3)
        .filter_map(TrackMotion::mean_step)
        .map(|step| clock.speed(step))
        .collect();
    if let Some(median) = uncertainty::median(&speeds) {
        fact(
            "Speed",
            format!("{} {length} a {each}", short(median)),
            format!(
                "median over {} tracks of 3 frames or more, drift taken off",
                speeds.len()
            ),
        );
    }
    let straight: Vec<f64> = told
        .motion
        .iter()
        .filter(|m| m.frames >= 5)
        .filter_map(TrackMotion::directionality)
        .collect();
    if let Some(median) = uncertainty::median(&straight) {
        fact(
            "Directionality",
            short(median),
            format!(
                "displacement over path, median of {} tracks; 1 is straight",
                straight.len()
            ),
        );
    }
    let model = &told.linked.tracks.model;
    let objects = &told.linked.tracks.objects;
    let filled = objects.iter().filter(|object| object.detection.is_none()).count();
    fact(
        "Missed cells",
        format!("{filled} positions filled in"),
        format!(
            "a cell is found in a frame with a probability of {:.2} %",
            100.0 * model.detection_probability
        ),
    );
    let drift = told
        .linked
        .tracks
        .drift
        .iter()
        .enumerate()
        .map(|(t, shift)| (shift.0.hypot(shift.1), t))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((shift, t)) = drift.filter(|drift| drift.0 >= 1.0) {
        fact(
            "Largest shift of the field",
            format!(
                "{} px at frame {}",
                short(shift),
                told.linked.observed.number(t as u32)
            ),
            "taken off before cells are linked".to_owned(),
        );
    }
    facts
}

fn ways(linked: &Linked, painter: &Painter) -> Ways {
    let (mut width, mut height) = (0.0f64, 0.0f64);
    for object in &linked.tracks.objects {
        (width, height) = (width.max(object.x), height.max(object.y));
    }
    if let Some((rows, columns)) = linked.observed.shape {
        (width, height) = (columns as f64, rows as f64);
    }
    let mut longest: Vec<&track::Track> = linked.tracks.tracks.iter().collect();
    longest.sort_by_key(|track| (std::cmp::Reverse(track.last - track.first), track.id));
    longest.truncate(WAYS);
    Ways {
        size: (width, height),
        ways: longest
            .iter()
            .map(|track| {
                let positions = linked.objects(track.id).iter().map(|object| (object.x, object.y));
                (painter.color(track.id), positions.collect())
            })
            .collect(),
        total: linked.tracks.tracks.len(),
    }
}

fn families(told: &Told, painter: &Painter) -> Estimable<Families> {
    let linked = told.linked;
    let tracks = &linked.tracks.tracks;
    let time = |frame: u32| {
        if told.clock.hours.is_some() {
            told.clock.time(f64::from(frame))
        } else {
            linked.observed.number(frame) as f64
        }
    };
    // Mothers have lower numbers than daughters, so one pass finds all roots.
    let mut root: Vec<u32> = Vec::with_capacity(tracks.len());
    for track in tracks {
        root.push(track.parent.map_or(track.id, |parent| root[parent as usize - 1]));
    }
    let mut members: std::collections::BTreeMap<u32, Vec<u32>> = std::collections::BTreeMap::new();
    for track in tracks {
        members
            .entry(root[track.id as usize - 1])
            .or_default()
            .push(track.id);
    }
    let mut dividing: Vec<(u32, Vec<u32>)> = members.into_iter().filter(|(_, all)| all.len() > 1).collect();
    if dividing.is_empty() {
        return Estimable::NotEstimable("No cell divides in this movie.".to_owned());
    }
    dividing.sort_by_key(|(root, all)| (std::cmp::Reverse(all.len()), *root));
    let total = dividing.len();
    let mut leaves = 0;
    let mut families = Vec::new();
    for (root, all) in dividing.into_iter().take(FAMILIES) {
        leaves += all.len().div_ceil(2);
        if leaves > LEAVES && !families.is_empty() {
            break;
        }
        let branches = all.iter().map(|&id| {
            let track = &tracks[id as usize - 1];
            let divides = linked.divides[id as usize - 1];
            let of_track = linked.tracks.links.partition_point(|link| link.track < id)
                ..linked.tracks.links.partition_point(|link| link.track <= id);
            Branch {
                track: id,
                parent: track.parent,
                first: time(track.first),
                last: time(track.last),
                division: divides.map(|division| linked.tracks.divisions[division].probability),
                doubtful: linked.tracks.links[of_track]
                    .iter()
                    .filter(|link| link.probability < DOUBTFUL)
                    .map(|link| (time(link.to.frame), link.probability))
                    .collect(),
            }
        });
        families.push(Family {
            color: painter.color(root),
            branches: branches.collect(),
        });
    }
    Estimable::Value(Families {
        families,
        total,
        frames: (time(0), time(linked.observed.len() as u32 - 1)),
        axis: if told.clock.hours.is_some() {
            "hours"
        } else {
            "frame"
        }
        .to_owned(),
    })
}

fn link_bins(linked: &Linked) -> Vec<LinkBin> {
    if linked.tracks.links.is_empty() {
        return Vec::new();
    }
    let mut low = -1.0;
    RANGES
        .iter()
        .map(|&(high, range)| {
            let inside = |p: f64| p >= low && p < high;
            let links = linked
                .tracks
                .links
                .iter()
                .filter(|link| inside(link.probability))
                .count() as u64;
            low = high;
            LinkBin {
                range: range.to_owned(),
                links,
            }
        })
        .collect()
}

fn counts(told: &Told) -> Option<Curve> {
    if told.counts.frames.len() < 2 {
        return None;
    }
    let hours = told.clock.hours.is_some();
    let points = told.counts.frames.iter().enumerate().map(|(t, frame)| {
        let x = if hours {
            told.clock.time(t as f64)
        } else {
            told.linked.observed.number(t as u32) as f64
        };
        (x, frame.cells, f64::from(frame.range.0), f64::from(frame.range.1))
    });
    Some(Curve {
        x_label: if hours { "hours" } else { "frame" }.to_owned(),
        y_label: "cells".to_owned(),
        caption: "Cells over time, with the 90 % interval from the probabilities".to_owned(),
        points: points.collect(),
    })
}

fn displacement(told: &Told) -> Estimable<Curve> {
    let points = mean_squared_displacement(told.linked, told.params.seed);
    if points.len() < 2 {
        return Estimable::NotEstimable(
            "too few long tracks; 20 pairs of positions at two distances in time are needed".to_owned(),
        );
    }
    let clock = told.clock;
    let square = clock.length(1.0).powi(2);
    let unit = clock.length_unit().replace("um", "µm");
    Estimable::Value(Curve {
        x_label: format!("time between positions ({})", clock.time_unit()),
        y_label: format!("mean squared displacement ({unit}²)"),
        caption: "Mean squared displacement, with the 90 % interval over whole tracks: a straight line is diffusion, a rising slope directed motion"
            .to_owned(),
        points: points
            .iter()
            .map(|p| {
                (
                    clock.time(f64::from(p.lag)),
                    p.mean * square,
                    p.interval.0 * square,
                    p.interval.1 * square,
                )
            })
            .collect(),
    })
}

fn run(told: &Told) -> RunFacts {
    let fact = |label: &str, value: String| Fact {
        label: label.to_owned(),
        value,
    };
    let params = told.params;
    let model = &told.linked.tracks.model;
    let objects = match (&params.detections, &params.labels_from) {
        (Some(_), _) => "a table of detections".to_owned(),
        (None, Some(_)) => "given label images".to_owned(),
        _ => format!("found by bundle {}", params.bundle),
    };
    let mut facts = vec![
        fact("objects", objects),
        fact(
            "steps learned from the movie",
            format!(
                "half below {} px, nine in ten below {} px, 99 in 100 below {} px",
                short(model.step_quantiles[0]),
                short(model.step_quantiles[1]),
                short(model.step_quantiles[2])
            ),
        ),
        fact(
            "divisions learned",
            format!(
                "{} of 100 cells a frame; sisters {} px apart at first",
                short(100.0 * model.division_probability),
                short(model.sister_distance.0)
            ),
        ),
        fact("features of looks in use", model.features.to_string()),
        fact("seed", params.seed.to_string()),
    ];
    if let Some(hours) = told.clock.hours {
        facts.push(fact("frame interval", format!("{} min", short(hours * 60.0))));
    }
    if let Some(um) = told.clock.um {
        facts.push(fact("pixel size", format!("{um} µm")));
    }
    if let Some(speed) = params.max_speed {
        facts.push(fact("largest step", format!("{} px a frame", short(speed))));
    }
    RunFacts {
        program: format!("phenosure {}", env!("CARGO_PKG_VERSION")),
        command: None,
        facts,
        files: vec![
            fact(
                "tracks.csv",
                "a row an object and frame, with its probabilities; tracks.parquet is the same".to_owned(),
            ),
            fact(
                "lineages.csv",
                "a row a track: label, begin, end, parent".to_owned(),
            ),
            fact("review.csv", "links and divisions most worth a look".to_owned()),
            fact(
                "motion.csv",
                "path, speed, directionality, cycle length".to_owned(),
            ),
            fact("counts.csv", "cells and divisions a frame".to_owned()),
            fact(
                "ctc",
                "masks and res_track.txt of the Cell Tracking Challenge".to_owned(),
            ),
            fact(
                "napari_tracks.csv, napari_graph.json",
                "for a Tracks layer".to_owned(),
            ),
            fact("run.json", "arguments, digests, what was learned".to_owned()),
        ],
    }
}
