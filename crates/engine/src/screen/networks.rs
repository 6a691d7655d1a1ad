//! The two ensembles of a run and what their samples become: objects with confidence, classes with sets and doubt.

use image::{DecodeParams, Labels, agreement, border_entropy, crop_at, decode_touch, mean_map};
use model::{Bundle, Classifier, MemberMaps, SegmentationTrust, Segmenter, Task, Trust};
use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, Axis};
use uncertainty::{
    ConformalPredictor, ConformalReference, DEFAULT_ALPHA, Temperature, cross_conformal_p, pool,
};

use super::facts::{BundleCredit, ClassFacts, class_facts};
use super::fragments::without_fragments;
use super::settings::BundleId;
use crate::train::p_iou_measures;
use crate::{Device, EngineError, NetworkParams};

/// IoU thresholds of the columns `P50`, `P70`, `P90`.
const THRESHOLDS: [f32; 3] = [0.5, 0.7, 0.9];

/// Objects of a site with what is known of each.
pub(crate) struct Segmented {
    pub(crate) labels: Labels,
    /// Share of members that found it × IoU with their match; `None` for given labels.
    pub(crate) agreement: Option<Vec<f32>>,
    /// Mean entropy over its border band, nats.
    pub(crate) border_entropy: Option<Vec<f32>>,
    /// Probability that its IoU with the true object is at least 0.5, 0.7, 0.9.
    pub(crate) p_iou: Option<[Vec<f32>; 3]>,
}

impl Segmented {
    /// Labels that no network made: nothing is known of their confidence.
    pub(crate) fn given(labels: Labels) -> Self {
        Self {
            labels,
            agreement: None,
            border_entropy: None,
            p_iou: None,
        }
    }
}

/// Classes of objects; rows are objects in label order.
pub(crate) struct Classified {
    pub(crate) classes: Vec<String>,
    /// Calibrated probabilities, object × class.
    pub(crate) probability: Array2<f64>,
    /// Entropies of the pooled samples, nats.
    pub(crate) total: Array1<f64>,
    pub(crate) aleatoric: Array1<f64>,
    pub(crate) epistemic: Array1<f64>,
    /// Conformal p-value of each class, object × class.
    pub(crate) conformal_p: Array2<f64>,
    /// Mean energy over the members; larger = more unlike the taught classes.
    pub(crate) energy: Vec<f64>,
    /// Conformal p-value against the taught classes.
    pub(crate) p_known: Vec<f64>,
}

struct Segmentation {
    name: String,
    digest: String,
    segmenter: Segmenter,
    members: usize,
    draws: usize,
    trust: SegmentationTrust,
    credit: BundleCredit,
}

struct Classification {
    name: String,
    digest: String,
    classifier: Classifier,
    classes: Vec<String>,
    /// Members in use, with the fold that each did not see.
    members: Vec<usize>,
    folds: Vec<u32>,
    draws: usize,
    temperature: f64,
    predictor: ConformalPredictor,
    /// Novelty scores of the reference cells of each fold of the predictor.
    reference_energy: Vec<Vec<f64>>,
    crop_diameter_px: Option<f32>,
    pixel_size_um: Option<f32>,
    facts: ClassFacts,
    credit: BundleCredit,
}

/// The networks of a run.
pub(crate) struct Networks {
    segmentation: Option<Segmentation>,
    classification: Option<Classification>,
    device: &'static str,
    isa: &'static str,
}

impl Networks {
    /// Loads and checks the bundles that are asked for.
    ///
    /// Errors: a bundle that is unknown, damaged or for another task; a device that is not there.
    pub(crate) fn load(
        segment: Option<&str>,
        classify: Option<&str>,
        params: &NetworkParams,
    ) -> Result<Self, EngineError> {
        let segment = segment.map(crate::bundles::find).transpose()?;
        let classify = classify.map(crate::bundles::find).transpose()?;
        Self::of_bundles(segment.as_ref(), classify.as_ref(), params)
    }

