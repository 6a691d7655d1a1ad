//! Numbers as text: one way to write each kind.

use crate::{Estimate, Scale};

/// What stands for a number that is missing or not finite.
pub(crate) const DASH: &str = "–";

/// A number with a fixed number of decimals and a true minus sign.
pub(crate) fn plain(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return DASH.into();
    }
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        // "-0.00" is a zero.
        Some(digits) if digits.bytes().all(|b| matches!(b, b'0' | b'.')) => digits.into(),
        Some(digits) => format!("\u{2212}{digits}"),
        None => text,
    }
}

/// A number with about three significant digits.
pub(crate) fn short(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 0.1 || v == 0.0 => 2,
        _ => 3,
    };
    plain(value, decimals)
}

/// A share as per cent: one decimal below 10 %, none above.
pub(crate) fn percent(share: f64) -> String {
    if !share.is_finite() {
        return DASH.into();
    }
    let value = 100.0 * share;
    let decimals = usize::from(value.abs() < 9.95 && value != 0.0);
    format!("{} %", plain(value, decimals))
}

/// A whole number with commas between thousands.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A p- or q-value: three decimals, smaller ones as `< 0.001` never (the floor matters): two significant digits.
pub(crate) fn probability(value: f64) -> String {
    match value {
        v if !v.is_finite() => DASH.into(),
        v if v >= 0.0995 => plain(v, 2),
        v if v >= 0.00095 => plain(v, 3),
        v if v <= 0.0 => "0".into(),
        v => {
            let exponent = v.log10().floor();
            format!(
                "{} × 10⁻{}",
                plain(v / 10f64.powf(exponent), 1),
                superscript(-exponent)
            )
        }
    }
}

fn superscript(value: f64) -> String {
    format!("{value:.0}")
        .bytes()
        .map(|b| ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][usize::from(b - b'0')])
        .collect()
}

/// A number as its scale has it.
pub(crate) fn scaled(value: f64, scale: Scale) -> String {
    match scale {
        Scale::Share => percent(value),
        Scale::Ratio => format!("{}×", short(value)),
        Scale::Count if value.is_finite() => {
            let rounded = value.round();
            let sign = if rounded < 0.0 { "\u{2212}" } else { "" };
            format!("{sign}{}", count(rounded.abs() as u64))
        }
        Scale::Count => DASH.into(),
        Scale::Number => short(value),
    }
}

/// An interval as "lower to upper".
pub(crate) fn interval(estimate: &Estimate, scale: Scale) -> Option<String> {
    let (lower, upper) = estimate.interval?;
    Some(format!("{} to {}", scaled(lower, scale), scaled(upper, scale)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_a_reader_expects() {
        assert_eq!(plain(-0.001, 2), "0.00");
        assert_eq!(plain(-1.5, 1), "\u{2212}1.5");
        assert_eq!(plain(f64::NAN, 1), DASH);
        assert_eq!(percent(0.034), "3.4 %");
        assert_eq!(percent(0.0996), "10 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        assert_eq!(probability(0.05), "0.050");
        assert_eq!(probability(0.000_95), "0.001");
        assert_eq!(probability(0.000_021), "2.1 × 10⁻⁵");
        assert_eq!(probability(0.31), "0.31");
        assert_eq!(scaled(0.42, Scale::Ratio), "0.42×");
        assert_eq!(scaled(-3.2, Scale::Count), "\u{2212}3");
        assert_eq!(
            interval(&Estimate::within(0.5, 0.4, 0.61), Scale::Share).as_deref(),
            Some("40 % to 61 %")
        );
    }
}
