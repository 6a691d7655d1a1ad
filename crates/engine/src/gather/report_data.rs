//! What the report shows, from the tables and the small pictures.

use std::collections::BTreeMap;

use profile::{GateOutcome, Gathered, Role, WellInfo};
use report::{
    BundleFit, Check, CheckStatus, Credit, Estimable, Estimate, Fact, NotEstimable, ReportData, RunFacts,
    SkippedSite, Verdict,
};

use super::cells::Cells;
use super::columns::{numbers, texts};
use super::pictures::Album;
use super::run_file::RunFile;
use super::{Collected, report_cells, report_hits, report_plates, report_trust, report_truth};
use crate::{EngineError, GatherParams, HitLine};

/// Rows of the ranking that a terminal shows.
const HIT_LINES: usize = 8;

/// Everything the sections of the report are made from.
pub(super) struct Material<'a> {
    pub(super) collected: &'a Collected,
    pub(super) gathered: &'a Gathered,
    pub(super) wells: &'a [WellInfo],
    pub(super) params: &'a GatherParams,
    pub(super) cells: Cells,
    pub(super) album: Album<'a>,
    /// Rows of the object table by (plate, well).
    pub(super) rows_of_well: BTreeMap<(String, String), Vec<usize>>,
    /// Rows of negative-control wells.
    pub(super) control_rows: Vec<usize>,
}

impl<'a> Material<'a> {
    fn new(
        collected: &'a Collected,
        gathered: &'a Gathered,
        wells: &'a [WellInfo],
        params: &'a GatherParams,
    ) -> Self {
        let cells = Cells::new(&gathered.objects, &gathered.scatter.features, &collected.sites);
        let mut rows_of_well: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
        for row in 0..cells.len() {
            rows_of_well
                .entry((cells.plate[row].clone(), cells.well[row].clone()))
                .or_default()
                .push(row);
        }
        let controls = wells.iter().filter(|well| well.role == Role::Negcon);
        let control_rows = controls
            .flat_map(|well| {
                rows_of_well
                    .get(&(well.plate.clone(), well.well.clone()))
                    .cloned()
                    .unwrap_or_default()
            })
            .collect();
        let album = Album::new(&collected.sites);
        Self {
            collected,
            gathered,
            wells,
            params,
            cells,
            album,
            rows_of_well,
            control_rows,
        }
    }

    /// Whether the run has several plates: wells are then named with theirs.
    pub(super) fn several_plates(&self) -> bool {
        self.collected.scan.plates().len() > 1
    }

    /// A well's name on the page.
    pub(super) fn well_name(&self, plate: &str, well: &str) -> String {
        if self.several_plates() {
            format!("{plate} {well}")
        } else {
            well.to_owned()
        }
    }

    /// The (plate, well) of names that a table joins by `;`, with the plate in front when there are several.
    pub(super) fn wells_named(&self, names: &str) -> Vec<(String, String)> {
        let only = self
            .collected
            .scan
            .plates()
            .first()
            .map(|plate| (*plate).to_owned())
            .unwrap_or_default();
        let place = |name: &str| match name.rsplit_once(' ') {
            Some((plate, well)) => (plate.to_owned(), well.to_owned()),
            None => (only.clone(), name.to_owned()),
        };
        names
            .split(';')
            .filter(|name| !name.is_empty())
            .map(place)
            .collect()
    }

    /// Rows of the object table in some wells.
    pub(super) fn rows_in(&self, wells: &[(String, String)]) -> Vec<usize> {
        wells
            .iter()
            .flat_map(|well| self.rows_of_well.get(well).cloned().unwrap_or_default())
            .collect()
    }

    /// Whether the classes of the bundle fit a plate.
    pub(super) fn classes_fit(&self) -> bool {
        self.gathered
            .verdict
            .gate
            .iter()
            .any(|gate| gate.outcome == GateOutcome::Fits)
    }
}

