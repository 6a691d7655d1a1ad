//! The tracks: the consistent set of links and divisions with the least expected tracking error.
//!
//! Under the marginals every link, and every pair of daughters, has an expected gain: what it saves of the AOGM measure of
//! the Cell Tracking Challenge (Matula et al. 2015, doi:10.1371/journal.pone.0144959; a missing edge costs 1.5, a wrong one
//! 1, one of the wrong kind 1) against leaving it out. The set with the largest total gain in which no object has two origins
//! or two destinies is chosen. Probabilities of rivals sum to one at most, so rivals with gains are few, and their components
//! are solved exactly.

use crate::graph::Graph;
use crate::marginals::Marginals;

/// Cost of an edge of the truth that is missing, of one too many, and of one of the wrong kind.
const MISSING: f64 = 1.5;
const WRONG: f64 = 1.0;
const WRONG_KIND: f64 = 1.0;
/// Largest component that is searched exactly; larger ones are searched with the best `EXACT` rivals first.
const EXACT: usize = 22;
/// Probability below which an object is taken for no cell, if no link or division holds it.
const REAL: f64 = 0.3;

/// A link or a pair, chosen or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Destiny {
    Link(u32),
    Pair(u32),
}

/// The choice.
pub(crate) struct Choice {
    /// For each object the link or pair it goes on by.
    pub destiny: Vec<Option<Destiny>>,
    /// For each object the edge it comes by.
    pub origin: Vec<Option<u32>>,
    /// Whether an object is kept as a cell.
    pub kept: Vec<bool>,
}

struct Item {
    destiny: Destiny,
    gain: f64,
    from: u32,
    to: [u32; 2],
}

/// Chooses.
pub(crate) fn choose(graph: &Graph, m: &Marginals) -> Choice {
    let n = graph.len();
    let excluded = losers_of_conflicts(graph, m);
    let mut items = vec![];
    for i in 0..n {
        let daughters = graph.links(i).end..graph.outgoing(i).end;
        for e in graph.links(i) {
            let to = graph.edges[e].to;
            let as_daughter: f64 = daughters
                .clone()
                .filter(|&d| graph.edges[d].to == to)
                .map(|d| m.edge[d])
                .sum();
            let gain = gain(m.edge[e], as_daughter);
            items.push(Item {
                destiny: Destiny::Link(e as u32),
                gain,
                from: i as u32,
                to: [to, to],
            });
        }
        for p in graph.pairs(i) {
            let edges = graph.pairs[p].edges.map(|e| e as usize);
            let to = edges.map(|e| graph.edges[e].to);
            let total: f64 = edges
                .iter()
                .map(|&e| {
                    let to = graph.edges[e].to;
                    let as_link: f64 = graph
                        .links(i)
                        .filter(|&l| graph.edges[l].to == to)
                        .map(|l| m.edge[l])
                        .sum();
                    gain(m.edge[e], as_link)
                })
                .sum();
            items.push(Item {
                destiny: Destiny::Pair(p as u32),
                gain: total,
                from: i as u32,
                to,
            });
        }
    }
    items.retain(|x| {
        x.gain > 0.0
            && !excluded[x.from as usize]
            && !excluded[x.to[0] as usize]
            && !excluded[x.to[1] as usize]
    });
    let mut choice = Choice {
        destiny: vec![None; n],
        origin: vec![None; n],
        kept: vec![false; n],
    };
    for component in components(n, &items) {
        for k in best_set(&items, &component) {
            choice.take(graph, &items[k]);
        }
    }
    for (i, &lost) in excluded.iter().enumerate() {
        let held = choice.destiny[i].is_some() || choice.origin[i].is_some();
        choice.kept[i] = !lost && (held || m.real[i] >= REAL);
    }
    choice
}

/// Expected saving by an edge that is right as it is with probability `p`, and right but of the other kind with `other`.
fn gain(p: f64, other: f64) -> f64 {
    MISSING * p + (MISSING - WRONG_KIND) * other - WRONG * (1.0 - p - other)
}

