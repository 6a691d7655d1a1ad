//! Tables on disk: parquet (zstd) and CSV, written under a temporary name and renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use polars::prelude::*;

use crate::ProfileError;

/// The name a file is written under until it is whole: hidden, beside it.
fn temporary(path: &Path) -> PathBuf {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    path.with_file_name(format!(".{name}.part"))
}

/// Runs `fill` on a new file beside `path`, syncs it and renames it onto `path`.
fn replace(path: &Path, fill: impl FnOnce(&mut File) -> Result<(), PolarsError>) -> Result<(), ProfileError> {
    let part = temporary(path);
    let io_error = |source: io::Error| ProfileError::File {
        path: path.to_owned(),
        action: "written",
        source,
    };
    let mut file = File::create(&part).map_err(io_error)?;
    let result = fill(&mut file)
        .map_err(|source| ProfileError::Format {
            path: path.to_owned(),
            action: "written",
            source,
        })
        .and_then(|()| file.flush().and_then(|()| file.sync_all()).map_err(io_error));
    drop(file);
    if let Err(error) = result.and_then(|()| fs::rename(&part, path).map_err(io_error)) {
        // The part file is of no use to anybody; that it could not be removed matters less than why we are here.
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    Ok(())
}

/// Writes a table as parquet (zstd), whole or not at all: temporary name, sync, rename.
///
/// The bytes depend on the table alone, not on the number of threads.
///
/// Errors: [`ProfileError::File`] when the file cannot be made or renamed, [`ProfileError::Format`] when polars cannot encode it.
pub fn write_parquet(table: &mut DataFrame, path: &Path) -> Result<(), ProfileError> {
    table.rechunk_mut();
    replace(path, |file| {
        ParquetWriter::new(file)
            .with_compression(ParquetCompression::Zstd(None))
            .set_parallel(false)
            .finish(table)
            .map(|_bytes| ())
    })
}

/// Reads a parquet table.
///
/// Errors: [`ProfileError::File`] when the file cannot be opened, [`ProfileError::Format`] when it is not whole or not parquet.
pub fn read_parquet(path: &Path) -> Result<DataFrame, ProfileError> {
    let file = File::open(path).map_err(|source| ProfileError::File {
        path: path.to_owned(),
        action: "read",
        source,
    })?;
    ParquetReader::new(file)
        .set_rechunk(true)
        .finish()
        .map_err(|source| ProfileError::Format {
            path: path.to_owned(),
            action: "read",
            source,
        })
}

/// Writes a table as CSV with a header, whole or not at all; text that a spreadsheet would run as a formula gets a
/// leading apostrophe.
///
/// Missing values are empty cells. List columns are joined by `;`.
///
/// Errors: as [`write_parquet`].
pub fn write_csv(table: &mut DataFrame, path: &Path) -> Result<(), ProfileError> {
    let mut flat = flatten_for_csv(table).map_err(ProfileError::table("CSV"))?;
    replace(path, |file| {
        CsvWriter::new(file).include_header(true).finish(&mut flat)
    })
}

/// Text columns with formulas escaped, list columns joined.
fn flatten_for_csv(table: &DataFrame) -> PolarsResult<DataFrame> {
    let mut columns = Vec::with_capacity(table.width());
    for column in table.columns() {
        let flat = match column.dtype() {
            DataType::String => {
                let escaped: StringChunked = column
                    .str()?
                    .iter()
                    .map(|cell| cell.map(escape_formula))
                    .collect();
                escaped.with_name(column.name().clone()).into_column()
            }
            DataType::List(_) => {
                let mut cells = Vec::with_capacity(column.len());
                for row in 0..column.len() {
                    cells.push(match column.get(row)? {
                        AnyValue::List(items) => {
                            let items = items.cast(&DataType::String)?;
                            let words: Vec<&str> = items.str()?.iter().flatten().collect();
                            Some(escape_formula(&words.join(";")))
                        }
                        _ => None,
                    });
                }
                StringChunked::from_iter(cells)
                    .with_name(column.name().clone())
                    .into_column()
            }
            _ => column.clone(),
        };
        columns.push(flat);
    }
    DataFrame::new(table.height(), columns)
}

/// Puts an apostrophe before text that a spreadsheet would run: a first character of `= + - @`, tab or carriage return.
///
/// A plain number keeps its sign.
fn escape_formula(cell: &str) -> String {
    let risky = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if risky && cell.parse::<f64>().is_err() {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("phenosure-profile-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn sample() -> DataFrame {
        let sets = ListChunked::from_iter([
            Some(Series::new("".into(), ["=A", "b"])),
            None,
            Some(Series::new("".into(), ["c"])),
        ]);
        df!("name" => [Some("=cmd()"), Some("-5"), None], "value" => [Some(1.5f64), None, Some(-2.0)])
            .unwrap()
            .hstack(&[sets.with_name("set".into()).into_column()])
            .unwrap()
    }

    #[test]
    fn a_parquet_table_comes_back_as_it_was_and_leaves_no_part_file() {
        let dir = folder("parquet");
        let path = dir.join("t.parquet");
        let mut table = sample();
        write_parquet(&mut table, &path).unwrap();
        let back = read_parquet(&path).unwrap();
        assert!(back.equals_missing(&table));
        assert_eq!(
            back.column("set").unwrap().dtype(),
            &DataType::List(Box::new(DataType::String))
        );
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        let first = fs::read(&path).unwrap();
        write_parquet(&mut table, &path).unwrap();
        assert_eq!(first, fs::read(&path).unwrap());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn formulas_are_escaped_and_numbers_kept() {
        let dir = folder("csv");
        let path = dir.join("t.csv");
        write_csv(&mut sample(), &path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "name,value,set\n'=cmd(),1.5,'=A;b\n-5,,\n,-2.0,c\n");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_damaged_or_missing_file_is_named() {
        let dir = folder("damaged");
        let path = dir.join("broken.parquet");
        fs::write(&path, b"PAR1 this is no parquet").unwrap();
        let message = read_parquet(&path).unwrap_err().to_string();
        assert!(message.contains("broken.parquet"), "{message}");
        let message = read_parquet(&dir.join("absent.parquet")).unwrap_err().to_string();
        assert!(
            message.contains("absent.parquet") && message.contains("read"),
            "{message}"
        );
        let message = write_csv(&mut sample(), &dir.join("no/such/folder.csv"))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("folder.csv") && message.contains("written"),
            "{message}"
        );
        fs::remove_dir_all(dir).unwrap();
    }
}
