//! Clusters of all cells, candidate phenotypes among the flagged ones, and the scatter for the report.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Axis};
use polars::prelude::{DataFrame, IntoColumn, ListChunked, NamedFrom, Series};
use uncertainty::stream;

use crate::columns::{column, numbers_if_there, table, texts_if_there};
use crate::gathered::{Scatter, ScatterPoint};
use crate::kmeans::{Chosen, Components, STARTS, assign, choose_k, evenly, fit_kmeans, silhouette};
use crate::plate_layout::{PlateLayout, TreatmentGroup};
use crate::{GatherParams, ProfileError, Role};

/// Cells that components and centroids are fitted on; all cells are then assigned.
const FIT_CELLS: usize = 2500;
/// Points of the scatter.
const SCATTER_POINTS: usize = 3000;
/// Fewest cells that clusters are made of.
const MIN_CELLS: usize = 40;
/// Flagged cells below which there is one candidate phenotype.
const MIN_CANDIDATES_TO_SPLIT: usize = 40;
/// Mean silhouette from which on flagged cells are more than one candidate phenotype (Kaufman, Rousseeuw 1990: a reasonable structure).
const SPLIT_SILHOUETTE: f64 = 0.5;
/// Features named per cluster.
const DEFINING_FEATURES: usize = 5;

/// A cluster of cells.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub kind: &'static str,
    pub id: i32,
    pub rows: Vec<usize>,
    pub medoid: usize,
    /// Features with their mean robust z, strongest first.
    pub defining: Vec<(String, f64)>,
}

/// Clustering of a run.
#[derive(Default)]
pub(crate) struct Clustering {
    /// Cluster of each object, 1-based; `None` when there were too few cells.
    pub cluster: Vec<Option<i32>>,
    /// Candidate phenotype of each flagged row.
    pub candidate: BTreeMap<usize, i32>,
    pub clusters: Vec<Cluster>,
    pub scatter: Scatter,
    pub note: String,
}

