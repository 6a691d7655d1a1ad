//! The doubt that belief propagation does not see: two cells that may have changed places.
//!
//! Where two cells compete for two objects and nothing else is open, the Bethe approximation takes the better of the two assignments for certain (for a
//! 2 × 2 permanent its value is the larger product; Vontobel 2013, doi:10.1109/TIT.2012.2227109). The odds of such an exchange
//! are therefore counted exactly, all else as chosen, and the larger of the two doubts holds.

use crate::decode::{Choice, Destiny};
use crate::graph::Graph;
use crate::marginals::Marginals;

/// Probabilities of all edges after exchanges of two cells are counted.
pub(crate) fn with_exchanges(graph: &Graph, m: &Marginals, choice: &Choice) -> Vec<f64> {
    let mut edge = m.edge.clone();
    for i in 0..graph.len() {
        let Some(Destiny::Link(own)) = choice.destiny[i] else {
            continue;
        };
        let own = own as usize;
        let p = m.edge[own].clamp(1e-9, 1.0);
        // Odds of all that is not this link, those of rival links apart.
        let links = graph.links(i);
        let rivals: f64 = links.clone().filter(|&e| e != own).map(|e| m.edge[e]).sum();
        let mut against = ((1.0 - p - rivals) / p).max(0.0);
        let mut odds = vec![];
        for e in links.filter(|&e| e != own) {
            let exchanged = exchange(graph, choice, own, e).unwrap_or(0.0);
            let rival = (m.edge[e] / p).max(exchanged);
            against += rival;
            odds.push((e, rival));
        }
        edge[own] = 1.0 / (1.0 + against);
        for (e, rival) in odds {
            edge[e] = edge[e].max(rival * edge[own]);
        }
    }
    edge
}

/// Odds that the cell of link `own` went on by `other` and the cell whose place that takes went on in its stead; `None` if that
/// is no simple exchange.
fn exchange(graph: &Graph, choice: &Choice, own: usize, other: usize) -> Option<f64> {
    let (i, j) = (graph.edges[own].from as usize, graph.edges[own].to as usize);
    let rival_to = graph.edges[other].to as usize;
    let theirs = choice.origin[rival_to]? as usize;
    let rival_from = graph.edges[theirs].from as usize;
    if rival_from == i || choice.destiny[rival_from] != Some(Destiny::Link(theirs as u32)) {
        return None;
    }
    let back = graph
        .links(rival_from)
        .find(|&e| graph.edges[e].to as usize == j)?;
    let column = |e: usize| 1 + e - graph.links(graph.edges[e].from as usize).start;
    let leaves = |o: usize, new: usize, old: usize| {
        let row = origin_row(graph, choice, o);
        ratio(graph, o, (row, column(new)), (row, column(old)))
    };
    let reaches = |o: usize, new: usize, old: usize| {
        let destiny = destiny_column(graph, choice, o);
        ratio(
            graph,
            o,
            (row_of(graph, o, new), destiny),
            (row_of(graph, o, old), destiny),
        )
    };
    Some(
        leaves(i, other, own)
            * leaves(rival_from, back, theirs)
            * reaches(j, back, own)
            * reaches(rival_to, other, theirs),
    )
}

fn ratio(graph: &Graph, object: usize, new: (usize, usize), old: (usize, usize)) -> f64 {
    let (table, width) = graph.table(object);
    let at = |(row, column): (usize, usize)| f64::from(table[row * width + column]);
    at(new) / at(old).max(1e-300)
}

fn row_of(graph: &Graph, object: usize, edge: usize) -> usize {
    graph
        .incoming(object)
        .iter()
        .position(|&e| e as usize == edge)
        .map_or(0, |k| k + 1)
}

fn origin_row(graph: &Graph, choice: &Choice, object: usize) -> usize {
    choice.origin[object].map_or(0, |e| row_of(graph, object, e as usize))
}

fn destiny_column(graph: &Graph, choice: &Choice, object: usize) -> usize {
    let links = graph.links(object);
    match choice.destiny[object] {
        None => 0,
        Some(Destiny::Link(e)) => 1 + e as usize - links.start,
        Some(Destiny::Pair(p)) => 1 + links.len() + p as usize - graph.pairs(object).start,
    }
}
