//! Single cells on the page: galleries and the cluster scatter.

use report::{CellPicture, Estimable, Gallery, Scatter, ScatterCluster, ScatterPoint};
use std::collections::BTreeMap;

use super::cells::evenly;
use super::columns::{number_lists, numbers, text_lists, texts};
use super::report_data::Material;

/// Cells of a gallery, and controls beside them.
const CELLS: usize = 16;
const CONTROLS: usize = 8;

/// Features that describe a cluster in its line.
const FEATURES: usize = 3;

pub(super) fn galleries(material: &Material) -> Vec<Gallery> {
    let cells = &material.cells;
    let is_control: std::collections::BTreeSet<usize> = material.control_rows.iter().copied().collect();
    let pictured: Vec<usize> = (0..cells.len())
        .filter(|&row| cells.is_presentable(row))
        .collect();
    let mut galleries = Vec::new();
    let most = |score: &[Option<f64>], rows: &[usize]| {
        let mut scored: Vec<(f64, usize)> = rows.iter().filter_map(|&row| Some((score[row]?, row))).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        scored
            .into_iter()
            .take(CELLS)
            .map(|(_, row)| row)
            .collect::<Vec<usize>>()
    };
    let outside: Vec<usize> = pictured
        .iter()
        .copied()
        .filter(|row| !is_control.contains(row))
        .collect();
    let novel = most(&cells.score, &outside);
    if !novel.is_empty() {
        let line = |row: usize| {
            let p = |name: &str, p: Option<f64>| p.map(|p| format!("{name} {p:.3}"));
            p("p", cells.p_controls[row])
                .into_iter()
                .chain(p("p known", cells.p_known[row]))
                .collect()
        };
        let explanation = "Cells outside control wells with the largest distance from their plate's negative controls; artefacts and cut cells left out. \
                           Being shown here is no call."
            .to_owned();
        galleries.push(gallery(material, "Most novel cells", explanation, &novel, &line));
    }
    if material.classes_fit() {
        let uncertain = most(&cells.total, &pictured);
        let line = |row: usize| {
            let class = cells.class[row]
                .as_ref()
                .zip(cells.confidence[row])
                .map(|(class, p)| format!("{class} {:.0} %", 100.0 * p));
            let set = (!cells.set[row].is_empty()).then(|| format!("{{{}}}", cells.set[row].join(", ")));
            class.into_iter().chain(set).collect()
        };
        if !uncertain.is_empty() {
            let explanation =
                "Cells whose class the networks are least sure of (largest total entropy).".to_owned();
            galleries.push(gallery(
                material,
                "Least certain cells",
                explanation,
                &uncertain,
                &line,
            ));
        }
    }
    galleries
}

fn gallery(
    material: &Material,
    title: &str,
    explanation: String,
    rows: &[usize],
    lines: &dyn Fn(usize) -> Vec<String>,
) -> Gallery {
    let cells = &material.cells;
    let picture = |row: usize| {
        Some(CellPicture {
            picture: material.album.cell(cells, row)?,
            well: material.well_name(&cells.plate[row], &cells.well[row]),
            lines: lines(row),
        })
    };
    let controls: Vec<usize> = material
        .control_rows
        .iter()
        .copied()
        .filter(|&row| cells.is_presentable(row))
        .collect();
    let plate = material
        .collected
        .scan
        .plates()
        .first()
        .map(|plate| (*plate).to_owned())
        .unwrap_or_default();
    Gallery {
        title: title.to_owned(),
        explanation,
        contrast: material.album.contrast_in_words(&plate, false),
        cells: rows.iter().filter_map(|&row| picture(row)).collect(),
        control_cells: evenly(&controls, CONTROLS)
            .into_iter()
            .filter_map(picture)
            .collect(),
    }
}

pub(super) fn scatter(material: &Material) -> Estimable<Scatter> {
    let found = &material.gathered.scatter;
    if found.points.is_empty() {
        let note = material
            .gathered
            .verdict
            .notes
            .iter()
            .find(|note| note.starts_with("Clusters"));
        let reason = note.map_or("too few cells", String::as_str);
        return Estimable::NotEstimable(reason.trim_end_matches('.').to_owned());
    }
    let point = |point: &profile::ScatterPoint| ScatterPoint {
        x: f64::from(point.x),
        y: f64::from(point.y),
        cluster: Some(point.cluster),
        is_flagged: point.flagged,
    };
    let axis = |number: usize| {
        format!(
            "PC {} ({:.0} % of variance)",
            number + 1,
            100.0 * found.explained[number]
        )
    };
    Estimable::Value(Scatter {
        x_label: axis(0),
        y_label: axis(1),
        points: found.points.iter().map(point).collect(),
        total: Some(found.n_cells as u64),
        clusters: clusters(material),
    })
}

fn clusters(material: &Material) -> Vec<ScatterCluster> {
    let table = &material.gathered.clusters;
    let (kind, id, size) = (
        texts(table, "Kind"),
        numbers(table, "Cluster"),
        numbers(table, "Size"),
    );
    let (wells, medoid) = (numbers(table, "Wells_N"), numbers(table, "Medoid_Row"));
    let (features, z) = (
        text_lists(table, "Defining_Features"),
        number_lists(table, "Defining_Z"),
    );
    let plates = texts(table, "Plates");
    let of_controls = cluster_of_controls(material);
    let describe = |row: usize| {
        let parts: Vec<String> = features[row]
            .iter()
            .zip(&z[row])
            .take(FEATURES)
            .map(|(name, z)| format!("{name} {z:+.1}"))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    };
    let cluster = |row: usize| {
        let (number, cells) = (id[row]? as i32, size[row].unwrap_or(0.0));
        let picture = medoid[row].and_then(|cell| material.album.cell(&material.cells, cell as usize));
        Some(ScatterCluster {
            id: number,
            cells: cells as u64,
            share_controls: (!material.control_rows.is_empty() && cells > 0.0)
                .then(|| f64::from(of_controls.get(&number).copied().unwrap_or(0)) / cells),
            wells: wells[row].unwrap_or(0.0) as u32,
            plates: plates[row]
                .as_deref()
                .map_or(1, |plates| plates.split('+').count() as u32),
            description: describe(row),
            medoid: picture,
        })
    };
    (0..table.height())
        .filter(|&row| kind[row].as_deref() == Some("cluster"))
        .filter_map(cluster)
        .collect()
}

/// Control cells of each cluster.
fn cluster_of_controls(material: &Material) -> BTreeMap<i32, u32> {
    let cluster = numbers(&material.gathered.objects, "Metadata_Cluster");
    let mut counts = BTreeMap::new();
    for number in material.control_rows.iter().filter_map(|&row| cluster[row]) {
        *counts.entry(number as i32).or_default() += 1;
    }
    counts
}