    /// Prepares bundles that are loaded.
    ///
    /// Errors: a bundle for another task; a device that is not there.
    pub(crate) fn of_bundles(
        segment: Option<&Bundle>,
        classify: Option<&Bundle>,
        params: &NetworkParams,
    ) -> Result<Self, EngineError> {
        let isa = params.isa.pin()?;
        let device = match params.device {
            Device::Cpu => "cpu",
            Device::Cuda(_) => "cuda",
            Device::Auto => "auto",
        };
        Ok(Self {
            segmentation: segment
                .map(|bundle| Segmentation::new(bundle, params))
                .transpose()?,
            classification: classify
                .map(|bundle| Classification::new(bundle, params))
                .transpose()?,
            device,
            isa,
        })
    }

    pub(crate) fn segment_id(&self) -> Option<BundleId> {
        self.segmentation.as_ref().map(|s| BundleId {
            name: s.name.clone(),
            digest: s.digest.clone(),
        })
    }

    pub(crate) fn classify_id(&self) -> Option<BundleId> {
        self.classification.as_ref().map(|c| BundleId {
            name: c.name.clone(),
            digest: c.digest.clone(),
        })
    }

    /// Bundle, members in use and draws of the ensembles that are loaded: first the one that finds nuclei.
    pub(crate) fn ensembles(&self) -> Vec<(&str, usize, usize)> {
        let segment = self
            .segmentation
            .as_ref()
            .map(|s| (s.name.as_str(), s.members, s.draws));
        let classify = self.classification.as_ref();
        let classify = classify.map(|c| (c.name.as_str(), c.members.len(), c.draws));
        segment.into_iter().chain(classify).collect()
    }

    pub(crate) fn device_name(&self) -> &str {
        self.device
    }

    /// Instruction set in use on the processor.
    pub(crate) fn isa_name(&self) -> &str {
        self.isa
    }

    pub(crate) fn class_facts(&self) -> Option<ClassFacts> {
        self.classification.as_ref().map(|c| c.facts.clone())
    }

    pub(crate) fn credits(&self) -> Vec<BundleCredit> {
        let segment = self.segmentation.iter().map(|s| s.credit.clone());
        segment
            .chain(self.classification.iter().map(|c| c.credit.clone()))
            .collect()
    }

    /// Bytes that the networks need for one image of that size: their buffers, and the maps of the members.
    pub(crate) fn working_set(&self, (rows, columns): (usize, usize)) -> u64 {
        let segment = self.segmentation.as_ref().map_or(0, |s| {
            let maps = s.members * 2 * size_of::<f32>() * rows * columns;
            // What a GPU needs of this machine's memory is little beside the maps.
            maps + s.segmenter.working_set(rows, columns).unwrap_or(0)
        });
        let classify = self
            .classification
            .as_ref()
            .and_then(|c| c.classifier.working_set());
        // They run one after the other.
        segment.max(classify.unwrap_or(0)) as u64
    }

    /// What `-v` says of it.
    pub(crate) fn working_set_line(&self, (rows, columns): (usize, usize)) -> String {
        let mib = self.working_set((rows, columns)) as f64 / f64::from(1 << 20);
        format!(
            "networks need {mib:.0} MiB for an image of {rows} × {columns} px (instruction set {})",
            self.isa
        )
    }

    /// Finds objects in a normalised nuclear plane; at most `members` members are used.
    ///
    /// Errors: networks that cannot be run.
    pub(crate) fn segment(
        &self,
        normalized: ArrayView2<f32>,
        members: Option<usize>,
    ) -> Result<Segmented, EngineError> {
        self.segment_sized(normalized, members, None)
    }

