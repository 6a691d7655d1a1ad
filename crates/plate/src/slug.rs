//! File-name safe forms of names that come from users.

/// Longest slug before its digest, in bytes: leaves room for well, site and extension in a file name of 255 bytes.
const MAX_SLUG: usize = 80;

/// A file-name safe form of `name`: letters, digits, `.`, `-` and `_`, at most 80 of them, never with a dot in front.
///
/// A name that is already safe is its own slug. Any other gets a digest of its bytes behind it, so that two names that
/// differ only in unsafe characters (or beyond the 80th) do not share a file.
pub fn file_name_slug(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_safe =
        !name.is_empty() && name.len() <= MAX_SLUG && !name.starts_with('.') && name.chars().all(safe);
    if is_safe {
        return name.to_owned();
    }
    let slug: String = name
        .trim_start_matches('.')
        .chars()
        .map(|c| if safe(c) { c } else { '_' })
        .take(MAX_SLUG)
        .collect();
    let slug = slug.trim_start_matches(['.', '_']);
    let separator = if slug.is_empty() { "plate-" } else { "-" };
    format!("{slug}{separator}{:016x}", fnv1a(name.as_bytes()))
}

/// FNV-1a, 64 bits: a short digest to keep names apart, not a defence.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safe_names_are_kept() {
        for name in ["P1", "PK-10B-pl1", "2021_08_17", "a.b"] {
            assert_eq!(file_name_slug(name), name);
        }
    }

    #[test]
    fn unsafe_names_never_become_paths_and_stay_apart() {
        let names = [
            "a/b",
            "a:b",
            "a_b",
            "..",
            ".",
            "",
            "../../outside",
            "/etc/passwd",
            ".hidden",
            "é",
            "e\u{301}",
        ];
        let mut slugs: Vec<String> = names.iter().map(|name| file_name_slug(name)).collect();
        assert!(
            slugs
                .iter()
                .all(|slug| !slug.contains(['/', '\\', ':']) && !slug.starts_with('.') && !slug.is_empty())
        );
        slugs.sort();
        slugs.dedup();
        assert_eq!(slugs.len(), names.len());
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let long = "x".repeat(5000);
        assert!(file_name_slug(&long).len() < 120);
        assert_ne!(file_name_slug(&long), file_name_slug(&format!("{long}y")));
    }
}
