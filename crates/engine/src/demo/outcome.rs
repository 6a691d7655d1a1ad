//! What a demonstration is asked for and what it hands back.

use std::path::PathBuf;

use serde::Serialize;

use crate::{NetworkParams, RunSummary};

/// How to run a demonstration. The data are in the program.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoParams {
    /// Folder for the plate (`BBBC013/` or `planted/`), the run (`run/`) and what the demonstration says about it (`demo.txt`).
    pub out: PathBuf,
    /// How the networks are used.
    pub networks: NetworkParams,
    /// Threads; `None` = all.
    pub threads: Option<usize>,
    /// Bytes of memory that sites in work may use together; `None` = half of the machine.
    pub memory: Option<u64>,
    /// Seed of the run and, for the planted plate, of the arrangement.
    pub seed: u64,
    /// Whether to write over another run.
    pub force: bool,
}

impl DemoParams {
    /// Everything at its default, written to `out`.
    pub fn new(out: impl Into<PathBuf>) -> Self {
        Self {
            out: out.into(),
            networks: NetworkParams::default(),
            threads: None,
            memory: None,
            seed: 0,
            force: false,
        }
    }
}

/// Something that must come out of a demonstration if the program is right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What is compared, as one sentence.
    pub what: String,
    /// What came out.
    pub found: Option<f64>,
    /// What it is held against, as text.
    pub expected: String,
    /// Whether it holds; a value that could not be found does not hold.
    pub holds: bool,
}

impl Check {
    /// A value that must not be above `limit`.
    pub(super) fn at_most(what: impl Into<String>, found: Option<f64>, limit: f64) -> Self {
        let holds = found.is_some_and(|value| value <= limit);
        Self {
            what: what.into(),
            found,
            expected: format!("at most {limit}"),
            holds,
        }
    }

    /// A value that must not be below `limit`.
    pub(super) fn at_least(what: impl Into<String>, found: Option<f64>, limit: f64) -> Self {
        let holds = found.is_some_and(|value| value >= limit);
        Self {
            what: what.into(),
            found,
            expected: format!("at least {limit}"),
            holds,
        }
    }

    /// The check as a line of text.
    pub fn line(&self) -> String {
        let found = self
            .found
            .map_or("not estimable".to_owned(), |value| format!("{value:.3}"));
        let mark = if self.holds { "holds" } else { "FAILS" };
        format!("  {mark}  {}: {found} ({})", self.what, self.expected)
    }
}

/// What a demonstration did and found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DemoOutcome {
    /// The run, as of any screen.
    pub summary: RunSummary,
    /// What a person should read, line by line; also in `demo.txt`.
    pub lines: Vec<String>,
    /// What had to come out.
    pub checks: Vec<Check>,
    /// Whose data this is and under which licence.
    pub credit: String,
    /// Sites that were left out although nobody damaged them; the deliberate one is not counted. Above 0, the command ends as any screen
    /// with skipped sites does.
    pub skipped_unasked: usize,
}
