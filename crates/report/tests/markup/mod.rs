//! A small strict reader of the page's markup: enough to find a tag that is not closed or an attribute that a name
//! smuggled in.

/// Elements without content in HTML.
const VOID: [&str; 3] = ["meta", "img", "br"];

/// One tag with its attributes.
#[derive(Debug)]
pub struct Tag {
    pub name: String,
    pub attributes: Vec<(String, String)>,
}

impl Tag {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Reads the page; panics where it is not well formed. Returns all opening tags in order.
pub fn read(html: &str) -> Vec<Tag> {
    let mut rest = html
        .strip_prefix("<!DOCTYPE html>")
        .expect("the page starts with its document type");
    let (mut open, mut tags) = (Vec::<String>::new(), Vec::new());
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(closing) = rest.strip_prefix('/') {
            let end = closing.find('>').expect("a closing tag ends");
            let expected = open.pop();
            assert_eq!(
                expected.as_deref(),
                Some(&closing[..end]),
                "closing tag near {:.120}",
                closing
            );
            rest = &closing[end + 1..];
            continue;
        }
        let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(!name.is_empty(), "a tag has a name: <{rest:.120}");
        rest = &rest[name.len()..];
        let mut attributes = Vec::new();
        let is_closed = loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix("/>") {
                rest = after;
                break true;
            }
            if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break false;
            }
            let equals = rest
                .find("=\"")
                .unwrap_or_else(|| panic!("an attribute of <{name}> has a value: {rest:.80}"));
            let key = &rest[..equals];
            assert!(
                key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
                "attribute {key:?} of <{name}>"
            );
            let value = &rest[equals + 2..];
            let end = value.find('"').expect("an attribute's value ends");
            attributes.push((key.to_owned(), value[..end].to_owned()));
            rest = &value[end + 1..];
        };
        if name == "style" || name == "script" {
            rest = &rest[rest.find(&format!("</{name}>")).expect("style and script end")..];
        }
        if !is_closed && !VOID.contains(&name.as_str()) {
            open.push(name.clone());
        }
        tags.push(Tag { name, attributes });
    }
    assert!(open.is_empty(), "tags left open: {open:?}");
    tags
}

/// The page without style, figures' marks and pictures' bytes: what a golden file holds.
#[allow(dead_code)] // Not every test file needs it.
pub fn outline(html: &str) -> String {
    let cut = |text: &str, from: &str, to: &str| {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find(from) {
            let after = start + from.len();
            let end = after + rest[after..].find(to).expect("what starts ends");
            out.push_str(&rest[..after]);
            out.push('…');
            rest = &rest[end..];
        }
        out + rest
    };
    let text = cut(html, "<style>", "</style>");
    let text = cut(&text, "data:image/png;base64,", "\"");
    let text = cut(&text, "role=\"img\" ", "</svg>");
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| format!("{line}\n"))
        .collect()
}
