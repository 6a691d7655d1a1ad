//! Room `image`.
#![forbid(unsafe_code)]
