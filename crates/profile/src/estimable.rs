//! What a plate map allows, said before the run.

use crate::{GatherParams, WellInfo};

/// Sentences on what cannot be estimated with these wells, and what it would take; empty when all can.
#[must_use]
pub fn estimable(wells: &[WellInfo], params: &GatherParams) -> Vec<String> {
    let _ = (wells, params);
    unimplemented!()
}
