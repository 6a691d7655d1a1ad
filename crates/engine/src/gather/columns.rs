//! Columns of finished tables as plain vectors; a column that is not there is a column of missing values.

use polars::prelude::*;

/// A numeric column.
pub(crate) fn numbers(table: &DataFrame, name: &str) -> Vec<Option<f64>> {
    let values = table
        .column(name)
        .ok()
        .and_then(|column| column.cast(&DataType::Float64).ok());
    let values = values.as_ref().and_then(|column| column.f64().ok().cloned());
    values.map_or_else(
        || vec![None; table.height()],
        |values| values.iter().map(|v| v.filter(|v| v.is_finite())).collect(),
    )
}

/// A text column.
pub(crate) fn texts(table: &DataFrame, name: &str) -> Vec<Option<String>> {
    let words = table
        .column(name)
        .ok()
        .and_then(|column| column.str().ok().cloned());
    words.map_or_else(
        || vec![None; table.height()],
        |words| words.iter().map(|word| word.map(str::to_owned)).collect(),
    )
}

/// A column of truth values; what is missing is false.
pub(crate) fn flags(table: &DataFrame, name: &str) -> Vec<bool> {
    let marks = table
        .column(name)
        .ok()
        .and_then(|column| column.bool().ok().cloned());
    marks.map_or_else(
        || vec![false; table.height()],
        |marks| marks.iter().map(|mark| mark == Some(true)).collect(),
    )
}

/// A column of lists of text.
pub(crate) fn text_lists(table: &DataFrame, name: &str) -> Vec<Vec<String>> {
    let lists = table
        .column(name)
        .ok()
        .and_then(|column| column.list().ok().cloned());
    let Some(lists) = lists else {
        return vec![Vec::new(); table.height()];
    };
    let of_row = |row: usize| {
        let list = lists.get_as_series(row);
        let words = list.as_ref().and_then(|list| list.str().ok());
        words
            .map(|words| words.iter().flatten().map(str::to_owned).collect())
            .unwrap_or_default()
    };
    (0..table.height()).map(of_row).collect()
}

/// A column of lists of numbers.
pub(crate) fn number_lists(table: &DataFrame, name: &str) -> Vec<Vec<f64>> {
    let lists = table
        .column(name)
        .ok()
        .and_then(|column| column.list().ok().cloned());
    let Some(lists) = lists else {
        return vec![Vec::new(); table.height()];
    };
    let of_row = |row: usize| {
        let list = lists.get_as_series(row);
        let numbers = list.as_ref().and_then(|list| list.f64().ok());
        numbers
            .map(|numbers| numbers.iter().flatten().collect())
            .unwrap_or_default()
    };
    (0..table.height()).map(of_row).collect()
}
