//! Which wells of the planted plate hold which nuclei. This is the truth that the screen is held against.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use uncertainty::{below, stream};

/// Rows and columns of the plate.
const ROWS: usize = 8;
const COLUMNS: usize = 12;
/// Columns (0-based) that hold controls: both edges and the middle, so that no treatment sits where no control does.
const CONTROL_COLUMNS: [usize; 3] = [0, 5, 11];
/// Replicate wells of each treatment and dose.
pub(super) const REPLICATES: usize = 4;
/// Doses of each treatment, in units of their own: the plate is made, there is no drug.
pub(super) const DOSES: [f64; 3] = [0.1, 1.0, 10.0];
/// Nuclei in a well that loses none.
const FULL: std::ops::RangeInclusive<usize> = 18..=24;

/// Shares of the classes in control wells: what a culture of HeLa cells could hold, made up.
const CONTROL_MIX: [(&str, f64); 9] = [
    ("Interphase", 0.55),
    ("SmallIrregular", 0.10),
    ("Binuclear", 0.08),
    ("Elongated", 0.05),
    ("Prometaphase", 0.06),
    ("MetaphaseAlignment", 0.05),
    ("Large", 0.04),
    ("Polylobed", 0.04),
    ("Apoptosis", 0.03),
];

/// What a treatment does to a well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Effect {
    /// Its name on the plate map.
    pub(super) treatment: &'static str,
    /// The class it brings.
    pub(super) class: &'static str,
    /// The share of that class at each dose; 0 = the mix of the controls.
    pub(super) share: [f64; 3],
    /// Nuclei in a well at each dose; `None` = as many as in a control well.
    pub(super) nuclei: [Option<usize>; 3],
    /// What it is, for the table of truth.
    pub(super) about: &'static str,
}

/// The treatments. `untaught` is the class that no member of the bundle was taught.
pub(super) fn effects(untaught: &'static str) -> [Effect; 6] {
    let full = [None; 3];
    [
        Effect {
            treatment: "A",
            class: "Interphase",
            share: [0.0; 3],
            nuclei: full,
            about: "does nothing",
        },
        Effect {
            treatment: "B",
            class: "Polylobed",
            share: [0.10, 0.25, 0.40],
            nuclei: full,
            about: "known class",
        },
        Effect {
            treatment: "C",
            class: "Prometaphase",
            share: [0.20, 0.40, 0.60],
            nuclei: full,
            about: "known class, strong",
        },
        Effect {
            treatment: "D",
            class: "Apoptosis",
            share: [0.10, 0.20, 0.40],
            nuclei: [Some(21), Some(17), Some(12)],
            about: "known class, cells are lost",
        },
        Effect {
            treatment: "E",
            class: untaught,
            share: [0.15, 0.45, 0.92],
            nuclei: full,
            about: "class that was never taught",
        },
        Effect {
            treatment: "F",
            class: "Elongated",
            share: [0.10, 0.20, 0.30],
            nuclei: full,
            about: "known class, weak",
        },
    ]
}

/// One well of the arrangement.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PlannedWell {
    /// Row and column, 0-based.
    pub(super) position: (usize, usize),
    /// Index into [`effects`] and into [`DOSES`]; `None` for a control.
    pub(super) effect: Option<(usize, usize)>,
    /// Which nuclei (indices into the list the plan was made from), no nucleus twice.
    pub(super) nuclei: Vec<usize>,
}

impl PlannedWell {
    /// Name of the well, as `A01`.
    pub(super) fn name(&self) -> String {
        let (row, column) = self.position;
        format!("{}{:02}", char::from(b'A' + row as u8), column + 1)
    }
}

/// Plans 96 wells from nuclei of the given classes (one entry a nucleus).
///
/// Within a class the nuclei that were used least come first, so that reuse is even; a class that runs out inside a well is filled
/// up with Interphase. Deterministic in `seed`.
pub(super) fn plan(classes: &[&str], untaught: &'static str, seed: u64) -> Vec<PlannedWell> {
    let effects = effects(untaught);
    let mut by_class: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, class) in classes.iter().enumerate() {
        by_class.entry(class).or_default().push(index);
    }
    let mut used = vec![0_usize; classes.len()];

    let mut treated: Vec<(usize, usize)> = (0..effects.len() * DOSES.len())
        .flat_map(|test| std::iter::repeat_n((test / DOSES.len(), test % DOSES.len()), REPLICATES))
        .collect();
    shuffle(&mut treated, &mut stream(seed, "planted/positions"));
    let mut treated = treated.into_iter();

    let mut wells = Vec::with_capacity(ROWS * COLUMNS);
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let effect = if CONTROL_COLUMNS.contains(&column) {
                None
            } else {
                treated.next()
            };
            let mut rng = stream(seed, &format!("planted/nuclei/{row}/{column}"));
            let wanted = effect.and_then(|(effect, dose)| effects[effect].nuclei[dose]);
            let n = wanted.unwrap_or_else(|| FULL.start() + below(&mut rng, FULL.end() - FULL.start() + 1));
            let mut nuclei = Vec::with_capacity(n);
            let mut missing = 0;
            for (class, count) in
                composition(effect.map(|(effect, dose)| (&effects[effect], dose)), n, &mut rng)
            {
                missing += count - take(&by_class, class, count, &mut used, &mut nuclei, &mut rng);
            }
            take(&by_class, "Interphase", missing, &mut used, &mut nuclei, &mut rng);
            wells.push(PlannedWell {
                position: (row, column),
                effect,
                nuclei,
            });
        }
    }
    wells
}