impl Choice {
    fn take(&mut self, graph: &Graph, item: &Item) {
        self.destiny[item.from as usize] = Some(item.destiny);
        let edges = match item.destiny {
            Destiny::Link(e) => [e, e],
            Destiny::Pair(p) => graph.pairs[p as usize].edges,
        };
        for e in edges {
            self.origin[graph.edges[e as usize].to as usize] = Some(e);
        }
    }
}

/// Of two hypotheses of one cell the less probable, likeliest objects first.
fn losers_of_conflicts(graph: &Graph, m: &Marginals) -> Vec<bool> {
    let mut lost = vec![false; graph.len()];
    let mut order: Vec<u32> = graph.conflicts.iter().flat_map(|c| [c.0, c.1]).collect();
    order.sort_unstable();
    order.dedup();
    order.sort_by(|&a, &b| m.real[b as usize].total_cmp(&m.real[a as usize]).then(a.cmp(&b)));
    let mut rivals: Vec<(u32, u32)> = graph
        .conflicts
        .iter()
        .flat_map(|&(a, b)| [(a, b), (b, a)])
        .collect();
    rivals.sort_unstable();
    for i in order {
        if lost[i as usize] {
            continue;
        }
        let from = rivals.partition_point(|r| r.0 < i);
        for r in rivals[from..].iter().take_while(|r| r.0 == i) {
            lost[r.1 as usize] = true;
        }
    }
    lost
}

/// Items that compete for objects, directly or through others; items by falling gain.
fn components(n: usize, items: &[Item]) -> Vec<Vec<usize>> {
    // Slots: origin of each object, then destiny of each.
    let mut holder = vec![usize::MAX; 2 * n];
    let mut parent: Vec<usize> = (0..items.len()).collect();
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    for (k, x) in items.iter().enumerate() {
        for slot in [x.to[0] as usize, x.to[1] as usize, n + x.from as usize] {
            if holder[slot] == usize::MAX {
                holder[slot] = k;
            }
            let (a, b) = (root(&mut parent, holder[slot]), root(&mut parent, k));
            parent[a.max(b)] = a.min(b);
        }
    }
    let mut place = vec![usize::MAX; items.len()];
    let mut lists: Vec<Vec<usize>> = vec![];
    for k in 0..items.len() {
        let r = root(&mut parent, k);
        if place[r] == usize::MAX {
            place[r] = lists.len();
            lists.push(vec![]);
        }
        lists[place[r]].push(k);
    }
    for list in &mut lists {
        list.sort_by(|&a, &b| items[b].gain.total_cmp(&items[a].gain).then(a.cmp(&b)));
    }
    lists
}

fn rivals(a: &Item, b: &Item) -> bool {
    a.from == b.from || a.to.iter().any(|t| b.to.contains(t))
}

/// The set of items without rivals that has the largest total gain.
fn best_set(items: &[Item], component: &[usize]) -> Vec<usize> {
    let mut taken: Vec<usize> = vec![];
    let mut rest = component;
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(rest.len().min(EXACT));
        let free: Vec<usize> = head
            .iter()
            .copied()
            .filter(|&k| taken.iter().all(|&t| !rivals(&items[k], &items[t])))
            .collect();
        let mut search = Branch {
            items,
            order: &free,
            best: (0.0, vec![]),
            current: vec![],
        };
        let bound = free.iter().map(|&k| items[k].gain).sum();
        search.run(0, 0.0, bound);
        taken.extend(search.best.1);
        rest = tail;
    }
    taken
}

/// Branch and bound: each item is taken or left, the rest's total gain is the bound.
struct Branch<'a> {
    items: &'a [Item],
    order: &'a [usize],
    best: (f64, Vec<usize>),
    current: Vec<usize>,
}

impl Branch<'_> {
    fn run(&mut self, at: usize, gain: f64, rest: f64) {
        if gain > self.best.0 {
            self.best = (gain, self.current.clone());
        }
        if at == self.order.len() || gain + rest <= self.best.0 {
            return;
        }
        let k = self.order[at];
        let own = self.items[k].gain;
        if self
            .current
            .iter()
            .all(|&t| !rivals(&self.items[k], &self.items[t]))
        {
            self.current.push(k);
            self.run(at + 1, gain + own, rest - own);
            self.current.pop();
        }
        self.run(at + 1, gain, rest - own);
    }
}
