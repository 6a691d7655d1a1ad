//! The assignment problem: which row goes with which column.

/// One column per row so that the summed gain is greatest; pairs as (row, column), ordered by row.
///
/// `gains` is rows × columns (equal lengths, finite, ≥ 0); min(rows, columns) pairs are returned, pairs of gain 0 included.
/// Cost: cubic in the larger side. Source: Kuhn 1955 with potentials (Jonker & Volgenant 1987, doi 10.1007/BF02278710).
pub(crate) fn best_assignment(gains: &[Vec<f64>]) -> Vec<(usize, usize)> {
    let rows = gains.len();
    let cols = gains.first().map_or(0, Vec::len);
    let n = rows.max(cols);
    if rows == 0 || cols == 0 {
        return Vec::new();
    }
    let cost = |r: usize, c: usize| if r < rows && c < cols { -gains[r][c] } else { 0.0 };
    // Index 0 of the column arrays is a helper column; rows and columns count from 1.
    let (mut u, mut v) = (vec![0.0; n + 1], vec![0.0; n + 1]);
    let mut row_of = vec![0usize; n + 1];
    let mut way = vec![0usize; n + 1];
    for row in 1..=n {
        row_of[0] = row;
        let mut col = 0;
        let mut least = vec![f64::INFINITY; n + 1];
        let mut used = vec![false; n + 1];
        loop {
            used[col] = true;
            let current = row_of[col];
            let (mut delta, mut next) = (f64::INFINITY, 0);
            for c in 1..=n {
                if used[c] {
                    continue;
                }
                let reduced = cost(current - 1, c - 1) - u[current] - v[c];
                if reduced < least[c] {
                    least[c] = reduced;
                    way[c] = col;
                }
                if least[c] < delta {
                    delta = least[c];
                    next = c;
                }
            }
            for c in 0..=n {
                if used[c] {
                    u[row_of[c]] += delta;
                    v[c] -= delta;
                } else {
                    least[c] -= delta;
                }
            }
            col = next;
            if row_of[col] == 0 {
                break;
            }
        }
        while col != 0 {
            let previous = way[col];
            row_of[col] = row_of[previous];
            col = previous;
        }
    }
    let mut pairs: Vec<(usize, usize)> = (1..=cols)
        .filter(|&c| row_of[c] <= rows)
        .map(|c| (row_of[c] - 1, c - 1))
        .collect();
    pairs.sort_unstable();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(gains: &[Vec<f64>], pairs: &[(usize, usize)]) -> f64 {
        pairs.iter().map(|&(r, c)| gains[r][c]).sum()
    }

    /// Greatest sum over all ways to give the rows different columns (or none).
    fn brute(gains: &[Vec<f64>], row: usize, taken: &mut Vec<bool>) -> f64 {
        if row == gains.len() {
            return 0.0;
        }
        let mut best = brute(gains, row + 1, taken);
        for c in 0..taken.len() {
            if !taken[c] {
                taken[c] = true;
                best = best.max(gains[row][c] + brute(gains, row + 1, taken));
                taken[c] = false;
            }
        }
        best
    }

    #[test]
    fn equals_brute_force() {
        let mut state = 99u64;
        for case in 0..80 {
            let (rows, cols) = (1 + case % 5, 1 + case / 5 % 6);
            let mut next = || {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (state >> 40) as f64 / (1u64 << 24) as f64
            };
            let gains: Vec<Vec<f64>> = (0..rows)
                .map(|_| {
                    (0..cols)
                        .map(|_| if next() < 0.4 { 0.0 } else { 1.0 + next() })
                        .collect()
                })
                .collect();
            let pairs = best_assignment(&gains);
            assert_eq!(pairs.len(), rows.min(cols));
            let expected = brute(&gains, 0, &mut vec![false; cols]);
            assert!((total(&gains, &pairs) - expected).abs() < 1e-9, "{gains:?}");
        }
    }
}