/// Puts the report's data together.
pub(super) fn report_data(
    collected: &Collected,
    run: &RunFile,
    gathered: &Gathered,
    wells: &[WellInfo],
    params: &GatherParams,
) -> Result<ReportData, EngineError> {
    let material = Material::new(collected, gathered, wells, params);
    let plates = collected.scan.plates();
    let title = if plates.len() > 3 {
        format!("{} plates", plates.len())
    } else {
        plates.join(", ")
    };
    Ok(ReportData {
        title,
        subtitle: Some(format!(
            "{} wells, {} fields, {} nuclei",
            collected.scan.wells().len(),
            run.counts.sites,
            run.counts.objects
        )),
        verdict: verdict(&material, run),
        hits: (params.plate_map.is_some()).then(|| report_hits::hit_table(&material)),
        not_estimable: gathered
            .verdict
            .not_estimable
            .iter()
            .map(|sentence| not_estimable(sentence))
            .collect(),
        candidates: Some(report_hits::candidates(&material)),
        plates: report_plates::plates(&material),
        planted: report_truth::planted(&material.gathered.tests, params.planted.as_ref()),
        doses: report_hits::doses(&material),
        galleries: report_cells::galleries(&material),
        scatter: Some(report_cells::scatter(&material)),
        reliability: report_trust::reliability(&material),
        entropy: report_trust::entropy(&material),
        skipped: run.skipped.iter().map(skipped).collect(),
        warnings: run.warnings.clone(),
        run: run_facts(&material, run),
        credits: credits(&material),
    })
}

fn verdict(material: &Material, run: &RunFile) -> Verdict {
    let verdict = &material.gathered.verdict;
    let mut checks = vec![Check::skipped_sites(
        run.counts.sites_skipped as u64,
        run.counts.sites as u64,
    )];
    checks.push(hit_check(material));
    for separation in verdict
        .separation
        .iter()
        .filter(|s| s.feature == "Novelty_Score" && s.poscon.is_none())
    {
        let measure = if material.several_plates() {
            format!("distance to controls, {}", separation.plate)
        } else {
            "distance to controls".to_owned()
        };
        let interval = separation.lower.zip(separation.upper);
        let z = match separation.z_prime {
            Some(value) => Estimable::Value(Estimate { value, interval }),
            None => Estimable::NotEstimable(format!(
                "{} positive and {} negative control wells",
                separation.n_positive, separation.n_negative
            )),
        };
        checks.push(Check::control_separation(&measure, &z));
    }
    let (blurred, sites) = verdict.focus.iter().fold((0, 0), |(blurred, sites), plate| {
        (blurred + plate.blurred_sites.len(), sites + plate.n_sites)
    });
    if sites > 0 {
        let mut check = Check::focus(blurred as u64, sites as u64);
        check.finding = check
            .finding
            .replace("wells", "sites")
            .replace("well is", "site is");
        checks.push(check);
    }
    let saturated: usize = verdict
        .focus
        .iter()
        .map(|plate| plate.saturated_sites.len())
        .sum();
    if saturated > 0 {
        checks.push(Check {
            label: "Saturation".to_owned(),
            status: CheckStatus::Limit,
            finding: format!("{saturated} of {sites} sites are saturated"),
            hint: Some("Intensities of saturated cells are lower bounds.".to_owned()),
        });
    }
    let bundle = material
        .collected
        .stage
        .settings
        .classify
        .as_ref()
        .map(|bundle| bundle.name.clone())
        .unwrap_or_default();
    for gate in &verdict.gate {
        let fit = match gate.outcome {
            GateOutcome::Fits => BundleFit::Fits,
            GateOutcome::Unlike => BundleFit::Unlike {
                share: gate.share.unwrap_or(f64::NAN),
            },
            GateOutcome::NotEstimable => BundleFit::Unknown("no cell to judge by".to_owned()),
        };
        let mut check = Check::bundle_fit(&bundle, &fit);
        if material.several_plates() {
            check.finding = check.finding.replace("this plate", &gate.plate);
        }
        checks.push(check);
    }
    Verdict::from_checks(checks)
}

