//! From the bytes of a plate map to its rows.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::columns::{Columns, columns_of, names_a_well};
use super::dose::{Decimals, canonical_unit, decimals_of, dose_of};
use super::role::{is_missing, role_of};
use super::warn::warnings_of;
use super::{PlateMap, PlateMapParams, PlateMapRow, Role};
use crate::delimited::{Located, MAX_FILE_BYTES, MAX_ROWS, Record, Records, decode, delimiter_of};
use crate::error::{MapProblem, PlateError};
use crate::well::Well;

pub(super) fn read(path: &Path, params: &PlateMapParams) -> Result<PlateMap, PlateError> {
    let failed = |source| PlateError::Read {
        path: path.to_owned(),
        source,
    };
    // Looked at before it is opened: opening a named pipe would wait for ever.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(std::io::Error::other(
            "not a file; give the plate map itself",
        )));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(failed)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let limit = usize::try_from(MAX_FILE_BYTES).unwrap_or(usize::MAX);
        return Err(PlateError::Map {
            file: path.to_owned(),
            line: None,
            problem: Box::new(MapProblem::Limit { limit, what: "bytes" }),
        });
    }
    parse(&bytes, path, params)
}

pub(super) fn parse(bytes: &[u8], name: &Path, params: &PlateMapParams) -> Result<PlateMap, PlateError> {
    let (rows, columns, notes) = rows_of(bytes, params).map_err(|(line, problem)| PlateError::Map {
        file: name.to_owned(),
        line,
        problem: Box::new(problem),
    })?;
    let mut warnings = notes;
    warnings.extend(warnings_of(&rows, &columns));
    let extra_columns = columns
        .extra
        .iter()
        .map(|column| columns.names[*column].clone())
        .collect();
    Ok(PlateMap {
        file: name.to_owned(),
        rows,
        extra_columns,
        warnings,
    })
}

fn rows_of(
    bytes: &[u8],
    params: &PlateMapParams,
) -> Result<(Vec<PlateMapRow>, Columns, Vec<String>), Located> {
    let text = decode(bytes)?;
    let (delimiter, text, first_line) = delimiter_of(&text, &names_a_well)?;
    let mut records = Records::new(text, delimiter, first_line);
    let header = records.next().unwrap_or(Err((None, MapProblem::Empty)))?;
    let columns = columns_of(&header.fields, params).map_err(|problem| (Some(header.line), problem))?;
    let records = table(records, header.fields.len(), delimiter)?;
    if records.is_empty() {
        return Err((None, MapProblem::NoRows));
    }
    let decimals = match &columns.dose {
        Some((dose, _)) => decimals_of(records.iter().map(|record| record.fields[*dose].as_str())),
        None => Decimals::Point,
    };
    let controls = Controls::new(&records, &columns, params)?;
    let mut rows = Vec::with_capacity(records.len());
    let mut first_lines: BTreeMap<(Option<String>, Well), u64> = BTreeMap::new();
    let mut disagreement = None;
    for record in &records {
        let row = Row {
            record,
            columns: &columns,
        };
        let well = row.well().and_then(|well| row.plate().map(|plate| (plate, well)));
        let (plate, well) = well.map_err(|problem| (Some(record.line), problem))?;
        if let Some(first) = first_lines.insert((plate.clone(), well), record.line) {
            return Err((Some(record.line), MapProblem::DoubledWell { well, plate, first }));
        }
        disagreement = disagreement.or_else(|| row.row_and_column_say_otherwise(well));
        rows.push(
            row.read(plate, well, decimals, &controls)
                .map_err(|problem| (Some(record.line), problem))?,
        );
    }
    Ok((rows, columns, disagreement.into_iter().collect()))
}

/// All records after the header, each as long as the header.
fn table(records: Records<'_>, expected: usize, delimiter: char) -> Result<Vec<Record>, Located> {
    let mut table = Vec::new();
    for record in records {
        let record = record?;
        if record.fields.len() != expected {
            return Err((
                Some(record.line),
                MapProblem::RowLength {
                    found: record.fields.len(),
                    expected,
                    delimiter,
                },
            ));
        }
        if table.len() == MAX_ROWS {
            return Err((
                Some(record.line),
                MapProblem::Limit {
                    limit: MAX_ROWS,
                    what: "rows",
                },
            ));
        }
        table.push(record);
    }
    Ok(table)
}

