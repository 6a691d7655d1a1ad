//! The tracker on virtual movies: `judge_virtual calibration|evaluation FIRST COUNT [looks|points]` prints Markdown tables to standard output.
//!
//! Rows: all movies, then by law of motion, nuclei, spacing, frame interval and missed share. Intervals are 90 %, by bootstrap of movies.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::process::ExitCode;

use testkit::judge::{Verdict, judge};
use testkit::{Design, Family, Movie};
use track::score::{DoubtIntervals, Judged, doubt_intervals, score_doubt};
use uncertainty::{poisson_binomial_interval, stream};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    let family = match words.first().map(String::as_str) {
        Some("calibration") => Some(Family::Calibration),
        Some("evaluation") => Some(Family::Evaluation),
        _ => None,
    };
    let (Some(family), Some(first), Some(count)) = (family, number(1), number(2)) else {
        eprintln!("usage: judge_virtual calibration|evaluation FIRST COUNT [looks|points]");
        return ExitCode::FAILURE;
    };
    let looks = words.get(3).is_none_or(|word| word == "looks");
    let mut judged = Vec::new();
    for index in first..first + count {
        let movie = Movie::draw(family, 1, index);
        match judge(&movie, index as usize, looks) {
            Ok(verdict) => judged.push((movie.design, verdict)),
            Err(error) => {
                eprintln!("movie {index}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let with = if looks {
        "positions and looks"
    } else {
        "positions alone"
    };
    println!("{count} {} movies ({first} on), {with}\n", family.name());
    print(&judged);
    ExitCode::SUCCESS
}

type Row = (Design, Verdict);

/// The groups that a movie's row counts in.
fn groups(design: &Design) -> Vec<String> {
    let bin =
        |value: f64, edges: [f64; 2], what: &str| match edges.iter().filter(|&&edge| value >= edge).count() {
            0 => format!("{what} < {}", edges[0]),
            1 => format!("{what} {}..{}", edges[0], edges[1]),
            _ => format!("{what} >= {}", edges[1]),
        };
    let set = design.nuclei.name();
    vec![
        "all".to_owned(),
        format!("law {:?}", design.law),
        format!("nuclei {}", set.split('_').next().unwrap_or_default()),
        bin(design.spacing, [1.8, 3.0], "spacing (diameters)"),
        bin(design.interval_min, [10.0, 20.0], "interval (min)"),
        bin(design.faults.missed, [0.003, 0.02], "missed"),
    ]
}

fn print(rows: &[Row]) {
    let mut by_group: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        for group in groups(&row.0) {
            by_group.entry(group).or_default().push(row);
        }
    }
    println!(
        "| movies | n | TRA | DET | LNK | division F1 0 / 1 / 2 | CHOTA | 90 % division counts cover |\n|---|---|---|---|---|---|---|---|"
    );
    for (group, of) in &by_group {
        let mean = |figure: &dyn Fn(&Verdict) -> Option<f64>| {
            let values: Vec<f64> = of.iter().filter_map(|row| figure(&row.1)).collect();
            values.iter().sum::<f64>() / values.len().max(1) as f64
        };
        let f1 = [0, 1, 2].map(|tolerance| {
            let sum = |part: fn(&track::score::DivisionCounts) -> usize| -> f64 {
                of.iter()
                    .map(|row| part(&row.1.scores.divisions[tolerance]) as f64)
                    .sum()
            };
            2.0 * sum(|counts| counts.found) / (sum(|counts| counts.truth) + sum(|counts| counts.result))
        });
        let covered = of.iter().filter(|row| {
            let (low, high) = poisson_binomial_interval(&row.1.events, 0.9);
            (low as usize..=high as usize).contains(&row.1.true_divisions)
        });
        println!(
            "| {group} | {} | {:.4} | {:.4} | {:.4} | {:.3} / {:.3} / {:.3} | {:.4} | {:.3} |",
            of.len(),
            mean(&|verdict| verdict.scores.graph.tra()),
            mean(&|verdict| verdict.scores.graph.det()),
            mean(&|verdict| verdict.scores.graph.lnk()),
            f1[0],
            f1[1],
            f1[2],
            mean(&|verdict| verdict.scores.chota),
            covered.count() as f64 / of.len() as f64,
        );
    }
    for (what, claims) in [("links", 0), ("divisions", 1)] {
        println!(
            "\n{what}\n\n| movies | claims | wrong | mean p − share right (points) | slope | ECE | Brier | wrong among the 2 % least certain |\n|---|---|---|---|---|---|---|---|"
        );
        for (group, of) in &by_group {
            let all: Vec<Judged> = of
                .iter()
                .flat_map(|row| {
                    if claims == 0 {
                        &row.1.links
                    } else {
                        &row.1.divisions
                    }
                })
                .copied()
                .collect();
            let Some(scores) = score_doubt(&all) else { continue };
            let mut rng = stream(1, &format!("judge/{what}/{group}"));
            let intervals = doubt_intervals(&all, 0.9, 100, &mut rng);
            let span = |pick: &dyn Fn(&DoubtIntervals) -> Option<(f64, f64)>, times: f64| {
                let interval = intervals.as_ref().and_then(pick);
                interval.map_or(String::new(), |(low, high)| {
                    format!(" [{:.2}, {:.2}]", low * times, high * times)
                })
            };
            let shown = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}"));
            println!(
                "| {group} | {} | {} | {:+.2}{} | {}{} | {:.4} | {:.4} | {} |",
                scores.n,
                scores.wrong,
                100.0 * (scores.mean_probability - scores.share_right),
                span(&|intervals| Some(intervals.excess), 100.0),
                shown(scores.slope),
                span(&|intervals| intervals.slope, 1.0),
                scores.ece,
                scores.brier,
                shown(scores.wrong_in_least_certain),
            );
        }
    }
}
