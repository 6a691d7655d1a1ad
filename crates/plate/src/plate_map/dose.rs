//! Doses and their units.

use crate::error::MapProblem;

/// What a column's name says about a dose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DoseName {
    /// `dose`, `concentration`: the unit is elsewhere or unknown.
    Plain,
    /// `concentration_nM`: the unit is in the name.
    WithUnit(String),
    /// `dose_rank`: the order alone.
    Rank,
}

impl DoseName {
    /// Which kind of column is taken where several are there: the lowest.
    pub(super) fn order(&self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::WithUnit(_) => 1,
            Self::Rank => 2,
        }
    }

    /// The unit that the name gives.
    pub(super) fn unit(self) -> Option<String> {
        match self {
            Self::Plain => None,
            Self::WithUnit(unit) => Some(unit),
            Self::Rank => Some("rank".to_owned()),
        }
    }
}

/// Reads a column's name (`key`: its lower-case form); `None` where it names no dose.
pub(super) fn dose_name(name: &str, key: &str) -> Option<DoseName> {
    const PLAIN: [&str; 6] = [
        "dose",
        "dosage",
        "concentration",
        "conc",
        "compound_concentration",
        "final_concentration",
    ];
    if PLAIN.contains(&key) {
        return Some(DoseName::Plain);
    }
    match key {
        "dose_rank" | "doserank" | "dose_level" => return Some(DoseName::Rank),
        "mmoles_per_liter" => return Some(DoseName::WithUnit("mM".to_owned())),
        "mg_per_ml" => return Some(DoseName::WithUnit("mg/ml".to_owned())),
        _ => {}
    }
    // The longest base first, so that `concentration_nM` is not `conc` with the unit `entration_nM`.
    let base = [
        "final_concentration",
        "compound_concentration",
        "concentration",
        "dosage",
        "dose",
        "conc",
    ]
    .iter()
    .find(|base| key.starts_with(**base))?;
    let unit = unit_at_the_end(name)?;
    // Between the base and the unit nothing else may stand: `dose_of_second_drug_uM` is another column.
    let middle = key[base.len()..]
        .trim_start_matches(['_', '(', '[', ' ', '/'])
        .trim_end_matches([')', ']']);
    (known_unit(middle).as_deref() == Some(unit.as_str())).then_some(DoseName::WithUnit(unit))
}

/// The known unit at the end of a column's name: `x_nM`, `x (µM)`, `x[ug/ml]`.
pub(super) fn unit_at_the_end(name: &str) -> Option<String> {
    let name = name.trim().trim_end_matches([')', ']']);
    name.char_indices()
        .filter(|(_, character)| matches!(character, '_' | ' ' | '(' | '[' | '-' | '.'))
        .find_map(|(at, character)| known_unit(&name[at + character.len_utf8()..]))
}

/// One spelling for a unit: `u` for both signs of micro, molar units with a capital M; any other text as it is.
pub(super) fn canonical_unit(text: &str) -> Option<String> {
    let text = text.trim();
    if super::role::is_missing(text) {
        return None;
    }
    Some(known_unit(text).unwrap_or_else(|| text.replace(['\u{B5}', '\u{3BC}'], "u")))
}

fn known_unit(text: &str) -> Option<String> {
    // U+00B5 is the sign, U+03BC the Greek letter; lower case of both is the letter or itself.
    let lower = text.trim().to_lowercase().replace(['\u{B5}', '\u{3BC}'], "u");
    let unit = match lower.as_str() {
        // `m` alone is too short to be sure of.
        "mm" | "mmol/l" | "mmol" => "mM",
        "um" | "umol/l" | "umol" | "micromolar" => "uM",
        "nm" | "nmol/l" | "nmol" | "nanomolar" => "nM",
        "pm" | "pmol/l" | "pmol" => "pM",
        "mg/ml" | "mg_ml" => "mg/ml",
        "ug/ml" | "ug_ml" => "ug/ml",
        "ng/ml" | "ng_ml" => "ng/ml",
        "%" | "percent" => "%",
        "moi" => "MOI",
        "gy" => "Gy",
        _ => return (text.trim() == "M").then(|| "M".to_owned()),
    };
    Some(unit.to_owned())
}

/// How a column of doses writes its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decimals {
    /// No cell has a comma that can only be a decimal comma.
    Point,
    /// Some cell has a comma that can only be a decimal comma, such as `0,5`.
    Comma,
}

/// Looks at all cells of a dose column.
pub(super) fn decimals_of<'c>(cells: impl Iterator<Item = &'c str>) -> Decimals {
    for cell in cells {
        if let Some((whole, fraction)) = cell.trim().split_once(',')
            && is_number_part(whole)
            && is_fraction(fraction)
            && !looks_like_thousands(whole, fraction)
        {
            return Decimals::Comma;
        }
    }
    Decimals::Point
}

