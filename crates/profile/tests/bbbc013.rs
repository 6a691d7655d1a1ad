//! The gather stage on a real plate: wells of BBBC013 (fixtures/README.md).
#![allow(clippy::unwrap_used)] // clippy.toml allows it in test functions, not in the helpers beside them

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use polars::prelude::*;
use profile::{GateOutcome, GatherParams, Gathered, NovelAgainst, Role, WellInfo, gather, read_parquet};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn objects() -> DataFrame {
    read_parquet(&fixture("bbbc013_objects.parquet")).unwrap()
}

fn sites() -> DataFrame {
    read_parquet(&fixture("bbbc013_sites.parquet")).unwrap()
}

/// Role, drug and dose rank of a well (platemap.csv): rows A, B wortmannin with positives in column 12; E, F LY294002
/// with positives in column 1; columns 1 or 12 and 2 are negative; columns 3 to 11 are dose ranks 1 to 9.
fn well_of(row: u32, column: u32) -> WellInfo {
    let first = row < 2;
    let drug = if first { "wortmannin" } else { "LY294002" };
    let negative = column == 2 || column == if first { 1 } else { 12 };
    let positive = column == if first { 12 } else { 1 };
    let role = match (negative, positive) {
        (true, _) => Role::Negcon,
        (_, true) => Role::Poscon,
        _ => Role::Treatment,
    };
    WellInfo {
        plate: "BBBC013".into(),
        well: format!("{}{column:02}", ["A", "B", "E", "F"][row as usize]),
        row: [0, 1, 4, 5][row as usize],
        column: column - 1,
        treatment: Some(if negative { "none".into() } else { drug.to_owned() }),
        dose: Some(match role {
            Role::Negcon => 0.0,
            Role::Poscon => 10.0,
            _ => f64::from(column - 2),
        }),
        unit: Some("rank".into()),
        role,
        extra: BTreeMap::from([("block_drug".to_owned(), drug.to_owned())]),
        sites: 1,
        sites_skipped: 0,
    }
}

fn wells() -> Vec<WellInfo> {
    (0..4)
        .flat_map(|row| (1..=12).map(move |column| well_of(row, column)))
        .collect()
}

fn text(table: &DataFrame, column: &str) -> Vec<Option<String>> {
    table
        .column(column)
        .unwrap()
        .str()
        .unwrap()
        .iter()
        .map(|v| v.map(str::to_owned))
        .collect()
}

fn number(table: &DataFrame, column: &str) -> Vec<Option<f64>> {
    table
        .column(column)
        .unwrap()
        .cast(&DataType::Float64)
        .unwrap()
        .f64()
        .unwrap()
        .iter()
        .collect()
}

fn params() -> GatherParams {
    // The choice of k has its own test and takes most of the time.
    GatherParams {
        clusters: Some(3),
        ..GatherParams::default()
    }
}

fn whole_plate() -> &'static Gathered {
    static GATHERED: OnceLock<Gathered> = OnceLock::new();
    GATHERED.get_or_init(|| gather(objects(), sites(), &wells(), &params()).unwrap())
}

#[test]
fn control_wells_stay_at_the_level_and_positives_and_high_doses_stand_out() {
    let share = number(&whole_plate().wells, "Novelty_P_Controls_ShareBelow05");
    assert_eq!(
        text(&whole_plate().wells, "Metadata_Well"),
        wells().iter().map(|w| Some(w.well.clone())).collect::<Vec<_>>()
    );
    for (well, share) in wells().iter().zip(share) {
        let share = share.unwrap();
        match well.role {
            Role::Negcon => assert!(share <= 0.10, "{} {share}", well.well),
            Role::Poscon => assert!(share >= 0.60, "{} {share}", well.well),
            _ if well.dose.unwrap() >= 5.0 => assert!(share >= 0.60, "{} {share}", well.well),
            _ => {}
        }
    }
}

