//! Estimate, interval and truth side by side, and what had to come out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::design::{DOSES, Effect, PlannedWell, effects};
use super::field::Field;
use super::source::Source;
use crate::demo::doses::mean;
use crate::demo::outcome::Check;
use crate::demo::translocation::{numbers, texts};
use crate::files::read_whole;
use crate::{EngineError, PlantedTruth, PlantedValue};

/// The treatment that shifts known classes most, and the one that brings the untaught class.
const STRONG_SHIFT: &str = "C";
const UNTAUGHT: &str = "E";
/// Share of a program's 90 % intervals that must hold the truth; a binomial count of 15 intervals falls below 10 with probability .002.
const INTERVALS_THAT_HOLD: f64 = 0.65;

/// One row of `tests.csv`.
#[derive(Clone, Debug, PartialEq)]
struct Test {
    treatment: String,
    dose: Option<f64>,
    kind: String,
    about: String,
    effect: Option<f64>,
    lower: Option<f64>,
    upper: Option<f64>,
    call: String,
}

impl Test {
    /// Effect with its interval.
    fn interval(&self) -> String {
        match (self.effect, self.lower, self.upper) {
            (Some(effect), Some(lower), Some(upper)) => format!("{effect:+.2} [{lower:+.2}, {upper:+.2}]"),
            _ => "not estimable".to_owned(),
        }
    }
}

/// `truth.csv`: one row a well and class.
pub(super) fn table(plan: &[PlannedWell], fields: &[Field], source: &Source) -> String {
    let effects = effects(source.untaught);
    let mut text = String::from("well,treatment,dose,class,role,nuclei,cells\n");
    for (well, field) in plan.iter().zip(fields) {
        let (treatment, dose) = match well.effect {
            Some((effect, dose)) => (effects[effect].treatment, DOSES[dose].to_string()),
            None => ("control", String::new()),
        };
        let mut by_class: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for &nucleus in &field.placed {
            let nucleus = &source.nuclei[nucleus];
            by_class.entry(&nucleus.class).or_default().push(&nucleus.id);
        }
        for (class, cells) in by_class {
            let role = if class == source.untaught {
                "untaught"
            } else {
                "known"
            };
            let _ = writeln!(
                text,
                "{},{treatment},{dose},{class},{role},{},{}",
                well.name(),
                cells.len(),
                cells.join(";")
            );
        }
    }
    text
}

/// The arrangement, asked for shares.
struct Arrangement<'a> {
    plan: &'a [PlannedWell],
    fields: &'a [Field],
    source: &'a Source,
}

impl Arrangement<'_> {
    /// Wells of a treatment, at one dose or at all.
    fn wells_of(&self, effect: usize, dose: Option<usize>) -> Vec<usize> {
        let is_wanted = |(e, d): (usize, usize)| e == effect && dose.is_none_or(|dose| dose == d);
        (0..self.plan.len())
            .filter(|&well| self.plan[well].effect.is_some_and(is_wanted))
            .collect()
    }

    fn control_wells(&self) -> Vec<usize> {
        (0..self.plan.len())
            .filter(|&well| self.plan[well].effect.is_none())
            .collect()
    }

    /// Mean over wells of the share of a class.
    fn mean_share(&self, wells: &[usize], class: &str) -> f64 {
        let share = |&well: &usize| {
            let placed = &self.fields[well].placed;
            let of_class = placed
                .iter()
                .filter(|&&nucleus| self.source.nuclei[nucleus].class == class);
            of_class.count() as f64 / placed.len().max(1) as f64
        };
        mean(&wells.iter().map(share).collect::<Vec<_>>())
    }

    /// Median over wells of a value; `None` where a well has none.
    fn median(&self, of: &BTreeMap<String, f64>, wells: &[usize]) -> Option<f64> {
        let values = wells.iter().map(|&well| of.get(&self.plan[well].name()).copied());
        uncertainty::median(&values.collect::<Option<Vec<f64>>>()?)
    }
}

