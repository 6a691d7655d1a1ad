//! The model of a movie: rates of entering, leaving, missing, false objects and divisions, and the laws of motion and looks.

use crate::appearance::Appearance;
use crate::contact::Contact;
use crate::divisions::DivisionLaw;
use crate::fragments::FalseObjects;
use crate::motion::Motion;
use crate::scene::Scene;

/// Probability that a newborn daughter vanishes at once, against that of any cell.
const NEWBORN_DEATH: f64 = 0.02;

/// A rate with a part that holds everywhere and a part near the edge of the field: `inner + edge · exp(-d / reach)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BorderRate {
    pub inner: f64,
    pub edge: f64,
    /// Depth of the edge zone, pixels.
    pub reach: f64,
}

impl BorderRate {
    /// The rate at a distance from the edge.
    #[inline]
    pub fn at(&self, distance: f64) -> f64 {
        self.inner + self.edge * (-distance / self.reach).exp()
    }

    /// Share of the rate there that is due to the edge.
    #[inline]
    pub fn edge_share(&self, distance: f64) -> f64 {
        1.0 - self.inner / self.at(distance)
    }
}

/// All that the weights of the graph are made of. Densities of objects are in objects per [`Scene::area_per_object`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    pub motion: Motion,
    pub division_law: DivisionLaw,
    pub appearance: Appearance,
    /// Probability that a cell in the field is detected in a frame.
    pub detected: f64,
    /// How often objects are false.
    pub false_objects: FalseObjects,
    /// How much likelier a cell with a close neighbour is missed.
    pub contact: Contact,
    /// Cells per frame that enter, relative to the cells that are there.
    pub enter: BorderRate,
    /// Probability that a cell is gone in the next frame.
    pub leave: BorderRate,
    /// Probability that a cell divides before the next frame.
    pub divide: f64,
    /// Most frames from one object of a cell to the next.
    pub gaps: usize,
}

impl Model {
    /// What is known before the movie is tracked: only the typical step was measured.
    pub fn prior(scene: &Scene, typical: f64, gaps: usize, appearance: Appearance) -> Self {
        let reach = (2.0 * typical).max(0.02 * scene.half_field);
        Self {
            motion: Motion::prior(typical, gaps),
            division_law: DivisionLaw::prior(scene, typical),
            appearance,
            detected: 0.97,
            false_objects: FalseObjects::prior(scene),
            contact: Contact::prior(scene),
            enter: BorderRate {
                inner: 5e-4,
                edge: 0.05,
                reach,
            },
            leave: BorderRate {
                inner: 5e-4,
                edge: 0.05,
                reach,
            },
            divide: 2e-3,
            gaps,
        }
    }

    /// Probability that a cell is missed in a frame, where it is now.
    pub fn missed(&self, scene: &Scene, object: usize) -> f64 {
        (1.0 - self.detected + self.contact.missed(scene.nearest[object])).min(0.9)
    }

    /// Weight of a cell whose first object is this one: it came into view, or the movie began, or it was missed since then.
    pub fn origin_weight(&self, scene: &Scene, object: usize, frame: usize, first: usize) -> f64 {
        self.enter.at(scene.border[object]) + self.unseen(scene, object, frame - first)
    }

    /// Weight of a cell whose last object is this one: it left, or the movie ended, or it is missed from then on. A daughter in
    /// her first frame does not die at once.
    pub fn end_weight(&self, scene: &Scene, object: usize, frame: usize, last: usize, newborn: bool) -> f64 {
        if frame == last {
            return 1.0;
        }
        let spared = if newborn {
            (1.0 - NEWBORN_DEATH) * self.leave.inner
        } else {
            0.0
        };
        (self.leave.at(scene.border[object]) - spared + self.unseen(scene, object, last - frame)).min(1.0)
    }

    /// Probability to be missed in `frames` frames, or in more than are bridged.
    fn unseen(&self, scene: &Scene, object: usize, frames: usize) -> f64 {
        self.missed(scene, object).powi(frames.min(self.gaps) as i32)
    }

    /// Log weight of missing a cell in `gap - 1` frames and detecting it in the next, for two objects of it.
    pub fn log_seen_after(&self, scene: &Scene, from: usize, to: usize, gap: usize) -> f64 {
        if gap == 1 {
            return self.detected.ln();
        }
        let missed = (self.missed(scene, from) + self.missed(scene, to)) / 2.0;
        (gap - 1) as f64 * missed.max(1e-9).ln() + self.detected.ln()
    }

    /// The most that [`Model::log_seen_after`] can be.
    pub fn log_seen_after_at_most(&self, gap: usize) -> f64 {
        (gap - 1) as f64 * (1.0 - self.detected + self.contact.rate).clamp(1e-9, 0.9).ln()
            + self.detected.ln()
    }

    /// Log weight of continuing (neither leaving nor dividing).
    pub fn log_stay(&self, scene: &Scene, object: usize) -> f64 {
        (1.0 - self.leave.at(scene.border[object]) - self.divide)
            .max(0.05)
            .ln()
    }
}
