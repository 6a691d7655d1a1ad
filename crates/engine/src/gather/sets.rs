//! Conformal sets from the p-values that the first stage keeps, at this run's coverage.

use polars::prelude::*;

use crate::screen::table::CONFORMAL_P;

/// Name of the column that is made.
const SET: &str = "Metadata_Phenotype_Set";

/// Replaces the columns of class p-values by the sets: all classes with p > 1 - coverage. A table without such columns
/// is handed back as it is; an object without p-values gets null.
///
/// Errors: polars refuses the table.
pub(crate) fn with_sets(mut objects: DataFrame, coverage: f64) -> PolarsResult<DataFrame> {
    let names: Vec<String> = objects
        .get_column_names()
        .iter()
        .map(|name| name.to_string())
        .filter(|name| name.starts_with(CONFORMAL_P))
        .collect();
    if names.is_empty() {
        return Ok(objects);
    }
    let classes: Vec<&str> = names.iter().map(|name| &name[CONFORMAL_P.len()..]).collect();
    let mut p_values = Vec::new();
    for name in &names {
        let p: Vec<Option<f64>> = objects.column(name)?.f64()?.iter().collect();
        p_values.push(p);
    }
    let alpha = 1.0 - coverage;
    let mut sets = ListStringChunkedBuilder::new(SET.into(), objects.height(), 2 * objects.height());
    for object in 0..objects.height() {
        let of_object: Option<Vec<f64>> = p_values.iter().map(|p| p[object]).collect();
        match of_object {
            Some(p) => sets.append_values_iter(
                classes
                    .iter()
                    .zip(p)
                    .filter(|(_, p)| *p > alpha)
                    .map(|(class, _)| *class),
            ),
            None => sets.append_null(),
        }
    }
    let at = objects.get_column_index(&names[0]).unwrap_or(objects.width());
    objects.insert_column(at, sets.finish().into_series().into_column())?;
    Ok(objects.drop_many(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_the_classes_above_the_error_level() {
        let table = df!(
            "x" => [1.0, 2.0, 3.0],
            "Metadata_Phenotype_ConformalP_A" => [Some(0.5), Some(0.05), None],
            "Metadata_Phenotype_ConformalP_B" => [Some(0.11), Some(0.02), None],
            "y" => [1.0, 2.0, 3.0],
        )
        .unwrap();
        let check = |coverage: f64, expected: [&[&str]; 2]| {
            let with = with_sets(table.clone(), coverage).unwrap();
            assert_eq!(with.get_column_names(), ["x", SET, "y"]);
            let sets = with.column(SET).unwrap().list().unwrap().clone();
            for (object, expected) in expected.iter().enumerate() {
                let set = sets.get_as_series(object).unwrap();
                let set: Vec<&str> = set.str().unwrap().iter().flatten().collect();
                assert_eq!(set, *expected, "coverage {coverage}, object {object}");
            }
            assert!(sets.get_as_series(2).is_none());
        };
        check(0.9, [&["A", "B"], &[]]);
        check(0.97, [&["A", "B"], &["A"]]);
        check(0.6, [&["A"], &[]]);
    }
}