/// Clusters `scaled` (objects × kept features, robust z) and the flagged rows among them.
pub(crate) fn cluster_cells(
    layout: &PlateLayout,
    scaled: ArrayView2<f64>,
    names: &[String],
    flagged: &[usize],
    params: &GatherParams,
) -> Result<Clustering, ProfileError> {
    let (n, d) = scaled.dim();
    let mut out = Clustering {
        cluster: vec![None; n],
        ..Clustering::default()
    };
    if n < MIN_CELLS || d < 2 {
        out.note = format!(
            "Clusters are not made: {n} cells and {d} usable features; {MIN_CELLS} cells and 2 features are needed."
        );
        return Ok(out);
    }
    let sample = evenly(n, FIT_CELLS);
    let few = scaled.select(Axis(0), &sample);
    let components = Components::fit(few.view())?;
    let all = components.project(scaled);
    let few = all.select(Axis(0), &sample);
    let wells: Vec<usize> = sample.iter().map(|&r| layout.well_of_row[r]).collect();
    let chosen = match params.clusters {
        Some(k) => Chosen {
            k: k.min(n),
            silhouette: None,
            stability: None,
        },
        None => choose_k(few.view(), &wells, params.seed)?,
    };
    let centroids = fit_kmeans(
        few.view(),
        chosen.k,
        STARTS,
        &mut stream(params.seed, &format!("k-means/{}", chosen.k)),
    )?;
    let label = assign(all.view(), centroids.view());
    out.cluster = label.iter().map(|&c| Some(c as i32 + 1)).collect();
    out.note = match (chosen.silhouette, chosen.stability) {
        (Some(s), Some(a)) => format!(
            "{} clusters of {n} cells on {} principal components of {d} features: the largest mean silhouette ({s:.2}) among 2 to 8 clusters that repeat over well bootstraps (adjusted Rand index {a:.2}{}).",
            chosen.k,
            components.explained.len(),
            if a < 0.8 {
                ", below 0.8: read them as a summary, not as kinds of cells"
            } else {
                ""
            }
        ),
        _ => format!(
            "{} clusters of {n} cells on {} principal components of {d} features.",
            chosen.k,
            components.explained.len()
        ),
    };
    let members = |label: &[usize], rows: &[usize], c: usize| -> Vec<usize> {
        rows.iter()
            .zip(label)
            .filter(|&(_, &l)| l == c)
            .map(|(&r, _)| r)
            .collect()
    };
    let every: Vec<usize> = (0..n).collect();
    for c in 0..chosen.k {
        let rows = members(&label, &every, c);
        if !rows.is_empty() {
            out.clusters
                .push(describe("cluster", c as i32 + 1, rows, all.view(), scaled, names));
        }
    }

    if !flagged.is_empty() {
        let cells = all.select(Axis(0), flagged);
        let mut best: (usize, Vec<usize>) = (1, vec![0; flagged.len()]);
        let mut best_width = SPLIT_SILHOUETTE;
        if flagged.len() >= MIN_CANDIDATES_TO_SPLIT {
            for k in 2..=5.min(flagged.len() / 20) {
                let centroids = fit_kmeans(
                    cells.view(),
                    k,
                    STARTS,
                    &mut stream(params.seed, &format!("candidates/{k}")),
                )?;
                let label = assign(cells.view(), centroids.view());
                let sample = evenly(flagged.len(), 600);
                let few_labels: Vec<usize> = sample.iter().map(|&i| label[i]).collect();
                let width = silhouette(cells.select(Axis(0), &sample).view(), &few_labels, k);
                if width > best_width {
                    best_width = width;
                    best = (k, label);
                }
            }
        }
        for c in 0..best.0 {
            let rows = members(&best.1, flagged, c);
            if rows.is_empty() {
                continue;
            }
            for &r in &rows {
                out.candidate.insert(r, c as i32 + 1);
            }
            out.clusters.push(describe(
                "candidate",
                c as i32 + 1,
                rows,
                all.view(),
                scaled,
                names,
            ));
        }
    }

    let is_flagged: std::collections::BTreeSet<usize> = flagged.iter().copied().collect();
    out.scatter = Scatter {
        points: evenly(n, SCATTER_POINTS)
            .into_iter()
            .map(|row| ScatterPoint {
                row,
                x: all[[row, 0]] as f32,
                y: all[[row, 1]] as f32,
                cluster: label[row] as i32 + 1,
                flagged: is_flagged.contains(&row),
                control: layout.wells[layout.well_of_row[row]].info.role == Role::Negcon,
            })
            .collect(),
        explained: [components.explained[0], components.explained[1]],
        n_cells: n,
        features: names.to_vec(),
    };
    Ok(out)
}

/// Medoid (the cell nearest to the mean on the components) and the features that stand out.
fn describe(
    kind: &'static str,
    id: i32,
    rows: Vec<usize>,
    axes: ArrayView2<f64>,
    scaled: ArrayView2<f64>,
    names: &[String],
) -> Cluster {
    let mean_of = |values: ArrayView2<f64>| -> Vec<f64> {
        let sum: Array2<f64> = values.select(Axis(0), &rows);
        sum.mean_axis(Axis(0)).map(|m| m.to_vec()).unwrap_or_default()
    };
    let center = mean_of(axes);
    let distance = |r: usize| {
        axes.row(r)
            .iter()
            .zip(&center)
            .map(|(a, b)| (a - b) * (a - b))
            .sum::<f64>()
    };
    let medoid = rows
        .iter()
        .copied()
        .reduce(|a, b| if distance(b) < distance(a) { b } else { a })
        .unwrap_or(0);
    let mut defining: Vec<(String, f64)> = names.iter().cloned().zip(mean_of(scaled)).collect();
    defining.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then_with(|| a.0.cmp(&b.0)));
    defining.truncate(DEFINING_FEATURES);
    Cluster {
        kind,
        id,
        rows,
        medoid,
        defining,
    }
}

