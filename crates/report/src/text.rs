//! Names as text: nothing that comes from a file name or a plate map is ever markup.

use std::borrow::Cow;

/// Replaces characters that no page should carry by U+FFFD: control characters (HTML forbids them; a line break would
/// also break the figures' one-element-a-line form) and the marks that reverse the direction of text.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let forbidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    if text.contains(forbidden) {
        let replaced = text.chars().map(|c| match c {
            '\n' | '\t' | '\r' => ' ',
            c if forbidden(c) => '\u{fffd}',
            c => c,
        });
        Cow::Owned(replaced.collect())
    } else {
        Cow::Borrowed(text)
    }
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
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
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
        assert_eq!(clean("a\0b\u{202e}c\nd"), "a\u{fffd}b\u{fffd}c d");
        assert!(matches!(clean("ärmlich 1′ <b>"), Cow::Borrowed(_)));
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
