//! Room `uncertainty`.
#![forbid(unsafe_code)]
