//! Columns of a polars table as plain vectors, and back.

use polars::prelude::*;

use crate::ProfileError;

/// A column, or an error that lists what is there.
fn find<'a>(
    table_name: &'static str,
    table: &'a DataFrame,
    column: &str,
) -> Result<&'a Column, ProfileError> {
    table.column(column).map_err(|_| {
        let names: Vec<&str> = table
            .get_column_names()
            .into_iter()
            .map(PlSmallStr::as_str)
            .take(12)
            .collect();
        ProfileError::MissingColumn {
            table: table_name,
            column: column.to_owned(),
            known: names.join(", "),
        }
    })
}

/// A text column.
pub(crate) fn texts(
    table_name: &'static str,
    table: &DataFrame,
    column: &str,
) -> Result<Vec<Option<String>>, ProfileError> {
    let column = find(table_name, table, column)?
        .cast(&DataType::String)
        .map_err(ProfileError::table(table_name))?;
    let words = column.str().map_err(ProfileError::table(table_name))?;
    Ok(words.iter().map(|cell| cell.map(str::to_owned)).collect())
}

/// A numeric or bool column as f64; NaN and infinities are missing.
pub(crate) fn numbers(
    table_name: &'static str,
    table: &DataFrame,
    column: &str,
) -> Result<Vec<Option<f64>>, ProfileError> {
    let column = find(table_name, table, column)?
        .cast(&DataType::Float64)
        .map_err(ProfileError::table(table_name))?;
    let values = column.f64().map_err(ProfileError::table(table_name))?;
    Ok(values.iter().map(|v| v.filter(|v| v.is_finite())).collect())
}

/// [`numbers`], or `None` when there is no such column.
pub(crate) fn numbers_if_there(
    table_name: &'static str,
    table: &DataFrame,
    column: &str,
) -> Result<Option<Vec<Option<f64>>>, ProfileError> {
    if table.column(column).is_ok() {
        numbers(table_name, table, column).map(Some)
    } else {
        Ok(None)
    }
}

/// [`texts`], or `None` when there is no such column.
pub(crate) fn texts_if_there(
    table_name: &'static str,
    table: &DataFrame,
    column: &str,
) -> Result<Option<Vec<Option<String>>>, ProfileError> {
    if table.column(column).is_ok() {
        texts(table_name, table, column).map(Some)
    } else {
        Ok(None)
    }
}

/// Names of the morphology features: every numeric column that does not start with `Metadata_`.
pub(crate) fn feature_names(objects: &DataFrame) -> Vec<String> {
    objects
        .columns()
        .iter()
        .filter(|c| !c.name().starts_with("Metadata_") && c.dtype().is_primitive_numeric())
        .map(|c| c.name().to_string())
        .collect()
}

/// The table with every NaN or infinity of a float column made null.
pub(crate) fn without_nan(table: DataFrame) -> Result<DataFrame, ProfileError> {
    let mut table = table;
    let mut clean = Vec::new();
    for column in table.columns() {
        let name = column.name().clone();
        match column.dtype() {
            DataType::Float32 => {
                let values = column.f32().map_err(ProfileError::table("objects"))?;
                if values.iter().flatten().any(|v| !v.is_finite()) {
                    let values: Float32Chunked = values.iter().map(|v| v.filter(|v| v.is_finite())).collect();
                    clean.push(values.with_name(name).into_column());
                }
            }
            DataType::Float64 => {
                let values = column.f64().map_err(ProfileError::table("objects"))?;
                if values.iter().flatten().any(|v| !v.is_finite()) {
                    let values: Float64Chunked = values.iter().map(|v| v.filter(|v| v.is_finite())).collect();
                    clean.push(values.with_name(name).into_column());
                }
            }
            _ => {}
        }
    }
    for column in clean {
        table
            .with_column(column)
            .map_err(ProfileError::table("objects"))?;
    }
    Ok(table)
}

/// Makes `column` null in the rows where `keep` is false.
pub(crate) fn withhold(table: &mut DataFrame, column: &str, keep: &[bool]) -> Result<(), ProfileError> {
    let index: IdxCa = keep
        .iter()
        .enumerate()
        .map(|(i, &k)| k.then_some(i as IdxSize))
        .collect();
    let withheld = find("objects", table, column)?
        .take(&index)
        .map_err(ProfileError::table("objects"))?;
    table
        .with_column(withheld)
        .map_err(ProfileError::table("objects"))?;
    Ok(())
}

/// Puts a column into a table, in place of one of the same name or at the end.
pub(crate) fn put<T, N>(table: &mut DataFrame, name: &str, values: T) -> Result<(), ProfileError>
where
    Series: NamedFrom<T, N>,
    N: ?Sized,
{
    table
        .with_column(Series::new(name.into(), values).into_column())
        .map_err(ProfileError::table("objects"))?;
    Ok(())
}

/// A table from columns that were gathered in order.
pub(crate) fn table(
    name: &'static str,
    height: usize,
    columns: Vec<Column>,
) -> Result<DataFrame, ProfileError> {
    DataFrame::new(height, columns).map_err(ProfileError::table(name))
}

/// A column from values.
pub(crate) fn column<T, N>(name: impl AsRef<str>, values: T) -> Column
where
    Series: NamedFrom<T, N>,
    N: ?Sized,
{
    Series::new(name.as_ref().into(), values).into_column()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_the_numeric_columns_without_the_metadata_prefix() {
        let table =
            df!("Metadata_A" => [1.0], "Nuclei_B" => [1.0f32], "Note" => ["x"], "Cells_C" => [3u32]).unwrap();
        assert_eq!(feature_names(&table), ["Nuclei_B", "Cells_C"]);
    }

    #[test]
    fn withheld_rows_become_null_and_nan_never_stays() {
        let mut table =
            without_nan(df!("a" => [1.0, f64::NAN, 3.0], "b" => ["x", "y", "z"]).unwrap()).unwrap();
        withhold(&mut table, "b", &[true, false, true]).unwrap();
        assert_eq!(
            numbers("objects", &table, "a").unwrap(),
            [Some(1.0), None, Some(3.0)]
        );
        assert_eq!(table.column("a").unwrap().null_count(), 1);
        assert_eq!(
            texts("objects", &table, "b").unwrap(),
            [Some("x".into()), None, Some("z".into())]
        );
    }

    #[test]
    fn a_missing_column_is_named_with_those_that_are_there() {
        let message = texts("objects", &df!("a" => [1]).unwrap(), "Metadata_Plate")
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("Metadata_Plate") && message.contains("it has a"),
            "{message}"
        );
    }
}