/// How many nuclei of each class a well of `n` gets: the effect's share first, the rest in the controls' mix, drawn at random.
fn composition(
    effect: Option<(&Effect, usize)>,
    n: usize,
    rng: &mut ChaCha8Rng,
) -> BTreeMap<&'static str, usize> {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let share = effect.map_or(0.0, |(effect, dose)| effect.share[dose]);
    let brought = if share > 0.0 {
        (share * n as f64).ceil() as usize
    } else {
        0
    };
    if let Some((effect, _)) = effect
        && brought > 0
    {
        counts.insert(effect.class, brought);
    }
    for _ in brought..n {
        let mut left = uncertainty::uniform(rng);
        let class = CONTROL_MIX.iter().find(|(_, share)| {
            left -= share;
            left < 0.0
        });
        *counts
            .entry(class.map_or("Interphase", |(class, _)| class))
            .or_default() += 1;
    }
    counts
}

/// Takes up to `count` nuclei of a class that are not in the well yet, the least used first; says how many it took.
fn take(
    by_class: &BTreeMap<&str, Vec<usize>>,
    class: &str,
    count: usize,
    used: &mut [usize],
    well: &mut Vec<usize>,
    rng: &mut ChaCha8Rng,
) -> usize {
    let mut candidates: Vec<usize> = by_class
        .get(class)
        .into_iter()
        .flatten()
        .copied()
        .filter(|nucleus| !well.contains(nucleus))
        .collect();
    shuffle(&mut candidates, rng);
    candidates.sort_by_key(|&nucleus| used[nucleus]);
    candidates.truncate(count);
    candidates.iter().for_each(|&nucleus| used[nucleus] += 1);
    well.extend_from_slice(&candidates);
    candidates.len()
}

/// Fisher and Yates' shuffle.
pub(super) fn shuffle<T>(values: &mut [T], rng: &mut ChaCha8Rng) {
    for last in (1..values.len()).rev() {
        values.swap(last, below(rng, last + 1));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn classes() -> Vec<&'static str> {
        let counts = [
            ("Interphase", 68),
            ("SmallIrregular", 38),
            ("Binuclear", 48),
            ("Elongated", 40),
            ("Prometaphase", 66),
            ("MetaphaseAlignment", 30),
            ("Large", 22),
            ("Polylobed", 34),
            ("Apoptosis", 60),
            ("ADCCM", 31),
        ];
        counts
            .into_iter()
            .flat_map(|(class, n)| std::iter::repeat_n(class, n))
            .collect()
    }

    #[test]
    fn ninety_six_wells_hold_twelve_to_twenty_four_nuclei_and_none_twice() {
        let plan = plan(&classes(), "ADCCM", 0);
        assert_eq!(plan.len(), 96);
        assert_eq!(plan.iter().filter(|well| well.effect.is_none()).count(), 24);
        for well in &plan {
            assert!((12..=24).contains(&well.nuclei.len()), "{well:?}");
            assert_eq!(
                well.nuclei.iter().collect::<BTreeSet<_>>().len(),
                well.nuclei.len(),
                "{well:?}"
            );
        }
        for effect in 0..6 {
            for dose in 0..3 {
                assert_eq!(
                    plan.iter()
                        .filter(|well| well.effect == Some((effect, dose)))
                        .count(),
                    REPLICATES
                );
            }
        }
    }

    #[test]
    fn the_strong_shift_is_sixty_percent_known_and_the_top_dose_ninety_percent_untaught() {
        let classes = classes();
        let plan = plan(&classes, "ADCCM", 0);
        let share = |well: &PlannedWell, class: &str| {
            well.nuclei
                .iter()
                .filter(|&&nucleus| classes[nucleus] == class)
                .count() as f64
                / well.nuclei.len() as f64
        };
        for well in &plan {
            match well.effect {
                Some((2, 2)) => assert!(share(well, "Prometaphase") >= 0.60),
                Some((4, 2)) => assert!(share(well, "ADCCM") >= 0.90),
                Some((4, _)) => assert!(share(well, "ADCCM") > 0.0),
                _ => assert_eq!(
                    share(well, "ADCCM"),
                    0.0,
                    "untaught nuclei are in treatment E alone"
                ),
            }
        }
    }

    #[test]
    fn the_plan_depends_on_the_seed_alone_and_reuse_is_even() {
        let classes = classes();
        assert_eq!(plan(&classes, "ADCCM", 5), plan(&classes, "ADCCM", 5));
        assert_ne!(plan(&classes, "ADCCM", 5), plan(&classes, "ADCCM", 6));
        let mut used = vec![0_usize; classes.len()];
        plan(&classes, "ADCCM", 5)
            .iter()
            .flat_map(|well| &well.nuclei)
            .for_each(|&nucleus| used[nucleus] += 1);
        let of = |class: &str| -> Vec<usize> {
            used.iter()
                .zip(&classes)
                .filter(|(_, c)| **c == class)
                .map(|(used, _)| *used)
                .collect()
        };
        let interphase = of("Interphase");
        let (least, most) = (interphase.iter().min().unwrap(), interphase.iter().max().unwrap());
        assert!(most - least <= 1, "{least}..{most}");
    }
}
