//! Writing a document (MS-ASWBXML section 2.1.1, WBXML 1.3 section 5).

use super::{Element, Node};

/// Version 1.3, public id 1 (unknown), UTF-8, no string table.
const HEAD: [u8; 4] = [0x03, 0x01, 0x6a, 0x00];

/// The document with this element at its root. A zero byte, which an inline string cannot hold,
/// is left out.
#[must_use]
pub fn write(root: &Element) -> Vec<u8> {
    let mut out = HEAD.to_vec();
    let mut page = 0;
    put(root, &mut page, &mut out);
    out
}

fn put(element: &Element, page: &mut u8, out: &mut Vec<u8>) {
    if element.tag.page != *page {
        *page = element.tag.page;
        out.extend([0x00, *page]);
    }
    let token = element.tag.token & 0x3f;
    if element.inside.is_empty() {
        out.push(token);
        return;
    }
    out.push(token | 0x40);
    for node in &element.inside {
        match node {
            Node::Element(child) => put(child, page, out),
            Node::Text(text) => {
                out.push(0x03);
                out.extend(text.bytes().filter(|byte| *byte != 0));
                out.push(0x00);
            }
            Node::Opaque(bytes) => {
                out.push(0xc3);
                put_number(bytes.len(), out);
                out.extend_from_slice(bytes);
            }
        }
    }
    out.push(0x01);
}

/// A multi-byte integer: seven bits a byte, the highest first, 0x80 on all but the last.
fn put_number(number: usize, out: &mut Vec<u8>) {
    let mut bits = 7;
    while bits < usize::BITS && number >> bits > 0 {
        bits += 7;
    }
    while bits > 0 {
        bits -= 7;
        let more = if bits > 0 { 0x80 } else { 0 };
        out.push(u8::try_from(number >> bits & 0x7f).unwrap_or_default() | more);
    }
}
