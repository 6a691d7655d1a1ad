//! Positions of cells in frames in which they were missed.

/// A position between two known ones, `part` of the way from the first.
pub(crate) fn between(a: [f64; 2], b: [f64; 2], part: f64) -> [f64; 2] {
    [a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])]
}

/// Where a daughter was who is first seen one frame after her sister: between her own next place and the mirror image of
/// her sister about their mother.
///
/// The mirror image errs by twice the midpoint's wandering, the next place by one step; the nearer guess gets the greater weight.
pub(crate) fn late_daughter(mother: [f64; 2], sister: [f64; 2], next: [f64; 2]) -> [f64; 2] {
    let mirror = [2.0 * mother[0] - sister[0], 2.0 * mother[1] - sister[1]];
    between(mirror, next, 2.0 / 3.0)
}