/// `clusters.parquet`.
pub(crate) fn cluster_table(
    clustering: &Clustering,
    objects: &DataFrame,
    layout: &PlateLayout,
    groups: &[TreatmentGroup],
) -> Result<DataFrame, ProfileError> {
    let clusters = &clustering.clusters;
    let site = numbers_if_there("objects", objects, "Metadata_Site")?;
    let number = numbers_if_there("objects", objects, "Metadata_ObjectNumber")?;
    let class = texts_if_there("objects", objects, "Metadata_Phenotype_Class")?;
    let mut group_of_well = vec![None; layout.wells.len()];
    for (g, group) in groups.iter().enumerate() {
        for &w in &group.wells {
            group_of_well[w] = Some(g);
        }
    }
    let wells_of = |c: &Cluster| -> BTreeMap<usize, usize> {
        let mut wells = BTreeMap::new();
        for &r in &c.rows {
            *wells.entry(layout.well_of_row[r]).or_insert(0) += 1;
        }
        wells
    };
    let list = |name: &str, of: &dyn Fn(&Cluster) -> Vec<String>| {
        let cells = clusters.iter().map(|c| Some(Series::new("".into(), of(c))));
        ListChunked::from_iter(cells).with_name(name.into()).into_column()
    };
    let text =
        |of: &dyn Fn(&Cluster) -> Option<String>| clusters.iter().map(of).collect::<Vec<Option<String>>>();
    let medoid_number = |column: &Option<Vec<Option<f64>>>| {
        clusters
            .iter()
            .map(|c| column.as_ref().and_then(|v| v[c.medoid]).map(|v| v as u32))
            .collect::<Vec<_>>()
    };
    let main_treatment = |c: &Cluster| {
        let mut cells: BTreeMap<Option<usize>, usize> = BTreeMap::new();
        for (w, n) in wells_of(c) {
            *cells.entry(group_of_well[w]).or_insert(0) += n;
        }
        cells
            .into_iter()
            .reduce(|a, b| if b.1 > a.1 { b } else { a })
            .map(|(g, n)| {
                let name = g.map_or_else(
                    || "controls".to_owned(),
                    |g| match groups[g].dose {
                        Some(dose) => format!("{} {dose}", groups[g].name),
                        None => groups[g].name.clone(),
                    },
                );
                (name, n as f64 / c.rows.len().max(1) as f64)
            })
    };
    let columns = vec![
        column("Kind", text(&|c| Some(c.kind.to_owned()))),
        column("Cluster", clusters.iter().map(|c| c.id).collect::<Vec<i32>>()),
        column(
            "Size",
            clusters.iter().map(|c| c.rows.len() as u32).collect::<Vec<u32>>(),
        ),
        column(
            "Wells_N",
            clusters
                .iter()
                .map(|c| wells_of(c).len() as u32)
                .collect::<Vec<u32>>(),
        ),
        list("Wells", &|c| {
            wells_of(c).keys().map(|&w| layout.well_names(&[w])).collect()
        }),
        column(
            "Plates",
            text(&|c| Some(layout.plate_names(&wells_of(c).keys().copied().collect::<Vec<_>>()))),
        ),
        column("Main_Treatment", text(&|c| main_treatment(c).map(|t| t.0))),
        column(
            "Main_Treatment_Share",
            clusters
                .iter()
                .map(|c| main_treatment(c).map(|t| t.1))
                .collect::<Vec<_>>(),
        ),
        column(
            "Medoid_Row",
            clusters.iter().map(|c| c.medoid as u32).collect::<Vec<u32>>(),
        ),
        column(
            "Medoid_Plate",
            text(&|c| Some(layout.wells[layout.well_of_row[c.medoid]].info.plate.clone())),
        ),
        column(
            "Medoid_Well",
            text(&|c| Some(layout.wells[layout.well_of_row[c.medoid]].info.well.clone())),
        ),
        column("Medoid_Site", medoid_number(&site)),
        column("Medoid_ObjectNumber", medoid_number(&number)),
        column(
            "Medoid_Class",
            text(&|c| class.as_ref().and_then(|v| v[c.medoid].clone())),
        ),
        list("Defining_Features", &|c| {
            c.defining.iter().map(|d| d.0.clone()).collect()
        }),
        ListChunked::from_iter(clusters.iter().map(|c| {
            Some(Series::new(
                "".into(),
                c.defining.iter().map(|d| d.1).collect::<Vec<f64>>(),
            ))
        }))
        .with_name("Defining_Z".into())
        .into_column(),
    ];
    table("clusters", clusters.len(), columns)
}
