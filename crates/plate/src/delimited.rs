//! Delimited text: what the bytes of a table are, and its records with their physical lines.
//!
//! Written here and not taken from the crate `csv`, because that one closes an open quote at the end of the file in
//! silence, counts no line for a carriage return alone, and has no limits: three things a plate map must not pass over.

use std::borrow::Cow;

use crate::error::MapProblem;

/// Columns of a plate map; more is not a plate map.
pub const MAX_COLUMNS: usize = 4096;
/// Bytes of one row: 1 MiB.
pub const MAX_ROW_BYTES: usize = 1 << 20;
/// Rows of a plate map; no set of plates has more.
pub const MAX_ROWS: usize = 100_000;
/// Bytes of a plate map's file: 64 MiB.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// A problem and the physical line where it is, from 1.
pub(crate) type Located = (Option<u64>, MapProblem);

/// One record of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Physical line where it begins, from 1.
    pub line: u64,
    /// Its fields, unquoted.
    pub fields: Vec<String>,
}

/// The text of a table: UTF-8 with or without its mark, or UTF-16 with its mark.
pub(crate) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Located> {
    if let Some(rest) = bytes.strip_prefix(b"\xFF\xFE") {
        return utf16(rest, u16::from_le_bytes).map(Cow::Owned);
    }
    if let Some(rest) = bytes.strip_prefix(b"\xFE\xFF") {
        return utf16(rest, u16::from_be_bytes).map(Cow::Owned);
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if let Some(problem) = other_kind(bytes) {
        return Err((None, problem));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let byte = bytes.get(at).copied().unwrap_or_default();
        (
            Some(line_of(bytes, at)),
            MapProblem::NotUtf8 {
                detail: format!(" (byte {byte:#04X} begins no character)"),
            },
        )
    })?;
    without_nul(text)?;
    Ok(Cow::Borrowed(text))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Located> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect();
    match text {
        Ok(text) if rest.is_empty() => without_nul(&text).map(|()| text),
        _ => Err((
            None,
            MapProblem::NotUtf8 {
                detail: ", and UTF-16 that is damaged".to_owned(),
            },
        )),
    }
}

fn without_nul(text: &str) -> Result<(), Located> {
    match text.find('\0') {
        Some(at) => Err((Some(line_of(text.as_bytes(), at)), MapProblem::Nul)),
        None if text.trim().is_empty() => Err((None, MapProblem::Empty)),
        None => Ok(()),
    }
}

/// The physical line of a byte, from 1; CRLF, LF and CR alone each end one line.
fn line_of(bytes: &[u8], at: usize) -> u64 {
    let ends = bytes[..at].iter().enumerate().filter(|(index, byte)| match byte {
        b'\n' => true,
        b'\r' => bytes.get(index + 1) != Some(&b'\n'),
        _ => false,
    });
    1 + ends.count() as u64
}

/// What other kinds of file begin with.
fn other_kind(bytes: &[u8]) -> Option<MapProblem> {
    const SAVE: &str = "open it in a spreadsheet and save it as CSV UTF-8";
    const IMAGE: &str = "give the plate map with --plate-map and the images as the plate folder";
    let magics: [(&[u8], &str, &str); 13] = [
        (b"PK\x03\x04", "an Excel workbook or another zip archive", SAVE),
        (b"\xD0\xCF\x11\xE0", "an old Excel workbook", SAVE),
        (b"%PDF", "a PDF", SAVE),
        (b"\x1F\x8B", "a gzip archive", "unpack it first"),
        (b"\x89PNG", "an image (PNG)", IMAGE),
        (b"\xFF\xD8\xFF", "an image (JPEG)", IMAGE),
        (b"II*\0", "an image (TIFF)", IMAGE),
        (b"MM\0*", "an image (TIFF)", IMAGE),
        (b"II+\0", "an image (BigTIFF)", IMAGE),
        (b"MM\0+", "an image (BigTIFF)", IMAGE),
        (b"GIF8", "an image (GIF)", IMAGE),
        (b"PAR1", "a Parquet table", "write it as CSV"),
        (b"\x89HDF", "an HDF5 file", "write its table as CSV"),
    ];
    if let Some((_, kind, advice)) = magics.iter().find(|(magic, _, _)| bytes.starts_with(magic)) {
        return Some(MapProblem::OtherFile { kind, advice });
    }
    let head: Vec<u8> = bytes
        .trim_ascii_start()
        .iter()
        .take(14)
        .map(u8::to_ascii_lowercase)
        .collect();
    if head.starts_with(b"<!doctype html") || head.starts_with(b"<html") {
        return Some(MapProblem::OtherFile {
            kind: "a web page (HTML)",
            advice: "the download failed or asks to sign in; get the file again",
        });
    }
    if head.starts_with(b"<?xml") {
        return Some(MapProblem::OtherFile {
            kind: "an XML file",
            advice: SAVE,
        });
    }
    // Latin text in UTF-16 has a zero in every other byte.
    let (pairs, _) = bytes[..bytes.len().min(64)].as_chunks::<2>();
    let utf16 = pairs.len() >= 2
        && (pairs.iter().all(|pair| pair[1] == 0 && pair[0] != 0)
            || pairs.iter().all(|pair| pair[0] == 0 && pair[1] != 0));
    utf16.then(|| MapProblem::NotUtf8 {
        detail: ", it looks like UTF-16 without a byte order mark".to_owned(),
    })
}