fn is_number_part(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_fraction(text: &str) -> bool {
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && is_number_part(exponent)
}

/// `1,000` could be a thousand; `0,500`, `1,0` and `1234,000` could not.
fn looks_like_thousands(whole: &str, fraction: &str) -> bool {
    let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    (1..=3).contains(&digits.len())
        && !digits.starts_with('0')
        && fraction.len() == 3
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

/// A dose, finite and not negative; `None` where the cell is empty, `NA` or `N/A`.
pub(super) fn dose_of(cell: &str, decimals: Decimals) -> Result<Option<f64>, MapProblem> {
    let text = cell.trim();
    if super::role::is_missing(text) {
        return Ok(None);
    }
    let owned = || text.to_owned();
    let number = match text.split_once(',') {
        Some((whole, fraction)) if is_number_part(whole) && is_fraction(fraction) => {
            if decimals == Decimals::Point && looks_like_thousands(whole, fraction) {
                return Err(ambiguous(text, whole, fraction));
            }
            format!("{whole}.{fraction}")
        }
        Some(_) => return Err(MapProblem::Dose { text: owned() }),
        None => match text.split_once('.') {
            // Beside `0,5` a `1.000` is more likely a thousand than a one.
            Some((whole, fraction))
                if decimals == Decimals::Comma && looks_like_thousands(whole, fraction) =>
            {
                return Err(ambiguous(text, whole, fraction));
            }
            _ => owned(),
        },
    };
    let value: f64 = number.parse().map_err(|_| MapProblem::Dose { text: owned() })?;
    if !value.is_finite() {
        return Err(MapProblem::Dose { text: owned() });
    }
    if value < 0.0 {
        return Err(MapProblem::NegativeDose { text: owned() });
    }
    // The absolute value turns −0 into 0.
    Ok(Some(value.abs()))
}

fn ambiguous(text: &str, whole: &str, fraction: &str) -> MapProblem {
    MapProblem::AmbiguousDose {
        text: text.to_owned(),
        with_point: format!("{whole}.{fraction}"),
        without: format!("{whole}{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(cell: &str, decimals: Decimals, expected: Option<f64>) {
        assert_eq!(
            dose_of(cell, decimals).unwrap_or_else(|problem| panic!("{problem}")),
            expected,
            "{cell:?}"
        );
    }

    #[test]
    fn numbers_with_points_and_commas() {
        for decimals in [Decimals::Point, Decimals::Comma] {
            reads("", decimals, None);
            reads("NA", decimals, None);
            reads(" 0.5 ", decimals, Some(0.5));
            reads("0,5", decimals, Some(0.5));
            reads("1e-3", decimals, Some(0.001));
            reads("0,977", decimals, Some(0.977));
            reads("1,5e3", decimals, Some(1500.0));
            reads("-0", decimals, Some(0.0));
            reads("80000", decimals, Some(80000.0));
        }
        reads("1,250", Decimals::Comma, Some(1.25));
        reads("1.250", Decimals::Point, Some(1.25));
    }

    #[test]
    fn what_is_no_dose_is_refused() {
        for cell in [
            "half",
            "NaN",
            "inf",
            "-inf",
            "1,000,000",
            "1,000.5",
            "1 000",
            "<1",
            "1e999",
            "0x10",
            ",",
            "1e",
        ] {
            assert!(
                matches!(dose_of(cell, Decimals::Point), Err(MapProblem::Dose { .. })),
                "{cell:?}"
            );
        }
        assert!(matches!(
            dose_of("-0.5", Decimals::Point),
            Err(MapProblem::NegativeDose { .. })
        ));
        assert!(matches!(
            dose_of("1,000", Decimals::Point),
            Err(MapProblem::AmbiguousDose { .. })
        ));
        assert!(matches!(
            dose_of("1.000", Decimals::Comma),
            Err(MapProblem::AmbiguousDose { .. })
        ));
    }

    #[test]
    fn a_decimal_comma_is_proved_by_a_cell_that_can_be_nothing_else() {
        assert_eq!(decimals_of(["", "1,000", "1.5"].into_iter()), Decimals::Point);
        assert_eq!(decimals_of(["1,000", "0,5"].into_iter()), Decimals::Comma);
        assert_eq!(decimals_of(["a,b", ",", "1,"].into_iter()), Decimals::Point);
    }

    #[test]
    fn units_have_one_spelling() {
        for text in ["uM", "µM", "μM", "um", " umol/l ", "µmol/L"] {
            assert_eq!(canonical_unit(text).as_deref(), Some("uM"), "{text:?}");
        }
        assert_eq!(canonical_unit("M").as_deref(), Some("M"));
        assert_eq!(canonical_unit("µg/mL").as_deref(), Some("ug/ml"));
        assert_eq!(canonical_unit("drops").as_deref(), Some("drops"));
        assert_eq!(canonical_unit(""), None);
    }

    #[test]
    fn unit_in_a_name() {
        let name = |name: &str| dose_name(name, &name.to_lowercase());
        assert_eq!(name("concentration_nM"), Some(DoseName::WithUnit("nM".into())));
        assert_eq!(name("conc_ug/ml"), Some(DoseName::WithUnit("ug/ml".into())));
        assert_eq!(name("dose_ug_ml"), Some(DoseName::WithUnit("ug/ml".into())));
        assert_eq!(name("dose_of_second_drug_uM"), None);
        assert_eq!(name("concern"), None);
        assert_eq!(name("doses_uM"), None);
    }
}
