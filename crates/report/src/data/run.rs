//! How the run was made, what was skipped, whom to credit.

/// A site that was skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkippedSite {
    /// Plate.
    pub plate: String,
    /// Well as `A01`.
    pub well: String,
    /// Site, as the file names have it.
    pub site: String,
    /// File that is at fault, relative to the plate folder, if one is.
    pub file: Option<String>,
    /// The one reason.
    pub reason: String,
}

/// Facts of the run.
#[derive(Clone, Debug, Default)]
pub struct RunFacts {
    /// "phenosure 0.1.0".
    pub program: String,
    /// The command that makes it again, as one line.
    pub command: Option<String>,
    /// Facts in order: plates, layout, bundles with digest, members, draws, seed, cutoffs, … No times: equal input gives equal bytes.
    pub facts: Vec<Fact>,
    /// Files of the run folder with what they hold, such as ("hits.csv", "a row a treatment, ranked").
    pub files: Vec<Fact>,
}

/// A label with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    /// Label.
    pub label: String,
    /// Value as text.
    pub value: String,
}

/// Data or bundle to credit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credit {
    /// What is credited, such as "BBBC013 plate 1049".
    pub name: String,
    /// Licence, such as "CC BY 4.0".
    pub licence: String,
    /// Who, where it was published, how to cite.
    pub text: String,
    /// Link; shown as a link when it starts with `https://`, else as text.
    pub link: Option<String>,
}
