//! Memory of a run, planned once: which map lies where, and how large everything is before anything is allocated.
//!
//! A map is (image, block of channels, row, column, 16) with a border of zeros around each plane. Borders are written when the
//! workspace is made and never again, so maps share memory only if they have the same shape.

use std::alloc::{Layout as AllocationLayout, alloc, dealloc, handle_alloc_error};

use super::bands::{Band, Bands};
use super::step::{MapId, Steps};
use super::vector::BLOCK;
use crate::graph::MapShape;

/// Floats aligned to cache lines (to huge pages where they are large), zero at first.
pub(crate) struct Buffer {
    start: *mut f32,
    len: usize,
}

// SAFETY: a buffer owns its memory; who writes to it through a pointer answers for the order.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

const HUGE_PAGE: usize = 2 << 20;

impl Buffer {
    pub fn zeroed(len: usize) -> Self {
        let len = len.max(BLOCK);
        let layout = Self::layout(len);
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc(layout) }.cast::<f32>();
        if start.is_null() {
            handle_alloc_error(layout);
        }
        ask_for_huge_pages(start.cast(), layout.size());
        // SAFETY: the memory was just allocated with this length; zero bits are the float 0.
        unsafe { start.write_bytes(0, len) };
        Self { start, len }
    }

    pub fn from_slice(values: &[f32]) -> Self {
        let mut buffer = Self::zeroed(values.len());
        buffer.as_mut_slice()[..values.len()].copy_from_slice(values);
        buffer
    }

    fn layout(len: usize) -> AllocationLayout {
        let bytes = Self::bytes(len);
        let align = if bytes >= HUGE_PAGE { HUGE_PAGE } else { 64 };
        AllocationLayout::from_size_align(bytes, align).expect("a length that memory can hold")
    }

    /// Bytes of a buffer of this many values: whole huge pages, unless it is small.
    pub fn bytes(len: usize) -> usize {
        let bytes = 4 * len.max(BLOCK);
        if bytes >= HUGE_PAGE / 8 {
            bytes.next_multiple_of(HUGE_PAGE)
        } else {
            bytes
        }
    }

    pub fn pointer(&self) -> *mut f32 {
        self.start
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: the buffer owns `len` initialised floats and is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated by `zeroed` with the same layout.
        unsafe { dealloc(self.start.cast(), Self::layout(self.len)) }
    }
}

/// Fewer, larger pages: the transforms write to 36 places at once, more than a small page table cache holds.
fn ask_for_huge_pages(start: *mut u8, bytes: usize) {
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    if bytes >= HUGE_PAGE {
        unsafe extern "C" {
            fn madvise(
                start: *mut core::ffi::c_void,
                bytes: usize,
                advice: core::ffi::c_int,
            ) -> core::ffi::c_int;
        }
        const MADV_HUGEPAGE: core::ffi::c_int = 14;
        // SAFETY: the range was just allocated; the advice changes no contents, and a refusal changes nothing.
        unsafe { madvise(start.cast(), bytes, MADV_HUGEPAGE) };
    }
    #[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
    let _ = (start, bytes);
}

/// Where a blocked map lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Geometry {
    pub rows: usize,
    pub columns: usize,
    /// Blocks of sixteen channels.
    pub blocks: usize,
}

impl Geometry {
    fn padded(n: usize) -> usize {
        // One zero before; after, as many as the last 4 × 4 tile's window reaches.
        n.next_multiple_of(4) + 2
    }

    /// Values from a row to the next.
    pub fn row(self) -> usize {
        Self::padded(self.columns) * BLOCK
    }

    /// Values from a block of channels to the next: an odd number of lines, so that blocks fall into different cache sets.
    pub fn plane(self) -> usize {
        ((Self::padded(self.rows) * Self::padded(self.columns)) | 1) * BLOCK
    }

    /// Values from an image to the next.
    pub fn image(self) -> usize {
        self.plane() * self.blocks
    }

    /// Value of the first pixel inside the border.
    pub fn origin(self) -> usize {
        self.row() + BLOCK
    }
}

/// A map in memory: pointer to the first pixel of the first block of the first image, and strides in values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub origin: *mut f32,
    pub image: usize,
    pub plane: usize,
    pub row: usize,
    pub rows: usize,
    pub columns: usize,
}

impl Place {
    /// First pixel of a block of an image.
    #[inline(always)]
    pub fn block(&self, image: usize, block: usize) -> *mut f32 {
        self.origin.wrapping_add(image * self.image + block * self.plane)
    }
}

