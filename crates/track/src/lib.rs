//! Room `track`: objects linked through time, with the probability of every link and every division.
//!
//! [`track`] takes the detections of a movie and gives [`Tracks`]: tracks with mothers, closed gaps, and for each link,
//! division and detection the probability that it is right. Nothing has to be set: how far cells move, how often they
//! are missed, divide, enter and leave, how daughters lie about their mother and how much their looks change is
//! estimated from the movie itself.
//!
//! # How
//! 1. [`drift`](Tracks::drift): the global shift of each frame is found and taken off.
//! 2. Candidates: which later objects (up to three missed frames on) an object may continue in, and which pairs may be its daughters.
//! 3. A graph over the whole movie in which each object is false, or has one origin (enters, continues, is a daughter)
//!    and one destiny (leaves, continues, divides). Its weights are probabilities under the model of the movie.
//! 4. Marginal probabilities of every origin and destiny by belief propagation along time; the model is estimated anew from them, a few rounds
//!    (empirical Bayes, generalised EM).
//! 5. The tracks are the one consistent choice with the least expected tracking error (the edge weights of the Cell Tracking
//!    Challenge's AOGM under those probabilities), found on small components exactly.
//!
//! # Invariants
//! Pure functions of their arguments: same detections, same tracks, for any number of threads. Every detection is in one track at most. A track has an object in
//! every frame from its first to its last; filled ones are marked. A mother's track ends before her daughters' begin.
//!
//! # Not here
//! Pixels, files, tables. How good a tracking is against a truth is in [`score`].
#![forbid(unsafe_code)]

mod appearance;
mod calibration;
mod candidates;
mod contact;
mod decode;
mod detections;
mod divisions;
mod drift;
mod error;
mod estimate;
mod fitted;
mod fragments;
mod gaps;
mod graph;
mod lineage;
mod marginals;
mod model;
mod motion;
mod options;
mod scene;
pub mod score;
mod swaps;
mod tracker;
mod tracks;

pub use detections::{Detections, Frame};
pub use error::TrackError;
pub use fitted::FittedModel;
pub use options::TrackOptions;
pub use tracker::track;
pub use tracks::{Alternative, Division, Link, ObjectId, RunnerUp, Track, TrackedObject, Tracks};
