//! Plates: map, heat maps, montage.

use super::{Picture, Scale};

/// One plate. 6 to 1536 wells.
#[derive(Clone, Debug, Default)]
pub struct PlateView {
    /// Name of the plate.
    pub name: String,
    /// Rows of the plate (8 for 96 wells), not only of the wells in use.
    pub rows: u32,
    /// Columns of the plate (12 for 96 wells).
    pub columns: u32,
    /// Wells that were screened or are in the plate map, any order; those not listed are drawn as empty places.
    pub wells: Vec<WellView>,
    /// Heat maps, each with one value per entry of `wells`. Maps of the same title share one scale over all plates.
    pub heat_maps: Vec<HeatMap>,
    /// All wells side by side.
    pub montage: Option<Montage>,
}

/// One well on the plate map.
#[derive(Clone, Debug, Default)]
pub struct WellView {
    /// Row, from 0.
    pub row: u32,
    /// Column, from 0.
    pub column: u32,
    /// Role.
    pub role: WellRole,
    /// Treatment, shown on hovering and in the table.
    pub treatment: Option<String>,
    /// Dose with unit.
    pub dose: Option<String>,
    /// Whether the well (or its treatment) is a hit: drawn with a ring.
    pub is_hit: bool,
    /// Sites of the well that were skipped: drawn with a cross.
    pub sites_skipped: u32,
}

/// What a well is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum WellRole {
    /// Negative control.
    Negcon,
    /// Positive control.
    Poscon,
    /// Treatment.
    #[default]
    Treatment,
    /// Empty, or on disk without a line in the plate map.
    Empty,
}

/// One quantity over a plate.
#[derive(Clone, Debug, Default)]
pub struct HeatMap {
    /// What is shown, such as "Cells", "Confidence", "Share unlike the controls", "Share of Apoptosis".
    pub title: String,
    /// How values are written; shares are drawn from 0 to the largest value.
    pub scale: Scale,
    /// Colours.
    pub palette: Palette,
    /// One value for each entry of [`PlateView::wells`]; `None` is drawn as missing, never as 0.
    pub values: Vec<Option<f64>>,
    /// One sentence on how to read it.
    pub note: Option<String>,
}

/// Colours of a heat map; both are safe for the colour-blind and readable in grey.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Palette {
    /// From low to high (cividis).
    #[default]
    Sequential,
    /// Away from a centre in two directions (blue, grey, orange).
    Diverging {
        /// The neutral value, such as 0 for z or the controls' median for a count.
        center: f64,
    },
}

/// All wells of a plate side by side at one contrast.
#[derive(Clone, Debug, Default)]
pub struct Montage {
    /// What is shown and at which contrast, such as "DNA, 4 to 200 of 255, the same in every well; outlines in yellow".
    pub contrast: String,
    /// The pictures; wells without one stay blank.
    pub cells: Vec<MontageCell>,
}

/// One picture of a montage.
#[derive(Clone, Debug, Default)]
pub struct MontageCell {
    /// Row, from 0.
    pub row: u32,
    /// Column, from 0.
    pub column: u32,
    /// The picture (outlines already drawn), about 96 × 96 pixels for 96 wells, less for more.
    pub picture: Picture,
}
