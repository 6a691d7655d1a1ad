//! The object table's columns that the report looks at.

use std::collections::BTreeMap;
use std::path::PathBuf;

use polars::prelude::DataFrame;

use super::columns::{numbers, text_lists, texts};
use crate::screen::thumbs::SiteRecord;

/// One entry an object, in the order of the table.
pub(super) struct Cells {
    pub(super) plate: Vec<String>,
    pub(super) well: Vec<String>,
    /// Site (index in the run's records) and crop, where the first stage kept a picture.
    pub(super) crop: Vec<Option<(usize, usize)>>,
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
    pub(super) fn new(objects: &DataFrame, sites: &[(SiteRecord, PathBuf)]) -> Self {
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

    /// Up to `n` of `rows` with a picture whose score lies next to the rows' median: what is typical, not what is most
    /// extreme. Without scores, an even sample.
    pub(super) fn typical(&self, rows: &[usize], n: usize) -> Vec<usize> {
        let scores: Vec<f64> = rows.iter().filter_map(|&row| self.score[row]).collect();
        let mut pictured: Vec<usize> = rows
            .iter()
            .copied()
            .filter(|&row| self.crop[row].is_some())
            .collect();
        match uncertainty::median(&scores) {
            Some(median) => {
                let distance =
                    |row: usize| self.score[row].map_or(f64::INFINITY, |score| (score - median).abs());
                pictured.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)).then(a.cmp(&b)));
                pictured.truncate(n);
                pictured
            }
            None => evenly(&pictured, n),
        }
    }
}

/// Up to `n` of `rows`, evenly spread.
pub(super) fn evenly(rows: &[usize], n: usize) -> Vec<usize> {
    let take = n.min(rows.len());
    (0..take).map(|index| rows[index * rows.len() / take]).collect()
}
