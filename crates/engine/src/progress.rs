//! How a use case tells its caller how far it is, and how the caller stops it.

use std::sync::atomic::{AtomicBool, Ordering};

/// What a caller draws. Called from any thread; nothing that it does reaches a result.
pub trait Progress: Sync {
    /// A stage begins: its name and how many steps it has.
    fn begin(&self, stage: &str, steps: u64);
    /// Some steps are done.
    fn advance(&self, steps: u64);
    /// Something that a person should read (a warning, a skipped site), one line.
    fn note(&self, line: &str);
    /// Something for those who asked to hear more, one line.
    fn detail(&self, _line: &str) {}
    /// The stage is over.
    fn end(&self);
}

/// Draws nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _stage: &str, _steps: u64) {}
    fn advance(&self, _steps: u64) {}
    fn note(&self, _line: &str) {}
    fn end(&self) {}
}

/// What every use case is handed beside its parameters.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Where progress goes.
    pub progress: &'a dyn Progress,
    /// Set (by Ctrl-C) to stop at the next safe point.
    pub cancel: &'a AtomicBool,
}

impl Context<'_> {
    /// Whether the caller asked to stop.
    pub fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}
