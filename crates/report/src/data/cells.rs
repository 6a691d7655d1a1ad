//! Single cells: pictures, galleries, the cluster scatter.

/// A small picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Encoded PNG file.
    pub png: Vec<u8>,
    /// What it shows, for those who cannot see it and as the text shown on hovering, such as "A07, wortmannin 15.6 nM".
    pub alt: String,
}

/// Cells chosen by one criterion, with control cells at the same contrast.
#[derive(Clone, Debug, Default)]
pub struct Gallery {
    /// Heading, such as "Most novel cells".
    pub title: String,
    /// How they were chosen, one sentence.
    pub explanation: String,
    /// The one contrast of all its pictures.
    pub contrast: Option<String>,
    /// The cells, most extreme first.
    pub cells: Vec<CellPicture>,
    /// Control cells for comparison, chosen at random with the run's seed.
    pub control_cells: Vec<CellPicture>,
}

/// One cell with what is known of it.
#[derive(Clone, Debug, Default)]
pub struct CellPicture {
    /// Its crop, about 64 × 64 pixels.
    pub picture: Picture,
    /// Well as `A01`, with the plate in front when there are several.
    pub well: String,
    /// One or two short lines below the picture, such as "p 0.002" or "{Large, Interphase}".
    pub lines: Vec<String>,
}

/// Cells in two dimensions, coloured by cluster.
#[derive(Clone, Debug, Default)]
pub struct Scatter {
    /// Label of the horizontal axis, such as "PC 1 (31 % of variance)".
    pub x_label: String,
    /// Label of the vertical axis.
    pub y_label: String,
    /// The points; draw at most some thousands (they are drawn in this order).
    pub points: Vec<ScatterPoint>,
    /// Cells in all, if `points` is a sample of them.
    pub total: Option<u64>,
    /// The clusters, by id.
    pub clusters: Vec<ScatterCluster>,
}

/// One cell of the scatter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ScatterPoint {
    /// Horizontal position.
    pub x: f64,
    /// Vertical position.
    pub y: f64,
    /// Cluster; cells without one are drawn small and grey.
    pub cluster: Option<i32>,
    /// Whether the cell is flagged as novel: drawn with a ring.
    pub is_flagged: bool,
}

/// One cluster for the scatter's legend and table.
#[derive(Clone, Debug, Default)]
pub struct ScatterCluster {
    /// Id, as in the column `Cluster`.
    pub id: i32,
    /// Cells in it.
    pub cells: u64,
    /// Share of its cells in negative-control wells, if there are such wells.
    pub share_controls: Option<f64>,
    /// Number of wells its cells come from.
    pub wells: u32,
    /// Number of plates its cells come from; one of several is a batch effect until shown otherwise.
    pub plates: u32,
    /// What sets it apart, in words, such as "Nuclei_AreaShape_Area +2.1".
    pub description: Option<String>,
    /// Its medoid cell.
    pub medoid: Option<super::Picture>,
}
