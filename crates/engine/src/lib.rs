//! Room `engine`.
#![forbid(unsafe_code)]
