//! Names as text: nothing that comes from a file name or a plate map is ever markup.

use std::borrow::Cow;

/// Whether no page should carry a character: controls (HTML forbids them) and marks that reverse the direction of text.
fn is_forbidden(c: char) -> bool {
    let is_control = c.is_control() && !matches!(c, '\n' | '\t');
    is_control || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Puts U+FFFD in the place of forbidden characters: the last step of a page.
pub(crate) fn without_controls(page: String) -> String {
    if page.contains(is_forbidden) {
        page.replace(is_forbidden, "\u{fffd}")
    } else {
        page
    }
}

/// One line of text for a figure: forbidden characters as U+FFFD, line breaks as spaces, because a figure is written
/// one element a line.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_forbidden(c) || matches!(c, '\n' | '\t')) {
        return Cow::Borrowed(text);
    }
    let replaced = text.chars().map(|c| match c {
        '\n' | '\t' | '\r' => ' ',
        c if is_forbidden(c) => '\u{fffd}',
        c => c,
    });
    Cow::Owned(replaced.collect())
}

/// Escapes text for HTML and SVG, in elements and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Escapes JSON for a script element: no character is left that could end it or start a comment.
pub(crate) fn escape_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            c if matches!(c, '<' | '>' | '&') || is_forbidden(c) => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)))
            }
            c => out.push(c),
        }
    }
    out
}

/// The first `length` characters, with an ellipsis when there are more.
pub(crate) fn shorten(text: &str, length: usize) -> Cow<'_, str> {
    if text.chars().count() <= length {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(length.saturating_sub(1)).collect();
    Cow::Owned(format!("{}…", kept.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_direction_marks_are_replaced() {
        assert_eq!(one_line("a\0b\u{202e}c\nd"), "a\u{fffd}b\u{fffd}c d");
        assert!(matches!(one_line("ärmlich 1′ <b>"), Cow::Borrowed(_)));
        assert_eq!(
            without_controls("a\0b\u{202e}c\nd".into()),
            "a\u{fffd}b\u{fffd}c\nd"
        );
    }

    #[test]
    fn json_cannot_leave_its_element() {
        let json = escape_json(r#"{"a":"</script><!-- & "}"#);
        assert!(!json.contains(['<', '>', '&']), "{json}");
        let back: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back["a"], "</script><!-- & ");
    }

    #[test]
    fn long_names_end_in_an_ellipsis() {
        assert_eq!(shorten("wortmannin", 10), "wortmannin");
        assert_eq!(shorten("wortmannin 5", 8), "wortman…");
    }
}
