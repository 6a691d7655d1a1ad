//! Between candle's tensors and slices.

use std::sync::{Mutex, MutexGuard};

use candle_core::{CpuStorage, DType, Layout, Result, Tensor};

/// The contiguous `f32` values behind a CPU storage.
pub(crate) fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout, op: &str) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("{op}: the input is not contiguous; call contiguous() first")
    };
    match storage {
        CpuStorage::F32(values) => Ok(&values[start..end]),
        other => candle_core::bail!("{op}: values are {:?}, only f32 is supported", dtype(other)),
    }
}

fn dtype(storage: &CpuStorage) -> DType {
    use candle_core::backend::BackendStorage;
    storage.dtype()
}

/// Calls `f` with the values of a contiguous CPU tensor.
pub(crate) fn with_values<T>(tensor: &Tensor, op: &str, f: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(storage) => f(contiguous(storage, layout, op)?),
        _ => candle_core::bail!("{op}: the tensor is not on the CPU"),
    }
}

/// A new vector that `fill` writes, and what `fill` returns.
pub(crate) fn filled<T>(length: usize, fill: impl FnOnce(&mut [f32]) -> Result<T>) -> Result<(Vec<f32>, T)> {
    let mut values = vec![0.0; length];
    let result = fill(&mut values)?;
    Ok((values, result))
}

/// What a lock holds, also after a panic elsewhere.
pub(crate) fn taken<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
