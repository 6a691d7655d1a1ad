//! `bench`: from arguments to the engine and back to words.

use anyhow::Result;
use engine::{BenchOutcome, ExitCode, FieldTiming, NetworkTiming};

use crate::arguments::Bench;
use crate::console::Console;
use crate::printing;

/// Times what was asked for.
pub fn run(bench: &Bench, console: &Console) -> Result<ExitCode> {
    let outcome = engine::bench(&bench.params()?, &console.context())?;
    if console.wants_json() {
        printing::json(console, &outcome);
        return Ok(ExitCode::Done);
    }
    let lines = match &outcome {
        BenchOutcome::Network(timing) => network(timing),
        BenchOutcome::Field(timing) => field(timing),
    };
    lines.iter().for_each(|line| console.say(line));
    Ok(ExitCode::Done)
}

fn network(timing: &NetworkTiming) -> Vec<String> {
    let what = match (timing.train, timing.members, timing.draws) {
        (true, ..) => "steps of training".to_owned(),
        (false, 1, 0) => "one member, no dropout".to_owned(),
        (false, members, draws) => format!("{members} members, {draws} draws each"),
    };
    let mut lines = vec![
        format!(
            "{}: {} x {} pixels, batch {}, {what}; {}, {}",
            timing.network,
            timing.size,
            timing.size,
            timing.batch,
            timing.isa,
            threads(timing.threads)
        ),
        format!(
            "  {} an image; calls {}{}",
            duration(timing.ms_an_image / 1e3),
            range(&timing.ms),
            processor_time(&timing.cpu_ms)
        ),
    ];
    let peak = timing.peak_flops / 1e9;
    let plain = format!(
        "{:.2} of this core's multiply-add peak ({peak:.0} GFLOP/s) counting plain convolutions",
        timing.plain_share_of_peak
    );
    lines.push(match &timing.real {
        Some(real) => format!(
            "  {plain}; {:.2} counting what is really computed ({:.2} without transforms)",
            real.share_of_peak, real.products_share_of_peak
        ),
        None if timing.train => format!("  {plain}, three passes a step"),
        None => format!("  {plain}, every draw from the image on"),
    });
    lines.extend(
        timing
            .working_set_bytes
            .map(|bytes| format!("  working set {}", size(bytes))),
    );
    lines
}

fn field(timing: &FieldTiming) -> Vec<String> {
    let ensembles: Vec<String> = timing
        .ensembles
        .iter()
        .map(|ensemble| {
            format!(
                "{} ({} members, {} draws each)",
                ensemble.bundle, ensemble.members, ensemble.draws
            )
        })
        .collect();
    let mut lines = vec![
        format!(
            "A field of {} x {} pixels with {} nuclei (BBBC013); {}; device {}, {}, {}",
            timing.size,
            timing.size,
            timing.objects,
            ensembles.join(", "),
            timing.device,
            timing.isa,
            threads(timing.threads)
        ),
        format!(
            "  fields {}{}: find nuclei {}, measure {}, name classes {}",
            range(&timing.ms),
            processor_time(&timing.cpu_ms),
            duration(timing.segment_ms / 1e3),
            duration(timing.measure_ms / 1e3),
            duration(timing.classify_ms / 1e3)
        ),
    ];
    lines.extend(timing.plates.iter().map(|plate| {
        format!(
            "  a plate of {} wells, {} sites each: about {} (without reading the files and writing the report)",
            plate.wells,
            plate.sites,
            duration(plate.seconds)
        )
    }));
    lines
}

/// What the processor worked for this process: less than the wait where others use the machine, more with many threads.
fn processor_time(cpu_ms: &[f64]) -> String {
    let mut sorted = cpu_ms.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.get(sorted.len() / 2);
    middle.map_or(String::new(), |ms| {
        format!(", processor time {}", duration(ms / 1e3))
    })
}

/// Lowest, middle and highest of wall times in milliseconds.
fn range(ms: &[f64]) -> String {
    let mut sorted = ms.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some((low, high)) = sorted.first().zip(sorted.last()) else {
        return "none".to_owned();
    };
    let middle = sorted[sorted.len() / 2];
    format!(
        "{} (from {} to {}, n = {})",
        duration(middle / 1e3),
        duration(low / 1e3),
        duration(high / 1e3),
        sorted.len()
    )
}

fn threads(threads: usize) -> String {
    if threads == 1 {
        "1 thread".to_owned()
    } else {
        format!("{threads} threads")
    }
}

/// Three significant digits in the unit that fits.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.0} us", s * 1e6),
        s if s < 0.01 => format!("{:.2} ms", s * 1e3),
        s if s < 0.1 => format!("{:.1} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        b if b < 1 << 20 => format!("{:.0} KiB", b as f64 / 1024.0),
        b if b < 1 << 30 => format!("{:.1} MiB", b as f64 / f64::from(1 << 20)),
        b => format!("{:.2} GiB", b as f64 / f64::from(1 << 30)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        let told = [0.000_25, 0.004_2, 0.0421, 0.421, 42.0, 600.0, 20_000.0].map(duration);
        assert_eq!(
            told,
            [
                "250 us", "4.20 ms", "42.1 ms", "421 ms", "42.0 s", "10 min", "5.6 h"
            ]
        );
    }

    #[test]
    fn the_middle_of_the_calls_is_told_with_its_range() {
        assert_eq!(
            range(&[3.0, 1.0, 2.0]),
            "2.00 ms (from 1.00 ms to 3.00 ms, n = 3)"
        );
        assert_eq!(range(&[]), "none");
    }
}