/// A record with what its columns mean.
struct Row<'r> {
    record: &'r Record,
    columns: &'r Columns,
}

impl Row<'_> {
    fn cell(&self, column: usize) -> &str {
        &self.record.fields[column]
    }

    fn name(&self, column: usize) -> &str {
        &self.columns.names[column]
    }

    /// The well, by all columns that name it.
    fn well(&self) -> Result<Well, MapProblem> {
        let mut found: Option<(usize, Well)> = None;
        for &column in &self.columns.wells {
            let well = self.cell(column).parse().map_err(MapProblem::Well)?;
            match found {
                Some((first_column, first)) if first != well => {
                    return Err(MapProblem::WellColumnsDisagree {
                        first_column: self.name(first_column).to_owned(),
                        first: first.to_string(),
                        second_column: self.name(column).to_owned(),
                        second: well.to_string(),
                    });
                }
                _ => found = found.or(Some((column, well))),
            }
        }
        match (found, self.columns.row_column) {
            (Some((_, well)), _) => Ok(well),
            (None, Some((row, column))) => {
                Well::from_row_and_column(self.cell(row), self.cell(column)).map_err(MapProblem::Well)
            }
            (None, None) => Err(MapProblem::NoWellColumn {
                columns: self.columns.names.clone(),
            }),
        }
    }

    /// A warning where row and column beside a well name another well: the well counts, since row and column are
    /// often counted from 0 in other tables.
    fn row_and_column_say_otherwise(&self, well: Well) -> Option<String> {
        let (row, column) = self.columns.row_column?;
        let other = Well::from_row_and_column(self.cell(row), self.cell(column)).ok()?;
        (other != well).then(|| {
            let (row, column) = (self.name(row), self.name(column));
            format!(
                "line {}: columns {row:?} and {column:?} say {other}, the well says {well}; the well is used",
                self.record.line
            )
        })
    }

    fn plate(&self) -> Result<Option<String>, MapProblem> {
        let Some(column) = self.columns.plate else {
            return Ok(None);
        };
        let plate = self.cell(column).trim();
        if plate.is_empty() {
            return Err(MapProblem::NoPlate {
                column: self.name(column).to_owned(),
            });
        }
        Ok(Some(plate.to_owned()))
    }

    fn treatment(&self) -> Option<&str> {
        // Spaces alone are taken off: `DMSO ` is DMSO; tabs and signs that cannot be seen stay.
        let cell = self.cell(self.columns.treatment?).trim_matches(' ');
        (!is_missing(cell)).then_some(cell)
    }

    fn unit(&self) -> Result<Option<String>, MapProblem> {
        let in_column = self
            .columns
            .unit
            .and_then(|column| canonical_unit(self.cell(column)));
        let Some((column, Some(in_name))) = &self.columns.dose else {
            return Ok(in_column);
        };
        match in_column {
            Some(unit) if unit != *in_name => Err(MapProblem::UnitsDisagree {
                unit,
                column: self.name(*column).to_owned(),
                in_name: in_name.clone(),
            }),
            _ => Ok(Some(in_name.clone())),
        }
    }

    /// The role by the role columns alone.
    fn named_role(&self) -> Result<Option<Role>, MapProblem> {
        for &column in &self.columns.roles {
            if let Some(role) = role_of(self.cell(column), self.name(column))? {
                return Ok(Some(role));
            }
        }
        Ok(None)
    }

    fn read(
        &self,
        plate: Option<String>,
        well: Well,
        decimals: Decimals,
        controls: &Controls,
    ) -> Result<PlateMapRow, MapProblem> {
        let dose = self
            .columns
            .dose
            .as_ref()
            .map(|(column, _)| dose_of(self.cell(*column), decimals))
            .transpose()?
            .flatten();
        let unit = self.unit()?;
        let extra = self
            .columns
            .extra
            .iter()
            .map(|column| (self.name(*column).to_owned(), self.cell(*column).to_owned()))
            .collect();
        Ok(PlateMapRow {
            plate,
            well,
            treatment: self.treatment().map(str::to_owned),
            dose,
            unit: unit.filter(|_| dose.is_some()),
            role: controls.role(self)?,
            extra,
            line: self.record.line,
        })
    }

    /// Whether the treatment or a role cell is `value`.
    fn has(&self, value: &Value) -> bool {
        let roles = self.columns.roles.iter().map(|column| self.cell(*column).trim());
        self.treatment()
            .into_iter()
            .chain(roles)
            .any(|cell| value.is(cell))
    }
}

