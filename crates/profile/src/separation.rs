//! How well positive control wells stand apart from negative ones, with what two or three wells can say about it.

use std::collections::BTreeSet;

use ndarray::ArrayView2;
use uncertainty::{median, stream, z_prime, z_prime_interval};

use crate::gathered::Separation;
use crate::plate_layout::PlateLayout;
use crate::{GatherParams, Role};

/// Bootstrap rounds over wells.
const ROUNDS: usize = 1000;

/// Z′ of well medians per plate: first of the novelty score, then of every feature; positive controls of several
/// treatments together and apart.
pub(crate) fn separations(
    layout: &PlateLayout,
    names: &[String],
    values: ArrayView2<f32>,
    score: &[Option<f64>],
    params: &GatherParams,
) -> Vec<Separation> {
    let mut found = Vec::new();
    for plate in &layout.plates {
        let positive: Vec<usize> = layout
            .with_cells(&plate.wells)
            .into_iter()
            .filter(|&w| layout.wells[w].info.role == Role::Poscon)
            .collect();
        let negative = layout.with_cells(&plate.controls);
        if positive.is_empty() || negative.is_empty() {
            continue;
        }
        let treatments: BTreeSet<&str> = positive
            .iter()
            .filter_map(|&w| layout.wells[w].info.treatment.as_deref())
            .collect();
        let mut sides: Vec<(Option<String>, Vec<usize>)> = vec![(None, positive.clone())];
        if treatments.len() > 1 {
            for treatment in treatments {
                let wells = positive
                    .iter()
                    .copied()
                    .filter(|&w| layout.wells[w].info.treatment.as_deref() == Some(treatment));
                sides.push((Some(treatment.to_owned()), wells.collect()));
            }
        }
        for feature in std::iter::once(None).chain((0..names.len()).map(Some)) {
            let of_well = |&w: &usize| -> Option<f64> {
                let rows = &layout.wells[w].rows;
                let cells: Vec<f64> = match feature {
                    None => rows.iter().filter_map(|&r| score[r]).collect(),
                    Some(j) => rows
                        .iter()
                        .map(|&r| f64::from(values[[r, j]]))
                        .filter(|v| v.is_finite())
                        .collect(),
                };
                median(&cells)
            };
            let name = feature.map_or("Novelty_Score", |j| names[j].as_str());
            let off: Vec<f64> = negative.iter().filter_map(of_well).collect();
            for (poscon, wells) in &sides {
                let on: Vec<f64> = wells.iter().filter_map(of_well).collect();
                if on.is_empty() || off.is_empty() {
                    continue;
                }
                let mut rng = stream(
                    params.seed,
                    &format!(
                        "z prime/{}/{name}/{}",
                        plate.name,
                        poscon.as_deref().unwrap_or("")
                    ),
                );
                let interval = z_prime_interval(&on, &off, 0.9, ROUNDS, &mut rng);
                let finite = |x: f64| x.is_finite().then_some(x);
                found.push(Separation {
                    plate: plate.name.clone(),
                    feature: name.to_owned(),
                    poscon: poscon.clone(),
                    z_prime: z_prime(&on, &off).and_then(finite),
                    lower: interval.as_ref().and_then(|z| finite(z.low)),
                    upper: interval.as_ref().and_then(|z| finite(z.high)),
                    n_positive: on.len(),
                    n_negative: off.len(),
                });
            }
        }
    }
    found
}