    /// As [`segment`](Self::segment); with the area of a typical nucleus, pieces are joined and debris is dropped, in
    /// the pooled labels and in each member's alike.
    ///
    /// Errors: networks that cannot be run.
    pub(crate) fn segment_sized(
        &self,
        normalized: ArrayView2<f32>,
        members: Option<usize>,
        typical_area: Option<f64>,
    ) -> Result<Segmented, EngineError> {
        let Some(segmentation) = &self.segmentation else {
            return Err(EngineError::Bundle {
                name: String::new(),
                what: "no bundle that finds nuclei was loaded; name one with --segment-with".to_owned(),
            });
        };
        let members = members.unwrap_or(segmentation.members).min(segmentation.members);
        let members: Vec<usize> = (0..members).collect();
        // One pooled map a member, then one of all: members agree or not, draws only widen a member's own map.
        let MemberMaps { foreground, touch } =
            segmentation
                .segmenter
                .predict_means(normalized, Some(&members), segmentation.draws)?;
        let params = DecodeParams::default();
        let (Some(all_foreground), Some(all_touch)) =
            (mean_map(foreground.outer_iter()), mean_map(touch.outer_iter()))
        else {
            return Ok(Segmented::given(Labels::empty(normalized.dim())));
        };
        let decode = |foreground: ArrayView2<f32>, touch: ArrayView2<f32>| {
            let labels = decode_touch(foreground, touch, &params);
            match typical_area {
                Some(area) => without_fragments(labels, area),
                None => labels,
            }
        };
        let labels = decode(all_foreground.view(), all_touch.view());
        let of_members: Vec<Labels> = if members.len() > 1 {
            foreground
                .outer_iter()
                .zip(touch.outer_iter())
                .map(|(f, t)| decode(f, t))
                .collect()
        } else {
            vec![labels.clone()]
        };
        let agreement = agreement(&labels, &of_members);
        let border_entropy = border_entropy(&labels, all_foreground.view());
        let p_iou = segmentation.p_iou(&p_iou_measures(&labels, all_foreground.view()));
        Ok(Segmented {
            labels,
            agreement: Some(agreement),
            border_entropy: Some(border_entropy),
            p_iou,
        })
    }

    /// Names the objects at `centers` (row, column) of a nuclear plane; `None` without a bundle of classes.
    ///
    /// Crops are scaled to the bundle's by the pixel size where both are known, else by the typical diameter, else not.
    ///
    /// Errors: networks that cannot be run.
    pub(crate) fn classify(
        &self,
        nuclei: ArrayView2<f32>,
        centers: &[(f32, f32)],
        diameter_px: Option<f32>,
        pixel_size_um: Option<f32>,
    ) -> Result<Option<Classified>, EngineError> {
        let Some(classification) = &self.classification else {
            return Ok(None);
        };
        let scale = classification.scale(diameter_px, pixel_size_um);
        let mut crops = Array3::zeros((centers.len(), model::CROP_PX, model::CROP_PX));
        for (mut crop, &center) in crops.outer_iter_mut().zip(centers) {
            crop.assign(&crop_at(nuclei, center, model::CROP_PX, scale));
        }
        classification.classify(crops.view()).map(Some)
    }

    /// Names crops as they are: 64 × 64 pixels, one object in the middle of each.
    ///
    /// Errors: no bundle of classes was loaded; networks that cannot be run.
    pub(crate) fn classify_crops(&self, crops: ArrayView3<f32>) -> Result<Classified, EngineError> {
        match &self.classification {
            Some(classification) => classification.classify(crops),
            None => Err(EngineError::Bundle {
                name: String::new(),
                what: "no bundle of classes was loaded; name one with --bundle".to_owned(),
            }),
        }
    }
}

/// How many members are used.
fn members_used(bundle: &Bundle, params: &NetworkParams) -> usize {
    params
        .members
        .unwrap_or(bundle.weights.len())
        .min(bundle.weights.len())
}

/// Which `n` members are used: those of as many folds as possible, so that few members still have many reference cells.
fn spread_members(folds: &[u32], n: usize) -> Vec<usize> {
    let turn = |member: usize| {
        folds[..member]
            .iter()
            .filter(|&&fold| fold == folds[member])
            .count()
    };
    let mut order: Vec<usize> = (0..folds.len()).collect();
    order.sort_by_key(|&member| (turn(member), member));
    order.truncate(n);
    order.sort_unstable();
    order
}

