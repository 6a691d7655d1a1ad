//! Buffers that outlive an operation, and one output written by several threads.
//!
//! A training step asks for the same buffers again and again; fresh ones cost a page fault every 4 KiB.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

static FREE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());
/// Buffers kept at most.
const KEPT: usize = 96;

fn free() -> std::sync::MutexGuard<'static, Vec<Vec<f32>>> {
    FREE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Floats whose memory is used again after they are dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    values: Vec<f32>,
    length: usize,
}

impl Buffer {
    /// `length` floats of any value: whoever asks must write before reading.
    pub(crate) fn stale(length: usize) -> Self {
        let found = {
            let mut free = free();
            let best = (0..free.len())
                .filter(|&index| free[index].len() >= length && free[index].len() <= length.max(64) * 2)
                .min_by_key(|&index| free[index].len());
            best.map(|index| free.swap_remove(index))
        };
        Self {
            values: found.unwrap_or_else(|| vec![0.0; length]),
            length,
        }
    }

    /// `length` zeros.
    pub(crate) fn zeros(length: usize) -> Self {
        let mut buffer = Self::stale(length);
        buffer.fill(0.0);
        buffer
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.values[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        let mut free = free();
        if free.len() < KEPT && !values.is_empty() {
            free.push(values);
        }
    }
}

/// While it lives, memory that training frees stays with the process to be used again; dropped, it goes back.
///
/// A step allocates and frees hundreds of megabytes. glibc returns buffers of that size to the system at once, and each
/// page of a fresh one costs a fault: a fifth of a step's time.
#[derive(Debug)]
pub struct TrainingMemory(());

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::ffi::c_int;

    // Parameters of `mallopt`, from malloc.h.
    pub(super) const TRIM_THRESHOLD: c_int = -1;
    pub(super) const MMAP_THRESHOLD: c_int = -3;

    unsafe extern "C" {
        pub(super) safe fn mallopt(parameter: c_int, value: c_int) -> c_int;
        pub(super) safe fn malloc_trim(pad: usize) -> c_int;
    }
}

impl TrainingMemory {
    /// Keeps freed memory from now on.
    pub fn keep() -> Self {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        {
            // The most that glibc accepts; larger buffers are mapped and unmapped as before.
            glibc::mallopt(glibc::MMAP_THRESHOLD, 32 << 20);
            glibc::mallopt(glibc::TRIM_THRESHOLD, i32::MAX);
        }
        Self(())
    }
}

impl Drop for TrainingMemory {
    fn drop(&mut self) {
        free().clear();
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        {
            // What glibc itself would have arrived at: twice the largest buffer on the heap.
            glibc::mallopt(glibc::TRIM_THRESHOLD, 64 << 20);
            glibc::malloc_trim(0);
        }
    }
}

/// A slice that several threads write at places that do not meet.
#[derive(Clone, Copy)]
pub(crate) struct Disjoint<'a> {
    start: *mut f32,
    length: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: all access goes through `slice`, whose callers promise that their ranges do not meet.
unsafe impl Send for Disjoint<'_> {}
// SAFETY: as above.
unsafe impl Sync for Disjoint<'_> {}

impl<'a> Disjoint<'a> {
    pub(crate) fn new(values: &'a mut [f32]) -> Self {
        Self {
            start: values.as_mut_ptr(),
            length: values.len(),
            borrow: PhantomData,
        }
    }

    /// `length` floats from `from`. Panics outside of the slice.
    ///
    /// # Safety
    /// No other range that is alive may meet this one.
    #[inline(always)]
    pub(crate) unsafe fn slice(&self, from: usize, length: usize) -> &'a mut [f32] {
        assert!(from <= self.length && length <= self.length - from);
        // SAFETY: the range is inside the borrowed slice, and nobody else has it.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), length) }
    }
}
