//! XML as web services answer it, read into a small tree without prefixes: bounded in size,
//! depth and count, with no document type, so that no entity can grow or reach outside. What
//! the elements mean is left to others.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// The largest document that is read, in bytes.
const MAX_BYTES: usize = 512 << 10;
/// The deepest element.
const MAX_DEPTH: usize = 32;
/// The most elements.
const MAX_ELEMENTS: usize = 4096;
/// The most attributes of one element that are kept.
const MAX_ATTRIBUTES: usize = 32;

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// It is larger than any honest answer, in bytes or in elements.
    #[error("expected a document of at most {MAX_BYTES} bytes and {MAX_ELEMENTS} elements")]
    TooLarge,
    /// Its elements are nested deeper than any honest answer's.
    #[error("expected elements at most {MAX_DEPTH} deep")]
    TooDeep,
    /// It declares a document type, which could declare entities.
    #[error("expected no document type")]
    DocumentType,
    /// It names an entity that XML does not know by itself.
    #[error("expected no entities but those of XML itself")]
    Entity,
    /// It is not XML.
    #[error("expected XML")]
    NotXml,
}

/// An element; names of elements and attributes are without their prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its own text without white space around it.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.trim()
    }

    /// The value of an attribute, or nothing.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.trim())
    }

    /// Its children of this name, whatever its case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name.eq_ignore_ascii_case(name))
    }

    /// The first element of this name below it, at any depth, in the order of the document.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Self> {
        self.children.iter().find_map(|child| {
            if child.name.eq_ignore_ascii_case(name) { Some(child) } else { child.find(name) }
        })
    }

    /// The text of the first element of this name below it, or nothing.
    #[must_use]
    pub fn text_of(&self, name: &str) -> &str {
        self.find(name).map_or("", Self::text)
    }
}

/// Reads a document in UTF-8, or in UTF-16 with a byte order mark.
///
/// # Errors
/// When it is not XML, or goes beyond a limit.
pub fn read(bytes: &[u8]) -> Result<Element, XmlError> {
    if bytes.len() > MAX_BYTES {
        return Err(XmlError::TooLarge);
    }
    build(&decode(bytes))
}

fn decode(bytes: &[u8]) -> String {
    let wide = |from: &dyn Fn([u8; 2]) -> u16| {
        let pairs = bytes[2..].as_chunks::<2>().0.iter();
        char::decode_utf16(pairs.map(|pair| from(*pair)))
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect()
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(&u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(&u16::from_be_bytes),
        _ => {
            let text = String::from_utf8_lossy(bytes);
            text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()
        }
    }
}

fn build(text: &str) -> Result<Element, XmlError> {
    let mut reader = Reader::from_str(text);
    // the elements that are open, the outermost first; the last closed one of all is the root
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut count = 0;
    loop {
        let event = reader.read_event().map_err(|_| XmlError::NotXml)?;
        match event {
            Event::Start(start) => {
                count += 1;
                enter(&open, count, root.is_some())?;
                open.push(element(&start)?);
            }
            Event::Empty(start) => {
                count += 1;
                enter(&open, count, root.is_some())?;
                close(element(&start)?, &mut open, &mut root);
            }
            Event::End(_) => {
                let closed = open.pop().ok_or(XmlError::NotXml)?;
                close(closed, &mut open, &mut root);
            }
            Event::Text(text) => add(&text.xml10_content(), &mut open)?,
            Event::CData(text) => add(&text.xml10_content(), &mut open)?,
            Event::GeneralRef(name) => {
                let c = match name.resolve_char_ref().map_err(|_| XmlError::NotXml)? {
                    Some(c) => c,
                    None => known_entity(&name).ok_or(XmlError::Entity)?,
                };
                add(c.encode_utf8(&mut [0; 4]), &mut open)?;
            }
            Event::DocType(_) => return Err(XmlError::DocumentType),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof if open.is_empty() => return root.ok_or(XmlError::NotXml),
            Event::Eof => return Err(XmlError::NotXml),
        }
    }
}

const fn enter(open: &[Element], count: usize, ended: bool) -> Result<(), XmlError> {
    if ended {
        return Err(XmlError::NotXml);
    }
    if count > MAX_ELEMENTS {
        return Err(XmlError::TooLarge);
    }
    if open.len() >= MAX_DEPTH {
        return Err(XmlError::TooDeep);
    }
    Ok(())
}

fn close(closed: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(closed),
        None => *root = Some(closed),
    }
}

