//! Positions outside an image, mirrored into it.

/// Index into 0..n of any position, reflected at both ends; the border pixel is counted once.
pub(crate) fn reflect(index: i64, n: usize) -> usize {
    if n == 1 {
        return 0;
    }
    let n = n as i64;
    let period = 2 * (n - 1);
    let folded = index.rem_euclid(period);
    (if folded < n { folded } else { period - folded }) as usize
}

#[cfg(test)]
mod tests {
    use super::reflect;

    #[test]
    fn reflection_repeats_no_border_pixel() {
        let indices: Vec<usize> = (-3..8).map(|i| reflect(i, 4)).collect();
        assert_eq!(indices, [3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]);
    }
}
