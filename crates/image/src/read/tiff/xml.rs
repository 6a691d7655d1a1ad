//! Just enough XML for OME metadata: elements and their attributes. No document types, no entities but the five of XML.

use std::fmt;

/// An opening or empty element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// Name without its namespace prefix.
    pub(super) name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    /// The value of an attribute (name without prefix).
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Why a text gives no elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum XmlFault {
    /// A document type or an entity: never expanded, never fetched.
    Entity(String),
    /// No well-formed XML.
    Broken(String),
}

impl fmt::Display for XmlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entity(what) => write!(f, "{what}; an entity is never expanded"),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

/// All elements in document order. Text between them is passed over; elements must nest.
pub(super) fn elements(text: &str) -> Result<Vec<Element>, XmlFault> {
    let mut found = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        rest = rest.get(start..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix("<!--") {
            rest = after_mark(after, "-->", "a comment")?;
        } else if let Some(after) = rest.strip_prefix("<?") {
            rest = after_mark(after, "?>", "a processing instruction")?;
        } else if let Some(after) = rest.strip_prefix("<![CDATA[") {
            rest = after_mark(after, "]]>", "a CDATA section")?;
        } else if "<!--".starts_with(rest) || "<![CDATA[".starts_with(rest) {
            return Err(cut("a mark"));
        } else if rest.starts_with("<!") {
            return Err(XmlFault::Entity("the XML declares a document type".to_owned()));
        } else if let Some(after) = rest.strip_prefix("</") {
            let (name, after) = after.split_once('>').ok_or_else(|| cut("a closing tag"))?;
            if open.pop().as_deref() != Some(name.trim()) {
                return Err(XmlFault::Broken(format!(
                    "</{}> closes nothing that is open",
                    name.trim()
                )));
            }
            rest = after;
        } else {
            let (full_name, attributes, is_empty, after) =
                opening(rest.strip_prefix('<').unwrap_or_default())?;
            found.push(Element {
                name: local(&full_name).to_owned(),
                attributes,
            });
            if !is_empty {
                open.push(full_name);
            }
            rest = after;
        }
    }
    match open.last() {
        Some(name) => Err(XmlFault::Broken(format!("<{name}> is never closed"))),
        None if found.is_empty() => Err(XmlFault::Broken("there is no element".to_owned())),
        None => Ok(found),
    }
}

fn cut(what: &str) -> XmlFault {
    XmlFault::Broken(format!("the XML stops inside {what}"))
}

fn after_mark<'a>(text: &'a str, mark: &str, what: &str) -> Result<&'a str, XmlFault> {
    text.split_once(mark)
        .map(|(_, after)| after)
        .ok_or_else(|| cut(what))
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

type Opening<'a> = (String, Vec<(String, String)>, bool, &'a str);

/// Name, attributes, whether it is empty, and what follows; `text` begins behind the `<`.
fn opening(text: &str) -> Result<Opening<'_>, XmlFault> {
    let end = text
        .find(|c: char| c.is_whitespace() || c == '>' || c == '/')
        .ok_or_else(|| cut("a tag"))?;
    let (name, mut rest) = text.split_at_checked(end).unwrap_or_default();
    if name.is_empty() {
        return Err(XmlFault::Broken("a tag has no name".to_owned()));
    }
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>") {
            return Ok((name.to_owned(), attributes, true, after));
        }
        if let Some(after) = rest.strip_prefix('>') {
            return Ok((name.to_owned(), attributes, false, after));
        }
        let (key, after) = rest.split_once('=').ok_or_else(|| cut("a tag"))?;
        let after = after.trim_start();
        let quote = after
            .chars()
            .next()
            .filter(|&c| c == '"' || c == '\'')
            .ok_or_else(|| cut("an attribute"))?;
        let (value, after) = after
            .get(1..)
            .and_then(|after| after.split_once(quote))
            .ok_or_else(|| cut("an attribute"))?;
        attributes.push((local(key.trim()).to_owned(), unescape(value)?));
        rest = after;
    }
}

/// Replaces character references and the five entities of XML.
fn unescape(value: &str) -> Result<String, XmlFault> {
    let mut plain = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let (name, after) = after
            .split_once(';')
            .ok_or_else(|| XmlFault::Broken("an & stands alone".to_owned()))?;
        let numeric = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        let character = match name {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => match (name.strip_prefix("#x"), name.strip_prefix('#')) {
                (Some(digits), _) => numeric(digits, 16),
                (None, Some(digits)) => numeric(digits, 10),
                (None, None) => None,
            },
        };
        plain.push(
            character.ok_or_else(|| {
                XmlFault::Entity(format!("the XML uses the entity &{};", name.escape_debug()))
            })?,
        );
        rest = after;
    }
    plain.push_str(rest);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_with_unescaped_attributes_and_without_prefixes() {
        let found =
            elements("<?xml version='1.0'?><!-- <no> --><a:B x='1 &lt; 2' y=\"&#181;m\"><C/>text</a:B>")
                .unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].name, "B");
        assert_eq!(found[0].attribute("x"), Some("1 < 2"));
        assert_eq!(found[0].attribute("y"), Some("µm"));
        assert_eq!(found[1].name, "C");
    }

    #[test]
    fn entities_and_document_types_are_refused() {
        assert!(matches!(
            elements("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"),
            Err(XmlFault::Entity(_))
        ));
        assert!(matches!(elements("<a x='&b;'/>"), Err(XmlFault::Entity(_))));
    }

    #[test]
    fn every_cut_is_broken_and_none_panics() {
        let whole = "<?xml version='1.0'?><a x='µ &amp; ü'><b y=\"1\"/><!-- c --></a>";
        assert!(elements(whole).is_ok());
        for at in (0..whole.len()).filter(|&at| whole.is_char_boundary(at)) {
            assert!(
                matches!(elements(&whole[..at]), Err(XmlFault::Broken(_))),
                "{:?}",
                &whole[..at]
            );
        }
    }
}
