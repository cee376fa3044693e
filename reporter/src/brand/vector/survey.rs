//! What an SVG costs and needs, found out before it is drawn: how many elements there are once
//! every `<use>` stands for what it shows, how deep they lie, whether anything is fetched or
//! executed. Text in, a document within bounds out.

use std::collections::BTreeMap;

use usvg::roxmltree::{Document, Node, ParsingOptions};

use crate::brand::file::Unfit;

/// The most elements, each `<use>` counted as all that it shows.
const MAX_ELEMENTS: usize = 5_000;
/// The deepest that an element may lie, a `<use>` counted as what it shows.
const MAX_DEPTH: usize = 32;
/// The most attributes of an element.
const MAX_ATTRIBUTES: usize = 100;
/// The most declarations of name spaces.
const MAX_NAMESPACES: usize = 64;
/// The most bytes and rules of style sheets.
const MAX_STYLE: (usize, usize) = (16 * 1024, 200);
/// The most names of a rule: `a b c`.
const MAX_SELECTOR: usize = 3;
const SVG: &str = "http://www.w3.org/2000/svg";

/// Elements that are refused, and what messages call them.
const REFUSED: [(&str, &str); 18] = [
    ("animate", "an animation"),
    ("animateMotion", "an animation"),
    ("animateTransform", "an animation"),
    ("feImage", "an image"),
    ("filter", "a filter"),
    ("flowRoot", "text"),
    ("foreignObject", "a foreign object"),
    ("image", "an image"),
    ("marker", "a marker"),
    ("mask", "a mask"),
    ("pattern", "a pattern"),
    ("script", "a script"),
    ("set", "an animation"),
    ("text", "text"),
    ("textPath", "text"),
    ("tref", "text"),
    ("tspan", "text"),
    ("video", "a video"),
];

/// The document of an SVG that is safe to draw.
pub(super) fn document(text: &str) -> Result<Document<'_>, Unfit> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    tags(text)?;
    let nodes_limit = u32::try_from(4 * MAX_ELEMENTS).unwrap_or(u32::MAX);
    // a document type is common and harmless once it declares nothing
    let options = ParsingOptions { allow_dtd: true, nodes_limit, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| Unfit::new("a well-formed SVG", error.to_string()))?;
    let root = document.root_element();
    if root.tag_name().name() != "svg" || root.tag_name().namespace() != Some(SVG) {
        let got = format!("an XML file of <{}>", shortened(root.tag_name().name()));
        return Err(Unfit::new("a PNG or an SVG", got));
    }
    let mut style = (0, 0);
    for node in document.descendants().filter(Node::is_element) {
        element(node)?;
        if node.tag_name().name() == "style" {
            sheet(node, &mut style)?;
        }
    }
    let mut ids = BTreeMap::new();
    for node in document.descendants() {
        if let Some(id) = node.attribute("id") {
            ids.entry(id).or_insert(node);
        }
    }
    let mut costs = Costs { ids, known: BTreeMap::new() };
    let (elements, depth) = costs.of(root, 0)?;
    if elements > MAX_ELEMENTS || depth > MAX_DEPTH {
        return Err(too_much());
    }
    Ok(document)
}

fn too_much() -> Unfit {
    let expected = format!(
        "at most {MAX_ELEMENTS} elements, {MAX_DEPTH} deep, each <use> counted as all it shows"
    );
    Unfit::new(expected, "more than that, or a <use> that shows itself")
}

fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}

/// What the text costs to parse, by its tags alone.
fn tags(text: &str) -> Result<(), Unfit> {
    let plain = || Unfit::new("an SVG without declarations of entities", "one that declares some");
    let (mut namespaces, mut elements) = (0, 0);
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let skip = |end: &str| rest.find(end).map_or("", |at| &rest[at + end.len()..]);
        if rest.starts_with("<!--") {
            rest = skip("-->");
            continue;
        }
        if rest.starts_with("<![CDATA[") {
            rest = skip("]]>");
            continue;
        }
        if rest.starts_with("<?") {
            rest = skip("?>");
            continue;
        }
        let tag = tag(rest);
        if tag.starts_with("<!") && (tag.contains('[') || tag.starts_with("<!ENTITY")) {
            return Err(plain());
        }
        elements += 1;
        namespaces += tag.matches("xmlns").count();
        if elements > 2 * MAX_ELEMENTS {
            return Err(too_much());
        }
        if tag.matches('=').count() > MAX_ATTRIBUTES && attributes(tag) > MAX_ATTRIBUTES {
            let expected = format!("at most {MAX_ATTRIBUTES} attributes of an element");
            return Err(Unfit::new(expected, "more than that"));
        }
        if namespaces > MAX_NAMESPACES {
            let expected = format!("at most {MAX_NAMESPACES} declarations of name spaces");
            return Err(Unfit::new(expected, "more than that"));
        }
        rest = &rest[tag.len()..];
    }
    Ok(())
}

