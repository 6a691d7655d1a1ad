//! Estimates of a made plate beside its truth.

use polars::prelude::DataFrame;
use report::{Estimable, Estimate, PlantedRow, Scale};

use super::columns::{numbers, texts};
use crate::{PlantedTruth, PlantedValue};

/// The section of the report; `None` where no truth is known.
pub(super) fn planted(tests: &DataFrame, truth: Option<&PlantedTruth>) -> Option<report::PlantedTruth> {
    let truth = truth?;
    let table = Tests::read(tests);
    let rows: Vec<PlantedRow> = truth.values.iter().map(|value| table.row(value)).collect();
    let intervals = rows
        .iter()
        .zip(&truth.values)
        .filter_map(|(row, value)| match &row.estimate {
            Estimable::Value(estimate) if value.class.is_some() => estimate
                .interval
                .map(|(lower, upper)| (lower..=upper).contains(&row.truth)),
            _ => None,
        });
    let intervals: Vec<bool> = intervals.collect();
    let within = intervals.iter().filter(|&&within| within).count();
    let summary = format!(
        "{within} of {} intervals of taught classes hold the truth (90 % are meant to; wells share nuclei).",
        intervals.len()
    );
    Some(report::PlantedTruth {
        explanation: truth.explanation.clone(),
        rows,
        summary: Some(summary),
    })
}

/// The columns of tests.csv that are needed.
struct Tests {
    kind: Vec<Option<String>>,
    treatment: Vec<Option<String>>,
    about: Vec<Option<String>>,
    call: Vec<Option<String>>,
    reason: Vec<Option<String>>,
    dose: Vec<Option<f64>>,
    effect: Vec<Option<f64>>,
    lower: Vec<Option<f64>>,
    upper: Vec<Option<f64>>,
}

impl Tests {
    fn read(tests: &DataFrame) -> Self {
        Self {
            kind: texts(tests, "Kind"),
            treatment: texts(tests, "Treatment"),
            about: texts(tests, "About"),
            call: texts(tests, "Call"),
            reason: texts(tests, "Reason"),
            dose: numbers(tests, "Dose"),
            effect: numbers(tests, "Effect"),
            lower: numbers(tests, "Effect_Lower"),
            upper: numbers(tests, "Effect_Upper"),
        }
    }

    /// The row of the report for what is known; not estimable where there was no such test.
    fn row(&self, value: &PlantedValue) -> PlantedRow {
        let (kind, about, quantity) = match &value.class {
            Some(class) => (
                "class fraction",
                class.as_str(),
                format!("share of {class}, less the controls'"),
            ),
            None => (
                "novelty",
                "known",
                "share unlike the taught classes (truth: share of no taught class)".to_owned(),
            ),
        };
        let is = |column: &[Option<String>], at: usize, word: &str| column[at].as_deref() == Some(word);
        let found = (0..self.kind.len()).find(|&at| {
            is(&self.kind, at, kind)
                && is(&self.about, at, about)
                && is(&self.treatment, at, &value.treatment)
                && self.dose[at].is_some_and(|dose| (dose - value.dose).abs() <= 1e-9 * value.dose.abs())
        });
        let estimate = match found.and_then(|at| Some((at, self.effect[at]?))) {
            Some((at, effect)) => Estimable::Value(Estimate {
                value: effect,
                interval: self.lower[at].zip(self.upper[at]),
            }),
            None => {
                let reason = found.and_then(|at| self.reason[at].clone());
                Estimable::NotEstimable(reason.unwrap_or_else(|| "no such test was made".to_owned()))
            }
        };
        PlantedRow {
            treatment: format!("{} {}", value.treatment, value.dose),
            quantity,
            scale: Scale::Share,
            estimate,
            truth: value.truth,
            call: found.and_then(|at| self.call[at].clone()),
            expected_call: value.expected_call.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;

    fn value(class: Option<&str>, dose: f64, truth: f64) -> PlantedValue {
        let class = class.map(str::to_owned);
        PlantedValue {
            treatment: "C".to_owned(),
            dose,
            class,
            truth,
            expected_call: None,
        }
    }

    #[test]
    fn a_known_share_stands_beside_the_test_of_its_class_and_dose() {
        let tests = df!(
            "Kind" => ["class fraction", "class fraction", "novelty"],
            "Treatment" => ["C", "C", "C"],
            "About" => ["Hole", "Hole", "known"],
            "Call" => ["no hit", "hit", "not estimable"],
            "Reason" => [None, None, Some("2 control wells")],
            "Dose" => [1.0, 10.0, 10.0],
            "Effect" => [Some(0.1), Some(0.6), None],
            "Effect_Lower" => [Some(0.0), Some(0.5), None],
            "Effect_Upper" => [Some(0.2), Some(0.7), None],
        )
        .unwrap();
        let values = vec![
            value(Some("Hole"), 10.0, 0.75),
            value(Some("Hole"), 1.0, 0.1),
            value(None, 10.0, 0.0),
        ];
        let truth = PlantedTruth {
            explanation: "made".to_owned(),
            values,
        };
        let section = planted(&tests, Some(&truth)).unwrap();
        assert_eq!(section.rows[0].call.as_deref(), Some("hit"));
        assert_eq!(
            section.rows[0].estimate,
            Estimable::Value(Estimate {
                value: 0.6,
                interval: Some((0.5, 0.7))
            })
        );
        assert_eq!(
            section.rows[2].estimate,
            Estimable::NotEstimable("2 control wells".to_owned())
        );
        assert!(
            section.summary.unwrap().starts_with("1 of 2 intervals"),
            "0.75 lies outside, 0.1 inside"
        );
        assert!(planted(&tests, None).is_none());
    }
}
