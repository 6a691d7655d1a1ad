//! PCA and k-means (linfa) with seeds, signs and order fixed, and the rule that chooses the number of clusters.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::{KMeans, KMeansInit};
use linfa_reduction::Pca;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rand_chacha::ChaCha8Rng;
use uncertainty::{below, stream, uniform};

use crate::ProfileError;

/// Share of variance that the kept components hold (METHODS.md section 14).
const VARIANCE_KEPT: f64 = 0.95;
/// Components kept at most.
const MAX_COMPONENTS: usize = 10;
/// Starts of k-means++ of the final clustering; the one of least inertia stays.
pub(crate) const STARTS: usize = 10;
/// Starts while the number of clusters is chosen.
const STARTS_TO_CHOOSE: usize = 3;
/// Cells that silhouettes are computed on.
const SILHOUETTE_CELLS: usize = 600;
/// Largest number of clusters tried.
const MAX_CLUSTERS: usize = 8;
/// Bootstraps over wells for the stability of a clustering.
const STABILITY_ROUNDS: usize = 5;
/// Mean adjusted Rand index from which on a clustering is stable (METHODS.md section 14).
const STABLE: f64 = 0.8;

/// Principal components of scaled features.
pub(crate) struct Components {
    /// Components × features, each with a positive largest loading.
    axes: Array2<f64>,
    mean: Array1<f64>,
    /// Share of variance of each kept component.
    pub explained: Vec<f64>,
}

impl Components {
    /// Fits on `cells` (cells × features, more than one of each).
    pub(crate) fn fit(cells: ArrayView2<f64>) -> Result<Self, ProfileError> {
        let (n, d) = cells.dim();
        let failed = |reason: String| ProfileError::Clustering {
            step: "PCA",
            n_cells: n,
            n_features: d,
            reason,
        };
        let pca = Pca::params(d.min(n))
            .fit(&DatasetBase::from(cells.to_owned()))
            .map_err(|error| failed(error.to_string()))?;
        let ratio = pca.explained_variance_ratio();
        let mut kept = 0;
        let mut held = 0.0;
        while kept < ratio.len().min(MAX_COMPONENTS) && (held < VARIANCE_KEPT || kept < 2) {
            held += ratio[kept];
            kept += 1;
        }
        let mut axes = pca.components().slice_axis(Axis(0), (..kept).into()).to_owned();
        for mut axis in axes.axis_iter_mut(Axis(0)) {
            // The sign of a component is arbitrary; the largest loading is made positive.
            let largest = axis
                .iter()
                .copied()
                .reduce(|a, b| if b.abs() > a.abs() { b } else { a })
                .unwrap_or(1.0);
            if largest < 0.0 {
                axis.mapv_inplace(|v| -v);
            }
        }
        if axes.iter().any(|v| !v.is_finite()) {
            return Err(failed("a component is not finite".to_owned()));
        }
        Ok(Self {
            axes,
            mean: pca.mean().clone(),
            explained: ratio.iter().take(kept).copied().collect(),
        })
    }

    /// Cells × components.
    pub(crate) fn project(&self, cells: ArrayView2<f64>) -> Array2<f64> {
        (&cells - &self.mean).dot(&self.axes.t())
    }
}

/// Centroids (clusters × components), largest cluster first.
pub(crate) fn fit_kmeans(
    cells: ArrayView2<f64>,
    k: usize,
    starts: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Array2<f64>, ProfileError> {
    let (n, d) = cells.dim();
    let data = DatasetBase::from(cells.to_owned());
    let mut best: Option<(f64, Array2<f64>)> = None;
    for _ in 0..starts {
        let start = plus_plus(cells, k, rng);
        let fit = KMeans::params(k)
            .init_method(KMeansInit::Precomputed(start))
            .n_runs(1)
            .max_n_iterations(100)
            .tolerance(1e-4)
            .fit(&data)
            .map_err(|error| ProfileError::Clustering {
                step: "k-means",
                n_cells: n,
                n_features: d,
                reason: error.to_string(),
            })?;
        if best.as_ref().is_none_or(|(inertia, _)| fit.inertia() < *inertia) {
            best = Some((fit.inertia(), fit.centroids().clone()));
        }
    }
    let centroids = best.map(|b| b.1).unwrap_or_else(|| Array2::zeros((k, d)));
    let mut size = vec![0_usize; k];
    for c in assign(cells, centroids.view()) {
        size[c] += 1;
    }
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|&a, &b| {
        size[b]
            .cmp(&size[a])
            .then(centroids[[a, 0]].total_cmp(&centroids[[b, 0]]))
    });
    Ok(centroids.select(Axis(0), &order))
}

