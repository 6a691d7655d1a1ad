//! What was learned of a movie, in numbers a person can read.

use crate::model::Model;
use crate::motion::UNKNOWN;
use crate::scene::Scene;

/// The model of a movie after the last round of estimation.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedModel {
    /// Rounds of estimation that were made.
    pub rounds: usize,
    /// Step over one frame below which half, nine tenths and 99 of 100 steps lie, pixels.
    pub step_quantiles: [f64; 3],
    /// Share of the step before that the next step repeats, by speed class (slow to fast).
    pub persistence: Vec<f64>,
    /// Probability that a cell in the field is detected in a frame.
    pub detection_probability: f64,
    /// False objects per cell and frame: noise anywhere, and fragments of cells beside them.
    pub false_per_cell: f64,
    /// See [`FittedModel::false_per_cell`].
    pub fragments_per_cell: f64,
    /// Probability that a cell away from the edge appears from nowhere, and that it vanishes, per frame.
    pub appearing: f64,
    /// See [`FittedModel::appearing`].
    pub vanishing: f64,
    /// The same right at the edge of the field.
    pub entering: f64,
    /// See [`FittedModel::entering`].
    pub leaving: f64,
    /// Further probability that a cell with a close neighbour is missed (two taken for one).
    pub merging: f64,
    /// Depth of the edge zone, pixels.
    pub edge_depth: f64,
    /// Probability that a cell divides from one frame to the next.
    pub division_probability: f64,
    /// Median distance of sisters in their first frame, pixels, and its factor of spread (one standard deviation).
    pub sister_distance: (f64, f64),
    /// Features of looks in use.
    pub features: usize,
    /// Log density (natural, per square pixel) of a step over one frame at 0, ½, 1, 2, 4 and 8 typical steps.
    pub step_log_density: [f64; 6],
}

impl FittedModel {
    pub(crate) fn new(scene: &Scene, model: &Model, rounds: usize, step_quantiles: [f64; 3]) -> Self {
        let typical = model.motion.typical;
        let law = &model.motion.laws[UNKNOWN][0];
        Self {
            rounds,
            step_quantiles,
            persistence: model.motion.persistence.iter().skip(2).map(|p| p[0]).collect(),
            detection_probability: model.detected,
            false_per_cell: model.false_objects.noise,
            fragments_per_cell: model.false_objects.fragments,
            appearing: model.enter.inner,
            vanishing: model.leave.inner,
            entering: model.enter.at(0.0),
            leaving: model.leave.at(0.0),
            merging: model.contact.rate,
            edge_depth: model.enter.reach.min(scene.half_field),
            division_probability: model.divide,
            sister_distance: (
                model.division_law.log_distance.exp(),
                model.division_law.spread.exp(),
            ),
            features: model.appearance.len(),
            step_log_density: [0.0, 0.5, 1.0, 2.0, 4.0, 8.0].map(|k| law.log_density((k * typical).powi(2))),
        }
    }
}