fn add(text: &str, open: &mut [Element]) -> Result<(), XmlError> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        // around the root there is nothing but white space
        None if text.trim().is_empty() => {}
        None => return Err(XmlError::NotXml),
    }
    Ok(())
}

fn element(start: &BytesStart<'_>) -> Result<Element, XmlError> {
    let name = local(start.name().as_ref()).to_owned();
    let mut attributes = Vec::new();
    for attribute in start.attributes().take(MAX_ATTRIBUTES) {
        let attribute = attribute.map_err(|_| XmlError::NotXml)?;
        let name = attribute.key.as_ref();
        if name == "xmlns" || name.starts_with("xmlns:") {
            continue;
        }
        let value = quick_xml::escape::unescape(&attribute.value).map_err(|_| XmlError::Entity)?;
        attributes.push((local(name).to_owned(), value.into_owned()));
    }
    Ok(Element { name, attributes, ..Element::default() })
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// XML 1.0 section 4.6.
fn known_entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => None,
    }
}

/// Text as it stands in an element or an attribute (XML 1.0 section 2.4). What no document can
/// hold is left out.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_without_their_prefixes() {
        let root = read(
            b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- x --><s:A xmlns:s='urn:x' t:B=' 1 &amp; 2 '>\
              <C>a&lt;b&#x41;<![CDATA[<&>]]> </C><s:d/><E><C>deep</C></E></s:A>\n",
        )
        .unwrap();
        assert_eq!(root.name(), "A");
        assert_eq!(root.attribute("b"), "1 & 2");
        assert_eq!(root.text_of("C"), "a<bA<&>");
        assert_eq!(root.all("c").count(), 1);
        assert!(root.find("D").is_some() && root.find("F").is_none());
        assert_eq!(root.find("E").unwrap().text_of("C"), "deep");
        let wide: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain("<a>é</a>".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        assert_eq!(read(&wide).unwrap().text(), "é");
    }

    #[test]
    fn bombs_are_refused() {
        let check = |text: &str, expect: XmlError| {
            assert_eq!(read(text.as_bytes()), Err(expect), "{}", &text[..text.len().min(60)]);
        };
        let laughs = "<!DOCTYPE a [<!ENTITY b \"lol\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
        check(laughs, XmlError::DocumentType);
        check("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", XmlError::DocumentType);
        check("<a>&b;</a>", XmlError::Entity);
        check("<a b=\"&c;\"/>", XmlError::Entity);
        check(&"<a>".repeat(100_000), XmlError::TooDeep);
        check(&format!("<a>{}</a>", "<b/>".repeat(5000)), XmlError::TooLarge);
        check(&format!("<a>{}</a>", "x".repeat(MAX_BYTES)), XmlError::TooLarge);
    }

    #[test]
    fn what_is_no_xml() {
        for text in
            ["", " ", "text", "<a>", "</a>", "<a></b>", "<a/><b/>", "<a/>text", "<html><br></html>"]
        {
            assert_eq!(read(text.as_bytes()), Err(XmlError::NotXml), "{text}");
        }
    }

    proptest! {
        #[test]
        fn bytes_never_upset_it(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }

        #[test]
        fn nor_does_what_looks_like_xml(text in "[<>/a-c&;:#x!\\[\\]\"'= -]{0,120}") {
            let _ = read(text.as_bytes());
        }

        #[test]
        fn what_is_escaped_reads_as_it_was(text in "[ -~é]{0,60}") {
            let document = format!("<a b=\"{0}\">{0}</a>", escape(&text));
            let root = read(document.as_bytes()).unwrap();
            prop_assert_eq!(root.text(), text.trim());
            prop_assert_eq!(root.attribute("b"), text.trim());
        }
    }
}