/// What is known, for the report.
pub(super) fn for_the_report(
    plan: &[PlannedWell],
    fields: &[Field],
    source: &Source,
    explanation: &str,
) -> PlantedTruth {
    let arrangement = Arrangement { plan, fields, source };
    let controls = arrangement.control_wells();
    let mut values = Vec::new();
    for (e, effect) in effects(source.untaught).iter().enumerate() {
        for (d, &dose) in DOSES.iter().enumerate() {
            let share = arrangement.mean_share(&arrangement.wells_of(e, Some(d)), effect.class);
            let is_untaught = effect.class == source.untaught;
            let does_something = effect.share[d] > 0.0;
            values.push(PlantedValue {
                treatment: effect.treatment.to_owned(),
                dose,
                class: (!is_untaught).then(|| effect.class.to_owned()),
                truth: if is_untaught {
                    share
                } else {
                    share - arrangement.mean_share(&controls, effect.class)
                },
                expected_call: Some(if does_something { "hit" } else { "no hit" }.to_owned()),
            });
        }
    }
    PlantedTruth {
        explanation: explanation.to_owned(),
        values,
    }
}

/// The lines of text and the checks.
///
/// Errors: a table of the run is not there or lacks a column.
pub(super) fn compare(
    plan: &[PlannedWell],
    fields: &[Field],
    source: &Source,
    run: &Path,
) -> Result<(Vec<String>, Vec<Check>), EngineError> {
    let tests = read_tests(&run.join("tests.csv"))?;
    let p_values = well_means(&run.join("objects.parquet"))?;
    let arrangement = Arrangement { plan, fields, source };
    let effects = effects(source.untaught);
    let p_of = |wells: &[usize]| {
        let text = |of| {
            arrangement
                .median(of, wells)
                .map_or("-".to_owned(), |p| format!("{p:.2}"))
        };
        let [known, controls, both] = p_values.each_ref().map(text);
        format!("{known:>5} {controls:>8} {both:>5}")
    };

    let mut lines = vec![
        "Share of the class that each treatment brings, less the share in the control wells: estimate [90 % interval] and truth;".to_owned(),
        "for the class that was never taught, the share that looks unlike the taught classes. Calls: class shift; new, that is".to_owned(),
        "unlike the taught classes. p: median over wells of the wells' mean p: unlike the taught classes, the controls, both.".to_owned(),
        format!(
            "  {:<9} {:>4}  {:<13} {:<22} {:>6}  {:<7} {:<7} {:>5} {:>8} {:>5}",
            "treatment", "dose", "class", "estimate [interval]", "truth", "shift", "new", "known", "controls", "both"
        ),
    ];
    let (mut within, mut intervals) = (0_u32, 0_u32);
    for (e, effect) in effects.iter().enumerate() {
        for (d, dose) in DOSES.iter().enumerate() {
            let wells = arrangement.wells_of(e, Some(d));
            let share = arrangement.mean_share(&wells, effect.class);
            let difference = share - arrangement.mean_share(&arrangement.control_wells(), effect.class);
            let is_new = find(&tests, effect, *dose, "novelty", "known");
            let call = |test: Option<&Test>| test.map_or("-".to_owned(), |test| test.call.clone());
            // A class that was never taught has no share of its own: what can be seen of it is the share that looks new.
            let (class, estimate, truth, shift) = if effect.class == source.untaught {
                ("(untaught)", is_new, share, "-".to_owned())
            } else {
                let estimate = find(&tests, effect, *dose, "class fraction", effect.class);
                if let Some((lower, upper)) = estimate.and_then(|test| test.lower.zip(test.upper)) {
                    intervals += 1;
                    within += u32::from((lower..=upper).contains(&difference));
                }
                (effect.class, estimate, difference, call(estimate))
            };
            lines.push(format!(
                "  {:<9} {dose:>4}  {class:<13} {:<22} {truth:>+6.2}  {shift:<7} {:<7} {}",
                effect.treatment,
                estimate.map_or("not estimable".to_owned(), Test::interval),
                call(is_new),
                p_of(&wells),
            ));
        }
    }
    lines.push(format!(
        "  {:<76} {}",
        "control",
        p_of(&arrangement.control_wells())
    ));
    lines.extend(
        effects
            .iter()
            .map(|effect| format!("  {}: {}", effect.treatment, effect.about)),
    );
    lines.push(format!(
        "  {within} of {intervals} intervals of known classes hold the truth (90 % are meant to; wells share nuclei)"
    ));

    let by_treatment = |of: &BTreeMap<String, f64>| -> Vec<(&str, Option<f64>)> {
        let median = |e: usize| arrangement.median(of, &arrangement.wells_of(e, None));
        effects
            .iter()
            .enumerate()
            .map(|(e, effect)| (effect.treatment, median(e)))
            .collect()
    };
    let [known, _, both] = &p_values;
    let mut checks = vec![
        lowest_p("the taught classes", &by_treatment(known)),
        lowest_p("the taught classes and the controls", &by_treatment(both)),
    ];
    checks.extend(calls(&tests, &effects));
    let share = (intervals > 0).then(|| f64::from(within) / f64::from(intervals));
    checks.push(Check::at_least(
        "share of the intervals of known classes that hold the truth",
        share,
        INTERVALS_THAT_HOLD,
    ));
    Ok((lines, checks))
}

