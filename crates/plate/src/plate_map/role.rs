//! Roles of wells and the many names they go by.

use super::Role;
use crate::error::MapProblem;

/// Every name that is read, by role; compared in lower case, with `_` for spaces and hyphens.
const NAMES: [(Role, &[&str]); 4] = [
    (
        Role::Negcon,
        &[
            "negcon",
            "negative",
            "control",
            "dmso",
            "untreated",
            "mock",
            "vehicle",
            "solvent",
            "negative_control",
            "neg",
            "neg_control",
            "ctrl",
            "non_targeting",
            "ctl_vehicle",
            "ctl_untrt",
        ],
    ),
    (
        Role::Poscon,
        &[
            "poscon",
            "positive",
            "positive_control",
            "pos",
            "pos_control",
            "poscon_cp",
            "poscon_diverse",
            "poscon_orf",
            "trt_poscon",
        ],
    ),
    (
        Role::Treatment,
        &[
            "treatment",
            "treated",
            "trt",
            "sample",
            "dose",
            "compound",
            "test",
            "trt_cp",
            "trt_sh",
            "trt_oe",
            "trt_xpr",
        ],
    ),
    (Role::Empty, &["empty", "blank", "unused"]),
];

/// Whether a cell says that nothing is known: empty, or as R and pandas write it.
pub(super) fn is_missing(cell: &str) -> bool {
    matches!(cell.trim(), "" | "NA" | "N/A" | "n/a")
}

/// The role a cell names; `None` where it is missing.
pub(super) fn role_of(cell: &str, column: &str) -> Result<Option<Role>, MapProblem> {
    if is_missing(cell) {
        return Ok(None);
    }
    let wanted = cell.trim().to_lowercase().replace([' ', '-'], "_");
    let found = NAMES.iter().find(|(_, names)| names.contains(&wanted.as_str()));
    found
        .map(|(role, _)| Some(*role))
        .ok_or_else(|| MapProblem::Role {
            text: cell.to_owned(),
            column: column.to_owned(),
            known: known_roles(),
        })
}

/// The known names, for messages.
fn known_roles() -> String {
    let main = ["negcon", "poscon", "treatment", "empty"];
    let lists = main.iter().zip(&NAMES).map(|(role, (_, names))| {
        let others: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| name != role)
            .take(6)
            .collect();
        format!("{role} ({})", others.join(", "))
    });
    lists.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synonyms() {
        let check =
            |cell: &str, role: Option<Role>| assert_eq!(role_of(cell, "role").unwrap(), role, "{cell}");
        for cell in [
            "negcon",
            "Negative",
            "negative control",
            "DMSO",
            "untreated",
            "mock",
            "Control",
        ] {
            check(cell, Some(Role::Negcon));
        }
        for cell in ["poscon", "positive", "Positive-Control", "poscon_cp"] {
            check(cell, Some(Role::Poscon));
        }
        for cell in ["trt", "sample", "dose", "treatment"] {
            check(cell, Some(Role::Treatment));
        }
        check("empty", Some(Role::Empty));
        check(" ", None);
        check("NA", None);
    }

    #[test]
    fn unknown_roles_list_the_known_ones() {
        let message = role_of("poscontrol", "role").unwrap_err().to_string();
        assert!(
            message.contains("\"poscontrol\"")
                && message.contains("poscon (positive")
                && message.contains("untreated"),
            "{message}"
        );
    }
}
