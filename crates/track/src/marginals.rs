//! Marginal probabilities of every link, division and object: belief propagation on the graph of a movie.
//!
//! Messages along an edge are odds: how much likelier all on one side of it is if the edge is used than if it is not. Sweeps
//! forward and backward in time make this a smoother (as forward–backward in a hidden Markov chain) that is exact on
//! chains and trees. Where tracks compete for objects the graph has loops; there the fixed point is the Bethe
//! approximation, which for assignment problems is close to the exact marginals and always reached
//! (Williams and Lau 2014, doi:10.1109/TAES.2014.120568; Vontobel 2013, doi:10.1109/TIT.2012.2227109).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::prelude::*;

use crate::graph::Graph;

/// Sweeps in each direction at most.
const SWEEPS: usize = 40;
/// Relative change of a message that still matters.
const TOLERANCE: f64 = 1e-3;
/// Sweeps after which messages are damped.
const FREE_SWEEPS: usize = 12;
/// Messages stay between this and its inverse.
const SMALLEST: f64 = 1e-30;

/// Marginals of a graph.
pub(crate) struct Marginals {
    /// Probability of each edge (a daughter edge: that it is used by some pair).
    pub edge: Vec<f64>,
    /// Probability of each pair.
    pub pair: Vec<f64>,
    /// Probability that an object is real.
    pub real: Vec<f64>,
    /// Probability that an object is real and the first of its cell.
    pub begins: Vec<f64>,
    /// Probability that an object is real and the last of its cell.
    pub ends: Vec<f64>,
}

/// A number that the solver of one component writes: components share no message, so plain loads and stores suffice.
struct Cell(AtomicU64);

impl Cell {
    fn new(v: f64) -> Self {
        Self(AtomicU64::new(v.to_bits()))
    }
    #[inline]
    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
    #[inline]
    fn set(&self, v: f64) {
        self.0.store(v.to_bits(), Ordering::Relaxed);
    }
}

struct Solver<'a> {
    graph: &'a Graph,
    /// Odds from the earlier object of an edge to the later, and back.
    forward: Vec<Cell>,
    backward: Vec<Cell>,
    /// Odds of being real that the two objects of a conflict tell each other: `[2 c]` from the first.
    conflict: Vec<Cell>,
    conflicts_of: Vec<Vec<(u32, bool)>>,
    dirty: Vec<AtomicBool>,
}

/// Room for one object's sums.
#[derive(Default)]
struct Scratch {
    come: Vec<f64>,
    go: Vec<f64>,
    rows: Vec<f64>,
    columns: Vec<f64>,
}

/// Computes the marginals of a graph.
pub(crate) fn marginals(graph: &Graph) -> Marginals {
    let n = graph.len();
    let cells = |count: usize| (0..count).map(|_| Cell::new(1.0)).collect::<Vec<_>>();
    let mut conflicts_of = vec![];
    if !graph.conflicts.is_empty() {
        conflicts_of = vec![vec![]; n];
        for (c, &(a, b)) in graph.conflicts.iter().enumerate() {
            conflicts_of[a as usize].push((c as u32, true));
            conflicts_of[b as usize].push((c as u32, false));
        }
    }
    let solver = Solver {
        graph,
        forward: cells(graph.edges.len()),
        backward: cells(graph.edges.len()),
        conflict: cells(2 * graph.conflicts.len()),
        conflicts_of,
        dirty: (0..n).map(|_| AtomicBool::new(true)).collect(),
    };
    let components = components(graph);
    components
        .par_iter()
        .with_min_len(64)
        .for_each(|objects| solver.solve(objects));
    solver.beliefs()
}

