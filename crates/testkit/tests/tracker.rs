//! The tracker on virtual movies of laws and nuclei that its calibration never saw.
#![allow(clippy::unwrap_used)]

use testkit::judge::judge;
use testkit::{Design, Family, Faults, Film, Movie};
use track::score::{Judged, score_doubt};
use uncertainty::median;

/// Small movies of the evaluation family.
fn small(index: u64) -> Movie {
    let mut design = Design::draw(Family::Evaluation, 9, index);
    design.cells = design.cells.min(60);
    design.frames = design.frames.min(40);
    Movie::of(design)
}

#[test]
fn unseen_laws_and_nuclei_are_followed_and_links_are_as_sure_as_they_are_right() {
    let mut links: Vec<Judged> = Vec::new();
    let (mut tra, mut found, mut divisions) = (Vec::new(), 0, 0);
    for index in 0..12 {
        let verdict = judge(&small(index), index as usize, true).unwrap();
        tra.push(verdict.scores.graph.tra().unwrap());
        found += verdict.scores.divisions[1].found;
        divisions += verdict.scores.divisions[1].truth;
        links.extend(verdict.links);
    }
    assert!(median(&tra).unwrap() > 0.97, "{tra:?}");
    assert!(
        divisions > 30 && found * 10 > divisions * 7,
        "{found} of {divisions}"
    );
    let scores = score_doubt(&links).unwrap();
    assert!(scores.share_right > 0.98, "{scores:?}");
    assert!(
        (scores.mean_probability - scores.share_right).abs() < 0.01,
        "{scores:?}"
    );
}

#[test]
fn without_faults_nearly_every_link_and_division_is_right() {
    let design = Design {
        interval_min: 5.0,
        spacing: 3.0,
        cells: 80,
        frames: 60,
        ..Design::draw(Family::Evaluation, 2, 2)
    };
    let verdict = judge(&Movie::of(design.with_faults(Faults::NONE)), 0, true).unwrap();
    let scores = &verdict.scores;
    assert!(scores.graph.lnk().unwrap() > 0.995, "{scores:?}");
    assert_eq!(scores.graph.missed, 0, "nothing was missed");
    assert!(scores.divisions[1].f1().unwrap() > 0.85, "{:?}", scores.divisions);
}

#[test]
fn a_stage_jump_breaks_no_track() {
    let design = Design {
        interval_min: 5.0,
        spacing: 3.0,
        cells: 80,
        frames: 20,
        ..Design::draw(Family::Evaluation, 2, 4)
    };
    let jump = Some((10, [40.0, -25.0]));
    let movie = Movie::of(design.with_faults(Faults { jump, ..Faults::NONE }));
    let verdict = judge(&movie, 0, true).unwrap();
    assert!(
        verdict.scores.graph.lnk().unwrap() > 0.99,
        "{:?}",
        verdict.scores.graph
    );
}

#[test]
fn a_rendered_movie_has_the_truth_of_its_design() {
    let design = Design::drawn(12, 4, 2);
    let (film, again) = (Film::of(&design), Film::of(&design));
    assert_eq!(film.frames, again.frames);
    assert!(film.truth.iter().all(|point| point.frame < 4));
}
