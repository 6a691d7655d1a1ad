//! Entropies and the scores that come straight from logits or probabilities.

/// Shannon entropy -Σ p ln p of one probability vector, in nats; 0 ln 0 = 0. NaN in, NaN out.
pub fn entropy(probability: &[f64]) -> f64 {
    -probability
        .iter()
        .map(|&p| if p == 0.0 { 0.0 } else { p * p.ln() })
        .sum::<f64>()
}

/// [`entropy`] divided by ln(classes): 0 for certainty, 1 for the uniform vector. `None` with fewer than two classes.
pub fn normalized_entropy(probability: &[f64]) -> Option<f64> {
    (probability.len() > 1).then(|| entropy(probability) / (probability.len() as f64).ln())
}

/// 1 - the largest probability (Hendrycks, Gimpel 2017): larger = more novel.
pub fn one_minus_max(probability: &[f64]) -> f64 {
    1.0 - probability.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// ln Σ exp(x), safe for any magnitude; -∞ for an empty slice.
pub fn log_sum_exp(x: &[f64]) -> f64 {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if max.is_infinite() {
        return max;
    }
    max + x.iter().map(|v| (v - max).exp()).sum::<f64>().ln()
}

/// ln softmax(z) of one vector of logits.
pub fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let total = log_sum_exp(logits);
    logits.iter().map(|z| z - total).collect()
}

/// Energy -T ln Σ exp(z/T) of one vector of logits (Liu et al. 2020, equation 4): larger = more novel.
pub fn energy(logits: &[f64], temperature: f64) -> f64 {
    let scaled: Vec<f64> = logits.iter().map(|z| z / temperature).collect();
    -temperature * log_sum_exp(&scaled)
}