/// The treatment with the untaught class must have the lowest median well mean p.
fn lowest_p(against: &str, p: &[(&str, Option<f64>)]) -> Check {
    let of_untaught = p
        .iter()
        .find(|(treatment, _)| *treatment == UNTAUGHT)
        .and_then(|(_, p)| *p);
    let others: Option<Vec<f64>> = p
        .iter()
        .filter(|(treatment, _)| *treatment != UNTAUGHT)
        .map(|(_, p)| *p)
        .collect();
    let lowest_other = others.and_then(|p| p.into_iter().reduce(f64::min));
    let gap = lowest_other
        .zip(of_untaught)
        .map(|(other, untaught)| other - untaught);
    Check {
        what: format!(
            "treatment {UNTAUGHT} (untaught class): median well mean p against {against}, below the next treatment by"
        ),
        found: gap,
        expected: "above 0".to_owned(),
        holds: gap.is_some_and(|gap| gap > 0.0),
    }
}

/// The strong shift of known classes must be called a shift and not new, the untaught class new.
fn calls(tests: &[Test], effects: &[Effect]) -> Vec<Check> {
    let top = DOSES[DOSES.len() - 1];
    let is_hit = |treatment: &str, kind: &str, about: Option<&str>| {
        let effect = effects.iter().find(|effect| effect.treatment == treatment)?;
        let test = find(tests, effect, top, kind, about.unwrap_or(effect.class))?;
        Some(if test.call == "hit" { 1.0 } else { 0.0 })
    };
    let called = |treatment: &str, what: &str| {
        format!("treatment {treatment} at its top dose is called {what} (1 = yes)")
    };
    vec![
        Check::at_least(
            called(STRONG_SHIFT, "a class shift"),
            is_hit(STRONG_SHIFT, "class fraction", None),
            1.0,
        ),
        Check::at_most(
            called(STRONG_SHIFT, "unlike the taught classes"),
            is_hit(STRONG_SHIFT, "novelty", Some("known")),
            0.0,
        ),
        Check::at_most(
            called(STRONG_SHIFT, "new by both references"),
            is_hit(STRONG_SHIFT, "novelty", Some("both")),
            0.0,
        ),
        Check::at_least(
            called(UNTAUGHT, "unlike the taught classes"),
            is_hit(UNTAUGHT, "novelty", Some("known")),
            1.0,
        ),
    ]
}

fn find<'a>(tests: &'a [Test], effect: &Effect, dose: f64, kind: &str, about: &str) -> Option<&'a Test> {
    tests.iter().find(|test| {
        test.treatment == effect.treatment
            && test.dose.is_some_and(|d| (d - dose).abs() < 1e-9 * dose)
            && test.kind == kind
            && test.about == about
    })
}

fn read_tests(path: &Path) -> Result<Vec<Test>, EngineError> {
    let unusable =
        |what: String| EngineError::unusable(path, what, "run the demonstration again with --force");
    let bytes = read_whole(path)?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let header = reader
        .headers()
        .map_err(|error| unusable(error.to_string()))?
        .clone();
    let position = |name: &str| {
        header
            .iter()
            .position(|cell| cell == name)
            .ok_or_else(|| unusable(format!("has no column {name:?}")))
    };
    let [treatment, dose, kind, about, effect, lower, upper, call] = [
        "Treatment",
        "Dose",
        "Kind",
        "About",
        "Effect",
        "Effect_Lower",
        "Effect_Upper",
        "Call",
    ]
    .map(position);
    let (treatment, dose, kind, about) = (treatment?, dose?, kind?, about?);
    let (effect, lower, upper, call) = (effect?, lower?, upper?, call?);
    reader
        .records()
        .map(|record| {
            let record = record.map_err(|error| unusable(error.to_string()))?;
            let text = |at: usize| record.get(at).unwrap_or_default().to_owned();
            let number = |at: usize| record.get(at).and_then(|cell| cell.parse::<f64>().ok());
            Ok(Test {
                treatment: text(treatment),
                dose: number(dose),
                kind: text(kind),
                about: text(about),
                effect: number(effect),
                lower: number(lower),
                upper: number(upper),
                call: text(call),
            })
        })
        .collect()
}