// SAFETY: a place is an address; the steps that share one write to disjoint pixels of it.
unsafe impl Send for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

/// Where everything of a run lies, in values from the start of one buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub batch: usize,
    pub rows: usize,
    pub columns: usize,
    maps: Vec<(usize, Geometry)>,
    /// Workers that the bands are made for.
    pub workers: usize,
    pub bands: Bands,
    /// The planar image with its zeros, for a first layer with kernels of up to this half width.
    pub image: usize,
    pub image_border: usize,
    pub outputs: Vec<(usize, MapShape)>,
    /// Values of the buffer.
    pub total: usize,
    /// Values that each worker needs besides.
    pub scratch: usize,
}

/// Columns that a first-layer kernel may read past the end of a row.
const OVERRUN: usize = 64;

impl Layout {
    pub fn new(
        steps: &Steps,
        shapes: &[MapShape],
        batch: usize,
        image_border: Option<usize>,
        scratch: usize,
        workers: usize,
    ) -> Self {
        let bands = Bands::new(steps, shapes, batch, workers);
        let images = |map: MapId| if bands.keep(map) { bands.images } else { batch };
        let image_shape = shapes[0];
        let geometry = |map: MapId| Geometry {
            rows: shapes[steps.maps[map].node.0].rows,
            columns: shapes[steps.maps[map].node.0].columns,
            blocks: steps.maps[map].lanes.blocks(),
        };
        let mut last_read = vec![0; steps.maps.len()];
        for (index, step) in steps.steps.iter().enumerate() {
            for map in step.reads() {
                // What all draws read must outlive all of them.
                let shared = index >= steps.shared && !steps.maps[map].drawn;
                last_read[map] = if shared { usize::MAX } else { index };
            }
        }
        let mut total = 0;
        // Steps of a band write to what earlier steps of the same band have read, whatever the order of bands.
        let mut free: Vec<(Geometry, usize, usize)> = Vec::new();
        let mut maps: Vec<(usize, Geometry)> = (0..steps.maps.len()).map(|map| (0, geometry(map))).collect();
        for (index, step) in steps.steps.iter().enumerate() {
            let written = step.writes();
            for &map in &written {
                let (geometry, images) = (maps[map].1, images(map));
                let found = free
                    .iter()
                    .position(|other| (other.0, other.1) == (geometry, images));
                maps[map].0 = match found {
                    Some(found) => free.swap_remove(found).2,
                    None => {
                        let start = total;
                        total += (geometry.image() * images).next_multiple_of(1024) + BLOCK;
                        start
                    }
                };
            }
            let mut done: Vec<MapId> = step.reads().into_iter().chain(written).collect();
            done.sort_unstable();
            done.dedup();
            for map in done {
                if last_read[map] <= index {
                    free.push((maps[map].1, images(map), maps[map].0));
                }
            }
        }
        let image = total;
        let border = image_border.unwrap_or(0);
        if image_border.is_some() {
            let plane = (image_shape.rows + 2 * border) * (image_shape.columns + 2 * border);
            total += (batch * steps.image_channels * plane + OVERRUN * 2).next_multiple_of(BLOCK);
        }
        let mut outputs = Vec::new();
        for output in &steps.outputs {
            let shape = shapes[output.node.0];
            outputs.push((total, shape));
            total += (batch * shape.len()).next_multiple_of(BLOCK);
        }
        Self {
            batch,
            rows: image_shape.rows,
            columns: image_shape.columns,
            maps,
            workers,
            bands,
            image,
            image_border: border,
            outputs,
            total,
            scratch,
        }
    }

    pub fn bytes(&self) -> usize {
        Buffer::bytes(self.total) + Buffer::bytes(self.scratch) * rayon::current_num_threads()
    }

    /// Where a map lies, in a band as if all images were there.
    pub fn place(&self, base: *mut f32, map: MapId, band: Option<Band>) -> Place {
        let (start, geometry) = self.maps[map];
        let first = match band {
            Some((first, _)) if self.bands.keep(map) => first * geometry.image(),
            _ => 0,
        };
        Place {
            origin: base.wrapping_add(start + geometry.origin()).wrapping_sub(first),
            image: geometry.image(),
            plane: geometry.plane(),
            row: geometry.row(),
            rows: geometry.rows,
            columns: geometry.columns,
        }
    }

    pub fn blocks(&self, map: MapId) -> usize {
        self.maps[map].1.blocks
    }

    pub fn size(&self, map: MapId) -> (usize, usize) {
        (self.maps[map].1.rows, self.maps[map].1.columns)
    }
}
