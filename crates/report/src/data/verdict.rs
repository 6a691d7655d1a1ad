//! The verdict: the first sentence of the report and the checks it rests on.

/// May the plate be used?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Usability {
    /// Every check passed.
    #[default]
    Usable,
    /// Something does not hold; the sentence says what.
    WithLimits,
    /// A check failed that the results depend on.
    NotUsable,
}

/// Result of one check. Shown with a word and a sign, never by colour alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckStatus {
    /// Holds.
    #[default]
    Pass,
    /// Holds in part, or with a caution: limits the verdict.
    Limit,
    /// Does not hold: the plate is not usable.
    Fail,
    /// The data do not support the check; limits the verdict only by being said.
    NotEstimable,
}

/// How well the classes of a bundle fit the plate (gate of METHODS.md section 8).
#[derive(Clone, Debug, PartialEq)]
pub enum BundleFit {
    /// The controls look like the training data.
    Fits,
    /// They do not: no class is named.
    Unlike {
        /// Share of control cells with `P_Known` ≤ 0.05, in `[0, 1]`.
        share: f64,
    },
    /// Not known, with the reason.
    Unknown(String),
}

/// One line of the verdict's table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Check {
    /// What was checked, such as "Control separation".
    pub label: String,
    /// How it came out.
    pub status: CheckStatus,
    /// The finding as a clause for the verdict's sentence: lower case, no full stop, such as
    /// "controls separate well (Z′ 0.92, 90 % interval 0.61 to 0.97)".
    pub finding: String,
    /// What to do or what it means, one sentence; shown in the table only.
    pub hint: Option<String>,
}

/// The verdict on a run.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Usable or not.
    pub usability: Usability,
    /// The one sentence, without leading "Usable:" (the page puts that in front).
    pub sentence: String,
    /// The checks, in the order in which they are listed.
    pub checks: Vec<Check>,
}