/// Mean p of the cells of each well: against the taught classes, against the controls, and the larger of the two.
/// Wells without a p-value are missing.
fn well_means(path: &Path) -> Result<[BTreeMap<String, f64>; 3], EngineError> {
    let unusable =
        |what: String| EngineError::unusable(path, what, "run the demonstration again with --force");
    let table = profile::read_parquet(path).map_err(|error| unusable(error.to_string()))?;
    let wells = texts(&table, "Metadata_Well").map_err(unusable)?;
    let known = numbers(&table, "Metadata_Novelty_P_Known").map_err(unusable)?;
    let controls = numbers(&table, "Metadata_Novelty_P_Controls").map_err(unusable)?;
    let both: Vec<Option<f64>> = known
        .iter()
        .zip(&controls)
        .map(|(k, c)| Some(k.as_ref()?.max(*c.as_ref()?)))
        .collect();
    Ok([known, controls, both].map(|p| {
        let mut by_well: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (well, p) in wells.iter().zip(p) {
            by_well.entry(well).or_default().extend(p);
        }
        by_well
            .into_iter()
            .filter(|(_, p)| !p.is_empty())
            .map(|(well, p)| (well.to_owned(), mean(&p)))
            .collect()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(treatment: &str, kind: &str, about: &str, call: &str) -> Test {
        Test {
            treatment: treatment.to_owned(),
            dose: Some(10.0),
            kind: kind.to_owned(),
            about: about.to_owned(),
            effect: Some(0.5),
            lower: Some(0.4),
            upper: Some(0.6),
            call: call.to_owned(),
        }
    }

    #[test]
    fn an_untaught_class_that_is_overlooked_fails() {
        let holds = |of_e| lowest_p("x", &[("A", Some(0.5)), ("C", Some(0.3)), ("E", of_e)]).holds;
        assert!(holds(Some(0.2)));
        assert!(!holds(Some(0.4)) && !holds(Some(0.3)) && !holds(None));
        assert!(
            !lowest_p("x", &[("A", None), ("E", Some(0.1))]).holds,
            "a treatment without a p-value proves nothing"
        );
    }

    #[test]
    fn a_class_shift_called_new_and_an_untaught_class_called_known_fail() {
        let calls_of = |shift: &str, shift_new: &str, untaught_new: &str| -> Vec<bool> {
            let tests = [
                test(STRONG_SHIFT, "class fraction", "Prometaphase", shift),
                test(STRONG_SHIFT, "novelty", "known", shift_new),
                test(STRONG_SHIFT, "novelty", "both", shift_new),
                test(UNTAUGHT, "novelty", "known", untaught_new),
            ];
            calls(&tests, &effects("ADCCM"))
                .iter()
                .map(|check| check.holds)
                .collect()
        };
        assert_eq!(calls_of("hit", "no hit", "hit"), [true, true, true, true]);
        assert_eq!(
            calls_of("no hit", "hit", "not estimable"),
            [false, false, false, false]
        );
        assert!(
            calls(&[], &effects("ADCCM")).iter().all(|check| !check.holds),
            "nothing found holds nothing"
        );
    }

    #[test]
    fn tests_are_read_by_the_names_of_their_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tests.csv");
        let text = "Kind,Treatment,Dose,About,Effect,Effect_Lower,Effect_Upper,Call\nnovelty,C,10,both,0.1,,0.2,hit\n";
        std::fs::write(&path, text).unwrap();
        let tests = read_tests(&path).unwrap();
        assert_eq!(
            (tests[0].effect, tests[0].lower, tests[0].call.as_str()),
            (Some(0.1), None, "hit")
        );
        assert!(find(&tests, &effects("ADCCM")[2], 10.0, "novelty", "both").is_some());
        std::fs::write(&path, "Kind,Treatment\n").unwrap();
        assert!(read_tests(&path).unwrap_err().to_string().contains("\"Dose\""));
    }
}
