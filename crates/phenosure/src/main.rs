//! The command line of phenosure: arguments, a progress bar, printing, exit codes; everything else is the engine's.
#![forbid(unsafe_code)]

mod arguments;
mod bench;
mod commands;
mod console;
mod printing;
mod tracking;
mod training;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::console::Console;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version end with 0 and go to stdout, wrong usage ends with 2 and goes to stderr.
            let code = error.exit_code();
            let _ = error.print();
            return ExitCode::from(u8::try_from(code).unwrap_or(2));
        }
    };
    let console = Console::new(&arguments.shared);
    console.stop_on_interrupt();
    let code = match commands::run(&arguments, &console) {
        Ok(code) => code,
        Err(error) => {
            console.error(&error);
            commands::exit_code(&error)
        }
    };
    ExitCode::from(code as u8)
}
