//! Reading a document, with limits on size, depth, count and strings. It keeps to what MS-ASWBXML
//! section 2.1.1 allows, and beyond it takes what some servers send: any public id, an unused
//! string table, character entities, text that is not UTF-8, and bytes after the end.

use super::{Element, Node, Tag};

/// The largest document, in bytes.
pub const MAX_BYTES: usize = 2 << 20;
/// The deepest element, the root being 1. Nothing in MS-ASCMD goes deeper than a dozen.
pub const MAX_DEPTH: usize = 32;
/// The most elements, strings and opaque blocks of a document: 10,000 folders have 90,000.
pub const MAX_NODES: usize = 200_000;
/// The longest string or opaque block, in bytes.
pub const MAX_STRING_BYTES: usize = 1 << 20;

/// Why bytes are not a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It begins with something else.
    #[error("expected WBXML 1.1 to 1.3, got a first byte of {0:#04x}")]
    Version(u8),
    /// Another character set than UTF-8 (106).
    #[error("expected the character set 106 (UTF-8), got {0}")]
    Charset(u32),
    /// It ends in the middle.
    #[error("the document ends at byte {0}, in the middle of something")]
    Cut(usize),
    /// A token that ActiveSync does not use: an attribute, a string table's, an extension.
    #[error("expected a token that ActiveSync uses, got {token:#04x} at byte {at}")]
    Token {
        /// The token.
        token: u8,
        /// Where.
        at: usize,
    },
    /// A number of more than 32 bits.
    #[error("the number at byte {0} has more than 32 bits")]
    Number(usize),
    /// There is no element, or one ends that never began.
    #[error("expected an element, got none by byte {0}")]
    NoElement(usize),
    /// It goes beyond a limit.
    #[error("the document has more than {limit} {what}")]
    Large {
        /// Of what.
        what: &'static str,
        /// How many are taken.
        limit: usize,
    },
}

/// Reads a document.
///
/// # Errors
/// When it is not one, or goes beyond a limit.
pub fn read(bytes: &[u8]) -> Result<Element, Fault> {
    if bytes.len() > MAX_BYTES {
        return Err(Fault::Large { what: "bytes", limit: MAX_BYTES });
    }
    let mut reader = Reader { bytes, at: 0, page: 0, nodes: 0 };
    reader.head()?;
    reader.element()
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    page: u8,
    nodes: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(Fault::Cut(self.at))?;
        self.at += 1;
        Ok(byte)
    }

    /// A multi-byte integer (WBXML 1.3 section 5.1).
    fn number(&mut self) -> Result<u32, Fault> {
        let begin = self.at;
        let mut number: u32 = 0;
        loop {
            let byte = self.byte()?;
            if number >> 25 != 0 {
                return Err(Fault::Number(begin));
            }
            number = number << 7 | u32::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
    }

    fn length(&mut self) -> Result<usize, Fault> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if length > MAX_STRING_BYTES {
            return Err(Fault::Large { what: "bytes in a string", limit: MAX_STRING_BYTES });
        }
        Ok(length)
    }

    fn take(&mut self, length: usize) -> Result<&[u8], Fault> {
        let end = self.at.saturating_add(length);
        let taken = self.bytes.get(self.at..end).ok_or(Fault::Cut(self.bytes.len()))?;
        self.at = end;
        Ok(taken)
    }

    fn head(&mut self) -> Result<(), Fault> {
        let version = self.byte()?;
        if !(0x01..=0x03).contains(&version) {
            return Err(Fault::Version(version));
        }
        // the public id is 1 (unknown), or 0 and then a place in the string table
        if self.number()? == 0 {
            self.number()?;
        }
        let charset = self.number()?;
        if charset != 106 && charset != 0 {
            return Err(Fault::Charset(charset));
        }
        let table = self.length()?;
        self.take(table)?;
        Ok(())
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Fault::Large { what: "nodes", limit: MAX_NODES });
        }
        Ok(())
    }

    /// The root and all that is in it.
    fn element(&mut self) -> Result<Element, Fault> {
        let mut open: Vec<Element> = Vec::new();
        loop {
            let at = self.at;
            let token = self.byte()?;
            let node = match token {
                0x00 => {
                    self.page = self.byte()?;
                    continue;
                }
                0x01 => {
                    let done = open.pop().ok_or(Fault::NoElement(at))?;
                    match open.last_mut() {
                        Some(above) => above.inside.push(Node::Element(done)),
                        None => return Ok(done),
                    }
                    continue;
                }
                0x02 => {
                    let code = self.number()?;
                    Node::Text(char::from_u32(code).unwrap_or('\u{fffd}').to_string().into())
                }
                0x03 => Node::Text(self.string()?),
                0xc3 => {
                    let length = self.length()?;
                    Node::Opaque(self.take(length)?.into())
                }
                // 0x80 is the mark of attributes; what is below 5 is global
                _ if token & 0x80 != 0 || token & 0x3f < 0x05 => {
                    return Err(Fault::Token { token, at });
                }
                _ => {
                    let element = Element::empty(Tag::new(self.page, token & 0x3f));
                    if token & 0x40 != 0 {
                        self.count()?;
                        if open.len() == MAX_DEPTH {
                            return Err(Fault::Large { what: "levels", limit: MAX_DEPTH });
                        }
                        open.push(element);
                        continue;
                    }
                    if open.is_empty() {
                        return Ok(element);
                    }
                    Node::Element(element)
                }
            };
            self.count()?;
            open.last_mut().ok_or(Fault::NoElement(at))?.inside.push(node);
        }
    }

    /// Up to a zero byte.
    fn string(&mut self) -> Result<Box<str>, Fault> {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        let within = &rest[..rest.len().min(MAX_STRING_BYTES + 1)];
        let Some(length) = within.iter().position(|byte| *byte == 0) else {
            return Err(if within.len() > MAX_STRING_BYTES {
                Fault::Large { what: "bytes in a string", limit: MAX_STRING_BYTES }
            } else {
                Fault::Cut(self.bytes.len())
            });
        };
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.at += 1;
        Ok(text.into())
    }
}
