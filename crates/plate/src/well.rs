//! The position of a well on a plate.

use std::fmt;
use std::str::FromStr;

/// Rows of the largest plate format, 1536 wells: A to Z, then AA to AF.
pub const ROWS: u8 = 32;
/// Columns of the largest plate format, 1536 wells.
pub const COLUMNS: u8 = 48;

/// A well, by its row and column, both counted from 0.
///
/// Written `A01`: row letters, then the column counted from 1 with two digits. Read from `a1`, `A1`, `A01`, `A001`,
/// `A - 01` and `r01c01`, up to `AF48`. Ordered row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Well {
    /// Row from 0 (`A`) to 31 (`AF`).
    pub row: u8,
    /// Column from 0 (`01`) to 47 (`48`).
    pub column: u8,
}

/// Why a text is not a well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WellProblem {
    /// Nothing is there.
    #[error("the well is empty; write it as A01")]
    Empty,
    /// A character that only looks like a letter or digit of the Latin alphabet, or another one that cannot be there.
    #[error("well {text:?} holds {character:?} (U+{:04X}), which is not one of the letters A to Z or digits 0 to 9; type it again as A01", u32::from(*.character))]
    Character {
        /// What was read.
        text: String,
        /// The first character that cannot be in a well.
        character: char,
    },
    /// A spreadsheet turned the well into a date.
    #[error(
        "well {text:?} looks like a date that a spreadsheet made of it; format the column as text and type the well again"
    )]
    Date {
        /// What was read.
        text: String,
    },
    /// A row beyond the largest plate.
    #[error("well {text:?} is on no plate: rows end at AF (1536 wells)")]
    Row {
        /// What was read.
        text: String,
    },
    /// A column that is 0 or beyond the largest plate.
    #[error("well {text:?} is on no plate: columns count from 1 and end at 48 (1536 wells)")]
    Column {
        /// What was read.
        text: String,
    },
    /// Not letters followed by digits.
    #[error("{text:?} is not a well; write it as A01 (row letters, then the column)")]
    Shape {
        /// What was read.
        text: String,
    },
}

impl Well {
    /// The well at `row` and `column`, both counted from 0; `None` beyond row 31 or column 47.
    pub fn new(row: u8, column: u8) -> Option<Self> {
        (row < ROWS && column < COLUMNS).then_some(Self { row, column })
    }

    /// The well of separate row and column texts, such as `A` and `3`, `a` and `003`, or `1` and `3` (both from 1).
    ///
    /// Errors: as [`Well::from_str`] gives them, with the text `<row><column>`.
    pub fn from_row_and_column(row: &str, column: &str) -> Result<Self, WellProblem> {
        let (row, column) = (row.trim(), column.trim());
        if row.is_empty() || column.is_empty() {
            return Err(WellProblem::Empty);
        }
        if row.bytes().all(|byte| byte.is_ascii_digit()) {
            return format!("r{row}c{column}").parse();
        }
        format!("{row}{column}").parse()
    }

    /// The row's letters: `A` to `Z`, `AA` to `AF`.
    pub fn row_name(self) -> String {
        let letter = |index: u8| char::from(b'A' + index % 26);
        if self.row < 26 {
            letter(self.row).to_string()
        } else {
            format!("A{}", letter(self.row - 26))
        }
    }
}

