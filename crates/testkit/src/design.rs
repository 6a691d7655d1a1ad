//! What one virtual movie is like: every number that is drawn for it, and the families that keep calibration and evaluation apart.

use serde::{Deserialize, Serialize};

use crate::chance::Chance;
use crate::motion::Law;
use crate::nuclei::Group;

/// Two kinds of movie that share no nucleus's movie and no law of motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// For choosing, learning and calibrating: nuclei of folds 1 to 4; persistent walk, superstatistical walk, run and tumble.
    Calibration,
    /// For figures that are reported: nuclei of fold 0; Lévy walk, exponential tails, collective flow.
    Evaluation,
}

impl Family {
    /// Groups of nuclei.
    pub fn groups(self) -> Vec<Group> {
        let folds: &[u8] = match self {
            Self::Calibration => &[1, 2, 3, 4],
            Self::Evaluation => &[0],
        };
        folds
            .iter()
            .flat_map(|&fold| [Group::MitoCheck(fold), Group::DataScienceBowl(fold)])
            .collect()
    }

    /// Laws of motion.
    pub fn laws(self) -> [Law; 3] {
        match self {
            Self::Calibration => [Law::PersistentWalk, Law::Superstatistical, Law::RunAndTumble],
            Self::Evaluation => [Law::LevyWalk, Law::ExponentialTails, Law::Collective],
        }
    }

    /// Its name in file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Calibration => "calibration",
            Self::Evaluation => "evaluation",
        }
    }
}

/// What the microscope and the segmentation do to the truth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Faults {
    /// Share of visible nuclei that are not found.
    pub missed: f64,
    /// Probability that a nucleus once missed is missed in the next frame too (out of focus), whatever `missed` says.
    pub missed_again: f64,
    /// False objects a frame, as a share of the visible nuclei.
    pub false_objects: f64,
    /// Mean number of frames that a false object stays in place (debris); 1 is noise.
    pub false_frames: f64,
    /// Share of the pairs of touching nuclei that are found as one (up to 0.75); a merge lasts four frames on average while they touch.
    pub merged: f64,
    /// Share of nuclei that are found as two.
    pub split: f64,
    /// Standard deviation of a centre's error in pixels, each coordinate.
    pub jitter_px: f64,
    /// Steady drift of the field in px a frame, per coordinate.
    pub drift_px: [f64; 2],
    /// A stage jump: first frame after it and its size in px.
    pub jump: Option<(usize, [f64; 2])>,
}

impl Faults {
    /// Nothing goes wrong: every visible nucleus is found once, where it is.
    pub const NONE: Self = Self {
        missed: 0.0,
        missed_again: 0.0,
        false_objects: 0.0,
        false_frames: 1.0,
        merged: 0.0,
        split: 0.0,
        jitter_px: 0.0,
        drift_px: [0.0; 2],
        jump: None,
    };
}

/// One movie's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Design {
    /// Its family.
    pub family: Family,
    /// Number within the family.
    pub index: u64,
    /// Seed of the whole set.
    pub seed: u64,
    /// The real nuclei that it is made of.
    pub nuclei: Group,
    /// Law of motion.
    pub law: Law,
    /// Frames.
    pub frames: usize,
    /// Minutes between frames.
    pub interval_min: f64,
    /// Cells at the start, in the field.
    pub cells: usize,
    /// Mean distance of cells at the start, in diameters of the median nucleus: the field's area a cell is its square.
    pub spacing: f64,
    /// Root mean square speed in µm/min.
    pub speed: f64,
    /// Persistence time in minutes.
    pub persistence_min: f64,
    /// Mean length of a cell cycle in hours.
    pub cycle_h: f64,
    /// Mean time from condensation to anaphase in minutes.
    pub mitosis_min: f64,
    /// Mean distance of the daughters' plates at the end of anaphase in µm.
    pub separation_um: f64,
    /// Deaths per cell and hour.
    pub deaths: f64,
    /// What goes wrong.
    pub faults: Faults,
}

/// Most objects (cells at the start × frames) and longest time of a drawn movie: two days of growth fill any dish.
const MOST_OBJECTS: f64 = 24_000.0;
const LONGEST_H: f64 = 30.0;