/// Starting centroids by k-means++ (Arthur, Vassilvitskii 2007).
fn plus_plus(cells: ArrayView2<f64>, k: usize, rng: &mut ChaCha8Rng) -> Array2<f64> {
    let n = cells.nrows();
    let mut chosen = vec![below(rng, n)];
    let mut distance: Vec<f64> = cells
        .outer_iter()
        .map(|c| squared(c, cells.row(chosen[0])))
        .collect();
    while chosen.len() < k {
        let total: f64 = distance.iter().sum();
        let mut target = uniform(rng) * total;
        let next = distance.iter().position(|d| {
            target -= d;
            target < 0.0
        });
        let next = next.unwrap_or_else(|| below(rng, n));
        chosen.push(next);
        for (d, cell) in distance.iter_mut().zip(cells.outer_iter()) {
            *d = d.min(squared(cell, cells.row(next)));
        }
    }
    cells.select(Axis(0), &chosen)
}

fn squared(a: ArrayView1<f64>, b: ArrayView1<f64>) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// Nearest centroid of each cell.
pub(crate) fn assign(cells: ArrayView2<f64>, centroids: ArrayView2<f64>) -> Vec<usize> {
    cells
        .outer_iter()
        .map(|cell| {
            let mut best = (f64::INFINITY, 0);
            for (c, centroid) in centroids.outer_iter().enumerate() {
                let d = squared(cell, centroid);
                if d < best.0 {
                    best = (d, c);
                }
            }
            best.1
        })
        .collect()
}

/// A number of clusters with the reason for it.
pub(crate) struct Chosen {
    pub k: usize,
    pub silhouette: Option<f64>,
    pub stability: Option<f64>,
}

/// Chooses k: of 2 to 8, the largest mean silhouette among those whose clustering is stable over well bootstraps (mean
/// adjusted Rand index ≥ 0.8); the largest silhouette of all when none is stable.
///
/// `well`: well of each cell.
pub(crate) fn choose_k(cells: ArrayView2<f64>, well: &[usize], seed: u64) -> Result<Chosen, ProfileError> {
    let n = cells.nrows();
    let most = MAX_CLUSTERS.min(n / 20);
    if most < 2 {
        return Ok(Chosen {
            k: 1,
            silhouette: None,
            stability: None,
        });
    }
    let sample = evenly(n, SILHOUETTE_CELLS);
    let few = cells.select(Axis(0), &sample);
    let mut names: Vec<usize> = well.to_vec();
    names.sort_unstable();
    names.dedup();
    let mut tried = Vec::new();
    for k in 2..=most {
        let base = fit_kmeans(
            cells,
            k,
            STARTS_TO_CHOOSE,
            &mut stream(seed, &format!("k-means/{k}")),
        )?;
        let labels = assign(few.view(), base.view());
        let silhouette = silhouette(few.view(), &labels, k);
        let mut agreement = 0.0;
        for round in 0..STABILITY_ROUNDS {
            let mut rng = stream(seed, &format!("k-means stability/{k}/{round}"));
            let mut copies = vec![0_usize; names.len()];
            for _ in 0..names.len() {
                copies[below(&mut rng, names.len())] += 1;
            }
            let rows: Vec<usize> = (0..n)
                .flat_map(|i| std::iter::repeat_n(i, names.binary_search(&well[i]).map_or(0, |w| copies[w])))
                .collect();
            if rows.len() < k {
                continue;
            }
            let again = fit_kmeans(cells.select(Axis(0), &rows).view(), k, STARTS_TO_CHOOSE, &mut rng)?;
            agreement += adjusted_rand(&labels, &assign(few.view(), again.view()));
        }
        tried.push((k, silhouette, agreement / STABILITY_ROUNDS as f64));
    }
    let best = |of: &[(usize, f64, f64)]| of.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
    let stable: Vec<_> = tried.iter().copied().filter(|t| t.2 >= STABLE).collect();
    let (k, silhouette, stability) = best(&stable).or_else(|| best(&tried)).unwrap_or((1, 0.0, 0.0));
    Ok(Chosen {
        k,
        silhouette: Some(silhouette),
        stability: Some(stability),
    })
}

/// At most `most` of 0..n, evenly spaced.
pub(crate) fn evenly(n: usize, most: usize) -> Vec<usize> {
    let take = n.min(most);
    (0..take).map(|i| i * n / take).collect()
}