/// A bundle is what it is asked to be.
fn check_task(bundle: &Bundle, wanted: Task) -> Result<(), EngineError> {
    if bundle.manifest.task == wanted {
        return Ok(());
    }
    Err(EngineError::Model(model::ModelError::WrongTask {
        name: bundle.manifest.name.clone(),
        found: bundle.manifest.task.name(),
        wanted: wanted.name(),
    }))
}

impl Segmentation {
    fn new(bundle: &Bundle, params: &NetworkParams) -> Result<Self, EngineError> {
        check_task(bundle, Task::Segment)?;
        let Trust::Segmentation(trust) = &bundle.trust else {
            return Err(EngineError::Bundle {
                name: bundle.manifest.name.clone(),
                what: "holds no calibration of a segmentation; train it again".to_owned(),
            });
        };
        let segmenter = Segmenter::new(bundle, &params.device.into())?;
        Ok(Self {
            name: bundle.manifest.name.clone(),
            digest: bundle.digest().to_owned(),
            members: members_used(bundle, params),
            draws: params.draws.unwrap_or_else(|| segmenter.draws()),
            segmenter,
            trust: trust.clone(),
            credit: BundleCredit::of(bundle),
        })
    }

    /// Calibrated probabilities of a good outline: a logistic map of what is measured of it. `None` where the bundle does
    /// not hold all three thresholds.
    fn p_iou(&self, measures: &[[f64; 4]]) -> Option<[Vec<f32>; 3]> {
        let map_of = |threshold: f32| {
            let (_, coefficients) = self
                .trust
                .p_iou
                .iter()
                .find(|(t, _)| (t - threshold).abs() < 1e-3)?;
            if coefficients.len() != 4 {
                return None;
            }
            let p = |of_object: &[f64; 4]| {
                let logit: f64 = coefficients
                    .iter()
                    .zip(of_object)
                    .map(|(coefficient, measure)| coefficient * measure)
                    .sum();
                (1.0 / (1.0 + (-logit).exp())) as f32
            };
            Some(measures.iter().map(p).collect())
        };
        Some([
            map_of(THRESHOLDS[0])?,
            map_of(THRESHOLDS[1])?,
            map_of(THRESHOLDS[2])?,
        ])
    }
}

impl Classification {
    fn new(bundle: &Bundle, params: &NetworkParams) -> Result<Self, EngineError> {
        check_task(bundle, Task::Classify)?;
        let manifest = &bundle.manifest;
        let unusable = |what: &str| EngineError::Bundle {
            name: manifest.name.clone(),
            what: what.to_owned(),
        };
        let Trust::Classification(trust) = &bundle.trust else {
            return Err(unusable("holds no calibration of classes; train it again"));
        };
        if manifest.member_folds.len() != bundle.weights.len() {
            return Err(unusable(
                "does not say which fold each member did not see; train it again",
            ));
        }
        let members = spread_members(&manifest.member_folds, members_used(bundle, params));
        let folds: Vec<u32> = members
            .iter()
            .map(|&member| manifest.member_folds[member])
            .collect();
        // A reference cell counts only where a member in use did not see it.
        let reference = &trust.reference;
        let cells: Vec<usize> = (0..reference.label.len())
            .filter(|&cell| folds.contains(&reference.fold[cell]))
            .collect();
        let score =
            |&cell: &usize| 1.0 - f64::from(reference.log_probability[(cell, reference.label[cell])]).exp();
        let conformal = ConformalReference {
            score: cells.iter().map(score).collect(),
            label: cells.iter().map(|&cell| reference.label[cell]).collect(),
            group: cells.iter().map(|&cell| reference.group[cell]).collect(),
            fold: cells.iter().map(|&cell| reference.fold[cell]).collect(),
        };
        let predictor = conformal.prepare(manifest.classes.len(), DEFAULT_ALPHA)?;
        let energy_of = |fold: &u32| {
            let of_fold = cells.iter().filter(|&&cell| reference.fold[cell] == *fold);
            of_fold.map(|&cell| f64::from(reference.energy[cell])).collect()
        };
        let reference_energy = predictor.folds().iter().map(energy_of).collect();
        let classifier = Classifier::new(bundle, &params.device.into())?;
        Ok(Self {
            name: manifest.name.clone(),
            digest: bundle.digest().to_owned(),
            draws: params.draws.unwrap_or_else(|| classifier.draws()),
            classifier,
            classes: manifest.classes.clone(),
            members,
            folds,
            temperature: trust.temperature,
            predictor,
            reference_energy,
            crop_diameter_px: manifest.crop_diameter_px,
            pixel_size_um: manifest.pixel_size_um,
            facts: class_facts(&manifest.classes, trust.temperature, reference),
            credit: BundleCredit::of(bundle),
        })
    }

