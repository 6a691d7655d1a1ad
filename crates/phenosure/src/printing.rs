//! What a command says at its end: words to stderr, or one JSON object to stdout.

use engine::demo::DemoOutcome;
use engine::{BundleCard, Inspection, PlateInspection, RunSummary};

use crate::console::Console;

/// Lines of one kind that a terminal shows before it says how many more there are.
const SHOWN: usize = 12;

/// One object on one line of stdout.
pub fn json(console: &Console, value: &impl serde::Serialize) {
    let text = serde_json::to_string(value).unwrap_or_default();
    console.out(&format!("{text}\n"));
}

pub fn list(console: &Console, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    console.say(heading);
    for line in lines.iter().take(SHOWN) {
        console.say(&format!("  {line}"));
    }
    if lines.len() > SHOWN {
        console.say(&format!("  and {} more", lines.len() - SHOWN));
    }
}

/// A run.
pub fn run(console: &Console, summary: &RunSummary) {
    say_run(console, summary);
    if console.wants_json() {
        json(console, summary);
    }
}

fn say_run(console: &Console, summary: &RunSummary) {
    let again = match summary.sites_reused {
        0 => String::new(),
        reused => format!(" ({reused} used again)"),
    };
    console.say(&format!(
        "{} sites{again}, {} skipped; {} objects in {} wells",
        summary.sites,
        summary.skipped.len(),
        summary.objects,
        summary.wells
    ));
    if let Some(verdict) = &summary.verdict {
        console.say(&format!("Verdict: {verdict}"));
    }
    let hits: Vec<String> = summary
        .hits
        .iter()
        .map(|hit| {
            let q = hit.q.map_or(String::new(), |q| format!(", q {q:.3}"));
            format!("{}: {}, {}{q}", hit.name, hit.call, hit.effect)
        })
        .collect();
    list(console, "First of the ranking (hits.csv):", &hits);
    list(console, "Not estimable:", &summary.not_estimable);
    let skipped: Vec<String> = summary
        .skipped
        .iter()
        .map(|site| format!("{}: {}", site.site, site.reason))
        .collect();
    list(console, "Skipped:", &skipped);
    list(console, "Warnings:", &summary.warnings);
    match &summary.report {
        Some(report) => console.say(&format!("Report: {}", report.display())),
        None => console.say(&format!("Results: {}", summary.out.display())),
    }
}

/// Objects of single images.
pub fn objects(console: &Console, summary: &RunSummary) {
    console.say(&format!(
        "{} images, {} skipped; {} objects; results: {}",
        summary.sites,
        summary.skipped.len(),
        summary.objects,
        summary.out.display()
    ));
    list(console, "Warnings:", &summary.warnings);
    if console.wants_json() {
        json(console, summary);
    }
}

/// A demonstration.
pub fn demo(console: &Console, outcome: &DemoOutcome) {
    say_run(console, &outcome.summary);
    for line in &outcome.lines {
        console.say(line);
    }
    console.say("What had to come out:");
    for check in &outcome.checks {
        console.say(&check.line());
    }
    console.say(&outcome.credit);
    if console.wants_json() {
        json(console, outcome);
    }
}

/// What `inspect` found, to stdout: it is the command's result.
pub fn inspection(console: &Console, inspection: &Inspection) {
    if console.wants_json() {
        json(console, inspection);
        return;
    }
    let mut lines: Vec<String> = Vec::new();
    match inspection {
        Inspection::Plate(plate) => plate_lines(plate, &mut lines),
        Inspection::Image(image) => {
            lines.push(format!(
                "{} image, {} x {} pixels, {} planes of {} bits",
                image.format, image.size.0, image.size.1, image.planes, image.bits
            ));
            if let Some(um) = image.pixel_size_um {
                lines.push(format!("pixel size: {um} um"));
            }
            if !image.channels.is_empty() {
                lines.push(format!("channels: {}", image.channels.join(", ")));
            }
            for (index, (low, high)) in image.ranges.iter().enumerate() {
                lines.push(format!(
                    "plane {}: values {low:.4} to {high:.4} of the sensor's range",
                    index + 1
                ));
            }
            lines.extend(image.warnings.iter().map(|warning| format!("warning: {warning}")));
        }
        Inspection::Run(run) => {
            lines.push(format!("run of {}: {}", run.program, run.plates.join(", ")));
            lines.push(format!(
                "{} of {} sites finished, {} skipped",
                run.finished,
                run.sites,
                run.skipped.len()
            ));
            lines.extend(run.bundles.iter().map(|bundle| format!("bundle {bundle}")));
            lines.extend(run.skipped.iter().map(|site| format!("skipped {site}")));
            lines.push(
                run.verdict
                    .as_ref()
                    .map_or("not gathered yet".to_owned(), |verdict| {
                        format!("verdict: {verdict}")
                    }),
            );
        }
    }
    console.out(&format!("{}\n", lines.join("\n")));
}

