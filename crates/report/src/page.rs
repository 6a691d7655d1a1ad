//! Checks.
use crate::{ReportData, ReportError};
pub(crate) fn check(_data: &ReportData) -> Result<(), ReportError> {
    Ok(())
}
