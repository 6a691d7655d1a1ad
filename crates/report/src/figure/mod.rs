//! Figures: from data to SVG elements. Each function draws one figure and says in words what it shows.

mod axis;
mod canvas;
mod curve;
mod dose_order;
mod entropy_bars;
mod heat_map;
mod interval_glyph;
mod lineage_tree;
mod link_histogram;
mod palette;
mod plate_map;
mod reliability_diagram;
mod scatter_plot;
mod track_marks;
mod truth_plot;

pub(crate) use curve::curve;
pub(crate) use dose_order::{dose_order, shared_dose_values};
pub(crate) use entropy_bars::entropy_bars;
pub(crate) use heat_map::{HeatDomain, heat_map};
pub(crate) use interval_glyph::interval_glyph;
pub(crate) use lineage_tree::lineage_tree;
pub(crate) use link_histogram::link_histogram;
pub(crate) use plate_map::{plate_map, row_name, well_name};
pub(crate) use reliability_diagram::reliability_diagram;
pub(crate) use scatter_plot::{cluster_key, scatter_plot};
pub(crate) use track_marks::{track_marks, ways};
pub(crate) use truth_plot::truth_plot;
