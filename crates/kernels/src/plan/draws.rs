//! Many draws of a whole-channel dropout for little more than one.
//!
//! Where a convolution reads a map plus a masked upsampled map, its products are linear in the masked channels: those of all
//! channels are computed once, and each draw takes away the products of the few channels that it drops. A draw's result
//! depends on its own mask alone, not on the draws beside it.

use super::packing::WinogradWeights;
use super::step::{Step, Steps, Term};
use super::vector::{BLOCK, Simd};
use super::winograd_input::vanishes_upsampled;

/// Most draws whose results are held at once.
pub(crate) const AT_ONCE: usize = 16;

/// The step that all masks go through, if draws can share its products.
pub(crate) fn shared_step(steps: &Steps) -> Option<usize> {
    let index = steps.shared;
    if steps.steps.len() != index + 1 {
        return None;
    }
    let Step::Convolve {
        view,
        winograd: true,
        head: Some(_),
        ..
    } = &steps.steps[index]
    else {
        return None;
    };
    let [source] = &view[..] else { return None };
    // Twice the blocks must be transformed at once.
    (source.lanes.blocks() <= 4 && terms(&source.terms).is_some()).then_some(index)
}

/// The map as it is, the upsampled map and its slot.
pub(crate) fn terms(terms: &[Term]) -> Option<(Term, Term, usize)> {
    let plain = terms.iter().find(|term| !term.upsampled && term.mask.is_none())?;
    let upsampled = terms.iter().find(|term| term.upsampled)?;
    Some((*plain, *upsampled, upsampled.mask?))
}

/// The factor of all channels that a draw keeps, if the others have none.
pub(crate) fn kept_factor(factors: &[f32]) -> Option<f32> {
    let kept = *factors.iter().find(|&&factor| factor != 0.0)?;
    factors
        .iter()
        .all(|&factor| factor == 0.0 || factor == kept)
        .then_some(kept)
}

/// One draw of a step whose products are shared.
pub(crate) struct Draw {
    /// Lanes of the masked map that it drops.
    pub dropped: Vec<usize>,
    /// Where its results go: planes of the first image.
    pub planes: *mut f32,
}

// SAFETY: an address; tasks write to different pixels.
unsafe impl Send for Draw {}
// SAFETY: as above.
unsafe impl Sync for Draw {}

/// Products of one tile and block of outputs without those of the dropped channels, as (position, 16) into `to`.
///
/// # Safety
/// `m` and `v` must be the products and transforms of the tile, as [`super::winograd`] lays them out, with the upsampled map's
/// blocks from `weights.plain` on; `to` must hold 36 × 16 values.
#[inline(always)]
pub(crate) unsafe fn without<S: Simd>(
    s: S,
    weights: &WinogradWeights,
    dropped: &[usize],
    (m, m_stride): (*const f32, usize),
    (v, v_block, v_stride): (*const f32, usize, usize),
    (group, block, starts): (usize, usize, &[(usize, usize); 25]),
    to: *mut f32,
) {
    let width = weights.groups[group].blocks * BLOCK;
    for lane in (0..BLOCK).step_by(S::LANES) {
        // SAFETY: the caller's promise; weights of the group hold all inputs at positions that do not vanish.
        unsafe {
            for position in 0..36 {
                let product = s.load(m.add(position * m_stride + lane));
                s.store(to.add(position * BLOCK + lane), product);
            }
            for &channel in dropped {
                let input = weights.plain * BLOCK + channel;
                let v = v.add(input / BLOCK * v_block + channel % BLOCK);
                let b = weights.values.pointer().add(block * BLOCK + lane + input * width);
                for &(position, start) in starts {
                    let at = to.add(position * BLOCK + lane);
                    let value = s.splat(*v.add(position * v_stride));
                    s.store(at, s.fnma(value, s.load(b.add(start)), s.load(at)));
                }
            }
        }
    }
}

/// Positions that do not vanish, with the start of the group's weights there.
pub(crate) fn starts(weights: &WinogradWeights, group: usize) -> [(usize, usize); 25] {
    let mut starts = [(0, 0); 25];
    let positions = (0..36).filter(|&position| !vanishes_upsampled(position));
    for (to, position) in starts.iter_mut().zip(positions) {
        *to = (position, weights.starts[position * weights.groups.len() + group]);
    }
    starts
}
