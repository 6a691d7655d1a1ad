//! Cells that a spreadsheet would run.

/// `cell` as it may stand in a CSV that people open in a spreadsheet: with an apostrophe in front where the program
/// would read it as a formula (`=`, `+`, `-`, `@`, a tab or a return first, also in their full-width forms).
///
/// Numbers such as `-0.5` stay as they are. Quoting by the rules of CSV is the writer's work and comes after this.
pub fn escape_csv_formula(cell: &str) -> String {
    let starts_a_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if starts_a_formula && !cell.parse::<f64>().is_ok_and(f64::is_finite) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::escape_csv_formula;

    #[test]
    fn formulas_are_escaped_and_other_cells_kept() {
        for cell in [
            "=cmd|' /C calc'!A0",
            "+1+1",
            "-2-3",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "＝1",
        ] {
            assert_eq!(escape_csv_formula(cell), format!("'{cell}"));
        }
        for cell in [
            "",
            "DMSO",
            "-0.5",
            "+1e-3",
            "1,2-dichloroethane",
            "a=b",
            "5\" peptide",
        ] {
            assert_eq!(escape_csv_formula(cell), cell);
        }
    }
}
