//! The object table's columns that the report looks at.

use std::collections::BTreeMap;
use std::path::PathBuf;

use polars::prelude::DataFrame;

use super::columns::{flags, numbers, text_lists, texts};
use crate::screen::thumbs::SiteRecord;

/// One entry an object, in the order of the table.
pub(super) struct Cells {
    pub(super) plate: Vec<String>,
    pub(super) well: Vec<String>,
    /// Site (index in the run's records) and crop, where the first stage kept a picture.
    pub(super) crop: Vec<Option<(usize, usize)>>,
    /// Whether the image's border cuts it.
    pub(super) is_cut: Vec<bool>,
    /// Features that count for distances, each with one value an object.
    features: Vec<Vec<Option<f64>>>,
    pub(super) score: Vec<Option<f64>>,
    pub(super) p_controls: Vec<Option<f64>>,
    pub(super) p_known: Vec<Option<f64>>,
    pub(super) kind: Vec<Option<String>>,
    pub(super) class: Vec<Option<String>>,
    pub(super) confidence: Vec<Option<f64>>,
    pub(super) set: Vec<Vec<String>>,
    pub(super) total: Vec<Option<f64>>,
    pub(super) aleatoric: Vec<Option<f64>>,
    pub(super) epistemic: Vec<Option<f64>>,
}

impl Cells {
    pub(super) fn new(objects: &DataFrame, features: &[String], sites: &[(SiteRecord, PathBuf)]) -> Self {
        let word = |name: &str| {
            texts(objects, name)
                .into_iter()
                .map(Option::unwrap_or_default)
                .collect::<Vec<String>>()
        };
        let (plate, well) = (word("Metadata_Plate"), word("Metadata_Well"));
        let index: BTreeMap<(&str, &str, i32, i32), usize> = sites
            .iter()
            .enumerate()
            .map(|(index, (r, _))| {
                (
                    (r.plate.as_str(), r.well.as_str(), r.site_number, r.timepoint),
                    index,
                )
            })
            .collect();
        let whole = |name: &str| {
            numbers(objects, name)
                .into_iter()
                .map(|v| v.map_or(0, |v| v as i32))
                .collect::<Vec<i32>>()
        };
        let (site, time, number) = (
            whole("Metadata_Site"),
            whole("Metadata_Timepoint"),
            numbers(objects, "Metadata_ObjectNumber"),
        );
        let crop_of = |row: usize| {
            let site = *index.get(&(plate[row].as_str(), well[row].as_str(), site[row], time[row]))?;
            let object = number[row]? as u32;
            let crop = sites[site].0.crops.iter().position(|&label| label == object)?;
            Some((site, crop))
        };
        let crop = (0..objects.height()).map(crop_of).collect();
        Self {
            crop,
            is_cut: flags(objects, "Metadata_Location_TouchesBorder"),
            features: features.iter().map(|name| numbers(objects, name)).collect(),
            score: numbers(objects, "Metadata_Novelty_Score"),
            p_controls: numbers(objects, "Metadata_Novelty_P_Controls"),
            p_known: numbers(objects, "Metadata_Novelty_P_Known"),
            kind: texts(objects, "Metadata_Novelty_Kind"),
            class: texts(objects, "Metadata_Phenotype_Class"),
            confidence: numbers(objects, "Metadata_Phenotype_Confidence"),
            set: text_lists(objects, "Metadata_Phenotype_Set"),
            total: numbers(objects, "Metadata_Phenotype_EntropyTotal"),
            aleatoric: numbers(objects, "Metadata_Phenotype_EntropyAleatoric"),
            epistemic: numbers(objects, "Metadata_Phenotype_EntropyEpistemic"),
            plate,
            well,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.plate.len()
    }

    /// Up to `n` of `rows` with a picture that lie nearest to the middle of the rows in all features: what is typical,
    /// not what is most extreme. Cells of different wells first; cut cells and artefacts never.
    pub(super) fn typical(&self, rows: &[usize], n: usize) -> Vec<usize> {
        let mut distance: BTreeMap<usize, f64> = rows
            .iter()
            .copied()
            .filter(|&row| self.is_presentable(row))
            .map(|row| (row, 0.0))
            .collect();
        for feature in &self.features {
            let values: Vec<f64> = rows.iter().filter_map(|&row| feature[row]).collect();
            let (Some(middle), Some(spread)) = (uncertainty::median(&values), uncertainty::mad(&values))
            else {
                continue;
            };
            if spread <= 0.0 {
                continue;
            }
            for (&row, sum) in &mut distance {
                // One wild ratio must not decide alone.
                *sum +=
                    feature[row].map_or(FARTHEST, |value| ((value - middle).abs() / spread).min(FARTHEST));
            }
        }
        let mut order: Vec<(f64, usize)> = distance
            .into_iter()
            .map(|(row, distance)| (distance, row))
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut turns: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut by_turn: Vec<(usize, usize)> = Vec::new();
        for (rank, (_, row)) in order.iter().enumerate() {
            let turn = turns
                .entry((self.plate[*row].as_str(), self.well[*row].as_str()))
                .or_default();
            by_turn.push((*turn, rank));
            *turn += 1;
        }
        by_turn.sort_unstable();
        by_turn
            .into_iter()
            .take(n)
            .map(|(_, rank)| order[rank].1)
            .collect()
    }

    /// Whether a picture of the cell shows the whole cell and no artefact.
    pub(super) fn is_presentable(&self, row: usize) -> bool {
        let is_artefact = self.kind[row]
            .as_deref()
            .is_some_and(|kind| kind.starts_with("artefact"));
        self.crop[row].is_some() && !self.is_cut[row] && !is_artefact
    }
}

/// Largest distance that one feature adds, in median absolute deviations.
const FARTHEST: f64 = 6.0;

/// Up to `n` of `rows`, evenly spread.
pub(super) fn evenly(rows: &[usize], n: usize) -> Vec<usize> {
    let take = n.min(rows.len());
    (0..take).map(|index| rows[index * rows.len() / take]).collect()
}