    /// Source pixels for one pixel of the crop.
    fn scale(&self, diameter_px: Option<f32>, pixel_size_um: Option<f32>) -> f32 {
        let by_pixel_size = self
            .pixel_size_um
            .zip(pixel_size_um)
            .map(|(taught, here)| taught / here);
        let by_diameter = || {
            self.crop_diameter_px
                .zip(diameter_px)
                .map(|(taught, here)| here / taught)
        };
        by_pixel_size
            .or_else(by_diameter)
            .filter(|scale| scale.is_finite() && *scale > 0.0)
            .unwrap_or(1.0)
    }

    fn classify(&self, crops: ArrayView3<f32>) -> Result<Classified, EngineError> {
        let (objects, classes) = (crops.len_of(Axis(0)), self.classes.len());
        if objects == 0 {
            return Ok(Classified {
                classes: self.classes.clone(),
                probability: Array2::zeros((0, classes)),
                total: Array1::zeros(0),
                aleatoric: Array1::zeros(0),
                epistemic: Array1::zeros(0),
                conformal_p: Array2::zeros((0, classes)),
                energy: Vec::new(),
                p_known: Vec::new(),
            });
        }
        let samples = self.classifier.predict(crops, Some(&self.members), self.draws)?;
        let pooled = pool(samples.probability.view());
        let probability = Temperature(self.temperature).apply(pooled.log_probability().view());

        // What the members of each fold say, for the comparison with the cells of that fold.
        let folds = self.predictor.folds();
        let mut of_fold = Array3::<f64>::zeros((folds.len(), objects, classes));
        let mut energy = Array2::<f64>::zeros((objects, folds.len()));
        for (slot, fold) in folds.iter().enumerate() {
            let members: Vec<usize> = (0..self.folds.len())
                .filter(|&member| self.folds[member] == *fold)
                .collect();
            let share = 1.0 / members.len().max(1) as f64;
            let mut mean = of_fold.index_axis_mut(Axis(0), slot);
            for member in members {
                let draws = samples.probability.index_axis(Axis(0), member);
                let weight = share / draws.len_of(Axis(0)).max(1) as f64;
                for draw in draws.outer_iter() {
                    mean.zip_mut_with(&draw, |sum, &p| *sum += weight * f64::from(p));
                }
                for object in 0..objects {
                    energy[(object, slot)] += share * f64::from(samples.energy[(member, object)]);
                }
            }
        }
        let mut conformal_p = Array2::zeros((objects, classes));
        for (object, mut row) in conformal_p.rows_mut().into_iter().enumerate() {
            let p = self.predictor.class_p_values(of_fold.index_axis(Axis(1), object));
            row.assign(&Array1::from_vec(p));
        }
        Ok(Classified {
            classes: self.classes.clone(),
            probability,
            total: pooled.total,
            aleatoric: pooled.aleatoric,
            epistemic: pooled.epistemic,
            conformal_p,
            energy: samples
                .energy
                .columns()
                .into_iter()
                .map(|e| f64::from(e.sum()) / e.len().max(1) as f64)
                .collect(),
            p_known: cross_conformal_p(&self.reference_energy, energy.view()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_members_cover_many_folds() {
        assert_eq!(spread_members(&[1, 1, 2, 2, 3, 3, 4, 4], 4), [0, 2, 4, 6]);
        assert_eq!(spread_members(&[1, 1, 2, 2], 3), [0, 1, 2]);
        assert_eq!(spread_members(&[1, 2, 3], 9), [0, 1, 2]);
    }
}