/// The tag that a text begins with, up to the `>` that is not in quotes.
fn tag(text: &str) -> &str {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), close) if open == close => quote = None,
            (None, b'>') => return &text[..=at],
            // a document type that declares something: seen without its end
            (None, b'[') if text.starts_with("<!") => return &text[..=at],
            _ => {}
        }
    }
    text
}

/// How many attributes a tag has: equal signs outside quotes.
fn attributes(tag: &str) -> usize {
    let mut quote = None;
    let mut count = 0;
    for byte in tag.bytes() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), close) if open == close => quote = None,
            (None, b'=') => count += 1,
            _ => {}
        }
    }
    count
}

/// Refuses what is not drawn, or fetched from elsewhere.
fn element(node: Node<'_, '_>) -> Result<(), Unfit> {
    let tag = node.tag_name();
    if !matches!(tag.namespace(), None | Some(SVG)) {
        return Ok(());
    }
    if let Some((_, what)) = REFUSED.iter().find(|(name, _)| *name == tag.name()) {
        return Err(super::only(what));
    }
    if tag.name() == "a" {
        return Ok(());
    }
    for attribute in node.attributes().filter(|attribute| attribute.name() == "href") {
        if !attribute.value().trim_start().starts_with('#') {
            let got = format!("a reference to {:?}", shortened(attribute.value()));
            return Err(Unfit::new("an SVG that refers to itself only", got));
        }
    }
    Ok(())
}

/// Refuses style sheets whose rules take long to apply.
fn sheet(node: Node<'_, '_>, (bytes, rules): &mut (usize, usize)) -> Result<(), Unfit> {
    let texts = node.children().filter_map(|child| child.text());
    for text in texts {
        *bytes += text.len();
        *rules += text.matches('{').count();
        let selectors = text.split('}').filter_map(|rule| rule.split('{').next());
        let names =
            selectors.flat_map(|rule| rule.split(',')).map(|s| s.split_whitespace().count());
        if *bytes > MAX_STYLE.0 || *rules > MAX_STYLE.1 || names.max().unwrap_or(0) > MAX_SELECTOR {
            let expected = format!(
                "style sheets of at most {} bytes and {} rules, each for at most {MAX_SELECTOR} names",
                MAX_STYLE.0, MAX_STYLE.1
            );
            return Err(Unfit::new(expected, "more than that"));
        }
    }
    Ok(())
}

/// What elements cost: how many they are with all below them, and how deep that goes.
struct Costs<'d, 'i> {
    ids: BTreeMap<&'d str, Node<'d, 'i>>,
    known: BTreeMap<u32, (usize, usize)>,
}

impl<'d, 'i> Costs<'d, 'i> {
    /// `above` counts the elements that are being looked into: a `<use>` that shows itself gets
    /// no further than the depth allowed.
    fn of(&mut self, node: Node<'d, 'i>, above: usize) -> Result<(usize, usize), Unfit> {
        if above > MAX_DEPTH {
            return Err(too_much());
        }
        if let Some(known) = self.known.get(&node.id().get()) {
            return Ok(*known);
        }
        let shown = (node.tag_name().name() == "use")
            .then(|| node.attributes().find(|attribute| attribute.name() == "href"))
            .flatten()
            .and_then(|attribute| attribute.value().trim().strip_prefix('#'))
            .and_then(|id| self.ids.get(id).copied());
        let (mut elements, mut depth) = (1usize, 0);
        let inner: Vec<_> = node.children().filter(Node::is_element).chain(shown).collect();
        for inner in inner {
            let (more, below) = self.of(inner, above + 1)?;
            elements = elements.saturating_add(more);
            depth = depth.max(below);
        }
        if elements > MAX_ELEMENTS {
            return Err(too_much());
        }
        self.known.insert(node.id().get(), (elements, depth + 1));
        Ok((elements, depth + 1))
    }
}