/// The delimiter of a table by its first record: the one under which `is_header` knows the columns, else the one that
/// makes most fields; with the text and the line where the table begins (after a `sep=;` line of a spreadsheet).
pub(crate) fn delimiter_of<'t>(
    text: &'t str,
    is_header: &dyn Fn(&[String]) -> bool,
) -> Result<(char, &'t str, u64), Located> {
    let mut chars = text.chars();
    if text
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("sep="))
        && let Some(delimiter @ (',' | ';' | '\t')) = chars.nth(4)
        && let Some(rest) = chars
            .as_str()
            .strip_prefix("\r\n")
            .or_else(|| chars.as_str().strip_prefix(['\n', '\r']))
    {
        return Ok((delimiter, rest, 2));
    }
    let mut best = (false, 0, ',');
    let mut first_problem = None;
    for delimiter in [',', ';', '\t'] {
        match Records::new(text, delimiter, 1).next() {
            Some(Ok(record)) => {
                let score = (is_header(&record.fields), record.fields.len());
                if score > (best.0, best.1) {
                    best = (score.0, score.1, delimiter);
                }
            }
            // Too many columns under this delimiter: the others would see one field and complain of something else.
            Some(Err((line, problem @ MapProblem::Limit { .. }))) => return Err((line, problem)),
            Some(Err(problem)) => first_problem = first_problem.or(Some(problem)),
            None => {}
        }
    }
    match first_problem {
        Some(problem) if best.1 == 0 => Err(problem),
        _ => Ok((best.2, text, 1)),
    }
}

/// The records of a table by RFC 4180, with CR alone as a line end too. Records without any content are left out.
pub(crate) struct Records<'t> {
    text: &'t str,
    delimiter: u8,
    at: usize,
    line: u64,
}

