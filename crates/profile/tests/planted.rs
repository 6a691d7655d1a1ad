//! What is called what: a plate whose composition is written down here. Real nuclei of a known composition are planted by
//! the engine's `demo --planted`; this plate checks the rules between tests alone, at the size of that one.
#![allow(clippy::unwrap_used)] // clippy.toml allows it in test functions, not in the helpers beside them

use std::collections::BTreeMap;

use polars::prelude::*;
use profile::{GateOutcome, GatherParams, Gathered, Role, WellInfo, gather};
use uncertainty::{stream, uniform};

/// Known classes 0 and 1, and 2 = never taught.
#[derive(Clone, Copy)]
struct Arm {
    treatment: &'static str,
    wells: u32,
    /// Shares of the classes.
    mix: [f64; 3],
    cells: usize,
}

const ARMS: [Arm; 5] = [
    Arm {
        treatment: "control",
        wells: 16,
        mix: [0.9, 0.1, 0.0],
        cells: 24,
    },
    Arm {
        treatment: "nothing",
        wells: 4,
        mix: [0.9, 0.1, 0.0],
        cells: 24,
    },
    Arm {
        treatment: "shift",
        wells: 4,
        mix: [0.3, 0.7, 0.0],
        cells: 24,
    },
    Arm {
        treatment: "untaught",
        wells: 4,
        mix: [0.1, 0.0, 0.9],
        cells: 24,
    },
    Arm {
        treatment: "toxic",
        wells: 4,
        mix: [0.9, 0.1, 0.0],
        cells: 6,
    },
];

/// Reference cells of class 1 fall at P_Known ≤ 0.05 three times as often as they should, as Elongated of MitoCheck does.
const LEVELS: [f64; 2] = [0.03, 0.15];

fn plate() -> (DataFrame, Vec<WellInfo>) {
    let mut rng = stream(11, "planted arms");
    let normal = |rng: &mut _| (0..12).map(|_| uniform(rng)).sum::<f64>() - 6.0;
    let (mut well_name, mut features): (Vec<String>, Vec<Vec<f32>>) = (Vec::new(), vec![Vec::new(); 4]);
    let (mut p_a, mut p_known) = (Vec::new(), Vec::new());
    let mut wells = Vec::new();
    for arm in ARMS {
        for w in 0..arm.wells {
            let index = wells.len() as u32;
            let well = format!("{}{:02}", (b'A' + (index / 12) as u8) as char, index % 12 + 1);
            let control = arm.treatment == "control";
            wells.push(WellInfo {
                plate: "P".into(),
                well: well.clone(),
                row: index / 12,
                column: index % 12,
                treatment: Some(arm.treatment.into()),
                dose: None,
                unit: None,
                role: if control { Role::Negcon } else { Role::Treatment },
                extra: BTreeMap::new(),
                sites: 1,
                sites_skipped: 0,
            });
            for cell in 0..arm.cells {
                // Shares are kept in every well; which cell comes first does not matter.
                let at =
                    (cell as f64 + 0.5 + f64::from(w) / 4.0).rem_euclid(arm.cells as f64) / arm.cells as f64;
                let class = if at < arm.mix[0] {
                    0
                } else if at < arm.mix[0] + arm.mix[1] {
                    1
                } else {
                    2
                };
                well_name.push(well.clone());
                for (j, feature) in features.iter_mut().enumerate() {
                    let shift = if j == class { [0.0, 4.0, 7.0][class] } else { 0.0 };
                    feature.push((normal(&mut rng) + shift) as f32);
                }
                p_a.push([0.93, 0.07, 0.5][class]);
                let u = uniform(&mut rng);
                p_known.push(match class {
                    2 => 0.002 + 0.01 * u,
                    known if u < LEVELS[known] => 0.05 * uniform(&mut rng),
                    _ => 0.05 + 0.95 * uniform(&mut rng),
                });
            }
        }
    }
    let n = p_a.len();
    let p_b: Vec<f64> = p_a.iter().map(|p| 1.0 - p).collect();
    let class: Vec<&str> = p_a.iter().map(|p| if *p >= 0.5 { "A" } else { "B" }).collect();
    let mut columns = vec![
        Column::new("Metadata_Plate".into(), vec!["P"; n]),
        Column::new("Metadata_Well".into(), well_name),
        Column::new("Metadata_Site".into(), vec![1i32; n]),
        Column::new("Metadata_ObjectNumber".into(), (0..n as u32).collect::<Vec<_>>()),
        Column::new("Metadata_Phenotype_Class".into(), class),
        Column::new("Metadata_Phenotype_P_A".into(), p_a),
        Column::new("Metadata_Phenotype_P_B".into(), p_b),
        Column::new("Metadata_Novelty_P_Known".into(), p_known),
    ];
    for (j, feature) in features.into_iter().enumerate() {
        columns.push(Column::new(format!("Nuclei_F{j}").into(), feature));
    }
    (DataFrame::new(n, columns).unwrap(), wells)
}

