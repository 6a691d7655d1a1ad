//! The cheapest one-to-one matching of two sides of which only near pairs may meet.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Cost of leaving a row alone: above any sum of distances, so that as many rows as possible are matched.
const ALONE: f64 = 1e6;

/// An entry of the frontier, nearest first; ties by column, so that the answer never depends on the heap.
#[derive(PartialEq)]
struct Reach(f64, usize);

impl Eq for Reach {}

impl PartialOrd for Reach {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Reach {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.total_cmp(&self.0).then(other.1.cmp(&self.1))
    }
}

/// The matching with the most pairs and, among those, the least total cost.
///
/// `near[row]`: (column, cost) of the pairs that are allowed, costs from 0 and small against a million; `columns`: their number. Returns the column of
/// each row. Method: shortest augmenting paths with potentials (Jonker, Volgenant 1987) on the sparse graph.
pub(super) fn match_near(near: &[Vec<(usize, f64)>], columns: usize) -> Vec<Option<usize>> {
    // Column `columns + row` is the row's own place to stay alone.
    let wide = columns + near.len();
    let mut row_of: Vec<Option<usize>> = vec![None; wide];
    let mut column_of: Vec<Option<usize>> = vec![None; near.len()];
    let mut potential = vec![0.0; wide];
    let mut distance = vec![f64::INFINITY; wide];
    let mut from = vec![usize::MAX; wide];
    for start in 0..near.len() {
        let mut touched = Vec::new();
        let mut settled: Vec<(usize, f64)> = Vec::new();
        let mut done = std::collections::BTreeSet::new();
        let mut heap = BinaryHeap::new();
        let (mut row, mut base) = (start, 0.0);
        let end = loop {
            // Edges out of `row`, relative to the edge that the row is matched by now.
            let own =
                column_of[row].map_or(0.0, |column| cost(near, columns, row, column) - potential[column]);
            let edges = near[row].iter().copied().chain([(columns + row, ALONE)]);
            for (column, cost) in edges {
                let reach = base + cost - potential[column] - own;
                if reach < distance[column] && !done.contains(&column) {
                    distance[column] = reach;
                    from[column] = row;
                    touched.push(column);
                    heap.push(Reach(reach, column));
                }
            }
            let Some(Reach(reach, column)) = heap.pop() else {
                break None;
            };
            if done.contains(&column) || reach > distance[column] {
                // An older, longer way to a column: settled or improved since. The row stays, its edges are known.
                continue;
            }
            done.insert(column);
            settled.push((column, reach));
            match row_of[column] {
                None => break Some((column, reach)),
                Some(next) => (row, base) = (next, reach),
            }
        };
        if let Some((mut column, length)) = end {
            for &(settled, reach) in &settled {
                potential[settled] += reach - length;
            }
            loop {
                let row = from[column];
                let left = column_of[row].replace(column);
                row_of[column] = Some(row);
                if row == start {
                    break;
                }
                column = left.unwrap_or(column);
            }
        }
        for column in touched {
            distance[column] = f64::INFINITY;
        }
    }
    column_of
        .into_iter()
        .map(|column| column.filter(|&column| column < columns))
        .collect()
}

fn cost(near: &[Vec<(usize, f64)>], columns: usize, row: usize, column: usize) -> f64 {
    if column >= columns {
        return ALONE;
    }
    near[row]
        .iter()
        .find(|(at, _)| *at == column)
        .map_or(ALONE, |(_, cost)| *cost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uncertainty::{below, stream, uniform};

    /// Most pairs, then least cost, by trying everything.
    fn exhaustive(near: &[Vec<(usize, f64)>], taken: &mut Vec<usize>) -> (i32, f64) {
        let Some((first, rest)) = near.split_first() else {
            return (0, 0.0);
        };
        let mut best = exhaustive(rest, taken);
        for &(column, cost) in first {
            if !taken.contains(&column) {
                taken.push(column);
                let (pairs, sum) = exhaustive(rest, taken);
                taken.pop();
                if pairs + 1 > best.0 || (pairs + 1 == best.0 && sum + cost < best.1) {
                    best = (pairs + 1, sum + cost);
                }
            }
        }
        best
    }

    #[test]
    fn small_problems_are_solved_as_by_trying_everything() {
        let mut rng = stream(3, "assignment");
        for case in 0..400 {
            let (rows, columns) = (1 + below(&mut rng, 6), 1 + below(&mut rng, 6));
            let density = uniform(&mut rng);
            let near: Vec<Vec<(usize, f64)>> = (0..rows)
                .map(|_| {
                    let wanted: Vec<usize> = (0..columns).filter(|_| uniform(&mut rng) < density).collect();
                    wanted
                        .into_iter()
                        .map(|column| (column, 8.0 * uniform(&mut rng)))
                        .collect()
                })
                .collect();
            let found = match_near(&near, columns);
            let pairs: Vec<(usize, usize)> = found
                .iter()
                .enumerate()
                .filter_map(|(row, column)| Some((row, (*column)?)))
                .collect();
            let mut used: Vec<usize> = pairs.iter().map(|pair| pair.1).collect();
            used.sort_unstable();
            used.dedup();
            assert_eq!(used.len(), pairs.len(), "case {case}: a column twice");
            let sum: f64 = pairs
                .iter()
                .map(|&(row, column)| cost(&near, columns, row, column))
                .sum();
            let (most, least) = exhaustive(&near, &mut Vec::new());
            assert_eq!(pairs.len() as i32, most, "case {case}");
            assert!((sum - least).abs() < 1e-9, "case {case}: {sum} {least}");
        }
    }
}
