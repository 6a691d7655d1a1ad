//! A plate whose truth is known: real MitoCheck nuclei, few and reused, in an arrangement that is not real.
//!
//! 96 wells are put together from nuclei that no member of the shipped bundle has seen: known classes from fold 0, one untaught
//! class from any fold, never OutOfFocus. Each nucleus is outlined, turned or mirrored, and blended onto background sampled from the
//! crops. The outlines are handed to the screen as label images, so that the demonstration is about classes and novelty alone: the crops
//! come without masks, and how well nuclei are found is measured elsewhere, on people's outlines (`evaluate segment`).

mod background;
mod design;
mod field;
mod nucleus;
mod source;
mod truth;

use std::fmt::Write as _;
use std::path::Path;

use image::{encode_png_gray, write_labels};
use rayon::prelude::*;

use self::design::PlannedWell;
use self::field::{Field, lay_out};
pub use self::source::Development;
use self::source::Source;
use super::outcome::{DemoOutcome, DemoParams};
use super::real_plate::{write_if_other, write_lines};
use crate::files::{make_folder, write_whole};
use crate::{Context, DataCredit, EngineError, NetworkParams, ScreenParams, bundles, screen};

/// Whose nuclei these are; printed by the command and in the report.
const CREDIT: &str = "Nuclei: MitoCheck consortium (Neumann et al., Nature 2010, 464:721, doi 10.1038/nature08869), crops as given by Thomas \
    Walter to WayScience/phenotypic_profiling (Tomkinson et al. 2024, doi 10.5281/zenodo.10814940), CC BY 4.0; turned, mirrored and placed \
    onto new background here";

/// What the arrangement is.
const EXPLANATION: &str = "The nuclei are real, few and reused; the arrangement is not real. The outlines they were cut out by are given to \
    the screen, so this says how far classes and novelty can be trusted, not how well nuclei are found.";

/// Name of the made plate.
const PLATE: &str = "planted";
/// The bundle whose doubt is put to the test.
const BUNDLE: &str = "mitosis";

/// Makes the plate in `out/planted`, screens it into `out/run`, and prints estimate, interval and truth of every treatment.
///
/// Errors: as [`screen`]; `out` cannot be written.
pub fn planted(params: &DemoParams, context: &Context<'_>) -> Result<DemoOutcome, EngineError> {
    run(params, &Source::embedded()?, BUNDLE, context)
}

/// The same with nuclei of another fold of the data set and a bundle whose first members left that fold out (the others are not used): what the arrangement was
/// developed with, so that fold 0 is looked at once, at the end. Not a command that users meet.
///
/// Errors: as [`planted`]; the data set cannot be read.
pub fn planted_for_development(
    params: &DemoParams,
    development: &Development,
    context: &Context<'_>,
) -> Result<DemoOutcome, EngineError> {
    let folds = bundles::find(&development.bundle)?.manifest.member_folds;
    let blind = folds.iter().take_while(|&&fold| fold == development.fold).count();
    if blind == 0 {
        return Err(EngineError::Option {
            option: "FOLD",
            value: development.fold.to_string(),
            what: format!(
                "the first member of {:?} has seen it; the members left out {folds:?}",
                development.bundle
            ),
        });
    }
    let params = DemoParams {
        networks: NetworkParams {
            members: Some(blind),
            ..params.networks.clone()
        },
        ..params.clone()
    };
    run(
        &params,
        &Source::from_folder(development)?,
        &development.bundle,
        context,
    )
}

fn run(
    params: &DemoParams,
    source: &Source,
    bundle: &str,
    context: &Context<'_>,
) -> Result<DemoOutcome, EngineError> {
    let classes: Vec<&str> = source
        .nuclei
        .iter()
        .map(|nucleus| nucleus.class.as_str())
        .collect();
    let plan = design::plan(&classes, source.untaught, params.seed);
    let fields: Vec<Field> = plan
        .par_iter()
        .map(|well| {
            let mut rng = uncertainty::stream(params.seed, &format!("planted/field/{}", well.name()));
            lay_out(&source.nuclei, &well.nuclei, &source.background, &mut rng)
        })
        .collect();
    let (plate, labels, map) = (
        params.out.join(PLATE),
        params.out.join("outlines"),
        params.out.join("platemap.csv"),
    );
    write_plate(&plan, &fields, source, &plate, &labels, &map)?;

    let mut screening = ScreenParams::new(&plate, params.out.join("run"));
    screening.nuclei = Some("1".to_owned());
    screening.labels_from = Some(labels);
    screening.classify_with = Some(bundle.to_owned());
    // The crops are at the scale the bundle was taught at; a median over wells full of one class would not know it.
    screening.diameter_px = bundles::find(bundle)?.manifest.crop_diameter_px;
    screening.networks = params.networks.clone();
    screening.threads = params.threads;
    screening.memory = params.memory;
    screening.force = params.force;
    screening.gather.plate_map = Some(map);
    screening.gather.seed = params.seed;
    screening.gather.credits = vec![DataCredit {
        name: "MitoCheck nuclei, rearranged".to_owned(),
        licence: "CC BY 4.0; text in the plate's folder".to_owned(),
        text: CREDIT.to_owned(),
        link: Some("https://doi.org/10.5281/zenodo.10814940".to_owned()),
    }];
    screening.gather.planted = Some(truth::for_the_report(&plan, &fields, source, EXPLANATION));
    let summary = screen(&screening, context)?;

    let mut lines = vec![EXPLANATION.to_owned(), source.describe(&plan), String::new()];
    let (text, checks) = truth::compare(&plan, &fields, source, &params.out.join("run"))?;
    lines.extend(text);
    write_whole(
        &params.out.join("truth.csv"),
        truth::table(&plan, &fields, source).as_bytes(),
    )?;
    write_lines(&params.out.join("demo.txt"), CREDIT, &lines, &checks)?;
    let skipped_unasked = summary.skipped.len();
    Ok(DemoOutcome {
        summary,
        lines,
        checks,
        credit: CREDIT.to_owned(),
        skipped_unasked,
    })
}

/// Images, outlines and plate map, as any screen would have them.
fn write_plate(
    plan: &[PlannedWell],
    fields: &[Field],
    source: &Source,
    plate: &Path,
    labels: &Path,
    map: &Path,
) -> Result<(), EngineError> {
    make_folder(plate)?;
    make_folder(labels)?;
    let effects = design::effects(source.untaught);
    let mut text = String::from("well,role,treatment,dose,unit\n");
    for (well, field) in plan.iter().zip(fields) {
        let name = well.name();
        write_if_other(
            &plate.join(format!("{PLATE}_{name}_s1_w1.png")),
            &encode_png_gray(field.pixels.view()),
        )?;
        let outlines = labels.join(format!("{PLATE}_{name}_s1_t0.tif"));
        write_labels(&outlines, &field.labels).map_err(|error| {
            EngineError::unusable(
                &outlines,
                error.to_string(),
                "choose a folder that can be written with --out",
            )
        })?;
        let _ = match well.effect {
            None => writeln!(text, "{name},negcon,control,,"),
            Some((effect, dose)) => {
                writeln!(
                    text,
                    "{name},treatment,{},{},au",
                    effects[effect].treatment,
                    design::DOSES[dose]
                )
            }
        };
    }
    write_if_other(&plate.join("LICENSE.txt"), source.licence.as_bytes())?;
    write_if_other(map, text.as_bytes())
}
