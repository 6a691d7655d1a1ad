//! Room `report`.
#![forbid(unsafe_code)]
