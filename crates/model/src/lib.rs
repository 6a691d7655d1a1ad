//! Room `model`.
#![forbid(unsafe_code)]
