//! Room `profile`.
#![forbid(unsafe_code)]