/// Whether anything can be called at a stated error rate.
fn hit_check(material: &Material) -> Check {
    let (kinds, calls) = (
        texts(&material.gathered.tests, "Kind"),
        texts(&material.gathered.tests, "Call"),
    );
    let with = |kind: &str, wanted: &[&str]| {
        kinds.iter().zip(&calls).any(|(k, call)| {
            k.as_deref() == Some(kind) && call.as_deref().is_some_and(|call| wanted.contains(&call))
        })
    };
    let (novelty, counts) = (
        with("novelty", &["hit", "no hit"]),
        with("count", &["hit", "no hit"]),
    );
    let ranked = with("novelty", &["ranking only"]);
    let (status, finding) = match (novelty, ranked, counts) {
        (true, _, true) => (
            CheckStatus::Pass,
            "phenotypes and cell counts are called at a stated error rate",
        ),
        (true, _, false) => (
            CheckStatus::Limit,
            "phenotypes are called at a stated error rate, cell counts are not",
        ),
        (false, true, true) => (
            CheckStatus::Limit,
            "cell counts are called at a stated error rate, phenotypes are only ranked",
        ),
        (false, true, false) => (
            CheckStatus::Limit,
            "phenotypes are only ranked, without an error rate",
        ),
        (false, false, true) => (
            CheckStatus::Limit,
            "cell counts are called at a stated error rate, novelty is not estimable",
        ),
        (false, false, false) => (CheckStatus::Fail, "no hit is estimable with these wells"),
    };
    let hint = material.gathered.verdict.not_estimable.first().cloned();
    Check {
        label: "Hits".to_owned(),
        status,
        finding: finding.to_owned(),
        hint,
    }
}

fn not_estimable(sentence: &str) -> NotEstimable {
    match sentence.split_once(": ") {
        Some((what, reason)) => NotEstimable {
            what: what.to_owned(),
            reason: reason.trim_end_matches('.').to_owned(),
            takes: None,
        },
        None => NotEstimable {
            what: sentence.trim_end_matches('.').to_owned(),
            ..NotEstimable::default()
        },
    }
}

fn skipped(site: &crate::SkippedSite) -> SkippedSite {
    SkippedSite {
        plate: site.plate.clone(),
        well: site.well.clone(),
        site: site.site.clone(),
        file: None,
        reason: site.reason.clone(),
    }
}

