//! A report's data made of real pictures: wells of BBBC013, whole from `$PHENOSURE_DATA` where it is set, else four
//! small crops from `tests/fixtures`. The pictures, treatments, doses, counts and translocations are real; what a run
//! would estimate (shares, intervals, q, reliability, entropy) is filled in for show, because this room makes no
//! statistics.

// Also used by the example, which clippy does not take for a test.
#![allow(clippy::unwrap_used)]

mod gray;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gray::Gray;
use report::*;

const CONTRAST: (f64, f64) = (4.0, 170.0);
const CONTRAST_TEXT: &str = "FKHR-GFP, 4 to 170 of 255, the same in every picture";
/// Reference measurements of the wells (well, nuclei, mean log ratio of GFP), where the shared data are not at hand.
const FEW: [(&str, f64, f64); 4] = [
    ("A01", 303.0, -0.29),
    ("A02", 252.0, -0.24),
    ("A07", 201.0, 1.52),
    ("A11", 200.0, 1.90),
];

/// One well of the plate.
struct Screened {
    name: String,
    row: u32,
    column: u32,
    treatment: String,
    dose: f64,
    dose_rank: u32,
    role: WellRole,
    nuclei: f64,
    log_ratio: f64,
    gfp: Gray,
    dna: Option<Gray>,
}

impl Screened {
    /// Share of cells unlike the controls, for show: rises with translocation.
    fn share(&self) -> Estimate {
        let share = 0.04 + 0.84 / (1.0 + (-5.0 * (self.log_ratio - 0.75)).exp());
        let half = 1.645 * (share * (1.0 - share) / self.nuclei).sqrt() + 0.02;
        Estimate::within(share, (share - half).max(0.0), (share + half).min(1.0))
    }

    fn dose_text(&self) -> Option<String> {
        if self.dose_rank == 0 && self.role != WellRole::Poscon {
            return None;
        }
        Some(if self.treatment == "LY294002" {
            format!("{} µM", self.dose / 1000.0)
        } else {
            format!("{} nM", self.dose)
        })
    }

    fn picture(&self, at: usize) -> Picture {
        let side = 96.min(self.gfp.width);
        let crop = self.gfp.crop((60 + 170 * at, 110 + 150 * at), side);
        let dose = self.dose_text().unwrap_or_default();
        Picture {
            png: crop.png(CONTRAST.0, CONTRAST.1),
            alt: format!("{}, {} {dose}", self.name, self.treatment),
        }
    }

    fn cells(&self, n: usize) -> Vec<CellPicture> {
        let spots = self.dna.as_ref().unwrap_or(&self.gfp).spots();
        let share = self.share().value;
        spots
            .iter()
            .take(n)
            .enumerate()
            .map(|(i, (r, c, _))| CellPicture {
                picture: Picture {
                    png: self
                        .gfp
                        .crop(
                            (r.saturating_sub(32), c.saturating_sub(32)),
                            64.min(self.gfp.width),
                        )
                        .png(CONTRAST.0, CONTRAST.1),
                    alt: format!("cell in {}", self.name),
                },
                well: self.name.clone(),
                lines: vec![format!(
                    "p {:.3}",
                    0.002 + 0.05 * (1.0 - share) * (i as f64 + 1.0)
                )],
            })
            .collect()
    }
}

/// Folder of the whole plate, if the shared data are at hand.
#[allow(dead_code)] // Not every test file needs it.
pub fn data_folder() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("PHENOSURE_DATA")?).join("bbbc013_translocation_half");
    folder.is_dir().then_some(folder)
}

/// Folder of the crops in the repository.
pub fn fixture_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn whole_plate(folder: &Path) -> Vec<Screened> {
    let table = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let rows: Vec<Vec<String>> = text
            .lines()
            .skip(1)
            .map(|line| line.split(',').map(str::to_owned).collect())
            .collect();
        rows
    };
    let measured: BTreeMap<String, Vec<String>> = table("reference_measurements.csv")
        .into_iter()
        .map(|row| (row[0].clone(), row))
        .collect();
    table("platemap.csv")
        .into_iter()
        .map(|row| {
            let reference = &measured[&row[1]];
            Screened {
                name: row[1].clone(),
                row: u32::from(row[2].as_bytes()[0] - b'A'),
                column: row[3].parse::<u32>().unwrap() - 1,
                treatment: if row[5] == "none" {
                    "untreated".into()
                } else {
                    row[5].clone()
                },
                dose: row[6].parse().unwrap(),
                dose_rank: row[7].parse().unwrap(),
                role: match row[8].as_str() {
                    "negative" | "untreated" => WellRole::Negcon,
                    "positive" => WellRole::Poscon,
                    _ => WellRole::Treatment,
                },
                nuclei: reference[4].parse().unwrap(),
                log_ratio: reference[6].parse().unwrap(),
                gfp: Gray::read(&folder.join(&row[11])),
                dna: Some(Gray::read(&folder.join(&row[12]))),
            }
        })
        .collect()
}

