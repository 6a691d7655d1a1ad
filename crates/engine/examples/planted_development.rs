//! Develops the planted demonstration without looking at fold 0.
//!
//! ```text
//! cargo run --release -p engine --example planted_development -- DATA FOLD BUNDLE OUT
//! ```
//!
//! DATA holds `mitocheck_nuclei` and `splits`; BUNDLE is a name or folder of a bundle whose first members left FOLD out.

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use engine::demo::{DemoParams, Development, planted_for_development};
use engine::{Context, Silent};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, fold, bundle, out] = arguments.as_slice() else {
        eprintln!("usage: planted_development DATA FOLD BUNDLE OUT");
        return ExitCode::from(2);
    };
    let Ok(fold) = fold.parse() else {
        eprintln!("FOLD {fold:?} is not a number");
        return ExitCode::from(2);
    };
    let development = Development {
        data: data.into(),
        fold,
        bundle: bundle.clone(),
    };
    let params = DemoParams {
        force: true,
        ..DemoParams::new(out)
    };
    let context = Context {
        progress: &Silent,
        cancel: &AtomicBool::new(false),
    };
    match planted_for_development(&params, &development, &context) {
        Ok(outcome) => {
            outcome.lines.iter().for_each(|line| eprintln!("{line}"));
            outcome
                .checks
                .iter()
                .for_each(|check| eprintln!("{}", check.line()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