fn run_facts(material: &Material, run: &RunFile) -> RunFacts {
    let settings = &run.site_stage;
    let fact = |label: &str, value: String| Fact {
        label: label.to_owned(),
        value,
    };
    let bundle = |bundle: &Option<crate::screen::settings::BundleId>| match bundle {
        Some(bundle) => format!("{}, digest {}", bundle.name, bundle.digest),
        None => "none".to_owned(),
    };
    let channels: Vec<String> = settings
        .channels
        .iter()
        .map(|(name, found)| {
            if name == found {
                name.clone()
            } else {
                format!("{name} (on disk {found})")
            }
        })
        .collect();
    let or_bundle =
        |value: Option<usize>| value.map_or("as the bundle says".to_owned(), |value| value.to_string());
    let params = material.params;
    let mut facts = vec![
        fact("Plates", run.inputs.plates.join(", ")),
        fact("Layout", settings.layout.clone()),
        fact("Channels", channels.join(", ")),
        fact("Nuclei", settings.nuclei.clone()),
        fact(
            "Nuclei found by",
            settings
                .segment
                .as_ref()
                .map_or("label images that were given".to_owned(), |_| {
                    bundle(&settings.segment)
                }),
        ),
        fact("Classes named by", bundle(&settings.classify)),
        fact("Members", or_bundle(settings.members)),
        fact("Dropout draws a member", or_bundle(settings.draws)),
        fact(
            "False-discovery rate",
            format!(
                "{} (counts {}, at least {}-fold)",
                params.fdr, params.count_fdr, params.min_effect
            ),
        ),
        fact("Coverage of sets", params.set_coverage.to_string()),
        fact("Seed", params.seed.to_string()),
        fact("Digest of all sites", run.inputs.sites.clone()),
    ];
    if let Some(map) = &run.inputs.plate_map {
        facts.push(fact("Plate map", format!("{}, digest {}", map.name, map.blake3)));
    }
    facts.extend(
        material
            .gathered
            .verdict
            .floors
            .iter()
            .map(|line| fact("Smallest p", line.clone())),
    );
    facts.extend(
        material
            .gathered
            .verdict
            .notes
            .iter()
            .map(|line| fact("Choice", line.clone())),
    );
    let about: [(&str, &str); 8] = [
        ("hits.csv", "a row a treatment, ranked"),
        (
            "tests.csv",
            "a row a test, also those that were not estimable, with the reason",
        ),
        (
            "wells.csv, wells.parquet",
            "a row a well, every estimate with its interval",
        ),
        (
            "objects.parquet",
            "a row a nucleus: features, classes, sets, novelty",
        ),
        ("novel.parquet", "flagged cells"),
        ("clusters.parquet", "clusters and candidate phenotypes"),
        ("run.json", "arguments, digests, warnings, skipped sites"),
        ("sites/", "what gather works from"),
    ];
    RunFacts {
        program: run.program.clone(),
        command: None,
        facts,
        files: about
            .iter()
            .map(|(name, what)| fact(name, (*what).to_owned()))
            .collect(),
    }
}

fn credits(material: &Material) -> Vec<Credit> {
    let of_data = material.params.credits.iter().map(|credit| Credit {
        name: credit.name.clone(),
        licence: credit.licence.clone(),
        text: credit.text.clone(),
        link: credit.link.clone(),
    });
    let of_bundles = material.collected.stage.credits.iter().map(|bundle| Credit {
        name: format!("bundle {}", bundle.name),
        licence: bundle.licence.clone(),
        text: bundle.data.join(" · "),
        link: None,
    });
    of_data.chain(of_bundles).collect()
}

/// The first rows of the ranking as short lines.
pub(super) fn hit_lines(gathered: &Gathered) -> Vec<HitLine> {
    let hits = &gathered.hits;
    let (names, doses, units) = (
        texts(hits, "Treatment"),
        numbers(hits, "Dose"),
        texts(hits, "Unit"),
    );
    let (calls, effects) = (texts(hits, "Call"), texts(hits, "Effect_Name"));
    let (value, lower, upper) = (
        numbers(hits, "Effect"),
        numbers(hits, "Effect_Lower"),
        numbers(hits, "Effect_Upper"),
    );
    let q = numbers(hits, "Q");
    let line = |row: usize| {
        let dose = doses[row]
            .map(|dose| format!(" {}", with_unit(dose, units[row].as_deref())))
            .unwrap_or_default();
        let effect = match (value[row], lower[row], upper[row]) {
            (Some(value), Some(lower), Some(upper)) => format!(
                "{} {value:.2} [{lower:.2}, {upper:.2}]",
                effects[row].as_deref().unwrap_or("effect")
            ),
            (Some(value), _, _) => format!("{} {value:.2}", effects[row].as_deref().unwrap_or("effect")),
            _ => "no effect estimate".to_owned(),
        };
        HitLine {
            name: format!("{}{dose}", names[row].as_deref().unwrap_or("?")),
            call: calls[row].clone().unwrap_or_default(),
            effect,
            q: q[row],
        }
    };
    (0..hits.height().min(HIT_LINES)).map(line).collect()
}

/// A dose with its unit.
pub(super) fn with_unit(dose: f64, unit: Option<&str>) -> String {
    match unit {
        Some(unit) if !unit.is_empty() => format!("{dose} {unit}"),
        _ => dose.to_string(),
    }
}
