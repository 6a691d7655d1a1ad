//! Figures: from data to SVG elements. Each function draws one figure and says in words what it shows.

mod axis;
mod canvas;
mod dose_order;
mod entropy_bars;
mod heat_map;
mod interval_glyph;
mod palette;
mod plate_map;
mod reliability_diagram;
mod scatter_plot;
mod truth_plot;

pub(crate) use dose_order::{dose_order, shared_dose_values};
pub(crate) use entropy_bars::entropy_bars;
pub(crate) use heat_map::{HeatDomain, heat_map};
pub(crate) use interval_glyph::interval_glyph;
pub(crate) use plate_map::{plate_map, row_name, well_name};
pub(crate) use reliability_diagram::reliability_diagram;
pub(crate) use scatter_plot::{cluster_key, scatter_plot};
pub(crate) use truth_plot::truth_plot;
