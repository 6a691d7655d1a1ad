//! Axes: from values to pixels, and which values get a tick.

use crate::Scale;

/// One axis: a linear or logarithmic map from values to pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    domain: (f64, f64),
    range: (f64, f64),
    is_log: bool,
}

impl Axis {
    /// An axis over `values` (those that are finite), widened to whole ticks; ratios get a logarithmic axis that
    /// holds 1, shares and counts one that starts at 0.
    pub fn over(values: impl IntoIterator<Item = f64>, scale: Scale, range: (f64, f64)) -> Self {
        let is_log = scale == Scale::Ratio;
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values
            .into_iter()
            .filter(|v| v.is_finite() && (!is_log || *v > 0.0))
        {
            low = low.min(value);
            high = high.max(value);
        }
        match scale {
            Scale::Ratio => {
                // At least half to double, so that noise around 1 does not fill the axis.
                let domain = (low.clamp(1.0 / 4096.0, 0.5), high.clamp(2.0, 4096.0));
                return Self {
                    domain,
                    range,
                    is_log,
                };
            }
            Scale::Share | Scale::Count => {
                low = 0f64.min(low);
                high = high.max(if scale == Scale::Share { 0.1 } else { 1.0 });
            }
            Scale::Number => {
                if low > high {
                    (low, high) = (0.0, 1.0);
                }
                if high - low < 1e-12 * (1.0 + high.abs()) {
                    (low, high) = (low - 0.5, high + 0.5);
                }
            }
        }
        let step = step(high - low, 5);
        let high = (high / step - 1e-9).ceil() * step;
        let high = if scale == Scale::Share && high > 1.0 {
            high.min(1.0f64.max(high - step))
        } else {
            high
        };
        Self {
            domain: ((low / step + 1e-9).floor() * step, high),
            range,
            is_log,
        }
    }

    /// An axis with a given domain.
    pub fn fixed(domain: (f64, f64), range: (f64, f64)) -> Self {
        Self {
            domain,
            range,
            is_log: false,
        }
    }

    /// Position of a value; values outside are drawn at the nearer end.
    pub fn at(&self, value: f64) -> f64 {
        let (low, high) = self.domain;
        let value = value.clamp(low, high);
        let share = if self.is_log {
            (value / low).ln() / (high / low).ln()
        } else {
            (value - low) / (high - low)
        };
        self.range.0 + share * (self.range.1 - self.range.0)
    }

    /// Smallest and largest value.
    pub fn domain(&self) -> (f64, f64) {
        self.domain
    }

    /// About `count` round values inside the domain.
    pub fn ticks(&self, count: usize) -> Vec<f64> {
        let (low, high) = self.domain;
        if self.is_log {
            let octaves = (high / low).log2();
            let stride = (octaves / count as f64).ceil().max(1.0) as i32;
            let (first, last) = (
                (low.log2() - 1e-9).ceil() as i32,
                (high.log2() + 1e-9).floor() as i32,
            );
            return (first..=last)
                .filter(|exponent| exponent % stride == 0)
                .map(|exponent| 2f64.powi(exponent))
                .collect();
        }
        let step = step(high - low, count);
        let (first, last) = (
            (low / step - 1e-9).ceil() as i64,
            (high / step + 1e-9).floor() as i64,
        );
        (first..=last).map(|k| k as f64 * step).collect()
    }
}

/// A round step that cuts `span` into about `count` parts.
fn step(span: f64, count: usize) -> f64 {
    let raw = span / count.max(1) as f64;
    if !(raw.is_finite() && raw > 0.0) {
        return 1.0;
    }
    let power = 10f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .find(|f| f * power >= raw * (1.0 - 1e-9))
        .unwrap_or(10.0);
    factor * power
}

/// A tick's label: as short as the step between ticks allows.
pub(crate) fn tick_label(value: f64, scale: Scale) -> String {
    use crate::number::{plain, scaled};
    match scale {
        Scale::Share => format!("{} %", trimmed(plain(100.0 * value, 1))),
        Scale::Ratio if value < 1.0 => format!("1/{}", plain(1.0 / value, 0)),
        Scale::Ratio => format!("{}×", plain(value, 0)),
        Scale::Count => scaled(value, Scale::Count),
        Scale::Number => trimmed(plain(value, 2)),
    }
}

/// Without zeros after the point.
fn trimmed(text: String) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_start_at_zero_and_end_at_a_tick() {
        let axis = Axis::over([0.03, 0.87], Scale::Share, (0.0, 100.0));
        assert_eq!(axis.domain(), (0.0, 1.0));
        assert_eq!(axis.ticks(5), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert!((axis.at(0.5) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn ratios_are_symmetric_about_one() {
        let axis = Axis::over([0.5, 2.0], Scale::Ratio, (0.0, 100.0));
        assert!((axis.at(1.0) - 50.0).abs() < 1e-9);
        assert_eq!(axis.ticks(4), [0.5, 1.0, 2.0]);
        assert_eq!(tick_label(0.25, Scale::Ratio), "1/4");
    }

    #[test]
    fn odd_values_give_a_usable_axis() {
        for values in [vec![], vec![f64::NAN], vec![3.0, 3.0], vec![f64::INFINITY, 1.0]] {
            for scale in [Scale::Share, Scale::Ratio, Scale::Count, Scale::Number] {
                let axis = Axis::over(values.iter().copied(), scale, (0.0, 10.0));
                assert!(axis.at(1.0).is_finite(), "{values:?} {scale:?}");
                assert!(!axis.ticks(4).is_empty(), "{values:?} {scale:?}");
            }
        }
    }
}