#[test]
fn high_doses_lead_the_ranking_and_the_intervals_hold_their_estimates() {
    let out = whole_plate();
    let (dose, call) = (number(&out.hits, "Dose"), text(&out.hits, "Call"));
    assert_eq!(out.hits.height(), 20);
    for rank in 0..12 {
        assert!(
            dose[rank].unwrap() >= 5.0,
            "rank {}: dose {:?}",
            rank + 1,
            dose[rank]
        );
        assert_eq!(call[rank].as_deref(), Some("unlike controls"));
    }
    for table in [&out.hits, &out.tests] {
        let (effect, lower, upper) = (
            number(table, "Effect"),
            number(table, "Effect_Lower"),
            number(table, "Effect_Upper"),
        );
        for ((effect, lower), upper) in effect.iter().zip(lower).zip(upper) {
            assert!(lower.unwrap() <= effect.unwrap() && effect.unwrap() <= upper.unwrap());
        }
    }
    for name in out.wells.get_column_names_owned() {
        let Some(base) = name.strip_suffix("_Lower") else {
            continue;
        };
        let (x, lower, upper) = (
            number(&out.wells, base),
            number(&out.wells, &name),
            number(&out.wells, &format!("{base}_Upper")),
        );
        for ((x, lower), upper) in x.iter().zip(lower).zip(upper) {
            if let (Some(x), Some(lower), Some(upper)) = (x, lower, upper) {
                assert!(
                    lower <= x + 1e-9 && *x <= upper + 1e-9,
                    "{base}: {lower} {x} {upper}"
                );
            }
        }
    }
    let best = out
        .verdict
        .separation
        .iter()
        .find(|s| s.feature == "Nuclei_Intensity_NucleusRingRatio_GFP" && s.poscon.is_none())
        .unwrap();
    assert!(
        best.z_prime.unwrap() > 0.5 && best.n_negative == 8 && best.n_positive == 4,
        "{best:?}"
    );
    assert_eq!(out.verdict.separation[0].feature, "Novelty_Score");
    assert!(
        out.verdict.usable && out.verdict.not_estimable.is_empty(),
        "{:?}",
        out.verdict
    );
}

#[test]
fn cells_are_flagged_inside_hits_only_and_named_in_the_novel_table() {
    let out = whole_plate();
    let flag = out
        .objects
        .column("Metadata_Novelty_Flag")
        .unwrap()
        .bool()
        .unwrap();
    let well = text(&out.objects, "Metadata_Well");
    let kind = text(&out.objects, "Metadata_Novelty_Kind");
    let control: Vec<String> = wells()
        .into_iter()
        .filter(|w| w.role == Role::Negcon)
        .map(|w| w.well)
        .collect();
    let mut flagged = 0;
    for (row, flag) in flag.iter().enumerate() {
        if flag.unwrap() {
            flagged += 1;
            assert!(!control.contains(well[row].as_ref().unwrap()));
            assert!(kind[row].is_some());
        } else {
            assert!(kind[row].is_none());
        }
    }
    assert!(flagged > 1500, "{flagged}");
    assert_eq!(out.novel.height(), flagged);
    // Bright nuclei of positive wells are no artefact; objects at the border of the field are.
    let count = |k: &str| kind.iter().filter(|x| x.as_deref() == Some(k)).count();
    assert!(
        count("candidate") > 1500 && count("artefact_saturated") < 50,
        "{} {}",
        count("candidate"),
        count("artefact_saturated")
    );
    let touching = out
        .objects
        .column("Metadata_Location_TouchesBorder")
        .unwrap()
        .bool()
        .unwrap();
    for (row, touching) in touching.iter().enumerate() {
        if touching.unwrap() && flag.get(row).unwrap() {
            assert_eq!(kind[row].as_deref(), Some("artefact_cut"));
        }
    }
    // Candidates, and they alone, belong to a candidate phenotype.
    let novel_kind = text(&out.novel, "Kind");
    for (kind, phenotype) in novel_kind.iter().zip(number(&out.novel, "Candidate_Phenotype")) {
        assert_eq!(kind.as_deref() == Some("candidate"), phenotype.is_some());
    }
    assert!(
        text(&out.clusters, "Kind")
            .iter()
            .any(|k| k.as_deref() == Some("candidate"))
    );
    let size: f64 = number(&out.clusters, "Size")
        .iter()
        .zip(text(&out.clusters, "Kind"))
        .filter(|(_, k)| k.as_deref() == Some("cluster"))
        .map(|(s, _)| s.unwrap())
        .sum();
    assert_eq!(size as usize, out.objects.height());
}

