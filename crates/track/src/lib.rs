//! Cells through time: links, divisions and lineages with the doubt about each, and the scores that say how good they are.

pub mod score;
