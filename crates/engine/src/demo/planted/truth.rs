//! Estimate, interval and truth side by side, and what had to come out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::design::{DOSES, Effect, PlannedWell, effects};
use super::field::Field;
use super::source::Source;
use crate::EngineError;
use crate::demo::doses::mean;
use crate::demo::outcome::Check;
use crate::demo::translocation::{numbers, texts};
use crate::files::read_whole;

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
    q: Option<f64>,
    call: String,
}

/// What is known about a treatment at a dose.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Truth {
    /// Mean over its wells of the share of its class, less the mean over control wells.
    difference: f64,
    /// Mean over its wells of the share of its class.
    share: f64,
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
            let role = if class == source.untaught { "untaught" } else { "known" };
            let _ = writeln!(text, "{},{treatment},{dose},{class},{role},{},{}", well.name(), cells.len(), cells.join(";"));
        }
    }
    text
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
    let known = well_means(&run.join("objects.parquet"), "Metadata_Novelty_P_Known")?;
    let controls = well_means(&run.join("objects.parquet"), "Metadata_Novelty_P_Controls")?;
    let effects = effects(source.untaught);
    let share = |well: usize, class: &str| {
        let placed = &fields[well].placed;
        placed.iter().filter(|&&nucleus| source.nuclei[nucleus].class == class).count() as f64 / placed.len().max(1) as f64
    };
    let wells_of = |effect: usize, dose: Option<usize>| -> Vec<usize> {
        (0..plan.len())
            .filter(|&well| plan[well].effect.is_some_and(|(e, d)| e == effect && dose.is_none_or(|dose| dose == d)))
            .collect()
    };
    let control_wells: Vec<usize> = (0..plan.len()).filter(|&well| plan[well].effect.is_none()).collect();
    let truth = |effect: usize, dose: usize| -> Truth {
        let class = effects[effect].class;
        let mean_share = |wells: &[usize]| mean(&wells.iter().map(|&well| share(well, class)).collect::<Vec<_>>());
        let on = mean_share(&wells_of(effect, Some(dose)));
        Truth { difference: on - mean_share(&control_wells), share: on }
    };
    let median_p = |of: &BTreeMap<String, f64>, wells: &[usize]| -> Option<f64> {
        let values: Option<Vec<f64>> = wells.iter().map(|&well| of.get(&plan[well].name()).copied()).collect();
        uncertainty::median(&values?)
    };

    let mut lines = vec![
        "Share of the class that each treatment brings, as the difference from the control wells: estimate [90 % interval], truth.".to_owned(),
        "p: median over wells of the wells' mean p against the taught classes and against the controls.".to_owned(),
    ];
    lines.push(format!(
        "  {:<9} {:>5}  {:<14} {:<24} {:>6}  {:<8} {:<13} {:>7} {:>10}",
        "treatment", "dose", "class", "estimate [interval]", "truth", "class", "novelty", "p known", "p controls"
    ));
    let (mut within, mut intervals) = (0, 0);
    for (e, effect) in effects.iter().enumerate() {
        for (d, dose) in DOSES.iter().enumerate() {
            let truth = truth(e, d);
            let is_untaught = effect.class == source.untaught;
            let found = |kind: &str, about: &str| find(&tests, effect, *dose, kind, about);
            // A class that was never taught has no share of its own: what can be seen of it is the share that looks new.
            let novelty = found("novelty", "both").or_else(|| found("novelty", "known"));
            let estimate = if is_untaught { novelty } else { found("class fraction", effect.class) };
            if let Some((lower, upper)) = estimate.and_then(|test| test.lower.zip(test.upper))
                && !is_untaught
            {
                intervals += 1;
                within += usize::from((lower..=upper).contains(&truth.difference));
            }
            let text = estimate.map_or("not estimable".to_owned(), |test| match (test.effect, test.lower, test.upper) {
                (Some(effect), Some(lower), Some(upper)) => format!("{effect:+.2} [{lower:+.2}, {upper:+.2}]"),
                _ => "not estimable".to_owned(),
            });
            let p = |of: &BTreeMap<String, f64>| {
                median_p(of, &wells_of(e, Some(d))).map_or("-".to_owned(), |p| format!("{p:.2}"))
            };
            let call = |test: Option<&Test>| test.map_or("-".to_owned(), |test| test.call.clone());
            let class = if is_untaught { "new" } else { effect.class };
            lines.push(format!(
                "  {:<9} {dose:>5}  {class:<14} {text:<24} {:>+6.2}  {:<8} {:<13} {:>7} {:>10}",
                effect.treatment,
                if is_untaught { truth.share } else { truth.difference },
                if is_untaught { "-".to_owned() } else { call(estimate) },
                call(novelty),
                p(&known),
                p(&controls),
            ));
        }
    }
    lines.push(format!("  control {:>42} {:>34}", "", {
        let p = |of: &BTreeMap<String, f64>| median_p(of, &control_wells).map_or("-".to_owned(), |p| format!("{p:.2}"));
        format!("{:>7} {:>10}", p(&known), p(&controls))
    }));
    for effect in &effects {
        lines.push(format!("  {}: {}", effect.treatment, effect.about));
    }
    lines.push(format!(
        "  {within} of {intervals} intervals of known classes hold the truth (90 % are meant to; wells share nuclei)"
    ));

    let by_treatment: Vec<(&str, Option<f64>)> =
        effects.iter().enumerate().map(|(e, effect)| (effect.treatment, median_p(&known, &wells_of(e, None)))).collect();
    let checks = checks(&tests, &effects, &by_treatment, (intervals > 0).then(|| within as f64 / intervals as f64));
    Ok((lines, checks))
}