impl Design {
    /// The movie of this number: groups and laws in turn, everything else drawn.
    ///
    /// Where the ranges come from:
    /// - `interval_min` 2..30: from fast live imaging to the 30 min of the MitoCheck screen.
    /// - `speed` 0.05..0.7 µm/min: up to the 40 µm/h of fast 3T3 fibroblasts (Kim et al. 2009, Biomaterials 30:5433); slow epithelial cells at the other end.
    /// - `persistence_min`: 20 min at 0.3 µm/min, rising with the root of speed, a factor of exp(±0.5) around it: faster cells are more persistent
    ///   (Maiuri et al. 2012, Curr. Biol. 22:R673); the numbers are assumed.
    /// - `cycle_h` 12..28: C2C12 to HeLa and slower; `mitosis_min` 30..60: textbook range of mammalian cells.
    /// - `separation_um` 14..22: measured here, 36 pairs of Anaphase crops of one MitoCheck frame within 60 px of one another have
    ///   centres 19 to 38 px apart but for four, median 30 px, that is 12 to 25 µm at a nominal 0.645 µm.
    /// - `spacing` 1.3 (confluent) to 5 diameters, `deaths` 0..0.006 per hour, and all faults: assumed, wide enough to hold good and bad plates.
    pub fn draw(family: Family, seed: u64, index: u64) -> Self {
        let mut chance = Chance::new(seed, &format!("virtual movie/{}/{index}/design", family.name()));
        let (groups, laws) = (family.groups(), family.laws());
        let group = groups[index as usize % groups.len()];
        let law = laws[(index as usize / groups.len()) % laws.len()];
        let interval_min = *chance.pick(&[2.0, 5.0, 5.0, 10.0, 15.0, 20.0, 30.0, 30.0]);
        let speed = chance.log_uniform(0.05, 0.7);
        let persistence_min = 20.0 * (speed / 0.3_f64).sqrt() * chance.factor(0.5);
        let cells = chance.log_uniform(25.0, 400.0);
        let most = (MOST_OBJECTS / cells)
            .min(120.0)
            .min(LONGEST_H * 60.0 / interval_min);
        let frames = chance.uniform(15.0_f64.min(most), most) as usize;
        let mut design = Self {
            family,
            index,
            seed,
            nuclei: group,
            law,
            frames,
            interval_min,
            cells: cells as usize,
            spacing: chance.log_uniform(1.3, 5.0),
            speed,
            persistence_min,
            cycle_h: chance.uniform(12.0, 28.0),
            mitosis_min: chance.uniform(30.0, 60.0),
            separation_um: chance.uniform(14.0, 22.0),
            deaths: if chance.happens(0.3) {
                0.0
            } else {
                chance.uniform(0.0, 0.006)
            },
            faults: Faults::NONE,
        };
        design.faults = draw_faults(frames, &mut chance);
        design
    }

    /// A long, even movie for timing: a frame a minute, 2.5 diameters apart, few faults. It grows by 60 % in a thousand frames and begins with fewer
    /// cells, so that such a movie has about `cells` on average.
    pub fn long(cells: usize, frames: usize, seed: u64) -> Self {
        let mut design = Self::draw(Family::Calibration, seed, 0);
        (
            design.law,
            design.interval_min,
            design.speed,
            design.persistence_min,
        ) = (Law::PersistentWalk, 1.0, 0.3, 20.0);
        (design.cells, design.frames, design.spacing) = (cells * 39 / 50, frames, 2.5);
        (design.cycle_h, design.deaths) = (24.0, 0.0);
        design.with_faults(Faults {
            missed: 0.01,
            false_objects: 0.005,
            jitter_px: 0.5,
            ..Faults::NONE
        })
    }

    /// A movie to be rendered: 10 min a frame, nuclei of MitoCheck fold 0 three diameters apart, quick cycles so that few frames hold divisions, a little
    /// drift.
    pub fn drawn(cells: usize, frames: usize, seed: u64) -> Self {
        let mut design = Self::draw(Family::Evaluation, seed, 0);
        (
            design.law,
            design.interval_min,
            design.speed,
            design.persistence_min,
        ) = (Law::ExponentialTails, 10.0, 0.3, 20.0);
        (design.cells, design.frames, design.spacing) = (cells, frames, 3.0);
        (design.cycle_h, design.mitosis_min, design.deaths) = (12.0, 45.0, 0.002);
        design.with_faults(Faults {
            drift_px: [0.4, -0.2],
            ..Faults::NONE
        })
    }

    /// The same cells with other faults.
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }
}

fn draw_faults(frames: usize, chance: &mut Chance) -> Faults {
    let mut share = |perfect: f64, low: f64, high: f64| {
        if chance.happens(perfect) {
            0.0
        } else {
            chance.log_uniform(low, high)
        }
    };
    let missed = share(0.25, 0.003, 0.10);
    let false_objects = share(0.25, 0.002, 0.04);
    let merged = share(0.3, 0.01, 0.15);
    let split = share(0.4, 0.0005, 0.008);
    let mut drift_px = [0.0; 2];
    if chance.happens(0.5) {
        drift_px = [chance.normal(), chance.normal()];
    }
    let jump = (frames > 4 && chance.happens(0.15)).then(|| {
        let size = chance.log_uniform(8.0, 60.0);
        (
            2 + chance.below(frames - 3),
            chance.direction().map(|component| component * size),
        )
    });
    Faults {
        missed,
        missed_again: chance.uniform(0.05, 0.5),
        false_objects,
        false_frames: if chance.happens(0.5) {
            1.0
        } else {
            chance.uniform(1.0, 8.0)
        },
        merged,
        split,
        jitter_px: chance.uniform(0.1, 2.0),
        drift_px,
        jump,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_share_neither_nuclei_nor_laws() {
        let (ours, theirs) = (Family::Calibration, Family::Evaluation);
        assert!(ours.groups().iter().all(|group| !theirs.groups().contains(group)));
        assert!(ours.laws().iter().all(|law| !theirs.laws().contains(law)));
    }

    #[test]
    fn a_design_depends_on_its_number_alone() {
        assert_eq!(
            Design::draw(Family::Calibration, 1, 7),
            Design::draw(Family::Calibration, 1, 7)
        );
        assert_ne!(
            Design::draw(Family::Calibration, 1, 7).speed,
            Design::draw(Family::Calibration, 2, 7).speed
        );
    }
}
