//! Room `plate`.
#![forbid(unsafe_code)]
