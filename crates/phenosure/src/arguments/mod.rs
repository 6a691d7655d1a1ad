//! What was typed, and the words that explain it.

mod bench;
mod networks;
mod other;
mod screen;
mod shared;
mod track;

use clap::{Parser, Subcommand};

pub use bench::Bench;
pub use networks::{Evaluate, EvaluateArguments, EvaluateTask, Train, TrainArguments, TrainTask};
pub use other::{Classify, Completions, Demo, Inspect, Man, Models, ModelsCommand, Segment};
pub use screen::{Gather, Screen};
pub use shared::{NetworkArguments, Shared, Statistics};
pub use track::{EvaluateTrack, Track};

/// Screens microscopy plates and says how sure it is: every object, class and hit comes with a probability or an
/// interval that was checked against held-out data; cells unlike the controls are flagged at a stated error rate.
///
/// The main job is `phenosure screen`. See it work first: `phenosure demo`.
#[derive(Debug, Parser)]
#[command(
    name = "phenosure",
    version,
    max_term_width = 110,
    propagate_version = true,
    arg_required_else_help = true
)]
#[command(after_help = "\
Exit codes: 0 done · 1 done, some sites skipped · 2 wrong usage or unusable input · 3 output not written ·
4 bundle damaged or not fitting · 5 a check asked for with --require failed · 130 interrupted, resumable.")]
pub struct Arguments {
    #[command(flatten)]
    pub shared: Shared,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Demo(Demo),
    Screen(Box<Screen>),
    Gather(Gather),
    Inspect(Inspect),
    Segment(Segment),
    Classify(Classify),
    Track(Track),
    Train(Train),
    Evaluate(Evaluate),
    Bench(Bench),
    Models(Models),
    Completions(Completions),
    Man(Man),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command) {
            let is_parent = command.get_subcommands().next().is_some();
            if !is_parent {
                let help = command
                    .get_after_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(
                    help.contains("phenosure "),
                    "`{}` has no example",
                    command.get_name()
                );
            }
            for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
                check(sub);
            }
        }
        check(&Arguments::command());
    }
}
