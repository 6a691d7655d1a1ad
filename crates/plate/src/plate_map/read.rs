//! Reading.
use super::{PlateMap, PlateMapParams};
use crate::error::PlateError;
use std::path::Path;
pub(super) fn read(path: &Path, params: &PlateMapParams) -> Result<PlateMap, PlateError> {
    let _ = (path, params);
    unimplemented!()
}
pub(super) fn parse(bytes: &[u8], name: &Path, params: &PlateMapParams) -> Result<PlateMap, PlateError> {
    let _ = (bytes, name, params);
    unimplemented!()
}