#[test]
fn the_same_tables_come_out_again_and_none_holds_a_nan() {
    let first = whole_plate();
    let again = gather(objects(), sites(), &wells(), &params()).unwrap();
    for (a, b) in [
        (&first.objects, &again.objects),
        (&first.wells, &again.wells),
        (&first.hits, &again.hits),
        (&first.tests, &again.tests),
        (&first.novel, &again.novel),
        (&first.clusters, &again.clusters),
    ] {
        assert!(a.equals_missing(b));
        for column in a.columns().iter().filter(|c| c.dtype().is_float()) {
            let values = column.cast(&DataType::Float64).unwrap();
            assert!(
                values.f64().unwrap().iter().flatten().all(f64::is_finite),
                "{}",
                column.name()
            );
        }
    }
    assert_eq!(first.verdict, again.verdict);
    assert_eq!(first.scatter, again.scatter);
}

#[test]
fn single_wells_without_a_treatment_are_tested_under_their_own_names() {
    let mut alone = wells();
    for well in &mut alone {
        well.treatment = None;
        well.dose = None;
        if well.role == Role::Poscon {
            well.role = Role::Treatment;
        }
    }
    let out = gather(objects(), sites(), &alone, &params()).unwrap();
    assert_eq!(out.hits.height(), 40);
    let (name, call) = (text(&out.hits, "Treatment"), text(&out.hits, "Call"));
    let hit = |well: &str| {
        let rank = name.iter().position(|n| n.as_deref() == Some(well)).unwrap();
        (rank, call[rank].clone().unwrap())
    };
    for well in ["A08", "B10", "E09", "F11", "A12"] {
        assert!(
            hit(well).0 < 24 && hit(well).1 == "unlike controls",
            "{well} {:?}",
            hit(well)
        );
    }
    assert_eq!(hit("A04").1, "no hit");
    assert!(out.verdict.separation.is_empty());
}

#[test]
fn too_few_controls_rank_or_say_what_is_missing() {
    let without = |keep: usize| {
        let mut wells = wells();
        let mut seen = 0;
        for well in &mut wells {
            if well.role == Role::Negcon {
                seen += 1;
                if seen > keep {
                    well.role = Role::Empty;
                }
            }
        }
        gather(objects(), sites(), &wells, &params()).unwrap()
    };
    let four = without(4);
    let call = text(&four.hits, "Call");
    assert!(
        call.iter().all(|c| c.as_deref() == Some("ranking only")),
        "{call:?}"
    );
    assert!(number(&four.hits, "Q").iter().all(Option::is_none));
    assert!(number(&four.hits, "Dose")[0].unwrap() >= 5.0);
    assert_eq!(
        four.objects.column("Metadata_Novelty_Flag").unwrap().null_count(),
        four.objects.height()
    );
    assert!(
        four.verdict
            .not_estimable
            .iter()
            .any(|s| s.contains("4 negative-control wells") && s.contains("8 are needed"))
    );

    let none = without(0);
    assert_eq!(
        none.objects
            .column("Metadata_Novelty_P_Controls")
            .unwrap()
            .null_count(),
        none.objects.height()
    );
    assert!(!none.verdict.usable && none.verdict.sentence.starts_with("Not usable"));
    assert!(
        text(&none.hits, "Call")
            .iter()
            .all(|c| c.as_deref() == Some("not estimable"))
    );
    assert!(text(&none.tests, "Reason").iter().all(Option::is_some));
    assert!(none.clusters.height() >= 3);
}