fn plate_lines(plate: &PlateInspection, lines: &mut Vec<String>) {
    lines.push(format!("layout: {}", plate.layout));
    for (name, wells, sites) in &plate.plates {
        lines.push(format!("plate {name}: {wells} wells, {sites} sites"));
    }
    lines.push(format!("channels: {}", plate.channels.join(", ")));
    lines.push(match &plate.nuclei {
        Some(nuclei) => format!("nuclei: {nuclei} (by its name)"),
        None => "nuclei: not known; say --nuclei CHANNEL (never guessed from order)".to_owned(),
    });
    lines.extend(plate.images.iter().map(|image| format!("images: {image}")));
    let mut some = |heading: &str, all: &[String]| {
        lines.extend(all.iter().take(SHOWN).map(|line| format!("{heading}: {line}")));
        if all.len() > SHOWN {
            lines.push(format!("{heading}: and {} more", all.len() - SHOWN));
        }
    };
    some("would be skipped", &plate.skipped);
    some("not explained by the layout", &plate.unmatched);
    some("warning", &plate.warnings);
    match (&plate.roles, &plate.not_estimable) {
        (Some(roles), Some(not_estimable)) => {
            let roles: Vec<String> = roles
                .iter()
                .map(|(role, wells)| format!("{wells} {role}"))
                .collect();
            lines.push(format!("wells: {}", roles.join(", ")));
            if not_estimable.is_empty() {
                lines.push("hits and flags are estimable with these controls".to_owned());
            }
            lines.extend(not_estimable.iter().map(|line| format!("not estimable: {line}")));
        }
        _ => lines.push(
            "no plate map: say --plate-map MAP to learn whether hits and flags are estimable".to_owned(),
        ),
    }
}

/// The bundles in the program.
pub fn cards(console: &Console, cards: &[BundleCard]) {
    if console.wants_json() {
        json(console, &cards);
        return;
    }
    let line = |card: &BundleCard| {
        let classes = if card.classes.is_empty() {
            String::new()
        } else {
            format!(", {} classes", card.classes.len())
        };
        format!(
            "{:<12} {:<9} {} members{classes}, licence {}\n",
            card.name, card.task, card.members, card.licence
        )
    };
    let text: String = cards.iter().map(line).collect();
    console.out(if text.is_empty() {
        "no bundle is built in; train one with `phenosure train`\n"
    } else {
        &text
    });
}

/// One bundle.
pub fn card(console: &Console, card: &BundleCard) {
    if console.wants_json() {
        json(console, card);
        return;
    }
    let mut lines = vec![
        format!("{} ({})", card.name, card.task),
        format!("digest: {}", card.digest),
        format!("members: {}, draws: {}", card.members, card.draws),
        format!("channels: {}", card.channels.join(", ")),
        format!("licence: {}", card.licence),
    ];
    if !card.classes.is_empty() {
        lines.push(format!("classes: {}", card.classes.join(", ")));
    }
    if let Some(px) = card.crop_diameter_px {
        lines.push(format!(
            "nuclei in training crops: {px:.1} pixels across (median)"
        ));
    }
    if let Some((cells, groups)) = card.reference {
        lines.push(format!(
            "reference: {cells} cells of {groups} groups, each scored by members that never saw its fold"
        ));
    }
    lines.extend(card.data.iter().map(|line| format!("data: {line}")));
    lines.extend(
        card.held_out
            .iter()
            .map(|(name, value)| format!("held out: {name} {value:.4}")),
    );
    console.out(&format!("{}\n", lines.join("\n")));
}

/// A training.
pub fn training(console: &Console, outcome: &engine::train::TrainOutcome) {
    console.say(&format!(
        "bundle {}: {} members trained on {} samples",
        outcome.name, outcome.members, outcome.samples
    ));
    let figures: Vec<String> = outcome
        .held_out
        .iter()
        .map(|(name, value)| format!("{name}: {value:.4}"))
        .collect();
    list(console, "Held out:", &figures);
    if console.wants_json() {
        json(console, outcome);
    }
}

/// Figures of an evaluation, a line each, to stdout: they are the command's result.
pub fn figures(console: &Console, report: &impl serde::Serialize) {
    if console.wants_json() {
        json(console, report);
        return;
    }
    let mut lines = Vec::new();
    figure_lines("", &serde_json::to_value(report).unwrap_or_default(), &mut lines);
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let text: String = lines
        .iter()
        .map(|(name, value)| format!("{name:<width$}  {value}\n"))
        .collect();
    console.out(&text);
}

/// Puts a JSON value into lines of name and value; a figure with its interval is one line.
fn figure_lines(name: &str, value: &serde_json::Value, lines: &mut Vec<(String, String)>) {
    use serde_json::Value;
    let number = |value: &Value| match value.as_f64() {
        Some(number) if value.is_f64() => format!("{number:.4}"),
        Some(_) => value.to_string(),
        None => "not estimable".to_owned(),
    };
    let below = |part: &str| {
        if name.is_empty() {
            part.to_owned()
        } else {
            format!("{name} {part}")
        }
    };
    match value {
        Value::Object(fields) if fields.contains_key("value") && fields.contains_key("lower") => {
            let interval = match (&fields["lower"], &fields["upper"]) {
                (Value::Null, _) | (_, Value::Null) => String::new(),
                (lower, upper) => format!(" [{}, {}]", number(lower), number(upper)),
            };
            let n = fields.get("n").map_or(String::new(), |n| format!(" (n {n})"));
            lines.push((
                name.to_owned(),
                format!("{}{interval}{n}", number(&fields["value"])),
            ));
        }
        Value::Object(fields) => {
            // A list of things with names reads best with the name in front.
            let is_named = |field: &str| name.ends_with(fields[field].as_str().unwrap_or("\n"));
            for (field, value) in fields {
                if ["name", "class", "kind"].contains(&field.as_str()) && is_named(field) {
                    continue;
                }
                figure_lines(&below(&field.replace('_', " ")), value, lines);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                let own = ["name", "class", "kind"]
                    .iter()
                    .find_map(|key| value.get(key)?.as_str());
                let part = own.map_or_else(|| (index + 1).to_string(), str::to_owned);
                figure_lines(&below(&part), value, lines);
            }
        }
        Value::String(text) => lines.push((name.to_owned(), text.clone())),
        Value::Bool(truth) => lines.push((name.to_owned(), truth.to_string())),
        other => lines.push((name.to_owned(), number(other))),
    }
}
