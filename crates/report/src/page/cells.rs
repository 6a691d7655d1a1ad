//! Galleries and the cluster scatter as the template shows them.

use minijinja::Value;
use serde::Serialize;

use super::{PictureView, picture, reason, safe};
use crate::figure::{cluster_key, scatter_plot};
use crate::number::{count, percent};
use crate::{CellPicture, Estimable, Gallery, ReportError, Scatter};

#[derive(Serialize)]
pub(crate) struct GalleryView {
    title: String,
    explanation: String,
    contrast: Option<String>,
    cells: Vec<CellView>,
    control_cells: Vec<CellView>,
}

#[derive(Serialize)]
struct CellView {
    picture: PictureView,
    well: String,
    lines: Vec<String>,
}

pub(crate) fn gallery(gallery: &Gallery) -> Result<GalleryView, ReportError> {
    let views = |cells: &[CellPicture]| {
        let view = |cell: &CellPicture| {
            Ok(CellView {
                picture: picture(&cell.picture, || {
                    format!("gallery {}, {}", gallery.title, cell.well)
                })?,
                well: cell.well.clone(),
                lines: cell.lines.clone(),
            })
        };
        cells.iter().map(view).collect::<Result<Vec<_>, ReportError>>()
    };
    Ok(GalleryView {
        title: gallery.title.clone(),
        explanation: gallery.explanation.clone(),
        contrast: gallery.contrast.clone(),
        cells: views(&gallery.cells)?,
        control_cells: views(&gallery.control_cells)?,
    })
}

#[derive(Serialize)]
pub(crate) struct ScatterView {
    reason: Option<String>,
    figure: Option<Value>,
    caption: String,
    clusters: Vec<ClusterView>,
    has_medoids: bool,
    has_controls: bool,
}

#[derive(Serialize)]
struct ClusterView {
    key: Value,
    id: i32,
    cells: String,
    share_controls: Option<String>,
    origin: String,
    is_one_well: bool,
    description: Option<String>,
    medoid: Option<PictureView>,
}

pub(crate) fn scatter(section: &Estimable<Scatter>) -> Result<ScatterView, ReportError> {
    let Estimable::Value(scatter) = section else {
        return Ok(ScatterView {
            reason: reason(section),
            figure: None,
            caption: String::new(),
            clusters: Vec::new(),
            has_medoids: false,
            has_controls: false,
        });
    };
    let drawn = scatter.points.len() as u64;
    let mut caption = match scatter.total {
        Some(total) if total > drawn => format!("{} of {} cells drawn", count(drawn), count(total)),
        _ => format!("{} cells", count(drawn)),
    };
    if scatter.points.iter().any(|point| point.is_flagged) {
        caption.push_str("; cells with a ring are flagged as novel");
    }
    let mut clusters = Vec::with_capacity(scatter.clusters.len());
    for (place, cluster) in scatter.clusters.iter().enumerate() {
        let name = format!("cluster {}", cluster.id);
        let plural = |n: u32, word: &str| {
            if n == 1 {
                format!("1 {word}")
            } else {
                format!("{n} {word}s")
            }
        };
        let mut origin = plural(cluster.wells, "well");
        if cluster.plates > 1 {
            origin.push_str(&format!(", {}", plural(cluster.plates, "plate")));
        }
        clusters.push(ClusterView {
            key: safe(cluster_key(place, &name)?),
            id: cluster.id,
            cells: count(cluster.cells),
            share_controls: cluster.share_controls.map(percent),
            origin,
            is_one_well: cluster.wells == 1,
            description: cluster.description.clone(),
            medoid: cluster
                .medoid
                .as_ref()
                .map(|medoid| picture(medoid, || format!("medoid of {name}")))
                .transpose()?,
        });
    }
    Ok(ScatterView {
        reason: None,
        figure: Some(safe(scatter_plot(scatter)?)),
        caption,
        has_medoids: clusters.iter().any(|cluster| cluster.medoid.is_some()),
        has_controls: clusters.iter().any(|cluster| cluster.share_controls.is_some()),
        clusters,
    })
}
