//! Named random streams: the only source of randomness of the statistics.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// Odd constant of the SplitMix64 sequence (2^64 / golden ratio).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection in which every input bit reaches every output bit.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A generator that depends on the seed and the name alone: the same pair gives the same numbers on every machine,
/// for any number of threads and whatever was drawn elsewhere before.
///
/// Name a stream after what it is drawn for and where (`"bootstrap/z_prime/plate 3"`), so that two uses never share numbers.
pub fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    for (lane, bytes) in (1_u64..).zip(key.chunks_exact_mut(8)) {
        // Every lane absorbs the seed, the length and each byte of the name through the mixer.
        let start = mix(mix(seed.wrapping_add(lane.wrapping_mul(GOLDEN))) ^ name.len() as u64);
        let word = name
            .bytes()
            .fold(start, |h, b| mix(h.wrapping_add(GOLDEN) ^ u64::from(b)));
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// One number uniform on [0, 1), with 53 random bits.
pub fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
    (rng.next_u64() >> 11) as f64 * STEP
}

/// One whole number uniform on 0..n, without modulo bias (Lemire 2019).
///
/// Panics when `n` is 0.
pub fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    assert!(n > 0, "there is no whole number below 0");
    let n = n as u64;
    let reject = n.wrapping_neg() % n;
    loop {
        let wide = u128::from(rng.next_u64()) * u128::from(n);
        if wide as u64 >= reject {
            return (wide >> 64) as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_gives_the_same_numbers_and_another_name_others() {
        let draw = |seed, name| stream(seed, name).next_u64();
        assert_eq!(draw(7, "bootstrap"), draw(7, "bootstrap"));
        assert_ne!(draw(7, "bootstrap"), draw(8, "bootstrap"));
        assert_ne!(draw(7, "bootstrap"), draw(7, "bootstraq"));
        assert_ne!(draw(7, "ab"), draw(7, "ba"));
        assert_ne!(draw(7, ""), draw(7, "\0"));
    }

    #[test]
    fn the_numbers_stay_the_same_from_version_to_version() {
        // Results of old runs must be reproducible: a change here is a change of every bootstrap interval.
        let mut rng = stream(1, "frozen");
        let first: Vec<u64> = (0..2).map(|_| rng.next_u64()).collect();
        assert_eq!(first, [1_448_746_221_800_747_616, 3_607_248_147_079_545_714]);
    }

    #[test]
    fn below_is_even_over_its_range() {
        let mut rng = stream(3, "below");
        let mut seen = [0_u32; 6];
        for _ in 0..60_000 {
            seen[below(&mut rng, 6)] += 1;
        }
        // 10 000 each, standard deviation 91.
        assert!(seen.iter().all(|&n| (9_600..10_400).contains(&n)), "{seen:?}");
    }

    #[test]
    fn uniform_stays_below_one_and_has_mean_one_half() {
        let mut rng = stream(4, "uniform");
        let draws: Vec<f64> = (0..40_000).map(|_| uniform(&mut rng)).collect();
        assert!(draws.iter().all(|u| (0.0..1.0).contains(u)));
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        assert!((mean - 0.5).abs() < 0.006, "{mean}");
    }
}
