//! How sure a segmentation is of each object.

use ndarray::{Array2, ArrayView2};

use crate::distance::{Beyond, distance_transform};
use crate::labels::Labels;
use crate::matching::match_one_to_one;

/// IoU from which a member counts as having found the object.
pub const FOUND_AT_IOU: f32 = 0.5;

/// Distance from the border of an object, in pixels, that its border band reaches to both sides.
pub const BORDER_BAND_PX: f32 = 2.0;

/// For each object of `pooled`: the share of members that found it × the mean IoU with their match, in [0, 1].
///
/// A member found it when a one-to-one matching at IoU ≥ [`FOUND_AT_IOU`] gives it a partner; the mean runs over the
/// members that did. No member, or none that found it: 0.
///
/// # Panics
/// If the shapes differ.
pub fn agreement(pooled: &Labels, members: &[Labels]) -> Vec<f32> {
    let n = pooled.n as usize;
    let (mut found, mut iou_sum) = (vec![0u32; n], vec![0f32; n]);
    for member in members {
        for (label, _, iou) in match_one_to_one(pooled, member, FOUND_AT_IOU) {
            found[label as usize - 1] += 1;
            iou_sum[label as usize - 1] += iou;
        }
    }
    let score = |(&found, &sum): (&u32, &f32)| match found {
        0 => 0.0,
        _ => found as f32 / members.len() as f32 * (sum / found as f32),
    };
    found.iter().zip(&iou_sum).map(score).collect()
}

/// For each object: the mean binary entropy of `foreground` in a band of ±[`BORDER_BAND_PX`] around its border, in nats.
///
/// The band holds the object's pixels up to that distance from outside and the pixels of others up to that distance
/// from the object. `foreground` is a probability map; values are cut to [0, 1] and NaN counts as 0.5 (fully unsure).
///
/// # Panics
/// If the shapes differ.
pub fn border_entropy(labels: &Labels, foreground: ArrayView2<f32>) -> Vec<f32> {
    let shape = labels.shape();
    assert_eq!(
        foreground.dim(),
        shape,
        "labels and foreground must have the same shape"
    );
    let of_object = |(index, bounds): (usize, &crate::labels::PixelBox)| {
        let window = bounds.grown(BORDER_BAND_PX as usize + 1, shape);
        let mask = window.of(labels.map.view()).mapv(|l| l == index as u32 + 1);
        let to_outside = distance_transform(mask.view(), Beyond::Unknown);
        let to_object = distance_transform(mask.mapv(|m| !m).view(), Beyond::Unknown);
        let (mut sum, mut count) = (0f64, 0u32);
        for (pixel, &p) in window.of(foreground).indexed_iter() {
            if to_outside[pixel].max(to_object[pixel]) <= BORDER_BAND_PX {
                sum += binary_entropy(p);
                count += 1;
            }
        }
        // Only an object that fills the whole image has no border.
        if count == 0 {
            0.0
        } else {
            (sum / f64::from(count)) as f32
        }
    };
    labels.boxes().iter().enumerate().map(of_object).collect()
}

/// For each object: the mean of `map` over its pixels.
///
/// # Panics
/// If the shapes differ.
pub fn mean_inside(labels: &Labels, map: ArrayView2<f32>) -> Vec<f32> {
    assert_eq!(
        map.dim(),
        labels.shape(),
        "labels and map must have the same shape"
    );
    let mut sums = vec![(0f64, 0u32); labels.n as usize];
    for (&label, &value) in labels.map.iter().zip(&map) {
        if label > 0 {
            let (sum, count) = &mut sums[label as usize - 1];
            *sum += f64::from(value);
            *count += 1;
        }
    }
    sums.iter()
        .map(|&(sum, count)| (sum / f64::from(count)) as f32)
        .collect()
}

/// The mean of several maps of one shape; `None` without any.
pub fn mean_map<'a>(maps: impl IntoIterator<Item = ArrayView2<'a, f32>>) -> Option<Array2<f32>> {
    let mut maps = maps.into_iter();
    let mut sum = maps.next()?.to_owned();
    let mut n = 1.0;
    for map in maps {
        sum += &map;
        n += 1.0;
    }
    Some(sum / n)
}

/// −p ln p − (1 − p) ln(1 − p), in nats.
fn binary_entropy(p: f32) -> f64 {
    let p = if p.is_nan() {
        0.5
    } else {
        f64::from(p.clamp(0.0, 1.0))
    };
    let term = |x: f64| if x > 0.0 { -x * x.ln() } else { 0.0 };
    term(p) + term(1.0 - p)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn agreement_is_share_times_mean_iou() {
        let pooled = Labels::relabel(array![[1, 1, 1, 1, 0, 2, 2]]);
        let same = pooled.clone();
        let shorter = Labels::relabel(array![[1, 1, 1, 0, 0, 0, 0]]);
        let nothing = Labels::empty((1, 7));
        let a = agreement(&pooled, &[same, shorter, nothing]);
        assert!((a[0] - 2.0 / 3.0 * 0.875).abs() < 1e-6, "{a:?}");
        assert!((a[1] - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(agreement(&pooled, &[]), vec![0.0, 0.0]);
    }

    #[test]
    fn border_band_ignores_the_core() {
        let map = Array2::from_shape_fn((30, 30), |(r, c)| {
            u32::from((5..25).contains(&r) && (5..25).contains(&c))
        });
        let labels = Labels::relabel(map.clone());
        let sure = map.mapv(|l| l as f32);
        assert_eq!(border_entropy(&labels, sure.view()), vec![0.0]);
        let mut unsure_core = sure.clone();
        let core = crate::labels::PixelBox {
            row0: 10,
            col0: 10,
            row1: 20,
            col1: 20,
        };
        core.of_mut(unsure_core.view_mut()).fill(0.5);
        assert_eq!(border_entropy(&labels, unsure_core.view()), vec![0.0]);
        let e = border_entropy(&labels, Array2::from_elem((30, 30), 0.5).view())[0];
        assert!((e - std::f32::consts::LN_2).abs() < 1e-6);
        // A band that is unsure on the inner two pixels only: 20² − 16² of (20² − 16²) + outer band pixels.
        let inner = Array2::from_shape_fn((30, 30), |p| if map[p] == 1 { 0.5 } else { 0.0 });
        let inside = 400.0 - 256.0;
        let outside = 4.0 * 2.0 * 20.0 + 4.0;
        let expected = std::f32::consts::LN_2 * inside / (inside + outside);
        assert!((border_entropy(&labels, inner.view())[0] - expected).abs() < 1e-5);
    }

    #[test]
    fn means_inside() {
        let labels = Labels::relabel(array![[1, 1, 0, 2]]);
        let means = mean_inside(&labels, array![[0.2, 0.4, 9.0, 0.5f32]].view());
        assert!((means[0] - 0.3).abs() < 1e-6 && means[1] == 0.5);
        assert_eq!(
            mean_map([array![[1.0f32]].view(), array![[2.0f32]].view()]).unwrap(),
            array![[1.5]]
        );
    }
}
