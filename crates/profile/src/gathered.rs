//! What the gather stage hands out: tables, a verdict in plain values, and the cluster scatter.

use polars::prelude::DataFrame;
use serde::Serialize;

/// The result of [`crate::gather`].
#[derive(Clone, Debug)]
pub struct Gathered {
    /// One row an object, in the order given: CLI.md's `objects.parquet`.
    pub objects: DataFrame,
    /// One row a well of the plate map or on disk: CLI.md's `wells.parquet` and `wells.csv`.
    pub wells: DataFrame,
    /// One row a treatment (at one dose), best first: `hits.csv`.
    pub hits: DataFrame,
    /// One row a test: `tests.csv`.
    pub tests: DataFrame,
    /// Flagged cells: `novel.parquet`.
    pub novel: DataFrame,
    /// Clusters of all cells and candidate phenotypes: `clusters.parquet`.
    pub clusters: DataFrame,
    /// Whether the plate can be used, and what not.
    pub verdict: Verdict,
    /// First two principal components of a stated sample of cells.
    pub scatter: Scatter,
}

/// Whether the run can be used, for what not, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// At least one kind of hit can be called with an error rate, and most sites were read.
    pub usable: bool,
    /// One sentence for the top of the report.
    pub sentence: String,
    /// What limits the use, the weightiest first; empty when nothing does.
    pub reasons: Vec<String>,
    /// Separation of positive from negative control wells; per plate the row of the novelty score first
    /// (chosen before looking), then the features by name. Empty without positive controls.
    pub separation: Vec<Separation>,
    /// Per plate, whether the classifier's classes fit it; empty when no classifier was used.
    pub gate: Vec<Gate>,
    /// Per plate, focus and saturation of its sites; empty when no site quality was given.
    pub focus: Vec<PlateFocus>,
    /// Sites on disk.
    pub sites: u32,
    /// Sites that were skipped.
    pub sites_skipped: u32,
    /// What could not be estimated, why, and what it would take. One full sentence each.
    pub not_estimable: Vec<String>,
    /// Smallest p-values that could be reached and what they allow. One full sentence each.
    pub floors: Vec<String>,
    /// Choices that were made: features kept, number of clusters and its rule, corrections.
    pub notes: Vec<String>,
}

/// Z′ of positive against negative control wells on one plate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Separation {
    /// The plate.
    pub plate: String,
    /// `Novelty_Score` or a feature's name; the well's median over its cells is compared.
    pub feature: String,
    /// Treatment of the positive controls, when they are told apart by treatment; `None`: all together.
    pub poscon: Option<String>,
    /// Z′ = 1 − 3 (s₊ + s₋) / |m₊ − m₋|, sample standard deviations; above 0.5 is good. `None`: no spread or too few wells.
    pub z_prime: Option<f64>,
    /// Lower end of its 90 % interval; `None` with fewer than two wells on a side.
    pub lower: Option<f64>,
    /// Upper end of its 90 % interval.
    pub upper: Option<f64>,
    /// Positive control wells with cells.
    pub n_positive: usize,
    /// Negative control wells with cells.
    pub n_negative: usize,
}

/// How the gate of one plate ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GateOutcome {
    /// The plate looks like the training data: class names and `P_Known` stand.
    Fits,
    /// The plate is unlike the training data: class names and `P_Known` are withheld.
    Unlike,
    /// No cell to judge by; withheld too.
    NotEstimable,
}

/// Whether the classes of the classifier mean anything on a plate (METHODS.md section 8, gate).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gate {
    /// The plate.
    pub plate: String,
    /// Outcome.
    pub outcome: GateOutcome,
    /// Share of the judged cells with `P_Known` ≤ 0.05.
    pub share: Option<f64>,
    /// Lower end of its 90 % interval by well bootstrap.
    pub lower: Option<f64>,
    /// Upper end of its 90 % interval by well bootstrap.
    pub upper: Option<f64>,
    /// Wells that were judged.
    pub n_wells: usize,
    /// Cells that were judged.
    pub n_cells: usize,
    /// Whether the judged wells are negative controls (else: all wells, by their median).
    pub by_controls: bool,
    /// One full sentence.
    pub sentence: String,
}

/// Focus and saturation of the sites of one plate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlateFocus {
    /// The plate.
    pub plate: String,
    /// Median focus of its sites (unit of the site table).
    pub median: f64,
    /// Sites whose focus is below half of the reference median and below it by more than 4 robust deviations, as `A01 site 2`.
    pub blurred_sites: Vec<String>,
    /// Sites with more than 1 % of saturated pixels and more than five times the reference median, likewise.
    pub saturated_sites: Vec<String>,
    /// Sites judged.
    pub n_sites: usize,
}

/// The cluster scatter: a deterministic sample of cells on the first two principal components.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Scatter {
    /// The points, ordered by row of the object table.
    pub points: Vec<ScatterPoint>,
    /// Share of variance that each of the two axes holds.
    pub explained: [f64; 2],
    /// Cells in the table, of which the points are a sample.
    pub n_cells: usize,
    /// Features that went in.
    pub features: Vec<String>,
}

/// One cell of the scatter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScatterPoint {
    /// Row in [`Gathered::objects`].
    pub row: usize,
    /// First principal component.
    pub x: f32,
    /// Second principal component.
    pub y: f32,
    /// Cluster, 1-based.
    pub cluster: i32,
    /// Flagged as a candidate (not as an artefact).
    pub flagged: bool,
    /// In a negative control well.
    pub control: bool,
}
