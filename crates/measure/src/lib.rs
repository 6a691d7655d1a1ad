//! Room `measure`.
#![forbid(unsafe_code)]