impl Solver<'_> {
    fn solve(&self, objects: &[u32]) {
        let mut room = Scratch::default();
        for sweep in 0..SWEEPS {
            let damping = if sweep < FREE_SWEEPS { 0.0 } else { 0.5 };
            let mut busy = false;
            for &i in objects {
                busy |= self.update(i as usize, damping, &mut room);
            }
            for &i in objects.iter().rev() {
                busy |= self.update(i as usize, damping, &mut room);
            }
            if !busy {
                break;
            }
        }
    }

    /// Odds that other hypotheses of the cell leave to this object, but for one conflict.
    fn allowed(&self, i: usize, but: Option<u32>) -> f64 {
        let Some(list) = self.conflicts_of.get(i) else {
            return 1.0;
        };
        let mut odds = 1.0;
        for &(c, first) in list {
            if Some(c) != but {
                let other = self.conflict[2 * c as usize + usize::from(first)].get();
                odds /= 1.0 + other;
            }
        }
        odds
    }

    /// Fills sums over rows and columns; returns their total.
    fn sums(&self, i: usize, room: &mut Scratch) -> f64 {
        let g = self.graph;
        let (table, width) = g.table(i);
        room.come.clear();
        room.come.push(1.0);
        room.come
            .extend(g.incoming(i).iter().map(|&e| self.forward[e as usize].get()));
        room.go.clear();
        room.go.push(1.0);
        room.go.extend(g.links(i).map(|e| self.backward[e].get()));
        room.go.extend(g.pairs(i).map(|p| {
            let [a, b] = g.pairs[p].edges;
            self.backward[a as usize].get() * self.backward[b as usize].get()
        }));
        room.rows.clear();
        room.columns.clear();
        room.columns.resize(width, 0.0);
        let mut total = 0.0;
        for (row, come) in table.chunks_exact(width).zip(&room.come) {
            let mut sum = 0.0;
            for ((&w, &go), column) in row.iter().zip(&room.go).zip(&mut room.columns) {
                let w = f64::from(w);
                sum += w * go;
                *column += w * come;
            }
            room.rows.push(sum);
            total += come * sum;
        }
        total
    }

    /// Recomputes the messages of an object; true if one changed.
    fn update(&self, i: usize, damping: f64, room: &mut Scratch) -> bool {
        if !self.dirty[i].swap(false, Ordering::Relaxed) {
            return false;
        }
        let g = self.graph;
        let total = self.sums(i, room);
        let f = g.false_weight[i] / self.allowed(i, None);
        let mut changed = false;
        let others = |terms: &dyn Fn(usize) -> f64, n: usize, own: usize| -> f64 {
            let rest = total - terms(own);
            if rest > 1e-6 * total {
                rest
            } else {
                (0..n).filter(|&k| k != own).map(terms).sum()
            }
        };
        let come_term = |k: usize| room.come[k] * room.rows[k];
        for (k, &e) in g.incoming(i).iter().enumerate() {
            let odds = room.rows[k + 1] / (f + others(&come_term, room.come.len(), k + 1));
            changed |= self.send(
                &self.backward[e as usize],
                odds,
                damping,
                g.edges[e as usize].from,
            );
        }
        let go_term = |k: usize| room.go[k] * room.columns[k];
        let links = g.links(i);
        for (k, e) in links.clone().enumerate() {
            let odds = room.columns[k + 1] / (f + others(&go_term, room.go.len(), k + 1));
            changed |= self.send(&self.forward[e], odds, damping, g.edges[e].to);
        }
        let pairs = g.pairs(i);
        if !pairs.is_empty() {
            let first = 1 + links.len();
            for e in links.end..g.outgoing(i).end {
                let (mut with, mut without) = (0.0, f);
                for k in 0..room.go.len() {
                    let [a, b] = if k < first {
                        [u32::MAX; 2]
                    } else {
                        g.pairs[pairs.start + k - first].edges
                    };
                    if a as usize == e {
                        with += room.columns[k] * self.backward[b as usize].get();
                    } else if b as usize == e {
                        with += room.columns[k] * self.backward[a as usize].get();
                    } else {
                        without += go_term(k);
                    }
                }
                changed |= self.send(&self.forward[e], with / without, damping, g.edges[e].to);
            }
        }
        if let Some(list) = self.conflicts_of.get(i) {
            for &(c, first) in list {
                let odds = total * self.allowed(i, Some(c)) / g.false_weight[i];
                let (a, b) = g.conflicts[c as usize];
                let (slot, other) = if first {
                    (2 * c as usize, b)
                } else {
                    (2 * c as usize + 1, a)
                };
                changed |= self.send(&self.conflict[slot], odds, damping, other);
            }
        }
        changed
    }

    fn send(&self, slot: &Cell, odds: f64, damping: f64, receiver: u32) -> bool {
        let old = slot.get();
        let mut new = odds.clamp(SMALLEST, 1.0 / SMALLEST);
        if damping > 0.0 {
            new = (damping * old.ln() + (1.0 - damping) * new.ln()).exp();
        }
        slot.set(new);
        let changed = (new - old).abs() > TOLERANCE * old;
        if changed {
            self.dirty[receiver as usize].store(true, Ordering::Relaxed);
        }
        changed
    }

    fn beliefs(&self) -> Marginals {
        let g = self.graph;
        let mut m = Marginals {
            edge: vec![0.0; g.edges.len()],
            pair: vec![0.0; g.pairs.len()],
            real: vec![0.0; g.len()],
            begins: vec![0.0; g.len()],
            ends: vec![0.0; g.len()],
        };
        let mut room = Scratch::default();
        for i in 0..g.len() {
            let total = self.sums(i, &mut room);
            let all = total + g.false_weight[i] / self.allowed(i, None);
            m.real[i] = total / all;
            m.begins[i] = room.rows[0] / all;
            m.ends[i] = room.columns[0] / all;
            let links = g.links(i);
            for (k, e) in links.clone().enumerate() {
                m.edge[e] = room.columns[k + 1] * room.go[k + 1] / all;
            }
            for (k, p) in g.pairs(i).enumerate() {
                let at = 1 + links.len() + k;
                m.pair[p] = room.columns[at] * room.go[at] / all;
                for e in g.pairs[p].edges {
                    m.edge[e as usize] += m.pair[p];
                }
            }
        }
        m
    }
}