impl fmt::Display for Well {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` keeps widths and alignments of the caller's format string.
        f.pad(&format!("{}{:02}", self.row_name(), self.column + 1))
    }
}

impl FromStr for Well {
    type Err = WellProblem;

    fn from_str(text: &str) -> Result<Self, WellProblem> {
        let owned = || text.to_owned();
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(WellProblem::Empty);
        }
        if let Some(character) = trimmed.chars().find(|c| !c.is_ascii() || c.is_ascii_control()) {
            return Err(WellProblem::Character {
                text: owned(),
                character,
            });
        }
        if looks_like_a_date(trimmed) {
            return Err(WellProblem::Date { text: owned() });
        }
        if let Some((row, column)) = split_numbered(trimmed) {
            let row = number_from_one(row, ROWS).ok_or_else(|| WellProblem::Row { text: owned() })?;
            let column =
                number_from_one(column, COLUMNS).ok_or_else(|| WellProblem::Column { text: owned() })?;
            return Ok(Self { row, column });
        }
        let letters_end = trimmed
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(trimmed.len());
        let (letters, rest) = trimmed.split_at(letters_end);
        // `A - 01` is how one imager writes it; nothing but one hyphen and spaces may stand between.
        let rest = rest.trim_start();
        let digits = rest.strip_prefix('-').unwrap_or(rest).trim_start();
        if letters.is_empty() || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(WellProblem::Shape { text: owned() });
        }
        let row = row_of_letters(letters).ok_or_else(|| WellProblem::Row { text: owned() })?;
        let column = number_from_one(digits, COLUMNS).ok_or_else(|| WellProblem::Column { text: owned() })?;
        Ok(Self { row, column })
    }
}

/// `r01c02` as its two numbers.
fn split_numbered(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix(['r', 'R'])?;
    let (row, column) = rest.split_once(['c', 'C'])?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (digits(row) && digits(column)).then_some((row, column))
}

fn row_of_letters(letters: &str) -> Option<u8> {
    let value = |byte: u8| u16::from(byte.to_ascii_uppercase() - b'A');
    let row = match *letters.as_bytes() {
        [one] => value(one),
        [one, two] => (value(one) + 1) * 26 + value(two),
        _ => return None,
    };
    u8::try_from(row).ok().filter(|row| *row < ROWS)
}

/// A number from 1 to `limit`, given back counted from 0; any number of digits is read without overflow.
fn number_from_one(digits: &str, limit: u8) -> Option<u8> {
    let value: u8 = digits.trim_start_matches('0').parse().ok()?;
    (value <= limit).then(|| value - 1)
}

/// `1-Feb`, `Feb-01`, `2026-02-01`, `01/02/2026`: what spreadsheets make of names that they take for dates.
fn looks_like_a_date(text: &str) -> bool {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let parts: Vec<&str> = text
        .split(['-', '/', '.', ' '])
        .filter(|part| !part.is_empty())
        .collect();
    let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_month = |part: &&str| {
        let lower = part.to_ascii_lowercase();
        MONTHS.iter().any(|month| lower.starts_with(month))
            && lower.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    match parts.len() {
        2 => {
            parts.iter().filter(|p| is_month(p)).count() == 1
                && parts.iter().filter(|p| is_number(p)).count() == 1
        }
        3 => parts.iter().all(|p| is_number(p) || is_month(p)) && parts.iter().any(is_number),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads_as(text: &str, written: &str) {
        let well: Well = text
            .parse()
            .unwrap_or_else(|problem| panic!("{text:?}: {problem}"));
        assert_eq!(well.to_string(), written, "{text:?}");
    }

    #[test]
    fn spellings_become_one() {
        for text in [
            "A01", "a1", "A1", "A001", " a01 ", "A - 01", "A-1", "r01c01", "R1C1",
        ] {
            reads_as(text, "A01");
        }
        reads_as("p24", "P24");
        reads_as("Z48", "Z48");
        reads_as("AA1", "AA01");
        reads_as("af48", "AF48");
        reads_as("r32c48", "AF48");
    }

    #[test]
    fn every_well_of_the_largest_plate_survives_writing_and_reading() {
        let mut last = None;
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                let well = Well::new(row, column).unwrap();
                assert_eq!(well.to_string().parse::<Well>().unwrap(), well);
                assert!(last < Some(well), "row by row");
                last = Some(well);
            }
        }
        assert_eq!(Well::new(ROWS, 0), None);
        assert_eq!(Well::new(0, COLUMNS), None);
    }

    #[test]
    fn what_is_on_no_plate_says_why() {
        let problem = |text: &str| text.parse::<Well>().unwrap_err();
        assert!(matches!(problem(""), WellProblem::Empty));
        assert!(matches!(problem("A00"), WellProblem::Column { .. }));
        assert!(matches!(problem("Z99"), WellProblem::Column { .. }));
        assert!(matches!(
            problem("A99999999999999999999"),
            WellProblem::Column { .. }
        ));
        assert!(matches!(problem("AG01"), WellProblem::Row { .. }));
        assert!(matches!(problem("ABC1"), WellProblem::Row { .. }));
        assert!(matches!(problem("r33c1"), WellProblem::Row { .. }));
        assert!(matches!(
            problem("А01"),
            WellProblem::Character { character: 'А', .. }
        ));
        assert!(problem("А01").to_string().contains("U+0410"));
        assert!(matches!(problem("1-Feb"), WellProblem::Date { .. }));
        assert!(matches!(problem("Feb-01"), WellProblem::Date { .. }));
        assert!(matches!(problem("2026-02-01"), WellProblem::Date { .. }));
        assert!(matches!(problem("01/02/2026"), WellProblem::Date { .. }));
        assert!(matches!(problem("well"), WellProblem::Shape { .. }));
        assert!(matches!(problem("12"), WellProblem::Shape { .. }));
        assert!(matches!(problem("A1b"), WellProblem::Shape { .. }));
    }

    #[test]
    fn row_and_column_apart() {
        let well =
            |row: &str, column: &str| Well::from_row_and_column(row, column).map(|well| well.to_string());
        assert_eq!(well("A", "1").unwrap(), "A01");
        assert_eq!(well("b", "012").unwrap(), "B12");
        assert_eq!(well("3", "3").unwrap(), "C03");
        assert_eq!(well("A", "").unwrap_err(), WellProblem::Empty);
        assert!(matches!(well("A", "0").unwrap_err(), WellProblem::Column { .. }));
    }
}