fn few_wells() -> Vec<Screened> {
    FEW.iter()
        .map(|(name, nuclei, log_ratio)| {
            let column = name[1..].parse::<u32>().unwrap() - 1;
            Screened {
                name: (*name).into(),
                row: 0,
                column,
                treatment: if column < 2 {
                    "untreated".into()
                } else {
                    "wortmannin".into()
                },
                dose: if column < 2 {
                    0.0
                } else {
                    0.977 * 2f64.powi(column as i32 - 2)
                },
                dose_rank: column.saturating_sub(1),
                role: if column < 2 {
                    WellRole::Negcon
                } else {
                    WellRole::Treatment
                },
                nuclei: *nuclei,
                log_ratio: *log_ratio,
                gfp: Gray::read(&fixture_folder().join(format!("bbbc013_{name}_gfp.png"))),
                dna: None,
            }
        })
        .collect()
}

/// The four crops of `tests/fixtures`, cut from the whole plate.
#[allow(dead_code)] // Used by the example alone.
pub fn write_fixtures(data: &Path, out: &Path) {
    for well in whole_plate(data)
        .iter()
        .filter(|well| FEW.iter().any(|few| few.0 == well.name))
    {
        let crop = well.gfp.crop((200, 200), 96);
        std::fs::write(
            out.join(format!("bbbc013_{}_gfp.png", well.name)),
            crop.png(0.0, 255.0),
        )
        .unwrap();
    }
}