/// Objects that hang together, each list in time order.
fn components(graph: &Graph) -> Vec<Vec<u32>> {
    let mut parent: Vec<u32> = (0..graph.len() as u32).collect();
    fn root(parent: &mut [u32], mut i: u32) -> u32 {
        while parent[i as usize] != i {
            parent[i as usize] = parent[parent[i as usize] as usize];
            i = parent[i as usize];
        }
        i
    }
    let joints = graph
        .edges
        .iter()
        .map(|e| (e.from, e.to))
        .chain(graph.conflicts.iter().copied());
    for (a, b) in joints {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        let (low, high) = (a.min(b), a.max(b));
        parent[high as usize] = low;
    }
    let mut place = vec![u32::MAX; graph.len()];
    let mut lists: Vec<Vec<u32>> = vec![];
    for i in 0..graph.len() as u32 {
        let r = root(&mut parent, i) as usize;
        if place[r] == u32::MAX {
            place[r] = lists.len() as u32;
            lists.push(vec![]);
        }
        lists[place[r] as usize].push(i);
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidates::Search;
    use crate::decode::choose;
    use crate::model::Model;
    use crate::scene::Scene;
    use crate::swaps::with_exchanges;
    use crate::{Detections, appearance::Appearance};

    /// Marginals of edges and objects by listing every configuration of the graph.
    fn by_listing(graph: &Graph) -> (Vec<f64>, Vec<f64>) {
        struct Listing<'a> {
            graph: &'a Graph,
            used: Vec<bool>,
            real: Vec<bool>,
            edge: Vec<f64>,
            object: Vec<f64>,
            total: f64,
        }
        impl Listing<'_> {
            fn run(&mut self, i: usize, weight: f64) {
                let g = self.graph;
                if i == g.len() {
                    self.total += weight;
                    for e in 0..self.used.len() {
                        self.edge[e] += if self.used[e] { weight } else { 0.0 };
                    }
                    for k in 0..self.real.len() {
                        self.object[k] += if self.real[k] { weight } else { 0.0 };
                    }
                    return;
                }
                let coming: Vec<usize> = (0..g.incoming(i).len())
                    .filter(|&k| self.used[g.incoming(i)[k] as usize])
                    .collect();
                if coming.is_empty() {
                    self.run(i + 1, weight * g.false_weight[i]);
                }
                if coming.len() > 1 {
                    return;
                }
                let row = coming.first().map_or(0, |k| k + 1);
                let (table, width) = g.table(i);
                self.real[i] = true;
                for column in 0..width {
                    let w = f64::from(table[row * width + column]);
                    let links = g.links(i);
                    let edges: Vec<usize> = if column == 0 {
                        vec![]
                    } else if column <= links.len() {
                        vec![links.start + column - 1]
                    } else {
                        let p = g.pairs(i).start + column - 1 - links.len();
                        g.pairs[p].edges.iter().map(|&e| e as usize).collect()
                    };
                    edges.iter().for_each(|&e| self.used[e] = true);
                    self.run(i + 1, weight * w);
                    edges.iter().for_each(|&e| self.used[e] = false);
                }
                self.real[i] = false;
            }
        }
        let n = graph.edges.len();
        let mut all = Listing {
            graph,
            used: vec![false; n],
            real: vec![false; graph.len()],
            edge: vec![0.0; n],
            object: vec![0.0; graph.len()],
            total: 0.0,
        };
        all.run(0, 1.0);
        let share = |v: Vec<f64>| v.into_iter().map(|x| x / all.total).collect();
        (share(all.edge), share(all.object))
    }

    fn graph_of(frames: &[Vec<(f64, f64)>], divide: f64) -> Graph {
        let mut detections = Detections::from_points(frames);
        detections.field = Some((200.0, 200.0));
        let scene = Scene::new(&detections);
        let mut model = Model::prior(&scene, 4.0, 2, Appearance::new(&detections, &scene));
        model.divide = divide;
        let found = Search::new(&scene, &model, 0..frames.len(), None, divide > 0.0).run();
        Graph::build(&scene, &model, 0..frames.len(), &found, &[], &[])
    }

    fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn exact_where_one_cell_is_missed_in_between() {
        let graph = graph_of(&[vec![(50.0, 50.0)], vec![(58.0, 50.0)], vec![(52.0, 51.0)]], 0.0);
        let (edge, real) = by_listing(&graph);
        let m = marginals(&graph);
        assert!(graph.edges.len() >= 3, "{:?}", graph.edges);
        assert!(largest_difference(&m.edge, &edge) < 0.02, "{:?} {edge:?}", m.edge);
        assert!(largest_difference(&m.real, &real) < 0.02, "{:?} {real:?}", m.real);
    }

    #[test]
    fn close_to_exact_where_two_cells_may_change_places() {
        let frames = [
            vec![(50.0, 50.0), (56.0, 50.0)],
            vec![(52.0, 53.0), (54.0, 51.0)],
            vec![(51.0, 53.0), (60.0, 52.0)],
        ];
        let graph = graph_of(&frames, 0.0);
        let (edge, _) = by_listing(&graph);
        let m = marginals(&graph);
        let found = with_exchanges(&graph, &m, &choose(&graph, &m));
        // Something must be open, or the test says nothing.
        assert!(edge.iter().any(|&p| (0.1..0.9).contains(&p)), "{edge:?}");
        assert!(largest_difference(&found, &edge) < 0.03, "{found:?} {edge:?}");
    }

    #[test]
    fn close_to_exact_with_a_division() {
        let frames = [
            vec![(50.0, 50.0), (75.0, 50.0)],
            vec![(46.0, 50.0), (55.0, 51.0), (74.0, 52.0)],
            vec![(45.0, 50.0), (57.0, 51.0), (75.0, 51.0)],
        ];
        let graph = graph_of(&frames, 0.01);
        assert!(!graph.pairs.is_empty());
        let (edge, _) = by_listing(&graph);
        let m = marginals(&graph);
        assert!(largest_difference(&m.edge, &edge) < 0.06, "{:?} {edge:?}", m.edge);
    }

    #[test]
    fn of_two_hypotheses_of_a_cell_one_is_real() {
        let mut graph = graph_of(
            &[
                vec![(50.0, 50.0)],
                vec![(51.0, 50.0), (54.0, 50.0)],
                vec![(51.0, 51.0)],
            ],
            0.0,
        );
        graph.conflicts = vec![(1, 2)];
        graph.false_weight[1] = 1.0;
        graph.false_weight[2] = 1.0;
        let m = marginals(&graph);
        assert!(m.real[1] + m.real[2] < 1.02, "{:?}", m.real);
        assert!(m.real[1] > 0.8 && m.real[2] < 0.2, "{:?}", m.real);
    }
}
