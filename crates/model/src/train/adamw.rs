//! AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) whose state can be stored: candle's own keeps it private.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Var};
use kernels::{AdamwStep, adamw_step};

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// First and second moments of each variable's gradient.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AdamW {
    pub(crate) moments: BTreeMap<String, (Vec<f32>, Vec<f32>)>,
    pub(crate) steps: u32,
}

impl AdamW {
    /// One step on all variables. Weight decay applies to convolution and matrix weights only (rank 4).
    pub(crate) fn step(
        &mut self,
        variables: &BTreeMap<String, Var>,
        gradients: &GradStore,
        rate: f32,
        decay: f32,
    ) -> Result<()> {
        self.steps += 1;
        let correct_1 = 1.0 - f64::from(BETA_1).powi(self.steps as i32);
        let correct_2 = 1.0 - f64::from(BETA_2).powi(self.steps as i32);
        let (rate_1, root_2) = ((f64::from(rate) / correct_1) as f32, correct_2.sqrt() as f32);
        for (name, variable) in variables {
            let Some(gradient) = gradients.get(variable.as_tensor()) else {
                continue;
            };
            let (first, second) = self.moments.entry(name.clone()).or_insert_with(|| {
                let zeros = vec![0.0; variable.elem_count()];
                (zeros.clone(), zeros)
            });
            let shrink = if variable.rank() == 4 {
                1.0 - rate * decay
            } else {
                1.0
            };
            let step = AdamwStep {
                beta_1: BETA_1,
                beta_2: BETA_2,
                rate: rate_1,
                root: root_2,
                epsilon: EPSILON,
                shrink,
            };
            adamw_step(variable, gradient, (first, second), step)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    /// The first step is rate × sign of the gradient, whatever its size, after the decay.
    #[test]
    fn first_step_has_the_length_of_the_rate() {
        let start = Tensor::from_vec(vec![1.0f32, -2.0], (1, 1, 1, 2), &Device::Cpu).unwrap();
        let variable = Var::from_tensor(&start).unwrap();
        let variables = BTreeMap::from([("w".to_owned(), variable.clone())]);
        let loss = variable.affine(3.0, 0.0).unwrap().sum_all().unwrap();
        AdamW::default()
            .step(&variables, &loss.backward().unwrap(), 0.1, 0.5)
            .unwrap();
        let values = variable.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!((values[0] - (0.95 - 0.1)).abs() < 1e-5 && (values[1] - (-1.9 - 0.1)).abs() < 1e-5);
    }

    #[test]
    fn finds_the_minimum_of_a_parabola() {
        let variable = Var::from_tensor(&Tensor::new(&[5.0f32], &Device::Cpu).unwrap()).unwrap();
        let variables = BTreeMap::from([("x".to_owned(), variable.clone())]);
        let mut optimizer = AdamW::default();
        for _ in 0..400 {
            let loss = variable
                .affine(1.0, -2.0)
                .unwrap()
                .sqr()
                .unwrap()
                .sum_all()
                .unwrap();
            optimizer
                .step(&variables, &loss.backward().unwrap(), 0.05, 0.0)
                .unwrap();
        }
        assert!((variable.to_vec1::<f32>().unwrap()[0] - 2.0).abs() < 0.02);
    }
}
