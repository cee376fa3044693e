//! WBXML as ActiveSync speaks it (MS-ASWBXML section 2.1): version 1.1 to 1.3, UTF-8, elements
//! without attributes, inline strings and opaque bytes. Everything a server can send is bounded;
//! tags that have no name here are kept by their numbers. What they mean is left to others.

mod pages;
mod read;
pub mod tag;
mod write;

pub use read::{Fault, MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_STRING_BYTES, read};
pub use tag::Tag;
pub use write::write;

/// An element: a tag, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its tag.
    pub tag: Tag,
    /// What is in it, in order; nothing where it is empty.
    pub inside: Vec<Node>,
}

/// What an element holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Another element.
    Element(Element),
    /// Text.
    Text(Box<str>),
    /// Opaque bytes.
    Opaque(Box<[u8]>),
}

impl Element {
    /// An element without anything in it.
    #[must_use]
    pub const fn empty(tag: Tag) -> Self {
        Self { tag, inside: Vec::new() }
    }

    /// An element with text in it.
    #[must_use]
    pub fn text(tag: Tag, text: impl Into<Box<str>>) -> Self {
        Self { tag, inside: vec![Node::Text(text.into())] }
    }

    /// An element with others in it.
    #[must_use]
    pub fn with(tag: Tag, children: impl IntoIterator<Item = Self>) -> Self {
        Self { tag, inside: children.into_iter().map(Node::Element).collect() }
    }

    /// The elements in it, in order.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        self.inside.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            _ => None,
        })
    }

    /// The first element in it with this tag.
    #[must_use]
    pub fn child(&self, tag: Tag) -> Option<&Self> {
        self.children().find(|child| child.tag == tag)
    }

    /// The first element along these tags, from the outside in.
    #[must_use]
    pub fn at(&self, path: &[Tag]) -> Option<&Self> {
        path.iter().try_fold(self, |element, tag| element.child(*tag))
    }

    /// Its text without blanks around it, if it holds text and nothing else; servers send text
    /// as opaque bytes too.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        match &*self.inside {
            [Node::Text(text)] => Some(text.trim()),
            [Node::Opaque(bytes)] => std::str::from_utf8(bytes).ok().map(str::trim),
            _ => None,
        }
    }

    /// The text of the first element along these tags.
    #[must_use]
    pub fn value_at(&self, path: &[Tag]) -> Option<&str> {
        self.at(path)?.value()
    }
}

#[cfg(test)]
mod tests;