/// Mean silhouette width (Rousseeuw 1987); a cell alone in its cluster counts 0.
pub(crate) fn silhouette(cells: ArrayView2<f64>, label: &[usize], k: usize) -> f64 {
    let mut size = vec![0.0; k];
    for &l in label {
        size[l] += 1.0;
    }
    let mut sum = 0.0;
    for (cell, &own) in cells.outer_iter().zip(label) {
        let mut distance = vec![0.0; k];
        for (other, &l) in cells.outer_iter().zip(label) {
            distance[l] += squared(cell, other).sqrt();
        }
        if size[own] < 2.0 {
            continue;
        }
        let inside = distance[own] / (size[own] - 1.0);
        let outside = (0..k)
            .filter(|&c| c != own && size[c] > 0.0)
            .map(|c| distance[c] / size[c])
            .fold(f64::INFINITY, f64::min);
        if outside.is_finite() && inside.max(outside) > 0.0 {
            sum += (outside - inside) / inside.max(outside);
        }
    }
    sum / label.len().max(1) as f64
}

/// Adjusted Rand index of two labelings (Hubert, Arabie 1985); 1 when both put all cells into one cluster.
fn adjusted_rand(a: &[usize], b: &[usize]) -> f64 {
    let (ka, kb) = (
        a.iter().max().map_or(0, |m| m + 1),
        b.iter().max().map_or(0, |m| m + 1),
    );
    let mut table = Array2::<f64>::zeros((ka, kb));
    for (&x, &y) in a.iter().zip(b) {
        table[[x, y]] += 1.0;
    }
    let pairs = |n: f64| n * (n - 1.0) / 2.0;
    let index: f64 = table.iter().map(|&n| pairs(n)).sum();
    let rows: f64 = table.sum_axis(Axis(1)).iter().map(|&n| pairs(n)).sum();
    let columns: f64 = table.sum_axis(Axis(0)).iter().map(|&n| pairs(n)).sum();
    let expected = rows * columns / pairs(a.len() as f64).max(1.0);
    let most = (rows + columns) / 2.0;
    if most > expected {
        (index - expected) / (most - expected)
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three groups of cells on a plane, 40 cells each, in eight wells.
    fn three_groups() -> (Array2<f64>, Vec<usize>) {
        let mut rng = stream(5, "three groups");
        let centers = [[0.0, 0.0, 1.0], [9.0, 0.0, -1.0], [0.0, 9.0, 0.0]];
        let cells = Array2::from_shape_fn((120, 3), |(i, j)| centers[i / 40][j] + uniform(&mut rng) - 0.5);
        (cells, (0..120).map(|i| i % 8).collect())
    }

    #[test]
    fn three_groups_are_found_and_found_again() {
        let (cells, well) = three_groups();
        let components = Components::fit(cells.view()).unwrap();
        let on_axes = components.project(cells.view());
        let chosen = choose_k(on_axes.view(), &well, 1).unwrap();
        assert_eq!(chosen.k, 3);
        let first = fit_kmeans(on_axes.view(), 3, STARTS, &mut stream(1, "a")).unwrap();
        let label = assign(on_axes.view(), first.view());
        let truth: Vec<usize> = (0..120).map(|i| i / 40).collect();
        assert!(adjusted_rand(&label, &truth) > 0.999);
        assert_eq!(
            first,
            fit_kmeans(on_axes.view(), 3, STARTS, &mut stream(1, "a")).unwrap()
        );
    }

    #[test]
    fn the_adjusted_rand_index_is_one_for_renamed_labels_and_the_published_value_otherwise() {
        assert!((adjusted_rand(&[0, 0, 1, 1], &[1, 1, 0, 0]) - 1.0).abs() < 1e-12);
        // scikit-learn's documentation: adjusted_rand_score([0, 0, 1, 2], [0, 0, 1, 1]) = 0.57…
        assert!((adjusted_rand(&[0, 0, 1, 2], &[0, 0, 1, 1]) - 4.0 / 7.0).abs() < 1e-12);
    }

    #[test]
    fn components_keep_distances_on_the_plane_of_the_data() {
        let (cells, _) = three_groups();
        let components = Components::fit(cells.view()).unwrap();
        assert!(components.explained[0] >= components.explained[1]);
        let on_axes = components.project(cells.view());
        let full: f64 = squared(cells.row(0), cells.row(119));
        let kept = squared(on_axes.row(0), on_axes.row(119));
        assert!(kept <= full + 1e-9 && kept > 0.9 * full, "{kept} of {full}");
    }
}
