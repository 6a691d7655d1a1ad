//! How well positive control wells stand apart from negative ones, with what two or three wells can say about it.

use std::collections::BTreeSet;

use ndarray::ArrayView2;
use rand_chacha::ChaCha8Rng;
use uncertainty::{median, percentile, stream, uniform, z_prime};

use crate::gathered::Separation;
use crate::plate_layout::PlateLayout;
use crate::{GatherParams, Role};

/// Draws for an interval.
const DRAWS: usize = 1000;

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
                let interval = z_prime_interval(&on, &off, &mut rng);
                let finite = |x: f64| x.is_finite().then_some(x);
                found.push(Separation {
                    plate: plate.name.clone(),
                    feature: name.to_owned(),
                    poscon: poscon.clone(),
                    z_prime: z_prime(&on, &off).and_then(finite),
                    lower: interval.and_then(|i| finite(i.0)),
                    upper: interval.and_then(|i| finite(i.1)),
                    n_positive: on.len(),
                    n_negative: off.len(),
                });
            }
        }
    }
    found
}

/// 90 % interval of Z′ when wells are normal: the posterior under the flat prior on mean and ln standard deviation, by simulation.
///
/// With two positive wells a bootstrap over wells can only make the standard deviation smaller; this interval knows that it
/// is hardly known. `None` with fewer than two wells on a side or without spread on both.
/// Source: Gelman et al. 2013, Bayesian Data Analysis, section 3.2 (σ² ~ scaled inverse χ², μ | σ ~ N(m, σ²/n)).
pub fn z_prime_interval(positive: &[f64], negative: &[f64], rng: &mut ChaCha8Rng) -> Option<(f64, f64)> {
    if positive.len() < 2 || negative.len() < 2 {
        return None;
    }
    let side = |x: &[f64]| {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        (n, mean, x.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>())
    };
    let sides = [side(positive), side(negative)];
    if sides.iter().all(|s| s.2 == 0.0) {
        return None;
    }
    let draws: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let [p, n] = sides.map(|(n, mean, squares)| {
                let chi_squared: f64 = (1..n as usize).map(|_| normal(rng).powi(2)).sum();
                let sd = (squares / chi_squared).sqrt();
                (mean + sd / n.sqrt() * normal(rng), sd)
            });
            1.0 - 3.0 * (p.1 + n.1) / (p.0 - n.0).abs()
        })
        .collect();
    percentile(&draws, 0.05).zip(percentile(&draws, 0.95))
}

/// One standard normal number (Box, Muller 1958).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(rng)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(rng)).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_z_prime_and_two_wells_give_a_wide_one() {
        let negative = [0.0, 0.1, -0.1, 0.05, -0.05, 0.08, -0.08, 0.02];
        let width = |positive: &[f64]| {
            let value = z_prime(positive, &negative).unwrap();
            let (low, high) = z_prime_interval(positive, &negative, &mut stream(1, "z prime test")).unwrap();
            assert!(low < value && value < high, "{low} {value} {high}");
            high - low
        };
        let few = width(&[2.0, 2.1]);
        let many = width(&[2.0, 2.1, 2.0, 2.1, 2.0, 2.1, 2.0, 2.1]);
        assert!(few > 3.0 * many, "{few} {many}");
        assert!(z_prime_interval(&[2.0], &negative, &mut stream(1, "z prime test")).is_none());
        assert!(z_prime_interval(&[2.0, 2.0], &[1.0, 1.0], &mut stream(1, "z prime test")).is_none());
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut rng = stream(2, "normal numbers");
        let x: Vec<f64> = (0..20_000).map(|_| normal(&mut rng)).collect();
        let mean = x.iter().sum::<f64>() / 20_000.0;
        let variance = x.iter().map(|v| v * v).sum::<f64>() / 20_000.0;
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04,
            "{mean} {variance}"
        );
    }
}
