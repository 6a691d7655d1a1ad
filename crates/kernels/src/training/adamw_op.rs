//! A step of AdamW on a variable, in place (Loshchilov and Hutter 2019, arXiv 1711.05101).

use std::sync::Mutex;

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor, Var};

use super::tensors::{contiguous, taken, with_values};
use super::vectors::{Kernel, Vector, launch};
use crate::simd::Isa;

/// Numbers of one step.
#[derive(Clone, Copy, Debug)]
pub struct AdamwStep {
    /// Decay of the first moment, in [0, 1).
    pub beta_1: f32,
    /// Decay of the second moment, in [0, 1).
    pub beta_2: f32,
    /// Learning rate divided by the first moment's correction.
    pub rate: f32,
    /// Square root of the second moment's correction.
    pub root: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Factor of the weight decay, 1 - rate × decay.
    pub shrink: f32,
}

struct Update<'a> {
    step: AdamwStep,
    values: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl Kernel for Update<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const ROWS: usize, const BLOCKS: usize, const GRADIENT_ROWS: usize>(self) {
        let AdamwStep {
            beta_1,
            beta_2,
            rate,
            root,
            epsilon,
            shrink,
        } = self.step;
        let moments = self.first.iter_mut().zip(self.second.iter_mut());
        for ((value, g), (m, v)) in self.values.iter_mut().zip(self.gradient).zip(moments) {
            *m = beta_1 * *m + (1.0 - beta_1) * g;
            *v = beta_2 * *v + (1.0 - beta_2) * g * g;
            *value = *value * shrink - rate * *m / (v.sqrt() / root + epsilon);
        }
    }
}

struct InPlace<'a> {
    step: AdamwStep,
    moments: Mutex<(&'a mut [f32], &'a mut [f32])>,
}

impl InplaceOp2 for InPlace<'_> {
    fn name(&self) -> &'static str {
        "phenosure-adamw"
    }

    fn cpu_fwd(&self, s1: &mut CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<()> {
        let gradient = contiguous(s2, l2, self.name())?;
        let (Some((start, end)), CpuStorage::F32(values)) = (l1.contiguous_offsets(), s1) else {
            candle_core::bail!("{}: the variable must be contiguous f32", self.name())
        };
        let mut moments = taken(&self.moments);
        let (first, second) = &mut *moments;
        let values = &mut values[start..end];
        let lengths = [values.len(), first.len(), second.len()];
        if lengths != [gradient.len(); 3] {
            candle_core::bail!(
                "{}: {lengths:?} values and moments for {} gradients",
                self.name(),
                gradient.len()
            )
        }
        let update = Update {
            step: self.step,
            values,
            gradient,
            first,
            second,
        };
        launch(Isa::detect(), update);
        Ok(())
    }
}

/// Moves `variable` by one step along `gradient`, and its two moments with it.
///
/// Lengths: `first` and `second` hold one value a variable's value. On a GPU values and gradient travel to the CPU and back.
/// Errors: lengths that do not fit, values that are not `f32`.
pub fn adamw_step(
    variable: &Var,
    gradient: &Tensor,
    (first, second): (&mut [f32], &mut [f32]),
    step: AdamwStep,
) -> Result<()> {
    let op = InPlace {
        step,
        moments: Mutex::new((first, second)),
    };
    if variable.device().is_cpu() {
        return variable.as_tensor().inplace_op2(&gradient.contiguous()?, &op);
    }
    let values = variable
        .as_tensor()
        .to_device(&candle_core::Device::Cpu)?
        .copy()?;
    let gradient = gradient.to_device(&candle_core::Device::Cpu)?.contiguous()?;
    values.inplace_op2(&gradient, &op)?;
    with_values(&values, "phenosure-adamw", |values| {
        let moved = Tensor::from_slice(values, variable.shape(), variable.device())?;
        variable.set(&moved)
    })
}
