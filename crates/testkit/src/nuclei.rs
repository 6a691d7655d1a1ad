//! Measured nuclei: what the cells of a virtual movie look like in each phase of their lives.
//!
//! `data/nuclei.csv` holds one row a real nucleus, measured by `scripts/virtual_nuclei.py`: MitoCheck crops (CC BY 4.0; Neumann et al.,
//! Nature 464:721-727, 2010; images given by Thomas Walter) and outlines of the 2018 Data Science Bowl (BBBC038, CC0). The class
//! probabilities are out of fold: the model that gives them never saw the nucleus's movie.

use serde::{Deserialize, Serialize};

use crate::chance::Chance;

/// The measured rows.
const TABLE: &str = include_str!("../data/nuclei.csv");
/// Median area of an interphase HeLa nucleus of MitoCheck in µm²: 587 px at a nominal 0.645 µm. It sets the scale between pixels and
/// micrometres of every movie, whatever set its nuclei come from.
pub const INTERPHASE_AREA_UM2: f64 = 587.0 * 0.645 * 0.645;

/// What a nucleus is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not dividing, not dying.
    Interphase,
    /// Condensed, not yet aligned: prometaphase and aligning chromosomes.
    Prometaphase,
    /// A plate.
    Metaphase,
    /// One of two separating plates.
    Anaphase,
    /// Dying or dead.
    Apoptosis,
}

/// Number of phases.
pub const PHASES: usize = 5;

/// One measured nucleus.
#[derive(Clone, Debug, PartialEq)]
pub struct Nucleus {
    /// Its class as labelled (nuclei of the Data Science Bowl stand for interphase).
    pub phase: Phase,
    /// Area in pixels of its own picture.
    pub area: f64,
    /// Mean grey value above the background, in its own picture's scale.
    pub mean: f64,
    /// Standard deviation of its grey values.
    pub sd: f64,
    /// Eccentricity of the ellipse with the same second moments, 0..1.
    pub eccentricity: f64,
    /// Area over convex area, 0..1.
    pub solidity: f64,
    /// Standard deviation of log area when the threshold moves by ±12.5 %; NaN for given outlines.
    pub area_noise: f64,
    /// Out-of-fold class probabilities in the order of [`Phase`]; all NaN for nuclei without a class.
    pub probability: [f64; PHASES],
}

/// Which real nuclei a movie is made of. Folds never split a movie or a mosaic, so that disjoint groups share no experiment's nuclei.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Group {
    /// MitoCheck nuclei of one fold (0..5).
    MitoCheck(u8),
    /// Interphase outlines of the Data Science Bowl of one fold; the mitotic and dying nuclei are MitoCheck's of the same fold, rescaled.
    DataScienceBowl(u8),
}

impl Group {
    /// Name for files and tables.
    pub fn name(self) -> String {
        match self {
            Self::MitoCheck(fold) => format!("mitocheck_f{fold}"),
            Self::DataScienceBowl(fold) => format!("dsb2018_f{fold}"),
        }
    }
}

impl From<Group> for String {
    fn from(group: Group) -> Self {
        group.name()
    }
}

impl TryFrom<String> for Group {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let fold = |prefix| {
            name.strip_prefix(prefix)
                .and_then(|fold| fold.parse().ok())
                .filter(|fold| *fold < 5)
        };
        let known = fold("mitocheck_f")
            .map(Self::MitoCheck)
            .or_else(|| fold("dsb2018_f").map(Self::DataScienceBowl));
        known.ok_or_else(|| {
            format!("{name:?} is no group of nuclei: mitocheck_f0 to mitocheck_f4, dsb2018_f0 to dsb2018_f4")
        })
    }
}

#[derive(Deserialize)]
struct Row {
    set: String,
    fold: u8,
    class: Phase,
    area: f64,
    mean: f64,
    sd: f64,
    eccentricity: f64,
    solidity: f64,
    area_noise: Option<f64>,
    p_interphase: Option<f64>,
    p_prometaphase: Option<f64>,
    p_metaphase: Option<f64>,
    p_anaphase: Option<f64>,
    p_apoptosis: Option<f64>,
}

impl Row {
    fn nucleus(self) -> Nucleus {
        let given = |p: Option<f64>| p.unwrap_or(f64::NAN);
        Nucleus {
            phase: self.class,
            area: self.area,
            mean: self.mean.max(1.0),
            sd: self.sd,
            eccentricity: self.eccentricity,
            solidity: self.solidity,
            area_noise: given(self.area_noise),
            probability: [
                self.p_interphase,
                self.p_prometaphase,
                self.p_metaphase,
                self.p_anaphase,
                self.p_apoptosis,
            ]
            .map(given),
        }
    }
}