/// What had to come out.
fn checks(tests: &[Test], effects: &[Effect], p_known: &[(&str, Option<f64>)], intervals: Option<f64>) -> Vec<Check> {
    let of_untaught = p_known.iter().find(|(treatment, _)| *treatment == UNTAUGHT).and_then(|(_, p)| *p);
    let others: Option<Vec<f64>> =
        p_known.iter().filter(|(treatment, _)| *treatment != UNTAUGHT).map(|(_, p)| *p).collect();
    let lowest_other = others.and_then(|p| p.into_iter().reduce(f64::min));
    let gap = lowest_other.zip(of_untaught).map(|(other, untaught)| other - untaught);
    let top = DOSES[DOSES.len() - 1];
    let shift = effects.iter().find(|effect| effect.treatment == STRONG_SHIFT);
    let call_is_hit = |kind: &str, about: &str| {
        let test = shift.and_then(|effect| find(tests, effect, top, kind, about));
        test.map(|test| if test.call == "hit" { 1.0 } else { 0.0 })
    };
    let as_class = shift.and_then(|effect| call_is_hit("class fraction", effect.class));
    let as_new = call_is_hit("novelty", "both").or_else(|| call_is_hit("novelty", "known"));
    vec![
        Check {
            what: format!(
                "treatment {UNTAUGHT} (untaught class) has the lowest median well mean p against the taught classes; distance to the next"
            ),
            found: gap,
            expected: "above 0".to_owned(),
            holds: gap.is_some_and(|gap| gap > 0.0),
        },
        Check::at_least(format!("treatment {STRONG_SHIFT} at its top dose is called a class shift (1 = yes)"), as_class, 1.0),
        Check::at_most(format!("treatment {STRONG_SHIFT} at its top dose is called new (1 = yes)"), as_new, 0.0),
        Check::at_least("share of the intervals of known classes that hold the truth", intervals, INTERVALS_THAT_HOLD),
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
    let unusable = |what: String| EngineError::unusable(path, what, "run the demonstration again with --force");
    let bytes = read_whole(path)?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let header = reader.headers().map_err(|error| unusable(error.to_string()))?.clone();
    let position = |name: &str| {
        header.iter().position(|cell| cell == name).ok_or_else(|| unusable(format!("has no column {name:?}")))
    };
    let [treatment, dose, kind, about, effect, lower, upper, q, call] =
        ["Treatment", "Dose", "Kind", "About", "Effect", "Effect_Lower", "Effect_Upper", "Q", "Call"].map(position);
    let (treatment, dose, kind, about) = (treatment?, dose?, kind?, about?);
    let (effect, lower, upper, q, call) = (effect?, lower?, upper?, q?, call?);
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
                q: number(q),
                call: text(call),
            })
        })
        .collect()
}

/// Mean of a p-value over the cells of each well; wells without one are missing.
fn well_means(path: &Path, column: &str) -> Result<BTreeMap<String, f64>, EngineError> {
    let unusable = |what: String| EngineError::unusable(path, what, "run the demonstration again with --force");
    let table = profile::read_parquet(path).map_err(|error| unusable(error.to_string()))?;
    let wells = texts(&table, "Metadata_Well").map_err(unusable)?;
    let p = numbers(&table, column).map_err(unusable)?;
    let mut by_well: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (well, p) in wells.into_iter().zip(p) {
        by_well.entry(well).or_default().extend(p);
    }
    Ok(by_well.into_iter().filter(|(_, p)| !p.is_empty()).map(|(well, p)| (well, mean(&p))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(kind: &str, about: &str, call: &str) -> Test {
        Test {
            treatment: STRONG_SHIFT.to_owned(),
            dose: Some(10.0),
            kind: kind.to_owned(),
            about: about.to_owned(),
            effect: Some(0.5),
            lower: Some(0.4),
            upper: Some(0.6),
            q: Some(0.01),
            call: call.to_owned(),
        }
    }

    fn holds(tests: &[Test], p: &[(&str, Option<f64>)]) -> Vec<bool> {
        checks(tests, &effects("ADCCM"), p, Some(0.9)).iter().map(|check| check.holds).collect()
    }

    #[test]
    fn a_class_shift_called_new_and_an_untaught_class_overlooked_fail() {
        let right = [test("class fraction", "Prometaphase", "hit"), test("novelty", "both", "no hit")];
        let p = [("A", Some(0.5)), ("C", Some(0.45)), ("E", Some(0.2))];
        assert_eq!(holds(&right, &p), [true, true, true, true]);
        let wrong = [test("class fraction", "Prometaphase", "no hit"), test("novelty", "both", "hit")];
        assert_eq!(holds(&wrong, &[("A", Some(0.5)), ("C", Some(0.1)), ("E", Some(0.2))]), [false, false, false, true]);
        assert_eq!(holds(&[], &[("A", None), ("E", Some(0.2))]), [false, false, false, true], "nothing found holds nothing");
    }

    #[test]
    fn tests_are_read_by_the_names_of_their_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tests.csv");
        let text = "Kind,Treatment,Dose,About,Effect,Effect_Lower,Effect_Upper,Q,Call\nnovelty,C,10,both,0.1,,0.2,0.03,hit\n";
        std::fs::write(&path, text).unwrap();
        let tests = read_tests(&path).unwrap();
        assert_eq!((tests[0].effect, tests[0].lower, tests[0].call.as_str()), (Some(0.1), None, "hit"));
        assert!(find(&tests, &effects("ADCCM")[2], 10.0, "novelty", "both").is_some());
        std::fs::write(&path, "Kind,Treatment\n").unwrap();
        assert!(read_tests(&path).unwrap_err().to_string().contains("\"Dose\""));
    }
}
