//! The loss of the segmentation network: one pass over the maps, value and gradient together.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::tensors::contiguous;

/// Maps that the network predicts: foreground, touch, ring, distance.
const MAPS: usize = 4;
/// Pixel weight of the foreground's cross-entropy is 1 + this × touch.
const TOUCH_PIXEL_WEIGHT: f32 = 3.0;
/// Weight of the positive class of the touch map's cross-entropy.
const TOUCH_POSITIVE_WEIGHT: f32 = 3.0;
/// Share of the soft Dice loss.
const DICE_WEIGHT: f32 = 0.5;
/// Dice smoothing, in pixels.
const DICE_SMOOTH: f32 = 1.0;
/// Weight and corner of the distance map's smooth L1.
const DISTANCE_WEIGHT: f32 = 4.0;
const DISTANCE_BETA: f32 = 0.1;

/// True maps of a batch in the order of the head's channels: channel = 4 × (sub-row × 2 + sub-column) + map.
#[derive(Clone, Debug)]
pub struct SegmentationTargets {
    /// Values in [0, 1], the length of the logits: (batch, rows / 2, columns / 2, 16) flattened.
    pub values: Vec<f32>,
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// -log sigmoid(x), without overflow.
fn softplus_negative(x: f32) -> f32 {
    (-x).max(0.0) + (-x.abs()).exp().ln_1p()
}

struct SegmentationLoss {
    targets: Vec<f32>,
    gradient: Mutex<Vec<f32>>,
}

/// Loss and its gradient by the logits.
fn loss_and_gradient(logits: &[f32], targets: &[f32]) -> (f64, Vec<f32>) {
    let pixels = (logits.len() / MAPS) as f32;
    let mut gradient = vec![0.0; logits.len()];
    let mut probability = vec![0.0; logits.len()];
    let mut cross_entropy = [0.0f64; MAPS];
    let (mut overlap, mut sum_p, mut sum_t) = ([0.0f64; MAPS], [0.0f64; MAPS], [0.0f64; MAPS]);
    for (index, (logit, truth)) in logits
        .chunks_exact(MAPS)
        .zip(targets.chunks_exact(MAPS))
        .enumerate()
    {
        let at = index * MAPS;
        for map in 0..MAPS - 1 {
            let (x, t) = (logit[map], truth[map]);
            let p = sigmoid(x);
            let (pixel, positive) = match map {
                0 => (1.0 + TOUCH_PIXEL_WEIGHT * truth[1], 1.0),
                1 => (1.0, TOUCH_POSITIVE_WEIGHT),
                _ => (1.0, 1.0),
            };
            let loss = positive * t * softplus_negative(x) + (1.0 - t) * softplus_negative(-x);
            cross_entropy[map] += f64::from(pixel * loss);
            gradient[at + map] = pixel * ((1.0 - t) * p - positive * t * (1.0 - p)) / pixels;
            probability[at + map] = p;
            overlap[map] += f64::from(p * t);
            sum_p[map] += f64::from(p);
            sum_t[map] += f64::from(t);
        }
        let p = sigmoid(logit[3]);
        let error = p - truth[3];
        let (value, slope) = if error.abs() < DISTANCE_BETA {
            (0.5 * error * error / DISTANCE_BETA, error / DISTANCE_BETA)
        } else {
            (error.abs() - 0.5 * DISTANCE_BETA, error.signum())
        };
        cross_entropy[3] += f64::from(DISTANCE_WEIGHT * value);
        gradient[at + 3] = DISTANCE_WEIGHT * slope * p * (1.0 - p) / pixels;
    }
    let mut total: f64 = cross_entropy.iter().map(|sum| sum / f64::from(pixels)).sum();
    for map in 0..MAPS - 1 {
        let numerator = 2.0 * overlap[map] + f64::from(DICE_SMOOTH);
        let denominator = sum_p[map] + sum_t[map] + f64::from(DICE_SMOOTH);
        total += f64::from(DICE_WEIGHT) * (1.0 - numerator / denominator);
        let (by_overlap, by_sum) = (
            (2.0 / denominator) as f32,
            (numerator / (denominator * denominator)) as f32,
        );
        for (at, truth) in (map..logits.len())
            .step_by(MAPS)
            .zip(targets.iter().skip(map).step_by(MAPS))
        {
            let p = probability[at];
            gradient[at] -= DICE_WEIGHT * (by_overlap * truth - by_sum) * p * (1.0 - p);
        }
    }
    (total, gradient)
}

impl CustomOp1 for SegmentationLoss {
    fn name(&self) -> &'static str {
        "phenosure-segmentation-loss"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let logits = contiguous(storage, layout, self.name())?;
        if logits.len() != self.targets.len() || !logits.len().is_multiple_of(MAPS) {
            candle_core::bail!(
                "segmentation loss: {} logits, {} targets",
                logits.len(),
                self.targets.len()
            )
        }
        let (loss, gradient) = loss_and_gradient(logits, &self.targets);
        if let Ok(mut kept) = self.gradient.lock() {
            *kept = gradient;
        }
        Ok((CpuStorage::F32(vec![loss as f32]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let kept = match self.gradient.lock() {
            Ok(mut kept) => std::mem::take(&mut *kept),
            Err(poisoned) => std::mem::take(&mut *poisoned.into_inner()),
        };
        let scale = f64::from(gradient.to_scalar::<f32>()?);
        Ok(Some(
            Tensor::from_vec(kept, logits.shape(), logits.device())?.affine(scale, 0.0)?,
        ))
    }
}

/// Cross-entropy + 0.5 × (1 - soft Dice) of foreground, touch and ring, and smooth L1 of the distance, averaged over
/// the batch's pixels; a scalar, differentiable by the logits once.
///
/// Shapes: `logits` (batch, rows / 2, columns / 2, 16) in the order of [`SegmentationTargets`].
/// The foreground's pixels weigh 1 + 3 × touch, touching borders count 3 times.
/// Errors: lengths that do not fit.
pub fn segmentation_loss(logits: &Tensor, targets: &SegmentationTargets) -> Result<Tensor> {
    if logits.device().is_cpu() {
        let op = SegmentationLoss {
            targets: targets.values.clone(),
            gradient: Mutex::default(),
        };
        return logits.contiguous()?.apply_op1(op);
    }
    segmentation_loss_reference(logits, targets)
}

/// The same loss composed of candle's operations: used on a GPU and as the test's second opinion.
///
/// Errors: lengths that do not fit.
pub fn segmentation_loss_reference(logits: &Tensor, targets: &SegmentationTargets) -> Result<Tensor> {
    let flat = logits.reshape(((), MAPS))?;
    let truth = Tensor::from_vec(targets.values.clone(), flat.shape(), logits.device())?;
    let pixels = flat.dim(0)? as f64;
    let mut total: Option<Tensor> = None;
    let mut add = |term: Tensor| -> Result<()> {
        total = Some(match total.take() {
            Some(sum) => (sum + term)?,
            None => term,
        });
        Ok(())
    };
    for map in 0..MAPS {
        let (x, t) = (flat.narrow(1, map, 1)?, truth.narrow(1, map, 1)?);
        let p = sigmoid_tensor(&x)?;
        if map == MAPS - 1 {
            let error = (&p - &t)?.abs()?;
            let beta = f64::from(DISTANCE_BETA);
            let near = error.sqr()?.affine(0.5 / beta, 0.0)?;
            let far = error.affine(1.0, -0.5 * beta)?;
            let value = error.lt(beta)?.where_cond(&near, &far)?;
            add(value
                .sum_all()?
                .affine(f64::from(DISTANCE_WEIGHT) / pixels, 0.0)?)?;
            continue;
        }
        let positive = if map == 1 {
            f64::from(TOUCH_POSITIVE_WEIGHT)
        } else {
            1.0
        };
        let log_p = p.log()?;
        let log_q = p.affine(-1.0, 1.0)?.log()?;
        let loss = ((&t * &log_p)?.affine(-positive, 0.0)? - (t.affine(-1.0, 1.0)? * log_q)?)?;
        let loss = if map == 0 {
            (loss
                * truth
                    .narrow(1, 1, 1)?
                    .affine(f64::from(TOUCH_PIXEL_WEIGHT), 1.0)?)?
        } else {
            loss
        };
        add(loss.sum_all()?.affine(1.0 / pixels, 0.0)?)?;
        let smooth = f64::from(DICE_SMOOTH);
        let numerator = (&p * &t)?.sum_all()?.affine(2.0, smooth)?;
        let denominator = (p.sum_all()? + t.sum_all()?)?.affine(1.0, smooth)?;
        let weight = f64::from(DICE_WEIGHT);
        add((numerator / denominator)?.affine(-weight, weight)?)?;
    }
    match total {
        Some(total) => Ok(total),
        None => candle_core::bail!("segmentation loss: no maps"),
    }
}

fn sigmoid_tensor(x: &Tensor) -> Result<Tensor> {
    x.neg()?.exp()?.affine(1.0, 1.0)?.recip()
}