fn run(levels: Option<Vec<f64>>) -> Gathered {
    let (objects, wells) = plate();
    let params = GatherParams {
        known_levels: levels,
        clusters: Some(2),
        ..GatherParams::default()
    };
    gather(objects, DataFrame::empty(), &wells, &params).unwrap()
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

fn of(table: &DataFrame, treatment: &str) -> usize {
    text(table, "Treatment")
        .iter()
        .position(|t| t.as_deref() == Some(treatment))
        .unwrap()
}

#[test]
fn an_untaught_class_is_new_a_strong_shift_of_known_classes_is_a_shift_and_nothing_is_nothing() {
    for levels in [Some(LEVELS.to_vec()), None] {
        let out = run(levels);
        assert_eq!(out.verdict.gate[0].outcome, GateOutcome::Fits);
        let call = |t: &str| text(&out.hits, "Call")[of(&out.hits, t)].clone().unwrap();
        assert_eq!(call("untaught"), "new phenotype");
        assert_eq!(call("shift"), "class shift");
        assert_eq!(call("nothing"), "no hit");
        assert_eq!(call("toxic"), "fewer cells");
        assert_eq!(of(&out.hits, "untaught"), 0);
        assert!(
            text(&out.hits, "Flags")[of(&out.hits, "toxic")]
                .as_deref()
                .unwrap()
                .contains("toxic")
        );
        assert!(
            text(&out.hits, "Class_Shift")[of(&out.hits, "shift")]
                .as_deref()
                .unwrap()
                .contains("B +")
        );
        for column in ["Median_Well_Mean_P_Novel", "Median_Well_Mean_P_Known"] {
            let p = number(&out.hits, column);
            let lowest = (0..p.len())
                .min_by(|&a, &b| p[a].unwrap().total_cmp(&p[b].unwrap()))
                .unwrap();
            assert_eq!(lowest, of(&out.hits, "untaught"), "{column} {p:?}");
        }
    }
}

#[test]
fn flagged_cells_are_of_the_untaught_class_and_the_shares_of_the_known_ones_hold_the_truth() {
    let out = run(Some(LEVELS.to_vec()));
    let treatment = text(&out.novel, "Treatment");
    assert!(treatment.iter().all(|t| t.as_deref() == Some("untaught")));
    assert!(
        (70..=96).contains(&treatment.len()),
        "{} of 86 cells",
        treatment.len()
    );
    assert!(
        text(&out.novel, "Metadata_Novelty_Reference")
            .iter()
            .all(|r| r.as_deref() == Some("both"))
    );
    let (fraction, lower, upper) = (
        number(&out.wells, "Phenotype_Fraction_B"),
        number(&out.wells, "Phenotype_Fraction_B_Lower"),
        number(&out.wells, "Phenotype_Fraction_B_Upper"),
    );
    let shifted: Vec<usize> = text(&out.wells, "Metadata_Treatment")
        .iter()
        .enumerate()
        .filter(|(_, t)| t.as_deref() == Some("shift"))
        .map(|(i, _)| i)
        .collect();
    for w in shifted {
        assert!(
            lower[w].unwrap() <= 0.7 && 0.7 <= upper[w].unwrap(),
            "{:?} {:?} {:?}",
            lower[w],
            fraction[w],
            upper[w]
        );
    }
    let kinds = text(&out.tests, "Kind");
    let about = text(&out.tests, "About");
    for (kind, reference) in [
        ("count", ""),
        ("novelty", "controls"),
        ("novelty", "known"),
        ("novelty", "both"),
        ("class fraction", "B"),
    ] {
        let there = kinds
            .iter()
            .zip(&about)
            .any(|(k, a)| k.as_deref() == Some(kind) && a.as_deref() == Some(reference));
        assert!(there, "{kind} {reference}");
    }
}

/// Objects per well as the authors' own program published them (imageHTS, submorph: profiles.csv).
const SUBMORPH: [(&str, &str, &str, usize); 12] = [
    ("PK-10B-pl1", "A03", "UBC", 18),
    ("PK-10B-pl1", "B03", "UBC", 22),
    ("PK-10B-pl1", "C03", "RLUC", 85),
    ("PK-10B-pl1", "D03", "RLUC", 89),
    ("PK-10B-pl1", "A05", "AAK1", 87),
    ("PK-10B-pl1", "B05", "PLK3", 74),
    ("PK-11B-pl1", "A03", "UBC", 24),
    ("PK-11B-pl1", "B03", "UBC", 43),
    ("PK-11B-pl1", "C03", "RLUC", 88),
    ("PK-11B-pl1", "D03", "RLUC", 134),
    ("PK-11B-pl1", "A05", "AAK1", 105),
    ("PK-11B-pl1", "B05", "PLK3", 81),
];

#[test]
fn a_lethal_knockdown_is_a_count_hit_on_two_plates_with_two_controls_each() {
    let mut rng = stream(3, "submorph features");
    let (mut plate, mut well, mut a, mut b) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut wells = Vec::new();
    for (p, w, gene, n) in SUBMORPH {
        for _ in 0..n {
            plate.push(p);
            well.push(w);
            a.push(uniform(&mut rng));
            b.push(uniform(&mut rng));
        }
        wells.push(WellInfo {
            plate: p.into(),
            well: w.into(),
            row: u32::from(w.as_bytes()[0] - b'A'),
            column: w[1..].parse::<u32>().unwrap() - 1,
            treatment: Some(gene.into()),
            dose: None,
            unit: None,
            role: match gene {
                "RLUC" => Role::Negcon,
                "UBC" => Role::Poscon,
                _ => Role::Treatment,
            },
            extra: BTreeMap::new(),
            sites: 1,
            sites_skipped: 0,
        });
    }
    let objects =
        df!("Metadata_Plate" => plate, "Metadata_Well" => well, "Nuclei_A" => a, "Nuclei_B" => b).unwrap();
    let out = gather(
        objects.clone(),
        DataFrame::empty(),
        &wells,
        &GatherParams::default(),
    )
    .unwrap();
    let (call, gene, plates, kind) = (
        text(&out.tests, "Call"),
        text(&out.tests, "Treatment"),
        text(&out.tests, "Plates"),
        text(&out.tests, "Kind"),
    );
    for i in (0..call.len()).filter(|&i| kind[i].as_deref() == Some("count")) {
        let ubc = gene[i].as_deref() == Some("UBC");
        if plates[i].as_deref() == Some("PK-10B-pl1") {
            assert_eq!(call[i].as_deref() == Some("hit"), ubc, "{:?}", gene[i]);
        }
    }
    assert_eq!(text(&out.hits, "Treatment")[0].as_deref(), Some("UBC"));
    assert_eq!(text(&out.hits, "Call")[0].as_deref(), Some("fewer cells"));
    assert!(
        out.verdict
            .not_estimable
            .iter()
            .any(|s| s.contains("Novelty") && s.contains("2 negative-control wells"))
    );
    assert!(
        out.verdict
            .notes
            .iter()
            .any(|s| s.contains("assumed dispersion of 0.1"))
    );
    assert_eq!(
        out.objects
            .column("Metadata_Novelty_P_Controls")
            .unwrap()
            .null_count(),
        out.objects.height()
    );

    // Without roles nothing is estimable, and that is said; on one plate alone the same wells are hits.
    let mut plain = wells.clone();
    plain.iter_mut().for_each(|w| w.role = Role::Treatment);
    let out = gather(
        objects.clone(),
        DataFrame::empty(),
        &plain,
        &GatherParams::default(),
    )
    .unwrap();
    assert!(
        !out.verdict.usable
            && text(&out.hits, "Call")
                .iter()
                .all(|c| c.as_deref() == Some("not estimable"))
    );
    let one: Vec<WellInfo> = wells.into_iter().filter(|w| w.plate == "PK-10B-pl1").collect();
    let out = gather(
        objects.head(Some(375)),
        DataFrame::empty(),
        &one,
        &GatherParams::default(),
    )
    .unwrap();
    assert_eq!(text(&out.hits, "Call")[0].as_deref(), Some("fewer cells"));
}