impl<'t> Records<'t> {
    /// `delimiter` must be ASCII; `first_line` is the physical line of the text's first character.
    pub(crate) fn new(text: &'t str, delimiter: char, first_line: u64) -> Self {
        debug_assert!(delimiter.is_ascii());
        Self {
            text,
            delimiter: delimiter as u8,
            at: 0,
            line: first_line,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over a line end, if one is here.
    fn line_end(&mut self) -> bool {
        match self.peek() {
            Some(b'\r') if self.text.as_bytes().get(self.at + 1) == Some(&b'\n') => self.at += 2,
            Some(b'\r' | b'\n') => self.at += 1,
            _ => return false,
        }
        self.line += 1;
        true
    }

    fn record(&mut self) -> Result<Record, Located> {
        let (start, line) = (self.at, self.line);
        let mut fields = Vec::new();
        loop {
            fields.push(self.field(start, line)?);
            if fields.len() > MAX_COLUMNS {
                return Err((
                    Some(line),
                    MapProblem::Limit {
                        limit: MAX_COLUMNS,
                        what: "columns",
                    },
                ));
            }
            if self.peek() == Some(self.delimiter) {
                self.at += 1;
            } else {
                self.line_end();
                return Ok(Record { line, fields });
            }
        }
    }

    fn field(&mut self, row_start: usize, row_line: u64) -> Result<String, Located> {
        let mut field = String::new();
        if self.peek() == Some(b'"') {
            let opened = self.line;
            self.at += 1;
            let mut from = self.at;
            loop {
                self.within_row(row_start, row_line)?;
                match self.peek() {
                    None => return Err((Some(opened), MapProblem::OpenQuote)),
                    Some(b'"') => {
                        field.push_str(&self.text[from..self.at]);
                        self.at += 1;
                        from = self.at;
                        if self.peek() != Some(b'"') {
                            break;
                        }
                        // A doubled quote: the second one is the first character of the next piece.
                        self.at += 1;
                    }
                    Some(_) => {
                        if !self.line_end() {
                            self.at += 1;
                        }
                    }
                }
            }
        }
        let from = self.at;
        while let Some(byte) = self.peek() {
            if byte == self.delimiter || byte == b'\n' || byte == b'\r' {
                break;
            }
            self.within_row(row_start, row_line)?;
            self.at += 1;
        }
        field.push_str(&self.text[from..self.at]);
        Ok(field)
    }

    fn within_row(&self, row_start: usize, row_line: u64) -> Result<(), Located> {
        if self.at - row_start < MAX_ROW_BYTES {
            return Ok(());
        }
        Err((
            Some(row_line),
            MapProblem::Limit {
                limit: MAX_ROW_BYTES,
                what: "bytes in one row",
            },
        ))
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, Located>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.text.len() {
            match self.record() {
                Ok(record) if record.fields.iter().all(|field| field.trim().is_empty()) => {}
                Ok(record) => return Some(Ok(record)),
                Err(problem) => {
                    // Nothing after a broken record can be trusted to begin where a record begins.
                    self.at = self.text.len();
                    return Some(Err(problem));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<(u64, Vec<String>)> {
        Records::new(text, ',', 1)
            .map(|record| record.map(|r| (r.line, r.fields)).unwrap())
            .collect()
    }

    fn row(line: u64, fields: &[&str]) -> (u64, Vec<String>) {
        (line, fields.iter().map(|field| (*field).to_owned()).collect())
    }

    #[test]
    fn fields_quotes_and_lines() {
        assert_eq!(records("a,b\n1,2\n"), [row(1, &["a", "b"]), row(2, &["1", "2"])]);
        assert_eq!(records("a,\n,b"), [row(1, &["a", ""]), row(2, &["", "b"])]);
        assert_eq!(records("\"a,1\",\"5\"\" x\"\n"), [row(1, &["a,1", "5\" x"])]);
        assert_eq!(
            records("\"\",\"\"\"\",5\" x\nz"),
            [row(1, &["", "\"", "5\" x"]), row(2, &["z"])]
        );
        assert_eq!(
            records("\"two\nlines\",b\nc,d"),
            [row(1, &["two\nlines", "b"]), row(3, &["c", "d"])]
        );
    }

    #[test]
    fn every_line_end_counts_once_and_blank_records_are_left_out() {
        for end in ["\n", "\r", "\r\n"] {
            let text = ["a,b", "", ",,", "c,d", "", ""].join(end);
            assert_eq!(
                records(&text),
                [row(1, &["a", "b"]), row(4, &["c", "d"])],
                "{end:?}"
            );
        }
    }

    #[test]
    fn open_quote_is_named_where_it_opens() {
        let last = Records::new("a,b\n\n1,\"2\n3,4\n5", ',', 1).last().unwrap();
        assert!(matches!(last, Err((Some(3), MapProblem::OpenQuote))));
    }

    #[test]
    fn limits_are_hit_while_reading() {
        let wide = vec!["c"; MAX_COLUMNS + 1].join(",");
        assert!(matches!(
            Records::new(&wide, ',', 1).next(),
            Some(Err((
                Some(1),
                MapProblem::Limit {
                    limit: MAX_COLUMNS,
                    ..
                }
            )))
        ));
        let ok = vec!["c"; MAX_COLUMNS].join(",");
        assert_eq!(
            Records::new(&ok, ',', 1).next().unwrap().unwrap().fields.len(),
            MAX_COLUMNS
        );
        for long in [
            "x".repeat(MAX_ROW_BYTES + 1),
            format!("\"{}\"", "x".repeat(MAX_ROW_BYTES)),
        ] {
            let text = format!("well\n{long}\n");
            let last = Records::new(&text, ',', 1).last().unwrap();
            assert!(matches!(
                last,
                Err((
                    Some(2),
                    MapProblem::Limit {
                        limit: MAX_ROW_BYTES,
                        ..
                    }
                ))
            ));
        }
    }

    #[test]
    fn delimiter_by_content() {
        let known = |fields: &[String]| fields.iter().any(|field| field == "well");
        let delimiter = |text: &str| delimiter_of(text, &known).map(|found| found.0).unwrap();
        assert_eq!(delimiter("well,dose\n"), ',');
        assert_eq!(delimiter("well;dose, in uM, or so\n"), ';');
        assert_eq!(delimiter("well\tdose;a;b\n"), '\t');
        assert_eq!(delimiter("well\n"), ',');
        assert_eq!(delimiter("a;b;c\n"), ';');
        assert_eq!(
            delimiter_of("sep=;\r\nwell;x\n", &known).unwrap(),
            (';', "well;x\n", 2)
        );
    }

    #[test]
    fn lines_of_bytes() {
        assert_eq!(line_of(b"a\r\nb\rc\nd", 0), 1);
        assert_eq!(line_of(b"a\r\nb\rc\nd", 3), 2);
        assert_eq!(line_of(b"a\r\nb\rc\nd", 5), 3);
        assert_eq!(line_of(b"a\r\nb\rc\nd", 7), 4);
    }

    #[test]
    fn damaged_utf16_is_refused() {
        assert!(matches!(
            decode(b"\xFF\xFEw\0e\0l"),
            Err((None, MapProblem::NotUtf8 { .. }))
        ));
        assert!(matches!(
            decode(b"\xFF\xFE\x00\xD8w\0"),
            Err((None, MapProblem::NotUtf8 { .. }))
        ));
        assert!(matches!(decode(b"\xFF\xFE"), Err((None, MapProblem::Empty))));
        assert_eq!(decode(b"\xFE\xFF\0w").unwrap(), "w");
    }
}
