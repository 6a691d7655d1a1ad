//! The ring ratio on a real plate against numbers measured elsewhere (needs `PHENOSURE_DATA`).
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use image::{ReadLimits, read_gray, segment_otsu};
use measure::{MeasureParams, measure};

fn median(mut values: Vec<f32>) -> f32 {
    values.retain(|v| v.is_finite());
    values.sort_unstable_by(f32::total_cmp);
    values[values.len() / 2]
}

/// FKHR-GFP moves into the nucleus of treated cells: the median ratio of nucleus to ring must say so, well by well.
#[test]
fn translocation_shows_in_the_ring_ratio() {
    let Ok(data) = std::env::var("PHENOSURE_DATA").map(PathBuf::from) else {
        eprintln!("skipped: PHENOSURE_DATA is not set");
        return;
    };
    let plate = data.join("bbbc013_translocation_half");
    let read = |name: &str| std::fs::read_to_string(plate.join(name)).unwrap();
    let (map, reference) = (read("platemap.csv"), read("reference_measurements.csv"));
    let (mut compared, mut controls, mut positives) = (0, Vec::new(), Vec::new());
    for line in reference.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let (well, role, nuclei, ratio) = (cells[0], cells[1], cells[4], cells[5]);
        let mapped: Vec<&str> = map
            .lines()
            .map(|l| l.split(',').collect())
            .find(|l: &Vec<&str>| l[1] == well)
            .unwrap();
        // Every control and one dose.
        if role == "dose" && mapped[7] != "5" {
            continue;
        }
        let limits = ReadLimits::default();
        let plane = |file: &str| read_gray(&plate.join(file), &limits).unwrap().0;
        let (gfp, dna) = (plane(mapped[11]), plane(mapped[12]));
        let labels = segment_otsu(dna.view());
        let channels = [("DNA".to_string(), dna.view()), ("GFP".to_string(), gfp.view())];
        let features = measure(&labels, &channels, &MeasureParams::default()).unwrap();
        let column = |name: &str| {
            let index = features.names.iter().position(|n| n == name).unwrap();
            features.values.column(index).to_vec()
        };
        let ours = median(column("Nuclei_Intensity_NucleusRingRatio_GFP"));
        let theirs: f32 = ratio.parse().unwrap();
        let count: f32 = nuclei.parse().unwrap();
        eprintln!(
            "{well} {role}: ratio {ours:.3} (reference {theirs:.3}), nuclei {} ({count})",
            labels.n
        );
        // The reference has its own masks and background, so only order and direction are compared.
        match role {
            "negative" | "untreated" => controls.push(ours),
            "positive" => positives.push(ours),
            _ => assert!(ours > 1.5 && theirs > 1.5, "{well}: {ours} against {theirs}"),
        }
        assert!(
            (labels.n as f32 / count).ln().abs() < 0.15,
            "{well}: {} nuclei against {count}",
            labels.n
        );
        compared += 1;
    }
    assert_eq!((compared, controls.len(), positives.len()), (16, 8, 4));
    let moments = |x: &[f32]| {
        let mean = x.iter().sum::<f32>() / x.len() as f32;
        let squares: f32 = x.iter().map(|v| (v - mean).powi(2)).sum();
        (mean, (squares / (x.len() - 1) as f32).sqrt())
    };
    let ((negative, s_negative), (positive, s_positive)) = (moments(&controls), moments(&positives));
    let z_prime = 1.0 - 3.0 * (s_negative + s_positive) / (positive - negative);
    eprintln!("Z' of the median ratio: {z_prime:.2}");
    assert!(
        negative < 0.9 && positive > 2.0 && z_prime > 0.6,
        "{controls:?} {positives:?}"
    );
}