/// A value given with `--negcon` or `--poscon`.
struct Value {
    text: String,
    any_case: bool,
}

impl Value {
    fn is(&self, cell: &str) -> bool {
        if self.any_case {
            cell.to_lowercase() == self.text.to_lowercase()
        } else {
            cell == self.text
        }
    }
}

/// The controls that the user named.
struct Controls {
    negcon: Vec<Value>,
    poscon: Vec<Value>,
    /// Whether anything in the map or the options tells roles.
    known: bool,
}

impl Controls {
    fn new(records: &[Record], columns: &Columns, params: &PlateMapParams) -> Result<Self, Located> {
        let rows: Vec<Row<'_>> = records.iter().map(|record| Row { record, columns }).collect();
        let find = |option: &'static str, texts: &[String]| -> Result<Vec<Value>, Located> {
            let found = texts.iter().map(|text| {
                let text = text.trim().to_owned();
                // As it is written first: two treatments may differ in nothing but case.
                let in_cases = [false, true].map(|any_case| Value {
                    text: text.clone(),
                    any_case,
                });
                let found = in_cases
                    .into_iter()
                    .find(|value| rows.iter().any(|row| row.has(value)));
                found.ok_or_else(|| {
                    (
                        None,
                        MapProblem::UnknownControl {
                            option,
                            value: text,
                            known: values(&rows),
                        },
                    )
                })
            });
            found.collect()
        };
        let (negcon, poscon) = (
            find("--negcon", &params.negcon)?,
            find("--poscon", &params.poscon)?,
        );
        let known = !columns.roles.is_empty() || !negcon.is_empty() || !poscon.is_empty();
        Ok(Self {
            negcon,
            poscon,
            known,
        })
    }

    /// The role of a row: named by the user, else by the map, else a treatment where the map tells roles at all.
    fn role(&self, row: &Row<'_>) -> Result<Option<Role>, MapProblem> {
        let is_any = |values: &[Value]| values.iter().any(|value| row.has(value));
        let named = match row.named_role() {
            // A role of the user's own, such as `RLUC wells`, need not be one we know.
            Err(_) if is_any(&self.negcon) || is_any(&self.poscon) => None,
            named => named?,
        };
        let fallback = (self.known && row.treatment().is_some()).then_some(Role::Treatment);
        match (is_any(&self.negcon), is_any(&self.poscon)) {
            (true, true) => Err(MapProblem::BothControls),
            (true, false) => Ok(Some(Role::Negcon)),
            (false, true) => Ok(Some(Role::Poscon)),
            (false, false) => Ok(match named {
                Some(Role::Negcon) if !self.negcon.is_empty() => Some(Role::Treatment),
                Some(Role::Poscon) if !self.poscon.is_empty() => Some(Role::Treatment),
                Some(role) => Some(role),
                None => fallback,
            }),
        }
    }
}

/// All treatments and roles, sorted, each once.
fn values(rows: &[Row<'_>]) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for row in rows {
        values.extend(row.treatment().map(str::to_owned));
        values.extend(
            row.columns
                .roles
                .iter()
                .map(|column| row.cell(*column).trim().to_owned())
                .filter(|cell| !is_missing(cell)),
        );
    }
    values.sort();
    values.dedup();
    values
}