/// Everything a report can show. `whole` is the folder of the plate; `None` takes the crops of the repository.
pub fn example(whole: Option<&Path>) -> ReportData {
    let wells = whole.map_or_else(few_wells, whole_plate);
    let controls: Vec<&Screened> = wells
        .iter()
        .filter(|well| well.role == WellRole::Negcon)
        .collect();
    let is_hit = |well: &Screened| well.role != WellRole::Negcon && well.share().value > 0.3;
    let total: f64 = wells.iter().map(|well| well.nuclei).sum();

    let checks = vec![
        Check::skipped_sites(1, wells.len() as u64 + 1),
        Check::control_separation(
            "nucleus/ring ratio of GFP",
            &Estimate::within(0.92, 0.41, 0.98).into(),
        ),
        Check::focus(0, wells.len() as u64),
        Check::bundle_fit("mitosis", &BundleFit::Unlike { share: 0.63 }),
    ];
    let mut ranked: Vec<&Screened> = wells
        .iter()
        .filter(|well| well.role != WellRole::Negcon)
        .collect();
    ranked.sort_by(|a, b| b.share().value.total_cmp(&a.share().value));
    let mut rows: Vec<HitRow> = ranked
        .iter()
        .map(|well| HitRow {
            treatment: well.treatment.clone(),
            dose: well.dose_text(),
            call: if is_hit(well) {
                "unlike controls".into()
            } else {
                "no call".into()
            },
            is_hit: is_hit(well),
            effect: Effect {
                name: "share of cells unlike the controls".into(),
                estimate: well.share(),
                scale: Scale::Share,
                control: Some(0.05),
            }
            .into(),
            q: if is_hit(well) { 0.0021.into() } else { 0.38.into() },
            p: Some(if is_hit(well) { 0.00071 } else { 0.31 }),
            replicates: Some((2, 2)),
            wells: vec![well.name.clone(), well.name.replace('A', "B").replace('E', "F")],
            cells: Some((well.nuclei, 255.0)),
            flags: if well.column % 11 == 0 {
                vec!["edge well".into()]
            } else {
                vec![]
            },
            pictures: (0..2).map(|at| well.picture(at)).collect(),
            control_pictures: controls
                .iter()
                .take(2)
                .map(|control| control.picture(0))
                .collect(),
        })
        .collect();
    if rows.len() > 8 {
        rows[7].q = Estimable::NotEstimable("2 control wells on this plate; at least 4 are needed".into());
        rows[7].effect = Effect {
            name: "cells against controls".into(),
            estimate: Estimate::within(0.48, 0.38, 0.61),
            scale: Scale::Ratio,
            control: Some(1.0),
        }
        .into();
        rows[7].call = "fewer cells".into();
    }

    let novel = ranked[0].cells(6);
    let heat = |title: &str, scale, palette, value: &dyn Fn(&Screened) -> Option<f64>| HeatMap {
        title: title.into(),
        scale,
        palette,
        values: wells.iter().map(value).collect(),
        note: None,
    };
    let plate = PlateView {
        name: "BBBC013".into(),
        rows: 8,
        columns: 12,
        wells: wells
            .iter()
            .map(|well| WellView {
                row: well.row,
                column: well.column,
                role: well.role,
                treatment: Some(well.treatment.clone()),
                dose: well.dose_text(),
                is_hit: is_hit(well),
                sites_skipped: u32::from(well.name == "E07"),
            })
            .collect(),
        heat_maps: vec![
            heat("Cells", Scale::Count, Palette::Sequential, &|well| {
                Some(well.nuclei)
            }),
            heat(
                "Share unlike the controls",
                Scale::Share,
                Palette::Sequential,
                &|well| Some(well.share().value),
            ),
            heat("Mean confidence", Scale::Share, Palette::Sequential, &|well| {
                (well.name != "E07").then_some(0.71 + 0.2 / (1.0 + well.nuclei / 200.0))
            }),
            heat(
                "Share of Interphase",
                Scale::Share,
                Palette::Sequential,
                &|well| Some(0.9 - 0.5 * well.share().value),
            ),
            heat(
                "GFP translocation, robust z",
                Scale::Number,
                Palette::Diverging { center: 0.0 },
                &|well| Some((well.log_ratio + 0.26) / 0.2),
            ),
        ],
        montage: Some(Montage {
            contrast: CONTRAST_TEXT.into(),
            cells: wells
                .iter()
                .map(|well| MontageCell {
                    row: well.row,
                    column: well.column,
                    picture: {
                        let side = 192.min(well.gfp.width);
                        let crop = well.gfp.crop((100, 100), side).halved();
                        Picture {
                            png: crop.png(CONTRAST.0, CONTRAST.1),
                            alt: format!("{}, {}", well.name, well.treatment),
                        }
                    },
                })
                .collect(),
        }),
    };

    let dose_panel = |treatment: &str, unit: &str, factor: f64| DosePanel {
        treatment: treatment.into(),
        effect: "share of cells unlike the controls".into(),
        scale: Scale::Share,
        unit: unit.into(),
        points: {
            let mut of: Vec<&Screened> = wells
                .iter()
                .filter(|well| well.treatment == treatment && well.role == WellRole::Treatment)
                .collect();
            of.sort_by_key(|well| (well.dose_rank, well.row));
            of.iter()
                .map(|well| DosePoint {
                    label: format!("{}", well.dose / factor),
                    well: well.name.clone(),
                    estimate: Some(well.share()),
                    is_hit: is_hit(well),
                })
                .collect()
        },
        control: Some(Estimate::within(0.05, 0.03, 0.08)),
    };

    let mut points = Vec::new();
    for well in &wells {
        let Some(dna) = &well.dna else { continue };
        for (place, (r, c, mean)) in dna.spots().into_iter().enumerate().take(60) {
            let gfp = well.gfp.crop((r - 4, c - 4), 9);
            let gfp = gfp.pixels.iter().map(|p| f64::from(*p)).sum::<f64>() / 81.0;
            let cluster = if gfp > 110.0 {
                2
            } else if mean > 190.0 {
                1
            } else if gfp > 45.0 {
                3
            } else {
                0
            };
            points.push(ScatterPoint {
                x: mean,
                y: gfp,
                cluster: Some(cluster),
                is_flagged: gfp > 120.0 && place % 9 == 0,
            });
        }
    }
    let clusters = (0..4)
        .map(|id| ScatterCluster {
            id,
            cells: points.iter().filter(|point| point.cluster == Some(id)).count() as u64,
            share_controls: Some([0.31, 0.22, 0.0, 0.05][id as usize]),
            wells: [47, 40, 1, 33][id as usize],
            plates: 1,
            description: Some(
                [
                    "nothing: the bulk",
                    "Nuclei_Intensity_MeanIntensity_DNA +3.1",
                    "Nuclei_Intensity_NucleusRingRatio_GFP +8.8",
                    "Nuclei_Intensity_NucleusRingRatio_GFP +4.0",
                ][id as usize]
                    .into(),
            ),
            medoid: novel.first().map(|cell| cell.picture.clone()),
        })
        .collect();

    let bins: Vec<ReliabilityBin> = (0..9)
        .map(|i| {
            let confidence = 0.34 + 0.08 * f64::from(i);
            let share = confidence - 0.035 + 0.02 * f64::from(i % 3);
            ReliabilityBin {
                confidence,
                share,
                interval: (share - 0.06, (share + 0.06).min(1.0)),
                cells: 20 + 18 * i as u64 * i as u64,
            }
        })
        .collect();
    let truth_rows = [
        (
            "known shift, 60 % Apoptosis",
            "share of Apoptosis",
            Some((0.57, 0.49, 0.64)),
            0.60,
            "class shift",
            "class shift",
        ),
        (
            "controls",
            "share of Apoptosis",
            Some((0.08, 0.05, 0.12)),
            0.07,
            "no call",
            "no call",
        ),
        (
            "untaught, top dose",
            "share of Apoptosis",
            Some((0.16, 0.09, 0.23)),
            0.03,
            "new",
            "new",
        ),
        (
            "known shift, 60 % Apoptosis",
            "share novel",
            Some((0.07, 0.03, 0.11)),
            0.0,
            "class shift",
            "class shift",
        ),
        (
            "untaught, top dose",
            "share novel",
            Some((0.62, 0.52, 0.71)),
            0.92,
            "new",
            "new",
        ),
        ("untaught, low dose", "share novel", None, 0.20, "no call", "new"),
    ];
    let candidate = |name: &str, caution: Option<&str>| CandidatePhenotype {
        name: name.into(),
        cells: 418,
        wells: ranked
            .iter()
            .take(12)
            .map(|well| (well.name.clone(), 61))
            .collect(),
        treatments: vec!["wortmannin".into(), "LY294002".into()],
        nearest_class: None,
        features: vec![
            DefiningFeature {
                name: "Nuclei_Intensity_NucleusRingRatio_GFP".into(),
                z: 8.8,
            },
            DefiningFeature {
                name: "Nuclei_Correlation_Correlation_GFP_DNA".into(),
                z: 5.1,
            },
            DefiningFeature {
                name: "Cytoplasm_Intensity_MeanIntensity_GFP".into(),
                z: -3.0,
            },
        ],
        caution: caution.map(str::to_owned),
        pictures: novel.iter().take(4).map(|cell| cell.picture.clone()).collect(),
        control_pictures: controls[0]
            .cells(3)
            .into_iter()
            .map(|cell| cell.picture)
            .collect(),
    };

    ReportData {
        title: "BBBC013, rows A, B, E, F".into(),
        subtitle: Some(format!("1 plate, {} wells, {} fields, {total:.0} nuclei", wells.len(), wells.len() + 1)),
        verdict: Verdict::from_checks(checks),
        hits: Some(HitTable {
            rows,
            shown: 0,
            tested: 18,
            called: 11,
            unit: "treatment and dose".into(),
            error_rate: "False-discovery rate 0.10 over treatments".into(),
            contrast: Some(CONTRAST_TEXT.into()),
            notes: vec!["Controls sit in edge columns only, so control level and plate edge cannot be told apart.".into()],
        }),
        not_estimable: vec![NotEstimable {
            what: "Class fractions".into(),
            reason: "the classes of mitosis do not fit this plate".into(),
            takes: Some("a bundle trained on cells like these".into()),
        }],
        candidates: Some(
            Candidates {
                phenotypes: vec![candidate("Candidate 1", None), candidate("Candidate 2", Some("all cells come from one well"))],
                explanation: "Cells inside hits, unlike this plate’s controls at a false-discovery rate of 0.10.".into(),
                contrast: Some(CONTRAST_TEXT.into()),
            }
            .into(),
        ),
        plates: vec![plate],
        planted: Some(PlantedTruth {
            explanation: "The nuclei are real, few and reused; their arrangement into wells is not real.".into(),
            rows: truth_rows
                .iter()
                .map(|(treatment, quantity, estimate, truth, call, expected)| PlantedRow {
                    treatment: (*treatment).into(),
                    quantity: (*quantity).into(),
                    scale: Scale::Share,
                    estimate: estimate.map_or_else(
                        || Estimable::NotEstimable("12 cells".into()),
                        |(value, lower, upper)| Estimate::within(value, lower, upper).into(),
                    ),
                    truth: *truth,
                    call: Some((*call).into()),
                    expected_call: Some((*expected).into()),
                })
                .collect(),
            summary: Some("The interval covers the truth in 3 of 5 rows.".into()),
        }),
        doses: [dose_panel("wortmannin", "nM", 1.0), dose_panel("LY294002", "µM", 1000.0)]
            .into_iter()
            .filter(|panel| !panel.points.is_empty())
            .collect(),
        galleries: vec![
            Gallery {
                title: "Most novel cells".into(),
                explanation: "Lowest p against the plate’s controls, inside hits, artefacts left out.".into(),
                contrast: Some(CONTRAST_TEXT.into()),
                cells: ranked.iter().take(4).flat_map(|well| well.cells(4)).collect(),
                control_cells: controls.iter().flat_map(|well| well.cells(2)).take(8).collect(),
            },
            Gallery {
                title: "Least certain cells".into(),
                explanation: "Highest total entropy.".into(),
                contrast: Some(CONTRAST_TEXT.into()),
                cells: ranked.iter().skip(ranked.len() / 2).flat_map(|well| well.cells(2)).take(10).collect(),
                control_cells: controls.iter().flat_map(|well| well.cells(2)).take(8).collect(),
            },
        ],
        scatter: Some(
            Scatter {
                x_label: "mean DNA intensity".into(),
                y_label: "mean GFP intensity".into(),
                total: Some(12_041),
                points,
                clusters,
            }
            .into(),
        ),
        reliability: Some(
            Reliability {
                measured_on: "1,204 held-out cells of bundle mitosis, not cells of this plate".into(),
                band: bins.iter().map(|bin| BandPoint { confidence: bin.confidence, low: bin.confidence - 0.05, high: (bin.confidence + 0.05).min(1.0) }).collect(),
                bins,
                ece: Estimate::within(0.031, 0.022, 0.047),
                ece_by_chance: Some(Estimate::within(0.024, 0.015, 0.036)),
                slope: Some(Estimate::within(1.04, 0.93, 1.16)),
                confidence_minus_accuracy: Some(Estimate::within(-0.006, -0.021, 0.010)),
                cells: 1204,
            }
            .into(),
        ),
        entropy: Some(
            EntropySplit {
                groups: [("control wells", 0.31, 0.06), ("wortmannin", 0.42, 0.19), ("LY294002", 0.40, 0.17), ("flagged cells", 0.55, 0.44)]
                    .iter()
                    .map(|(name, aleatoric, epistemic)| EntropyGroup { name: (*name).into(), aleatoric: *aleatoric, epistemic: *epistemic, cells: 1892 })
                    .collect(),
                maximum: 11f64.ln(),
                note: Some("The two parts are statements of the model, not facts about cells.".into()),
            }
            .into(),
        ),
        skipped: vec![SkippedSite {
            plate: "BBBC013".into(),
            well: "E07".into(),
            site: "2".into(),
            file: Some("images/Channel2-55-E-07b.png".into()),
            reason: "the file ends early: 81,920 of 166,645 bytes; copy it again from the microscope".into(),
        }],
        warnings: vec!["row G of the plate map has no images".into()],
        run: RunFacts {
            program: "phenosure 0.1.0".into(),
            command: Some("phenosure screen bbbc013 --plate-map platemap.csv --out run --nuclei 2 --negcon untreated".into()),
            facts: [("Layout", "bbbc013"), ("Segmented with", "nuclei (3 members, 4 draws), sha256 5c0e…91"), ("Seed", "1")]
                .iter()
                .map(|(label, value)| Fact { label: (*label).into(), value: (*value).into() })
                .collect(),
            files: [("hits.csv", "a row a treatment, ranked"), ("wells.csv", "a row a well"), ("objects.parquet", "a row a nucleus")]
                .iter()
                .map(|(label, value)| Fact { label: (*label).into(), value: (*value).into() })
                .collect(),
        },
        credits: vec![Credit {
            name: "BBBC013 plate 1049 (part)".into(),
            licence: "BSD-3-Clause".into(),
            text: "Images given by Ilya Ravkin to the Broad Bioimage Benchmark Collection; Ljosa, Sokolnicki, Carpenter, Nat Methods 2012.".into(),
            link: Some("https://bbbc.broadinstitute.org/BBBC013".into()),
        }],
    }
}