/// The nuclei that one movie draws from.
#[derive(Clone, Debug)]
pub struct Nuclei {
    by_phase: [Vec<Nucleus>; PHASES],
    median_area: f64,
    median_mean: f64,
    scale: f64,
}

impl Nuclei {
    /// The nuclei of a group. For the Data Science Bowl, whose pictures differ in magnification, `chance` draws one nucleus and keeps those of
    /// 0.5..2 times its area: a movie has one magnification.
    ///
    /// Panics when the table in the crate is damaged.
    pub fn of(group: Group, chance: &mut Chance) -> Self {
        let (set, fold) = match group {
            Group::MitoCheck(fold) => ("mitocheck", fold),
            Group::DataScienceBowl(fold) => ("dsb2018", fold),
        };
        let mut by_phase: [Vec<Nucleus>; PHASES] = Default::default();
        let mut outlines = Vec::new();
        for row in csv::Reader::from_reader(TABLE.as_bytes()).deserialize::<Row>() {
            let row = row.expect("the table of nuclei is part of the crate");
            if row.fold != fold {
                continue;
            }
            if row.set == "mitocheck" {
                by_phase[row.class as usize].push(row.nucleus());
            } else {
                outlines.push(row.nucleus());
            }
        }
        let of_hela = median(&by_phase[0], |nucleus| nucleus.area);
        if set == "dsb2018" {
            let anchor = chance.pick(&outlines).area;
            outlines.retain(|nucleus| (0.5..2.0).contains(&(nucleus.area / anchor)));
            for nucleus in &mut outlines {
                // No class model was made for these pictures: they get the probabilities of an interphase nucleus of MitoCheck.
                let like = chance.pick(&by_phase[0]);
                (nucleus.probability, nucleus.area_noise) = (like.probability, like.area_noise);
            }
            by_phase[0] = outlines;
        }
        let median_area = median(&by_phase[0], |nucleus| nucleus.area);
        let median_mean = median(&by_phase[0], |nucleus| nucleus.mean);
        for nucleus in by_phase[1..].iter_mut().flatten() {
            nucleus.area *= median_area / of_hela;
        }
        Self {
            by_phase,
            median_area,
            median_mean,
            scale: (INTERPHASE_AREA_UM2 / median_area).sqrt(),
        }
    }

    /// A nucleus of that phase, drawn evenly.
    pub fn draw(&self, phase: Phase, chance: &mut Chance) -> &Nucleus {
        chance.pick(&self.by_phase[phase as usize])
    }

    /// All nuclei of that phase.
    pub fn all(&self, phase: Phase) -> &[Nucleus] {
        &self.by_phase[phase as usize]
    }

    /// Median area of the interphase nuclei in pixels.
    pub fn median_area(&self) -> f64 {
        self.median_area
    }

    /// Median grey value of the interphase nuclei.
    pub fn median_mean(&self) -> f64 {
        self.median_mean
    }

    /// Micrometres a pixel, such that the median interphase nucleus has [`INTERPHASE_AREA_UM2`].
    pub fn um_per_px(&self) -> f64 {
        self.scale
    }
}

fn median(nuclei: &[Nucleus], of: impl Fn(&Nucleus) -> f64) -> f64 {
    let mut values: Vec<f64> = nuclei.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_has_nuclei_of_every_phase_and_one_magnification() {
        for fold in 0..5 {
            for group in [Group::MitoCheck(fold), Group::DataScienceBowl(fold)] {
                let nuclei = Nuclei::of(group, &mut Chance::new(1, "nuclei"));
                for phase in [
                    Phase::Interphase,
                    Phase::Prometaphase,
                    Phase::Metaphase,
                    Phase::Anaphase,
                    Phase::Apoptosis,
                ] {
                    assert!(nuclei.all(phase).len() >= 5, "{} {phase:?}", group.name());
                }
                let area = |phase| median(nuclei.all(phase), |nucleus| nucleus.area);
                assert!(area(Phase::Metaphase) < 0.7 * area(Phase::Interphase));
                assert!(area(Phase::Anaphase) < area(Phase::Metaphase));
                let probabilities = nuclei
                    .by_phase
                    .iter()
                    .flatten()
                    .map(|nucleus| nucleus.probability.iter().sum::<f64>());
                assert!(probabilities.into_iter().all(|sum| (sum - 1.0).abs() < 0.01));
            }
        }
    }
}