/// The plate's cells with class probabilities and a `P_Known` that says "unlike the training data" for every third cell.
fn foreign() -> DataFrame {
    let mut objects = objects();
    let n = objects.height();
    let p: Vec<f64> = (0..n)
        .map(|i| {
            if i % 3 == 0 {
                0.01
            } else {
                0.02 + 0.97 * (i % 97) as f64 / 97.0
            }
        })
        .collect();
    for (name, values) in [
        ("Metadata_Phenotype_P_A", vec![0.7; n]),
        ("Metadata_Phenotype_P_B", vec![0.3; n]),
        ("Metadata_Phenotype_Confidence", vec![0.7; n]),
        ("Metadata_Novelty_P_Known", p),
    ] {
        objects.with_column(Column::new(name.into(), values)).unwrap();
    }
    objects
        .with_column(Column::new("Metadata_Phenotype_Class".into(), vec!["A"; n]))
        .unwrap();
    let sets = ListChunked::from_iter((0..n).map(|_| Some(Series::new("".into(), ["A", "B"]))));
    objects
        .with_column(sets.with_name("Metadata_Phenotype_Set".into()).into_column())
        .unwrap();
    objects
}

#[test]
fn a_plate_that_fails_the_gate_names_no_class_and_keeps_its_own_reference() {
    let out = gather(foreign(), sites(), &wells(), &params()).unwrap();
    assert_eq!(out.verdict.gate[0].outcome, GateOutcome::Unlike);
    assert!(out.verdict.gate[0].share.unwrap() > 0.3);
    let n = out.objects.height();
    for name in ["Class", "Confidence", "P_A", "P_B", "Set"] {
        assert_eq!(
            out.objects
                .column(&format!("Metadata_Phenotype_{name}"))
                .unwrap()
                .null_count(),
            n,
            "{name}"
        );
    }
    assert_eq!(
        out.objects
            .column("Metadata_Novelty_P_Known")
            .unwrap()
            .null_count(),
        n
    );
    assert!(
        out.verdict.reasons[0].contains("do not fit"),
        "{:?}",
        out.verdict.reasons
    );
    assert!(
        !text(&out.tests, "Kind")
            .iter()
            .any(|k| k.as_deref() == Some("class fraction"))
    );
    assert_eq!(text(&out.hits, "Call")[0].as_deref(), Some("unlike controls"));
    let reference = text(&out.objects, "Metadata_Novelty_Reference");
    assert!(reference.iter().all(|r| r.as_deref() == Some("controls")));
}

#[test]
fn novelty_against_known_classes_alone_needs_the_gate() {
    let params = GatherParams {
        novel_against: NovelAgainst::Known,
        ..params()
    };
    let out = gather(foreign(), sites(), &wells(), &params).unwrap();
    assert!(
        text(&out.hits, "Call")
            .iter()
            .all(|c| c.as_deref() != Some("unlike taught classes"))
    );
    assert_eq!(
        out.objects
            .column("Metadata_Novelty_P_Controls")
            .unwrap()
            .null_count(),
        out.objects.height()
    );
    assert!(out.novel.height() == 0);
}

#[test]
fn a_doubled_well_and_a_lacking_column_are_errors_that_name_them() {
    let mut doubled = wells();
    doubled.push(doubled[3].clone());
    let message = gather(objects(), sites(), &doubled, &params())
        .unwrap_err()
        .to_string();
    assert!(message.contains("A04") && message.contains("twice"), "{message}");
    let lacking = objects().drop("Metadata_Well").unwrap();
    let message = gather(lacking, sites(), &wells(), &params())
        .unwrap_err()
        .to_string();
    assert!(message.contains("Metadata_Well"), "{message}");
}

#[test]
fn a_plate_without_a_single_object_is_reported_and_not_an_error() {
    let out = gather(objects().head(Some(0)), sites(), &wells(), &params()).unwrap();
    assert!(
        !out.verdict.usable && out.verdict.reasons[0].contains("No object"),
        "{:?}",
        out.verdict.reasons
    );
    assert_eq!(number(&out.wells, "Count_Objects"), vec![Some(0.0); 48]);
}
