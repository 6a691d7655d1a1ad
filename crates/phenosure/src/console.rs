//! Words to stderr, one object to stdout, a progress bar where a person looks on.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use engine::{Context, EngineError, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::arguments::Shared;

/// Set by Ctrl-C; the engine looks at it at every safe point.
static CANCEL: AtomicBool = AtomicBool::new(false);
static INTERRUPTS: AtomicUsize = AtomicUsize::new(0);

/// Where the program talks to.
pub struct Console {
    json: bool,
    verbose: u8,
    quiet: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Console {
    pub fn new(shared: &Shared) -> Self {
        Self {
            json: shared.json,
            verbose: shared.verbose,
            quiet: shared.quiet,
            bar: Mutex::new(None),
        }
    }

    /// Ctrl-C stops at the next safe point; a second one stops at once, which is safe too.
    pub fn stop_on_interrupt(&self) {
        let _ = ctrlc::set_handler(|| {
            CANCEL.store(true, Ordering::Relaxed);
            if INTERRUPTS.fetch_add(1, Ordering::Relaxed) > 0 {
                std::process::exit(engine::ExitCode::Interrupted as i32);
            }
        });
    }

    pub fn context(&self) -> Context<'_> {
        Context {
            progress: self,
            cancel: &CANCEL,
        }
    }

    pub fn wants_json(&self) -> bool {
        self.json
    }

    /// One line for a person, unless `--quiet`.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.write(line);
        }
    }

    /// An error: one line; the chain of causes with `-v`.
    pub fn error(&self, error: &anyhow::Error) {
        self.write(&format!("phenosure: {error}"));
        if self.verbose > 0 {
            for cause in error.chain().skip(1) {
                self.write(&format!("  because: {cause}"));
            }
        }
    }

    /// Text for stdout; a closed pipe is the reader's choice and no error.
    pub fn out(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn write(&self, line: &str) {
        let print = || {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        };
        match self.bar.lock() {
            Ok(bar) => match bar.as_ref() {
                Some(bar) => bar.suspend(print),
                None => print(),
            },
            Err(_) => print(),
        }
    }

    fn with_bar(&self, act: impl FnOnce(&mut Option<ProgressBar>)) {
        if let Ok(mut bar) = self.bar.lock() {
            act(&mut bar);
        }
    }
}

impl Progress for Console {
    fn begin(&self, stage: &str, steps: u64) {
        if self.quiet {
            return;
        }
        if !std::io::stderr().is_terminal() {
            self.write(&format!("{stage}: {steps}"));
            return;
        }
        let template = "{msg:>12} [{bar:30}] {pos}/{len}  {elapsed} so far, about {eta} left";
        let style = ProgressStyle::with_template(template).map(|style| style.progress_chars("=> "));
        let new = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        if let Ok(style) = style {
            new.set_style(style);
        }
        new.set_message(stage.to_owned());
        new.enable_steady_tick(Duration::from_secs(1));
        self.with_bar(|bar| *bar = Some(new));
    }

    fn advance(&self, steps: u64) {
        self.with_bar(|bar| {
            if let Some(bar) = bar {
                bar.inc(steps);
            }
        });
    }

    fn note(&self, line: &str) {
        self.say(line);
    }

    fn detail(&self, line: &str) {
        if self.verbose > 0 {
            self.write(line);
        }
    }

    fn end(&self) {
        self.with_bar(|bar| {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
        });
    }
}

/// The engine's error behind an error of the binary, if it is one.
pub fn engine_error(error: &anyhow::Error) -> Option<&EngineError> {
    error.downcast_ref()
}
